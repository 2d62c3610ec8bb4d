"""A torque along the motion of its moment and across it: field-like and damping-like.

Beside `observables`, where torques come from; pure functions of arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from llgnegf._checks import Problems, as_numbers
from llgnegf._readable import Readable, readable

AT_REST = 1e-12
"""A moment slower than this part of the fastest one is at rest: its direction of motion is round-off."""


@dataclass(frozen=True, eq=False)
class TorqueComponents(Readable):
    """Components of a torque along the motion and across it, as `field_like_damping_like` returns them.

    Attributes
    ----------
    field_like, damping_like : ndarray, (..., N)
        T.e_FL and T.e_DL in eV.
    field_like_vector, damping_like_vector : ndarray, (..., N, 3)
        (T.e_FL) e_FL and (T.e_DL) e_DL in eV.

    Examples
    --------
    >>> parts = ln.field_like_damping_like([[0.0, 0.1, 0.2]], [[1.0, 0.0, 0.0]], [[0.0, 0.5, 0.0]])
    >>> print(parts.field_like, parts.damping_like)  # along dM/dt (y), along M x dM/dt (z)
    [0.1] [0.2]
    """

    field_like: np.ndarray
    damping_like: np.ndarray
    field_like_vector: np.ndarray
    damping_like_vector: np.ndarray


@readable
def field_like_damping_like(torque: Any, moments: Any, velocity: Any) -> TorqueComponents:
    """Torque split along dM/dt (field-like) and along M x dM/dt (damping-like).

    Parameters
    ----------
    torque : array_like, (..., N, 3)
        T in eV.
    moments : array_like, (..., N, 3)
        Unit vectors M.
    velocity : array_like, (..., N, 3)
        dM/dt in any unit; of a moment at rest all components are zero.

    Returns
    -------
    TorqueComponents
        T.e_FL and T.e_DL in eV, (..., N), with e_FL along dM/dt and e_DL along M x dM/dt, and as vectors.

    Raises
    ------
    ValueError
        For each argument of a wrong shape.

    Notes
    -----
    ::

        e_FL = dM/dt / |dM/dt|,    e_DL = M x dM/dt / |M x dM/dt|

    Examples
    --------
    >>> parts = ln.field_like_damping_like([[0.0, 0.1, 0.2]], [[1.0, 0.0, 0.0]], [[0.0, 0.5, 0.0]])
    >>> print(parts.damping_like_vector)
    [[0.  0.  0.2]]
    """
    problems = Problems("field_like_damping_like")
    t = checked_vectors(problems, "torque", torque, None)
    n_sites = None if t is None else t.shape[-2]
    m = checked_vectors(problems, "moments", moments, n_sites)
    v = checked_vectors(problems, "velocity", velocity, n_sites)
    check_leading_axes(problems, "moments", m, t)
    check_leading_axes(problems, "velocity", v, t)
    check_leading_axes(problems, "velocity", v, m)
    problems.raise_all()
    assert t is not None and m is not None and v is not None
    slow = AT_REST * np.linalg.norm(v, axis=-1).max(initial=0.0)
    along, across = _direction(v, slow), _direction(np.cross(m, v), slow)
    field_like, damping_like = (t * along).sum(axis=-1), (t * across).sum(axis=-1)
    return TorqueComponents(
        field_like, damping_like, field_like[..., None] * along, damping_like[..., None] * across
    )


def checked_vectors(problems: Problems, field: str, value: Any, n_sites: int | None) -> np.ndarray | None:
    """`value` as (..., N, 3), finite; None when it is not."""
    rows = "N" if n_sites is None else str(n_sites)
    allowed = f"finite vectors of shape (..., {rows}, 3)"
    array = as_numbers(value, float)
    if array is None:
        problems.add(field, value, allowed)
        return None
    fits = array.ndim >= 2 and array.shape[-1] == 3 and n_sites in (None, array.shape[-2])
    if not problems.check(fits, field, f"shape {array.shape}", allowed):
        return None
    return array if problems.check(bool(np.isfinite(array).all()), field, "holds NaN or inf", allowed) else None


def check_leading_axes(problems: Problems, field: str, array: np.ndarray | None, other: np.ndarray | None) -> None:
    """Note a mistake unless the leading axes of `array` broadcast with those of `other`."""
    if array is None or other is None:
        return
    try:
        np.broadcast_shapes(array.shape[:-2], other.shape[:-2])
    except ValueError:
        problems.add(field, f"shape {array.shape}", f"leading axes that broadcast with {other.shape[:-2]}")


def _direction(vectors: np.ndarray, slow: float) -> np.ndarray:
    """Unit vectors along `vectors`, zero where they are no longer than `slow`."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    moving = length > slow
    return np.where(moving, vectors / np.where(moving, length, 1.0), 0.0)
