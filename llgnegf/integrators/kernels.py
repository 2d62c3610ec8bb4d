"""Compiled arithmetic of steps: the end of a step with its error estimates, and what is kept of states."""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

import numpy as np

from llgnegf._compile import DISTINCT, FUSED, kernel, part
from llgnegf.equations.kernels.sums import BLOCK, add, clear, eight_weights, first_eight

PIECE = 32 * BLOCK
"""Numbers of a state whose errors are looked at together."""
SMALLEST = 1e-200
"""Numbers of a state below this are as good as 0; a step multiplies by far more than 1e-100, so none gets denormal."""


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


@kernel(nogil=True, allocates=True)
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
    n, j = used.size, first_eight(used)
    b = eight_weights(weights[0], step, j, n)
    e, f = eight_weights(weights[1], 1.0, j, n), eight_weights(weights[2], 1.0, j, n)
    for piece in range(first, last):
        clear(sizes[0])
        clear(sizes[1])
        for start in range(pieces[piece, 0], pieces[piece, 1], size):
            here = slice(start, min(start + size, pieces[piece, 1]))
            part, one, two = out[here], sums[0, : here.stop - start], sums[1, : here.stop - start]
            _of_eight_thrice(
                y[here], stages[j[0], here], stages[j[1], here], stages[j[2], here], stages[j[3], here],
                stages[j[4], here], stages[j[5], here], stages[j[6], here], stages[j[7], here], b, e, f, part, one, two,
            )  # fmt: skip
            for k in range(8, n):
                stage = stages[used[k], here]
                add(step * weights[0, used[k]], stage, part)
                add(weights[1, used[k]], stage, one)
                add(weights[2, used[k]], stage, two)
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
