"""Input files that several tests begin with."""

from __future__ import annotations


def turning(n_sites: int, t_end: float) -> str:
    """Electrons on some sites with one lead, and moments that are made to turn."""
    return f"""
schema_version = 1
[run]
t_end = {t_end}
[electrons]
n_sites = {n_sites}
j_sd = 0.2
[[lead]]
kind = "chain"
site = 0
[system]
kT = 0.1
[texture]
kind = "cone"
angle = 0.5
[motion]
kind = "precession"
energy = 0.1
"""


def moment_in_a_field(run: str, sweep: str = "") -> str:
    """One moment alone, undamped; what [run] has and what follows the field."""
    return f"""
schema_version = 1
[run]
{run}
[texture]
kind = "cone"
n_sites = 1
angle = 0.5
[magnet]
magnetic_moment = 1.0
damping = 0.0
[[energy]]
kind = "zeeman"
B = [0.0, 0.0, 100.0]
{sweep}
"""
