"""Compiled: what all kernels of the electrons do with rows of split complex numbers."""

# mypy: disallow_untyped_defs = False
from __future__ import annotations

from llgnegf._compile import REORDERED, part


@part(REORDERED)
def axpy(ar, ai, xr, xi, dr, di):
    """d += a x for split complex rows."""
    for c in range(dr.size):
        x_r, x_i = xr[c], xi[c]
        dr[c] += ar * x_r - ai * x_i
        di[c] += ar * x_i + ai * x_r
