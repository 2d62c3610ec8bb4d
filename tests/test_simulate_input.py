"""Arguments of `simulate` that are not allowed: one line each, with field, value and what is allowed, all at once."""

import numpy as np
import pytest

from llgnegf import ChainLead, OpenSystem, chain, cone, uniform
from llgnegf.problem.magnetism.motion import Frozen, Prescribed
from llgnegf.run.simulate import simulate
from llgnegf.run.simulation import Simulation


def system(**left) -> OpenSystem:  # type: ignore[no-untyped-def]
    return OpenSystem(chain(2, 1.0, 0.8), [ChainLead(site=0, **left), ChainLead(site=-1)], 0.1, 0.3)


CLOSED = OpenSystem(chain(2, 1.0, 0.8), [], 0.1, 0.3)
GOOD = {"t_end": 1.0, "save_every": 0.5}
TEXTURE = cone(2, 0.3)

BAD_OPTIONS = [
    *[("t_end", v, "a finite number > 0, in fs") for v in (-1, 0, np.nan, np.inf, "a", None, [1.0], True)],
    *[("save_every", v, "> 0 and <= t_end, in fs") for v in (-1, 0, 2.0, np.nan, "a", None)],
    *[("rtol", v, "<= rtol <= 1e-2") for v in (-1, 0, 0.5, 1e-14, np.nan, "a", None)],
    *[("start", v, "'thermal', 'steady', 'partitioned'") for v in ("cold", None, ["thermal"])],
    *[("integrator", v, "'dop853'") for v in ("euler", None, ["rk4"])],
    *[("step", v, "None (adaptive) or a number > 0, in fs") for v in (-1, 0, np.inf, "a")],
    *[("observables", v, "'adiabatic'") for v in (("geometric",), "adiabatic", None, 3)],
]


@pytest.mark.parametrize(("name", "value", "allowed"), BAD_OPTIONS, ids=lambda v: str(v)[:20])
def test_bad_option_is_named_with_its_value_and_what_is_allowed(name, value, allowed):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 (the message is what is tested)
        Simulation(system(), Frozen(TEXTURE), **(GOOD | {name: value}))
    line = next(line for line in str(refused.value).splitlines() if line.startswith(f"simulate.{name}: "))
    assert "; allowed: " in line
    assert allowed in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, Frozen(TEXTURE)), r"simulate\.system: 1; allowed: an OpenSystem, or None"),
        ((system(), 1), r"simulate\.motion: 1; allowed: .*Magnet"),
        ((system(), TEXTURE), r"simulate\.motion: .*; allowed: .*Magnet"),
        ((system(), Frozen(cone(3, 0.3))), r"simulate\.motion: 3 moments; allowed: 2"),
        ((None, Frozen(TEXTURE)), r"simulate\.motion: 'Frozen'; allowed: a Magnet"),
        ((OpenSystem(chain(2), [ChainLead(site=0)]), Frozen(TEXTURE)), r"kT: 0\.0; allowed: > 0 with leads"),
        ((OpenSystem(chain(2), [ChainLead(site=0)], kT=1e-8), Frozen(TEXTURE)), "kT: 1e-08 eV is too small.*use kT >="),
        ((system(chemical_potential=0.2), Frozen(TEXTURE)), r"simulate\.start: 'thermal'; allowed: .*0\.2, 0\.1"),
    ],
)
def test_bad_problem_is_named_with_its_value_and_what_is_allowed(arguments, message):
    with pytest.raises(ValueError, match=message):
        simulate(*arguments, **GOOD)


@pytest.mark.parametrize(
    ("rho", "message"),
    [
        (np.eye(3), r"shape \(3, 3\); allowed: a \(4, 4\)"),
        (2 * np.eye(4), r"eigenvalues 2 \.\. 2; allowed: 0 to 1"),
        (-0.1 * np.eye(4), r"eigenvalues -0\.1 \.\. -0\.1; allowed: 0 to 1"),
        (np.triu(np.ones((4, 4))), "not Hermitian; allowed"),
        (np.full((4, 4), np.nan), "holds NaN or inf; allowed"),
        ("full", "'full'; allowed"),
    ],
)
def test_bad_initial_density_matrix(rho, message):
    with pytest.raises(ValueError, match=rf"simulate\.initial_density_matrix: {message}"):
        Simulation(system(), Frozen(TEXTURE), start="partitioned", initial_density_matrix=rho, **GOOD)


def test_initial_density_matrix_is_not_ignored_by_the_other_starts():
    with pytest.raises(ValueError, match="initial_density_matrix.*'partitioned'"):
        Simulation(system(), Frozen(TEXTURE), initial_density_matrix=np.eye(4), **GOOD)


def test_fixed_step_method_needs_a_step():
    with pytest.raises(ValueError, match=r"simulate\.step: None; allowed: a number > 0, in fs, with .*'rk4'"):
        Simulation(system(), Frozen(TEXTURE), integrator="rk4", **GOOD)


def test_closed_system_has_no_steady_start():
    with pytest.raises(ValueError, match=r"simulate\.start: 'steady'; allowed: 'thermal' or 'partitioned'"):
        Simulation(CLOSED, Frozen(TEXTURE), start="steady", **GOOD)


def test_all_mistakes_are_named_at_once():
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        Simulation(3, 4, t_end=-1, rtol=7, start="cold", integrator="euler", step=-2)
    lines = str(refused.value).splitlines()
    for name in ("system", "motion", "t_end", "rtol", "start", "integrator", "step"):
        assert sum(line.startswith(f"simulate.{name}: ") for line in lines) == 1, name


@pytest.mark.parametrize("rtol", [1e-2, 1e-4, 1e-6, 1e-8, 1e-9])
def test_every_allowed_rtol_moves_all_three_errors(rtol):
    """The budget has lead poles, Fermi poles and time step, each with words; expansions stay within rtol."""
    simulation = Simulation(system(), Frozen(TEXTURE), t_end=0.1, save_every=0.1, rtol=rtol)
    for _ in simulation.rows():
        pass
    budget = simulation.error_budget()
    assert set(budget) == {"coupling_poles", "fermi_poles", "time_step"}
    for estimate in budget.values():
        assert 0 <= estimate.value <= rtol
        assert len(estimate.bounds) > 20


@pytest.mark.parametrize("rtol", [1e-10, 1e-12])
def test_rtol_below_what_chain_leads_reach_is_refused_by_its_name(rtol):
    """The table of chain leads ends at 2.8e-10."""
    with pytest.raises(ValueError, match=r"^simulate\.rtol: .*; allowed: "):
        Simulation(system(), Frozen(TEXTURE), rtol=rtol, **GOOD)


@pytest.mark.parametrize("broken", [lambda t: "a", lambda t: np.nan, lambda t: [1, 2]], ids=["text", "nan", "list"])
def test_voltage_function_without_a_finite_number_is_named(broken):
    with pytest.raises(ValueError, match=r"voltage.*allowed"):
        Simulation(system(voltage=broken), Frozen(TEXTURE), start="steady", **GOOD)


def test_prescribed_moments_that_lose_their_length_stop_the_run_with_the_time():
    motion = Prescribed(lambda t: TEXTURE if t < 0.1 else 2 * TEXTURE)
    message = r"Prescribed\.function\(0\.\d+\): site 0 is .* of length 2; allowed: unit vectors"
    with pytest.raises(ValueError, match=message):
        simulate(system(), motion, **GOOD)


def test_a_result_prints_what_it_holds_and_no_matrix() -> None:
    system = OpenSystem(chain(6, j_sd=0.1), [ChainLead(0)], kT=0.1)
    text = repr(simulate(system, Frozen(uniform(6)), t_end=2.0))
    lines = text.splitlines()
    assert lines[0] == "Result: electrons with memory on 6 sites with 1 lead; 6 moments as prescribed"
    assert "array" not in text and text == str(simulate(system, Frozen(uniform(6)), t_end=2.0))


@pytest.mark.parametrize("zero", [np.float32(0), np.int64(0), 0])
def test_a_zero_of_any_kind_is_no_temperature(zero) -> None:
    system = OpenSystem(chain(1), [ChainLead(0)], kT=0.1)
    assert simulate(system, Frozen(uniform(1, "z")), t_end=1.0, temperature=zero).dataset.sizes["time"] == 2
