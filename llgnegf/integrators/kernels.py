"""Compiled arithmetic of steps: states, stages and error estimates combined while they are in the nearest cache."""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

import numpy as np

from llgnegf._compile import DISTINCT, FUSED, kernel, part

BLOCK = 2048
"""Numbers of a state that are combined at a time, so that sums of stages stay in the nearest caches."""
PIECE = 32 * BLOCK
"""Numbers of a state whose errors are looked at together."""
SMALLEST = 1e-200
"""Numbers of a state below this are as good as 0; a step multiplies by far more than 1e-100, so none gets denormal."""


@part()
def _copy(x, y):
    """y = x; a loop, as below: with a slice on the left the compiler adds two seconds of code for a message."""
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
def _eight(used):
    """The first eight of the stages that are `used`, one at least; the first one again for those there are not."""
    n, j = used.size, used[0]
    return (
        j, used[1] if n > 1 else j, used[2] if n > 2 else j, used[3] if n > 3 else j, used[4] if n > 4 else j,
        used[5] if n > 5 else j, used[6] if n > 6 else j, used[7] if n > 7 else j,
    )  # fmt: skip


@part()
def _weights(w, step, j, n):
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
    j = _eight(used)
    w = _weights(weights, step, j, used.size)
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
        _add(step * weights[used[k]], stages[used[k], here], out)


@kernel(nogil=True)
def combine(y, stages, weights, step, out, size, first, last):
    """out = y + step * sum_j weights_j stages_j on the blocks of `size` from number `first` to before `last`."""
    used = np.flatnonzero(weights)
    for block in range(first, last):
        start = block * size
        _sum(y, stages, used, weights, step, start, out[start : min(start + size, y.size)])


@kernel(nogil=True)
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


@part(FUSED, **DISTINCT)
def _of_eight_thrice(y, s_0, s_1, s_2, s_3, s_4, s_5, s_6, s_7, b, e, f, out, one, two):
    """Eight stages into the new state and into both error estimates: each is loaded once."""
    b_0, b_1, b_2, b_3, b_4, b_5, b_6, b_7 = b
    e_0, e_1, e_2, e_3, e_4, e_5, e_6, e_7 = e
    f_0, f_1, f_2, f_3, f_4, f_5, f_6, f_7 = f
    for i in range(out.size):
        k_0, k_1, k_2, k_3, k_4, k_5, k_6, k_7 = s_0[i], s_1[i], s_2[i], s_3[i], s_4[i], s_5[i], s_6[i], s_7[i]
        first = y[i] + (b_0 * k_0 + b_1 * k_1 + b_2 * k_2 + b_3 * k_3)
        out[i] = first + (b_4 * k_4 + b_5 * k_5 + b_6 * k_6 + b_7 * k_7)
        one[i] = (e_0 * k_0 + e_1 * k_1 + e_2 * k_2 + e_3 * k_3) + (e_4 * k_4 + e_5 * k_5 + e_6 * k_6 + e_7 * k_7)
        two[i] = (f_0 * k_0 + f_1 * k_1 + f_2 * k_2 + f_3 * k_3) + (f_4 * k_4 + f_5 * k_5 + f_6 * k_6 + f_7 * k_7)


@kernel(nogil=True)
def finish(y, stages, used, weights, step, pieces, scale, out, largest, size, first, last):
    """out = y + step * sum_j weights_0j stages_j, and the largest |sum_j weights_ej stages_j| of the error estimates.

    Args:
        used: The stages with any weight, one at least.
        weights: (3, s): the method's, then those of two error estimates (0 for one that it does not have).
        pieces: (n, 2), parts of the state over each of which a maximum is taken.
        scale: What the error of each number of the state counts, or empty: all count whole.
        largest: (n, 2) is written; NaN where an entry is NaN.
        size: Numbers that are combined at a time.
        first, last: Pieces from `first` to before `last`.
    """
    sums, sizes = np.empty((2, size)), np.empty((2, size))
    n, j = used.size, _eight(used)
    b, e, f = _weights(weights[0], step, j, n), _weights(weights[1], 1.0, j, n), _weights(weights[2], 1.0, j, n)
    for piece in range(first, last):
        _clear(sizes[0])
        _clear(sizes[1])
        for start in range(pieces[piece, 0], pieces[piece, 1], size):
            here = slice(start, min(start + size, pieces[piece, 1]))
            part, one, two = out[here], sums[0, : here.stop - start], sums[1, : here.stop - start]
            _of_eight_thrice(
                y[here], stages[j[0], here], stages[j[1], here], stages[j[2], here], stages[j[3], here],
                stages[j[4], here], stages[j[5], here], stages[j[6], here], stages[j[7], here], b, e, f, part, one, two,
            )  # fmt: skip
            for k in range(8, n):
                stage = stages[used[k], here]
                _add(step * weights[0, used[k]], stage, part)
                _add(weights[1, used[k]], stage, one)
                _add(weights[2, used[k]], stage, two)
            for estimate in (one, two):
                if scale.size > 0:
                    _scale(scale[here], estimate)
            _keep_larger(one, sizes[0])
            _keep_larger(two, sizes[1])
        largest[piece, 0], largest[piece, 1] = _largest(sizes[0]), _largest(sizes[1])


@part()
def _scale(factors, x):
    """x_i *= factors_i."""
    for i in range(x.size):
        x[i] *= factors[i]


@part()
def _largest(x):
    """The largest of numbers >= 0; NaN where one is."""
    largest = 0.0
    for i in range(x.size):
        if x[i] > largest or np.isnan(x[i]):
            largest = x[i]
    return largest


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
