"""The reference right-hand side on arrays of NumPy, CuPy, JAX and PyTorch: `python -m validation.array_api` (minutes).

Square ribbons between ribbon leads, lead modes and Fermi poles to 1e-5. For every namespace that is installed and has
an accelerator (NumPy always; `--all`: the others on the processor too) one line of

    rhs       median time of one right-hand side on random blocks of a state, everything on the device
    floor     blocks read once and rates written once: a copy of as many bytes on the device
    estimate  what the products and sums read and write one by one, each operand once, at that bandwidth, and the
              operations of the products at the rate of one of 2048 rows; a compiler that fuses sums (JAX) may beat it
    compiled  the same right-hand side by the compiled kernel on the processor

and short runs of `ArrayRun` (of NumPy where nothing else is) beside the same steps of `Simulation`, whose rows they
repeat.
"""

from __future__ import annotations

import argparse
import importlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import Any

import numpy as np

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the others need memory too

import llgnegf as ln
from llgnegf.equations.electrons import ElectronEquation
from llgnegf.equations.kernels.reference import Blocks, Leads, SparseRows, block_rates
from llgnegf.integrators.integration import STABLE, stability_limit
from llgnegf.integrators.tableaus import METHODS
from llgnegf.poles.channels import expand
from llgnegf.run.array_run import ArrayRun
from llgnegf.units import HBAR
from validation._report import Report, run_as_script

RIBBONS, RUNS, BIG = ((15, 8), (30, 8), (60, 16)), (((15, 8), "rk4"), ((15, 8), "dop853"), ((30, 8), "rk4")), 500
RTOL, FERMI, END = 1e-5, 1e-5, 2.0
ROUND_OFF = 1e-11
"""What rows of one run may differ by: some 100 steps of round-off."""


@dataclass(frozen=True, eq=False)
class Place:
    """A namespace, where its arrays are, and how to wait for them."""

    name: str
    xp: Any
    device: Any
    wait: Callable[[Any], Any]
    compiled: Callable[..., Any] | None = None

    def array(self, values: np.ndarray) -> Any:
        return self.xp.asarray(values, **({} if self.device is None else {"device": self.device}))

    def seconds(self, function: Callable[..., Any], *arrays: Any) -> float:
        """Median wall time of a call, of as many in a row as half a second holds: what is queued overlaps."""
        call = self.compiled(function) if self.compiled else function
        self.wait(call(*arrays))
        start = perf_counter()
        self.wait(call(*arrays))
        count = int(np.clip(0.1 / (perf_counter() - start), 1, 200))
        times = []
        for _ in range(5):
            start = perf_counter()
            for _ in range(count):
                out = call(*arrays)
            self.wait(out)
            times.append((perf_counter() - start) / count)
        return float(np.median(times))


def places(everything: bool) -> Iterator[Place]:
    """The namespaces that can be measured here."""
    yield Place("numpy", np, None, lambda out: out)
    for find in (cupy, jax, torch):
        try:
            place, accelerated = find()
        except Exception as error:  # whatever a half-installed package or driver raises: the others are still measured
            print(f"{find.__name__}: not measured, {type(error).__name__}: {str(error).splitlines()[:1]}")
            continue
        if accelerated or everything:
            yield place


def cupy() -> tuple[Place, bool]:
    xp = importlib.import_module("cupy")
    name = xp.cuda.runtime.getDeviceProperties(0)["name"].decode()
    return Place(f"cupy {xp.__version__} ({name})", xp, None, lambda _: xp.cuda.Device().synchronize()), True


def jax() -> tuple[Place, bool]:
    package = importlib.import_module("jax")
    package.config.update("jax_enable_x64", True)
    kind, device = package.default_backend(), package.devices()[0]
    name = f"jax {package.__version__} ({device.device_kind})"
    return Place(name, package.numpy, device, package.block_until_ready, package.jit), kind != "cpu"


def torch() -> tuple[Place, bool]:
    xp = importlib.import_module("torch")
    accelerated = xp.cuda.is_available()
    name = xp.cuda.get_device_name() if accelerated else "cpu"
    wait = (lambda _: xp.cuda.synchronize()) if accelerated else (lambda out: out)
    return Place(f"torch {xp.__version__} ({name})", xp, "cuda" if accelerated else "cpu", wait), accelerated


class Counted(np.ndarray):
    """Counts what operations on it read and write, and the floating-point operations of products."""

    moved, operations = 0.0, 0.0

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        plain = [x.view(np.ndarray) if isinstance(x, Counted) else x for x in inputs]
        out = getattr(ufunc, method)(*plain, **options)
        arrays = [x for x in (*plain, out) if isinstance(x, np.ndarray)]
        Counted.moved += sum(x.nbytes for x in arrays)
        if ufunc is np.matmul:
            Counted.operations += 8.0 * plain[0].size * (plain[1].shape[1] if plain[1].ndim == 2 else 1)
        return out.view(Counted)

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        out = super().__array_function__(function, types, arguments, options)
        Counted.moved += 2.0 * out.nbytes if function is np.take else 0.0
        return out


def ribbon(length: int, width: int) -> tuple[ln.OpenSystem, np.ndarray]:
    """Hopping 1 eV, J_sd = 1 eV, kT = 0.1 eV, a wall across the ribbon."""
    lattice = ln.square(length, width)
    leads = [lattice.lead(side, hopping=1.0) for side in ("left", "right")]
    return ln.OpenSystem(lattice.electrons(1.0, 1.0), leads, 0.0, 0.1), ln.bloch_wall(lattice, 0.5 * length, 2.0)


def rates(report: Report, length: int, width: int, where: list[Place]) -> None:
    """The lines of one ribbon."""
    system, moments = ribbon(length, width)
    equation = ElectronEquation(expand(system, RTOL, FERMI), ln.Frozen(moments))
    layout, rng = equation.layout, np.random.default_rng(0)
    state = rng.normal(size=layout.size)
    derivative = np.zeros_like(state)
    compiled = Place("compiled", np, None, lambda out: out).seconds(lambda: equation(0.0, state, derivative))
    blocks, leads = Blocks.of(layout, state), Leads.of(equation.poles)
    whole, voltages = system.electrons.hamiltonian_at(moments), system.voltages() + 0j
    size = sum(x.nbytes for x in blocks)
    report.note(
        f"{length} x {width}: n = {layout.n_states}, {layout.n_modes} modes, {layout.n_vectors} Fermi vectors; blocks "
        f"{size / 1e6:.1f} MB, state vector {state.nbytes / 1e6:.1f} MB; compiled {1e6 * compiled:.0f} us"
    )
    for form in ("H", "rows of H"):

        def operands(of: Callable[[np.ndarray], Any], form: str = form) -> tuple[Any, ...]:
            hamiltonian = of(whole) if form == "H" else SparseRows(*map(of, SparseRows.of(whole)))
            return Leads(*map(of, leads)), hamiltonian, of(voltages), Blocks(*map(of, blocks))

        Counted.moved = Counted.operations = 0.0
        block_rates(*operands(lambda x: x.view(Counted)))
        moved, operations = Counted.moved, Counted.operations
        report.note(f"  {form}: one by one {moved / 1e6:.0f} MB and {operations / 1e9:.1f} Gflop in products")
        for place in where:
            if place.name == "numpy" and system.n_sites > BIG:
                continue
            took = place.seconds(block_rates, *operands(place.array))
            copy, flops = (
                place.seconds(lambda x: x + 1.0, place.array(np.ones(size // 16, dtype=complex))),
                flops_of(place),
            )
            bandwidth = 2 * size / copy
            report.note(
                f"    {place.name}: rhs {1e6 * took:.0f} us, floor {1e6 * copy:.0f} us, estimate "
                f"{1e6 * (moved / bandwidth + operations / flops):.0f} us ({bandwidth / 1e9:.0f} GB/s, "
                f"{flops / 1e12:.2f} Tflop/s), compiled/rhs {compiled / took:.2f}"
            )


@cache
def flops_of(place: Place) -> float:
    """Operations a second of a complex product of 2048 rows."""
    return 8 * 2048**3 / place.seconds(lambda x: x @ x, place.array(np.ones((2048, 2048), dtype=complex)))


def runs(report: Report, length: int, width: int, where: list[Place], method: str) -> None:
    """A short run of each namespace beside the compiled one."""
    system, moments = ribbon(length, width)
    motion = ln.Precession(moments, 0.05)
    poles = expand(system, RTOL, FERMI)
    limit = HBAR * STABLE * stability_limit(ElectronEquation(poles, motion), METHODS[method])
    options = {"t_end": END, "save_every": END, "rtol": RTOL, "start": "partitioned", "integrator": method}
    simulation = ln.Simulation(system, motion, step=0.9 * limit, **options)
    ours = [(place, ArrayRun(simulation, place.xp, place.device, place.compiled)) for place in where]
    expected, there = timed(simulation)
    evaluations = simulation.equation.evaluations
    report.note(f"{length} x {width}, {method}, {END} fs, {evaluations} right-hand sides: compiled {there:.2f} s")
    for place, run in ours:
        start = run.state, run.moments
        run.advance(limit / HBAR)  # compiles
        (run.state, run.moments), run.time = start, 0.0
        row, took = timed(run)
        worst = max(float(np.abs(row[name] - values).max(initial=0.0)) for name, values in expected.items())
        each = 1e3 * took / evaluations
        report.note(f"  {place.name}: {took:.2f} s, {each:.2f} ms a right-hand side with its share of the steps")
        report.check(f"{length} x {width}, {method}, {place.name}: rows of the compiled run", worst, ROUND_OFF)


def timed(run: Any) -> tuple[dict[str, np.ndarray], float]:
    """The last row and the wall time from the first."""
    rows = run.rows()
    next(rows)
    start = perf_counter()
    *_, (_, row) = rows
    return row, perf_counter() - start


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="CuPy, JAX and PyTorch on the processor too")
    where = list(places(parser.parse_args().all))
    report = Report("The reference right-hand side on arrays of other namespaces")
    for length, width in RIBBONS:
        rates(report, length, width, where)
    for (length, width), method in RUNS:
        runs(report, length, width, where[1:] or where, method)
    return report.all_hold()


if __name__ == "__main__":
    run_as_script(main)
