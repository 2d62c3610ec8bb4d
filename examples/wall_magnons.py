"""Magnons of a chain with a Bloch wall in it, and how conduction electrons damp them: python wall_magnons.py.

Far below the gap of the domains is the motion of the wall as a whole, which would cost nothing in a continuum. Waves
are damped most at the wave numbers 0 and 2 k_F, where electrons scatter across their Fermi points; see
`wall_magnons.png`.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

import llgnegf as ln

FERMI_ENERGY = -1.4
"""eV; k_F = arccos(-E_F/2 gamma) = 0.80."""


def device(n: int) -> ln.OpenSystem:
    leads = [ln.ChainLead(0), ln.ChainLead(n - 1)]
    return ln.OpenSystem(ln.chain(n, j_sd=0.2), leads, fermi_energy=FERMI_ENERGY, kT=0.025)


def at_rest(moments: np.ndarray) -> ln.Magnet:
    energies = ln.Exchange(0.03) + ln.UniaxialAnisotropy(0.003, "z") + ln.UniaxialAnisotropy(-0.0006, "x")
    return ln.relax(device(len(moments)), ln.Magnet(moments, 2.0, energies=energies, pinned=[0, -1]))


def main(n: int = 17) -> tuple[ln.Magnons, ln.Magnons]:
    textures = ln.bloch_wall(n, (n - 1) / 2, 2.2), ln.uniform(n)
    wall, domain = (ln.magnons(device(n), at_rest(m), tolerance=1e-6) for m in textures)
    for name, found in (("wall", wall), ("domain", domain)):
        print(f"{name}: {found.count // 2} modes, lowest {1e3 * found.energies[0]:.3f} meV")
    layout = [["energy", "shape"], ["damping", "shape"]]
    figure, axes = plt.subplot_mosaic(layout, figsize=(9, 4.5), layout="constrained")
    for name, found, first, mark in (("one domain", domain, 1, "s"), ("with a wall", wall, 0, "o")):
        q = (first + np.arange(len(found.energies))) / (n - 1)  # of standing waves between pinned ends
        axes["energy"].plot(q, 1e3 * found.energies.real, mark, mfc="none", label=name)
        axes["damping"].semilogy(q, found.damping_ratios, mark, mfc="none")
    axes["energy"].set(ylabel="energy (meV)", title="All modes", xlim=(-0.03, 1))
    axes["energy"].legend(frameon=False)
    axes["damping"].axvline(2 * np.arccos(-FERMI_ENERGY / 2) / np.pi, color="0.6", ls=":")
    axes["damping"].text(0.54, 0.07, "$2k_F$", transform=axes["damping"].transAxes, color="0.4")
    axes["damping"].set(xlabel=r"wave number $q/\pi$", ylabel=r"$-\mathrm{Im}\,E/\mathrm{Re}\,E$", xlim=(-0.03, 1))
    size = np.linalg.norm(wall.profiles, axis=2)
    size /= size.max(axis=1, keepdims=True)
    image = axes["shape"].imshow(size, cmap="magma", origin="lower", aspect="auto", interpolation="none")
    figure.colorbar(image, ax=axes["shape"], label="amplitude")
    axes["shape"].set(xlabel="site", ylabel="mode, by energy", title="With a wall in the middle", xticks=range(0, n, 4))
    plt.savefig("wall_magnons.png", dpi=130)
    return wall, domain


if __name__ == "__main__":
    main()
