"""Residues of matrix modes for which Gamma(E) >= 0 on the whole real axis, and the proof of it.
Used by `matrix_fit`; reduced units (support of Gamma [-2, 2]) and hbar = 1.

    Gamma(E) = i c (E - chi)^-1 w^dag + h.c.,      c and w (m, M)

Repair (passivity enforcement by perturbed residues: S. Grivet-Talocia, IEEE Trans. Circuits Syst. I 51, 1755
(2004)). At given poles and c, Gamma is linear in w: the smallest change of w in the norm of C(t) for which
v^dag Gamma(E) v is positive for all (E, v) at which it was not so far, and for which C(0) stays Hermitian, as
Gamma ~ 1/E would change its sign. What is left after some rounds is lifted: w + g c adds 2 g |Im chi| c c^dag/|E -
chi|^2 >= 0 of every mode.

Proof. det Gamma(E) = 0 for real E is a real eigenvalue of the pencil

    [[chi, 0, w^dag], [0, chi^*, c^dag], [c, -w, 0]] - E [[1, 0, 0], [0, 1, 0], [0, 0, 0]]

(the Hamiltonian matrix of the positive-real lemma): between neighbouring real ones no eigenvalue of Gamma changes
its sign.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import cho_factor, cho_solve, eigvals, solve_triangular

from llgnegf.poles.matrix_modes import MatrixModes

FLOOR = 1e-9
"""What v^dag Gamma v (1 + E^2) is lifted to, relative to the norm of C(0)."""
ROUNDS, FIRST = 40, 3
"""Rounds at most, and those after which a fit is asked whether it may still become good enough."""
MOST = 800
"""New inequalities in a round, at most."""
TOGETHER = 160
"""Inequalities whose multipliers are found together."""
LIFTS = 40
"""Times that what is negative is lifted by the nearest mode, before all modes are."""
BINDING = 1e-6
"""Multipliers above this part of the largest belong to inequalities that bind; at fine scales they are small."""
CONVERGED = 1e-8
"""Of the multipliers, where the largest inequality misses 1."""
ACCEPTED = 0.05
"""Part of the floor that is left alone."""
EVERY = 4
"""Of a stretch of negative grid points, so many are passed over."""
NEAR = 1e-3
"""An eigenvalue of the pencil this near to the axis, relative to the nearest mode, is looked at as a real one."""
FARTHEST = 1e5
"""Energies beyond are left to the expansion in 1/E."""


def passive(
    chi: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    triangle: np.ndarray,
    floor: float,
    hopeless: Callable[[np.ndarray], bool] = lambda right: False,
) -> np.ndarray | None:
    """w with Gamma > 0, certified, next to `right`; `triangle` R (M, M) gives the norm |R dw^dag|.

    v^dag Gamma v (1 + E^2) is lifted to `floor`. None as soon as one that is not positive yet is `hopeless`.
    """
    space = _Space(chi, left, triangle)
    start = space.hermitian(right)
    level = max(floor, FLOOR * float(np.linalg.norm(left @ start.conj().T, 2)))
    found, cuts = start, _Cuts(space, start, level)
    for number in range(ROUNDS):
        if number == FIRST and hopeless(found):
            return None
        energies, vectors = violations(MatrixModes(chi, left, found, 0.0), ACCEPTED * level)
        if not energies.size:
            break
        found = cuts.solved(found, energies, vectors)
    return _lifted(chi, left, found, level)


def _lifted(chi: np.ndarray, left: np.ndarray, right: np.ndarray, level: float) -> np.ndarray:
    """w + g c with Gamma > 0: g of those modes that do most where it is not, then of all."""
    for _ in range(LIFTS):
        modes = MatrixModes(chi, left, right, 0.0)
        energies, vectors = violations(modes, ACCEPTED * level)
        if not energies.size:
            break
        done = 2 * np.abs(vectors.conj() @ left) ** 2 * np.abs(chi.imag) / np.abs(energies[:, None] - chi) ** 2
        best = done.argmax(axis=1)
        missing = level / (1 + energies**2) - np.linalg.eigvalsh(_Gamma(modes)(energies))[:, 0]
        own = np.zeros(chi.size)
        np.maximum.at(own, best, missing / done[np.arange(best.size), best])
        right = right + own * left
    lift, lifted = 0.1 * level, right
    while not certified(chi, left, lifted):
        lift *= 2
        lifted = right + lift * left
    return lifted


def violations(modes: MatrixModes, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Energies near minima of the smallest eigenvalue of Gamma where it is below level/(1 + E^2), and all eigenvectors
    with eigenvalues below that.

    Minima on a grid that knows the widths of the modes, made more exact by golden sections; where these find nothing,
    between the real eigenvalues of the pencil.
    """
    gamma = _Gamma(modes)
    grid = _looked_at(modes)
    value = gamma.lowest(grid)
    minimum = (value[1:-1] <= value[2:]) & (value[1:-1] < value[:-2]) & (value[1:-1] < 0.5 * np.minimum(value[2:], 1.0))
    place = 1 + np.flatnonzero(minimum)
    stretch = np.flatnonzero(value < level)
    energies = gamma.minima(grid[place - 1], grid[place + 1], 8)
    found = gamma.below(np.unique(np.concatenate([energies, grid[stretch[::EVERY]]])), level)
    if found[0].size:
        return found
    roots = crossings(modes)
    distance = np.abs(roots[:, None] - modes.energies).min(axis=1)
    almost = (np.abs(roots.imag) < NEAR * distance) & (np.abs(roots) < FARTHEST)
    order = np.argsort(roots[almost].real)
    real, width = roots[almost].real[order], 0.02 * distance[almost][order]
    negative = np.flatnonzero(gamma.lowest(0.5 * (real[1:] + real[:-1])) < 0)
    low = np.concatenate([grid[place - 1], real - width, real[:-1][negative]])
    high = np.concatenate([grid[place + 1], real + width, real[1:][negative]])
    return gamma.below(np.unique(gamma.minima(low, high, 24)), level)


class _Gamma:
    """Gamma(E) of modes at many real energies."""

    def __init__(self, modes: MatrixModes) -> None:
        self.chi, self.size = modes.energies, modes.size
        self.products = (modes.left.T[:, :, None] * modes.right.T[:, None, :].conj()).reshape(self.chi.size, -1)

    def __call__(self, energies: np.ndarray) -> np.ndarray:
        sigma = (1j / (energies[:, None] - self.chi) @ self.products).reshape(-1, self.size, self.size)
        return sigma + sigma.conj().swapaxes(1, 2)

    def lowest(self, energies: np.ndarray) -> np.ndarray:
        """The smallest eigenvalue of Gamma (1 + E^2)."""
        return np.linalg.eigvalsh(self(energies))[:, 0] * (1 + energies**2)

    def minima(self, low: np.ndarray, high: np.ndarray, sections: int) -> np.ndarray:
        """Where that is least between each pair of energies."""
        ratio = 0.5 * (np.sqrt(5.0) - 1)
        inner = high - ratio * (high - low), low + ratio * (high - low)
        values = self.lowest(inner[0]), self.lowest(inner[1])
        for _ in range(sections):
            left = values[0] < values[1]
            low, high = np.where(left, low, inner[0]), np.where(left, inner[1], high)
            new = np.where(left, high - ratio * (high - low), low + ratio * (high - low))
            found = self.lowest(new)
            inner = np.where(left, new, inner[1]), np.where(left, inner[0], new)
            values = np.where(left, found, values[1]), np.where(left, values[0], found)
        return 0.5 * (low + high)

    def below(self, energies: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        """(E, v) of eigenvalues of Gamma (1 + E^2) below the level."""
        values, vectors = np.linalg.eigh(self(energies))
        which, state = np.nonzero(values * (1 + energies**2)[:, None] < level)
        return energies[which], vectors[which, :, state]


def _looked_at(modes: MatrixModes) -> np.ndarray:
    steps = np.concatenate([[0.0], np.geomspace(0.15, 8, 7)])
    chi = modes.energies
    near = chi.real[:, None] - chi.imag[:, None] * np.concatenate([-steps, steps[1:]])
    far = np.geomspace(3.0, FARTHEST, 60)
    return np.unique(np.concatenate([near.ravel(), np.linspace(-3, 3, 241), far, -far]))


class _Space:
    """Changes of w as Y (M, m), dw^dag = R^-1 Y, in which the norm of the change of C(t) is that of Y.

    C(0) changes by B Y, B = c R^-1. The smallest Y that changes its skew part by T is B^dag L with a skew L and
    (Q L + L Q)/2 = T, Q = B B^dag: solved in the eigenvectors of Q.
    """

    def __init__(self, chi: np.ndarray, left: np.ndarray, triangle: np.ndarray) -> None:
        self.chi, self.left = chi, left
        ridge = np.vstack([triangle, 1e-9 * np.linalg.norm(triangle, 2) * np.eye(chi.size)])
        self.triangle = np.linalg.qr(ridge)[1]
        start = self.turned(left)
        values, self.basis = np.linalg.eigh(start @ start.conj().T)
        self.start, self.sums = self.basis.conj().T @ start, 0.5 * (values[:, None] + values)

    def turned(self, rows: np.ndarray) -> np.ndarray:
        """rows R^-1."""
        return solve_triangular(self.triangle, rows.T, trans="T").T

    def moved(self, right: np.ndarray, change: np.ndarray) -> np.ndarray:
        """w for a change Y."""
        return right + solve_triangular(self.triangle, change).conj().T

    def skew(self, parts: np.ndarray) -> np.ndarray:
        """The Y that changes the skew part of C(0) by that of `parts`, given in the basis."""
        return self.start.conj().T @ (0.5 * (parts - parts.conj().T) / self.sums) @ self.basis.conj().T

    def hermitian(self, right: np.ndarray) -> np.ndarray:
        """The next w for which sum_y c_y w_y^dag is Hermitian."""
        for _ in range(2):
            rest = self.basis.conj().T @ self.left @ right.conj().T @ self.basis
            right = self.moved(right, -self.skew(rest))
        return right


class _Cuts:
    """Inequalities v^dag Gamma(E) v (1 + E^2) >= level, and the w nearest to `start` that fulfils them.

    Each is Re a^T Y v >= missing; its gradient is conj(a) v^dag without what makes C(0) skew. The multipliers u solve
    the dual problem: the least u^T G u/2 - missing^T u, u >= 0, G the Gram matrix of the gradients.
    """

    def __init__(self, space: _Space, start: np.ndarray, level: float) -> None:
        m, size = start.shape
        self.space, self.begin, self.level = space, start, level
        self.rows, self.vectors = np.zeros((0, size), complex), np.zeros((0, m), complex)
        self.skew, self.gram = np.zeros((0, 2 * m * m)), np.zeros((0, 0))
        self.energies, self.missing, self.u = np.zeros((3, 0))

    def _add(self, found: np.ndarray, energies: np.ndarray, vectors: np.ndarray) -> int:
        """The worst ones are taken; how many."""
        space, scale = self.space, 1 + energies**2
        outer = 1j * (vectors.conj() @ space.left) / (energies[:, None] - space.chi) * (2 * scale[:, None])
        now = np.einsum("ky,by,kb->k", outer, self.begin.conj(), vectors, optimize=True).real
        rows = space.turned(outer)
        size = np.linalg.norm(rows, axis=1)
        last = np.einsum("ky,by,kb->k", outer, found.conj(), vectors, optimize=True).real
        worst = np.argsort((last - self.level) / size)[:MOST]
        vectors = vectors[worst]
        rows = (rows / size[:, None])[worst]
        self.rows, self.vectors = np.concatenate([self.rows, rows]), np.concatenate([self.vectors, vectors])
        self.skew = np.concatenate([self.skew, self._skew_parts(rows, vectors)])
        self.gram = self._more_products(worst.size)
        self.missing = np.append(self.missing, ((self.level - now) / size)[worst])
        self.energies, self.u = np.append(self.energies, energies[worst]), np.append(self.u, np.zeros(worst.size))
        return worst.size

    def _skew_parts(self, rows: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """The skew parts of B conj(a) v^dag in the basis over the roots of `sums`, real parts first, (k, 2 m m)."""
        first = rows.conj() @ self.space.start.T
        parts = first[:, :, None] * (vectors.conj() @ self.space.basis)[:, None, :]
        parts = (0.5 * (parts - parts.conj().swapaxes(1, 2)) / np.sqrt(self.space.sums)).reshape(len(rows), -1)
        return np.hstack([parts.real, parts.imag])

    def _more_products(self, new: int) -> np.ndarray:
        """G with the rows and columns of the last `new` inequalities."""
        last = slice(len(self.rows) - new, None)
        more = ((self.rows[last] @ self.rows.conj().T) * (self.vectors[last] @ self.vectors.conj().T)).real
        more -= self.skew[last] @ self.skew.T
        gram = np.empty((len(self.rows), len(self.rows)))
        gram[: -new, : -new], gram[last], gram[: -new, last] = self.gram, more, more[:, :-new].T
        return gram

    def solved(self, found: np.ndarray, energies: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """w under the inequalities so far and new ones, of `found`; those that neither bind nor are new are dropped."""
        new = self._add(found, energies, vectors)
        u = by_parts(self.gram, self.missing, self.u, self.energies)
        change = (self.rows.conj() * u[:, None]).T @ self.vectors.conj()
        real, imaginary = (u @ self.skew).reshape(2, *self.space.sums.shape)
        change -= self.space.skew((real + 1j * imaginary) * np.sqrt(self.space.sums))
        keep = u > BINDING * u.max()
        keep[keep.size - new :] = True
        self.rows, self.vectors, self.skew, self.u = self.rows[keep], self.vectors[keep], self.skew[keep], u[keep]
        self.energies, self.missing, self.gram = self.energies[keep], self.missing[keep], self.gram[np.ix_(keep, keep)]
        return self.space.moved(self.begin, change)


def by_parts(gram: np.ndarray, missing: np.ndarray, u: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """`multipliers` of many inequalities from a guess u: of neighbours in energy, those of all others kept, in turn.

    Far from each other inequalities hardly know of each other, and a factorisation of n of them takes n^3.
    """
    if missing.size <= TOGETHER:
        return multipliers(gram, missing)
    u, order = u.copy(), np.argsort(energies, kind="stable")
    parts = np.array_split(order, -(-missing.size // TOGETHER))
    half = np.array_split(order[TOGETHER // 2 :], max(1, missing.size // TOGETHER))
    for part in (*parts, *half, *parts):
        own = gram[np.ix_(part, part)]
        rest = missing[part] - gram[part] @ u + own @ u[part]
        u[part] = multipliers(own, rest) if rest.max() > 0 else 0.0
    return u


def multipliers(gram: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """The u >= 0 of least u^T G u/2 - missing^T u, by a primal-dual interior-point method.

    S. Mehrotra, SIAM J. Optim. 2, 575 (1992): each step is one Cholesky factorisation. Inequalities that are nearly
    the same, which stop active-set methods, do no harm.
    """
    n, unit = missing.size, max(float(np.abs(missing).max()), 1e-300)
    gram, goal = gram + 1e-13 * np.trace(gram) / n * np.eye(n), missing / unit
    u = np.full(n, n**-0.5)
    slack = np.maximum(gram @ u - goal, 0.1)
    for _ in range(60):
        rest, gap = gram @ u - goal - slack, u @ slack / n
        if gap < CONVERGED and np.abs(rest).max() < CONVERGED:
            break
        try:
            factor = cho_factor(gram + np.diag(slack / u), check_finite=False)
        except np.linalg.LinAlgError:  # inequalities so nearly the same that rounding decides: near enough
            break
        target, part = u * slack, 1.0
        for last in (False, True):  # to the solution, then with what that teaches of the curvature
            du = cho_solve(factor, -rest - target / u, check_finite=False)
            ds = -(target + slack * du) / u
            part = min(1.0, *(float(np.min(-x[d < 0] / d[d < 0], initial=np.inf)) for x, d in ((u, du), (slack, ds))))
            if not last:
                after = float((u + part * du) @ (slack + part * ds)) / n
                target = target + du * ds - (after / gap) ** 3 * gap
        u, slack = u + 0.99 * part * du, slack + 0.99 * part * ds
    return np.asarray(u * unit)


def certified(chi: np.ndarray, left: np.ndarray, right: np.ndarray) -> bool:
    """Whether Gamma > 0 on the whole real axis.

    Gamma is looked at where the pencil has an eigenvalue that is real but for rounding, between each two of these and
    beyond the last; where it is positive at all of them, it is positive everywhere.
    """
    modes = MatrixModes(chi, left, right, 0.0)
    reach = float(np.abs(chi).max())
    if np.any(_Gamma(modes).lowest(_looked_at(modes)) <= 0):
        return False
    roots = crossings(modes)
    distance = np.abs(roots[:, None] - chi).min(axis=1)
    near = np.sort(roots[np.abs(roots.imag) < NEAR * distance].real)
    near = near[np.abs(near) < 1e6 * reach]
    between = 0.5 * (near[1:] + near[:-1])
    ends = np.array([-1e6, -1e4, -30.0, 30.0, 1e4, 1e6]) * reach
    return bool(np.all(_Gamma(modes).lowest(np.concatenate([near, between, ends])) > 0))


def crossings(modes: MatrixModes) -> np.ndarray:
    """Energies, complex in general, at which det Gamma = 0: eigenvalues of the pencil, by 1/(E - E_0) with a real E_0.

    Without the infinite ones: with S = diag(chi, chi^*), G = (w^dag; c^dag), F = (c, -w) the matrix
    (S - E_0)^-1 - (S - E_0)^-1 G [F (S - E_0)^-1 G]^-1 F (S - E_0)^-1 has the eigenvalues 1/(E - E_0) and zeros.
    """
    grid = np.linspace(-1.9, 1.9, 77)
    lowest = np.linalg.eigvalsh(_Gamma(modes)(grid))
    origin = grid[int(np.argmax(lowest[:, 0] / lowest[:, -1]))]
    inverse = 1 / (np.concatenate([modes.energies, modes.energies.conj()]) - origin)
    right = np.concatenate([modes.right.conj().T, modes.left.conj().T])
    left = np.hstack([modes.left, -modes.right])
    middle = (left * inverse) @ right
    matrix = np.diag(inverse) - (inverse[:, None] * right) @ np.linalg.solve(middle, left * inverse)
    values = eigvals(matrix, check_finite=False)
    values = values[np.abs(values) > 1e-12 * np.abs(values).max()]
    return origin + 1 / values
