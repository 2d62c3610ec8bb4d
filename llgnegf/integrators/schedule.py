"""Schedule: where the steps of a run have to end and how long they may be, from all that drives it.

A step never passes a discontinuity of a drive: it ends there and the next one begins there, and each of the two asks
the drives on its own side of it, so that methods keep their order and jumps have no value of their own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

import numpy as np

from llgnegf.problem.drives import Drive

CLOSE = 1e-12
"""Discontinuities closer than this part of their time are one: no step between them would be above round-off."""
MOST_LOOKS = 4096
"""Times between two discontinuities at which drives are looked at, at most."""


class Schedule:
    """What the drives of a run ask of its steps.

    Args:
        drives: All that changes in time.
        save_every: Longest step (fs) with a drive of which nothing is known.
        unit: The run's unit of time in fs; all times of the methods are in it.
    """

    def __init__(self, drives: Iterable[Drive] = (), save_every: float = np.inf, unit: float = 1.0) -> None:
        self.drives, self.save_every, self.unit = tuple(drives), save_every, unit
        instants = np.unique([t for drive in self.drives for t in drive.discontinuities]) / unit
        instants = instants[instants >= 0]
        far = np.diff(instants) > CLOSE * instants[1:]
        first = instants[np.append(True, far)[: instants.size]]
        last = instants[np.append(far, True)[: instants.size]]
        # A few units of the last place on either side: conversion to fs must not lead back to the instant itself.
        self._stops = first.tolist()
        self._begins = [-np.inf, *(last + 4 * np.spacing(np.maximum(last, 1e-20))).tolist()]
        self._ends = [*(first - 4 * np.spacing(first)).tolist(), np.inf]

    def limits(self, start: float) -> tuple[float, float]:
        """First and last time at which a step that begins at `start` may ask for a drive."""
        k = bisect_right(self._stops, start)
        return self._begins[k], self._ends[k]

    def within(self, start: float, times: np.ndarray) -> list[float]:
        """Times of a step that begins at `start`, moved within its limits."""
        if not self._stops:
            return times.tolist()
        first, last = self.limits(start)
        return [min(max(time, first), last) for time in times.tolist()]

    def is_stop(self, time: float) -> bool:
        """Whether there is a discontinuity at `time`: what comes next is on another side than what was before."""
        k = bisect_right(self._stops, time)
        return k > 0 and self._stops[k - 1] == time

    def stop_after(self, time: float) -> float:
        """The next discontinuity, infinite after the last one."""
        k = bisect_right(self._stops, time)
        return self._stops[k] if k < len(self._stops) else np.inf

    def longest_step(self, start: float) -> float:
        """Length that a step from `start` must not exceed, infinite where nothing happens.

        Raises:
            ValueError: If a drive gives no positive length.
        """
        if not self.drives:
            return np.inf
        time = max(start, self.limits(start)[0]) * self.unit
        lengths = [drive.longest_step_from(time) for drive in self.drives]
        for drive, length in zip(self.drives, lengths, strict=True):
            if length is not None and not length > 0:
                raise ValueError(f"{drive!r}: a longest step of {length} from t = {time:g} fs; allowed: > 0, in fs")
        return min(self.save_every if length is None else length for length in lengths) / self.unit

    def segments(self, end: float) -> list[tuple[float, float]]:
        """From 0 to `end` the times between two discontinuities."""
        stops = [t for t in self._stops if 0 < t < end]
        return list(zip([0.0, *stops], [*stops, end], strict=True))

    def times_to_look(self, end: float) -> np.ndarray:
        """Rising times from 0 to `end` between which no drive does anything unseen, as long as MOST_LOOKS between two
        discontinuities suffice; for bare functions 1025 of them."""
        segments = self.segments(end)
        least = min(16, max(1, 65536 // len(segments)))  # of a long table the corners are enough
        looks = [np.linspace(0.0, end, 1025)]
        for start, stop in segments:
            first, last = self.limits(start)
            count = int(min(np.ceil(4 * (stop - start) / self.longest_step(start)), MOST_LOOKS))
            x = np.linspace(0.0, 1.0, max(count, least) + 1)
            if count == MOST_LOOKS:  # too few for each period of a drive: uneven, so as not to fall in step with it
                x += 0.1 * x * (1 - x)
            begin, end_of_looks = max(start, first), min(stop, last)
            looks.append(begin + (end_of_looks - begin) * x)
        return np.unique(np.concatenate(looks))


FREE = Schedule()
"""That of a run without drives."""


def count_of_steps(length: float, longest: float) -> int:
    """The number of equal steps no longer than `longest` (but for round-off) in `length`."""
    return max(1, int(np.ceil(length / longest * (1 - 1e-12))))
