"""What a run shows: figures, animations and their files."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "accessor": ["RunPlots"],
        "lattice_sketch": ["draw", "lattice"],
        "maps": ["plot_bond_currents", "plot_bond_spin_currents", "plot_density", "plot_vectors"],
        "movie": ["Movie"],
        "overview": ["plot_overview"],
        "textures": ["plot_texture"],
        "curves": [
            "plot_bond_spin_current", "plot_energies", "plot_lead_currents", "plot_moments",
            "plot_nonadiabatic_torque", "plot_torque",
        ],
        "run": ["animate_texture", "plot_run"],
        "style": ["STYLE"],
    },
)  # fmt: skip
