"""Right-hand sides per hbar/gamma at equal error for six integrators in five regimes, seven-site wall.
Run `python -m validation.integrators` (some two minutes); `docs/performance.md` quotes the table.

With error control: dop853 (explicit, 8th order, step bounded by its stability as in every run of the package), dp5
(Dormand-Prince 5(4)), ark5 (stiff Fermi vectors implicitly). With a fixed step: rk4 and two exponential methods.
Exponential, for prescribed moments: the equation is affine, dy/dt = A(M) y + b, and A is affine in M, so the fourth
order commutator-free Magnus step (S. Blanes, P. C. Moan, Appl. Numer. Math. 56, 1519 (2006), their method of two
exponentials) is two half steps with the moments 2 (a M_1 + b M_2), 2 (b M_1 + a M_2) of the Gauss points,
a, b = 1/4 +- sqrt(3)/6, later factor last. Each half step is exp(h A/2) by its Taylor polynomial (cf4-taylor, two
vectors of storage) or in a Krylov space (cf4-krylov). Errors: largest of the density matrix, against dop853 at 1e-11.
Each method goes from coarse to fine in small steps until its error holds; a fixed step is thus the best possible one,
which a user who does not know the error would have to search for. Below each row the limit of stability from the exact
spectrum of A: no explicit method at all can do with fewer right-hand sides per hbar/gamma than the largest |Im rate| (a
polynomial of degree s reaches at most s along i).
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":  # before numpy starts its threads
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[_name] = "1"

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import process_time

import numpy as np
import scipy.linalg
from scipy.integrate import RK45

import llgnegf as ln
from llgnegf.equations.electrons import ElectronEquation
from llgnegf.integrators.integration import STABLE, runge_kutta, stability_limit
from llgnegf.integrators.tableaus import ARK5, DOP853, RK4, Tableau
from llgnegf.poles.channels import expand
from llgnegf.problem.magnetism.motion import Precession
from llgnegf.run.simulation import initial_state
from llgnegf.static.frozen import FrozenDevice
from llgnegf.units import HBAR
from validation._report import Report, run_as_script

DP5_A = np.zeros((7, 7))
DP5_A[:6, :5], DP5_A[6, :6] = RK45.A, RK45.B
DP5 = Tableau("dp5", 5, DP5_A, np.append(RK45.B, 0.0), np.append(RK45.C, 1.0), RK45.E[None], 5)
ADAPTIVE = {"dop853": DOP853, "dp5": DP5, "ark5": ARK5}
TARGET = 1e-6
TAYLOR = 10
KRYLOV = 24


@dataclass(frozen=True)
class Regime:
    """A case, and the time in hbar/gamma over which it is measured (starting in equilibrium, without a ramp)."""

    name: str
    system: ln.OpenSystem
    energy: float
    length: float


def regimes() -> list[Regime]:
    """Fast, slow (J = 0.1 and 1), stiff by J and stiff by wide-band leads."""

    def chains(j_sd: float) -> ln.OpenSystem:
        return ln.OpenSystem(ln.chain(7, 1.0, j_sd), [ln.ChainLead(0), ln.ChainLead(-1)], 0.0, 0.01)

    wide = [ln.WideBandLead(0, broadening=1.0), ln.WideBandLead(-1, broadening=1.0)]
    return [
        Regime("fast: w = 0.05, J = 0.1", chains(0.1), 0.05, 30.0),
        Regime("slow: w = 0.001, J = 0.1", chains(0.1), 0.001, 30.0),
        Regime("slow: w = 0.001, J = 1", chains(1.0), 0.001, 30.0),
        Regime("stiff: w = 0.001, J = 20", chains(20.0), 0.001, 3.0),
        Regime("wide band: w = 0.05, J = 0.1", ln.OpenSystem(ln.chain(7, 1.0, 0.1), wide, 0.0, 0.05), 0.05, 5.0),
    ]


class Problem:
    """Equation, start and reference of a regime."""

    def __init__(self, regime: Regime) -> None:
        self.regime = regime
        self.motion = Precession(ln.bloch_wall(7, 4, 0.9), regime.energy)
        self.poles = expand(regime.system, 1e-6, 1e-7)
        self.equation = ElectronEquation(self.poles, self.motion)
        self.start = initial_state(self.equation, self.poles, self.motion, "thermal")

    def solve(self, method: Tableau, tolerance: float | None, step: float) -> np.ndarray:
        """Final state by a Runge-Kutta method."""
        longest = STABLE * stability_limit(self.equation, method) if method is DOP853 else np.inf
        integration = runge_kutta(self.equation, method, self.start, step, tolerance, longest)
        integration.advance(self.regime.length)
        return integration.state

    def commutator_free(self, exponential: Callable[..., np.ndarray], step: float) -> np.ndarray:
        """Final state by fourth-order commutator-free Magnus steps."""
        count = int(np.ceil(self.regime.length / step))
        h, state = self.regime.length / count, self.start.copy()
        a, b = 0.25 + np.sqrt(3) / 6, 0.25 - np.sqrt(3) / 6
        for k in range(count):
            m = [self.motion.moments((k + 0.5 + s * np.sqrt(3) / 6) * h * HBAR) for s in (-1, 1)]
            for first, second in ((a, b), (b, a)):
                frozen = 2 * (first * m[0] + second * m[1])
                state = exponential(self.equation, state, frozen, 0.5 * h)
        return state

    def density_matrix(self, state: np.ndarray) -> np.ndarray:
        """rho of a state."""
        return self.equation.layout.density_matrix(state)


class Held:
    """Moments of any length that stay where they were put."""

    def __init__(self, moments: np.ndarray) -> None:
        self._moments = moments

    def moments(self, time: float) -> np.ndarray:
        return self._moments


def rates(equation: ElectronEquation, state: np.ndarray, moments: np.ndarray, out: np.ndarray) -> None:
    """Write f(state) for other moments than those of the motion at t = 0."""
    motion = equation.motion
    equation.motion = Held(moments)  # type: ignore[assignment]
    equation(0.0, state, out)
    equation.motion = motion


def taylor(equation: ElectronEquation, state: np.ndarray, moments: np.ndarray, h: float) -> np.ndarray:
    """y(h) of dy/dt = A y + b: sum_k h^k/k! d^k y/dt^k, where d^(k+1) y = A d^k y = f(d^k y) - f(0)."""
    rate, zero = np.zeros_like(state), np.zeros_like(state)
    rates(equation, state, moments, rate)
    constant = constant_part(equation, moments)
    result = state + h * rate
    term = h * rate
    for k in range(2, TAYLOR + 1):
        rates(equation, term, moments, zero)
        term = (h / k) * (zero - constant)
        result += term
    return result


def krylov(equation: ElectronEquation, state: np.ndarray, moments: np.ndarray, h: float) -> np.ndarray:
    """y(h) = y + h phi_1(h A) f(y), phi_1(x) = (e^x - 1)/x, in the Krylov space of A and f(y) (Arnoldi)."""
    constant = constant_part(equation, moments)
    rate = np.zeros_like(state)
    rates(equation, state, moments, rate)
    norm = np.linalg.norm(rate)
    basis, hessenberg = np.zeros((KRYLOV, state.size)), np.zeros((KRYLOV + 1, KRYLOV))
    basis[0] = rate / norm
    for j in range(KRYLOV):
        rates(equation, basis[j], moments, rate)
        rate -= constant
        for _ in range(2):
            overlap = basis[: j + 1] @ rate
            rate -= overlap @ basis[: j + 1]
            hessenberg[: j + 1, j] += overlap
        hessenberg[j + 1, j] = np.linalg.norm(rate)
        if j + 1 < KRYLOV:
            basis[j + 1] = rate / hessenberg[j + 1, j]
    # phi_1 from the exponential of the matrix bordered with e_1.
    bordered = np.zeros((KRYLOV + 1, KRYLOV + 1))
    bordered[:KRYLOV, :KRYLOV], bordered[0, KRYLOV] = h * hessenberg[:KRYLOV], h
    return state + norm * scipy.linalg.expm(bordered)[:KRYLOV, KRYLOV] @ basis


def constant_part(equation: ElectronEquation, moments: np.ndarray) -> np.ndarray:
    """b = f(0); it does not depend on the moments, its right-hand side is not counted (once for a run)."""
    if not hasattr(equation, "constant"):
        out = np.zeros(equation.layout.size)
        rates(equation, np.zeros_like(out), moments, out)
        equation.evaluations -= 1
        equation.constant = out  # type: ignore[attr-defined]
    return equation.constant  # type: ignore[attr-defined]


def attempts(problem: Problem, name: str) -> Iterator[Callable[[], np.ndarray]]:
    """Runs of one method from coarse to fine."""
    rate = max(problem.equation.fastest_rates())
    for k in range(22):
        if name in ADAPTIVE:
            yield lambda k=k: problem.solve(ADAPTIVE[name], 1e-4 * 10 ** (-0.25 * k), 0.01)  # type: ignore[misc]
        elif name == "rk4":
            yield lambda k=k: problem.solve(RK4, None, 2.6 / rate * 2 ** (-0.25 * k))  # type: ignore[misc]
        elif name == "cf4-taylor":
            yield lambda k=k: problem.commutator_free(taylor, 2 * 5.0 / rate * 2 ** (-0.25 * k))  # type: ignore[misc]
        else:
            yield lambda k=k: problem.commutator_free(krylov, 2 * 20.0 / rate * 2 ** (-0.25 * k))  # type: ignore[misc]


@dataclass(frozen=True)
class Result:
    """Coarsest run of a method whose error is at most TARGET: right-hand sides and CPU seconds per hbar/gamma (the
    fastest of three)."""

    per_time: float
    seconds: float
    error: float


def measure(problem: Problem, name: str, reference: np.ndarray) -> Result:
    """Coarse to fine until the error holds."""
    for attempt in attempts(problem, name):
        problem.equation.evaluations = 0
        began = process_time()
        with np.errstate(all="ignore"):
            try:
                state = attempt()
            except (ArithmeticError, RuntimeError, ValueError):  # an unstable step
                continue
            error = float(np.abs(problem.density_matrix(state) - reference).max())
        length = problem.regime.length
        if error <= TARGET:
            seconds, count = [process_time() - began], problem.equation.evaluations
            for _ in range(2):
                began = process_time()
                attempt()
                seconds.append(process_time() - began)
            return Result(count / length, min(seconds) / length, error)
        if process_time() - began > 20:
            break
    return Result(np.inf, np.inf, np.inf)


def spectrum(problem: Problem) -> np.ndarray:
    """All eigenvalues of A at t = 0: -i (lambda_a - lambda_b^*) of C and -i (lambda_a - z_k^*) of the Fermi vectors.

    dC/dt is driven by the vectors and not the other way round, so these are all; lambda are the eigenvalues of the
    extended Hamiltonian h, a small dense matrix.
    """
    frozen = FrozenDevice(problem.poles, problem.motion.moments(0.0))
    levels = np.linalg.eigvals(frozen.extended_hamiltonian())
    right = np.concatenate([levels, frozen.z])
    return (-1j * (levels[:, None] - right.conj())).ravel()


def stable_step(method: Tableau, rates: np.ndarray) -> float:
    """Largest h with |R(x h rate)| <= 1 for all 0 < x <= 1, R(z) = 1 + z b.(1 - z a)^-1 1."""
    stages, power = method.b.size, np.ones(method.b.size)
    coefficients = [1.0]
    for _ in range(stages):
        coefficients.append(float(method.b @ power))
        power = method.a @ power
    steps = np.geomspace(0.1, 20.0, 400) / np.abs(rates).max()
    for h in steps:
        if np.abs(np.polyval(coefficients[::-1], h * rates)).max() > 1 + 1e-9:
            return float(h)
    return float(steps[-1])


def stability(report: Report, problem: Problem) -> None:
    """Right-hand sides per hbar/gamma at the limit of stability, from the exact spectrum and from its bound."""
    rates, bounds = spectrum(problem), problem.equation.fastest_rates()
    at_limit = {m.name: (m.b.size - (m is DP5)) / stable_step(m, rates) for m in (DOP853, DP5, RK4)}
    cells = ", ".join(f"{name} {value:.1f}" for name, value in at_limit.items())
    report.note(
        f"    stability limit: {cells}; |rate| <= {np.abs(rates).max():.1f}, |Im| {np.abs(rates.imag).max():.1f}, |Re| "
        f"{np.abs(rates.real).max():.1f} (`fastest_rates`: {bounds[0]:.1f} turning, {bounds[1]:.1f} damped)"
    )


METHODS = ("dop853", "dp5", "rk4", "ark5", "cf4-taylor", "cf4-krylov")


def main() -> bool:
    report = Report(f"Integrators: error of rho <= {TARGET:g}; right-hand sides (CPU ms) per hbar/gamma")
    report.note(f"{'':30}" + "".join(f"{name:>18}" for name in METHODS))
    chosen = [int(a) for a in sys.argv[1:]] or range(5)
    for regime in [regimes()[i] for i in chosen]:
        problem = Problem(regime)
        reference = problem.density_matrix(problem.solve(DOP853, 1e-11, 0.01))
        results = {name: measure(problem, name, reference) for name in METHODS}
        cells = [f"{r.per_time:9.1f} ({1e3 * r.seconds:6.2f})" for r in results.values()]
        report.note(f"{regime.name:30}" + "".join(f"{c:>18}" for c in cells))
        stability(report, problem)
        default = "ark5" if regime.name.startswith("wide") else "dop853"
        own = results[default].per_time
        for group, names in (("with error control", ADAPTIVE), ("of all", METHODS)):
            best = min(names, key=lambda name: results[name].per_time)
            report.check(
                f"{regime.name}: default ({default}) over the best {group} ({best})", own / results[best].per_time,
                1.0 if names is ADAPTIVE else 2.0,
            )  # fmt: skip
    return report.all_hold()


if __name__ == "__main__":
    run_as_script(main)
