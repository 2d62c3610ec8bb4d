"""Small systems are computed with one BLAS thread, whatever the user has set, and the setting is there again after."""

from __future__ import annotations

from collections.abc import Callable
from pkgutil import resolve_name
from threading import Barrier, Thread
from typing import Any

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_info, threadpool_limits

import llgnegf as ln
from llgnegf import _blas as blas

SYSTEM = ln.OpenSystem(ln.chain(2, 1.0, 0.2), [ln.ChainLead(0)], 0.0, 0.1)
MOMENTS = ln.cone(2, 0.5)
MAGNET = ln.Magnet(MOMENTS, magnetic_moment=2.0, energies=[ln.Zeeman([0, 0, 10.0])], damping=0.1)


def threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def frame() -> ln.RotatingFrame:
    return ln.RotatingFrame(SYSTEM, MOMENTS, 0.05)


ENTRIES: dict[str, tuple[str, Callable[[], Any]]] = {
    "full start": ("llgnegf.run.simulation.initial_state", lambda: ln.Simulation(SYSTEM, MAGNET, t_end=1.0)),
    "full rows": ("llgnegf.run.recorder.Recorder.row", lambda: list(ln.Simulation(SYSTEM, MAGNET, t_end=1.0).rows())),
    "full errors": (
        "llgnegf.run.simulation.expand_for_run", lambda: ln.Simulation(SYSTEM, MAGNET, t_end=1.0).error_budget(),
    ),
    "slow start": ("llgnegf.run.slow_simulation.SlowEquation", lambda: ln.SlowSimulation(SYSTEM, MAGNET, t_end=1.0)),
    "slow rows": (
        "llgnegf.run.recorder.Recorder.row", lambda: list(ln.SlowSimulation(SYSTEM, MAGNET, t_end=1.0).rows()),
    ),
    "slow errors": (
        "llgnegf.run.slow_simulation.equilibrium_estimate",
        lambda: ln.SlowSimulation(SYSTEM, MAGNET, t_end=1.0).error_budget(),
    ),
    "ensemble": (
        "llgnegf.integrators.dense.DenseRows.at",
        lambda: ln.langevin_ensemble(None, MAGNET, temperature=0.01, t_end=1.0, step=0.5, save_every=1.0, copies=2,
                                     seed=1),
    ),
    "relax": ("llgnegf.static.site_green.SiteGreen.__call__", lambda: ln.relax(SYSTEM, MAGNET)),
    "density matrix": (
        "llgnegf.static.steady_state.SteadyState.density_matrix", lambda: frame().density_matrix(),
    ),
    "local density matrix": ("llgnegf.static.rotating_frame.OnChain", lambda: frame().local_density_matrix()),
    "lead currents": ("llgnegf.static.steady_state.SteadyState.lead_rates", lambda: frame().lead_currents()),
    "parts": (
        "llgnegf.static.decomposition.LinearResponse.density_matrices", lambda: frame().decompose(),
    ),
    "local parts": ("llgnegf.static.rotating_frame.OnChain", lambda: frame().decompose_locally()),
    "currents of the parts": (
        "llgnegf.static.decomposition.LinearResponse.lead_currents", lambda: frame().decompose_lead_currents(),
    ),
    "tensors": ("llgnegf.response.equilibrium.surface_density", lambda: ln.ResponseTensors(SYSTEM, MOMENTS).friction),
    "sea": ("llgnegf.response.equilibrium.sea_density", lambda: ln.ResponseTensors(SYSTEM, MOMENTS).geometric),
    "bias": ("llgnegf.response.tensors.window_response", lambda: ln.ResponseTensors(SYSTEM, MOMENTS).bias_response),
    "noise": ("llgnegf.response.tensors.window_noise", lambda: ln.ResponseTensors(SYSTEM, MOMENTS).noise),
}  # fmt: skip
"""For each entry point a function that it must call with one thread."""


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_entry_point_computes_with_one_thread(monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    inner, call = ENTRIES[entry]
    seen: list[set[int]] = []
    original = resolve_name(inner)

    def watched(*args: Any, **kwargs: Any) -> Any:
        seen.append(threads())
        return original(*args, **kwargs)

    monkeypatch.setattr(inner, watched)
    with threadpool_limits(2, user_api="blas"):
        call()
        after = threads()
    assert seen and set.union(*seen) == {1}
    assert after == {2}


def test_rows_leave_the_setting_alone_between_them() -> None:
    with threadpool_limits(2, user_api="blas"):
        assert [threads() for _ in ln.Simulation(SYSTEM, MAGNET, t_end=1.0).rows()] == [{2}, {2}]


def test_large_matrices_keep_the_setting() -> None:
    def system(n_sites: int) -> ln.OpenSystem:
        return ln.OpenSystem(ln.chain(n_sites, 1.0, 0.1), [], 0.0, 0.1)

    small = blas.LARGEST_SERIAL // 2
    with threadpool_limits(2, user_api="blas"):
        for n_sites, expected in ((small, {1}), (small + 1, {2})):
            assert blas.limited(lambda s: threads())(system(n_sites)) == expected


def test_full_runs_have_one_whatever_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "LARGEST_SERIAL", -1)
    for entry in ("full start", "full rows", "full errors"):
        test_every_entry_point_computes_with_one_thread(monkeypatch, entry)


def test_the_setting_is_back_after_an_error_and_after_threads_that_overlap() -> None:
    """The second of two threads enters while the first is inside and leaves after it."""
    meet = Barrier(2)

    def first() -> None:
        with blas.one_thread_if_small(None):
            meet.wait()
            meet.wait()
        meet.wait()

    def second() -> None:
        meet.wait()
        with blas.one_thread_if_small(None):
            meet.wait()
            meet.wait()
            np.linalg.solve(np.eye(3), np.ones(3))

    with threadpool_limits(2, user_api="blas"):
        both = [Thread(target=first), Thread(target=second)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join(10)
        assert threads() == {2}
        with pytest.raises(ZeroDivisionError), blas.one_thread_if_small(None):
            raise ZeroDivisionError
        assert threads() == {2}


def test_a_limit_costs_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The libraries are searched for once in a process, not with every row."""
    made: list[Any] = []
    original = ThreadpoolController.__init__
    monkeypatch.setattr(
        ThreadpoolController, "__init__", lambda self, *a, **k: (made.append(self), original(self, *a, **k))[1]
    )
    blas._libraries.cache_clear()
    for _ in range(5):
        with blas.one_thread_if_small(None):
            pass
    assert len(made) == 1
