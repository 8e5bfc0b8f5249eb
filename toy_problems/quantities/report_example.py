"""Lahire's example: h = ½N(−m, 1) + ½N(m, 1), m = 2 in the report, and the Gaussians near it.

log h(a) = −½log 2π − (a² + m²)/2 + log cosh(ma), so its slope is −a + m tanh(ma). Expectations
over N(0, 1) are trapezoid sums, which converge geometrically.
"""

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.optimize import brentq, root

from estimators import (
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


def log_cosh(x: Array) -> Array:
    return np.abs(x) + np.log1p(np.exp(-2 * np.abs(x))) - math.log(2)


def log_h(a: Array, m: float = 2.0) -> Array:
    return -LOG_2PI / 2 - (a**2 + m**2) / 2 + log_cosh(m * a)


def mean(f: Callable[[Array], Array]) -> float:
    """E[f(ε)], ε ~ N(0, 1)."""
    return expectation(f, 0.0, 1.0)


def reverse_kl(mu: float, sigma: float = 1.0, m: float = 2.0) -> float:
    """KL(N(μ, σ²) ‖ h): what SAC's actor minimises for Q = log h, α = 1."""
    entropy = math.log(sigma) + (LOG_2PI + 1) / 2
    return -entropy - mean(lambda e: log_h(mu + sigma * e, m))


def forward_kl(mu: float, sigma: float = 1.0, m: float = 2.0) -> float:
    """KL(h ‖ N(μ, σ²)) = −H(h) + log σ + ½log 2π + E_h[(a − μ)²]/(2σ²): the report's measure."""
    minus_entropy = mean(lambda e: log_h(m + e, m))  # by symmetry one half stands for both
    second = (1 + m**2 + mu**2) / (2 * sigma**2)
    return minus_entropy + math.log(sigma) + LOG_2PI / 2 + second


def slopes(mu: float, sigma: float, m: float) -> tuple[float, float]:
    """∂/∂μ and ∂/∂σ of the reverse KL: μ − mE tanh, σ − 1/σ − mE[ε tanh], tanh of m(μ + σε)."""

    def t(e: Array) -> Array:
        return np.tanh(m * (mu + sigma * e))

    return mu - m * mean(t), sigma - 1 / sigma - m * mean(lambda e: e * t(e))


def hessian(mu: float, sigma: float, m: float) -> Array:
    """The second derivatives of the reverse KL in (μ, σ)."""

    def curve(k: int) -> float:
        return m**2 * mean(lambda e: e**k * (1 - np.tanh(m * (mu + sigma * e)) ** 2))

    return np.array([[1 - curve(0), -curve(1)], [-curve(1), 1 + sigma**-2 - curve(2)]])


@cache
def phi_star() -> float:
    """The positive φ with d/dφ KL(N(φ, 1) ‖ h) = 0."""
    return float(brentq(lambda phi: slopes(phi, 1.0, 2.0)[0], 0.5, 3.0, xtol=1e-15))


@cache
def sigma_free(m: float = 2.0) -> float:
    """The σ that minimises KL(N(0, σ²) ‖ h)."""
    return float(brentq(lambda s: slopes(0.0, s, m)[1], 0.5, 2 * m + 2, xtol=1e-15))


def critical_separation() -> float:
    """m with curvature 0 at φ = 0 (σ = 1). E tanh(m(φ + ε)) is concave in φ > 0, so there are
    other minima exactly when φ = 0 is none."""
    return float(brentq(lambda m: hessian(0.0, 1.0, m)[0, 0], 0.5, 2.0, xtol=1e-15))


@cache
def side_minimum(m: float) -> tuple[float, float]:
    """(μ, σ) of the minimum near the mode at m > 0."""
    found = root(lambda x: slopes(x[0], x[1], m), [m, 1.0], tol=1e-14)
    return float(found.x[0]), float(found.x[1])


@cache
def side_separation() -> float:
    """The smallest m with a minimum at μ ≠ 0: there it meets a saddle, and det Hessian = 0."""

    def equations(x: Array) -> list[float]:
        mu, sigma, m = x
        return [*slopes(mu, sigma, m), float(np.linalg.det(hessian(mu, sigma, m)))]

    return float(root(equations, [2.1, 1.3, 2.4], tol=1e-14).x[2])


def winning_separation() -> float:
    """The m at which the minima at the sides are as deep as the one in the middle."""

    def gap(m: float) -> float:
        return reverse_kl(*side_minimum(m), m) - reverse_kl(0.0, sigma_free(m), m)

    return float(brentq(gap, side_separation() + 0.1, 3.0, xtol=1e-14))


def kept_first_term() -> list[float]:
    """Nabla-log at φ = 0 without and with its first term, for μ."""
    p = build("report", phi=0.0)
    return [variances(e, p.policy, p.objective)[0] for e in (score_function, score_function_full)]


def eq13_variance(phi: float) -> float:
    """Var[(log h)′(φ + ε)]: for μ, log π(f) has no derivative and Eq. 13 is Q′ alone."""

    def slope(e: Array) -> Array:
        return -(phi + e) + 2 * np.tanh(2 * (phi + e))

    return mean(lambda e: slope(e) ** 2) - mean(slope) ** 2


def score_on_q_variance(phi: float) -> float:
    """Var[(f − b*)ε], f = −log h(φ + ε), b* = E[fε²]: nabla-log on Q, entropy exact."""

    def f(e: Array) -> Array:
        return -log_h(phi + e)

    b = mean(lambda e: f(e) * e**2)
    return mean(lambda e: ((f(e) - b) * e) ** 2) - mean(lambda e: f(e) * e) ** 2


def boundary() -> float:
    """The φ > 0 up to which nabla-log on Q beats Eq. 13."""

    def gap(phi: float) -> float:
        return score_on_q_variance(phi) - eq13_variance(phi)

    grid = np.linspace(0, 4, 81)
    first = next(b for b in grid if gap(b) > 0)
    return float(brentq(gap, first - 0.05, first, xtol=1e-15))


def _report_variance(estimator) -> float:  # type: ignore[no-untyped-def]
    p = build("report", phi=0.0)
    return variances(estimator, p.policy, p.objective)[0]


QUANTITIES: dict[str, Callable[[], float | list[float]]] = {
    "R24.kl": lambda: forward_kl(0.0),
    "R25.phi_star": phi_star,
    "R25.kl_star": lambda: reverse_kl(phi_star()),
    "R25.curvature_0": lambda: float(hessian(0.0, 1.0, 2.0)[0, 0]),
    "R25.sigma_free": sigma_free,
    "R25.m_critical": critical_separation,
    "R25.m_side": side_separation,
    "R25.m_win": winning_separation,
    "R29.gradient": lambda: slopes(0.7, 1.0, 2.0)[0],
    "R30.variances": kept_first_term,
    "R33.report_eq13": lambda: _report_variance(reparameterization),
    "R33.report_stl": lambda: _report_variance(sticking_the_landing),
    "R33.report_score_optimal": lambda: score_on_q_variance(0.0),
    "R33.report_boundary": boundary,
}
