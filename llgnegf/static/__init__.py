"""Frozen devices: Green functions and stationary states, with exact leads or leads in poles.

Nothing moves here; runs take their start from it, `response/` and `transport/` all they sum. From below:

    spin_channels    the channels of a system's leads, resolved by spin where they keep it
    channels         a lead channel at rest;  weights: what stands between the vectors of all
    green            a device with static leads and G(E) of it: dense, or in the basis of its levels
    recursion        the same along a nearest-neighbour chain, O(N) for each energy;  site_green: site blocks of ribbons
    level_sums       sums over energies of G and of products with it, as few large matrix products
    frozen           a device whose leads are modes, with the modes and Fermi vectors beside it
    mean_field       self-consistent rho_ii of devices with mean fields, which frozen, start and rotating_frame ask for
    undamped         bound and dark states, where G has real poles;  closed: devices without leads
    quadrature       adaptive integration;  contour: off the real axis;  window: panels of the real axis;
                     resonances: where they have to be short
    views            G in levels or along a chain: what the integrals of stationary states are taken of
    steady_state     differently filled leads: density matrix and currents;  decomposition: first order in hbar omega
    rotating_frame   the oracle: steady precession and its parts;  local: density matrices on sites and bonds
    start            the states that runs start from
"""
