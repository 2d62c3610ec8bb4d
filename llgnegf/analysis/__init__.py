"""What people compute from a result: walls, textures, spectra; xarray in, xarray out, with units and long names."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "oscillations": ["harmonics", "spectrum"],
        "photoemission": ["photoemission"],
        "ring_down": ["ring_down"],
        "skyrmions": ["skyrmion_number", "skyrmion_position"],
        "textures": ["neel_vector", "structure_factor"],
        "triangles": ["lattice_triangles"],
        "walls": ["wall_position", "wall_width"],
    },
)
