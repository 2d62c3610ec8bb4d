"""What flows between the leads of a device at rest: transmission, conductance, currents, noise, mixing conductance.

    transport        the public class, and what it says
    scattering       G between the leads' orbitals at real energies, and what is made of it
    mixing           the spin-mixing conductance;  levels: what no lead damps;  labels: dims and units of the results
    integrals        integrals of that over energy, with the Fermi functions of the leads

Currents into the leads of a run, from one instant to the next, are those of `equations.electrons`.
"""
