"""OpenSystem: what it derives from its parts, and every bad argument."""

import numpy as np
import pytest

import llgnegf as ln


def test_chemical_potentials_and_voltages():
    leads = [
        ln.ChainLead(0, voltage=0.2),
        ln.ChainLead(0, voltage=lambda t: 0.1 * t, chemical_potential=-0.3),
        ln.WideBandLead(-1, broadening=1.0),
    ]
    system = ln.OpenSystem(ln.chain(2), leads, fermi_energy=0.5, kT=0.01)
    np.testing.assert_allclose(system.voltages(2.0), [0.2, 0.2, 0.0])
    np.testing.assert_allclose(system.chemical_potentials(2.0), [0.7, -0.1, 0.5])
    np.testing.assert_allclose(system.chemical_potentials(-1.0), [0.7, -0.3, 0.5])
    assert system.n_sites == 2


def test_uncoupled_channels_are_left_out():
    leads = [ln.ChainLead(0, coupling=0.0), ln.WideBandLead(1, broadening=0.0), ln.ChainLead(1)]
    system = ln.OpenSystem(ln.chain(2), leads)
    assert [len(c) for c in system.lead_channels] == [0, 0, 2]
    assert not system.is_closed
    assert ln.OpenSystem(ln.chain(2), leads[:2]).is_closed
    assert ln.OpenSystem(ln.chain(2)).is_closed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"electrons": np.eye(4)}, r"OpenSystem.electrons: .*; allowed: an Electrons object"),
        ({"leads": 3}, r"OpenSystem.leads: 3; allowed: a list of leads"),
        ({"leads": "ab"}, r"^OpenSystem.leads: 'ab'; allowed: a list of leads"),
        ({"leads": [3]}, r"OpenSystem.leads\[0\]: 3; allowed: a lead"),
        ({"leads": [ln.ChainLead(0), ln.ChainLead(2)]}, r"OpenSystem.leads\[1\].site: 2; allowed: -2 <= site < 2"),
        ({"leads": [ln.ChainLead(-3)]}, r"OpenSystem.leads\[0\].site: -3; allowed"),
        ({"fermi_energy": np.nan}, r"OpenSystem.fermi_energy: nan; allowed"),
        ({"kT": -0.1}, r"OpenSystem.kT: -0.1; allowed: a finite number >= 0, in eV"),
        ({"kT": "hot"}, r"OpenSystem.kT: '?hot'?; allowed"),
    ],
)  # fmt: skip
def test_bad_input_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        ln.OpenSystem(**({"electrons": ln.chain(2), "leads": []} | changes))


def test_all_mistakes_are_named_at_once():
    with pytest.raises(ValueError, match="OpenSystem") as caught:
        ln.OpenSystem(ln.chain(2), [ln.ChainLead(5)], fermi_energy=np.inf, kT=-1.0)
    assert len(str(caught.value).splitlines()) == 3
