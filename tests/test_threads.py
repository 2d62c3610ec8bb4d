"""Threads that share a right-hand side and the arithmetic of steps: the same bits however many they are."""

from __future__ import annotations

import gc
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import llgnegf as ln
from llgnegf import _threads
from llgnegf._threads import Team, number_of_threads, shares, single
from llgnegf.equations import shared

WALL = ln.bloch_wall(5, center=3, width=0.9)


def chain(lead: type = ln.ChainLead) -> ln.OpenSystem:
    return ln.OpenSystem(ln.chain(5, 1.0, 0.4), [lead(0, 0.9), lead(-1, 0.5, voltage=ln.Sine(0.2, period=3.0))], kT=0.2)


def ribbon() -> ln.OpenSystem:
    lat = ln.square(3, 2)
    electrons = lat.electrons(1.0, 0.4, rashba=0.1)
    return ln.OpenSystem(electrons, [lat.lead("left"), lat.lead("right", exchange=[0.2, 0.0, 0.1])], kT=0.2)


def layer() -> ln.Magnet:
    return ln.Magnet(WALL[:3], magnetic_moment=2.0, sites=[[0, 1], 3, None], energies=[ln.Exchange(0.05)])


CASES = {
    "prescribed": (chain, lambda: ln.Precession(WALL, 0.3)),
    "wide bands": (lambda: chain(ln.WideBandLead), lambda: ln.Frozen(WALL)),
    "magnet": (chain, lambda: ln.Magnet(WALL, magnetic_moment=1.0, damping=0.1, energies=[ln.Exchange(0.05)])),
    "layer": (chain, layer),
    "ribbon": (ribbon, lambda: ln.Precession(ln.random(6, seed=1), 0.3)),
}


def share_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of small states, too, every phase is shared."""
    monkeypatch.setattr(_threads, "SMALLEST", 0)
    monkeypatch.setattr(shared, "ALONE", 0)


@pytest.mark.parametrize("name", CASES)
def test_bits_do_not_depend_on_the_number_of_threads(name, monkeypatch):
    share_all(monkeypatch)
    system, motion = CASES[name]
    rows, start = {}, "partitioned" if name == "wide bands" else "steady"
    for count in ("1", "2", "4"):
        monkeypatch.setenv("LLGNEGF_NUM_THREADS", count)
        simulation = ln.Simulation(system(), motion(), t_end=3.0, save_every=1.0, rtol=1e-4, start=start)
        assert (simulation.equation.team.count if count != "1" else 1) == int(count)
        for _ in simulation.rows():
            pass
        rows[count] = simulation.state
    np.testing.assert_array_equal(rows["2"], rows["1"])
    np.testing.assert_array_equal(rows["4"], rows["1"])


def test_runs_side_by_side_in_threads_of_one_program(monkeypatch):
    share_all(monkeypatch)
    monkeypatch.setenv("LLGNEGF_NUM_THREADS", "2")

    def run(_):
        return ln.simulate(chain(), ln.Precession(WALL, 0.3), t_end=2.0, save_every=1.0, rtol=1e-4, start="steady")

    alone = run(0).dataset
    with ThreadPoolExecutor(3) as pool:
        for other in pool.map(run, range(3)):
            assert other.dataset.equals(alone)


def test_a_team_outlives_a_failure_and_its_threads_end_with_it():
    team, seen = Team(3), np.zeros(10)

    def work(fail, first, last):
        if fail and first > 0:
            raise ValueError(f"piece {first}")
        seen[first:last] += 1

    bounds, said = np.array([0, 3, 6, 10]), ""
    try:
        team.share(work, (True,), bounds)
    except ValueError as error:
        said = str(error)
    assert said == "piece 3"
    seen[:] = 0
    team.share(work, (False,), bounds)
    np.testing.assert_array_equal(seen, 1)
    mine = [thread for thread in threading.enumerate() if thread.name == "llgnegf"]
    assert len(mine) >= 2
    before = len(mine)
    del team
    gc.collect()
    for _ in range(200):
        left = sum(thread.name == "llgnegf" for thread in threading.enumerate())
        if left <= before - 2:
            break
        threading.Event().wait(0.01)
    assert left <= before - 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    team, seen = Team(2), np.zeros(2)

    def work(first, last):
        seen[first:last] += 1

    team.share(work, (), np.array([0, 1, 2]))
    child = os.fork()
    if child == 0:
        try:
            team.share(work, (), np.array([0, 1, 2]))
            os._exit(int(not np.all(seen == 2)))
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_sets_their_number(monkeypatch):
    big = 2 * _threads.SMALLEST
    for name in _threads.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert number_of_threads(None, big) == _threads.cores()
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert number_of_threads(None, big) == 3
    monkeypatch.setenv("LLGNEGF_NUM_THREADS", "5")
    assert (number_of_threads(None, big), number_of_threads(2, big), number_of_threads(2, 1000)) == (5, 2, 1)
    with single():
        assert (number_of_threads(None, big), number_of_threads(2, big)) == (1, 2)
    monkeypatch.setenv("LLGNEGF_NUM_THREADS", "many")
    with pytest.raises(ValueError, match="LLGNEGF_NUM_THREADS: 'many'; allowed: an integer >= 1"):
        number_of_threads(None, big)


def test_shares_cover_all_pieces_and_are_about_even():
    costs = np.array([5.0, 1, 1, 1, 1, 1])
    np.testing.assert_array_equal(shares(costs, 2), [0, 1, 6])
    np.testing.assert_array_equal(shares(costs, 1), [0, 6])
    assert shares(np.ones(2), 4)[[0, -1]].tolist() == [0, 2]
    assert shares(np.zeros(0), 2).tolist() == [0, 0, 0]
