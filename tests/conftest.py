"""Settings of the whole suite: one BLAS thread for each worker, hypothesis profiles that do not depend on speed, and a
folder of its own for fits of leads, which all workers of a session share; how tests are shared out."""

import atexit
import os
import shutil
import signal
import tempfile

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

if "PYTEST_XDIST_WORKER" not in os.environ:  # workers inherit the folder of the session that started them
    os.environ["LLGNEGF_CACHE"] = tempfile.mkdtemp(prefix="llgnegf-fits-")
    atexit.register(shutil.rmtree, os.environ["LLGNEGF_CACHE"], ignore_errors=True)

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background of a shell without job control

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("suite")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """With `-n`: neighbours in a file go to one worker, which keeps what they share, and idle workers take from busy
    ones. xdist would hand them out in turn."""
    if getattr(config.option, "numprocesses", None) and config.option.dist == "no":
        config.option.dist = "worksteal"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Before a whole suite the first two workers compile the kernels of one kind of run each, while the other does the
    same: with an empty cache each would compile both."""
    kind = {"gw0": "full", "gw1": "adiabatic"}.get(os.environ.get("PYTEST_XDIST_WORKER", ""))
    if kind and len(session.items) > 1000:
        import llgnegf as ln

        system = ln.OpenSystem(ln.chain(2, j_sd=0.1), [ln.ChainLead(0)], kT=0.1)
        magnet = ln.Magnet(ln.cone(2, 0.5), magnetic_moment=1.0, energies=[ln.Exchange(0.1)])
        ln.simulate(system, magnet, t_end=1.0, electrons=kind)
