"""Which simulation a request means: electrons with their memory, or slow moments with or without noise.

Called by `simulate` and by whatever else starts runs, so that no option is ignored by either kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llgnegf._checks import Problems
from llgnegf.slow.adiabatic import RESPONSES
from llgnegf.slow.simulation import SlowSimulation

if TYPE_CHECKING:
    from llgnegf.simulate import Simulation

ELECTRONS = ("full", "adiabatic")


def new_simulation(
    system: Any,
    motion: Any,
    *,
    electrons: str = "full",
    response: Sequence[str] = RESPONSES,
    temperature: float = 0.0,
    seed: int | None = None,
    **options: Any,
) -> Simulation | SlowSimulation:
    """The simulation that fits.

    Args:
        system, motion: As for `Simulation`.
        electrons: "full" propagates G^<; "adiabatic" lets the electrons follow at first order in the velocities.
        response: Tensors that act with electrons = "adiabatic" (see `SlowSimulation`).
        temperature, seed: Thermal noise of the moments (see `SlowSimulation`): for moments alone or with
            electrons = "adiabatic".
        options: Further arguments of `Simulation`.

    Raises:
        ValueError: One line for each argument that is not allowed or has no meaning in the kind of run asked for.
    """
    problems = Problems("simulate")
    problems.check(electrons in ELECTRONS, "electrons", electrons, ", ".join(map(repr, ELECTRONS)))
    if system is None:
        problems.check(tuple(response) == RESPONSES, "response", response, "the default without electrons")
    noisy = bool(temperature != 0 or seed is not None)
    if electrons != "adiabatic" and not (noisy and system is None):
        allowed = "the default with electrons = 'full', which has the whole response"
        if system is not None:
            problems.check(tuple(response) == RESPONSES, "response", response, allowed)
        problems.check(not noisy, "temperature", temperature, "0 with electrons = 'full': the noise is that of "
                       "slow moments (electrons = 'adiabatic') or of moments alone")  # fmt: skip
        problems.raise_all()
        from llgnegf.simulate import Simulation

        return Simulation(system, motion, **options)
    start, rho = options.pop("start", "thermal"), options.pop("initial_density_matrix", None)
    integrator = options.pop("integrator", "auto")
    problems.check(start == "thermal", "start", start, "'thermal' with slow electrons, which are in equilibrium")
    problems.check(rho is None, "initial_density_matrix", "given", "None with slow electrons")
    kinds = ("auto", "dop853") if options.get("step") is None else ("auto",)
    problems.check(integrator in kinds, "integrator", integrator, f"{kinds}: with slow electrons dop853 if adaptive, "
                   "with a fixed step order 4, or Heun's rotation with noise")  # fmt: skip
    problems.raise_all()
    return SlowSimulation(system, motion, response=response, temperature=temperature, seed=seed, **options)
