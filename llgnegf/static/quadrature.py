"""Adaptive Gauss-Kronrod integration of array-valued functions, all energies of one level in one batch.

Knows nothing of physics; `contour` and `window` bring their integrands and their variables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# Gauss-Kronrod 7-15 (QUADPACK, qk15): the Kronrod nodes are exact up to degree 22, the Gauss nodes up to degree 13.
_HALF_NODES = np.array([
    0.991455371120812639206854697526329, 0.949107912342758524526189684047851,
    0.864864423359769072789712788640926, 0.741531185599394439863864773280788,
    0.586087235467691130294144845258000, 0.405845151377397166906606412076961,
    0.207784955007898467600689403773245,
])  # fmt: skip
_HALF_KRONROD = np.array([
    0.022935322010529224963732008058970, 0.063092092629978553290700663189204,
    0.104790010322250183839876322541518, 0.140653259715525918745189590510238,
    0.169004726639267902826583426598550, 0.190350578064785409913256402421014,
    0.204432940075298892414161999234649,
])  # fmt: skip
_HALF_GAUSS = np.array([
    0.0, 0.129484966168869693270611432679082, 0.0, 0.279705391489276667901467771423780,
    0.0, 0.381830050505118944950369775488975, 0.0,
])  # fmt: skip
NODES = np.concatenate([-_HALF_NODES, [0.0], _HALF_NODES[::-1]])
KRONROD_WEIGHTS = np.concatenate([_HALF_KRONROD, [0.209482141084727828012999174891714], _HALF_KRONROD[::-1]])
GAUSS_WEIGHTS = np.concatenate([_HALF_GAUSS, [0.417959183673469387755102040816327], _HALF_GAUSS[::-1]])

BATCH_BYTES = 30e6
"""Size that one batch of matrices may have; the temporaries of one call are a few times that."""
MAX_NODES = 400_000
"""Integrand evaluations after which an integral is given up."""
MAX_LEVELS = 80
"""Bisections of one segment after which an integral is given up."""

NEGLIGIBLE = 0.01
"""Part of the tolerance that all segments together may hold that are left out of a sum of whole matrices."""

Integrand = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""f(panel (n,) int, u (n,) float) -> (n, ...): the integrand in the variable u of that panel."""


class QuadratureError(ArithmeticError):
    """An integral did not reach its tolerance; the message states the error that was reached.

    Raised by `RotatingFrame`, `ResponseTensors` and `Transport`; a larger tolerance or kT, or a lead that reaches the
    level in question, helps.

    Examples
    --------
    >>> issubclass(ln.QuadratureError, ArithmeticError)
    True
    """


@dataclass(frozen=True)
class Integral:
    """Value (...), estimated absolute error (largest entry), and number of integrand evaluations."""

    value: np.ndarray
    error: float
    evaluations: int


@dataclass(frozen=True)
class Sampled:
    """An integrand too large to be looked at.

    Attributes:
        sample: (variables (n,) ...) -> (n, ...), small: what shows the errors.
        total: (variables (n,) ..., factors (n,)) -> sum of factors times the whole, (...), which may share work between
            the points. None where the sample is the whole.
    """

    sample: Callable[..., np.ndarray]
    total: Callable[..., np.ndarray] | None = None

    @classmethod
    def of(cls, function: Callable[..., np.ndarray] | Sampled) -> Sampled:
        """A function that is looked at as it is, or what is an integrand already."""
        return function if isinstance(function, Sampled) else cls(function)

    def at(self, *variables: np.ndarray) -> np.ndarray:
        """The whole (...) at a single point."""
        return self.summed(*variables, np.ones(1))

    def summed(self, *variables: np.ndarray) -> np.ndarray:
        """`total`, whatever gives it."""
        if self.total is not None:
            return self.total(*variables)
        return scaled(self.sample(*variables[:-1]), variables[-1]).sum(axis=0)

    def along(
        self, line: Callable[..., tuple[np.ndarray, ...]],
        after: Callable[[np.ndarray], np.ndarray] = lambda values: values,
    ) -> Sampled:  # fmt: skip
        """In new variables, of which `line` makes the old ones and a weight; `after` is the linear map taken last."""

        def sample(*new: np.ndarray) -> np.ndarray:
            *variables, weight = line(*new)
            return after(scaled(self.sample(*variables), weight))

        def total(*new: np.ndarray) -> np.ndarray:
            *variables, weight = line(*new[:-1])
            return after(self.summed(*variables, new[-1] * weight))

        return Sampled(sample, None if self.total is None else total)


def segments(ends: np.ndarray) -> np.ndarray:
    """Segments between neighbouring `ends` (m + 1,) of panel 0, (m, 3)."""
    return np.stack([np.zeros(len(ends) - 1), ends[:-1], ends[1:]], axis=1)


def scaled(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`values` times one weight for each energy, in place: they are large."""
    values *= weights.reshape((-1,) + (1,) * (values.ndim - 1))
    return values


def batch_size(n_entries: int) -> int:
    """How many energies fit into one batch, for `n_entries` complex numbers at each energy (at least one rule)."""
    return max(NODES.size, int(BATCH_BYTES / (16 * max(n_entries, 1))))


def integrate(
    function: Integrand | Sampled, segments: np.ndarray, tolerance: float, n_entries: int, what: str = "integral",
    relative: float = 0.0,
) -> Integral:  # fmt: skip
    """int f over all `segments`, bisecting those whose error counts until the sum of errors is <= `tolerance`.

    At each level every open segment is evaluated in one batch (cut only to bound the memory). The segments of
    smallest error whose sum fits into half of the budget left are closed, the others are bisected, so that the
    accepted errors can never exceed the budget. Error of a segment: QUADPACK's estimate
    s min[1, (200 |K15 - G7|/s)^(3/2)], s = int |f - mean f|, in the largest entry. What is only sampled is summed over
    all nodes in the end, but those of segments on which next to nothing is (`NEGLIGIBLE`).

    Args:
        function: Integrand, see `Integrand`, or samples of one.
        segments: (m, 3): panel number, lower and upper end in the panel's own variable u.
        tolerance: Absolute error allowed in the largest entry, > 0.
        n_entries: Complex numbers that the integrand handles at one energy; bounds the batch.
        what: Name of the integral for the error message.
        relative: Error allowed instead if it is larger, over the largest entry of the integral.

    Raises:
        QuadratureError: When MAX_NODES evaluations or MAX_LEVELS bisections do not suffice, or round-off stops them.
    """
    pending, integrand = np.asarray(segments, dtype=float).reshape(-1, 3), Sampled.of(function)
    value: np.ndarray | float = 0.0
    error, evaluations, absolute = 0.0, 0, tolerance
    history: list[tuple[int, float]] = []
    done, batch = [np.zeros((0, 4))], batch_size(n_entries)
    while len(pending):
        values, errors, sizes = _apply_rule(integrand.sample, pending, batch)
        evaluations += pending.shape[0] * NODES.size
        if not np.isfinite(errors).all():
            raise QuadratureError(f"{what}: the integrand is not finite (a level without width on the path?)")
        if relative > 0:
            tolerance = max(absolute, relative * float(np.abs(value + values.sum(axis=0)).max(initial=0.0)))
        closed = _affordable(errors, tolerance - error)
        value = value + values[closed].sum(axis=0)
        done.append(np.column_stack([pending, sizes])[closed])
        error += float(errors[closed].sum())
        reached = error + float(errors[~closed].sum())
        pending = _bisect(pending[~closed])
        history.append((len(pending), reached))
        if len(pending) and _is_hopeless(history, evaluations):
            raise QuadratureError(
                f"{what}: reached an error of {reached:.2e} after {evaluations} energies; asked for {tolerance:.2e}"
            )
    if integrand.total is not None:
        value = _sum(integrand.total, np.concatenate(done), NEGLIGIBLE * tolerance, batch)
    return Integral(np.asarray(value), error, evaluations)


def _sum(total: Callable[..., np.ndarray], segments: np.ndarray, negligible: float, batch: int) -> np.ndarray:
    """`total` over the Kronrod nodes of segments (m, 4), whose last column is their size, but the smallest ones."""
    segments = segments[np.argsort(segments[:, 3])]
    small = np.cumsum(segments[:, 3]) <= negligible
    small[-1] = False
    kept = segments[~small]
    middle, half = kept[:, 1:3].mean(axis=1), 0.5 * (kept[:, 2] - kept[:, 1])
    u, weights = (middle[:, None] + half[:, None] * NODES).ravel(), (half[:, None] * KRONROD_WEIGHTS).ravel()
    panel = np.repeat(kept[:, 0].astype(int), NODES.size)
    parts = [slice(start, start + batch) for start in range(0, u.size, batch)]
    value = total(panel[parts[0]], u[parts[0]], weights[parts[0]])
    for part in parts[1:]:
        value += total(panel[part], u[part], weights[part])
    return value


def _apply_rule(function: Integrand, segments: np.ndarray, batch: int) -> tuple[np.ndarray, ...]:
    """Kronrod value (m, ...), error (m,) and bound of int |f| (m,) of each segment."""
    panel = segments[:, 0].astype(int)
    middle, half = segments[:, 1:].mean(axis=1), 0.5 * (segments[:, 2] - segments[:, 1])
    values, errors, sizes = [], [], []
    step = max(1, batch // NODES.size)
    for start in range(0, len(segments), step):
        part = slice(start, start + step)
        u = middle[part, None] + half[part, None] * NODES
        f = function(np.repeat(panel[part], NODES.size), u.ravel())
        f = f.reshape(u.shape + f.shape[1:])
        kronrod = np.tensordot(f, KRONROD_WEIGHTS, axes=(1, 0))
        gauss = np.tensordot(f, GAUSS_WEIGHTS, axes=(1, 0))
        spread = np.tensordot(np.abs(f - 0.5 * kronrod[:, None]), KRONROD_WEIGHTS, axes=(1, 0))
        width = half[part].reshape((-1,) + (1,) * (f.ndim - 2))
        values.append(kronrod * width)
        errors.append(half[part] * _error_estimate(kronrod - gauss, spread))
        sizes.append(half[part] * (_largest(spread) + _largest(np.abs(kronrod))))
    return np.concatenate(values), np.concatenate(errors), np.concatenate(sizes)


def _error_estimate(difference: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """QUADPACK's estimate in the largest entry of each segment, (m,)."""
    raw, scale = _largest(np.abs(difference)), _largest(spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        sharpened = scale * np.minimum(1.0, (200 * raw / scale) ** 1.5)
    return np.where(raw == 0, 0.0, sharpened)


def _largest(values: np.ndarray) -> np.ndarray:
    return np.asarray(values.max(axis=tuple(range(1, values.ndim)), initial=0.0))


def _affordable(errors: np.ndarray, budget: float) -> np.ndarray:
    """Mask of the segments that may be closed: all if they fit the budget, else the best ones within half of it."""
    if errors.sum() <= budget:
        return np.ones(errors.size, dtype=bool)
    order = np.argsort(errors)
    mask = np.zeros(errors.size, dtype=bool)
    mask[order] = np.cumsum(errors[order]) <= 0.5 * budget
    return mask


def _is_hopeless(history: list[tuple[int, float]], evaluations: int) -> bool:
    """Whether the bounds on energies and bisections are reached, or round-off is."""
    too_many = evaluations + history[-1][0] * NODES.size > MAX_NODES or len(history) == MAX_LEVELS
    return too_many or _stagnates(history)


def _stagnates(history: list[tuple[int, float]]) -> bool:
    """True when six bisections of nearly every segment have not even halved the error: round-off."""
    if len(history) < 7:
        return False
    (count_before, error_before), (count, error) = history[-7], history[-1]
    return count >= 32 * count_before and error > 0.5 * error_before


def _bisect(segments: np.ndarray) -> np.ndarray:
    middle = segments[:, 1:].mean(axis=1)
    left, right = segments.copy(), segments.copy()
    left[:, 2], right[:, 1] = middle, middle
    return np.concatenate([left, right])
