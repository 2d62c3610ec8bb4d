"""Compiled arithmetic of steps: states, stages and error estimates combined while they are in the nearest cache."""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

import numpy as np

from llgnegf._compile import FUSED, kernel, part

BLOCK = 512
"""Numbers of a state that are combined at a time, so that all their stages stay in the nearest cache."""
SMALLEST = 1e-200
"""Numbers of a state below this are as good as 0; a step multiplies by far more than 1e-100, so none gets denormal."""


@part()
def _copy(x, y):
    """y = x; a loop, since a slice on the left takes the compiler several times as long."""
    for i in range(y.size):
        y[i] = x[i]


@part()
def _clear(x):
    """x = 0."""
    for i in range(x.size):
        x[i] = 0.0


@part(FUSED)
def _add(w, x, y):
    """y += w x."""
    for i in range(y.size):
        y[i] += w * x[i]


@part(FUSED)
def _add_four(a, u, b, v, c, w, d, x, y):
    """y += a u + b v + c w + d x: y is loaded and stored once for four stages."""
    for i in range(y.size):
        y[i] += a * u[i] + b * v[i] + c * w[i] + d * x[i]


@part()
def _add_stages(stages, used, weights, step, start, part):
    """part += step * sum_j weights_j stages_j over the `used` stages, for a part of the state that begins at start."""
    here = slice(start, start + part.size)
    fours = used.size // 4 * 4
    for j in range(0, fours, 4):
        a, b, c, d = used[j], used[j + 1], used[j + 2], used[j + 3]
        _add_four(
            step * weights[a], stages[a, here], step * weights[b], stages[b, here],
            step * weights[c], stages[c, here], step * weights[d], stages[d, here], part,
        )  # fmt: skip
    for j in range(fours, used.size):
        _add(step * weights[used[j]], stages[used[j], here], part)


@kernel()
def combine(y, stages, weights, step, out):
    """out = y + step * sum_j weights_j stages_j."""
    used = np.flatnonzero(weights)
    for start in range(0, y.size, BLOCK):
        part = out[start : min(start + BLOCK, y.size)]
        _copy(y[start : start + part.size], part)
        _add_stages(stages, used, weights, step, start, part)


@kernel()
def finish(y, stages, used, weights, step, bounds, scale, out, largest):
    """out = y + step * sum_j weights_0j stages_j, and the largest |sum_j weights_ej stages_j| of the error estimates.

    Args:
        used: The stages with any weight.
        weights: (3, s): the method's, then those of two error estimates (0 for one that it does not have).
        bounds: (n, 2), the sections over which each maximum is taken; together they are the whole state.
        scale: What the error of each number of the state counts, or empty: all count whole.
        largest: (n, 2) is written; NaN where an entry is NaN.
    """
    sums, sizes = np.empty((2, BLOCK)), np.empty((2, BLOCK))
    for n in range(bounds.shape[0]):
        _clear(sizes[0])
        _clear(sizes[1])
        for start in range(bounds[n, 0], bounds[n, 1], BLOCK):
            here = slice(start, min(start + BLOCK, bounds[n, 1]))
            part = out[here]
            _copy(y[here], part)
            _add_stages(stages, used, weights[0], step, start, part)
            for e in range(2):
                error = sums[e, : part.size]
                _clear(error)
                _add_stages(stages, used, weights[1 + e], 1.0, start, error)
                if scale.size > 0:
                    error *= scale[here]
                _keep_larger(error, sizes[e])
        for e in range(2):
            largest[n, e] = sizes[e].max()


@part()
def _keep_larger(x, sizes):
    """sizes_i = max(sizes_i, |x_i|) one by one, which the compiler can vectorise; NaN where x_i is not finite."""
    for i in range(x.size):
        size = abs(x[i])
        sizes[i] = (size if size > sizes[i] else sizes[i]) + 0.0 * size


@kernel()
def settle(state):
    """Whether all numbers are finite; those below SMALLEST become 0.

    Deep in a gap the density matrix falls off exponentially, over long chains down to denormal numbers, with which
    processors calculate many times slower.
    """
    finite = True
    for i in range(state.size):
        size = abs(state[i])
        finite &= size < np.inf
        if size < SMALLEST:
            state[i] = 0.0
    return finite


@kernel()
def hermite(nodes, values, time, out):
    """The polynomial through values[i, 0] with the derivatives values[i, 1] at nodes[i], at `time`.

    `out` holds the last value: the differences from it are interpolated, so that what is constant stays so bit by bit.
    """
    for i in range(nodes.size):
        basis, slope = 1.0, 0.0
        for j in range(nodes.size):
            if j != i:
                basis *= (time - nodes[j]) / (nodes[i] - nodes[j])
                slope += 1 / (nodes[i] - nodes[j])
        of_value = basis**2 * (1 - 2 * slope * (time - nodes[i]))
        of_rate = basis**2 * (time - nodes[i])
        for k in range(out.size):
            out[k] += of_value * (values[i, 0, k] - values[-1, 0, k]) + of_rate * values[i, 1, k]
