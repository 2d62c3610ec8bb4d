"""One moment between two leads turns faster than Larmor, the twin of anomalous_precession.toml.

    python anomalous_precession.py

Electrons that follow a moment slowly act on it with a torque of first order in its velocity, T = L (b dM/dt + c M x
dM/dt), L = n hbar/g_e: b is their geometric (field-like) part, c the spin that they carry away (damping-like). Then
    (1 - b) dM/dt - c M x dM/dt = -g M x B,
which is Gilbert's equation with g/(1 - b) and alpha = c/(1 - b): the moment turns at
    w = g B/[(1 - b)(1 + alpha^2)].
b and c come from the rotating frame; the next order is relative, hbar w/(2 J_sd).
"""

from __future__ import annotations

import numpy as np

import llgnegf as ln
from llgnegf.units import G_E, GYROMAGNETIC_RATIO, HBAR

J_SD, N_MU, FIELD, RAMP = 0.2, 1.0, 200.0, 30.0
"""eV; Bohr magnetons; tesla; fs."""
CONE = ln.cone(n_sites=1, angle=np.pi / 4)
SYSTEM = ln.OpenSystem(ln.chain(1, j_sd=J_SD), [ln.ChainLead(0, coupling=0.5), ln.ChainLead(0, coupling=0.5)], kT=0.025)


def predicted(field: float) -> float:
    """w in rad/fs to first order in the velocity."""
    frame = ln.RotatingFrame(SYSTEM, CONE, energy=1e-3)
    torque = ln.torque(frame.decompose().nonadiabatic, CONE, J_SD)
    split = ln.field_like_damping_like(torque, CONE, frame.velocity)
    unit = N_MU * HBAR / G_E * np.linalg.norm(frame.velocity)
    b, c = split.field_like[0] / unit, split.damping_like[0] / unit
    return GYROMAGNETIC_RATIO * field / ((1 - b) * (1 + (c / (1 - b)) ** 2))


def run(field: float = FIELD) -> ln.Result:
    switched_on = ln.Ramp([0.0, 0.0, 0.0], [0.0, 0.0, field], start=0.0, duration=RAMP)
    magnet = ln.Magnet(CONE, magnetic_moment=N_MU, energies=[ln.Zeeman(switched_on)])
    return ln.simulate(SYSTEM, magnet, t_end=250.0, save_every=1.0, rtol=1e-5)


def measured(result: ln.Result) -> float:
    """w in rad/fs: the slope of the azimuth, once the field and the electrons have settled."""
    late = result.dataset.sel(time=slice(RAMP + 20, None))
    x, y, _ = late.moments.isel(site=0).values.T
    return float(np.polyfit(late.time.values, np.unwrap(np.arctan2(y, x)), 1)[0])


def main() -> ln.Result:
    result = run()
    larmor = GYROMAGNETIC_RATIO * FIELD
    print(f"Larmor frequency                {larmor:.6f} rad/fs")
    print(f"with the electrons, first order {predicted(FIELD):.6f}")
    print(f"with the electrons, the run     {measured(result):.6f}")
    return result


if __name__ == "__main__":
    main()
