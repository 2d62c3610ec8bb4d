"""Spectra and harmonics of any column of a result over time.

Part of `analysis`; F. J. Harris, Proc. IEEE 66, 51 (1978) for windows.
"""

from __future__ import annotations

import numpy as np
import xarray
from scipy.signal import get_window

from llgnegf._checks import Problems, need
from llgnegf.analysis.data import made, over_time
from llgnegf.units import HBAR

WINDOWS = ("hann", "hamming", "blackman", "blackmanharris", "flattop", "boxcar")


def spectrum(dataarray: xarray.DataArray, window: str = "hann") -> xarray.DataArray:
    """One-sided amplitude spectrum of a column over time.

    Parameters
    ----------
    dataarray : xarray.DataArray, (time, ...)
        Any column with evenly spaced times (fs).
    window : str, default 'hann'
        "hann", "hamming", "blackman", "blackmanharris", "flattop" or "boxcar" (none).

    Returns
    -------
    xarray.DataArray, (frequency, ...)
        Frequency in 1/fs, with the coordinate energy = h f in eV; units of the column.

    Raises
    ------
    ValueError
        For another window, and for what is no such column, of 4 rows or more.

    Notes
    -----
    With the periodic window w and the weighted mean x_0, which is taken off so that it does not leak, ::

        A_k = (2/sum_n w_n) |sum_n w_n (x_n - x_0) exp(-2 pi i k n/N)|,   f_k = k/(N dt),   k = 0 .. N/2,

    ``A_0 = ``|x_0|````, and the last one of an even N has no factor 2. A sine that fits N times into the record shows
    its amplitude; between two frequencies f_k it shows less, at worst by 15 % (hann), 36 % (boxcar) and 0.1 %
    (flattop), for the price of wider peaks: of 2, 1 and 5 steps of f to each side.

    Examples
    --------
    >>> time = np.arange(100.0)  # fs
    >>> column = xarray.DataArray(0.3 * np.sin(2 * np.pi * 0.1 * time), {"time": time}, attrs={"units": "eV"})
    >>> lines = ln.analysis.spectrum(column)
    >>> lines.sel(frequency=0.1).round(6).item(), lines.energy.sel(frequency=0.1).round(4).item()  # eV, eV
    (0.3, 0.4136)
    """
    need(window in WINDOWS, "spectrum", "window", window, ", ".join(map(repr, WINDOWS)))
    column, step = over_time("spectrum", dataarray, 4)
    values = np.asarray(column.values, dtype=float)
    n = len(values)
    w = get_window(window, n).reshape(-1, *[1] * (values.ndim - 1))
    mean = (w * values).sum(axis=0) / w.sum()
    amplitude = 2 / w.sum() * np.abs(np.fft.rfft(w * (values - mean), axis=0))
    amplitude[0] = np.abs(mean)
    if n % 2 == 0:
        amplitude[-1] /= 2
    frequency = np.fft.rfftfreq(n, step)
    return _labelled(column, amplitude, "frequency", frequency, f"amplitude spectrum of {column.name}")


def harmonics(dataarray: xarray.DataArray, frequency: float, n: int) -> xarray.Dataset:
    """Amplitudes and phases of the harmonics of a frequency in a column over time.

    Parameters
    ----------
    dataarray : xarray.DataArray, (time, ...)
        Any column with evenly spaced times (fs).
    frequency : float
        f in 1/fs (hbar w in eV over 4.1357 eV fs).
    n : int
        The highest harmonic.

    Returns
    -------
    xarray.Dataset, (harmonic, ...)
        `amplitude` (units of the column), `phase` (rad, in (-pi, pi]); and `residual`, the weighted root mean square of
        what is none of them, without the dim harmonic.

    Raises
    ------
    ValueError
        If the record is shorter than two periods, where harmonics cannot be told apart, or n f is not below half the
        rate of the rows.

    Notes
    -----
    Of the signal, t as in the column, ::

        x(t) = A_0 + sum_{k=1}^n A_k cos(2 pi k f t + phi_k)

    by least squares over all rows, weighted with Hann's window: exact for a signal of these harmonics however many
    periods the record has, whole or not, and little touched by what else is in it (a start that dies away, lines at
    other frequencies). A_0 has its sign, with phase 0.

    Examples
    --------
    >>> time = np.arange(95.0)  # fs
    >>> column = xarray.DataArray(1.0 + 0.2 * np.cos(0.4 * np.pi * time), {"time": time}, attrs={"units": "eV"})
    >>> ln.analysis.harmonics(column, frequency=0.1, n=2).amplitude.values.round(6)  # k = 0, 1, 2
    array([1. , 0. , 0.2])
    """
    column, step = over_time("harmonics", dataarray, 4)
    f, count = _resolved(frequency, n, step, column.sizes["time"])
    times, values = column["time"].values, np.asarray(column.values, dtype=float)
    weight = np.sqrt(get_window("hann", times.size + 1, fftbins=True)[1:])
    angle = 2 * np.pi * f * np.multiply.outer(times - times[0], np.arange(1, count + 1))
    basis = np.concatenate([np.ones((times.size, 1)), np.cos(angle), np.sin(angle)], axis=1)
    flat = values.reshape(times.size, -1)
    found = np.linalg.lstsq(weight[:, None] * basis, weight[:, None] * flat, rcond=None)[0]
    rest = (weight[:, None] * (flat - basis @ found)) ** 2
    rms = np.sqrt(rest.sum(axis=0) / (weight**2).sum())
    # cos(a + phi) = cos phi cos a - sin phi sin a, a counted from the first row.
    wave = found[1 : count + 1] - 1j * found[count + 1 :]
    wave = wave * np.exp(-2j * np.pi * f * times[0] * np.arange(1, count + 1))[:, None]
    amplitude, phase = np.concatenate([found[:1], np.abs(wave)]), np.concatenate([0 * found[:1], np.angle(wave)])
    shape, dims = values.shape[1:], tuple(map(str, column.dims[1:]))
    units, orders = column.attrs.get("units", ""), {"harmonic": np.arange(count + 1)}
    return xarray.Dataset({
        "amplitude": made(column, amplitude.reshape(-1, *shape), ("harmonic", *dims), orders, units, "amplitude"),
        "phase": made(column, phase.reshape(-1, *shape), ("harmonic", *dims), orders, "rad", "phase at t = 0"),
        "residual": made(column, rms.reshape(shape), dims, {}, units, "rms of what is no harmonic"),
    }, attrs={"frequency": f})  # fmt: skip


def _resolved(frequency: float, n: int, step: float, n_rows: int) -> tuple[float, int]:
    """The arguments of `harmonics`, checked against rows every `step` (fs)."""
    problems = Problems("harmonics")
    f = problems.number("frequency", frequency, "a finite number > 0, in 1/fs", lambda x: x > 0)
    count = problems.integer("n", n, "an integer >= 1", lambda k: k >= 1)
    problems.raise_all()
    assert count is not None
    least, half = 2 / (step * n_rows), 0.5 / step
    problems.check(f >= least * (1 - 1e-9), "frequency", frequency, f"at least {least:.4g} 1/fs: two periods")
    most = int(np.ceil(half / f)) - 1
    problems.check(count <= most or most < 1, "n", n, f"at most {most}: n f below half the rate of the rows")
    problems.check(most >= 1, "frequency", frequency, f"below {half:.4g} 1/fs, half the rate of the rows")
    problems.raise_all()
    return f, count


def _labelled(
    column: xarray.DataArray, values: np.ndarray, dim: str, frequency: np.ndarray, long_name: str
) -> xarray.DataArray:
    """Values over frequencies in 1/fs, with their energies in eV."""
    labels = {
        dim: (dim, frequency, {"units": "1/fs", "long_name": "frequency"}),
        "energy": (dim, 2 * np.pi * HBAR * frequency, {"units": "eV", "long_name": "energy h f"}),
    }
    return made(column, values, (dim, *map(str, column.dims[1:])), labels, column.attrs.get("units", ""), long_name)
