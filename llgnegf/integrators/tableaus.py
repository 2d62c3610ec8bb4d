"""Coefficients of the Runge-Kutta methods: nodes c, stages a, weights b, error weights; data only.

A new method is a `Tableau` here, named in METHODS: `integrator` takes it then. DOP853: E. Hairer, S. P. Norsett,
G. Wanner, Solving Ordinary Differential Equations I, section II.10 (the classical 8(5,3) code of the same name), digits
in `dop853.json`. RK4: the classical fourth-order method. ARK5: ARK5(4)8L[2]SA, an implicit-explicit pair of
C. A. Kennedy and M. H. Carpenter, Appl. Numer. Math. 44, 139 (2003).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib.resources import files

import numpy as np


@dataclass(frozen=True, eq=False)
class Interpolant:
    """A polynomial of degree 7 inside a step, from s stages, the rate k_s at its end and three extra stages.

        y(t_0 + x h) = y_0 + F_0 x + F_1 x (1 - x) + F_2 x^2 (1 - x) + F_3 x^2 (1 - x)^2 + ... + F_6 x^4 (1 - x)^3,
        F_0 = y_1 - y_0,  F_1 = h k_0 - F_0,  F_2 = 2 F_0 - h (k_s + k_0),  F_{3+i} = h sum_j weights_ij k_j

    Attributes:
        a: The extra stages (3, s + 4) and c: their nodes (3,).
        weights: (4, s + 4).
    """

    a: np.ndarray
    c: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class Tableau:
    """An explicit Runge-Kutta method.

    Attributes:
        name: How users call it.
        order: Order of the solution that is carried on.
        a: Lower-triangular stage matrix (s, s).
        b: Weights (s,).
        c: Nodes (s,).
        errors: Rows of weights (s,) of embedded error estimates; empty for a method without one.
        error_order: Order of the local error estimate's power of the step.
        stability: Radius of the half disk |h rate| < stability, Re rate <= 0, on which the method damps; found by
            evaluating its stability function 1 + z b.(1 - z a)^-1 1 along rays (tests/test_integrate.py).
        damped_stability: The same for the part of the half disk with -Re rate > |Im rate|/4, which is larger.
        interpolant: The solution inside a step, where the method has one.
    """

    name: str
    order: int
    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    errors: np.ndarray
    error_order: int
    stability: float = np.inf
    damped_stability: float = np.inf
    interpolant: Interpolant | None = None


def _rows(*rows: tuple[float, ...]) -> np.ndarray:
    """A square matrix from its lower-triangular rows."""
    matrix = np.zeros((len(rows), len(rows)))
    for i, row in enumerate(rows):
        matrix[i, : len(row)] = row
    return matrix


def _dop853() -> Tableau:
    """DOP853 from its table of digits, which tests/test_integrate.py checks by the conditions of its order."""
    table = json.loads((files("llgnegf.integrators") / "dop853.json").read_text(encoding="utf-8"))
    interpolant = Interpolant(**{name: np.array(values) for name, values in table["interpolant"].items()})
    b, c, errors = (np.array(table[name]) for name in ("b", "c", "errors"))
    return Tableau("dop853", 8, _rows(*table["a"]), b, c, errors, 8, 5.96, 6.38, interpolant)


DOP853 = _dop853()

RK4 = Tableau(
    "rk4", 4, _rows((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)), np.array([1, 2, 2, 1]) / 6, np.array([0, 0.5, 0.5, 1]),
    np.zeros((0, 4)), 0, 2.6, 2.6,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class ImexTableau(Tableau):
    """An additive pair: `a` for the explicit part, `implicit` (s, s) with its diagonal for the stiff part."""

    implicit: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))


_ARK5_B = np.array([
    -872700587467 / 9133579230613, 0.0, 0.0, 22348218063261 / 9555858737531, -1143369518992 / 8141816002931,
    -39379526789629 / 19018526304540, 32727382324388 / 42900044865799, 41 / 200,
])  # fmt: skip
_ARK5_B4 = np.array([
    -975461918565 / 9796059967033, 0.0, 0.0, 78070527104295 / 32432590147079, -548382580838 / 3424219808633,
    -33438840321285 / 15594753105479, 3629800801594 / 4656183773603, 4035322873751 / 18575991585200,
])  # fmt: skip
_ARK5_C = np.array([
    0.0, 41 / 100, 2935347310677 / 11292855782101, 1426016391358 / 7196633302097, 92 / 100, 24 / 100, 3 / 5, 1.0,
])  # fmt: skip
_ARK5_EXPLICIT = _rows(
    (),
    (41 / 100,),
    (367902744464 / 2072280473677, 677623207551 / 8224143866563),
    (1268023523408 / 10340822734521, 0.0, 1029933939417 / 13636558850479),
    (14463281900351 / 6315353703477, 0.0, 66114435211212 / 5879490589093, -54053170152839 / 4284798021562),
    (
        14090043504691 / 34967701212078, 0.0, 15191511035443 / 11219624916014, -18461159152457 / 12425892160975,
        -281667163811 / 9011619295870,
    ),
    (
        19230459214898 / 13134317526959, 0.0, 21275331358303 / 2942455364971, -38145345988419 / 4862620318723,
        -1 / 8, -1 / 8,
    ),
    (
        -19977161125411 / 11928030595625, 0.0, -40795976796054 / 6384907823539, 177454434618887 / 12078138498510,
        782672205425 / 8267701900261, -69563011059811 / 9646580694205, 7356628210526 / 4942186776405,
    ),
)  # fmt: skip
_ARK5_IMPLICIT = _rows(
    (0.0,),
    (41 / 200, 41 / 200),
    (41 / 400, -567603406766 / 11931857230679, 41 / 200),
    (683785636431 / 9252920307686, 0.0, -110385047103 / 1367015193373, 41 / 200),
    (3016520224154 / 10081342136671, 0.0, 30586259806659 / 12414158314087, -22760509404356 / 11113319521817, 41 / 200),
    (
        218866479029 / 1489978393911, 0.0, 638256894668 / 5436446318841, -1179710474555 / 5321154724896,
        -60928119172 / 8023461067671, 41 / 200,
    ),
    (
        1020004230633 / 5715676835656, 0.0, 25762820946817 / 25263940353407, -2161375909145 / 9755907335909,
        -211217309593 / 5846859502534, -4269925059573 / 7827059040719, 41 / 200,
    ),
    tuple(_ARK5_B),
)  # fmt: skip

ARK5 = ImexTableau(
    "ark5", 5, _ARK5_EXPLICIT, _ARK5_B, _ARK5_C, (_ARK5_B - _ARK5_B4)[None], 5, 0.79, 3.05, implicit=_ARK5_IMPLICIT
)

METHODS = {tableau.name: tableau for tableau in (DOP853, RK4, ARK5)}
"""What `integrator` may name."""
