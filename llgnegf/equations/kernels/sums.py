"""Compiled sums of the stages of a step, every vector read once, a block at a time that the nearest caches hold."""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

import numpy as np

from llgnegf._compile import DISTINCT, FUSED, kernel, part

BLOCK = 2048
"""Numbers of a state that are combined at a time, so that sums of stages stay in the nearest caches."""


@part()
def _copy(x, y):
    """y = x; a loop, as below: with a slice on the left the compiler adds two seconds of code for a message."""
    for i in range(y.size):
        y[i] = x[i]


@part()
def clear(x):
    """x = 0."""
    for i in range(x.size):
        x[i] = 0.0


@part(FUSED)
def add(w, x, y):
    """y += w x."""
    for i in range(y.size):
        y[i] += w * x[i]


@part(FUSED, **DISTINCT)
def _of_four(y, s_0, s_1, s_2, s_3, w, out):
    """out = y + the sum of four weighted stages."""
    a, b, c, d = w
    for i in range(out.size):
        out[i] = y[i] + (a * s_0[i] + b * s_1[i] + c * s_2[i] + d * s_3[i])


@part(FUSED, **DISTINCT)
def _of_eight(y, s_0, s_1, s_2, s_3, s_4, s_5, s_6, s_7, w, out):
    """out = y + the sum of eight weighted stages."""
    a, b, c, d, e, f, g, h = w
    for i in range(out.size):
        first = y[i] + (a * s_0[i] + b * s_1[i] + c * s_2[i] + d * s_3[i])
        out[i] = first + (e * s_4[i] + f * s_5[i] + g * s_6[i] + h * s_7[i])


@part()
def first_eight(used):
    """The first eight of the stages that are `used`, one at least; the first one again for those there are not."""
    n, j = used.size, used[0]
    return (
        j, used[1] if n > 1 else j, used[2] if n > 2 else j, used[3] if n > 3 else j, used[4] if n > 4 else j,
        used[5] if n > 5 else j, used[6] if n > 6 else j, used[7] if n > 7 else j,
    )  # fmt: skip


@part()
def eight_weights(w, step, j, n):
    """step times the weights of the stages j, a tuple of eight, of which there are n."""
    return (
        step * w[j[0]], step * w[j[1]] if n > 1 else 0.0, step * w[j[2]] if n > 2 else 0.0,
        step * w[j[3]] if n > 3 else 0.0, step * w[j[4]] if n > 4 else 0.0, step * w[j[5]] if n > 5 else 0.0,
        step * w[j[6]] if n > 6 else 0.0, step * w[j[7]] if n > 7 else 0.0,
    )  # fmt: skip


@part()
def _sum(y, stages, used, weights, step, start, out):
    """out = y + step * sum_j weights_j stages_j over the `used` stages, for a part of the state that begins at start.

    In one pass where up to eight are used: every vector is read once, and one is written.
    """
    here = slice(start, start + out.size)
    if used.size == 0:
        _copy(y[here], out)
        return
    j = first_eight(used)
    w = eight_weights(weights, step, j, used.size)
    if used.size <= 4:
        _of_four(
            y[here], stages[j[0], here], stages[j[1], here], stages[j[2], here], stages[j[3], here],
            (w[0], w[1], w[2], w[3]), out,
        )  # fmt: skip
    else:
        _of_eight(
            y[here], stages[j[0], here], stages[j[1], here], stages[j[2], here], stages[j[3], here],
            stages[j[4], here], stages[j[5], here], stages[j[6], here], stages[j[7], here], w, out,
        )  # fmt: skip
    for k in range(8, used.size):
        add(step * weights[used[k]], stages[used[k], here], out)


@kernel(nogil=True, allocates=True)
def combine(y, stages, weights, step, out, size, first, last):
    """out = y + step * sum_j weights_j stages_j on the blocks of `size` from number `first` to before `last`."""
    used = np.flatnonzero(weights)
    for block in range(first, last):
        start = block * size
        _sum(y, stages, used, weights, step, start, out[start : min(start + size, y.size)])


@kernel(nogil=True, allocates=True)
def combine_ahead(y, stages, weights, step, out, size, first, last):
    """out = y + step * sum_j weights_0j stages_j, and the same sums of the later rows of weights (m, n) as far as they
    are known, into the stages from number n + 1 on, which are not: what is read serves all of them."""
    used = np.flatnonzero(np.abs(weights).sum(axis=0))
    for block in range(first, last):
        start = block * size
        stop = min(start + size, y.size)
        for k in range(weights.shape[0]):
            part = out[start:stop] if k == 0 else stages[weights.shape[1] + k, start:stop]
            _sum(y, stages, used, weights[k], step, start, part)
