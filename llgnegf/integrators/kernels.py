"""Compiled arithmetic of steps: states, stages and error estimates combined while they are in the nearest cache."""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

import numpy as np

from llgnegf._compile import FUSED, kernel, part

BLOCK, LARGE_BLOCK = 1024, 32768
"""Numbers of a state that are combined at a time, so that they stay in the nearest cache; of a state that comes from
main memory, whose many vectors are read faster in longer stretches."""
PIECE = 64 * BLOCK
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


@kernel(nogil=True)
def combine(y, stages, weights, step, out, size, first, last):
    """out = y + step * sum_j weights_j stages_j on the blocks of `size` from number `first` to before `last`."""
    used = np.flatnonzero(weights)
    for block in range(first, last):
        start = block * size
        part = out[start : min(start + size, y.size)]
        _copy(y[start : start + part.size], part)
        _add_stages(stages, used, weights, step, start, part)


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
            _copy(y[start:stop], part)
            _add_stages(stages, used, weights[k], step, start, part)


@part(FUSED)
def _add_four_thrice(u, v, w, x, b, e, f, y, first, second):
    """Four stages into the new state and into both error estimates: each is loaded once."""
    b_u, b_v, b_w, b_x = b
    e_u, e_v, e_w, e_x = e
    f_u, f_v, f_w, f_x = f
    for i in range(y.size):
        y[i] += b_u * u[i] + b_v * v[i] + b_w * w[i] + b_x * x[i]
        first[i] += e_u * u[i] + e_v * v[i] + e_w * w[i] + e_x * x[i]
        second[i] += f_u * u[i] + f_v * v[i] + f_w * w[i] + f_x * x[i]


@kernel(nogil=True)
def finish(y, stages, used, weights, step, pieces, scale, out, largest, size, first, last):
    """out = y + step * sum_j weights_0j stages_j, and the largest |sum_j weights_ej stages_j| of the error estimates.

    Args:
        used: The stages with any weight.
        weights: (3, s): the method's, then those of two error estimates (0 for one that it does not have).
        pieces: (n, 2), parts of the state over each of which a maximum is taken.
        scale: What the error of each number of the state counts, or empty: all count whole.
        largest: (n, 2) is written; NaN where an entry is NaN.
        size: Numbers that are combined at a time.
        first, last: Pieces from `first` to before `last`.
    """
    sums, sizes = np.empty((2, size)), np.empty((2, size))
    fours = used.size // 4 * 4
    for n in range(first, last):
        _clear(sizes[0])
        _clear(sizes[1])
        for start in range(pieces[n, 0], pieces[n, 1], size):
            here = slice(start, min(start + size, pieces[n, 1]))
            part, one, two = out[here], sums[0, : here.stop - start], sums[1, : here.stop - start]
            _copy(y[here], part)
            _clear(one)
            _clear(two)
            for k in range(0, fours, 4):
                i, j, p, q = used[k], used[k + 1], used[k + 2], used[k + 3]
                b, e, f = step * weights[0], weights[1], weights[2]
                _add_four_thrice(
                    stages[i, here], stages[j, here], stages[p, here], stages[q, here],
                    (b[i], b[j], b[p], b[q]), (e[i], e[j], e[p], e[q]), (f[i], f[j], f[p], f[q]), part, one, two,
                )  # fmt: skip
            for k in range(fours, used.size):
                j = used[k]
                _add(step * weights[0, j], stages[j, here], part)
                _add(weights[1, j], stages[j, here], one)
                _add(weights[2, j], stages[j, here], two)
            for e in range(2):
                if scale.size > 0:
                    _scale(scale[here], sums[e, : part.size])
                _keep_larger(sums[e, : part.size], sizes[e])
        for e in range(2):
            largest[n, e] = _largest(sizes[e])


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
