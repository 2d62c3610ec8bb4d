"""Lattices: sites, bonds and sides in space, and what is made from them: electrons, ribbon leads, pair energies.

`lattice` has the class, on the `geometry` of its sites, `crystals` the makers of square, honeycomb and triangular ones,
`hopping` the Hamiltonian of bonds, `ribbons` the leads that go on. Knows electrons, leads and pair energies; textures
and terms know it.
"""
