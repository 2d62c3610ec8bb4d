"""The LLG equation linearised about moments at rest, in their tangent planes: under `magnons`, which adds chi(w).

With h_i = -dH/dM_i + J_i <s_i> (eV, conjugate to M) and p = g/mu_M the equation reads

    dM/dt = -p M x h + lambda M x dM/dt.

At rest h_i = B_i M_i, B_i = h_i.M_i. A small m_i exp(-i w t), normal to M_i, changes h by -H'' m + J chi(w) m, H'' the
second derivatives of the energy, and obeys, to first order, both factors of M x h varied,

    -i w m = p M x (B m + H'' m - J chi(w) m) - i w lambda M x m.

In a frame e_1, e_2 = M x e_1 on each moment, where M x is X = [[0, -1], [1, 0]], this is D(E) m = 0 at E = hbar w,

    D(E) = S(E) - i E V,    S = B + H'' - J chi(E),    V = (lambda + X)/(hbar p).

Without electrons S is a number matrix: E m = -i V^-1 S m, V^-1 = hbar p (lambda - X)/(1 + lambda^2). Since S and V are
real there (and D(-E^*) = D(E)^* always), solutions come in pairs E, -E^*, one motion of the moments: Re m exp(-i w t).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llgnegf.problem.magnetism.magnet import Magnet
from llgnegf.units import HBAR

AT_REST = 1e-7
"""|E| below this part of the fields on the moments is 0: round-off splits the double zero of a rotation by its root."""


@dataclass(frozen=True, eq=False)
class LinearLLG:
    """The linearised LLG equation of the module's docstring for the f moments that move, row 2 i + c.

    Attributes:
        frames: e_c of the free moments as vectors of all moments, (2f, n, 3).
        torque: |M x h| (eV) of the free moments at rest, (f,).
        stiffness: B + H'' (eV), (2f, 2f).
        inverse_precession: V, dimensionless, (2f, 2f).
        scale: hbar p times the largest field (eV): of what the frequencies are made.
    """

    frames: np.ndarray
    torque: np.ndarray
    stiffness: np.ndarray
    inverse_precession: np.ndarray
    scale: float

    @classmethod
    def of(cls, magnet: Magnet, electron_field: np.ndarray | float = 0.0) -> LinearLLG:
        """Of `magnet`, with J <s> (eV, (n, 3)) of electrons at rest."""
        moments, free = np.asarray(magnet.moments), np.flatnonzero(magnet.moving)
        field = -magnet.energy.gradient(moments) + electron_field
        m = moments[free]
        aside = np.eye(3)[np.abs(m).argmin(axis=1)]
        first = np.cross(aside, m)
        first /= np.linalg.norm(first, axis=1, keepdims=True)
        frames = np.zeros((free.size, 2, *moments.shape))
        frames[np.arange(free.size), 0, free], frames[np.arange(free.size), 1, free] = first, np.cross(m, first)
        frames = frames.reshape(-1, *moments.shape)
        flat = frames.reshape(len(frames), -1)
        along = np.repeat(np.sum(field * moments, axis=1)[free], 2)
        lag = HBAR * magnet.prefactor[free]
        turn = np.kron(np.diag(1 / lag), [[0.0, -1.0], [1.0, 0.0]])
        bent = flat @ magnet.energy.hessian(moments) @ flat.T
        return cls(
            frames, np.linalg.norm(np.cross(m, field[free]), axis=1), np.diag(along) + bent,
            turn + np.diag(np.repeat(np.asarray(magnet.damping)[free] / lag, 2)),
            float((np.abs(along).max() + np.abs(bent).max()) / lag.min()),
        )  # fmt: skip

    def modes(self, change: np.ndarray | float = 0.0, drag: np.ndarray | float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """E (2f,) and m (2f, 2f), a row each, of D(E) = S + `change` - i E (V + `drag`), both real matrices."""
        values, vectors = np.linalg.eig(np.linalg.solve(self.inverse_precession + drag, self.stiffness + change))
        return -1j * values, vectors.T

    def profiles(self, vectors: np.ndarray) -> np.ndarray:
        """m_i of all moments, (k, n, 3), of solutions (k, 2f): the largest component of each is 1."""
        m = np.tensordot(vectors, self.frames, 1)
        flat = m.reshape(len(m), 3 * m.shape[1])
        largest = np.take_along_axis(flat, np.abs(flat).argmax(axis=1)[:, None], axis=1)
        return m / largest[:, :, None]

    def one_of_each_pair(self, energies: np.ndarray) -> np.ndarray:
        """Which of E and -E^* to keep, indices by Re E: Re E > 0, all overdamped ones (Re E = 0, their own partners),
        and of those at E = 0 every second."""
        size = AT_REST * self.scale
        at_rest = np.flatnonzero(np.abs(energies) <= size)
        moving = np.flatnonzero((np.abs(energies) > size) & (energies.real >= -size))
        kept = np.concatenate([at_rest[::2], moving])
        return kept[np.lexsort((energies[kept].imag, energies[kept].real))]
