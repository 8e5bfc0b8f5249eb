"""Gradients of a mixture's weights across a density gap (B.8).

π = w N(m, 1) + (1 − w) N(−m, 1) at w = ½, Q linear: f(a) = a, α = 0. Derivatives for w, of one
sample: those for a logit are ¼ of them.
"""

import math

import numpy as np
from scipy.special import log_ndtr, logsumexp

__all__ = [
    "implicit_weight_growth", "implicit_weight_moment", "implicit_weight_variance",
    "marginalized_weight_variance", "score_weight_variance",
]  # fmt: skip


def implicit_weight_moment(m: float, nodes: int = 20001) -> float:
    """E[(∂a/∂w)²] = ∫ (Φ(a + m) − Φ(a − m))²/π(a) da for implicit reparameterization.

    By the trapezoid rule, which converges geometrically here.
    """
    a = np.linspace(-m - 14, m + 14, nodes)
    # Φ(a + m) − Φ(a − m) is even in a, and at |a| its two terms are far from 1
    near, far = log_ndtr(-np.abs(a) + m), log_ndtr(-np.abs(a) - m)
    log_gap = near + np.log1p(-np.exp(far - near))
    log_density = logsumexp([-((a - m) ** 2) / 2, -((a + m) ** 2) / 2], axis=0) - math.log(
        2 * math.sqrt(2 * math.pi)
    )
    return float(np.trapezoid(np.exp(2 * log_gap - log_density), a))


def implicit_weight_growth(m: float) -> float:
    """√(2π) (π/m) e^{m²/2}: what `implicit_weight_moment` tends to as m grows.

    Proved (Laplace): in the gap Φ(a + m) − Φ(a − m) → 1 and π(a) = φ(m) e^{−a²/2} cosh(ma), and
    ∫ sech(ma) da = π/m. The sample almost never falls there, and then moves very far.
    """
    return math.sqrt(2 * math.pi) * math.pi / m * math.exp(m**2 / 2)


def implicit_weight_variance(m: float) -> float:
    """The second moment less (2m)², the gradient being E N(m, 1) − E N(−m, 1) = 2m."""
    return implicit_weight_moment(m) - (2 * m) ** 2


def marginalized_weight_variance(m: float) -> float:
    """2, whatever m: the estimate is (m + ε₁) − (−m + ε₂). Two evaluations of Q."""
    return 2.0


def score_weight_variance(m: float, nodes: int = 20001) -> float:
    """E[(a − b*)² s²] − (2m)², s = (N(a; m) − N(a; −m))/π(a) = 2 tanh(ma); b* = 0 by symmetry."""
    a = np.linspace(-m - 14, m + 14, nodes)
    density = (np.exp(-((a - m) ** 2) / 2) + np.exp(-((a + m) ** 2) / 2)) / math.sqrt(8 * math.pi)
    return float(np.trapezoid((2 * a * np.tanh(m * a)) ** 2 * density, a)) - (2 * m) ** 2
