"""Slow moments: electrons integrated out to first order in the velocities, friction and geometric tensors and noise.

Stands on the static Green functions and on `magnetism`; nothing of the propagator's state is used.
"""

from llgnegf.slow.langevin import Ensemble, langevin_ensemble
from llgnegf.slow.response import MotiveForceComparison, PrecessionComparison, ResponseTensors
from llgnegf.slow.simulation import SlowSimulation

__all__ = [
    "Ensemble",
    "MotiveForceComparison",
    "PrecessionComparison",
    "ResponseTensors",
    "SlowSimulation",
    "langevin_ensemble",
]
