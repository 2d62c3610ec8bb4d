"""Which electron sites each moment acts on: a magnet as a layer of its own beside, on, or away from the electrons.

`Magnet` and all other motions of moments are `OnSites`; equations, runs and plots ask the `Placement` and count nothing
by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from llgnegf._checks import Problems
from llgnegf._readable import Readable

Sites = tuple[tuple[int, ...], ...]
"""The electron sites of each moment."""


@dataclass(frozen=True, eq=False)
class Placement:
    """P, (N, n) of zeros and ones with at most one 1 in a row: which of n moments each of N electron sites feels.

    The electrons see m_i = sum_k P_ik M_k, H = H_0 - sum_i J_i m_i.sigma_i (m_i = 0 on a site without a moment), and
    the energy depends on M_k through its own sites only, so that -dE/dM_k = sum_i P_ik J_i <s_i>: the torque is
    T_k = sum_i P_ik J_i <s_i> x M_k, and tensors between moments are P^T K P.

    Attributes:
        n_sites, n_moments: N and n.
        site, moment: The sites that carry a moment, in the order of the moments, and the moment of each, (pairs,).
    """

    n_sites: int
    n_moments: int
    site: np.ndarray
    moment: np.ndarray

    def to_electrons(self, vectors: np.ndarray) -> np.ndarray:
        """P v, (..., N, 3), of vectors of moments (..., n, 3)."""
        out = np.zeros((*vectors.shape[:-2], self.n_sites, vectors.shape[-1]))
        out[..., self.site, :] = vectors[..., self.moment, :]
        return out

    def to_moments(self, values: np.ndarray) -> np.ndarray:
        """P^T v, (..., n, k), of values on electron sites (..., N, k): the sums over the sites of each moment."""
        out = np.zeros((*values.shape[:-2], self.n_moments, values.shape[-1]))
        for i, k in zip(self.site.tolist(), self.moment.tolist(), strict=True):
            out[..., k, :] += values[..., i, :]
        return out

    def between_moments(self, tensors: np.ndarray) -> np.ndarray:
        """P^T K P, (B, 3n, 3n), of tensors between sites (B, 3N, 3N), row 3 i + a."""
        batch, size = len(tensors), 3 * self.n_moments
        rows = self.to_moments(tensors.reshape(batch, self.n_sites, -1)).reshape(batch, size, -1)
        columns = self.to_moments(np.swapaxes(rows, 1, 2).reshape(batch, self.n_sites, -1))
        return np.ascontiguousarray(np.swapaxes(columns.reshape(batch, size, size), 1, 2))

    @property
    def is_one_to_one(self) -> bool:
        """Whether moment i is on site i and no other, for all of both."""
        own = np.arange(self.n_sites)
        return self.n_moments == self.n_sites and np.array_equal(self.site, own) and np.array_equal(self.moment, own)


class OnSites(Readable):
    """Moments with places on a device of electrons: what `Magnet` and the given motions have in common.

    Attributes:
        sites: For each moment the electron sites that it acts on, () for none; None is moment i on site i.
    """

    sites: Any

    @property
    def n_sites(self) -> int:
        """Number of moments."""
        raise NotImplementedError

    def on_electrons(self, moments: Any, n_sites: int | None = None) -> np.ndarray:
        """What the electrons see, m_i = sum_k P_ik M_k: zero vectors on sites without a moment.

        It is what solvers for moments at rest take (`RotatingFrame`, `ResponseTensors`).

        Parameters
        ----------
        moments : array_like, (..., n, 3)
            M_k, or any vectors of the moments.
        n_sites : int, optional
            N electron sites; None: as many as reach to the last one with a moment.

        Returns
        -------
        ndarray, (..., N, 3)
            The vectors on the sites.

        Raises
        ------
        ValueError
            For other shapes, and for fewer sites than that.
        """
        values = np.asarray(moments, dtype=float)
        problems, shape = Problems("on_electrons"), f"(..., {self.n_sites}, 3)"
        fits = values.ndim >= 2 and values.shape[-2:] == (self.n_sites, 3)
        problems.check(fits, "moments", f"shape {values.shape}", shape)
        if n_sites is not None:
            self.note_sites(problems, "n_sites", n_sites)
        problems.raise_all()
        if n_sites is None:
            n_sites = self.n_sites if self.sites is None else 1 + max((i for on in self.sites for i in on), default=-1)
        placement = self.placement(n_sites)
        return values if placement is None else placement.to_electrons(values)

    def placement(self, n_sites: int) -> Placement | None:
        """P for `n_sites` electron sites; None where moment i is on site i, and nothing has to be placed."""
        if self.sites is None:
            return None
        pairs = np.array([(i, k) for k, on in enumerate(self.sites) for i in on], dtype=np.int64).reshape(-1, 2)
        found = Placement(n_sites, self.n_sites, pairs[:, 0].copy(), pairs[:, 1].copy())
        return None if found.is_one_to_one else found

    def note_sites(self, problems: Problems, field: str, n_sites: int) -> bool:
        """Note where the moments do not fit on `n_sites` electron sites; returns whether they do."""
        if self.sites is None:
            allowed = f"{n_sites}, one for each site of the electrons (sites= places them otherwise)"
            return problems.check(self.n_sites == n_sites, field, f"{self.n_sites} moments", allowed)
        beyond = [(k, i) for k, on in enumerate(self.sites) for i in on if i >= n_sites]
        for k, i in beyond:
            problems.add(f"{field}.sites[{k}]", f"site {i}", f"0 to {n_sites - 1}: the electrons have {n_sites} sites")
        return not beyond


def placement_of(motion: Any, n_sites: int) -> Placement | None:
    """The placement of what moves the moments; None also for a motion that says nothing of places."""
    return motion.placement(n_sites) if isinstance(motion, OnSites) else None


class Textured(OnSites):
    """Moments that begin as a texture.

    Attributes:
        texture: Unit vectors, (N, 3).
    """

    texture: Any

    @property
    def n_sites(self) -> int:
        """Number of moments N."""
        return len(self.texture)

    def _check_texture(self, problems: Problems) -> None:
        """Note what is wrong with `texture` and `sites`, and keep them as arrays and tuples."""
        texture = problems.moments("texture", self.texture)
        sites = checked_sites(problems, self.sites, None if texture is None else len(texture))
        object.__setattr__(self, "texture", texture)
        object.__setattr__(self, "sites", sites)


def checked_sites(problems: Problems, value: Any, n_moments: int | None) -> Sites | None:
    """`sites` of `n_moments` moments (None: not known) as tuples of site numbers; None where it is not given."""
    if value is None:
        return None
    count = "one entry" if n_moments is None else f"{n_moments} entries, one"
    allowed = f"a list with {count} for each moment: a site number >= 0, a list of them, or None"
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping | Set):
        problems.add("sites", value, allowed)
        return None
    entries = list(value)
    problems.check(n_moments in (None, len(entries)), "sites", f"{len(entries)} entries", allowed)
    placed: list[tuple[int, ...]] = []
    owner: dict[int, int] = {}
    for k, entry in enumerate(entries):
        on = () if entry is None else tuple(entry) if isinstance(entry, list | tuple | np.ndarray) else (entry,)
        if not all(isinstance(i, int | np.integer) and not isinstance(i, bool) and i >= 0 for i in on):
            problems.add(f"sites[{k}]", entry, "a site number >= 0, a list of them, or None")
            continue
        for i in map(int, on):
            if i in owner:
                problems.add(f"sites[{k}]", f"site {i}, which moment {owner[i]} has", "each electron site once")
            owner.setdefault(i, k)
        placed.append(tuple(int(i) for i in on))
    return tuple(placed)
