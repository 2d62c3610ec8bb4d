"""Time of the rotating-frame oracle on one core: `python validation/oracle_timing.py [n_sites]`.

Bounds: the seven-site wall's decomposition in 0.3 s, a 200-site wall's in 60 s, at kT = 0 and kT = 0.01 eV.
"""

import os
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import llgnegf as ln  # noqa: E402

BOUNDS = {7: 0.3, 200: 60.0}


def measure(n_sites: int, kT: float) -> tuple[float, float, float]:
    """Seconds for the decomposition and for the exact density matrix, and the larger of their errors."""
    leads = [ln.ChainLead(0), ln.ChainLead(-1)]
    system = ln.OpenSystem(ln.chain(n_sites, j_sd=0.1), leads, kT=kT)
    wall = ln.bloch_wall(n_sites, (n_sites + 1) / 2, 0.9 if n_sites < 20 else n_sites / 20)
    frame = ln.RotatingFrame(system, wall, energy=0.001)
    start = time.perf_counter()
    parts = frame.decompose()
    middle = time.perf_counter()
    error = frame.density_matrix_with_error()[1]
    return middle - start, time.perf_counter() - middle, max(parts.error, error)


def main() -> int:
    sizes = [int(argument) for argument in sys.argv[1:]] or list(BOUNDS)
    failed = False
    for n_sites in sizes:
        for kT in (0.0, 0.01):
            decompose, exact, error = measure(n_sites, kT)
            bound = BOUNDS.get(n_sites)
            verdict = "" if bound is None else ("ok" if decompose < bound else f"over {bound} s")
            failed |= bound is not None and decompose >= bound
            print(f"{n_sites:4d} sites, kT = {kT}: decompose {decompose:.3f} s {verdict}, exact {exact:.3f} s, "
                  f"error {error:.1e}")  # fmt: skip
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
