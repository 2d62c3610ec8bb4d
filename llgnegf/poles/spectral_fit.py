"""Numerics of rational spectral densities that cannot be negative: product form, roots, proof of the sign.
Used by coupling.py at run time and by validation/semicircle_table.py, which makes the table of the chain lead.

A broadening of M damped modes is written as a product of squares,

    Gamma(E) = g prod_j (E - x_j)^2 / prod_y |E - chi_y|^2,      g > 0, Im chi_y < 0,

so that Gamma >= 0 on the real axis whatever the parameters are, and it is smooth in all of them, also where it touches
zero, which is what the best fits do all over the region outside a band.  The weights follow from the residues,
i b_y = Res Gamma(chi_y).  Units here: hbar = 1, any unit of energy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvals

Real = NDArray[Any]
"""An array of float64."""
Complex = NDArray[Any]
"""An array of complex128."""

FLOOR = 1e-13
"""Floor under Gamma relative to the total weight, above the rounding of weights (1e-15) that it has to outweigh; a
level outside the band decays by it, 1e-9 of its occupation in 1e4 hbar/eV."""


def product_weights(poles: Complex, zeros: Real, log_gain: float) -> Complex:
    """Weights b_y = -i Res Gamma(chi_y) of the product form; poles (M,), double zeros x_j (m,), m < M."""
    numerator = (poles[:, None] - zeros) ** 2
    between = poles[:, None] - poles[None, :]
    np.fill_diagonal(between, 1.0)
    across = poles[:, None] - poles.conj()[None, :]
    log_residue = log_gain + np.log(numerator).sum(1) - np.log(between).sum(1) - np.log(across).sum(1)
    return -1j * np.exp(log_residue)


def product_weights_jacobian(poles: Complex, zeros: Real) -> tuple[Complex, Complex, Complex]:
    """Derivatives of log b_y by chi_x and chi_x^* (M, M), and by x_j (M, m)."""
    by_zero = -2 / (poles[:, None] - zeros)
    between = poles[:, None] - poles[None, :]
    np.fill_diagonal(between, np.inf)
    across = 1.0 / (poles[:, None] - poles.conj()[None, :])
    by_pole = 1.0 / between
    np.fill_diagonal(by_pole, -by_zero.sum(1) - by_pole.sum(1) - across.sum(1))
    return by_pole, across, by_zero


def broadening_of(energy: Complex | Real, poles: Complex, weights: Complex) -> Complex:
    """sum_y [i b_y/(E - chi_y) - i b_y^*/(E - chi_y^*)], continued to complex E; any shape of E."""
    z = np.asarray(energy, complex)[..., None]
    return (1j * weights / (z - poles) - 1j * weights.conj() / (z - poles.conj())).sum(-1)


def numerator_roots(poles: Complex, weights: Complex) -> Complex:
    """Zeros of Gamma in the complex plane, from the arrowhead pencil of its partial fractions.

    det [[0, s^T], [s, diag(p) - E]] = -prod_j (p_j - E) sum_j s_j^2/(p_j - E), p over chi and chi^*, s^2 the residues.
    Needs no polynomial coefficients, hence keeps roots that crowd at a band edge.  Far, meaningless roots (the
    pencil's infinite eigenvalues) are left out.
    """
    p = np.concatenate([poles, poles.conj()])
    s = np.sqrt(np.concatenate([1j * weights, -1j * weights.conj()]))
    matrix = np.diag(np.concatenate([[0], p])).astype(complex)
    matrix[0, 1:] = matrix[1:, 0] = s
    metric = np.eye(len(p) + 1)
    metric[0, 0] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = eigvals(matrix, metric)
    return roots[np.isfinite(roots) & (np.abs(roots) < 1e3 * np.abs(p).max())]


def smallest_margin(poles: Complex, weights: Complex) -> float:
    """Proof that Gamma > 0 on the whole real axis; returns the smallest of its minima next to the real axis.

    Gamma changes sign only at real roots of its numerator, and a true real root lies next to a computed one.  Every
    computed root near the axis belongs to a minimum of Gamma on the axis, which Newton's method on Gamma' finds; the
    minimum must exceed the rounding of its own evaluation.  Beyond all poles the expansion in 1/E decides (there a
    coefficient of 1/E, zero for a symmetric sum of modes, counts as zero when it is mere rounding).
    Raises ValueError with the place and value where this fails.
    """
    radius = _positive_beyond(poles, weights)
    roots = numerator_roots(poles, weights)
    distance = np.abs(roots[:, None] - poles).min(1)
    near = (np.abs(roots.imag) < 1e-2 * distance) & (np.abs(roots.real) < radius)
    energy, width = roots[near].real, distance[near]
    for _ in range(5):
        pairs = (energy[:, None] - poles, energy[:, None] - poles.conj())
        slope = -(1j * weights / pairs[0] ** 2).sum(1) + (1j * weights.conj() / pairs[1] ** 2).sum(1)
        curvature = 2 * (1j * weights / pairs[0] ** 3).sum(1) - 2 * (1j * weights.conj() / pairs[1] ** 3).sum(1)
        step = np.where(curvature.real > 0, slope.real / np.where(curvature.real > 0, curvature.real, 1), 0.0)
        energy = energy - np.clip(step, -0.1 * width, 0.1 * width)
    value = broadening_of(energy, poles, weights).real
    rounding = 4 * np.finfo(float).eps * np.abs(weights / (energy[:, None] - poles)).sum(1)
    if np.any(value <= rounding):
        worst = np.argmin(value - rounding)
        raise ValueError(f"broadening: Gamma({energy[worst]:.12g}) = {value[worst]:.3g}; allowed: Gamma > 0 everywhere")
    return float(value.min(initial=np.inf))


def _positive_beyond(poles: Complex, weights: Complex) -> float:
    """A radius with Gamma > 0 for |E| > radius.

    Gamma E^2 = m_1 + m_2/E + m_3/E^2 + rest,   m_k = -2 Im sum_y b_y chi_y^k.
    """
    m = [-2 * float(np.sum(weights * poles**k).imag) for k in range(4)]
    largest = float(np.abs(poles).max())
    if abs(m[0]) > 1e-14 * np.abs(weights).sum():
        raise ValueError(f"broadening: Gamma ~ {m[0]:.3g}/E at large E; allowed: Gamma > 0 everywhere")
    for radius in largest * 2.0 ** np.arange(3, 26):
        u = 1 / radius
        rest = 2 * float(np.sum(np.abs(weights) * np.abs(poles) ** 4)) / (1 - largest * u)
        a = m[3] - rest * u  # m_3 - rest |u| >= a; m_1 + m_2 u + a u^2 is smallest at -m_2/2a or at the ends
        inside = m[1] - m[2] ** 2 / (4 * a) if a > 0 and abs(m[2]) < 2 * a * u else m[1]
        if min(inside, m[1] - abs(m[2]) * u + a * u * u, m[1]) > 0:
            return float(radius)
    raise ValueError(f"broadening: Gamma ~ {m[1]:.3g}/E^2 at large E; allowed: Gamma > 0 everywhere")
