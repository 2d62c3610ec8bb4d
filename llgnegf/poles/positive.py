"""Residues of matrix modes for which Gamma(E) >= 0 on the whole real axis, and the proof of it.
Used by `matrix_fit`; reduced units (support of Gamma [-2, 2]) and hbar = 1.

    Gamma(E) = i c (E - chi)^-1 w^dag + h.c.,      c and w (m, M)

Repair (passivity enforcement by perturbed residues: S. Grivet-Talocia, IEEE Trans. Circuits Syst. I 51, 1755
(2004)). At given poles and c, Gamma is linear in w: the smallest change of w in the norm of C(t) for which
v^dag Gamma(E) v is positive for all (E, v) at which it was not so far, and for which C(0) stays Hermitian, as
Gamma ~ 1/E would change its sign.

Proof. det Gamma(E) = 0 for real E is a real eigenvalue of the pencil

    [[chi, 0, w^dag], [0, chi^*, c^dag], [c, -w, 0]] - E [[1, 0, 0], [0, 1, 0], [0, 0, 0]]

(the Hamiltonian matrix of the positive-real lemma): between neighbouring real ones no eigenvalue of Gamma changes
its sign.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from scipy.linalg import eigvals, solve_triangular

from llgnegf.poles.matrix_modes import MatrixModes

FLOOR = 1e-9
"""What v^dag Gamma v (1 + E^2) is lifted to, relative to the norm of C(0)."""
ROUNDS = 30
PATIENCE, HARDER = 15, 1.15
"""Rounds after which Gamma is lifted higher in every one, and the factor."""
KEPT = 3
"""Rounds after which an inequality that did not bind is dropped."""
ACCEPTED = 0.05
"""Part of the floor that is left alone."""
RIDGES = (1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8)
"""Added to the Gram matrix of the inequalities, the first one that works."""
BROAD = 3.0
"""Width of the modes that are added at last."""
EVERY = 4
"""Of a stretch of negative grid points, so many are passed over."""
NEAR = 1e-3
"""An eigenvalue of the pencil this near to the axis, relative to the nearest mode, is looked at as a real one."""
FARTHEST = 1e5
"""Energies beyond are left to the expansion in 1/E."""


def passive(
    chi: np.ndarray, left: np.ndarray, right: np.ndarray, triangle: np.ndarray, floor: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """chi, c and w with Gamma > 0, certified, next to those given.

    By `nonnegative`; where that leaves violations, with m broad modes more, Gamma rises by 2 BROAD g/(E^2 + BROAD^2)
    in all directions, g as large as it takes.
    """
    right = nonnegative(chi, left, right, triangle, floor)
    if certified(chi, left, right):
        return chi, left, right
    one, lift = np.eye(len(left)), floor
    broad = np.append(chi, np.full(len(left), -1j * BROAD))
    while True:
        found = np.hstack([left, lift * one]), np.hstack([right, one])
        if certified(broad, *found):
            return broad, *found
        lift *= 2


def nonnegative(
    chi: np.ndarray, left: np.ndarray, right: np.ndarray, triangle: np.ndarray, floor: float
) -> np.ndarray:
    """w with Gamma >= 0 at every energy looked at, next to `right`; `triangle` R (M, M) gives the norm |R dw^dag|.

    v^dag Gamma v (1 + E^2) is lifted to `floor`.
    """
    ridge = np.vstack([triangle, 1e-9 * np.linalg.norm(triangle, 2) * np.eye(chi.size)])
    space = _Space(chi, left, np.linalg.qr(ridge)[1])
    start = space.hermitian(right)
    level = max(floor, FLOOR * float(np.linalg.norm(left @ start.conj().T, 2)))
    energies, vectors = np.zeros(0), np.zeros((0, left.shape[0]), complex)
    found, age = start, np.zeros(0, int)
    for number in range(ROUNDS):
        new, directions = violations(MatrixModes(chi, left, found, 0.0), ACCEPTED * level)
        if not new.size:
            break
        energies, vectors = np.append(energies, new), np.concatenate([vectors, directions])
        found, binding = space.lifted(start, energies, vectors, level * HARDER ** max(0, number - PATIENCE))
        age = np.where(binding, 0, np.append(age, np.zeros(new.size, int)) + 1)
        energies, vectors, age = energies[age < KEPT], vectors[age < KEPT], age[age < KEPT]
    return found


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
        for _ in range(sections):
            first, second = high - ratio * (high - low), low + ratio * (high - low)
            left = self.lowest(first) < self.lowest(second)
            low, high = np.where(left, low, first), np.where(left, second, high)
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
    """w as real vectors y, w^dag = w_0^dag + R^-1 y, in which the norm of the change of C(t) is that of y."""

    def __init__(self, chi: np.ndarray, left: np.ndarray, triangle: np.ndarray) -> None:
        self.chi, self.left, self.triangle = chi, left, triangle
        m = left.shape[0]
        basis = np.eye(m)[:, None, :, None] * np.eye(m)[None, :, None, :]
        pairs = basis.reshape(m * m, m, m)
        symmetric = pairs + pairs.swapaxes(1, 2)
        skew = 1j * (pairs - pairs.swapaxes(1, 2))
        upper = np.triu_indices(m)
        index = upper[0] * m + upper[1]
        strict = np.ravel_multi_index(np.triu_indices(m, 1), (m, m))
        hermitian = np.concatenate([symmetric[index], skew[strict]])
        rows = self._turned((hermitian @ left).reshape(-1, chi.size)).reshape(-1, m, chi.size)
        self.equations = self._real(-1j * rows.swapaxes(1, 2))
        self._normal = np.linalg.qr(self.equations.T)[0]

    def _turned(self, rows: np.ndarray) -> np.ndarray:
        """rows R^-1."""
        return solve_triangular(self.triangle, rows.T, trans="T").T

    def _real(self, coefficients: np.ndarray) -> np.ndarray:
        """Rows of y -> Re sum coefficients_yb Y_yb, coefficients (k, M, m)."""
        flat = coefficients.reshape(len(coefficients), -1)
        return np.hstack([flat.real, -flat.imag])

    def _w(self, start: np.ndarray, y: np.ndarray) -> np.ndarray:
        half = y.size // 2
        change = (y[:half] + 1j * y[half:]).reshape(self.chi.size, -1)
        return start + solve_triangular(self.triangle, change).conj().T

    def hermitian(self, right: np.ndarray) -> np.ndarray:
        """The next w for which sum_y c_y w_y^dag is Hermitian."""
        for _ in range(2):
            x = (self.triangle @ right.conj().T).ravel()
            rest = self.equations @ np.concatenate([x.real, x.imag])
            right = self._w(right, -np.linalg.lstsq(self.equations, rest, rcond=None)[0])
        return right

    def lifted(
        self, start: np.ndarray, energies: np.ndarray, vectors: np.ndarray, level: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """The w nearest to `start` with v^dag Gamma(E) v >= level/(1 + E^2) at these (E, v), and where it is equal."""
        from scipy.optimize import nnls

        outer = 1j * (vectors.conj() @ self.left) / (energies[:, None] - self.chi)
        scale = 1 + energies**2
        now = 2 * np.einsum("ky,by,kb->k", outer, start.conj(), vectors).real * scale
        rows = 2 * scale[:, None] * self._real(self._turned(outer)[:, :, None] * vectors[:, None, :])
        rows -= (rows @ self._normal) @ self._normal.T
        size = np.linalg.norm(rows, axis=1)
        rows, missing = rows / size[:, None], (level - now) / size
        unit = max(float(np.abs(missing).max()), 1e-300)
        gram, goal = rows @ rows.T, np.append(np.zeros(len(rows)), 1.0)
        for ridge in RIDGES:  # inequalities may be nearly the same, or more than the unknowns: then `nnls` goes round
            triangle = np.linalg.cholesky(gram + ridge * len(gram) * np.eye(len(gram))).T
            stacked = np.vstack([triangle, missing / unit])
            with suppress(RuntimeError):
                u, _ = nnls(stacked, goal, maxiter=3 * energies.size + 100)
                break
        else:
            return start, np.ones(energies.size, dtype=bool)
        rest = goal - stacked @ u
        return self._w(start, unit * (rows.T @ u) / max(rest[-1], 1e-300)), u > 0


def certified(chi: np.ndarray, left: np.ndarray, right: np.ndarray) -> bool:
    """Whether Gamma > 0 on the whole real axis.

    Gamma is looked at where the pencil has an eigenvalue that is real but for rounding, between each two of these and
    beyond the last; where it is positive at all of them, it is positive everywhere.
    """
    modes = MatrixModes(chi, left, right, 0.0)
    reach = float(np.abs(chi).max())
    roots = crossings(modes)
    distance = np.abs(roots[:, None] - chi).min(axis=1)
    near = np.sort(roots[np.abs(roots.imag) < NEAR * distance].real)
    near = near[np.abs(near) < 1e6 * reach]
    between = 0.5 * (near[1:] + near[:-1])
    ends = np.array([-1e6, -1e4, -30.0, 30.0, 1e4, 1e6]) * reach
    energies = np.concatenate([near, between, ends, _looked_at(modes)])
    lowest = np.linalg.eigvalsh(modes.broadening(energies))[:, 0]
    return bool(np.all(lowest > 0))


def crossings(modes: MatrixModes) -> np.ndarray:
    """Energies, complex in general, at which det Gamma = 0: eigenvalues of the pencil, by 1/(E - E_0) with a real E_0.

    Without the infinite ones: with S = diag(chi, chi^*), G = (w^dag; c^dag), F = (c, -w) the matrix
    (S - E_0)^-1 - (S - E_0)^-1 G [F (S - E_0)^-1 G]^-1 F (S - E_0)^-1 has the eigenvalues 1/(E - E_0) and zeros.
    """
    grid = np.linspace(-1.9, 1.9, 77)
    lowest = np.linalg.eigvalsh(modes.broadening(grid))
    origin = grid[int(np.argmax(lowest[:, 0] / lowest[:, -1]))]
    inverse = 1 / (np.concatenate([modes.energies, modes.energies.conj()]) - origin)
    right = np.concatenate([modes.right.conj().T, modes.left.conj().T])
    left = np.hstack([modes.left, -modes.right])
    middle = (left * inverse) @ right
    matrix = np.diag(inverse) - (inverse[:, None] * right) @ np.linalg.solve(middle, left * inverse)
    values = eigvals(matrix, check_finite=False)
    values = values[np.abs(values) > 1e-12 * np.abs(values).max()]
    return origin + 1 / values
