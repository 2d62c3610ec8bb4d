"""Make and certify llgnegf/poles/semicircle_table.py: the damped modes of the semi-infinite chain lead.
Run `python -m validation.semicircle_table` (about 80 s on one core); `--check` only certifies the table.

Target: Gamma(E) = sqrt(4 - E^2), K(t) = J_1(2t)/t.  With w = E^2 the fit with n pairs of modes chi, -chi^* is

    Gamma_fit(E) = g prod_{j<n} (w - x_j^2)^2 / prod_y |w - chi_y^2|^2     (double zeros x_j > 2, outside the band)

that is, the best non-negative fits touch zero as often as they can outside the band.  Steps for each n:
1. unconstrained least squares over (chi, b), continued from n - 1 on a logarithmic scale of distances from the edge
   (this converges in a few steps; its Gamma oscillates about zero outside the band, 2n - 1 simple real roots a side);
2. neighbouring roots merge to the double zeros x_j; least squares over (chi, x, g);
3. the largest error over all times is bounded rigorously and stored.
The residual lives on t <= 100 (both phases of the oscillation resolved) and, beyond, on the slow envelope of
exp(-2it), log-spaced out to where K itself is below the error.  Weight (dt/t)^(1/2) (1 + t)^(1/8): every decade of
time counts alike, late ones a little more, because bound states next to the band see the late ones.
"""

from __future__ import annotations

import argparse
from math import factorial
from pathlib import Path

import numpy as np
from scipy.interpolate import interp1d
from scipy.optimize import least_squares
from scipy.special import hankel2e, j1, jv

from llgnegf.plot_style import line, new_figure, points, styled
from llgnegf.poles import coupling
from llgnegf.poles.spectral_fit import numerator_roots, product_weights, product_weights_jacobian
from validation._report import OUTPUT, Report, run_as_script

TABLE = Path(coupling.__file__).with_name("semicircle_table.py")
LARGEST_N = 23
NEAR = 100.0
LATE_WEIGHT = 0.125


class Residual:
    """Weighted K_fit - K on the time grid for n pairs; `free` over (chi, b), otherwise over (chi, x, log g)."""

    def __init__(self, error: float) -> None:
        self.near = np.concatenate([np.linspace(0, 3, 31)[:-1], np.linspace(3, NEAR, 500)])
        last = max(300.0, 3 * error ** (-2 / 3))
        self.late = np.geomspace(1.05 * NEAR, last, int(14 * np.log(last / NEAR)) + 8)
        safe = np.where(self.near == 0, 1.0, self.near)
        self.near_exact = np.where(self.near == 0, 1.0, j1(2 * safe) / safe)
        self.late_exact = hankel2e(1, 2 * self.late) / self.late  # J_1(2t)/t = Re[this exp(-2it)]
        self.w_near = np.sqrt(np.gradient(self.near) / (0.5 + self.near)) * (1 + self.near) ** LATE_WEIGHT
        self.w_late = np.sqrt(np.gradient(np.log(self.late))) * (1 + self.late) ** LATE_WEIGHT

    @staticmethod
    def _energies(p: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """W = chi^2 - 4 = -exp(u + iv), chi, and chi - 2 without cancellation."""
        w = -np.exp(p[:n] + 1j * p[n : 2 * n])
        root = np.sqrt(4 + w)
        chi = np.where(root.imag > 0, -root, root)
        return w, chi, np.where(chi.real > 0, w / (chi + 2), chi - 2)

    @staticmethod
    def free_weights(p: np.ndarray, n: int) -> np.ndarray:
        return np.exp(p[2 * n : 3 * n] + 1j * p[3 * n :])

    @staticmethod
    def product_weights(p: np.ndarray, n: int) -> np.ndarray:
        w, chi, _ = Residual._energies(p, n)
        zeros = np.exp(p[2 * n : 3 * n - 1])  # x^2 - 4
        return product_weights(w, zeros, np.zeros(n - 1), p[3 * n - 1]) / (2 * chi)

    def value(self, p: np.ndarray, n: int, free: bool) -> np.ndarray:
        _, chi, offset = self._energies(p, n)
        b = self.free_weights(p, n) if free else self.product_weights(p, n)
        near = 2 * (np.exp(-1j * np.outer(self.near, chi)) @ b).real - self.near_exact
        late = 2 * np.exp(-1j * np.outer(self.late, offset)) @ b - self.late_exact
        return np.concatenate([self.w_near * near, self.w_late * late.real, self.w_late * late.imag])

    def jacobian(self, p: np.ndarray, n: int, free: bool) -> np.ndarray:
        w, chi, offset = self._energies(p, n)
        if free:
            b = self.free_weights(p, n)
            log_b = np.hstack([np.zeros((n, 2 * n)), np.eye(n), 1j * np.eye(n)])
        else:
            b = self.product_weights(p, n)
            zeros = np.exp(p[2 * n : 3 * n - 1])
            by_pole, by_conjugate, by_zero, _ = product_weights_jacobian(w, zeros, np.zeros(n - 1))
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
        return np.vstack([near.real, late.real, late.imag])

    def minimise(self, start: np.ndarray, n: int, free: bool, steps: int) -> tuple[float, np.ndarray]:
        with np.errstate(all="ignore"):
            try:
                fit = least_squares(
                    self.value, start, self.jacobian, method="lm", max_nfev=steps,
                    xtol=1e-13, ftol=1e-10, gtol=1e-15, args=(n, free),
                )  # fmt: skip
            except ValueError:  # a start that overflows: not a candidate
                return np.inf, start
        return float(fit.cost), fit.x


def stretch(rows: np.ndarray, order: np.ndarray, extra: float) -> np.ndarray:
    """The pattern of n parameters per row read at n + 1 places: a continuation to one more mode."""
    n = rows.shape[1]
    places = np.linspace(0, n - 1 + extra, n + 1)
    return interp1d(np.arange(n), rows[:, order], fill_value="extrapolate")(places)


def more_free(p: np.ndarray, n: int, extra: float) -> np.ndarray:
    rows = p.reshape(4, n)
    order = np.argsort(-rows[0])
    rows = rows.copy()
    rows[3] = rows[3] - 2 * np.pi * np.round(rows[3] / (2 * np.pi))
    rows[3, order] = np.unwrap(rows[3, order])
    return stretch(rows, order, extra).ravel()


def more_product(p: np.ndarray, n: int, extra: float) -> np.ndarray:
    poles, zeros = p[: 2 * n].reshape(2, n), p[2 * n : 3 * n - 1][None, :]
    new_zeros = stretch(zeros, np.argsort(-zeros[0]), extra)
    return np.concatenate([stretch(poles, np.argsort(-poles[0]), extra).ravel(), new_zeros.ravel(), [0.0]])


def product_from_free(p: np.ndarray, n: int) -> np.ndarray:
    w, chi, _ = Residual._energies(p, n)
    b = Residual.free_weights(p, n)
    roots = numerator_roots(np.concatenate([chi, -chi.conj()]), np.concatenate([b, b.conj()]))
    x = np.sort(roots[(roots.real > 2) & (np.abs(roots.imag) < 1e-6 * np.abs(roots))].real)[: 2 * n - 2]
    pairs = np.sqrt((x[0::2] - 2) * (x[1::2] - 2)) + 2
    return np.concatenate([p[: 2 * n], np.log(pairs**2 - 4), [0.0]])


def with_gain(p: np.ndarray, n: int) -> np.ndarray:
    """log g such that K_fit(0) = 1."""
    p = p.copy()
    p[-1] -= np.log(abs(2 * Residual.product_weights(p, n).sum().real))
    return p


def first_free() -> np.ndarray:
    distance = 2 * np.exp(-np.arange(2.0))
    chi = 2 - (0.8 + 0.6j) * distance
    log_w, log_b = np.log(4 - chi**2), np.log(0.3 * distance * np.exp(0.5j))
    return np.concatenate([log_w.real, log_w.imag, log_b.real, log_b.imag])


def ladder() -> list[tuple[np.ndarray, np.ndarray, float]]:
    """(chi, x, log g) with Re chi > 0 and x > 2 for n = 2 ... LARGEST_N pairs."""
    entries, free, product = [], first_free(), None
    for n in range(2, LARGEST_N + 1):
        residual = Residual(max(10 ** (0.3 - 2 * n / 3), 1e-10))
        starts = [free] if n == 2 else [more_free(free, n - 1, extra) for extra in (0.0, 0.3)]
        free = min((residual.minimise(s, n, True, 300) for s in starts), key=lambda f: f[0])[1]
        candidates = [product_from_free(free, n)]
        if product is not None and n > 3:
            candidates.append(more_product(product, n - 1, 0.2))
        fits = [residual.minimise(with_gain(c, n), n, False, 200) for c in candidates if len(c) == 3 * n]
        cost, product = residual.minimise(min(fits, key=lambda f: f[0])[1], n, False, 600)
        _, chi, _ = Residual._energies(product, n)
        order = np.argsort(np.abs(chi - 2))[::-1]
        zeros = np.sort(np.sqrt(4 + np.exp(product[2 * n : 3 * n - 1])))[::-1]
        entries.append((chi[order], zeros, float(product[-1])))
        print(f"{2 * n:3d} modes, weighted least squares {cost:.2e}", flush=True)
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


def write(entries: list[tuple[np.ndarray, np.ndarray, float]]) -> None:
    lines = [
        '"""Damped modes of the unit semicircle Gamma(E) = sqrt(4 - E^2): made by validation/semicircle_table.py.',
        "Read by coupling.py; an entry is (error bound, log gain, Re chi > 0, -Im chi, double zeros x > 2).",
        '"""',
        "",
        "# fmt: off",
        "Numbers = tuple[float, ...]",
        "LADDER: tuple[tuple[float, float, Numbers, Numbers, Numbers], ...] = (",
    ]
    for chi, zeros, log_gain in entries:
        energies, weights = coupling.semicircle_modes(chi, zeros, log_gain)
        bound = float(f"{error_bound(energies, weights) * 1.01:.3g}")
        lines += [f"    (  # {len(energies)} modes", f"        {bound!r}, {log_gain!r},"]
        for row in (chi.real, -chi.imag, zeros):
            lines.append("        (")
            items = [f"{v!r}," for v in row.tolist()]
            lines += ["            " + " ".join(items[i : i + 4]) for i in range(0, len(items), 4)]
            lines.append("        ),")
        lines.append("    ),")
    TABLE.write_text("\n".join([*lines, ")", ""]))


def exact_self_energy(energies: np.ndarray) -> np.ndarray:
    """Sigma of the unit semicircle, 2/(z + sqrt(z - 2) sqrt(z + 2))."""
    z = energies.astype(complex)
    return 2 / (z + np.sqrt(z - 2) * np.sqrt(z + 2))


def certify() -> bool:
    """Every entry: re-certified error, sign, weights, and the error of Sigma beside the band and off the axis."""
    report = Report("The damped modes of the semi-infinite chain, certified again")
    outside, upper = np.geomspace(2.001, 6, 400), np.array([0.3 + 0.1j, 1.9 + 0.1j, 2.05 + 0.02j, 2 + 0.01j, 1j])
    report.note("modes  Sigma(2.001..6)  Sigma(upper)  sum|b|  max|chi|  min width")
    rows = []
    for modes in coupling.semicircle_ladder():
        bound, count = error_bound(modes.energies, modes.weights), len(modes.energies)
        report.check(f"{count} modes: bound on the error of K(t), all times, against that stored", bound, modes.error)
        modes.certify_nonnegative()  # raises where Gamma is negative
        axis, off = (np.abs(modes.self_energy(e) - exact_self_energy(e)).max() for e in (outside, upper))
        report.note(
            f"{count:4d}   {axis:.2e}         {off:.2e}      {np.abs(modes.weights).sum():.3f}   "
            f"{np.abs(modes.energies).max():.3f}     {-modes.energies.imag.max():.1e}"
        )
        rows.append((count, bound, axis, off))
    figure(np.array(rows))
    return report.all_hold()


@styled
def figure(rows: np.ndarray) -> None:
    """Errors against the number of modes, and K(t) - K_fit(t) of three entries."""
    fig = new_figure(3.2)
    left, right = fig.subplots(1, 2)
    names = ("K(t), all times: bound", r"$\Sigma$, 2.001 < E < 6", r"$\Sigma$, upper half plane")
    for k, name in enumerate(names):
        left.semilogy(rows[:, 0], rows[:, k + 1], label=name, **points(k))
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
    if not parser.parse_args().check:
        write(ladder())
        import importlib

        importlib.reload(coupling.semicircle_table)
    return certify()


if __name__ == "__main__":
    run_as_script(main)
