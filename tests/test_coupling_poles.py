"""Damped modes of lead channels against exact kernels and self-energies; Gamma >= 0 by roots, not by a grid.
Expected values are derived here: Bessel functions, the closed form of Sigma, Fourier integrals by quadrature.
"""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import hankel2e, j1

from llgnegf.poles.coupling import KERNEL, TAILS, CouplingPoles, fit_broadening, semicircle_ladder, semicircle_poles
from llgnegf.poles.spectral_fit import broadening_of, product_weights, product_weights_jacobian, smallest_margin
from llgnegf.poles.tabulated_kernel import TabulatedKernel
from llgnegf.problem.spectra import TabulatedSpectrum

LADDER = semicircle_ladder()
every_size = pytest.mark.parametrize("modes", LADDER, ids=lambda m: f"{len(m)}")
ENTRIES = [pytest.param(m, id=f"{family}-{len(m)}") for family in (TAILS, KERNEL) for m in semicircle_ladder(family)]
every_entry = pytest.mark.parametrize("modes", ENTRIES)


def semicircle_kernel(t):
    return j1(2 * t) / t


def semicircle_self_energy(e):
    """2/(E + sqrt(E-2) sqrt(E+2)) = [E - sqrt(E^2 - 4)]/2, retarded in the upper half plane."""
    e = np.asarray(e, dtype=complex)
    return 2 / (e + np.sqrt(e - 2) * np.sqrt(e + 2))


def real_roots_and_middle(modes, number):
    """How many E^2 > 0 are roots of the numerator of Gamma, by a Sturm chain; and the numerator at E = 0.

    `number` converts a float exactly: Fraction makes this a proof for the modes as they are stored, mpmath.mpf with
    very many digits the same at less cost. Mirror-symmetric modes: each pair chi, -chi^* carries b, b^*.
    """
    n = len(modes) // 2
    chi = [(number(float(c.real)), number(float(c.imag))) for c in modes.energies[:n]]
    b = [(number(float(c.real)), number(float(c.imag))) for c in modes.weights[:n]]
    zero = number(0.0)

    def times(p, q):
        out = [zero] * (len(p) + len(q) - 1)
        for i, x in enumerate(p):
            for j, y in enumerate(q):
                out[i + j] += x * y
        return out

    # i b/(E-chi) + i b^*/(E+chi^*) + c.c. = 2 Re over the pair; with chi = x - iy, b = p + iq (coefficients of w):
    #   i b/(E-chi) + c.c. = 2 [y' p - q (E - x)] / ((E-x)^2 + y^2),  y' = -Im chi = y
    #   mirror image: the same with E -> -E; the sum over the common denominator |w - chi^2|^2:
    #   {[y p - q(E-x)][(E+x)^2 + y^2] + [y p + q(E+x)][(E-x)^2 + y^2]} * 2
    #   = 4 { y p (w + x^2 + y^2) - q x w + q x (x^2 + y^2) }
    numerators, denominators = [], []
    for (x, minus_y), (p, q) in zip(chi, b, strict=True):
        y, size = -minus_y, x * x + minus_y * minus_y
        numerators.append([y * p * size + q * x * size, y * p - q * x])
        denominators.append([size * size, -2 * (x * x - y * y), number(1.0)])
    total = [zero] * (2 * n)
    for k in range(n):
        term = numerators[k]
        for m in range(n):
            if m != k:
                term = times(term, denominators[m])
        total = [s + t for s, t in zip(total, term, strict=True)]
    while total[-1] == 0:
        total.pop()

    def remainder(p, q):
        p = p[:]
        while len(p) >= len(q):
            f = p[-1] / q[-1]
            for i in range(len(q)):
                p[len(p) - len(q) + i] -= f * q[i]
            p.pop()  # zero by construction
        while p and p[-1] == 0:
            p.pop()
        return p

    chain = [total, [k * c for k, c in enumerate(total)][1:]]
    while len(chain[-1]) > 1:
        rest = [-c for c in remainder(chain[-2], chain[-1])]
        chain.append([c / abs(rest[-1]) for c in rest])

    def changes(signs):
        signs = [s for s in signs if s != 0]
        return sum(a * c < 0 for a, c in zip(signs, signs[1:], strict=False))

    return changes([p[0] for p in chain]) - changes([p[-1] for p in chain]), total[0]


@every_entry
def test_kernel_error_at_all_times(modes):
    # Both phases of the oscillation are resolved up to t = 300; later the envelope, J_1(2t)/t = Re[h(t) exp(-2it)],
    # is compared without its fast factor: |Re z| <= |z| with near equality somewhere in every period.
    t = np.arange(0.013, 300, 0.037)
    near = np.abs(modes.kernel(t) - semicircle_kernel(t)).max()
    right = modes.energies.real > 0
    t = np.geomspace(300, 1e9, 4000)
    late = 2 * np.exp(-1j * np.outer(t, modes.energies[right] - 2)) @ modes.weights[right]
    far = np.abs(late - hankel2e(1, 2 * t) / t).max()
    start = abs(modes.kernel(0.0) - 1)  # J_1(2t)/t -> 1
    assert max(near, far, start) <= modes.error
    assert max(near, far, start) > 0.9 * modes.error  # the stored bound is sharp


@every_entry
def test_broadening_is_positive_on_the_whole_real_axis(modes):
    assert smallest_margin(modes.energies, modes.weights) > 0
    assert np.all(modes.energies.imag < 0)
    edge = np.geomspace(1e-9, 1, 3000)
    # Beyond |E| = 50 Gamma ~ 1e-16 is lost in the rounding of the sum on a grid; the certificate and Sturm go on.
    grid = np.concatenate([2 - edge, 2 + edge, np.linspace(-2, 9, 5000), np.geomspace(9, 50, 500)])
    assert modes.broadening(grid).min() > 0
    assert modes.broadening(-grid).min() > 0


@pytest.mark.parametrize("modes", LADDER[:7], ids=lambda m: f"{len(m)}")
def test_positivity_by_a_sturm_chain_of_rationals(modes):
    roots, middle = real_roots_and_middle(modes, Fraction)
    assert roots == 0
    assert middle > 0


@every_entry
def test_positivity_by_a_sturm_chain_in_a_thousand_digits(modes):
    with mpmath.workdps(1000):
        roots, middle = real_roots_and_middle(modes, mpmath.mpf)
        assert roots == 0
        assert middle > 0
        gamma = 4 * middle / mpmath.fprod(abs(mpmath.mpc(c)) ** 2 for c in modes.energies)
        assert float(gamma) == pytest.approx(float(modes.broadening(0.0)), rel=1e-12)
        # The chain can see a dip: lower the floor under the double zeros by more than its height.
        weights = modes.weights.copy()
        widest = np.abs(modes.energies.imag) == -modes.energies.imag.min()
        weights[widest] -= 3e-13 * np.abs(weights).sum()
        assert real_roots_and_middle(CouplingPoles(modes.energies, weights, modes.error), mpmath.mpf)[0] > 0


@pytest.mark.parametrize(
    ("tolerance", "most"),
    [(1e-2, 7), (1e-3, 11), (1e-4, 15), (1e-5, 21), (1e-6, 27), (1e-7, 33), (1e-8, 45), (1e-9, 53)],
)
def test_number_of_modes(tolerance, most):
    # The fits for K(t) alone that came before took 9 modes for 1e-3, 25 for 1e-6 and 45 for 1e-9, with tails outside
    # the band a hundred to a thousand times higher.
    modes = semicircle_poles(tolerance)
    assert len(modes) <= most
    assert modes.error <= tolerance
    smaller = [m for m in LADDER if len(m) < len(modes)]
    assert not smaller or smaller[-1].error > tolerance


@pytest.mark.parametrize(("tolerance", "most"), [(1e-3, 8), (1e-5, 16), (1e-6, 22), (1e-7, 28), (1e-9, 44)])
def test_number_of_modes_for_the_kernel_alone(tolerance, most):
    assert len(semicircle_poles(tolerance, KERNEL)) <= most


@every_size
def test_levels_outside_the_band_are_hardly_damped_or_shifted(modes):
    # Both errors grow with time there: they are to fall as the power 3/2 of the kernel's error, down to round-off.
    e = 2 + np.geomspace(0.1, 100, 500)
    error = np.abs(modes.self_energy(e) - semicircle_self_energy(e))
    assert error.max() <= 10 * modes.error**1.5 + 1e-12
    assert modes.broadening(e).max() <= 10 * modes.error**1.5 + 1e-12


@every_entry
def test_modes_are_moderate(modes):
    assert np.abs(modes.energies).max() < 4
    assert np.abs(modes.weights).sum() < 2  # K(0) = 1 without cancellation
    np.testing.assert_array_equal(np.sort(modes.energies.real), -np.sort(modes.energies.real)[::-1])


@every_entry
def test_self_energy_off_the_axis_is_bounded_by_the_kernel(modes):
    # Sigma(E) = -i int_0^oo K exp(iEt) dt, hence |Sigma - Sigma_fit| <= error/Im E in the upper half plane.
    e = (np.linspace(-5, 5, 101)[:, None] + 1j * np.geomspace(0.003, 4, 12)).ravel()
    difference = np.abs(modes.self_energy(e) - semicircle_self_energy(e))
    assert np.all(difference <= modes.error / e.imag + 1e-14)


@every_size
@pytest.mark.parametrize("j_sd", [0.1, 0.5, 2.0])
def test_bound_state_of_one_moment_in_an_infinite_chain(modes, j_sd):
    # mu = T = 0: n_s = 1/2 + (1/pi) int_0^oo Re G_s(iy) dy, 1/G_s(E) = E + s J - 2 Sigma(E); exactly, n_up - n_down is
    # J/sqrt(4 + J^2), in a bound state below the band. Filled states below mu must not feel the blurred band edge.
    x, w = np.polynomial.legendre.leggauss(20)
    edges = np.linspace(np.log(1e-12), np.log(1e12), 201)
    log_y = (edges[1:, None] + edges[:-1, None]) / 2 + np.diff(edges)[:, None] / 2 * x
    weight = np.diff(edges)[:, None] / 2 * w * np.exp(log_y)
    z = 1j * np.exp(log_y)
    up, down = ((weight / (z + s * j_sd - 2 * modes.self_energy(z))).real.sum() / np.pi for s in (1, -1))
    assert up - down == pytest.approx(j_sd / np.sqrt(4 + j_sd**2), abs=modes.error)


@every_size
def test_methods_agree_with_each_other(modes):
    e = np.linspace(-3, 3, 41)
    sigma = modes.self_energy(e)
    np.testing.assert_allclose(modes.broadening(e), (1j * (sigma - sigma.conj())).real, atol=1e-12)
    z = e + 0.3j
    # Continuation: Gamma(z) = i [Sigma(z) - Sigma(z^*)^*].
    continued = 1j * (modes.self_energy(z) - modes.self_energy(z.conj()).conj())
    np.testing.assert_allclose(modes.broadening(z), continued, atol=1e-14)
    h = 1e-4
    slope = (modes.self_energy(z + h) - modes.self_energy(z - h)) / (2 * h)
    np.testing.assert_allclose(modes.self_energy_derivative(z), slope, atol=1e-5)
    assert modes.broadening(0.1).shape == () and modes.kernel(np.ones((2, 3))).shape == (2, 3)


def test_kernel_is_the_fourier_transform_of_the_broadening():
    modes = semicircle_poles(1e-3)
    for t in (0.0, 0.7, 3.0):
        # |E| > 200 contributes less than int 2 * 20/E^4 dE/2pi ~ 1e-6 (Gamma falls as 1/E^4).
        cut, full_output = 200, {"limit": 2000, "points": [-2, 0, 2]}
        real = quad(lambda e, t=t: modes.broadening(e) * np.cos(e * t), -cut, cut, **full_output)[0] / (2 * np.pi)
        assert modes.kernel(t).real == pytest.approx(real, abs=2e-6)


@settings(max_examples=40, deadline=None)
@given(
    center=st.floats(-5, 5),
    hopping=st.floats(0.05, 5),
    coupling=st.floats(0.01, 3),
    size=st.integers(0, len(LADDER) - 1),
    t=st.floats(0.01, 100),
)
def test_shift_and_scale_give_any_chain_lead(center, hopping, coupling, size, t):
    modes = LADDER[size].shifted_and_scaled(center, hopping, coupling**2)
    exact = coupling**2 * j1(2 * hopping * t) / (hopping * t) * np.exp(-1j * center * t)
    assert abs(modes.kernel(t) - exact) <= modes.error * (1 + 1e-9) + 1e-13 * coupling**2
    assert modes.error == pytest.approx(coupling**2 * LADDER[size].error)
    e = center + np.linspace(-6, 6, 50) * hopping
    unit = coupling**2 / hopping * LADDER[size].broadening((e - center) / hopping)
    np.testing.assert_allclose(modes.broadening(e), unit, rtol=1e-6, atol=1e-10 * coupling**2 / hopping)
    # The shift rounds the energies to 1e-16 |center|, which the floor under Gamma need not outweigh.
    rounding = 1e-15 * (1 + abs(center) / hopping) * coupling**2 / hopping
    assert modes.broadening(e).min() > -rounding


def test_product_weights_have_the_residues_and_the_slopes_of_the_product():
    rng = np.random.default_rng(3)
    poles = rng.uniform(-2, 2, 5) - 1j * rng.uniform(0.2, 1, 5)
    zeros = rng.uniform(-3, 3, 4)
    weights = product_weights(poles, zeros, 0.4)
    e = np.linspace(-4, 4, 30)
    product = np.exp(0.4) * np.prod((e[:, None] - zeros) ** 2, 1) / np.prod(np.abs(e[:, None] - poles) ** 2, 1)
    np.testing.assert_allclose(broadening_of(e, poles, weights).real, product, rtol=1e-10, atol=1e-12)
    by_pole, by_conjugate, by_zero = product_weights_jacobian(poles, zeros)
    h = 1e-6
    for k in range(5):
        for unit in (1, 1j):
            up, down = poles.copy(), poles.copy()
            up[k] += h * unit
            down[k] -= h * unit
            slope = np.log(product_weights(up, zeros, 0) / product_weights(down, zeros, 0)) / (2 * h)
            np.testing.assert_allclose(by_pole[:, k] * unit + by_conjugate[:, k] * np.conj(unit), slope, atol=1e-7)
    for k in range(4):
        d = h * (np.arange(4) == k)
        slope = np.log(product_weights(poles, zeros + d, 0) / product_weights(poles, zeros - d, 0))
        np.testing.assert_allclose(by_zero[:, k], slope / (2 * h), atol=1e-7)


def test_certificate_refuses_a_negative_dip_that_a_grid_would_miss():
    good = semicircle_poles(1e-5)
    energies, weights = good.energies.copy(), good.weights.copy()
    weights[np.argmax(energies.imag)] -= 1e-9  # a Lorentzian of -1e-9 on top of double zeros
    with pytest.raises(ValueError, match="Gamma"):
        smallest_margin(energies, weights)


# Tabulated broadenings --------------------------------------------------------------------------------------------

GRID = np.linspace(-3, 5, 801)
HUMPS = np.exp(-(GRID**2) / 0.3) + 0.6 * np.exp(-((GRID - 2.5) ** 2))
SHAPES = {
    "triangle": (np.array([-1.0, 0.0, 2.0]), np.array([0.0, 1.0, 0.0]), 1e-4),
    "two humps": (GRID, np.append(np.sin(np.pi * (GRID + 3) / 8)[:-1], 0) * HUMPS, 1e-4),
    "asymmetric": (GRID, (GRID + 3) ** 1.5 * (5 - GRID) * np.exp(-GRID) / 40, 1e-3),
    "gap inside": (GRID, np.maximum(0, 1 - (GRID + 1) ** 2) + 0.5 * np.maximum(0, 1 - (GRID - 3) ** 2), 1e-3),
}


def filon_kernel(energies, broadening, t):
    """int dE/2pi Gamma exp(-iEt) piece by piece: for a straight piece of half-width h about the middle m,
    int = 2h exp(-imt) [g_m sinc(ht) - i g' h (sin(ht)/(ht) - cos(ht))/(ht)], g' the slope."""
    m, h = (energies[1:] + energies[:-1]) / 2, np.diff(energies) / 2
    g, slope = (broadening[1:] + broadening[:-1]) / 2, np.diff(broadening) / np.diff(energies)
    x = np.outer(t, h)
    safe = np.where(np.abs(x) < 1e-2, 1.0, x)
    odd = np.where(np.abs(x) < 1e-2, x / 3 - x**3 / 30, (np.sin(safe) / safe - np.cos(safe)) / safe)
    piece = 2 * h * np.exp(-1j * np.outer(t, m)) * (g * np.sinc(x / np.pi) - 1j * slope * h * odd)
    return piece.sum(1) / (2 * np.pi)


@pytest.mark.parametrize("name", SHAPES)
def test_fit_of_a_table(name):
    energies, broadening, relative = SHAPES[name]
    modes = fit_broadening(TabulatedSpectrum(energies, broadening), relative)
    assert modes.error <= relative * np.trapezoid(broadening, energies) / (2 * np.pi)
    assert len(modes) <= 20
    t = np.concatenate([[0.0], np.arange(0.01, 60, 0.05), np.geomspace(60, 5000, 500)])
    assert np.abs(modes.kernel(t) - filon_kernel(energies, broadening, t)).max() <= modes.error
    assert smallest_margin(modes.energies, modes.weights) > 0
    margin = 3 * (energies[-1] - energies[0])
    assert modes.broadening(np.linspace(energies[0] - margin, energies[-1] + margin, 20001)).min() > 0


def test_tabulated_kernel_on_its_grid():
    energies, broadening, _ = SHAPES["gap inside"]
    kernel = TabulatedKernel(energies, broadening)
    exact = filon_kernel(energies, broadening, 0.05 * (np.arange(1500) - 3))
    np.testing.assert_allclose(kernel.on_grid(-3, 1500), exact, atol=1e-12)
    late = np.geomspace(1, 1e4, 300)
    assert np.all(np.abs(filon_kernel(energies, broadening, late)) <= [kernel.bound_after(t) for t in late])


def test_fit_of_a_semicircle_needs_no_more_modes_than_the_table():
    nodes = -2 * np.cos(np.linspace(0, np.pi, 801))
    modes = fit_broadening(TabulatedSpectrum(nodes, np.sqrt(np.maximum(4 - nodes**2, 0))), 1e-4)
    assert len(modes) <= len(semicircle_poles(1e-4)) + 2


@settings(max_examples=5, deadline=None)
@given(center=st.floats(-10, 10), width=st.floats(0.01, 10), height=st.floats(1e-3, 10))
def test_fit_moves_and_scales_with_its_table(center, width, height):
    energies, broadening = np.array([-1.0, 0.0, 2.0]), np.array([0.0, 1.0, 0.0])
    unit = fit_broadening(TabulatedSpectrum(energies, broadening), 1e-3)
    moved = fit_broadening(TabulatedSpectrum(center + width * energies, height * broadening), 1e-3)
    t = np.linspace(0, 50, 300)
    expected = width * height * np.exp(-1j * center * t / width) * unit.kernel(t)
    allowed = moved.error + width * height * unit.error
    assert np.abs(moved.kernel(t / width) - expected).max() <= allowed
    assert len(moved) == len(unit)


def test_fit_that_cannot_be_met_names_what_it_reached():
    # A comb of teeth 0.05 wide: K comes back at t = 2 pi/0.05 almost undiminished; damped modes give no such delay.
    comb = TabulatedSpectrum(np.linspace(-2, 2, 161), np.where(np.arange(161) % 2, 1.0, 0.0))
    with pytest.raises(ValueError, match=r"TabulatedSpectrum: .* tolerance .* was reached .* allowed") as caught:
        fit_broadening(comb, 1e-4)
    reached = float(str(caught.value).split(" K(0) was reached")[0].split()[-1])
    assert 1e-2 < reached < 1


@pytest.mark.parametrize(
    ("energies", "values", "field"),
    [
        ([0, 1, 2], [0, -1, 0], "values"),
        ([0, 1, 2], [0, np.nan, 0], "values"),
        ([0, 1, 2], [0, 1, 1], "values"),
        ([0, 1, 2], [0, 1], "values"),
        ([0, 2, 1], [0, 1, 0], "energies"),
        ([0, 1, np.inf], [0, 1, 0], "energies"),
        ([0], [1], "energies"),
    ],
)
def test_bad_tables_are_refused(energies, values, field):
    with pytest.raises(ValueError, match=rf"TabulatedSpectrum\.{field}: .*allowed"):
        TabulatedSpectrum(energies, values)


@pytest.mark.parametrize("tolerance", [0.0, 1.0, np.nan, 1e-10, "1e-3"])
def test_bad_tolerances_of_tables_are_refused(tolerance):
    with pytest.raises(ValueError, match="tolerance: .*allowed"):
        fit_broadening(TabulatedSpectrum([0, 1, 2], [0, 1, 0]), tolerance)


@pytest.mark.parametrize("tolerance", [0.0, -1e-3, 1.0, np.nan, 1e-14, "1e-3"])
def test_bad_semicircle_tolerances_are_refused(tolerance):
    with pytest.raises(ValueError, match="tolerance: .*allowed"):
        semicircle_poles(tolerance)


def test_bad_modes_are_refused():
    with pytest.raises(ValueError, match="energies"):
        CouplingPoles([1 + 0j], [1.0], 0.0)
    with pytest.raises(ValueError, match="weights"):
        CouplingPoles([-1j], [1.0, 2.0], 0.0)
    with pytest.raises(ValueError, match="error"):
        CouplingPoles([-1j], [1.0], np.nan)
    with pytest.raises(ValueError, match="time"):
        CouplingPoles([-1j], [1.0], 0.0).kernel(-1.0)
    with pytest.raises(ValueError, match="energy_scale"):
        CouplingPoles([-1j], [1.0], 0.0).shifted_and_scaled(0.0, 0.0, 1.0)
