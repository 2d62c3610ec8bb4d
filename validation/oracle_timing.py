"""CPU time of the rotating-frame oracle on one core: `python validation/oracle_timing.py [n_sites ...]`.

Bounds: the seven-site wall's decomposition in 0.3 s, a 200-site wall's full matrices in 60 s and its local quantities
(sites and bonds, by recursion along the chain) in 10 s, at kT = 0 and kT = 0.01 eV.
"""

import os
import sys
from collections.abc import Callable
from time import process_time
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import llgnegf as ln  # noqa: E402

FULL_BOUNDS, LOCAL_BOUNDS = {7: 0.3, 200: 60.0}, {7: 0.3, 200: 10.0}
LARGEST_FULL = 300
"""Sites up to which the full (2N, 2N) matrices are computed too."""


def wire(n_sites: int, kT: float) -> ln.RotatingFrame:
    """A wall that turns at hbar w = 0.001 eV in a chain with J_sd = 0.1 eV."""
    leads = [ln.ChainLead(0), ln.ChainLead(-1)]
    system = ln.OpenSystem(ln.chain(n_sites, j_sd=0.1), leads, kT=kT)
    wall = ln.bloch_wall(n_sites, (n_sites + 1) / 2, 0.9 if n_sites < 20 else n_sites / 20)
    return ln.RotatingFrame(system, wall, energy=0.001)


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds and result."""
    start = process_time()
    result = function()
    return process_time() - start, result


def verdict(seconds: float, bound: float | None) -> tuple[str, bool]:
    """What to print, and whether the bound is broken."""
    if bound is None:
        return "", False
    return ("ok" if seconds < bound else f"over {bound} s"), seconds >= bound


def measure(n_sites: int, kT: float) -> bool:
    """Print the times of one chain; True when one is over its bound."""
    local, parts = timed(wire(n_sites, kT).decompose_locally)
    exact, (_, error) = timed(wire(n_sites, kT).local_density_matrix_with_error)
    currents, _ = timed(wire(n_sites, kT).lead_currents)
    word, failed = verdict(local, LOCAL_BOUNDS.get(n_sites))
    print(f"{n_sites:4d} sites, kT = {kT}: sites and bonds: decompose {local:.3f} s {word}, exact {exact:.3f} s, "
          f"lead currents {currents:.3f} s, error {max(parts.error, error):.1e}")  # fmt: skip
    if n_sites > LARGEST_FULL:
        return failed
    full, parts = timed(wire(n_sites, kT).decompose)
    exact, (_, error) = timed(wire(n_sites, kT).density_matrix_with_error)
    word, over = verdict(full, FULL_BOUNDS.get(n_sites))
    print(f"{'':24} full matrices: decompose {full:.3f} s {word}, exact {exact:.3f} s, "
          f"error {max(parts.error, error):.1e}")  # fmt: skip
    return failed or over


def main() -> int:
    sizes = [int(argument) for argument in sys.argv[1:]] or [7, 200, 800]
    broken = [measure(n_sites, kT) for n_sites in sizes for kT in (0.0, 0.01)]
    return int(any(broken))


if __name__ == "__main__":
    sys.exit(main())
