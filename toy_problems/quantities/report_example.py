"""Numbers for the report's own example, Q = log h at N(φ, 1): theory/two_modes.py."""

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.optimize import brentq

from estimators import (
    Estimator,
    reparameterization,
    score_function,
    score_function_full,
    sticking_the_landing,
)
from estimators.policies import LOG_2PI
from toy_problems.problems import build
from toy_problems.quantities.report import variances
from toy_problems.tables.tabular import Array
from toy_problems.theory.squashed import expectation
from toy_problems.theory.two_modes import (
    centred_log_std,
    critical_separation,
    log_h,
    report_curvature,
    report_kl,
    report_kl_slopes,
    side_separation,
    winning_separation,
)


def forward_kl(mu: float, sigma: float = 1.0, m: float = 2.0) -> float:
    """KL(h ‖ N(μ, σ²)) = −H(h) + log σ + ½log 2π + E_h[(a − μ)²]/(2σ²): the report's measure."""
    minus_entropy = expectation(lambda a: log_h(a, m), m)  # by symmetry one half stands for both
    second = (1 + m**2 + mu**2) / (2 * sigma**2)
    return minus_entropy + math.log(sigma) + LOG_2PI / 2 + second


@cache
def phi_star() -> float:
    """The positive φ with d/dφ KL(N(φ, 1) ‖ h) = 0."""
    return float(brentq(lambda phi: report_kl_slopes(2.0, phi)[0], 0.5, 3.0, xtol=1e-15))


def eq13_variance(phi: float) -> float:
    """Var[(log h)′(φ + ε)]: for μ, log π(f) has no derivative and Eq. 13 is Q′ alone."""

    def slope(a: Array) -> Array:
        return -a + 2 * np.tanh(2 * a)

    return expectation(lambda a: slope(a) ** 2, phi) - expectation(slope, phi) ** 2


def score_on_q_variance(phi: float) -> float:
    """Var[(f − b*)ε], f = −log h(φ + ε), b* = E[fε²]: nabla-log on Q, entropy exact."""

    def f(e: Array) -> Array:
        return -log_h(phi + e)

    b = expectation(lambda e: f(e) * e**2)
    return expectation(lambda e: ((f(e) - b) * e) ** 2) - expectation(lambda e: f(e) * e) ** 2


def boundary() -> float:
    """The φ > 0 up to which nabla-log on Q beats Eq. 13."""

    def gap(phi: float) -> float:
        return score_on_q_variance(phi) - eq13_variance(phi)

    grid = np.linspace(0, 4, 81)
    first = next(b for b in grid if gap(b) > 0)
    return float(brentq(gap, first - 0.05, first, xtol=1e-15))


def variance(estimator: Estimator) -> float:
    """Of one estimate at φ = 0, for μ."""
    p = build("report", phi=0.0)
    return variances(estimator, p.policy, p.objective)[0]


QUANTITIES: dict[str, Callable[[], float | list[float]]] = {
    "R24.kl": lambda: forward_kl(0.0),
    "R25.phi_star": phi_star,
    "R25.kl_star": lambda: report_kl(2.0, phi_star()),
    "R25.curvature_0": lambda: report_curvature(2.0),
    "R25.sigma_free": lambda: math.exp(centred_log_std(2.0)),
    "R25.m_critical": critical_separation,
    "R25.m_side": side_separation,
    "R25.m_win": winning_separation,
    "R29.gradient": lambda: report_kl_slopes(2.0, 0.7)[0],
    "R30.variances": lambda: [variance(score_function), variance(score_function_full)],
    "R33.report_eq13": lambda: variance(reparameterization),
    "R33.report_stl": lambda: variance(sticking_the_landing),
    "R33.report_score_optimal": lambda: score_on_q_variance(0.0),
    "R33.report_boundary": boundary,
}
