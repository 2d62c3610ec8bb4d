"""Devices whose Hamiltonian changes with time and density, against explicit chains, closed forms and gauges."""

from __future__ import annotations

import numpy as np
import pytest

import llgnegf as ln
from tests.explicit_device import HBAR, SIGMA, Chain, bond_currents, lead_currents, propagate, spins, thermal

RTOL = 1e-6
UP = ln.uniform(2, "z")
KT = 0.2
"""eV: the cut of 50 sites is then felt in equilibrium as exp(-2 pi kT 50/2) = 2e-14."""
LENGTH, END = 50, 16.0
"""Sites of an explicit lead, whose echo returns after 50 hbar/eV = 33 fs, and the end of a run in fs."""
MU_B, G_E = 5.7883818060e-5, 2.00231930436


def chain_matrix(n: int, hopping: complex | np.ndarray = 1.0, onsite: np.ndarray | float = 0.0) -> np.ndarray:
    """-t_i c_i^dag c_i+1 + h.c. + onsite, (N, N)."""
    t = np.broadcast_to(hopping, n - 1)
    return np.diag(np.broadcast_to(onsite, n)).astype(complex) - np.diag(t, 1) - np.diag(np.conj(t), -1)


def with_spin(matrix: np.ndarray, j_sd: float, moments: np.ndarray) -> np.ndarray:
    """matrix x 1 - J sigma.M."""
    h = np.kron(matrix, np.eye(2)).astype(complex)
    for i, m in enumerate(moments):
        h[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] -= j_sd * np.tensordot(m, SIGMA, axes=1)
    return h


def check_against_chain(system, moments, device, leads, *, times, stops=(), tolerance=RTOL, start=None):
    """A thermal run with frozen or prescribed moments against the explicit chain."""
    n = 2 * system.n_sites
    initial = thermal(device, n, leads, LENGTH, KT, 0.1)
    expected = propagate(device, n, leads, LENGTH, initial, times, stops)
    run = ln.simulate(system, moments, t_end=END, save_every=1.0, rtol=RTOL).dataset
    got = run.sel(time=list(times), method="nearest")
    whole, expected = expected, expected[:, :n, :n]
    flows = np.array([lead_currents(rho, leads) for rho in whole])
    np.testing.assert_allclose(got.lead_current, flows[:, :, 0], atol=tolerance)
    np.testing.assert_allclose(got.lead_spin_current, flows[:, :, 1:], atol=tolerance)
    bonds = [tuple(map(int, label.split("-"))) for label in run.bond.values]
    through = [bond_currents(rho, device(t, rho), bonds) for t, rho in zip(times, expected, strict=True)]
    np.testing.assert_allclose(got.bond_current, through, atol=tolerance)
    charge = np.einsum("...ii->...i", expected).real.reshape(len(times), -1, 2).sum(axis=2)
    kept = run.charge_density.sum("site") + run.lead_charge_out.sum("lead")
    assert np.abs(kept - kept[0]).max() < 1e-11
    np.testing.assert_allclose(got.charge_density, charge, atol=tolerance)
    np.testing.assert_allclose(got.spin_density, spins(expected), atol=tolerance)
    return run


TEXTURE = np.array([[0.6, 0.0, 0.8], [0.0, 0.6, 0.8], [0.0, -0.8, 0.6]])
TIMES = (0.0, 3.0, 7.0, 12.0, 16.0)
LEADS = [ln.ChainLead(0, coupling=0.9), ln.ChainLead(-1)]
EXPLICIT = [Chain(0, coupling=0.9), Chain(-1)]


def open_chain(**electrons) -> ln.OpenSystem:
    return ln.OpenSystem(ln.chain(3, j_sd=electrons.pop("j_sd", 0.4), **electrons), LEADS, fermi_energy=0.1, kT=KT)


def test_a_pulsed_gate_in_a_wire() -> None:
    pulse = ln.Pulse(0.8, 9.0, 1.0)
    system = open_chain(terms=[ln.Gate([1], pulse)])

    def device(t, rho):
        gate = 0.8 * np.exp(-0.5 * (t - 9.0) ** 2) * (abs(t - 9.0) < 8.58)
        return with_spin(chain_matrix(3, onsite=np.array([0, gate, 0])), 0.4, TEXTURE)

    check_against_chain(system, ln.Frozen(TEXTURE), device, EXPLICIT, times=TIMES)


def test_a_matrix_that_is_switched_and_a_coupling_that_changes() -> None:
    matrix = np.array([[0.3, 0.5j, 0.2], [-0.5j, 0.0, 0.4], [0.2, 0.4, -0.3]])
    switch = ln.TimeFunction(lambda t: 0.0 if t < 5.3 else 1.0, np.inf, [5.3])
    system = open_chain(j_sd=lambda t: 0.4 * (1 + 0.5 * np.sin(t / 2)), terms=[ln.TimeDependent(matrix, switch)])

    def device(t, rho):
        return with_spin(chain_matrix(3) + (t >= 5.3) * matrix, 0.4 * (1 + 0.5 * np.sin(t / 2)), TEXTURE)

    run = check_against_chain(system, ln.Frozen(TEXTURE), device, EXPLICIT, times=TIMES, stops=[5.3])
    assert "0-2" in run.bond.values.tolist()  # a bond that the term alone makes


@pytest.mark.parametrize("seed", [0, 1])
def test_random_wires_with_everything_at_once(seed: int) -> None:
    """Random complex hoppings and levels, a pulse, a gate, phases, J(t), U up to 2 gamma."""
    rng = np.random.default_rng(seed)
    hopping, levels = rng.uniform(0.5, 1.2, 2) * np.exp(1j * rng.uniform(0, 6, 2)), rng.uniform(-0.5, 0.5, 3)
    strengths, width = rng.uniform(0, 2, 3), rng.uniform(0.5, 1.0)
    terms = [
        ln.Gate(0, ln.Pulse(0.6, 9.0, width)), ln.Hubbard(strengths), ln.Peierls(ln.Sine(0.5, 4.0), [(1, 2)]),
        ln.ElectronZeeman(ln.Sine(300.0, 6.0), direction="y"),
    ]  # fmt: skip
    matrix = chain_matrix(3, hopping, levels)
    electrons = ln.Electrons.spinless(matrix, lambda t: 0.4 + 0.2 * np.sin(t), terms=terms)
    system = ln.OpenSystem(electrons, LEADS, fermi_energy=0.1, kT=KT)

    def device(t, rho):
        now = matrix.copy()
        now[1, 2] *= np.exp(0.5j * np.sin(2 * np.pi * t / 4.0))
        now[2, 1] = now[1, 2].conj()
        now[0, 0] += 0.6 * np.exp(-0.5 * ((t - 9.0) / width) ** 2) * (abs(t - 9.0) < 8.58 * width)
        h = with_spin(now, 0.4 + 0.2 * np.sin(t), TEXTURE)
        h += 0.5 * G_E * MU_B * 300.0 * np.sin(2 * np.pi * t / 6.0) * np.kron(np.eye(3), SIGMA[1])
        for i in range(3):
            block = rho[2 * i : 2 * i + 2, 2 * i : 2 * i + 2]
            h[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] += strengths[i] * (np.trace(block) * np.eye(2) - block)
        return h

    check_against_chain(system, ln.Frozen(TEXTURE), device, EXPLICIT, times=(0.0, 8.0, 16.0))


def test_light_in_the_gauge_of_phases() -> None:
    places = np.array([0.0, 0.3, 0.7])
    field = ln.Sine(0.6, 4.0)
    system = open_chain(positions=places, terms=[ln.VectorPotential(field, direction="x")])

    def device(t, rho):
        phase = 0.6 * np.sin(2 * np.pi * t / 4.0) * np.diff(places) / HBAR
        return with_spin(chain_matrix(3, np.exp(1j * phase)), 0.4, TEXTURE)

    check_against_chain(system, ln.Frozen(TEXTURE), device, EXPLICIT, times=TIMES)


def test_a_field_on_the_spins() -> None:
    tesla = np.array([300.0, 0.0, 500.0])  # 0.03 eV
    system = open_chain(terms=[ln.ElectronZeeman(lambda t: tesla * np.cos(t / 3))])

    def device(t, rho):
        zeeman = 0.5 * G_E * MU_B * np.tensordot(tesla * np.cos(t / 3), SIGMA, axes=1)
        return with_spin(chain_matrix(3), 0.4, TEXTURE) + np.kron(np.eye(3), zeeman)

    check_against_chain(system, ln.Frozen(TEXTURE), device, EXPLICIT, times=TIMES)


@pytest.mark.parametrize("strength", [0.7, 2.0])
def test_hubbard_with_a_pulse(strength: float) -> None:
    """A self-consistent thermal start, then a gate pulse that the interaction screens."""
    system = open_chain(terms=[ln.Hubbard(strength), ln.Gate(0, ln.Pulse(0.5, 9.0, 1.0))])

    def device(t, rho):
        h = with_spin(chain_matrix(3), 0.4, TEXTURE)
        h[:2, :2] += 0.5 * np.exp(-0.5 * (t - 9.0) ** 2) * (abs(t - 9.0) < 8.58) * np.eye(2)
        for i in range(3):
            block = rho[2 * i : 2 * i + 2, 2 * i : 2 * i + 2]
            spin = np.einsum("st,ats->a", block, SIGMA).real
            h[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] += strength * (
                0.5 * np.trace(block) * np.eye(2) - 0.5 * np.tensordot(spin, SIGMA, axes=1)
            )
        return h

    check_against_chain(system, ln.Frozen(TEXTURE), device, EXPLICIT, times=TIMES)


def test_the_own_mean_field_of_a_user_is_hubbard_s() -> None:
    def field(blocks):
        number = np.trace(blocks, axis1=1, axis2=2)[:, None, None] * np.eye(2)
        return 0.9 * (number - blocks)

    own = open_chain(terms=[ln.DensityDependent(field), ln.Gate(1, ln.Sine(0.3, 5.0))])
    known = open_chain(terms=[ln.Hubbard(0.9), ln.Gate(1, ln.Sine(0.3, 5.0))])
    runs = [ln.simulate(s, ln.Frozen(TEXTURE), t_end=4.0, rtol=1e-8).dataset for s in (own, known)]
    np.testing.assert_allclose(runs[0].spin_density, runs[1].spin_density, atol=1e-8)


class TestGauge:
    """Two descriptions of the same thing agree to 1e-9."""

    def test_a_gate_on_the_device_is_minus_a_voltage_on_all_leads(self) -> None:
        """H and occupations relative to the leads: the gate's charges, currents and torques at V = -f."""
        drive = ln.Ramp(0.0, 0.7, 1.0, 3.0)
        back = ln.Ramp(0.0, -0.7, 1.0, 3.0)
        gated = open_chain(terms=[ln.Gate(None, drive)])
        biased = ln.OpenSystem(
            ln.chain(3, j_sd=0.4),
            [ln.ChainLead(0, coupling=0.9, voltage=back), ln.ChainLead(-1, voltage=back)], fermi_energy=0.1, kT=KT,
        )  # fmt: skip
        a, b = (ln.simulate(s, ln.Frozen(TEXTURE), t_end=12.0, rtol=3e-10).dataset for s in (gated, biased))
        for name in ("spin_density", "charge_density", "lead_current", "lead_spin_current", "bond_current", "torque"):
            np.testing.assert_allclose(a[name], b[name], atol=1e-9)

    def test_a_phase_on_the_bonds_to_a_lead_is_its_voltage(self) -> None:
        """Site 0 as the lead's last one: exp(i theta) on t_01 c_0^dag c_1 is V = hbar dtheta/dt on the left; seen from
        the device, where t_10 has the phase -theta, it is -hbar d/dt of the phase."""
        theta = ln.Pulse(0.8, 9.0, 1.0)

        def voltage(t: float) -> float:
            return HBAR * theta.rate(t)

        drive = ln.TimeFunction(voltage, 1.0, theta.discontinuities)
        right = ln.ChainLead(-1, coupling=0.8)
        turned = ln.OpenSystem(
            ln.chain(3, j_sd=[0, 0.4, 0.4], terms=[ln.Peierls(theta, [(0, 1)])]), [ln.ChainLead(0), right], kT=KT
        )
        biased = ln.OpenSystem(
            ln.chain(3, j_sd=[0, 0.4, 0.4], terms=[ln.Gate(0, drive)]), [ln.ChainLead(0, voltage=drive), right], kT=KT
        )
        a, b = (ln.simulate(s, ln.Frozen(TEXTURE), t_end=16.0, rtol=3e-10).dataset for s in (turned, biased))
        for name in ("spin_density", "charge_density", "lead_current", "bond_current"):
            np.testing.assert_allclose(a[name], b[name], atol=1e-9)
        assert np.abs(a.lead_current).max() > 0.01

    def test_phases_on_a_closed_chain_are_a_field_in_the_length_gauge(self) -> None:
        """E = -dA/dt; A(0) = 0, so that both start alike."""
        places, period, height = np.array([0.0, 0.3, 0.7]), 5.0, 1.2
        w = 2 * np.pi / period
        potential = ln.Sine(height, period)
        field = ln.Sine(-height * w, period, phase=np.pi / 2)
        a, b = (
            ln.simulate(
                ln.OpenSystem(ln.chain(3, j_sd=0.4, positions=places, terms=[term]), [], kT=0.1), ln.Frozen(TEXTURE),
                t_end=15.0, rtol=1e-11, start="partitioned",
                initial_density_matrix=np.diag([1, 0.2, 0.7, 0, 0, 0.4]),
            ).dataset
            for term in (ln.VectorPotential(potential, direction="x"), ln.ElectricField(field, direction="x"))
        )  # fmt: skip
        for name in ("spin_density", "charge_density", "bond_current", "bond_spin_current"):
            np.testing.assert_allclose(a[name], b[name], atol=1e-9)


class TestClosedForms:
    def test_a_level_that_oscillates_between_wide_bands(self) -> None:
        """<n>(t) = int dE/2pi Gamma f(E) |A(E, t)|^2 per spin, A from the level's phase (Jauho, Wingreen, Meir)."""
        gamma, level, height, period, kT = 0.5, 0.2, 0.6, 6.0, 0.1
        w = 2 * np.pi / period
        lead = ln.WideBandLead(0, gamma)
        electrons = ln.chain(1, onsite=level, terms=[ln.Gate(0, ln.TimeFunction(
            lambda t: height * np.sin(w * t), period / 4))])  # fmt: skip
        system = ln.OpenSystem(electrons, [lead], kT=kT)
        run = ln.simulate(system, ln.Frozen(ln.uniform(1, "z")), t_end=7.0, rtol=1e-6).dataset
        t = 7.0

        def phase(s: np.ndarray | float) -> np.ndarray | float:
            """int_0^s e(s') ds'/hbar"""
            return (level * s - height / w * (np.cos(w * s) - 1)) / HBAR

        def amplitude(energy: np.ndarray) -> np.ndarray:
            """-i int_-inf^t ds/hbar exp[i int_s^t (E - e(s') + i Gamma/2) ds'/hbar], e = level before t = 0."""
            x, weights = np.polynomial.legendre.leggauss(800)
            s, ds = 0.5 * t * (1 + x), 0.5 * t * weights / HBAR
            since = np.exp(1j * ((energy[:, None] + 0.5j * gamma) * (t - s) / HBAR - phase(t) + phase(s)))
            begin = np.exp(1j * ((energy + 0.5j * gamma) * t / HBAR - phase(t))) / (energy - level + 0.5j * gamma)
            return begin - 1j * since @ ds

        x, weights = np.polynomial.legendre.leggauss(15)  # on 100 parts of [-20, 20] eV
        energies, weights = (np.arange(-19.8, 20, 0.4)[:, None] + 0.2 * x).ravel(), np.tile(0.2 * weights, 100)
        filled = 1 / (1 + np.exp(np.clip(energies / kT, -500, 500)))
        spectral = gamma * np.abs(amplitude(energies)) ** 2 / (2 * np.pi)
        occupation = weights @ (spectral * filled)
        # Below -20 eV states are full and A = 1/(E - e(t)), up to hbar e'/E^3
        occupation += gamma / (2 * np.pi * (20.0 + level + height * np.sin(w * t)))
        got = float(run.charge_density.sel(time=t)[0]) / 2
        assert got == pytest.approx(occupation, abs=1e-5)


def test_power_balance_and_continuity() -> None:
    """d<H>/dt = power of the drives - outflow, and charge with what has left is constant."""
    places = np.array([0.0, 0.3, 0.7])
    system = open_chain(
        positions=places,
        terms=[
            ln.Gate([0, 2], ln.Sine(0.3, 5.0)), ln.VectorPotential(ln.Pulse(0.5, 9.0, 1.0), direction="x"),
            ln.Hubbard(1.0), ln.ElectronZeeman(ln.Sine(200.0, 7.0), direction="x"),
        ],
        j_sd=lambda t: 0.4 + 0.1 * np.sin(t),
    )  # fmt: skip
    run = ln.simulate(system, ln.Frozen(TEXTURE), t_end=16.0, save_every=0.5, rtol=3e-10).dataset
    total = run.charge_density.sum("site") + run.lead_charge_out.sum("lead")
    assert np.abs(total - total[0]).max() < 1e-11
    energy = run.energy_electronic + run.energy_sd + run.lead_energy_out.sum("lead") - run.drive_work
    assert np.abs(energy - energy[0]).max() < 1e-9
    assert np.abs(run.drive_work).max() > 0.01


SWITCHED = ln.TimeFunction(lambda t: 0.1 if t < 2.5 else 0.6, np.inf, [2.5])


@pytest.mark.parametrize(
    "terms",
    [
        [ln.TimeDependent(np.array([[0.2, 0.3j], [-0.3j, 0.0]]), ln.Sine(0.5, 3.0))],
        [ln.Gate([0, 1], ln.Sine([0.3, -0.2], 4.0))], [ln.Gate(0, SWITCHED)],
        [ln.Gate(0, ln.Chirp(0.3, 4.0, 2.0, 5.0))],
        [ln.ElectricField(ln.Sine([0.4, 0.0, 0.2], 3.0))], [ln.ElectronZeeman(ln.Sine(300.0, 4.0), direction="y")],
        [ln.Peierls(ln.Sine(0.7, 3.0))], [ln.Peierls(SWITCHED, [(1, 0)])],
        [ln.VectorPotential(ln.LightPulse(0.6, 3.0, 0.3, 0.8), direction="x")],
        [ln.Hubbard(1.5), ln.Gate(1, ln.Ramp(0.0, 0.5, 1.0, 2.0))],
    ],
    ids=lambda terms: "+".join(f"{type(t).__name__}" for t in terms),
)  # fmt: skip
@pytest.mark.parametrize("moves", ["frozen", "turning", "answers"])
def test_every_term_balances_charge_and_power(terms, moves: str) -> None:
    """To 1e-11 and 1e-9, with moments that are held, turn as prescribed, or answer (the magnet's energy is theirs)."""
    texture = np.array([[0.6, 0.0, 0.8], [0.0, 0.6, 0.8]])
    electrons = ln.chain(2, j_sd=ln.Ramp(0.3, 0.5, 0.5, 3.0), positions=[[0, 0, 0], [0.3, 0.1, 0.2]], terms=terms)
    motion = {
        "frozen": ln.Frozen(texture), "turning": ln.Precession(texture, 0.3),
        "answers": ln.Magnet(texture, magnetic_moment=1.0, energies=[ln.UniaxialAnisotropy(0.1, "z")]),
    }[moves]  # fmt: skip
    system = ln.OpenSystem(electrons, [ln.ChainLead(1, coupling=0.8)], kT=KT)
    run = ln.simulate(system, motion, t_end=4.0, rtol=3e-10).dataset
    charge = run.charge_density.sum("site") + run.lead_charge_out.sum("lead")
    assert np.abs(charge - charge[0]).max() < 1e-11
    energy = run.energy_electronic + run.energy_sd + run.lead_energy_out.sum("lead") - run.drive_work
    energy = energy + run.get("energy_classical", 0.0)
    assert np.abs(energy - energy[0]).max() < 1e-9
    assert np.abs(run.drive_work).max() > 1e-4


class TestMovingMoments:
    def test_moments_that_shrink(self) -> None:
        """Ultrafast demagnetisation: |M|(t) rises from 1 and falls to 0.4."""

        def moments(t: float) -> np.ndarray:
            return TEXTURE * (0.7 + 0.3 * np.tanh(6.0 - t))

        motion = ln.Prescribed(ln.TimeFunction(moments, 0.5), unit=False)
        run = check_against_chain(
            open_chain(), motion, lambda t, rho: with_spin(chain_matrix(3), 0.4, moments(t)), EXPLICIT, times=TIMES
        )
        np.testing.assert_allclose(run.moments.sel(time=12.0), moments(12.0), atol=1e-15)

    def test_lengths_are_refused_where_they_are_not_announced(self) -> None:
        with pytest.raises(ValueError, match=r"Prescribed\.function\(0\.0\).*unit vectors"):
            ln.Prescribed(lambda t: 0.5 * TEXTURE)


class TestExternal:
    def turned(self, t: float) -> np.ndarray:
        """About z by a rate that changes, and back."""
        angle = 0.4 * np.sin(t / 3)
        c, s = np.cos(angle), np.sin(angle)
        return TEXTURE @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])

    def final(self, interval: float) -> np.ndarray:
        run = ln.Simulation(open_chain(), ln.External(TEXTURE), t_end=6.0, rtol=1e-8)
        for time in np.arange(1, round(6.0 / interval) + 1) * interval:
            row = run.advance(time, self.turned(time))
        return row["spin_density"]

    def test_it_is_the_whole_motion_to_second_order_in_the_interval(self) -> None:
        path = ln.Prescribed(ln.TimeFunction(self.turned, 0.5))
        exact = ln.simulate(open_chain(), path, t_end=6.0, rtol=1e-8).dataset.spin_density.values[-1]
        errors = [np.abs(self.final(interval) - exact).max() for interval in (0.5, 0.25, 0.125)]
        slopes = np.log2(np.array(errors[:-1]) / errors[1:])
        assert np.all(np.abs(slopes - 2) < 0.25), errors

    def test_a_checkpoint_goes_on_with_the_same_bits(self) -> None:
        runs = [ln.Simulation(open_chain(), ln.External(TEXTURE), t_end=4.0) for _ in range(2)]
        for time in (0.5, 1.0, 1.5):
            runs[0].advance(time, self.turned(time))
        runs[1].restore(runs[0].checkpoint())
        rows = [run.advance(2.0, self.turned(2.0)) for run in runs]
        assert all(np.array_equal(rows[0][name], rows[1][name]) for name in rows[0])

    @pytest.mark.parametrize(
        ("time", "moments", "message"),
        [(0.0, TEXTURE, r"advance\.time: 0\.0; allowed: later than 0"), (9.0, TEXTURE, "at most t_end = 4"),
         (1.0, 2 * TEXTURE, "unit vectors"), (1.0, -TEXTURE, "opposite")],
    )  # fmt: skip
    def test_what_cannot_be_is_refused(self, time: float, moments: np.ndarray, message: str) -> None:
        run = ln.Simulation(open_chain(), ln.External(TEXTURE), t_end=4.0)
        with pytest.raises(ValueError, match=message):
            run.advance(time, moments)

    def test_others_have_rows(self) -> None:
        with pytest.raises(ValueError, match=r"advance\.motion: 'Frozen'"):
            ln.Simulation(open_chain(), ln.Frozen(TEXTURE), t_end=4.0).advance(1.0, TEXTURE)
        with pytest.raises(ValueError, match="External"):
            ln.Simulation(open_chain(), ln.External(TEXTURE), t_end=4.0).rows()


class TestAsAReferee:
    """Cases in which the first version was wrong."""

    @pytest.mark.parametrize("leads", [[], [ln.ChainLead(0)]])
    @pytest.mark.parametrize(
        "motion", [ln.Frozen(ln.uniform(2, "x")), ln.Magnet(ln.uniform(2, "x"), magnetic_moment=1.0, energies=[])]
    )
    def test_a_coupling_alone_may_depend_on_time(self, leads, motion) -> None:
        coupling = ln.Ramp(0.3, 0.5, 1.0, 2.0)
        ramped = ln.OpenSystem(ln.chain(2, j_sd=coupling), leads, kT=0.1)
        data = ln.simulate(ramped, motion, t_end=4.0, rtol=1e-8).dataset
        energy = data.energy_electronic + data.energy_sd - data.drive_work
        energy = energy + (data.lead_energy_out.sum("lead") if leads else 0.0)
        assert np.abs(energy - energy[0]).max() < 1e-8
        assert np.abs(data.drive_work[-1]) > 1e-4

    def test_long_moments_are_within_the_range_of_the_fermi_poles(self) -> None:
        """|M| = L with J is J L with |M| = 1."""
        for length in (3.0, 15.0):
            held = ln.Prescribed(ln.TimeFunction(lambda t, a=length: np.array([[0, 0, a]]), np.inf), unit=False)
            leads = [ln.ChainLead(0)]
            long = ln.simulate(ln.OpenSystem(ln.chain(1, j_sd=1.0), leads, kT=0.1), held, t_end=2.0).dataset
            strong = ln.OpenSystem(ln.chain(1, j_sd=length), leads, kT=0.1)
            expected = ln.RotatingFrame(strong, ln.uniform(1, "z"), 0.0).density_matrix()
            np.testing.assert_allclose(long.spin_density.values[-1], ln.spin_density(expected), atol=1e-6)

    def test_a_jump_does_its_work(self) -> None:
        jump = ln.TimeFunction(lambda t: 0.0 if t < 2.2 else 0.5, np.inf, [2.2])
        system = ln.OpenSystem(ln.chain(2, j_sd=0.3, terms=[ln.Gate(0, jump)]), [ln.ChainLead(1)], kT=0.1)
        data = ln.simulate(system, ln.Frozen(ln.cone(2, 0.7)), t_end=5.0, rtol=1e-9).dataset
        energy = data.energy_electronic + data.energy_sd + data.lead_energy_out.sum("lead") - data.drive_work
        assert np.abs(energy - energy[0]).max() < 1e-9
        assert data.drive_work[-1] == pytest.approx(0.5 * float(data.charge_density[2, 0]), abs=0.02)

    def test_external_moments_that_turn_beside_a_drive(self) -> None:
        """Power and cost are those of the same way prescribed."""
        gate = ln.Gate(0, ln.Ramp(0.0, 0.5, 1.0, 5.0))
        system = ln.OpenSystem(ln.chain(2, j_sd=0.8, terms=[gate]), [ln.ChainLead(0)], kT=0.1)

        def turned(t: float) -> np.ndarray:
            return np.array([[np.cos(0.3 * t), np.sin(0.3 * t), 0.0]] * 2)

        def rate(t: float) -> np.ndarray:
            return 0.3 * np.array([[-np.sin(0.3 * t), np.cos(0.3 * t), 0.0]] * 2)

        known = ln.TimeFunction(turned, 1.0, derivative=rate)
        whole = ln.simulate(system, ln.Prescribed(known), t_end=4.0, rtol=1e-8)
        run = ln.Simulation(system, ln.External(turned(0.0)), t_end=4.0, rtol=1e-8)
        rows = [run.advance(float(t), turned(t)) for t in (1, 2, 3, 4)]
        np.testing.assert_allclose([r["drive_power"] for r in rows], whole.dataset.drive_power.values[1:], atol=1e-7)
        assert run.statistics["right_hand_sides"] < 2 * whole.statistics["right_hand_sides"]

    def test_the_range_counts_what_adds_up(self) -> None:
        from llgnegf.run.error_budget import expand_for_run

        sines = [ln.Gate(0, ln.Sine(10.0, 40.0, phase=phase)) for phase in (0.0, np.pi / 2)]
        system = ln.OpenSystem(ln.chain(2, terms=sines), [ln.ChainLead(0)], kT=0.5)
        poles, _ = expand_for_run(system, ln.Frozen(UP), "steady", 40.0, 1e-4)
        assert poles.bounds[1] > 14.14 and poles.bounds[0] < -14.14

    @pytest.mark.parametrize(
        ("term", "message"),
        [
            (lambda: ln.ElectronZeeman(np.arange(6.0).reshape(3, 2)), r"B: shape \(3, 2\) at t = 0; allowed: shape"),
            (lambda: ln.Gate(None, lambda t: np.array([1j, 0])), "drive"), (lambda: ln.Gate(None, True), "drive"),
            (lambda: ln.Gate([1, -1], 0.1), "each site once"),
            (lambda: ln.Peierls(0.1, [(0, 1), (1, 0)]), "each bond once"),
            (lambda: ln.DensityDependent(lambda b: b @ np.array([[0, 1], [0, 0]])), "H - H"),
        ],
    )  # fmt: skip
    def test_what_is_no_term_is_refused(self, term, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            ln.chain(2, terms=[term()])

    @pytest.mark.parametrize(
        ("electrons", "message"),
        [
            (lambda f: ln.chain(2, terms=[ln.Gate(None, f)]), r"Gate\.drive: 3 numbers at t"),
            (lambda f: ln.chain(2, j_sd=f), r"Electrons\.j_sd: shape \(3,\) at t"),
        ],
    )
    def test_values_keep_their_number(self, electrons, message: str) -> None:
        system = ln.OpenSystem(electrons(lambda t: [0.1] * (2 if t < 1 else 3)), [ln.ChainLead(0)], kT=0.1)
        with pytest.raises(ValueError, match=message):
            ln.simulate(system, ln.Frozen(UP), t_end=2.0)

    def test_a_phase_on_no_bond_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"Electrons\.terms\[0\]\.bonds.*pairs that H connects"):
            ln.chain(3, terms=[ln.Peierls(0.1, [(0, 2)])])

    def test_currents_of_a_density_matrix_need_the_instant(self) -> None:
        electrons = ln.chain(2, terms=[ln.Peierls(ln.Sine(0.4, 5.0))])
        rho = 0.5 * np.eye(4)
        with pytest.raises(ValueError, match=r"electrons\.frozen\(t\)"):
            ln.bond_charge_current(rho, electrons)
        ln.bond_charge_current(rho, electrons.frozen(1.0))

    def test_external_is_not_for_simulate(self) -> None:
        with pytest.raises(ValueError, match=r"simulate\.motion: External.*advance"):
            ln.simulate(open_chain(), ln.External(TEXTURE), t_end=1.0)

