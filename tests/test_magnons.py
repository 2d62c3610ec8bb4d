"""magnons(): exact classical spectra, brute force for electrons, ring-down of full runs, and the search for zeros."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

import llgnegf as ln
from llgnegf.equations.moments import LLG
from llgnegf.problem.electrons import PAULI
from llgnegf.problem.occupation import density_matrix
from llgnegf.response.magnons import Magnons
from llgnegf.response.zeros import NotCertain, zeros_within
from llgnegf.units import G_E, HBAR, MU_B

EPSILON = np.array(
    [[[0, 0, 0], [0, 0, 1], [0, -1, 0]], [[0, 0, -1], [0, 0, 0], [1, 0, 0]], [[0, 1, 0], [-1, 0, 0], [0, 0, 0]]]
)
SEEDS = st.integers(0, 10**6)


def nearest(found: np.ndarray, wanted: np.ndarray) -> float:
    """Largest distance of sorted sets of equal size."""
    assert found.shape == wanted.shape, (found, wanted)
    order = np.linalg.norm(found[:, None, None] - wanted[None, :, None], axis=2)
    rows, columns = scipy.optimize.linear_sum_assignment(order)
    return float(order[rows, columns].max(initial=0.0))


# --- moments alone ------------------------------------------------------------------------------------------------


def test_one_moment_in_a_field_precesses_at_g_B_and_decays_by_gilbert() -> None:
    """dM/dt = -g M x B + lambda M x dM/dt: m = M_x + i M_y obeys (1 + i lambda) dm/dt = i g B m (or -i for -B)."""
    for field, sign in ((40.0, 1), (-40.0, -1)):
        found = ln.magnons(None, ln.Magnet(ln.uniform(1), 3.0, 0.05, ln.Zeeman([0, 0, field])))
        assert found.energies == pytest.approx([G_E * MU_B * 40.0 / (1 + sign * 0.05j)], rel=1e-13)
        assert found.unstable.tolist() == [sign < 0]  # against the field it leaves
        assert found.damping_ratios == pytest.approx([sign * 0.05], rel=1e-12)
        # counter-clockwise about B: M_y = -i M_x for exp(-i w t), i.e. m_y/m_x = +-i
        assert found.profiles[0, 0, 1] / found.profiles[0, 0, 0] == pytest.approx(sign * 1j, abs=1e-12)


class Quartic(ln.EnergyTerm):
    """H = -sum_i exp(M_z^2): a term with a gradient of its own."""

    name = "quartic"

    def energy(self, moments, magnetic_moment, t=0.0):  # type: ignore[no-untyped-def]
        return -float(np.exp(np.asarray(moments)[:, 2] ** 2).sum())

    def gradient(self, moments, magnetic_moment, t=0.0):  # type: ignore[no-untyped-def]
        z = np.asarray(moments)[:, 2]
        return np.outer(-2 * z * np.exp(z**2), [0, 0, 1])


@pytest.mark.parametrize(
    ("term", "stiffness"),
    [
        (ln.UniaxialAnisotropy(0.003, "z"), 0.006),  # -K cos^2 = -K + K theta^2
        (ln.CubicAnisotropy(0.003), 0.006),  # K (x^2 + y^2) z^2 = K theta^2
        (Quartic(), 2 * np.e),  # -exp(1 - theta^2) = -e + e theta^2
    ],
)
def test_anisotropies_and_numerical_second_derivatives(term: ln.EnergyTerm, stiffness: float) -> None:
    found = ln.magnons(None, ln.Magnet(ln.uniform(1), 2.0, energies=term))
    assert found.energies == pytest.approx([G_E / 2.0 * stiffness], rel=1e-10)


def test_open_ferromagnetic_chain() -> None:
    """-J sum M_i.M_i+1 is J times the Laplacian of the path graph for small angles: cos modes at 2 - 2 cos(pi m/n)."""
    n, J, K, mu, damping = 7, 0.01, 0.002, 2.0, 0.01
    found = ln.magnons(None, ln.Magnet(ln.uniform(n), mu, damping, ln.Exchange(J) + ln.UniaxialAnisotropy(K, "z")))
    m = np.arange(n)
    wanted = G_E / mu * (2 * K + 2 * J * (1 - np.cos(np.pi * m / n))) / (1 + 1j * damping)
    assert np.abs(found.energies - wanted).max() < 1e-14
    shapes = np.cos(np.pi * m[:, None] * (np.arange(n) + 0.5) / n)
    overlap = np.abs(np.einsum("ki,ki->k", found.profiles[:, :, 0], shapes))
    assert overlap == pytest.approx(np.linalg.norm(found.profiles[:, :, 0], axis=1) * np.linalg.norm(shapes, axis=1))


def ring(n: int, J: float) -> ln.PairExchange:
    return ln.PairExchange([(i, (i + 1) % n, J) for i in range(n)])


def test_antiferromagnetic_ring() -> None:
    """Two sublattices: E = (g_e/n) sqrt((2 K + 2 A)^2 - (2 A cos k)^2), each k of the doubled cell twice; the gap is
    sqrt(4 K (K + 2 A))."""
    n, A, K, mu = 8, 0.01, 0.001, 2.0
    magnet = ln.Magnet(ln.antiferromagnet(n), mu, energies=ring(n, -A) + ln.UniaxialAnisotropy(K, "z"))
    k = 2 * np.pi * np.arange(n) / n
    wanted = G_E / mu * np.sqrt((2 * K + 2 * A) ** 2 - (2 * A * np.cos(k)) ** 2)
    found = ln.magnons(None, magnet).energies
    assert nearest(found, wanted) < 1e-12
    assert found.real.min() == pytest.approx(G_E / mu * np.sqrt(4 * K * (K + 2 * A)), rel=1e-11)


def test_dmi_splits_left_and_right() -> None:
    """-D z.(M_i x M_j) = -D Im(m_i^* m_j) of m = M_x + i M_y. For M along +z m turns as exp(i w t), so that a profile
    ~ exp(i q j - i w t) is m ~ exp(-i q j): E = (g_e/n) [2 K + 2 J (1 - cos q) + 2 D sin q]."""
    n, J, K, D, mu = 8, 0.01, 0.01, 0.004, 2.0
    pairs = [(i, (i + 1) % n, [0, 0, D]) for i in range(n)]
    found = ln.magnons(
        None, ln.Magnet(ln.uniform(n), mu, energies=ring(n, J) + ln.UniaxialAnisotropy(K, "z") + ln.PairDMI(pairs))
    )
    q = 2 * np.pi * np.arange(n) / n
    wanted = G_E / mu * (2 * K + 2 * J * (1 - np.cos(q)) + 2 * D * np.sin(q))
    assert nearest(found.energies, wanted) < 1e-14
    alone = np.array(
        [np.abs(found.energies - e).min() < 1e-14 and (np.abs(wanted - e) < 1e-9).sum() == 1 for e in wanted]
    )
    for e, phase in zip(wanted[alone], q[alone], strict=True):
        mode = found.profiles[np.abs(found.energies - e).argmin(), :, 0]
        assert mode[1] / mode[0] == pytest.approx(np.exp(1j * phase), abs=1e-10)


def resting(rng: np.random.Generator, system: ln.OpenSystem | None, n: int, stiff: float = 0.2, **options) -> ln.Magnet:  # type: ignore[no-untyped-def]
    """Random moments and energies, and fields that take away every torque: b + (rest) = stiff M."""
    moments, mu = ln.random(n, seed=int(rng.integers(10**6))), rng.uniform(0.5, 3, n)
    energies = ln.UniaxialAnisotropy(rng.normal(scale=0.03, size=n), rng.normal(size=3))
    energies = energies + ln.CubicAnisotropy(rng.normal(scale=0.02, size=n))
    if n > 1:
        energies = energies + ln.PairExchange([(i, i + 1, rng.normal(scale=0.03, size=(3, 3))) for i in range(n - 1)])
    magnet = ln.Magnet(moments, mu, rng.uniform(0, 0.1, n), energies, **options)
    field = -magnet.energy.gradient(moments)
    if system is not None:
        seen = magnet.on_electrons(moments, system.n_sites)
        spin = ln.RotatingFrame(system, seen, 0.0).density_matrix()
        spin = np.asarray(system.electrons.j_sd)[:, None] * ln.spin_density(spin)
        placement = magnet.placement(system.n_sites)
        field = field + (spin if placement is None else placement.to_moments(spin))
    across = field - np.sum(field * moments, axis=1, keepdims=True) * moments
    balance = ln.Zeeman((stiff * moments - across) / (mu[:, None] * MU_B))
    return replace(magnet, energies=energies + balance)


@settings(max_examples=15)
@given(SEEDS, st.integers(1, 5))
def test_spectrum_is_that_of_the_equation_of_motion(seed: int, n: int) -> None:
    """-i E/hbar are the eigenvalues of the derivative of dM/dt, as the runs have it, in directions normal to M."""
    rng = np.random.default_rng(seed)
    magnet = resting(rng, None, n, pinned=[0] if n > 2 else ())
    llg, m, h = LLG(magnet), magnet.moments, 1e-4
    free = np.flatnonzero(np.repeat(magnet.moving, 3))
    turned = [m.reshape(-1) + s * h * np.eye(3 * n)[j] for j in free for s in (1, -1)]
    rates = np.array([llg.rate(x.reshape(n, 3)).reshape(-1)[free] for x in turned]).reshape(-1, 2, free.size)
    jacobian = ((rates[:, 0] - rates[:, 1]) / (2 * h)).T
    normal = scipy.linalg.null_space(scipy.linalg.block_diag(*m[magnet.moving]))
    rates_of = np.linalg.eigvals(normal.T @ jacobian @ normal)
    wanted = 1j * HBAR * rates_of
    found = ln.magnons(None, magnet)
    assert found.count == wanted.size
    assert nearest(found.energies, wanted[wanted.real > -1e-12]) < 1e-7 * np.abs(wanted).max()  # h^2 of the difference
    assert np.abs(np.einsum("kia,ia->ki", found.profiles, m)).max() < 1e-12
    assert not np.any(found.profiles[:, ~magnet.moving])


def test_free_rotations_and_overdamped_motion() -> None:
    """Isotropic moments have E = 0 once (of the pair 0, 0); hard-axis ones too, and with damping lambda and stiffness
    k, 0 of the angles an overdamped partner: det [[k - i E l, i E], [-i E, -i E l]] = 0 at E = -i k l/(1 + l^2),
    l = lambda, times g_e/n."""
    free = ln.magnons(None, ln.Magnet(ln.uniform(4, "x"), 1.0, energies=ln.Exchange(0.01)))
    assert free.count == 8 and free.energies.size == 4
    assert abs(free.energies[0]) < 1e-8 < free.energies.real[1]
    k, damping = 0.006, 0.3
    found = ln.magnons(None, ln.Magnet(ln.uniform(1, "x"), 2.0, damping, ln.UniaxialAnisotropy(-k / 2, "z")))
    wanted = np.array([0, -1j * G_E / 2.0 * k * damping / (1 + damping**2)])
    assert nearest(found.energies, wanted) < 1e-15
    assert np.isinf(found.damping_ratios[np.abs(found.energies) > 1e-9]).all()


# --- with electrons -----------------------------------------------------------------------------------------------


def spectrum_by_brute_force(system: ln.OpenSystem, magnet: ln.Magnet) -> tuple[np.ndarray, np.ndarray]:
    """E of all linear motions of moments and density matrix of a closed system, and the moments' part of each.

    i hbar d(drho)/dt = [H, drho] + [dH, rho], dH = -sum_i J_i sigma.m_i, and the LLG equation varied in Cartesian
    components, (1 - lambda M x) dm/dt = -p (m x h + M x dh), dh = -H'' m + J d<s>.
    """
    n, N, j_sd = magnet.n_sites, system.n_sites, np.asarray(system.electrons.j_sd)
    place = magnet.on_electrons(np.eye(n)[:, :, None] * [1.0, 0, 0], N)[:, :, 0].T  # P, (N, n)
    spins = np.einsum("ip,iq,ast->iapsqt", np.eye(N), np.eye(N), PAULI).reshape(3 * N, 2 * N, 2 * N)
    field_of = np.einsum("ik,i,iaxy->kaxy", place, j_sd, spins.reshape(N, 3, 2 * N, 2 * N)).reshape(3 * n, 2 * N, 2 * N)
    moments = np.asarray(magnet.moments)
    h = system.electrons.hamiltonian_at(magnet.on_electrons(moments, N))
    rho = density_matrix(h, system.fermi_energy, system.kT)
    size, one = 4 * N**2, np.eye(2 * N)
    field = -magnet.energy.gradient(moments) + np.einsum("kxy,yx->k", field_of, rho).real.reshape(n, 3)
    cross = scipy.linalg.block_diag(*np.einsum("abc,ib->iac", EPSILON, moments))  # M x
    by_field = scipy.linalg.block_diag(*np.einsum("abc,ic->iab", EPSILON, field))  # m x h
    p, damping = (np.repeat(x, 3) for x in (magnet.prefactor, magnet.damping))
    of_moments = np.linalg.inv(np.eye(3 * n) - damping[:, None] * cross) @ np.diag(-p)
    answer = field_of.transpose(0, 2, 1).reshape(3 * n, size)  # J d<s> = Tr[drho J sigma]
    pushed = np.stack([-(d @ rho - rho @ d) for d in field_of]).reshape(3 * n, size).T
    total = np.block([
        [of_moments @ (by_field - cross @ magnet.energy.hessian(moments)), of_moments @ cross @ answer],
        [pushed / (1j * HBAR), (np.kron(h, one) - np.kron(one, h.T)) / (1j * HBAR)],
    ])  # fmt: skip
    rates, vectors = np.linalg.eig(total)
    return 1j * HBAR * rates, np.linalg.norm(vectors[: 3 * n], axis=0)


@settings(max_examples=8)
@given(SEEDS, st.integers(1, 3), st.sampled_from([None, "layer"]))
def test_closed_device_by_brute_force(seed: int, n: int, layer: str | None) -> None:
    """All coupled motions in a window that holds excitations of the electrons too, which are poles of chi; only those
    that are an excitation to 1e-6 eV may be left out."""
    rng = np.random.default_rng(seed)
    hamiltonian = rng.normal(size=(2 * n, 2 * n)) + 1j * rng.normal(size=(2 * n, 2 * n))
    electrons = ln.Electrons(0.5 * (hamiltonian + hamiltonian.conj().T), rng.uniform(0.1, 0.6, n))
    system = ln.OpenSystem(electrons, kT=0.1)
    sites = None if layer is None else [list(range(1, n)), None, 0]
    magnet = resting(rng, system, n if layer is None else 3, sites=sites)
    energies, weight = spectrum_by_brute_force(system, magnet)
    a, b = 2.0, 0.4
    away = np.abs((energies.real / a) ** 2 + (energies.imag / b) ** 2 - 1) > 0.02
    if not away.all():
        return  # something on the border
    within = (energies.real / a) ** 2 + (energies.imag / b) ** 2 < 1
    coupled = within & (weight > 1e-5) & (np.abs(energies) > 1e-6)
    found = ln.magnons(system, magnet, window=(a, b))
    levels = np.linalg.eigvalsh(electrons.hamiltonian_at(magnet.on_electrons(magnet.moments, n)))
    from_pole = np.abs(energies[:, None] - (levels[:, None] - levels).ravel()).min(axis=1)
    certain = energies[coupled & (from_pole > 1e-6) & (energies.real > -1e-9)]
    everything = energies[coupled & (energies.real > -1e-9)]
    assert np.abs(found.energies - certain[:, None]).min(axis=1, initial=np.inf).max(initial=0.0) < 1e-8
    assert np.abs(everything - found.energies[:, None]).min(axis=1, initial=np.inf).max(initial=0.0) < 1e-8
    assert certain.size <= found.energies.size <= everything.size
    assert found.residuals.max(initial=0.0) < 1e-9


WIDE = [ln.WideBandLead(0, 0.5), ln.WideBandLead(1, 0.3)]
PAIR = ln.OpenSystem(ln.chain(2, j_sd=0.4), WIDE, fermi_energy=0.8, kT=0.05)


def check_ring_down(system: ln.OpenSystem, magnet: ln.Magnet, t_end: float, start: str = "thermal") -> Magnons:
    """Frequencies and damping against a full run of moments that are kicked along all modes, fitted after 40 fs."""
    modes = ln.magnons(system, magnet, tolerance=1e-6)
    kicked = magnet.moments + 3e-3 * modes.profiles.real.sum(axis=0)
    kicked /= np.linalg.norm(kicked, axis=1, keepdims=True)
    moving = replace(magnet, moments=kicked)
    result = ln.simulate(system, moving, t_end=t_end, save_every=1.0, rtol=1e-5, start=start)
    tail = result.dataset.moments.sel(component="x").isel(time=slice(40, None))
    wanted = np.unique(modes.energies.round(9))
    fit = ln.analysis.ring_down(tail.isel({tail.dims[1]: 0}), n=wanted.size)
    order = np.argsort(fit.energy.values)
    assert (modes.damping_ratios > 1e-4).all()
    assert np.abs(fit.energy.values[order] / wanted.real - 1).max() < 1e-3
    assert np.abs(-HBAR * fit.damping.values[order] / wanted.imag - 1).max() < 1e-2
    return modes


@pytest.mark.parametrize("bias", [0.0, 0.8])
def test_one_moment_against_a_full_run(bias: float) -> None:
    mu = (0.2 + bias / 2, 0.2 - bias / 2)
    leads = [ln.WideBandLead(0, width, chemical_potential=m) for width, m in zip((0.5, 0.3), mu, strict=True)]
    system = ln.OpenSystem(ln.chain(1, j_sd=0.4), leads, kT=0.05)
    magnet = ln.Magnet(ln.uniform(1), 1.0, energies=ln.UniaxialAnisotropy(0.01, "z"))
    check_ring_down(system, magnet, 200.0, "steady" if bias else "thermal")


def test_chain_against_a_full_run() -> None:
    magnet = ln.Magnet(ln.uniform(2), 1.0, energies=ln.Exchange(0.01) + ln.UniaxialAnisotropy(0.01, "z"))
    modes = check_ring_down(PAIR, magnet, 200.0)
    assert modes.energies.size == 2 and not modes.unstable.any()


def test_antiferromagnet_against_a_full_run() -> None:
    """A layer of its own: moment 0 is on site 1, moment 1 on site 0; a third one, pinned, on none."""
    energies = ln.PairExchange([(0, 1, -0.02), (1, 2, -0.005)]) + ln.UniaxialAnisotropy(0.003, "z")
    magnet = ln.Magnet(ln.antiferromagnet(3), 1.0, energies=energies, sites=[1, 0, None], pinned=[2])
    assert check_ring_down(PAIR, magnet, 200.0).profiles[0, :2].all(axis=0).any()


@pytest.mark.parametrize("leads", [[], [ln.ChainLead(0, 0.5)]])
def test_rotations_of_everything_cost_nothing(leads: list[ln.ChainLead]) -> None:
    """Without anisotropy E = 0 solves the coupled problem: J <s> and J chi(0) cancel in every direction."""
    system = ln.OpenSystem(ln.chain(2, j_sd=0.5), leads, fermi_energy=0.2, kT=0.05)
    magnet = ln.relax(system, ln.Magnet(ln.helix(2, 3.0, "z"), 1.0, energies=ln.Exchange(0.5)))
    found = ln.magnons(system, magnet)
    assert abs(found.energies[0]) < 1e-6
    assert found.energies.real[1] > 0.1


def test_decoupled_electrons_leave_spin_waves() -> None:
    system = ln.OpenSystem(ln.chain(2, j_sd=0.0), [ln.ChainLead(0, 0.5)], kT=0.05)
    magnet = ln.Magnet(ln.uniform(2), 1.0, 0.1, ln.Exchange(0.01) + ln.UniaxialAnisotropy(0.003, "z"))
    assert nearest(ln.magnons(system, magnet).energies, ln.magnons(None, magnet).energies) < 1e-14


# --- the search for zeros -----------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(SEEDS, st.integers(1, 6), st.integers(0, 5))
def test_zeros_of_rational_functions(seed: int, size: int, n_poles: int) -> None:
    """D(z) = A + B x - U (x - P)^-1 V, x = -i z, real matrices: det of the pencil [[A + B x, U], [V, x - P]]."""
    rng = np.random.default_rng(seed)
    A, B, U = (rng.normal(size=s) for s in ((size, size), (size, size), (size, n_poles)))
    V, P = rng.normal(size=(n_poles, size)), rng.normal(size=(n_poles, n_poles))

    def function(z: np.ndarray) -> np.ndarray:
        x = -1j * z[:, None, None]
        return A + x * B - U @ np.linalg.solve(x * np.eye(n_poles) - P, np.broadcast_to(V + 0j, (z.size, *V.shape)))

    zero, one = np.zeros((size, n_poles)), np.eye(n_poles)
    all_zeros = 1j * scipy.linalg.eigvals(np.block([[A, U], [V, -P]]), -np.block([[B, zero], [zero.T, one]]))
    inside, near = [], []
    for values in (all_zeros, 1j * np.linalg.eigvals(P)):
        radius = (values.real / 1.5) ** 2 + (values.imag / 0.8) ** 2
        inside.append(values[radius < 1])
        near.append(np.abs(radius - 1).min(initial=1.0))
    if min(near) < 0.05:
        return
    found = zeros_within(function, (1.5, 0.8))
    assert (found.values.size, found.poles) == tuple(map(len, inside))
    assert found.winding == len(inside[0]) - len(inside[1])
    assert nearest(found.values, inside[0]) < 1e-8


def test_a_zero_on_the_border_is_refused() -> None:
    with pytest.raises(NotCertain, match="2048 nodes"):
        zeros_within(lambda z: (z**2 - 1)[:, None, None] * np.eye(1), (1.0, 0.3))


# --- what comes out, and what is refused ---------------------------------------------------------------------------


def test_dataset() -> None:
    system = ln.OpenSystem(ln.chain(1, j_sd=0.3), [ln.ChainLead(0, 0.5)], kT=0.05)
    magnet = ln.Magnet(ln.uniform(2), 1.0, energies=ln.UniaxialAnisotropy(0.003, "z"), sites=[0, None])
    found = ln.magnons(system, magnet)
    data = found.to_dataset()
    assert data.profile.dims == ("mode", "moment", "component", "part") and data.profile.shape == (2, 2, 3, 2)
    assert data.attrs["count"] == 4 and data.attrs["window"] == found.window
    energies = HBAR * (data.frequency - 1j * data.decay_rate)
    assert np.abs(energies.values - found.energies).max() < 1e-15
    assert np.abs(found.frequencies * found.damping_ratios - found.decay_rates).max() < 1e-15
    assert ln.magnons(None, magnet).to_dataset().attrs.keys() == {"count", "poles"}


def test_moments_that_turn_are_refused() -> None:
    system = ln.OpenSystem(ln.chain(2, j_sd=0.3), [], kT=0.05)
    magnet = ln.Magnet(ln.cone(2, 0.1), 1.0, energies=ln.Zeeman([[0, 0, 50], [0, 0, 100.0]]))
    torque = MU_B * 100 * np.sin(0.1)
    with pytest.raises(ValueError, match=rf"a torque of {torque:.3g} eV on moment 1; .*relax"):
        ln.magnons(None, magnet)
    with pytest.raises(ValueError, match=r"magnons\.magnet\.moments: a torque"):
        ln.magnons(system, magnet)
    assert ln.magnons(None, magnet, torque_tolerance=1e-3).energies.size == 2


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"system": 3}, r"magnons\.system: 3; allowed: an OpenSystem, or None"),
        ({"magnet": 3}, r"magnons\.magnet: 3; allowed: a Magnet"),
        ({"magnet": ln.Magnet(ln.uniform(3), 1.0)}, r"magnons\.magnet: 3 moments; allowed: 2, one for each site"),
        (
            {"magnet": ln.Magnet(ln.uniform(2), 1.0, torques=ln.SlonczewskiTorque(0.1, 0.0, "z"))},
            r"magnons\.magnet\.torques: ",
        ),
        ({"magnet": ln.Magnet(ln.uniform(2), 1.0, energies=ln.Zeeman(lambda t: [0, 0, t]))}, "what depends on time"),
        ({"window": (1.0, -1.0)}, r"magnons\.window: \(1\.0, -1\.0\); allowed: None, or two half axes > 0 in eV"),
        ({"window": (1.0, 1.0), "system": None}, r"magnons\.window: .*without electrons all are given"),
        ({"torque_tolerance": 0}, r"magnons\.torque_tolerance: 0; allowed: a number > 0, in eV"),
    ],
)
def test_mistakes_are_named(change: dict[str, object], line: str) -> None:
    good = {"system": ln.OpenSystem(ln.chain(2), WIDE, kT=0.1), "magnet": ln.Magnet(ln.uniform(2), 1.0)}
    with pytest.raises(ValueError, match=line):
        ln.magnons(**{**good, **change})  # type: ignore[arg-type]
