"""Many runs of one input file: every point of its [sweep] table, over processes or any executor.

`points` says which runs there are, `run` has them run, `workers` are the processes, `gather` makes one table of the
results.
"""

from llgnegf.sweep.gather import gather
from llgnegf.sweep.points import Point, points
from llgnegf.sweep.run import SweepError, run_point, run_sweep

__all__ = ["Point", "SweepError", "gather", "points", "run_point", "run_sweep"]
