"""Time-resolved spectra of two-time functions: what photoemission with a pulsed probe sees.

Part of `analysis`; J. K. Freericks, H. R. Krishnamurthy, T. Pruschke, Phys. Rev. Lett. 102, 136401 (2009).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray

from llgnegf._checks import Problems, need
from llgnegf.analysis.data import over_time
from llgnegf.units import HBAR

REACH = 5.0
"""Durations of the probe on either side of its centre that the functions must cover: its intensity there is 4e-6."""


def photoemission(
    functions: xarray.Dataset, energies: Any, duration: float, times: Any = None, vectors: Any = None
) -> xarray.Dataset:
    """Spectra of occupied and of all states at energy E around a time, as a Gaussian probe resolves them.

    Parameters
    ----------
    functions : xarray.Dataset
        What `TwoTime.run` returns, over evenly spaced times dt.
    energies : array_like, (n,)
        E in eV, (n,); their span and that of all levels must be below 2 pi hbar/dt, with which P repeats.
    duration : float
        d in fs.
    times : array_like, (m,), optional
        t_0 in fs, (m,); None: all times of the functions that are 5 d or more inside.
    vectors : array_like of complex, (states, k), optional
        Amplitudes of states v on the states of the functions, (states, k), for P of <v``|F|v>``: plane waves give P(E,
        k, t_0). None: each state by itself.

    Returns
    -------
    xarray.Dataset, (time, energy, state)
        `occupied` and `total` in 1/eV; vector in the place of state where they are given.

    Raises
    ------
    ValueError
        One line for each argument that is not of this kind.

    Notes
    -----
    The photocurrent of a probe pulse s but for matrix elements [1]_, ::

        P(E, t_0) = (1/2 pi hbar) int dt int dt' s(t - t_0) s(t' - t_0) exp(i E (t - t')/hbar) F(t, t'),
        s(t)^2    = exp(-t^2/2 d^2)/(d sqrt(2 pi)),

    with F = -i hbar G^< for `occupied` and F = i hbar (G^R - G^A) for `total`. A probe of duration d (standard
    deviation of its intensity) resolves energies to hbar/2d: a level n at E_0 is n times a Gaussian of that standard
    deviation, and with the device at rest P is the density of states (times f) so smoothed. Both are >= 0, and their
    integrals over E are the occupation, averaged over s^2, and 1.

    References
    ----------
    .. [1] J. K. Freericks, H. R. Krishnamurthy, T. Pruschke, Phys. Rev. Lett. 102, 136401 (2009).

    Examples
    --------
    >>> system = ln.OpenSystem(ln.chain(1), [ln.WideBandLead(0, 0.4)], kT=0.5)
    >>> functions = ln.TwoTime(system, ln.Frozen([[0, 0, 1]]), t_end=20.0, save_every=1.0, rtol=1e-3).run()
    >>> energies = np.linspace(-2.0, 2.0, 41)
    >>> spectrum = ln.analysis.photoemission(functions, energies, duration=2.0)
    >>> spectrum.total.sel(time=10.0, state=0).idxmax("energy").round(6).item()  # eV: the level
    0.0
    """
    functions, step = _ordered(functions)
    have = functions["time"].values
    e, d, middle, v = _asked(functions, step, energies, duration, times, vectors)
    parts = {"occupied": -1j * functions["lesser"].values, "total": 1j * functions["retarded"].values}
    weight = step**2 / (2 * np.pi * HBAR)
    found = {name: weight * _transform(_on_vectors(f, v), have, middle, e, d) for name, f in parts.items()}
    return _labelled(functions, found, middle, e, vectors is not None)


def _ordered(functions: Any) -> tuple[xarray.Dataset, float]:
    """Both functions with dims (time, time_prime, state, state_prime), and the time between rows.

    Raises:
        ValueError: For what are no two-time functions, or has been cut in one of two dims alone.
    """
    problems, dims = Problems("photoemission"), ("time", "time_prime", "state", "state_prime")
    fits = isinstance(functions, xarray.Dataset) and {"lesser", "retarded"} <= set(functions.data_vars)
    fits = fits and all(set(functions[name].dims) == set(dims) for name in ("lesser", "retarded"))
    need(fits, "photoemission", "functions", functions, "the Dataset that TwoTime.run returns")
    for name in ("time", "site", "spin"):
        same = np.array_equal(functions[name].values, functions[name + "_prime"].values)
        allowed = f"the same {name} and {name}_prime: P needs F and its adjoint"
        problems.check(same, "functions", f"a {name} and another {name}_prime", allowed)
    problems.raise_all()
    return functions.transpose(*dims), over_time("photoemission", functions["time"], 2)[1]


def _asked(
    functions: xarray.Dataset, step: float, energies: Any, duration: Any, times: Any, vectors: Any
) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """Energies, duration, times and vectors, checked against functions with rows every `step` (fs)."""
    problems, have, count = Problems("photoemission"), functions["time"].values, functions.sizes["state"]
    period = 2 * np.pi * HBAR / step
    e = problems.array("energies", energies, (None,), "energies in eV, (n,)")
    if e is not None and problems.check(e.size > 0, "energies", energies, "energies in eV, one at least"):
        span = f"a span below {period:.4g} eV, 2 pi hbar/dt: P repeats with it"
        problems.check(np.ptp(e) < period, "energies", f"a span of {np.ptp(e):g} eV", span)
    longest = (have[-1] - have[0]) / (2 * REACH)
    allowed = f"a number from {step:g}, the time between rows, to {longest:g} fs, a tenth of the functions' time"
    d = problems.number("duration", duration, allowed, lambda d: step * (1 - 1e-9) <= d <= longest * (1 + 1e-9))
    problems.raise_all()
    inside = [have[0] + REACH * d * (1 - 1e-9), have[-1] - REACH * d * (1 - 1e-9)]
    given = have[(have >= inside[0]) & (have <= inside[1])] if times is None else times
    middle = problems.array("times", given, (None,), f"times from {inside[0]:g} to {inside[1]:g} fs")
    if middle is not None:
        fits = middle.size > 0 and middle.min() >= inside[0] and middle.max() <= inside[1]
        problems.check(fits, "times", times, f"times from {inside[0]:g} to {inside[1]:g} fs, 5 durations inside")
    shape = f"({count}, k) finite numbers, one row for each state"
    v = np.eye(count) if vectors is None else problems.array("vectors", vectors, (count, None), shape, complex)
    problems.raise_all()
    assert e is not None and middle is not None and v is not None
    return e, d, middle, v


def _on_vectors(f: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """<v_k|F(t, t')|v_k>, (T, T, k)."""
    if np.array_equal(vectors, np.eye(len(vectors))):
        return np.einsum("tsaa->tsa", f)
    return np.einsum("ak,tsab,bk->tsk", vectors.conj(), f, vectors, optimize=True)


def _transform(
    f: np.ndarray, times: np.ndarray, middle: np.ndarray, energies: np.ndarray, duration: float
) -> np.ndarray:
    """sum_{t, t'} s s exp(i E (t - t')/hbar) F(t, t') of an F that is its own adjoint, known for t >= t', (m, n, k).

    Over each t - t' first; s is normalised by sums.
    """
    probe = np.exp(-((times - middle[:, None]) ** 2) / (4 * duration**2))
    probe /= np.sqrt(np.sum(probe**2, axis=1, keepdims=True) * (times[1] - times[0]))
    out = np.zeros((middle.size, energies.size, f.shape[2]))
    for k in range(times.size):  # the diagonal t - t' = k dt, and its adjoint
        pairs = probe[:, k:] * probe[:, : times.size - k]
        summed = pairs @ np.moveaxis(np.diagonal(f, -k), -1, 0)
        phase = np.exp(1j * energies * (times[k] - times[0]) / HBAR)
        out += (1.0 if k == 0 else 2.0) * (phase[:, None] * summed[:, None]).real
    return out


def _labelled(
    functions: xarray.Dataset, found: dict[str, np.ndarray], times: np.ndarray, energies: np.ndarray, projected: bool
) -> xarray.Dataset:
    last = "vector" if projected else "state"
    coords: dict[str, Any] = {
        "time": ("time", times, {"units": "fs", "long_name": "centre of the probe"}),
        "energy": ("energy", energies, {"units": "eV", "long_name": "energy"}),
    }
    coords |= {} if projected else {name: ("state", functions[name].values) for name in ("site", "spin")}
    words = {"occupied": "occupied states", "total": "all states"}
    data = {
        name: (("time", "energy", last), values, {"units": "1/eV", "long_name": f"{words[name]} seen by the probe"})
        for name, values in found.items()
    }
    return xarray.Dataset(data, coords=coords)
