"""What a run is about: electrons, leads, lattices, textures, drives and moments, as frozen objects."""
