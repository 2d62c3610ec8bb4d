"""Make and certify llgnegf/poles/semicircle.json: the damped modes of the semi-infinite chain lead.
Run `python -m validation.semicircle_table` (about 2 min on one core); `--check` only certifies the table.

Target: Gamma(E) = sqrt(4 - E^2), K(t) = J_1(2t)/t.  With w = E^2 the fit with n pairs of modes chi, -chi^* is

    Gamma_fit(E) = g prod_{j<n} (w - x_j^2)^2 / prod_y |w - chi_y^2|^2     (double zeros x_j > 2, outside the band)

that is, the best non-negative fits touch zero as often as they can outside the band.

What is minimised is the sum of two squares.  In time, K_fit - K on t <= 100 (both phases of the oscillation resolved)
and, beyond, on the slow envelope of exp(-2it), log-spaced out to where K itself is below the error; its weight
(dt/t)^(1/2) (1 + t)^(1/8) lets every decade of time count alike, late ones a little more.  In energy, outside
the band, 2.01 < E < 62, Gamma_fit and the real part of Sigma_fit - Sigma: they damp and shift levels that are truly
undamped there, errors that grow with time, so that they have to be much smaller than that of K. With the weights
eps^2/(4 tail) of Gamma_fit and eps/(2 tail) of Re(Sigma_fit - Sigma), for an error eps of K, both come to about
tail = eps^(3/2).

Two families: with the second square ("tails"), and without it ("kernel"), for runs in which nothing notices the tails.

Starts.  (1) An explicit rational fit.  x = (E - 2)/(E + 2) maps the upper half plane onto itself, the band onto x < 0,
infinity onto 1, and Sigma = [E - (E + 2) sqrt(x)]/2.  With s = sqrt(x) and nodes t_j in the first quadrant

    sqrt(x) ~ r(x) = s (1 - B)/(1 + B),     B(s) = prod_{j <= 2N} (s - t_j)/(s + t_j)

is rational in x, since B(-s) = 1/B(s), and has no pole in the upper half plane, where |B| < 1.  Its error is
2 s B/(1 + B), with ln |B| = -pi theta q in the band and -pi (pi/2 - theta) q outside for q nodes per unit of ln|t| at
the angle theta: nodes spread over ln|t| with a density that falls towards the band edges, tilted so that the tail
outside is the square root finer, and four of them at infinity (three exact moments).  Its poles are the eigenvalues s
of sqrt(t_j t_k) sign(k - j), its residues are explicit.  It is as good as a fit, but negative in places outside the
band; pairs of roots there are merged to double zeros.  (2) The fit with n - 1 pairs, stretched.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.interpolate import interp1d
from scipy.optimize import least_squares
from scipy.special import hankel2e, j1, jv

from llgnegf.plots.style import line, new_figure, points, styled
from llgnegf.poles import coupling
from llgnegf.poles.spectral_fit import (
    numerator_roots,
    product_weights,
    product_weights_jacobian,
    smallest_margin,
)
from validation._report import OUTPUT, Report, run_as_script

TABLE = Path(coupling.__file__).with_name("semicircle.json")
EXPLICIT_N = 19
"""Larger fits start from the one before: the merged roots of the explicit one get too dense."""
NEAR = 100.0
LATE_WEIGHT = 0.125
FAMILIES = {coupling.TAILS: (1.5, 30), coupling.KERNEL: (1.0, 23)}
"""Power of the error of K that the tail outside the band has in the explicit fit, and the largest n; in the family for
the kernel alone nothing outside the band is minimised."""
SMALLEST_TAIL = 5e-13
"""Below it the rounding of the weights decides."""


def exact_self_energy(energies: np.ndarray) -> np.ndarray:
    """Sigma of the unit semicircle, 2/(z + sqrt(z - 2) sqrt(z + 2))."""
    z = energies.astype(complex)
    return 2 / (z + np.sqrt(z - 2) * np.sqrt(z + 2))


def explicit_fit(n_poles: int, smallest: float, power: float) -> tuple[np.ndarray, np.ndarray]:
    """chi and b of the explicit rational fit; `smallest` is the smallest |x| = |t|^2 of its nodes."""
    reach = -0.5 * np.log(smallest)
    place = np.linspace(-reach, reach, 4001)
    density = np.cumsum(np.maximum(1 - np.abs(place) / reach, 0.02))
    count = 2 * n_poles - 4
    sigma = np.interp((np.arange(count) + 0.5) / count * density[-1], density, place)
    t = np.concatenate([np.exp(sigma + 0.5j * np.pi / (1 + power)), np.ones(4)])
    t = t[np.argsort(np.abs(t), kind="stable")]
    order = np.arange(t.size)
    s = np.linalg.eigvals(np.sqrt(t[:, None] * t) * np.sign(order - order[:, None]))
    s = s[s.imag > 0]
    for _ in range(6):  # Newton's method on B + 1
        b = np.prod((s[:, None] - t) / (s[:, None] + t), axis=1)
        slope = (2 * t / (s[:, None] ** 2 - t**2)).sum(1)
        s = s - (b + 1) / (b * slope)
    x, slope = s**2, (2 * t / (s[:, None] ** 2 - t**2)).sum(1)
    return 2 * (1 + x) / (1 - x), x * (4 / (1 - x)) ** 3 / (2 * slope)


class Residual:
    """What is squared and summed, for parameters p = (u, v, ln(x_j^2 - 4), ln g) with chi^2 - 4 = -exp(u + iv)."""

    def __init__(self, n: int, error: float, family: str) -> None:
        self.n = n
        self.near = np.concatenate([np.linspace(0, 3, 31)[:-1], np.linspace(3, NEAR, 500)])
        last = max(300.0, 3 * error ** (-2 / 3))
        self.late = np.geomspace(1.05 * NEAR, last, int(14 * np.log(last / NEAR)) + 8)
        safe = np.where(self.near == 0, 1.0, self.near)
        self.near_exact = np.where(self.near == 0, 1.0, j1(2 * safe) / safe)
        self.late_exact = hankel2e(1, 2 * self.late) / self.late  # J_1(2t)/t = Re[this exp(-2it)]
        self.w_near = np.sqrt(np.gradient(self.near) / (0.5 + self.near)) * (1 + self.near) ** LATE_WEIGHT
        self.w_late = np.sqrt(np.gradient(np.log(self.late))) * (1 + self.late) ** LATE_WEIGHT
        beyond = np.geomspace(1e-2, 60, 220)
        self.outside = 2 + beyond
        self.outside_exact = exact_self_energy(self.outside).real
        spread = np.sqrt(np.gradient(np.log(beyond)) * np.minimum(1, beyond / 0.3)) * (family == coupling.TAILS)
        tail = max(error ** FAMILIES[family][0], SMALLEST_TAIL)
        self.w_width = 0.5 * error / np.sqrt(tail) * spread
        self.w_shift = 0.5 * error / tail * spread

    def energies(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """W = chi^2 - 4, chi, and chi - 2 without cancellation."""
        w = -np.exp(p[: self.n] + 1j * p[self.n : 2 * self.n])
        root = np.sqrt(4 + w)
        chi = np.where(root.imag > 0, -root, root)
        return w, chi, np.where(chi.real > 0, w / (chi + 2), chi - 2)

    def zeros(self, p: np.ndarray) -> np.ndarray:
        """x_j^2 - 4."""
        return np.exp(p[2 * self.n : -1])

    def weights(self, p: np.ndarray) -> np.ndarray:
        w, chi, _ = self.energies(p)
        return product_weights(w, self.zeros(p), p[-1]) / (2 * chi)

    def _root_of_tail(self, p: np.ndarray) -> np.ndarray:
        """Gamma_fit^(1/2) outside the band with a sign, smooth where Gamma_fit has its double zeros."""
        above = self.outside[:, None] ** 2 - 4 - self.zeros(p)
        below = np.abs(self.outside[:, None] ** 2 - 4 - self.energies(p)[0])
        size = np.log(np.abs(above) + 1e-300).sum(1) - np.log(below).sum(1)
        return np.exp(0.5 * p[-1] + size) * np.sign(above).prod(1)

    def value(self, p: np.ndarray) -> np.ndarray:
        _, chi, offset = self.energies(p)
        b = self.weights(p)
        near = 2 * (np.exp(-1j * np.outer(self.near, chi)) @ b).real - self.near_exact
        late = 2 * np.exp(-1j * np.outer(self.late, offset)) @ b - self.late_exact
        width = self.w_width * self._root_of_tail(p)
        e = self.outside[:, None]
        shift = self.w_shift * (((1 / (e - chi) + 1 / (e + chi)) @ b).real - self.outside_exact)
        return np.concatenate([self.w_near * near, self.w_late * late.real, self.w_late * late.imag, width, shift])

    def jacobian(self, p: np.ndarray) -> np.ndarray:
        n = self.n
        w, chi, offset = self.energies(p)
        b, zeros = self.weights(p), self.zeros(p)
        by_pole, by_conjugate, by_zero = product_weights_jacobian(w, zeros)
        by_pole[np.diag_indices(n)] -= 1 / (2 * (4 + w))  # the 1/chi of dw = 2 chi dE
        direct, crossed = by_pole * w, by_conjugate * w.conj()
        log_b = np.hstack([direct + crossed, 1j * (direct - crossed), by_zero * zeros, np.ones((n, 1))])
        blocks = []
        for times, shift in ((self.near, chi), (self.late, offset)):
            modes = 2 * np.exp(-1j * np.outer(times, shift)) * b
            block = modes @ log_b
            motion = -1j * times[:, None] * modes * (w / (2 * chi))
            block[:, :n] += motion
            block[:, n : 2 * n] += 1j * motion
            blocks.append(block)
        near, late = blocks[0] * self.w_near[:, None], blocks[1] * self.w_late[:, None]
        e = self.outside[:, None]
        shift = (b * (1 / (e - chi) + 1 / (e + chi))) @ log_b
        motion = (1 / (e - chi) ** 2 - 1 / (e + chi) ** 2) * b * (w / (2 * chi))
        shift[:, :n] += motion
        shift[:, n : 2 * n] += 1j * motion
        width = self._width_jacobian(p, w, zeros)
        return np.vstack([near.real, late.real, late.imag, width, self.w_shift[:, None] * shift.real])

    def _width_jacobian(self, p: np.ndarray, w: np.ndarray, zeros: np.ndarray) -> np.ndarray:
        e2 = self.outside[:, None] ** 2 - 4
        turned = -w / (e2 - w)
        log_slopes = [-turned.real, turned.imag, -zeros / (e2 - zeros), np.full(e2.shape, 0.5)]
        return (self.w_width * self._root_of_tail(p))[:, None] * np.hstack(log_slopes)

    def minimise(self, start: np.ndarray, steps: int) -> tuple[float, np.ndarray]:
        with np.errstate(all="ignore"):
            try:
                fit = least_squares(
                    self.value, start, self.jacobian, method="lm", max_nfev=steps, xtol=1e-13, ftol=1e-10, gtol=1e-15
                )
            except ValueError:  # a start that overflows: not a candidate
                return np.inf, start
        return float(fit.cost), fit.x

    def with_gain(self, p: np.ndarray) -> np.ndarray:
        """log g such that K_fit(0) = 1."""
        p = p.copy()
        p[-1] -= np.log(abs(2 * self.weights(p).sum().real))
        return p


def stretch(rows: np.ndarray, order: np.ndarray, extra: float) -> np.ndarray:
    """The pattern of n parameters per row read at n + 1 places: a continuation to one more mode."""
    n = rows.shape[1]
    places = np.linspace(0, n - 1 + extra, n + 1)
    return interp1d(np.arange(n), rows[:, order], fill_value="extrapolate")(places)


def more_product(p: np.ndarray, n: int, extra: float) -> np.ndarray:
    poles, zeros = p[: 2 * n].reshape(2, n), p[2 * n : 3 * n - 1][None, :]
    new_zeros = stretch(zeros, np.argsort(-zeros[0]), extra)
    return np.concatenate([stretch(poles, np.argsort(-poles[0]), extra).ravel(), new_zeros.ravel(), [0.0]])


def from_explicit(n: int, smallest: float, power: float) -> np.ndarray:
    """Parameters of the explicit fit with 2 n poles, its roots outside the band merged in pairs."""
    chi, b = explicit_fit(2 * n, smallest, power)
    right = chi[chi.real > 0]
    log_w = np.log(4 - right[np.argsort(np.abs(right - 2))] ** 2)
    roots = numerator_roots(chi, b)
    x = np.sort(roots[(roots.real > 2) & (np.abs(roots.imag) < 1e-6 * np.abs(roots - 2))].real)[: 2 * n - 2]
    missing = np.arange(1, 2 * n - 1 - x.size)
    x = np.concatenate([x, (x[-1] if x.size else 3.0) * 1.7**missing])
    pairs = 2 + np.sqrt((x[0::2] - 2) * (x[1::2] - 2))
    return np.concatenate([log_w.real, log_w.imag, np.log(pairs**2 - 4), [0.0]])


def ladder(family: str) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """(chi, x, log g) with Re chi > 0 and x > 2 for n = 2, 3, ... pairs."""
    entries, product, error = [], np.zeros(0), 3e-2
    power, largest = FAMILIES[family]
    for n in range(2, largest + 1):
        residual = Residual(n, max(0.45 * error, 1e-11) if n > 3 else error, family)
        reaches = [min(f * 10 ** (-2 - 0.2 * n), 0.05) for f in (0.2, 1, 5) if n <= EXPLICIT_N]
        starts = [from_explicit(n, reach, power) for reach in reaches]
        starts += [more_product(product, n - 1, extra) for extra in (0.0, 0.1, 0.3, 0.5) if n > 3]
        fits = [residual.minimise(residual.with_gain(s), 120) for s in starts if len(s) == 3 * n]
        cost, product = residual.minimise(min(fits, key=lambda f: f[0])[1], 1000)
        _, chi, _ = residual.energies(product)
        order = np.argsort(np.abs(chi - 2))[::-1]
        zeros = np.sort(np.sqrt(4 + residual.zeros(product)))[::-1]
        entries.append((chi[order], zeros, float(product[-1])))
        error = error_bound(*coupling.semicircle_modes(*entries[-1]))
        print(f"{2 * n:3d} modes, |K - K_fit| <= {error:.2e}, least squares {cost:.2e}", flush=True)
    return entries


def bessel_derivatives(times: np.ndarray, n_derivatives: int) -> list[np.ndarray]:
    """J_1(2t)/t = J_0(2t) + J_2(2t) and its derivatives, by d/dt J_n(2t) = J_{n-1} - J_{n+1}."""
    top = n_derivatives + 3
    functions = {k: jv(k, 2 * times) for k in range(top + 1)}
    terms, result = {0: 1.0, 2: 1.0}, []
    for _ in range(n_derivatives):
        result.append(sum(c * (functions[k] if k >= 0 else (-1) ** k * functions[-k]) for k, c in terms.items()))
        new: dict[int, float] = {}
        for k, c in terms.items():
            new[k - 1] = new.get(k - 1, 0.0) + c
            new[k + 1] = new.get(k + 1, 0.0) - c
        terms = new
    return result


def error_bound(energies: np.ndarray, weights: np.ndarray) -> float:
    """Rigorous (up to rounding) bound on max_{t >= 0} |J_1(2t)/t - K_fit(t)|.

    t <= 200: sixth-order Taylor bound about every grid point.  200 < t < 1e8: |Re z| <= |z| for the envelope of
    exp(-2it), second derivative bounded between points.  Beyond: |K| <= 0.6 t^(-3/2) plus sum |b| exp(Im chi t).
    """
    order, step, split, end, ratio = 6, 0.02, 200.0, 1e8, 3e-4
    times = np.arange(0, split + step, step)
    modes = np.exp(-1j * np.outer(times, energies))
    near = np.zeros(len(times))
    for k, exact in enumerate(bessel_derivatives(times, order)):
        near += np.abs((modes @ (weights * (-1j * energies) ** k)).real - exact) * (step / 2) ** k / factorial(k)
    largest = 2.0**order + np.sum(np.abs(weights) * np.abs(energies) ** order)
    near_bound = near.max() + largest * (step / 2) ** order / factorial(order)

    right = energies.real > 0
    chi, b = energies[right] - 2, 2 * weights[right]
    times = np.geomspace(split, end, int(np.log(end / split) / ratio))
    late_bound = 0.0
    for t in np.array_split(times, 40):
        decay = np.exp(np.outer(t, chi.imag)) @ (np.abs(b) * np.abs(chi) ** 2)
        curvature = 5 * 0.6 * t**-3.5 + decay  # |d2/dt2| of t^(-3/2) (1 + O(1/t)) is below 5 t^(-7/2)
        envelope = np.abs(np.exp(-1j * np.outer(t, chi)) @ b - hankel2e(1, 2 * t) / t)
        late_bound = max(late_bound, float((envelope + curvature * (1.001 * ratio * t) ** 2 / 8).max()))
    tail = 0.6 * end**-1.5 + float(np.sum(np.abs(b) * np.exp(chi.imag * end)))
    return max(float(near_bound), late_bound, tail)


def entry(chi: np.ndarray, zeros: np.ndarray, log_gain: float) -> dict[str, Any]:
    """What the table has of one expansion."""
    bound = float(f"{error_bound(*coupling.semicircle_modes(chi, zeros, log_gain)) * 1.01:.3g}")
    numbers = {"real": chi.real.tolist(), "width": (-chi.imag).tolist(), "zeros": zeros.tolist()}
    return {"modes": 2 * len(chi), "error": bound, "log_gain": log_gain, **numbers}


def write(families: Sequence[str]) -> None:
    """Make these families anew; the others stay in the file as they are."""
    table = json.loads(TABLE.read_text()) | {family: [entry(*e) for e in ladder(family)] for family in families}
    lists = (f'"{family}": [\n' + ",\n".join(map(json.dumps, table[family])) + "\n]" for family in FAMILIES)
    TABLE.write_text(f'{{"about": "{table["about"]}",\n' + ",\n".join(lists) + "}\n")
    coupling.semicircle_ladder.cache_clear()


def certify() -> bool:
    report = Report("The damped modes of the semi-infinite chain, certified again")
    figure({family: np.array(certified(report, family)) for family in FAMILIES})
    return report.all_hold()


def certified(report: Report, family: str) -> list[tuple[int, float, float, float]]:
    """Every entry: re-certified error, sign, weights, and the error of Sigma beside the band and off the axis."""
    outside, upper = np.geomspace(2.001, 6, 400), np.array([0.3 + 0.1j, 1.9 + 0.1j, 2.05 + 0.02j, 2 + 0.01j, 1j])
    report.note(f"{family}: modes  Sigma(2.001..6)  Sigma(upper)  sum|b|  max|chi|  min width")
    rows = []
    for modes in coupling.semicircle_ladder(family):
        bound, count = error_bound(modes.energies, modes.weights), len(modes.energies)
        claim = f"{family}, {count} modes: bound on the error of K(t), all times, against that stored"
        report.check(claim, bound, modes.error)
        smallest_margin(modes.energies, modes.weights)  # raises where Gamma is negative
        axis, off = (np.abs(modes.self_energy(e) - exact_self_energy(e)).max() for e in (outside, upper))
        report.note(
            f"{count:4d}   {axis:.2e}         {off:.2e}      {np.abs(modes.weights).sum():.3f}   "
            f"{np.abs(modes.energies).max():.3f}     {-modes.energies.imag.max():.1e}"
        )
        rows.append((count, bound, axis, off))
    return rows


@styled
def figure(rows: dict[str, np.ndarray]) -> None:
    """Errors against the number of modes, and K(t) - K_fit(t) of some entries fitted outside the band too."""
    fig = new_figure(3.2)
    left, right = fig.subplots(1, 2)
    names = ("K(t), all times: bound", r"$\Sigma$, 2.001 < E < 6", r"$\Sigma$, upper half plane")
    for k, (family, name) in enumerate((family, name) for family in rows for name in names):
        left.semilogy(rows[family][:, 0], rows[family][:, k % 3 + 1], label=f"{name} ({family})", **points(k))
    left.set(xlabel="modes", ylabel="largest error", title="unit semicircle, $K(0) = 1$")
    left.legend(loc="lower left")
    times = np.geomspace(0.01, 1e4, 2000)
    for k, modes in enumerate(coupling.semicircle_ladder()[3::7]):
        error = np.abs(modes.kernel(times).real - j1(2 * times) / times)
        right.loglog(times, error, label=f"{len(modes.energies)} modes", **line(k))
    right.set(xlabel=r"t ($\hbar/\gamma$)", ylabel=r"$|K_\mathrm{fit}(t) - K(t)|$", ylim=(1e-12, 1))
    right.legend(loc="upper right")
    OUTPUT.mkdir(exist_ok=True)
    fig.savefig(OUTPUT / "semicircle_table.png")


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only certify the table that is there")
    parser.add_argument("--family", choices=FAMILIES, help="make this family only")
    options = parser.parse_args()
    if options.check and options.family:
        parser.error("--family makes a family anew, --check certifies all of them; allowed: one of the two")
    if not options.check:
        write([options.family] if options.family else list(FAMILIES))
    return certify()


if __name__ == "__main__":
    run_as_script(main)
