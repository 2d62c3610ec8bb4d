"""Argument checks: what numpy would read as a number without being one is refused, in one line."""

import re

import numpy as np
import pytest

import llgnegf as ln
from llgnegf._checks import Problems
from llgnegf.paper import make

NOT_REAL = {
    "text": "1", "bytes": b"1", "truth value": True, "numpy truth value": np.bool_(True), "nothing": None,
    "complex": 1j, "numpy complex": np.complex128(1), "text in an array": np.array("1"), "too large": 10**400,
    "rows of unequal length": [[1.0], [1.0, 2.0]], "an object": object(), "an empty list": [],
}  # fmt: skip
NOT_REAL_LISTS = {
    "text": ["1", "0", "0"], "truth values": [True, False, False], "nothing": [None, 0, 1], "complex": [1j, 0, 1],
    "numpy complex": np.array([0, 0, 1], dtype=complex), "too large": [10**400, 0, 0],
    "rows of unequal length": [[1], [0, 0]], "truth values among objects": np.array([True, 0, 1], dtype=object),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_REAL)
@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda v: ln.bloch_wall(3, v, 1.0), "bloch_wall.center"),
        (lambda v: ln.cone(2, 0.1, v), "cone.azimuth"),
        (lambda v: ln.chain(3, j_sd=v), "chain.j_sd"),
        (lambda v: ln.ChainLead(0, coupling=v), "ChainLead.coupling"),
        (lambda v: ln.OpenSystem(ln.chain(2), fermi_energy=v), "OpenSystem.fermi_energy"),
        (lambda v: ln.RotatingFrame(ln.OpenSystem(ln.chain(2)), ln.uniform(2), v), "RotatingFrame.energy"),
        (lambda v: ln.torque(np.eye(4), ln.uniform(2), v), "torque.j_sd"),
    ],
)
def test_only_real_numbers_are_numbers(name, call, field):
    with pytest.raises(ValueError, match=rf"^{field}: [^\n]*; allowed: [^\n]*$"):
        call(NOT_REAL[name])


@pytest.mark.parametrize("name", NOT_REAL_LISTS)
@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda v: ln.uniform(2, v), "uniform.direction"),
        (lambda v: ln.chain(4, hopping=v), "chain.hopping"),
        (lambda v: ln.RotatingFrame(ln.OpenSystem(ln.chain(1)), [v], 0.1), "RotatingFrame.texture"),
        (lambda v: ln.torque(np.eye(2), [v], 1.0), "torque.moments"),
    ],
)
def test_only_real_numbers_are_arrays(name, call, field):
    with pytest.raises(ValueError, match=rf"^{field}: [^\n]*; allowed: [^\n]*$"):
        call(NOT_REAL_LISTS[name])


def test_all_kinds_of_real_numbers_are_taken():
    problems = Problems("Owner")
    for value in (2, 2.0, np.float32(2), np.int8(2), np.uint64(2), np.array(2.0)):
        assert problems.number("field", value, "a number") == 2.0
        np.testing.assert_array_equal(problems.per_site("field", [value, 2], 2, "numbers"), [2.0, 2.0])
    assert not problems.lines


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1.0, 1e200])
def test_axis_of_any_length(size):
    """3-4-5 triangle: the squares of the components leave the range of a float, their ratios do not."""
    axis = Problems("Owner").axis("axis", [0.0, 3 * size, 4 * size])
    np.testing.assert_allclose(axis, [0, 0.6, 0.8], rtol=1e-15)


def test_checked_arrays_are_copies():
    moments = ln.uniform(2)
    frame = ln.RotatingFrame(ln.OpenSystem(ln.chain(2)), moments, 0.0)
    moments[:] = np.nan
    np.testing.assert_array_equal(frame.texture, ln.uniform(2))


RAGGED = [[1.0], [1.0, 2.0]]
WRONG_SHAPES = {
    "DMI.D: ": lambda: ln.DMI([(0, 1, [0, 0, 1.0])]),
    "Exchange.J: ": lambda: ln.Exchange(RAGGED),
    "UniaxialAnisotropy.K: ": lambda: ln.UniaxialAnisotropy(RAGGED, "z"),
    "UniaxialAnisotropy.axis: ": lambda: ln.UniaxialAnisotropy(0.1, RAGGED),
    "CubicAnisotropy.K1: ": lambda: ln.CubicAnisotropy(RAGGED),
    "PairExchange.pairs: ": lambda: ln.PairExchange([(0, 1, [0, 0, 1.0])]),
    "Zeeman.B: [[1.0], [1.0, 2.0]]; ": lambda: ln.Zeeman(RAGGED),
    "Zeeman.B: [[1.0], [1.0, 2.0]] at t = 0 fs; ": lambda: _magnet(energies=[ln.Zeeman(lambda t: RAGGED)]),
    "SlonczewskiTorque.field_like: ": lambda: ln.SlonczewskiTorque(0.1, RAGGED, "z"),
    "ZhangLiTorque.velocity: [[1.0], [1.0, 2.0]]; ": lambda: ln.ZhangLiTorque(RAGGED),
    "ZhangLiTorque.velocity: [[1.0], [1.0, 2.0]] at t = 0 fs; ": lambda: _magnet(
        torques=[ln.ZhangLiTorque(lambda t: RAGGED)]
    ),
    "Magnet.magnetic_moment: ": lambda: _magnet(magnetic_moment=RAGGED),
    "Magnet.pinned: ": lambda: _magnet(pinned=RAGGED),
    "Magnet.prescribed: at t = 0 fs [[1.0], [1.0, 2.0]]; ": lambda: _magnet(prescribed=([0], lambda t: RAGGED)),
    "Prescribed.function(0.0): ": lambda: ln.Prescribed(lambda t: RAGGED),
    "Ramp.initial: ": lambda: ln.Ramp(RAGGED, 0.0, 0.0, 1.0),
    "ChainLead.voltage: ": lambda: ln.ChainLead(0, voltage=lambda t: RAGGED),
    "Electrons.hamiltonian: ": lambda: ln.Electrons(RAGGED, 0.1),
}


def _magnet(**arguments):
    return ln.Magnet(ln.uniform(2), **{"magnetic_moment": 1.0, **arguments})


@pytest.mark.parametrize("line", WRONG_SHAPES)
def test_numpy_never_words_a_mistake(line):
    with pytest.raises(ValueError, match=rf"^{re.escape(line)}[^\n]*; allowed: |^{re.escape(line)}allowed: ") as caught:
        WRONG_SHAPES[line]()
    assert "inhomogeneous" not in str(caught.value) and "\n" not in str(caught.value)


def _short(t):
    """Unit vectors but for t > 3 fs, where they are 0.9999 long."""
    return (0.9999 if t > 3.0 else 1.0) * ln.uniform(2)


@pytest.mark.parametrize(
    ("motion", "line"),
    [
        (lambda: ln.Prescribed(_short), "Prescribed.function("),
        (lambda: _magnet(prescribed=([0], lambda t: _short(t)[:1])), "Magnet.prescribed: at t = "),
    ],
)
def test_prescribed_moments_that_shrink_are_refused_before_the_run(motion, line):
    system = ln.OpenSystem(ln.chain(2), kT=0.1)
    with pytest.raises(ValueError, match=rf"^{re.escape(line)}.*length 0\.9999; allowed: unit vectors of shape"):
        ln.Simulation(system, motion(), t_end=10.0)
    ln.Simulation(system, motion(), t_end=2.9)
    with pytest.raises(ValueError, match=r"^Prescribed.function\(0.0\): site 0 is .* of length 0.9999; allowed: unit"):
        ln.Prescribed(lambda t: 0.9999 * ln.uniform(2))


def test_what_is_no_path_is_refused_by_all_that_take_one():
    """A number (of an open file, say), bytes, nothing where a file is needed, and a character that no name may have."""
    magnet = ln.Magnet(ln.uniform(1, "x"), magnetic_moment=1.0, damping=0.1)
    result = ln.simulate(None, magnet, t_end=1.0)
    config = ln.RunConfig.from_objects(None, magnet, t_end=1.0)
    noise = {"temperature": 0.01, "seed": 1, "step": 0.5, "t_end": 1.0, "realisations": 2}
    calls = {
        "load.path": ln.load, "save.path": result.save, "animate.path": result.animate(frames=1).save,
        "plot.save.folder": result.plot.save, "RunConfig.load.path": ln.RunConfig.load,
        "plot_run.folder": lambda path: ln.plots.plot_run(result.dataset, path),
        "animate_texture.path": lambda path: ln.plots.animate_texture(result.dataset, path),
        "paper.make.folder": lambda path: make("fig2", path), "folder": lambda path: ln.run_sweep(config, path),
    }  # fmt: skip
    optional = {
        "animate.path": lambda path: result.animate(path, frames=1),
        "simulate.folder": lambda path: ln.simulate(None, magnet, t_end=1.0, folder=path),
        "ensemble.folder": lambda path: ln.ensemble(None, magnet, folder=path, **noise),
    }
    cases = [(*case, wrong) for case in calls.items() for wrong in (3, b"run", None, "a\0b")]
    cases += [(*case, wrong) for case in optional.items() for wrong in (3, b"run", "a\0b")]
    for place, call, wrong in cases:
        with pytest.raises(ValueError, match=rf"^{re.escape(f'{place}: {wrong!r}')}; allowed: [^\n]+$"):
            call(wrong)
