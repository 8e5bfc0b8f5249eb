"""Lahire's example (B.9): h = ½N(−m, 1) + ½N(m, 1), m = 2 in the report, and the Gaussian
π = N(φ, σ²) nearest to it.

SAC, with Q = log h and α = 1, minimises KL(π‖h); not KL(h‖π), which the report minimises. Below,
E is over ε ~ N(0, 1) and x = m(φ + σε); derivatives are for φ and log σ.
"""

import math
from functools import cache

import numpy as np
from scipy.optimize import brentq, root

from estimators.policies import LOG_2PI
from toy_problems.tables.tabular import Array
from toy_problems.theory.squashed import expectation

__all__ = [
    "centred_log_std", "critical_separation", "report_curvature", "report_kl",
    "report_kl_hessian", "report_kl_slopes", "side_minimum", "side_separation",
    "winning_separation",
]  # fmt: skip


def log_h(a: Array, m: float = 2.0) -> Array:
    """−½log 2π − (a² + m²)/2 + log cosh ma, without overflow."""
    x = m * np.abs(a)
    return -LOG_2PI / 2 - (a**2 + m**2) / 2 + x + np.log1p(np.exp(-2 * x)) - math.log(2)


def report_kl(m: float, phi: float, log_std: float = 0.0) -> float:
    """KL(π‖h) = −H(π) − E[log h(φ + σε)]."""
    sigma = math.exp(log_std)
    return -log_std - (LOG_2PI + 1) / 2 - expectation(lambda a: log_h(a, m), phi, sigma)


def report_kl_slopes(m: float, phi: float, log_std: float = 0.0) -> tuple[float, float]:
    """∂/∂φ = φ − m E[tanh x];  ∂/∂log σ = −1 + σ²(1 − m² E[sech² x])."""
    sigma = math.exp(log_std)
    tanh = expectation(lambda a: np.tanh(m * a), phi, sigma)
    return phi - m * tanh, -1 + sigma**2 * report_curvature(m, phi, log_std)


def report_kl_hessian(m: float, phi: float, log_std: float = 0.0) -> Array:
    """[[1 − c₀, −σc₁], [−σc₁, σ²(2 − c₀ − c₂)]], c_k = m² E[εᵏ sech² x]."""
    sigma = math.exp(log_std)
    c0, c1, c2 = (_sech2(m, phi, sigma, k) for k in range(3))
    return np.array([[1 - c0, -sigma * c1], [-sigma * c1, sigma**2 * (2 - c0 - c2)]])


def report_curvature(m: float, phi: float = 0.0, log_std: float = 0.0) -> float:
    """∂²/∂φ² = 1 − m² E[sech² x]: negative where φ is at a local maximum."""
    return 1 - _sech2(m, phi, math.exp(log_std), 0)


def _sech2(m: float, phi: float, sigma: float, k: int) -> float:
    return m**2 * expectation(lambda e: e**k * (1 - np.tanh(m * (phi + sigma * e)) ** 2))


def critical_separation(log_std: float = 0.0) -> float:
    """The largest m for which φ = 0 still minimises KL(π‖h), σ fixed: E[sech² mσε] = 1/m².

    Computed, a root. Below it one minimum, above it two and a maximum between them: E[tanh x] is
    concave in φ > 0.
    """
    return float(brentq(lambda m: report_curvature(m, 0.0, log_std), 0.5, 20.0, xtol=1e-13))


def centred_log_std(m: float) -> float:
    """log σ that minimises KL(N(0, σ²)‖h), σ free.

    There ∂²/∂φ² = 1/σ² > 0 (put the stationarity of σ into `report_curvature`) and ∂²/∂φ∂σ = 0:
    proved, with σ free φ = 0 is a local minimum at every separation.
    """
    return float(
        brentq(lambda s: report_kl_slopes(m, 0.0, s)[1], -0.5, math.log(m + 2), xtol=1e-14)
    )


@cache
def side_minimum(m: float) -> tuple[float, float] | None:
    """(φ, log σ) of the minimum of KL(π‖h) with φ > 0, σ free; None where there is none.

    Computed: the root of both slopes that Newton's method finds from the mode at m.
    """
    if m < side_separation():
        return None
    found = root(lambda x: report_kl_slopes(m, *x), [m, 0.0], tol=1e-14)
    return float(found.x[0]), float(found.x[1])


@cache
def side_separation() -> float:
    """The smallest m for which minima with φ ≠ 0 exist, σ free: there each meets a saddle, so both
    slopes and the determinant of the Hessian are 0. Computed, a root."""

    def equations(x: Array) -> list[float]:
        phi, log_std, m = x
        hessian = report_kl_hessian(m, phi, log_std)
        return [*report_kl_slopes(m, phi, log_std), float(np.linalg.det(hessian))]

    return float(root(equations, [2.1, 0.25, 2.4], tol=1e-14).x[2])


def winning_separation() -> float:
    """The smallest m for which those minima are lower than the one at φ = 0, σ free."""

    def lead(m: float) -> float:
        side = side_minimum(m)
        assert side is not None
        return report_kl(m, *side) - report_kl(m, 0.0, centred_log_std(m))

    return float(brentq(lead, 2.5, 4.0, xtol=1e-12))
