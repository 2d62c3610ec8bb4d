"""The thermal field of the Gilbert bath on moments that move together with full electrons: a drive.

Whatever damps moment i with lambda_i at the temperature kT also pulls it about (p = g/mu_M; W. F. Brown, Phys. Rev.
130, 1677 (1963)), by a field b (eV, conjugate to M) in the place of -dH/dM, in the sense of Stratonovich:
    <b_ia(t) b_jb(t')> = 2 kT (lambda_i/p_i) delta_ij delta_ab delta(t - t').
Without other baths the moments then sample exp(-F/kT).

Time is cut into intervals of length h. In its two halves the field is
    b = sqrt(2 kT lambda/(p h)) (xi + sqrt(2) eta)   and   sqrt(2 kT lambda/(p h)) (xi - sqrt(2) eta),
xi and eta standard normal, and between jumps the equation of motion is an ordinary one, which any method may solve. The
integrals of b over the halves have variances 3h/4 and covariance -h/4 in units of the white noise: with these the means
of all iterated integrals up to the fifth degree (time counts twice) are those of Brownian motion, and averages at the
ends of intervals err by O(h^2) (M. Ninomiya, S. Ninomiya, Finance Stoch. 13, 415 (2009), their u = 3/4; independent
halves err by O(h)). The constants of that error are in `run.thermal_noise`, which chooses h.

Random numbers: interval number k takes them from Philox4x64 with the seed as its key and k in its counter, so that a
seed is a path, whatever the steps are and wherever a run was interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llgnegf.problem.drives import Drive
from llgnegf.problem.magnetism.magnet import Magnet


class ThermalField(Drive):
    """b(t) of the module's docstring, (n, 3) in eV, zero for moments that are pinned or prescribed.

    Args:
        magnet: The moments and their damping.
        kT: Thermal energy of the noise in eV, > 0.
        seed: Key of the random stream, an integer from 0 to 2^64 - 1.
        every, count: There are `count` intervals in `every` fs.
        t_end: End of the last interval that is needed, in fs.

    Example: a moment in no other field,
        >>> b = ThermalField(Magnet([[0, 0, 1.0]], 1.0, 0.1), 0.025, seed=1, every=1.0, count=2, t_end=100.0)
        >>> b(0.3).shape, b.discontinuities[:3]
        ((1, 3), (0.25, 0.5, 0.75))
    """

    def __init__(self, magnet: Magnet, kT: float, seed: int, every: float, count: int, t_end: float) -> None:
        self.seed = seed
        halves = np.arange(1, int(np.ceil(2 * count * t_end / every)))
        self._jumps = every * (halves / (2 * count))  # at multiples of `every`, where rows are, to the last bit
        strength = np.where(magnet.moving, 2 * kT * np.asarray(magnet.damping) / magnet.prefactor, 0.0)
        self._amplitude = np.sqrt(strength * count / every)[:, None]
        self._half, self._value = -1, np.zeros((magnet.n_sites, 3))

    @property
    def longest_step(self) -> float:
        return np.inf

    @property
    def discontinuities(self) -> Sequence[float]:
        """Ends of halves in fs."""
        return tuple(self._jumps.tolist())

    def __call__(self, time: float) -> np.ndarray:
        half = int(np.searchsorted(self._jumps, time, side="right"))
        if half != self._half:
            number, second = divmod(half, 2)
            random = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, 0, number]))
            xi, eta = random.standard_normal((2, *self._value.shape))
            sign = -1.0 if second else 1.0
            self._half, self._value = half, self._amplitude * (xi + sign * np.sqrt(2) * eta)
        return self._value
