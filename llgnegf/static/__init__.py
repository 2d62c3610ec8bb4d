"""Stationary states by integrals over energy: static Green functions, contours, windows, linear response.

What `rotating_frame` and `slow` stand on; stands on leads and electrons alone.

    green          G(E) of a static device, dense or in the basis of its levels; recursion: along a chain
    quadrature     adaptive integration, all energies of a level at once; window: where to cut the real axis
    equilibrium    integrals over occupied states on a complex contour
    steady_state   differently filled leads: density matrix and currents; decomposition: first order in hbar omega
    local          the same on sites and bonds of a chain, at a cost of O(N) for each energy
"""
