"""RotatingFrame against reference rows, closed forms, brute-force integrals, long finite chains and identities."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad_vec

import llgnegf as ln
from llgnegf.analytic import bound_state_spin, geometric_torque_wide_band, pumped_spin_current_adiabatic
from llgnegf.problem.electrons import PAULI
from llgnegf.units import HBAR

ROWS = json.loads((Path(__file__).parent / "data" / "rotating_frame.json").read_text())
PARTS = {"ad": "adiabatic", "geo": "geometric", "sea": "sea", "surf": "surface"}


def wire(n_sites, j_sd, kT=0.0, coupling=1.0, fermi_energy=0.0):
    leads = [ln.ChainLead(0, coupling=coupling), ln.ChainLead(-1, coupling=coupling)]
    return ln.OpenSystem(ln.chain(n_sites, j_sd=j_sd), leads, fermi_energy, kT)


def random_texture(seed, n_sites):
    vectors = np.random.default_rng(seed).normal(size=(n_sites, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r['texture']}-{r['j_sd']}")
def test_reference_rows(row):
    wall = {"bloch": ln.bloch_wall, "neel": ln.neel_wall}[row["texture"]]
    texture = wall(row["n_sites"], row["center"], row["width"])
    frame = ln.RotatingFrame(
        wire(row["n_sites"], row["j_sd"], row["kT"], row["gamma_c"]), texture, row["hbar_omega"], row["axis"]
    )
    parts = frame.decompose()
    found = {name: getattr(parts, attribute) for name, attribute in PARTS.items()} | {"exact": frame.density_matrix()}
    for name, expected in row["spin_density"].items():
        np.testing.assert_allclose(ln.spin_density(found[name]), expected, rtol=0, atol=1e-9, err_msg=name)
    for name, expected in row["torque"].items():
        result = ln.torque(found[name], texture, row["j_sd"])
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(
    ("j_sd", "kT", "coupling", "fermi_energy", "axis"),
    [(0.1, 0.01, 1.0, 0.0, "z"), (1.0, 0.0, 1.0, 0.3, (1, 2, 0.5)), (2.0, 0.05, 0.6, -0.4, "y"),
     (20.0, 0.02, 1.0, 0.0, "x")],
)  # fmt: skip
def test_remainder_is_of_second_order(j_sd, kT, coupling, fermi_energy, axis):
    """exact - (ad + geo + sea + surf) ~ (hbar w)^2: the slope of the double-logarithmic line is 2."""
    system, texture = wire(3, j_sd, kT, coupling, fermi_energy), random_texture(3, 3)
    scale = max(j_sd, 1.0)  # keeps the remainder above round-off for strong coupling
    energies = scale * np.array([5e-4, 1e-3, 2e-3, 4e-3])
    remainder = []
    for energy in energies:
        frame = ln.RotatingFrame(system, texture, energy, axis, tolerance=1e-12)
        parts = frame.decompose()
        remainder.append(np.linalg.norm(frame.density_matrix() - parts.adiabatic - parts.nonadiabatic))
    slope = np.polyfit(np.log(energies), np.log(remainder), 1)[0]
    assert slope == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("kT", [0.0, 0.03])
@pytest.mark.parametrize(("j_sd", "coupling"), [(0.1, 1.0), (1.0, 0.4), (20.0, 1.0), (100.0, 0.01)])
def test_sum_rules(j_sd, coupling, kT):
    """Angular momentum along the axis: sum_i T_i = what flows into the leads, part by part and exactly."""
    axis = np.array([0.3, -1.0, 0.7]) / np.linalg.norm([0.3, -1.0, 0.7])
    texture = random_texture(8, 5)
    frame = ln.RotatingFrame(wire(5, j_sd, kT, coupling, 0.1), texture, 0.002, axis)
    parts, currents = frame.decompose(), frame.decompose_lead_currents()
    totals = {name: ln.torque(getattr(parts, name), texture, j_sd).sum(axis=0) @ axis for name in PARTS.values()}
    assert totals["surface"] == pytest.approx(currents.surface.spin.sum(axis=0) @ axis, abs=1e-10)
    for name in ("adiabatic", "geometric", "sea"):
        assert abs(totals[name]) < 1e-10
        assert abs(getattr(currents, name).spin.sum(axis=0) @ axis) < 1e-10
    exact = ln.torque(frame.density_matrix(), texture, j_sd).sum(axis=0) @ axis
    assert exact == pytest.approx(frame.lead_currents().spin.sum(axis=0) @ axis, abs=1e-10)


def test_spin_continuity_of_all_components():
    """Steady state: torque + rotation of the frame = flow into the leads, for each component.

    -i [H_RF, rho] + sum_p hbar L_p = 0 with H_RF = -J M.sigma - (hbar w/2) axis.sigma + hopping; the trace with
    sigma_a/2 is sum_i <s_i> x (J M_i + (hbar w/2) axis) = I_L + I_R.
    """
    texture, axis = random_texture(5, 4), np.array([2.0, 1.0, -1.0]) / np.sqrt(6)
    frame = ln.RotatingFrame(wire(4, 0.8, 0.02), texture, 0.3, axis, tolerance=1e-11)
    spin = ln.spin_density(frame.density_matrix())
    flow = np.cross(spin, 0.8 * texture + 0.15 * axis).sum(axis=0)
    np.testing.assert_allclose(frame.lead_currents().spin.sum(axis=0), flow, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kT", [0.0, 0.02])
def test_lead_currents_to_first_order(kT):
    """The currents of the four parts add up to the exact ones, up to (hbar w)^2."""
    system, texture = wire(3, 1.0, kT, fermi_energy=0.2), random_texture(4, 3)
    remainder = []
    for energy in (1e-3, 2e-3, 4e-3):
        frame = ln.RotatingFrame(system, texture, energy, (1, 1, 0), tolerance=1e-12)
        parts = frame.decompose_lead_currents()
        total = parts.adiabatic.spin + parts.geometric.spin + parts.sea.spin + parts.surface.spin
        remainder.append(np.linalg.norm(frame.lead_currents().spin - total))
    slope = np.polyfit(np.log([1e-3, 2e-3, 4e-3]), np.log(remainder), 1)[0]
    assert slope == pytest.approx(2.0, abs=0.05)


@given(
    seed=st.integers(0, 10**6),
    angle=st.floats(-np.pi, np.pi),
    energy=st.sampled_from([0.001, 0.1, -0.7]),
    j_sd=st.floats(0.05, 5.0),
)
@settings(max_examples=200)
def test_rotating_everything_changes_nothing(seed, angle, energy, j_sd):
    """Texture, axis and spin basis turned together: rho' = U rho U^dag."""
    texture, vectors = random_texture(seed, 2), random_texture(seed + 1, 2)
    about, axis = vectors
    system = wire(2, j_sd, fermi_energy=0.1)
    turned = ln.RotatingFrame(system, turn(texture, about, angle), energy, turn(axis, about, angle)).density_matrix()
    expected = ln.rotate_spins(ln.RotatingFrame(system, texture, energy, axis).density_matrix(), about, angle)
    np.testing.assert_allclose(turned, expected, rtol=0, atol=2e-9)


def turn(vectors, axis, angle):
    """Rodrigues' formula."""
    return (
        vectors * np.cos(angle)
        + np.cross(axis, vectors) * np.sin(angle)
        + np.multiply.outer(vectors @ axis, axis) * (1 - np.cos(angle))
    )


@given(energy=st.floats(-1.99, 1.99), seed=st.integers(0, 10**6), coupling=st.floats(0.1, 1.5))
@settings(max_examples=50)
def test_spectral_identity(energy, seed, coupling):
    """sum_q G_0 Gamma_q G_0^dag = i (G_0 - G_0^dag)."""
    frame = ln.RotatingFrame(wire(4, 0.7, coupling=coupling), random_texture(seed, 4), 0.0)
    device = frame.steady_state.device
    e = np.array([energy])
    green = device.retarded(e.astype(complex))[0]
    left = green @ device.on_device(device.broadenings(e))[0] @ green.conj().T
    right = 1j * (green - green.conj().T)
    np.testing.assert_allclose(left, right, rtol=0, atol=1e-12 * max(1.0, np.linalg.norm(green) ** 2))
    columns = device.levels[1] @ device.retarded_columns(np.zeros(1), e)[0]
    np.testing.assert_allclose(columns, green @ device.vectors, rtol=0, atol=1e-10 * np.linalg.norm(green))


@pytest.mark.parametrize(("j_sd", "gamma_prime"), [(0.1, 0.05), (1.0, 0.3), (20.0, 0.5)])
def test_wide_band_geometric_torque_is_eq_4(j_sd, gamma_prime):
    """One site, two wide-band leads of Gamma = Gamma' each (Sigma = -i Gamma'), kT = 0: exact to the tolerance."""
    theta, energy = 0.7, 1e-3
    parts = ln.RotatingFrame(wide_band(j_sd, gamma_prime, 0.0), ln.cone(1, theta), energy).decompose()
    found = ln.torque(parts.geometric, ln.cone(1, theta), j_sd)[0]
    expected = geometric_torque_wide_band(j_sd, gamma_prime, energy, theta)
    np.testing.assert_allclose(found, [0, expected, 0], rtol=0, atol=1e-6 * abs(expected) + 1e-9 * j_sd)


def wide_band(j_sd, gamma_prime, kT):
    leads = [ln.WideBandLead(0, broadening=gamma_prime)] * 2
    return ln.OpenSystem(ln.chain(1, j_sd=j_sd), leads, kT=kT)


def test_eq_4_is_approached_as_kt_squared():
    """Sommerfeld: the correction of the geometric part is (pi^2/6) kT^2 d(integrand)/dE, so it falls with slope 2."""
    j_sd, gamma_prime, theta, energy = 1.0, 0.3, 0.7, 1.0
    kT = np.array([0.005, 0.01, 0.02])
    errors = []
    for t in kT:
        frame = ln.RotatingFrame(wide_band(j_sd, gamma_prime, t), ln.cone(1, theta), energy, tolerance=1e-12)
        found = ln.torque(frame.decompose().geometric, ln.cone(1, theta), j_sd)[0, 1]
        errors.append(abs(found - geometric_torque_wide_band(j_sd, gamma_prime, energy, theta)))
    assert np.polyfit(np.log(kT), np.log(errors), 1)[0] == pytest.approx(2.0, abs=0.05)


def test_eq_4_is_the_exact_torque_for_slow_motion():
    """Wide band: no sea part. What the exact T.e_phi has beyond the Fermi surface's -> Eq. (4) as hbar w/J -> 0."""
    j_sd, gamma_prime, theta = 1.0, 0.3, 0.7
    ratios = np.array([0.01, 0.02, 0.04])
    errors = []
    for energy in ratios * j_sd:
        frame = ln.RotatingFrame(wide_band(j_sd, gamma_prime, 0.0), ln.cone(1, theta), energy, tolerance=1e-12)
        parts = frame.decompose()
        assert np.abs(parts.sea).max() == 0.0
        found = ln.torque(frame.density_matrix() - parts.surface, ln.cone(1, theta), j_sd)[0, 1]
        errors.append(abs(found / geometric_torque_wide_band(j_sd, gamma_prime, energy, theta) - 1))
    assert errors[2] < 0.05
    assert np.polyfit(np.log(ratios), np.log(errors), 1)[0] > 0.95


@pytest.mark.parametrize("kT", [0.0, 0.01])
def test_closed_system_has_geometric_part_only(kT):
    system = ln.OpenSystem(ln.chain(4, j_sd=1.0), [ln.ChainLead(0, coupling=0.0)], kT=kT)
    frame = ln.RotatingFrame(system, random_texture(2, 4), 1e-3)
    parts = frame.decompose()
    assert not parts.sea.any()
    assert not parts.surface.any()
    assert np.abs(parts.geometric).max() > 1e-5
    assert not frame.lead_currents().spin.any()
    remainder = np.abs(frame.density_matrix() - parts.adiabatic - parts.geometric).max()
    assert remainder < 1e-5  # (hbar w)^2 times inverse gaps squared (gaps of order 0.3 eV)


@pytest.mark.parametrize("kT", [0.0, 0.3])
def test_closed_moment_is_purely_field_like(kT):
    """Two levels -+J: s_perp = (hbar w/2J) [f(-J) - f(J)] sin theta, T = (hbar w/2) [f(-J) - f(J)] sin theta e_phi."""
    j_sd, theta, energy = 1.3, 0.7, 1e-3
    moments = ln.cone(1, theta, 0.4)
    frame = ln.RotatingFrame(ln.OpenSystem(ln.chain(1, j_sd=j_sd), kT=kT), moments, energy)
    torque = ln.torque(frame.decompose().geometric, moments, j_sd)
    split = ln.field_like_damping_like(torque, moments, frame.velocity)
    filling = 1.0 if kT == 0 else np.tanh(j_sd / (2 * kT))
    assert split.field_like[0] == pytest.approx(0.5 * energy * np.sin(theta) * filling, abs=1e-15)
    assert abs(split.damping_like[0]) < 1e-15


def test_closed_level_at_the_fermi_energy_is_refused_at_zero_temperature():
    system = ln.OpenSystem(ln.chain(3, j_sd=0.0))
    frame = ln.RotatingFrame(system, ln.uniform(3), 1e-3)
    with pytest.raises(ValueError, match=r"OpenSystem.kT: 0 .*level"):
        frame.decompose()
    np.testing.assert_allclose(ln.charge_density(frame.density_matrix()).sum(), 3.0, atol=1e-12)


@pytest.mark.parametrize(("j_sd", "energy", "expected"), [(0.5, 0.1, 7.31909039e-4), (2.0, 1.0, 3.292287e-2)])
def test_pumped_spin_current(j_sd, energy, expected):
    system = ln.OpenSystem(ln.chain(1, j_sd=j_sd), [ln.ChainLead(0), ln.ChainLead(0)])
    currents = ln.RotatingFrame(system, ln.cone(1, 0.7), energy).lead_currents()
    np.testing.assert_allclose(currents.spin[:, 2], expected, rtol=0, atol=1e-8)
    np.testing.assert_allclose(currents.charge, 0.0, atol=1e-10)


def test_pumped_spin_current_adiabatic_limit():
    system = ln.OpenSystem(ln.chain(1, j_sd=0.5), [ln.ChainLead(0), ln.ChainLead(0)])
    surface = ln.RotatingFrame(system, ln.cone(1, 0.7), 1e-2).decompose_lead_currents().surface
    np.testing.assert_allclose(surface.spin[:, 2], pumped_spin_current_adiabatic(0.5, 1e-2, 0.7), rtol=0, atol=1e-12)


@pytest.mark.parametrize("j_sd", [0.05, 0.5, 3.0, 100.0])
@pytest.mark.parametrize("kT", [0.0, 1e-4])
def test_static_moment_and_its_bound_state(j_sd, kT):
    """Thermal corrections fall as kT^2 ~ 1e-8 times curvature/6; at J = 0.5 the value is physics' 0.242535625036."""
    moments = ln.cone(1, 0.6, 1.1, axis=(1, 2, 3))
    system = ln.OpenSystem(ln.chain(1, j_sd=j_sd), [ln.ChainLead(0), ln.ChainLead(0)], kT=kT)
    spin = ln.spin_density(ln.RotatingFrame(system, moments, 0.0).density_matrix())[0]
    assert spin @ moments[0] == pytest.approx(bound_state_spin(j_sd), abs=1e-8)
    if j_sd == 0.5:
        assert spin @ moments[0] == pytest.approx(0.242535625036, abs=1e-8)


def test_bound_states_against_a_long_finite_chain():
    """Equilibrium at kT = 0.1 of 7 sites amid 501: the ends, 247 sites away, enter as exp(-pi kT 247) < 1e-33."""
    j_sd, kT, texture = 3.0, 0.1, random_texture(11, 7)
    moments = np.tile([0.0, 0.0, 1.0], (501, 1))
    coupling = np.zeros(501)
    moments[247:254], coupling[247:254] = texture, j_sd
    finite = ln.RotatingFrame(ln.OpenSystem(ln.chain(501, j_sd=coupling), kT=kT, fermi_energy=0.3), moments, 0.0)
    device = slice(2 * 247, 2 * 254)
    open_wire = ln.RotatingFrame(wire(7, j_sd, kT, fermi_energy=0.3), texture, 0.0)
    np.testing.assert_allclose(open_wire.density_matrix(), finite.density_matrix()[device, device], rtol=0, atol=1e-9)


BIAS_CASES = {
    "biased chains": [(0, "chain", 1.0, 0.3, 0.15), (2, "chain", 1.0, -0.3, 0.15)],
    "wide bands": [(0, "wide", 1.0, 0.0, 0.15), (2, "wide", 0.7, 0.0, 0.25)],
    "three leads": [(0, "chain", 1.0, 0.0, 0.15), (1, "chain", 0.5, 0.05, 0.15), (2, "wide", 0.7, 0.0, 0.15)],
    "two on one site": [(0, "wide", 0.4, 0.1, 0.15), (0, "wide", 0.7, 0.0, 0.15)],
}  # fmt: skip


@pytest.mark.parametrize("name", BIAS_CASES)
def test_brute_force_integral_on_the_real_axis(name):
    """rho and currents from the defining integral of G Sigma^< G^dag, where every level lies inside a band."""
    rng = np.random.default_rng(1)
    texture, axis = random_texture(1, 3), rng.normal(size=3)
    axis = axis / np.linalg.norm(axis)
    j_sd, energy, kT = 0.3, 0.2, 0.05
    leads = [
        ln.ChainLead(site, coupling=c, voltage=v, chemical_potential=mu)
        if kind == "chain"
        else ln.WideBandLead(site, broadening=c, voltage=v, chemical_potential=mu)
        for site, kind, c, v, mu in BIAS_CASES[name]
    ]
    system = ln.OpenSystem(ln.chain(3, j_sd=j_sd), leads, kT=kT)
    frame = ln.RotatingFrame(system, texture, energy, axis)
    expected = brute_force(texture, j_sd, energy, axis, kT, BIAS_CASES[name])
    np.testing.assert_allclose(frame.density_matrix(), expected[0], rtol=0, atol=1e-8)
    currents = frame.lead_currents()
    np.testing.assert_allclose(currents.charge, [-np.trace(r).real / HBAR for r in expected[1:]], rtol=0, atol=1e-8)
    sigma = [np.kron(np.eye(3), s) for s in PAULI]
    spin = [[-0.5 * np.trace(s @ r).real for s in sigma] for r in expected[1:]]
    np.testing.assert_allclose(currents.spin, spin, rtol=0, atol=1e-8)


def brute_force(texture, j_sd, energy, axis, kT, leads):
    """(rho, hbar L_p ...) of a chain of unit hopping from the integral over all energies, independent of llgnegf."""
    size = 2 * len(texture)
    along = np.einsum("a,ast->st", axis, PAULI)
    h = -np.kron(np.eye(size // 2, k=1) + np.eye(size // 2, k=-1), np.eye(2)).astype(complex)
    for i, m in enumerate(texture):
        h[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] -= j_sd * np.einsum("a,ast->st", m, PAULI) + energy / 2 * along
    projectors = {s: 0.5 * (np.eye(2) + s * along) for s in (1, -1)}

    def sigma(kind, c, e):
        if kind == "wide":
            return -0.5j * c
        root = 1j * np.sqrt(4 - e * e) if abs(e) < 2 else np.sign(e) * np.sqrt(e * e - 4)
        return c**2 / 2 * (e - root)

    def integrand(e):
        retarded, filled = [], []
        for site, kind, c, v, mu in leads:
            block = slice(2 * site, 2 * site + 2)
            a, b = np.zeros((size, size), complex), np.zeros((size, size), complex)
            for s, p in projectors.items():
                value = sigma(kind, c, e + s * energy / 2 - v)
                f = 0.5 * (1 - np.tanh((e - mu - v + s * energy / 2) / (2 * kT)))
                a[block, block] += value * p
                b[block, block] -= 2 * complex(value).imag * f * p
            retarded.append(a)
            filled.append(b)
        g = np.linalg.inv(e * np.eye(size) - h - sum(retarded))
        n = g @ sum(filled) @ g.conj().T
        rates = [-1j * (a @ n + b @ g.conj().T) for a, b in zip(retarded, filled, strict=True)]
        return np.array([n, *(r + r.conj().T for r in rates)]) / (2 * np.pi)

    edges = [v + q * energy + e for _, k, _, v, _ in leads if k == "chain" for q in (-0.5, 0.5) for e in (-2, 2)]
    top = max(mu + v for *_, v, mu in leads) + energy + 40 * kT
    tail = any(kind == "wide" for _, kind, *_ in leads)
    low = -8.0 if tail else min(edges)
    total = quad_vec(integrand, -np.inf, low, epsabs=1e-10)[0] if tail else 0.0
    points = sorted({low, 0.0, top} | {e for e in edges if low < e < top})
    for a, b in zip(points[:-1], points[1:], strict=True):

        def smooth(u, a=a, b=b):
            return integrand(a + (b - a) * np.sin(np.pi * u / 2) ** 2) * (b - a) * np.pi / 2 * np.sin(np.pi * u)

        total = total + quad_vec(smooth, 0, 1, epsabs=1e-10, limit=4000)[0]
    return total


def test_direct_current_of_a_long_chain():
    """I = V/(2 pi hbar) per spin, kT = 0; no torque without coupling."""
    leads = [ln.ChainLead(0, chemical_potential=0.05), ln.ChainLead(-1, chemical_potential=-0.05)]
    system = ln.OpenSystem(ln.chain(6), leads)
    frame = ln.RotatingFrame(system, ln.uniform(6), 0.0)
    expected = 2 * 0.1 / (2 * np.pi * HBAR)
    np.testing.assert_allclose(frame.lead_currents().charge, [-expected, expected], rtol=0, atol=1e-9)
    bonds = ln.bond_charge_current(frame.density_matrix(), system.electrons)
    np.testing.assert_allclose(bonds, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("coupling", [1e-3, 1e-6, 1e-9])
def test_narrow_resonance_is_filled_by_its_widths(coupling):
    """Weak contact: level n of H_RF holds sum_s g_ns f(eps_n - Q_s w - mu)/sum_s g_ns, g_ns its weight of spin s."""
    j_sd, energy, kT, theta = 0.3, 0.2, 0.1, 0.8
    system = ln.OpenSystem(ln.chain(1, j_sd=j_sd), [ln.ChainLead(0, coupling=coupling)], kT=kT)
    frame = ln.RotatingFrame(system, ln.cone(1, theta), energy)
    h = system.electrons.hamiltonian_at(ln.cone(1, theta)) - 0.5 * energy * PAULI[2]
    levels, states = np.linalg.eigh(h)
    bands = np.sqrt(4 - np.stack([levels + energy / 2, levels - energy / 2], axis=1) ** 2)
    weights = np.abs(states.T) ** 2 * bands
    filling = 1 / (1 + np.exp(np.stack([levels + energy / 2, levels - energy / 2], axis=1) / kT))
    occupation = (weights * filling).sum(axis=1) / weights.sum(axis=1)
    expected = (states * occupation) @ states.conj().T
    found = frame.density_matrix()
    np.testing.assert_allclose(found, expected, rtol=0, atol=max(1e-9, 10 * coupling**2))


@pytest.mark.parametrize("kT", [0.0, 0.02])
def test_weakly_coupled_closed_levels(kT):
    """gamma_c = 1e-6 with no level within the window: the parts are those of the closed system, surf and sea vanish."""
    moments = ln.cone(2, 0.9, [0.0, 0.5])
    open_parts = ln.RotatingFrame(wire(2, 5.0, kT, coupling=1e-6), moments, 1e-3).decompose()
    closed_parts = ln.RotatingFrame(wire(2, 5.0, kT, coupling=0.0), moments, 1e-3).decompose()
    for name in PARTS.values():
        np.testing.assert_allclose(getattr(open_parts, name), getattr(closed_parts, name), rtol=0, atol=1e-9)


def test_density_matrix_turns_with_the_moments():
    frame = ln.RotatingFrame(wire(2, 1.0), random_texture(6, 2), 0.1, (0, 1, 1))
    period = 2 * np.pi * HBAR / 0.1
    spin0 = ln.spin_density(frame.density_matrix())
    spin = ln.spin_density(frame.density_matrix_at(0.3 * period))
    np.testing.assert_allclose(spin, turn(spin0, np.array([0, 1, 1]) / np.sqrt(2), 0.6 * np.pi), rtol=0, atol=1e-12)
    np.testing.assert_allclose(frame.density_matrix_at(period), frame.density_matrix(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kT", [0.0, 0.01])
def test_seven_sites_in_under_300_ms(kT):
    frame = ln.RotatingFrame(wire(7, 0.1, kT), ln.bloch_wall(7, 4, 0.9), 1e-3)
    durations = []
    for _ in range(3):
        start = time.perf_counter()
        frame.decompose()
        durations.append(time.perf_counter() - start)
    assert min(durations) < 0.3


def test_error_is_reported_and_met():
    system, texture = wire(3, 1.0, 0.02), random_texture(9, 3)
    loose, error = ln.RotatingFrame(system, texture, 0.1, tolerance=1e-4).density_matrix_with_error()
    tight, _ = ln.RotatingFrame(system, texture, 0.1, tolerance=1e-12).density_matrix_with_error()
    assert 0 < error <= 1e-4
    assert np.abs(loose - tight).max() <= error
    assert ln.RotatingFrame(system, texture, 0.1).decompose().error <= 1e-9


def test_unreachable_tolerance_raises_with_the_error_reached():
    with pytest.raises(ln.QuadratureError, match=r"reached an error of .* asked for"):
        ln.RotatingFrame(wire(1, 1.0), ln.cone(1, 0.3), 0.1, tolerance=1e-40).density_matrix()


@pytest.mark.parametrize(
    ("field", "changes", "message"),
    [
        ("system", {"system": 3}, r"RotatingFrame.system: 3; allowed: an OpenSystem"),
        ("texture", {"texture": 2 * ln.uniform(2)}, r"RotatingFrame.texture: site 0 .*length 2; allowed: unit vectors"),
        ("texture", {"texture": np.full((2, 3), np.nan)}, r"RotatingFrame.texture: .*NaN"),
        ("texture", {"texture": ln.uniform(3)}, r"RotatingFrame.texture: shape \(3, 3\); allowed: .*\(2, 3\)"),
        ("energy", {"energy": np.inf}, r"RotatingFrame.energy: inf; allowed"),
        ("axis", {"axis": "w"}, r"RotatingFrame.axis: '?w'?; allowed: 'x', 'y', 'z'"),
        ("axis", {"axis": (0, 0, 0)}, r"RotatingFrame.axis: .*; allowed"),
        ("tolerance", {"tolerance": 0.0}, r"RotatingFrame.tolerance: 0.0; allowed: a finite number > 0"),
    ],
)  # fmt: skip
def test_bad_input_is_named(field, changes, message):
    arguments = {"system": wire(2, 1.0), "texture": ln.uniform(2), "energy": 0.1, "axis": "z"} | changes
    with pytest.raises(ValueError, match=message):
        ln.RotatingFrame(**arguments)


def test_unsupported_systems_are_named():
    texture = ln.uniform(2)
    driven = ln.OpenSystem(ln.chain(2), [ln.ChainLead(0), ln.ChainLead(1, voltage=lambda t: t)])
    with pytest.raises(ValueError, match=r"RotatingFrame.system.leads\[1\].voltage: .*stationary"):
        ln.RotatingFrame(driven, texture, 0.1)
    orbit = np.kron([[0, 1j], [-1j, 0]], PAULI[0])
    with pytest.raises(ValueError, match=r"system.electrons.hamiltonian: does not commute .*spin-orbit"):
        ln.RotatingFrame(ln.OpenSystem(ln.Electrons(orbit, 1.0)), texture, 0.1, "z")
    ln.RotatingFrame(ln.OpenSystem(ln.Electrons(orbit, 1.0)), texture, 0.1, "x").density_matrix()
    magnet = ln.Lead([(np.array([1, 0, 0, 0]), ln.ChainLead(0).attach(1)[0].spectrum)])
    with pytest.raises(ValueError, match=r"system.leads\[0\]: is magnetic"):
        ln.RotatingFrame(ln.OpenSystem(ln.chain(2), [magnet]), texture, 0.1, "x")
    ln.RotatingFrame(ln.OpenSystem(ln.chain(2), [magnet]), texture, 0.1, "z").density_matrix()
    biased = ln.OpenSystem(ln.chain(2), [ln.ChainLead(0, voltage=0.1), ln.ChainLead(1)])
    for method in ("decompose", "decompose_lead_currents"):
        with pytest.raises(ValueError, match=rf"RotatingFrame.{method}: leads at .*common equilibrium"):
            getattr(ln.RotatingFrame(biased, texture, 0.1), method)()


@pytest.mark.parametrize("kT", [1e-3, 1e-4, 1e-5, 1e-6])
def test_a_small_temperature_changes_the_exact_state_by_its_square(kT):
    """Sommerfeld: rho(kT) - rho(0) is O(kT^2), also where the window is far wider than kT."""
    chain = ln.chain(3, 1.0, 0.8)
    leads = [ln.ChainLead(0, voltage=0.3), ln.ChainLead(-1)]

    def rho(temperature):
        system = ln.OpenSystem(chain, leads, fermi_energy=0.1, kT=temperature)
        return ln.RotatingFrame(system, ln.cone(3, 0.7, [0.0, 0.5, 1.3]), 1.0, axis=[1, 2, 3]).density_matrix()

    assert np.abs(rho(kT) - rho(0.0)).max() < 50 * kT**2 + 2e-9


def test_a_level_at_the_fermi_energy_that_no_lead_couples_to_is_refused():
    """The odd combination of the outer sites of a 3-chain with a lead in the middle lies at E = 0."""
    system = ln.OpenSystem(ln.chain(3, j_sd=0.0), [ln.ChainLead(1)])
    frame = ln.RotatingFrame(system, ln.uniform(3, "x"), 0.001)
    for method in ("decompose", "decompose_lead_currents"):
        with pytest.raises(ValueError, match=f"RotatingFrame.{method}: kT = 0 with a level at the Fermi energy"):
            getattr(frame, method)()


def test_equal_chemical_potentials_need_not_be_equal_to_the_last_bit():
    leads = [ln.ChainLead(0, voltage=0.1, chemical_potential=0.2), ln.ChainLead(-1, chemical_potential=0.3)]
    system = ln.OpenSystem(ln.chain(2, j_sd=0.5), leads, kT=0.01)
    assert ln.RotatingFrame(system, ln.cone(2, 0.7), 0.001).decompose().error < 1e-8
