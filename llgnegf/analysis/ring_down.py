"""Frequency and damping of oscillations that die away: harmonic inversion by the matrix pencil, then least squares.

Part of `analysis`. Y. Hua and T. K. Sarkar, IEEE Trans. Acoust. 38, 814 (1990).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray
from scipy.optimize import least_squares

from llgnegf._checks import Problems
from llgnegf.analysis.data import made, over_time
from llgnegf.units import HBAR

PENCIL = 300
"""Most rows and columns of the Hankel matrix; longer records are looked at in as many places."""
ROUND_OFF = 1e-12
"""Singular values below this part of the first are none."""
NAMES = ("frequency", "damping", "amplitude", "phase")


def ring_down(dataarray: xarray.DataArray, n: int = 1) -> xarray.Dataset:
    """Frequencies and dampings of oscillations that die away.

    Parameters
    ----------
    dataarray : xarray.DataArray, (time, ...)
        Any column with evenly spaced times (fs), after what sets it off.
    n : int, default 1
        Number of oscillations. Ask for as many as there are, and compare `residual` with one more.

    Returns
    -------
    xarray.Dataset, (mode, ...)
        The largest amplitude first: `frequency` (1/fs), `energy` h f (eV), `damping` gamma (1/fs), `amplitude` and
        `phase` (rad) at the first row, each with its error, `frequency_error` and so on; and `offset` c and `residual`
        (root mean square), without mode. NaN where fewer oscillations are found.

    Raises
    ------
    ValueError
        For what is no such column, of 6 n + 6 rows or more.

    Notes
    -----
    With t from the first row, ::

        x(t) = c + sum_{k=1}^n A_k exp(-gamma_k t) cos(2 pi f_k t + phi_k)

    The poles z_k = exp((-gamma_k +- 2 pi i f_k) dt) are the eigenvalues of a pencil of Hankel matrices ``x_{r+c}`` and
    ``x_{r+c+1}``, cut down to 2 n + 1 singular values (c takes one) [1]_: exact for such a signal, of any frequencies
    that the rows resolve. All parameters are then fitted to all rows by least squares, whose covariance gives the error
    estimates: standard deviations if what is left is white noise, and far too small if it is more oscillations.

    References
    ----------
    .. [1] Y. Hua, T. K. Sarkar, IEEE Trans. Acoust. Speech Signal Process. 38, 814 (1990).

    Examples
    --------
    >>> time = np.arange(50.0)  # fs
    >>> signal = np.exp(-0.05 * time) * np.cos(2 * np.pi * 0.1 * time)
    >>> found = ln.analysis.ring_down(xarray.DataArray(signal, {"time": time}, attrs={"units": "eV"}))
    >>> found.frequency.values.round(6), found.damping.values.round(6)
    (array([0.1]), array([0.05]))
    """
    problems = Problems("ring_down")
    count = problems.integer("n", n, "an integer >= 1", lambda k: k >= 1)
    problems.raise_all()
    assert count is not None
    column, step = over_time("ring_down", dataarray, 6 * count + 6)
    values = np.asarray(column.values, dtype=float)
    shape, dims = values.shape[1:], tuple(map(str, column.dims[1:]))
    found = [_one(x, step, count) for x in values.reshape(len(values), -1).T]
    modes, rest = (np.array(part) for part in zip(*found, strict=True))  # (n_columns, 2, 4, n), (n_columns, 2)
    units = str(column.attrs.get("units", ""))
    unit_of = {"frequency": "1/fs", "damping": "1/fs", "amplitude": units, "phase": "rad"}
    data: dict[str, Any] = {}
    labels = {"mode": np.arange(count)}
    for k, name in enumerate(NAMES):
        for j, (suffix, words) in enumerate((("", ""), ("_error", "standard deviation of the "))):
            table = np.moveaxis(modes[:, j, k], 1, 0).reshape(count, *shape)
            data[name + suffix] = made(column, table, ("mode", *dims), labels, unit_of[name], words + name)
    for suffix in ("", "_error"):
        data["energy" + suffix] = 2 * np.pi * HBAR * data["frequency" + suffix]
        data["energy" + suffix].attrs = {"units": "eV", "long_name": "energy h f"}
    for k, (name, words) in enumerate((("offset", "constant"), ("residual", "rms of what is left"))):
        data[name] = made(column, rest[:, k].reshape(shape), dims, {}, units, words)
    return xarray.Dataset(data)


def _one(x: np.ndarray, step: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Values and errors (2, 4, n) of one column, and its offset and rms of the rest."""
    times, empty = step * np.arange(x.size), np.full((2, 4, n), np.nan)
    size = float(np.abs(x - x.mean()).max())
    if size == 0:
        return empty, np.array([x.mean(), 0.0])
    start = _poles(x / size, step, n)
    if not start.size:
        return empty, np.array([x.mean(), x.std()])
    linear = _amplitudes(start, times, x / size)
    fit = least_squares(
        _misfit, np.concatenate([start.real * times[-1], start.imag * times[-1], linear]), _slope, method="lm",
        args=(times, x / size), xtol=1e-15, ftol=1e-15, gtol=1e-15,
    )  # fmt: skip
    rest = _misfit(fit.x, times, x / size)
    variance = rest @ rest / max(x.size - fit.x.size, 1)
    inverse = np.linalg.pinv(_slope(fit.x, times, x / size))
    covariance = variance * (inverse @ inverse.T)
    left = size * np.array([fit.x[-1], np.sqrt(np.mean(rest**2))])
    return _described(fit.x, covariance, times[-1], size, empty), left


def _poles(x: np.ndarray, step: float, n: int) -> np.ndarray:
    """The poles -gamma + 2 pi i f (f > 0) of the n largest oscillations, in 1/fs; fewer if there are no more."""
    half = x.size // 2
    rows = np.unique(np.linspace(0, half - 1, min(half, PENCIL)).round().astype(int))
    columns = np.unique(np.linspace(0, x.size - half - 1, min(x.size - half, PENCIL)).round().astype(int))
    at = rows[:, None] + columns
    u, s, vh = np.linalg.svd(x[at], full_matrices=False)
    order = min(2 * n + 1, int((s > ROUND_OFF * s[0]).sum()))
    pencil = u[:, :order].T @ x[at + 1] @ vh[:order].T / s[:order]
    z = np.linalg.eigvals(pencil).astype(complex)
    poles = np.log(z[np.abs(z) > ROUND_OFF]) / step
    # A pole on the negative axis, Im = pi/dt, is noise: no pair of a cosine.
    upper = poles[(poles.imag > 0) & (poles.imag * step < np.pi * (1 - 1e-9))]
    times = step * np.arange(x.size)
    wave = _amplitudes(upper, times, x)[:-1].reshape(2, -1)
    return upper[np.argsort(-np.hypot(*wave), kind="stable")][:n]


def _amplitudes(poles: np.ndarray, times: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Of cosines, of sines, and the constant, by linear least squares."""
    wave = np.exp(np.multiply.outer(times, poles))
    basis = np.concatenate([wave.real, wave.imag, np.ones((times.size, 1))], axis=1)
    return np.linalg.lstsq(basis, x, rcond=None)[0]


def _misfit(p: np.ndarray, times: np.ndarray, x: np.ndarray) -> np.ndarray:
    """p: -gamma T and 2 pi f T, amplitudes of cosines and sines, (n,) each, and the constant; T is the last time."""
    re, im, a, b = p[:-1].reshape(4, -1)
    wave = np.exp(np.multiply.outer(times / times[-1], re + 1j * im))
    return wave.real @ a + wave.imag @ b + p[-1] - x


def _slope(p: np.ndarray, times: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The derivatives of `_misfit`, (n_times, 4 n + 1)."""
    re, im, a, b = p[:-1].reshape(4, -1)
    s = times / times[-1]
    wave = np.exp(np.multiply.outer(s, re + 1j * im))
    d = s[:, None] * wave
    return np.concatenate(
        [d.real * a + d.imag * b, -d.imag * a + d.real * b, wave.real, wave.imag, np.ones((s.size, 1))], axis=1
    )


def _described(p: np.ndarray, covariance: np.ndarray, last: float, size: float, empty: np.ndarray) -> np.ndarray:
    """(2, 4, n): frequency, damping, amplitude, phase, and their errors, the largest amplitude first."""
    re, im, a, b = p[:-1].reshape(4, -1)
    m = re.size
    sigma = np.sqrt(np.diag(covariance)[:-1]).reshape(4, m)
    amplitude = np.hypot(a, b)
    cross = np.array([covariance[2 * m + k, 3 * m + k] for k in range(m)])
    # a cos + b sin = A cos(. + phi) with phi = -arg(a + i b)
    d_amplitude = np.sqrt(np.maximum((a * sigma[2]) ** 2 + (b * sigma[3]) ** 2 + 2 * a * b * cross, 0)) / amplitude
    d_phase = np.sqrt(np.maximum((b * sigma[2]) ** 2 + (a * sigma[3]) ** 2 - 2 * a * b * cross, 0)) / amplitude**2
    values = np.array([im / (2 * np.pi * last), -re / last, size * amplitude, -np.arctan2(b, a)])
    errors = np.array([sigma[1] / (2 * np.pi * last), sigma[0] / last, size * d_amplitude, d_phase])
    order = np.argsort(-amplitude)
    found = empty.copy()
    found[0, :, :m], found[1, :, :m] = values[:, order], errors[:, order]
    return found
