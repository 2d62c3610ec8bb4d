"""Mean fields, closed forms of driven transport, and orders of the integrators with a Hamiltonian that changes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import expit, jv

import llgnegf as ln
from tests.explicit_device import HBAR, SIGMA

UP = ln.uniform(2, "z")
FREE = ln.Magnet(UP, magnetic_moment=1.0, energies=[])


def hubbard_two_sites(rho: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """Hopping -1, and U_i [n_i/2 - s_i.sigma/2] from the trace and the spins, (4, 4)."""
    h = np.kron(np.array([[0.0, -1.0], [-1.0, 0.0]]), np.eye(2)).astype(complex)
    for i, u in enumerate(strengths):
        block = rho[2 * i : 2 * i + 2, 2 * i : 2 * i + 2]
        spin = np.einsum("st,ats->a", block, SIGMA).real
        h[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = 0.5 * u * (
            np.trace(block) * np.eye(2) - np.tensordot(spin, SIGMA, axes=1)
        )
    return h


def random_density(rng: np.random.Generator, size: int) -> np.ndarray:
    a = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
    q, _ = np.linalg.qr(a)
    return (q * rng.uniform(0, 1, size)) @ q.conj().T


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_closed_two_sites_against_direct_integration(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rho, strengths = random_density(rng, 4), rng.uniform(-1, 3, 2)
    system = ln.OpenSystem(ln.chain(2, terms=[ln.Hubbard(strengths)]), [])
    run = ln.simulate(
        system, ln.Frozen(UP), t_end=5.0, rtol=1e-12, start="partitioned", initial_density_matrix=rho
    )  # fmt: skip

    def rate(t: float, y: np.ndarray) -> np.ndarray:
        r = y.reshape(4, 4)
        h = hubbard_two_sites(r, strengths)
        return (-1j / HBAR * (h @ r - r @ h)).ravel()

    exact = solve_ivp(rate, (0, 5.0), rho.astype(complex).ravel(), method="DOP853", rtol=1e-13, atol=1e-13).y[:, -1]
    np.testing.assert_allclose(run.density_matrix, exact.reshape(4, 4), atol=1e-10)


def test_interaction_keeps_the_total_spin() -> None:
    """No sd coupling: Hubbard turns spins of sites about each other; what leaves is what is missing, to 1e-9."""
    rho = random_density(np.random.default_rng(3), 6)
    leads = [ln.ChainLead(0, coupling=0.5), ln.ChainLead(-1)]
    system = ln.OpenSystem(ln.chain(3, terms=[ln.Hubbard(1.5)]), leads, kT=0.1)
    run = ln.simulate(
        system, ln.Frozen(ln.uniform(3, "z")), t_end=20.0, rtol=1e-9, start="partitioned", initial_density_matrix=rho
    ).dataset  # fmt: skip
    total = 0.5 * run.spin_density.sum("site") + run.lead_spin_out.sum("lead")
    assert np.abs(total - total[0]).max() < 1e-9
    energy = run.energy_electronic + run.lead_energy_out.sum("lead")
    assert np.abs(energy - energy[0]).max() < 1e-9


def test_a_stoner_moment_forms_and_one_that_is_too_weak_does_not() -> None:
    """A level at -U/2 at a wide band: there is a moment where U times the density of states 2/(pi Gamma) exceeds 1.

    With m = <n_up> - <n_down> and levels at -+ U m/2: m = (2/pi) atan(U m/Gamma), T = 0 (P. W. Anderson, 1961).
    """
    gamma = 0.4
    for strength in (0.4, 2.0):  # 2 U/(pi Gamma) = 0.64, 3.2
        electrons = ln.chain(1, onsite=-0.5 * strength, terms=[ln.Hubbard(strength)])
        system = ln.OpenSystem(electrons, [ln.WideBandLead(0, gamma)], kT=0.002)
        rho = np.diag([0.9, 0.1])
        run = ln.simulate(
            system, ln.Frozen(ln.uniform(1, "z")), t_end=150.0, save_every=10.0, rtol=1e-5, start="partitioned",
            initial_density_matrix=rho,
        ).dataset  # fmt: skip
        m = 0.9
        for _ in range(2000):
            m = 2 / np.pi * np.arctan(strength * m / gamma)
        got = float(run.spin_density.values[-1, 0, 2])
        assert got == pytest.approx(m if strength > 1 else 0.0, abs=2e-3)
        assert run.charge_density.values[-1, 0] == pytest.approx(1.0, abs=1e-4)


def test_a_start_that_is_not_self_consistent_is_refused_with_its_residual() -> None:
    """A level that is pushed up where it holds more than 0.9 electrons and down otherwise has no stationary filling."""

    def field(blocks: np.ndarray) -> np.ndarray:
        number = np.trace(blocks, axis1=1, axis2=2).real
        return 5.0 * np.sign(number - 0.9)[:, None, None] * np.eye(2)

    system = ln.OpenSystem(ln.chain(1, terms=[ln.DensityDependent(field)]), [ln.ChainLead(0)], kT=0.1)
    with pytest.raises(ValueError, match=r"self-consistent.*residual"):
        ln.simulate(system, ln.Frozen(ln.uniform(1, "z")), t_end=1.0)


def test_thermal_start_with_hubbard_stays_where_it_is() -> None:
    """Nothing changes in a stationary state: also with a moment that breaks the symmetry, under bias too."""
    for start, mu in (("thermal", 0.0), ("steady", 0.4)):
        leads = [ln.ChainLead(0, coupling=0.6), ln.ChainLead(-1, coupling=0.6, chemical_potential=mu)]
        system = ln.OpenSystem(ln.chain(2, j_sd=0.3, terms=[ln.Hubbard(1.2)]), leads, kT=0.1)
        rest = ln.Frozen(ln.cone(2, 0.7))
        run = ln.simulate(system, rest, t_end=30.0, save_every=5.0, rtol=1e-8, start=start).dataset
        assert np.abs(run.spin_density - run.spin_density[0]).max() < 1e-8
        assert np.abs(run.spin_density).max() > 0.05


class TestDrivenTransport:
    @pytest.mark.parametrize("phase", [np.pi / 2, 0.0])
    def test_tien_gordon(self, phase: float) -> None:
        """Mean current under V cos wt, V sin wt: sum_n J_n^2(V/hbar w) I(mu_L + n hbar w), to 1e-6 electrons/fs.

        I(mu_L) = 2/(2 pi hbar) int dE Gamma_L Gamma_R |G|^2 [f_L - f_R] for both spins.
        """
        left, right, level, kT, height, period = 0.3, 0.5, 0.2, 0.1, 0.6, 8.0
        quantum = 2 * np.pi * HBAR / period
        leads = [ln.WideBandLead(0, left, voltage=ln.Sine(height, period, phase=phase)), ln.WideBandLead(0, right)]
        system = ln.OpenSystem(ln.chain(1, onsite=level), leads, kT=kT)
        turns = 2  # after which transients are exp(-0.8 * 16/0.66) = 4e-9
        run = ln.simulate(
            system, ln.Frozen(ln.uniform(1, "z")), t_end=(turns + 1) * period, save_every=period / 2, rtol=1e-6,
            start="thermal" if phase == 0 else "steady",
        ).dataset  # fmt: skip
        out = run.lead_charge_out.sel(lead=0).values
        mean = -(out[-1] - out[-3]) / period  # into the device
        x, weights = np.polynomial.legendre.leggauss(20)  # on 200 parts of [-15, 15] eV
        energy, weights = (np.arange(-14.925, 15, 0.15)[:, None] + 0.075 * x).ravel(), np.tile(0.075 * weights, 200)
        spectral = left * right / ((energy - level) ** 2 + 0.25 * (left + right) ** 2)
        absorbed = sum(jv(n, height / quantum) ** 2 * expit(-(energy - n * quantum) / kT) for n in range(-20, 21))
        expected = 2 / (2 * np.pi * HBAR) * np.sum(weights * spectral * (absorbed - expit(-energy / kT)))
        assert mean == pytest.approx(expected, abs=1e-6)
        assert abs(expected) > 1e-3

    def test_a_lorentzian_pulse_moves_one_electron_a_spin(self) -> None:
        """V = 2 hbar tau/(t^2 + tau^2) through a perfect chain: N = int V dt/h = 1; the run sees all but the tails,
        [atan((T - t_0)/tau) + atan(t_0/tau)]/pi, and the band's curvature leaves (hbar/(2 gamma tau))^2."""
        errors = []
        for tau in (2.0, 4.0):
            center, end = 50 * tau, 100 * tau
            pulse = ln.TimeFunction(lambda t, a=tau, c=center: 2 * HBAR * a / ((t - c) ** 2 + a**2), tau)
            system = ln.OpenSystem(ln.chain(1), [ln.ChainLead(0, voltage=pulse), ln.ChainLead(0)], kT=0.05)
            run = ln.simulate(
                system, ln.Frozen(ln.uniform(1, "z")), t_end=end, save_every=end, rtol=1e-7, start="steady"
            ).dataset  # fmt: skip
            seen = (np.arctan((end - center) / tau) + np.arctan(center / tau)) / np.pi
            moved = run.lead_charge_out.sel(lead=1).values[-1] / 2
            errors.append(abs(moved - seen))
            assert abs(moved - seen) < (HBAR / (2 * tau)) ** 2
        assert errors[1] < 0.5 * errors[0]


class TestOrders:
    """A fixed step h leaves h^4 with rk4, h^5 with ark5, h^8 with dop853; a jump is stepped to and leaves that."""

    def errors(self, integrator: str, steps: tuple[float, ...], drive: object) -> np.ndarray:
        electrons = ln.chain(2, j_sd=0.4, terms=[ln.Gate(0, drive), ln.Hubbard(0.8)])
        system = ln.OpenSystem(electrons, [], kT=0.1)
        rho = random_density(np.random.default_rng(5), 4)

        def final(**options: object) -> np.ndarray:
            return ln.simulate(
                system, ln.Frozen(ln.cone(2, 0.8)), t_end=4.8, save_every=4.8, start="partitioned",
                initial_density_matrix=rho, **options,
            ).density_matrix  # fmt: skip

        exact = final(rtol=1e-12)
        return np.array([np.abs(final(integrator=integrator, step=h) - exact).max() for h in steps])

    @pytest.mark.parametrize(
        ("integrator", "steps", "order"),
        [("rk4", (0.08, 0.04), 4), ("ark5", (0.08, 0.04), 5), ("dop853", (0.48, 0.24), 8)],
    )
    @pytest.mark.parametrize(
        "drive", [ln.Sine(0.7, 3.0), ln.TimeFunction(lambda t: 0.2 if t < 2.0 else 1.1, np.inf, [2.0])]
    )
    def test_orders(self, integrator: str, steps: tuple[float, float], order: int, drive: object) -> None:
        coarse, fine = self.errors(integrator, steps, drive)
        assert np.log2(coarse / fine) == pytest.approx(order, abs=0.6), (coarse, fine)


HUBBARD = ln.OpenSystem(
    ln.chain(3, j_sd=0.4, terms=[ln.Hubbard(1.1)]),
    [ln.ChainLead(0, coupling=0.7), ln.ChainLead(-1, coupling=0.7)], kT=0.08,
)  # fmt: skip


class TestOtherSolvers:
    def test_the_rotating_frame_is_where_a_precessing_run_settles(self) -> None:
        texture, energy = ln.cone(3, 0.8), 0.2
        frame = ln.RotatingFrame(HUBBARD, texture, energy, tolerance=1e-9)
        end = 80.0
        run = ln.simulate(HUBBARD, ln.Precession(texture, energy, ramp=10.0), t_end=end, save_every=end, rtol=1e-7)
        turned = run.dataset.moments.values[-1]
        phase = np.arctan2(turned[0, 1], turned[0, 0])
        spins = ln.spin_density(frame.density_matrix())
        c, s = np.cos(phase), np.sin(phase)
        expected = spins @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
        np.testing.assert_allclose(run.dataset.spin_density.values[-1], expected, atol=3e-6)
        np.testing.assert_allclose(
            run.dataset.lead_spin_current.values[-1, :, 2], frame.lead_currents().spin[:, 2], atol=3e-6
        )

    def test_the_free_energy_of_relax_falls_as_its_gradient_says(self) -> None:
        from llgnegf.run.relax import FreeEnergy

        rng = np.random.default_rng(1)
        moments = rng.normal(size=(3, 3))
        moments /= np.linalg.norm(moments, axis=1)[:, None]
        for system in (HUBBARD, ln.OpenSystem(ln.chain(3, j_sd=0.4, terms=[ln.Hubbard(1.1)]), [], kT=0.08)):
            free = FreeEnergy(system, ln.Magnet(moments, magnetic_moment=1.0, energies=[]), 1e-9)
            axis = rng.normal(size=(3, 3))
            change = np.cross(axis, moments)
            step = 1e-4
            _, gradient = free(moments)
            up, down = (free(moments + h * change)[0] for h in (step, -step))
            assert (up - down) / (2 * step) == pytest.approx(np.sum(gradient * change), abs=1e-7)

    def test_a_run_stays_where_relax_ends(self) -> None:
        energies = [ln.UniaxialAnisotropy(0.05, "z"), ln.Exchange(0.02)]
        magnet = ln.Magnet(ln.cone(3, 0.4), magnetic_moment=1.0, energies=energies, damping=0.1)
        rest = ln.relax(HUBBARD, magnet, torque_tolerance=1e-8)
        run = ln.simulate(HUBBARD, rest, t_end=20.0, save_every=20.0, rtol=1e-8).dataset
        assert np.abs(run.moments[-1] - run.moments[0]).max() < 1e-6

    @pytest.mark.parametrize(
        ("ask", "message"),
        [
            (lambda s: ln.ResponseTensors(s, UP), r"terms\[0\]: 'Hubbard'"),
            (lambda s: ln.simulate(s, FREE, t_end=1.0, electrons="adiabatic"), r"terms\[0\]: 'Hubbard'"),
            (lambda s: ln.RotatingFrame(s, UP, 0.1).decompose(), "mean fields"),
        ],
    )  # fmt: skip
    def test_what_does_not_take_a_mean_field_says_so(self, ask, message: str) -> None:
        system = ln.OpenSystem(ln.chain(2, j_sd=0.1, terms=[ln.Hubbard(0.5)]), [ln.ChainLead(0)], kT=0.1)
        with pytest.raises(ValueError, match=message):
            ask(system)

    @pytest.mark.parametrize(
        "ask",
        [
            lambda s: ln.ResponseTensors(s, UP), lambda s: ln.RotatingFrame(s, UP, 0.0),
            lambda s: ln.relax(s, FREE), lambda s: ln.simulate(s, FREE, t_end=1.0, electrons="adiabatic"),
        ],
    )  # fmt: skip
    def test_what_is_static_refuses_a_drive(self, ask) -> None:
        electrons = ln.chain(2, j_sd=lambda t: 0.1, terms=[ln.Gate(0, ln.Sine(0.1, 5.0))])
        system = ln.OpenSystem(electrons, [ln.ChainLead(0)], kT=0.1)
        with pytest.raises(ValueError, match=r"(?s)electrons\.j_sd.*electrons\.terms\[0\]: Gate that depends on"):
            ask(system)

    def test_own_mean_fields_turn_only_where_nothing_turns(self) -> None:
        own = ln.DensityDependent(lambda blocks: 0.1 * blocks.real.transpose(0, 2, 1) + 0.1 * blocks.real)
        system = ln.OpenSystem(ln.chain(2, j_sd=0.1, terms=[own]), [ln.ChainLead(0)], kT=0.1)
        ln.RotatingFrame(system, UP, 0.0).density_matrix()
        with pytest.raises(ValueError, match="turns with the spins"):
            ln.RotatingFrame(system, UP, 0.1)

    def test_terms_that_stay_are_part_of_the_hamiltonian(self) -> None:
        """A gate with a number is an on-site energy, in every solver."""
        leads = [ln.ChainLead(0), ln.ChainLead(-1)]
        gated = ln.OpenSystem(ln.chain(2, j_sd=0.3, terms=[ln.Gate(1, 0.4)]), leads, kT=0.1)
        plain = ln.OpenSystem(ln.chain(2, j_sd=0.3, onsite=[0.0, 0.4]), leads, kT=0.1)
        texture = ln.cone(2, 0.7)
        magnet = ln.Magnet(texture, magnetic_moment=1.0, energies=[ln.UniaxialAnisotropy(0.1, "z")])
        for ask in (
            lambda s: ln.RotatingFrame(s, texture, 0.1).density_matrix(),
            lambda s: ln.ResponseTensors(s, texture).friction,
            lambda s: ln.relax(s, magnet).moments,
            lambda s: ln.simulate(s, ln.Frozen(texture), t_end=3.0).dataset.charge_density.values,
        ):  # fmt: skip
            np.testing.assert_allclose(ask(gated), ask(plain), atol=1e-9)
