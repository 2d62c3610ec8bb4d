"""What a release promises: one version everywhere, `import llgnegf` at once, limits for every part of CI."""

import re
import subprocess
import sys
from pathlib import Path
from statistics import median

import llgnegf as ln

ROOT = Path(__file__).parents[1]
IMPORT_TIME = """
import time
began = time.process_time()
import llgnegf
print(time.process_time() - began)
"""


def test_version_and_date_are_the_same_everywhere() -> None:
    headings = re.findall(r"^## \[([\d.]+)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    cited = re.findall(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert [headings[0]] == cited == [ln.__version__]


def test_import_takes_less_than_a_tenth_of_a_second() -> None:
    """Processor time of the import alone, which other work on the machine hardly lengthens; the median of five."""
    command = [sys.executable, "-c", IMPORT_TIME]
    times = [float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(5)]
    assert median(times) < 0.1, times


def test_import_loads_no_library() -> None:
    """What makes it quick: numpy and all above it come with the first name that is used."""
    heavy = ("numpy", "scipy", "numba", "xarray", "matplotlib", "sympy", "h5py")
    program = f"import llgnegf, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


RUN = """
import sys
import llgnegf as ln

system = ln.OpenSystem(ln.chain(2, j_sd=0.1), [ln.ChainLead(0), ln.ChainLead(-1)], 0.0, 0.05)
for _ in ln.Simulation(system, ln.Precession(ln.cone(2, 0.5), 0.05), t_end=0.2, save_every=0.1, rtol=1e-4).rows():
    pass
print([name for name in {heavy} if name in sys.modules])
"""


def test_a_run_between_chain_leads_loads_what_it_uses() -> None:
    """Optimisation and quadrature of SciPy alone take 22 MB of the 200 that a small run may have."""
    heavy = ("scipy.optimize", "scipy.integrate", "scipy.spatial", "xarray", "matplotlib", "sympy", "h5py")
    program = RUN.format(heavy=heavy)
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
