"""Closed forms for SAC's full actor loss α log π − Q (B.6, B.7, B.9).

Derivatives for μ and log σ (all D of them, summed), α > 0; numbers or arrays that broadcast. SF*
has for each parameter the baseline that is best for it, as in `optimal(policy, objective, "mu")`.
"""

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq, minimize_scalar

Numbers = float | np.ndarray


def quadratic_critic(
    delta: Numbers, sigma: Numbers, k: Numbers, alpha: Numbers, D: int = 1
) -> dict[str, dict[str, Numbers]]:
    """Variances for Q = −k|a − m|²/2 under N(μ, σ²I): {estimator: {"mu", "log_std", "total"}}.

    delta = |μ − m|. With A = −kσ², B = A + α, u² = k²δ²σ²:
    μ, × σ²:  Eq. 13 D·A²;  STL D·B²;  SF* (D + 1)u² + ½D(D + 2)B²;  with V for b*, D·B² more.
    log σ:  u² + 2D·A²;  u² + 2D·B²;  (2D + 8)u² + D(D + 5)B²;  with V, 8D·B² more.
    Proved: the integrand is −(½B|ε|² + u·ε) + const; Gaussian moments.
    """
    s2 = np.square(sigma)
    A = -k * s2
    B, u2 = A + alpha, np.square(k * np.asarray(delta) * sigma)
    A2, B2 = A**2, B**2
    score_mu = ((D + 1) * u2 + D * (D + 2) * B2 / 2) / s2
    score_log_std = (2 * D + 8) * u2 + D * (D + 5) * B2
    both: dict[str, tuple[Numbers, Numbers, Numbers]] = {
        "reparameterization": (D * A2 / s2, u2 + 2 * D * A2, 0.0),
        "sticking_the_landing": (D * B2 / s2, u2 + 2 * D * B2, 0.0),
        # b − V = −½B(D + 2 − D) for μ and −½B(D + 4 − D) for log σ; E|s|² is D/σ² and 2D
        "score_function_value": (score_mu + D * B2 / s2, score_log_std + 8 * D * B2, 0.0),
        # one baseline for both parameters lies between the two that are best for each
        "score_function_optimal": (score_mu, score_log_std, 2 * D * B2 / (1 + 2 * s2)),
    }
    return {
        name: {"mu": mu, "log_std": log_std, "total": mu + log_std + compromise}
        for name, (mu, log_std, compromise) in both.items()
    }


def score_beats_eq13(ratio: Numbers, tau: Numbers, D: int = 1) -> Numbers:
    """(D + 1) ratio² + ½D(D + 2)(1/τ − 1)² − D, ratio = |δ|/σ, τ = kσ²/α: negative where SF* has
    less variance than Eq. 13 for μ. An ellipse in (ratio, 1/τ) about the optimum (0, 1)."""
    return (D + 1) * np.square(ratio) + D * (D + 2) / 2 * (1 / np.asarray(tau) - 1) ** 2 - D


def score_beats_eq13_log_std(ratio: Numbers, tau: Numbers, D: int = 1) -> Numbers:
    """(2D + 7) ratio² + D(D + 5)(1/τ − 1)² − 2D: the same for log σ."""
    return (2 * D + 7) * np.square(ratio) + D * (D + 5) * (1 / np.asarray(tau) - 1) ** 2 - 2 * D


def stl_minus_eq13(sigma: Numbers, alpha: Numbers, laplacian: Numbers, D: int = 1) -> Numbers:
    """Var_STL − Var_Eq13 = D α²/σ² + 2α E[ΔQ] for μ, for any Q; laplacian = E[ΔQ].

    Proved: Eq. 13 is STL plus αε/σ, and E[ε·∇Q] = σ E[ΔQ] (Stein).
    """
    return D * np.square(alpha) / np.square(sigma) + 2 * alpha * laplacian


def score_fraction(sigma: Numbers, alpha: Numbers, laplacian: Numbers, D: int = 1) -> Numbers:
    """c* = −σ² E[ΔQ]/(αD): the fraction of the score αε/σ that is worth removing from Eq. 13.

    0 is Eq. 13, 1 is STL. Var(c) − Var(c*) = (c − c*)² D α²/σ².
    """
    return -np.square(sigma) * laplacian / (alpha * D)


def _normal(f: Callable[[np.ndarray], np.ndarray], nodes: int = 4001) -> float:
    """E f(ε) by the trapezoid rule on [−12, 12]: it converges geometrically for analytic f."""
    eps = np.linspace(-12, 12, nodes)
    w = np.exp(-(eps**2) / 2)
    return float((w * f(eps)).sum() / w.sum())


def report_kl(m: float, phi: float, log_std: float = 0.0) -> float:
    """KL(N(φ, σ²) ‖ ½N(−m, 1) + ½N(m, 1)): what SAC minimises in the report's example.

    Not KL(h‖π), which the report minimises. Equal to
    −log σ − ½ + ½(φ² + σ² + m²) − E[log cosh(m(φ + σε))].
    """
    sigma = math.exp(log_std)

    def log_cosh(eps: np.ndarray) -> np.ndarray:
        x = m * (phi + sigma * eps)
        return np.logaddexp(x, -x) - math.log(2)

    return -log_std - 0.5 + (phi**2 + sigma**2 + m**2) / 2 - _normal(log_cosh)


def report_kl_slopes(m: float, phi: float, log_std: float = 0.0) -> tuple[float, float]:
    """∂/∂φ = φ − m E[tanh x];  ∂/∂log σ = −1 + σ²(1 − m² E[sech² x]);  x = m(φ + σε)."""
    sigma = math.exp(log_std)
    tanh = _normal(lambda eps: np.tanh(m * (phi + sigma * eps)))
    return phi - m * tanh, -1 + sigma**2 * report_curvature(m, phi, log_std)


def report_curvature(m: float, phi: float = 0.0, log_std: float = 0.0) -> float:
    """∂²/∂φ² = 1 − m² E[sech² m(φ + σε)]: negative where φ is at a local maximum."""
    sigma = math.exp(log_std)
    return 1 - m**2 * _normal(lambda eps: 1 - np.tanh(m * (phi + sigma * eps)) ** 2)


def critical_separation(log_std: float = 0.0) -> float:
    """The largest m for which φ = 0 still minimises KL(N(φ, σ²)‖h), σ fixed: E[sech² mσε] = 1/m².

    Computed, a root. Below it one minimum, above it two and a maximum between them.
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


def _profile_slope(m: float, phi: float) -> tuple[float, float]:
    """∂/∂φ of KL(N(φ, σ²)‖h) at the σ that is best for that φ, and log σ."""
    log_std = float(
        brentq(lambda s: report_kl_slopes(m, phi, s)[1], -1.5, math.log(m + 2), xtol=1e-14)
    )
    return report_kl_slopes(m, phi, log_std)[0], log_std


def side_minimum(m: float) -> tuple[float, float] | None:
    """(φ, log σ) of the minimum of KL(N(φ, σ²)‖h) with φ > 0, σ free; None where there is none.

    Computed: σ is solved for at each φ, and the slope along φ changes sign from − to +.
    """
    dip = _dip(m)
    if _profile_slope(m, dip)[0] >= 0:
        return None
    phi = float(brentq(lambda p: _profile_slope(m, p)[0], dip, m + 1, xtol=1e-13))
    return phi, _profile_slope(m, phi)[1]


def _dip(m: float) -> float:
    """φ > 0 where the slope along φ is least."""
    found = minimize_scalar(
        lambda p: _profile_slope(m, p)[0], bounds=(0.3 * m, m), method="bounded"
    )
    return float(found.x)


def side_separation() -> float:
    """The smallest m for which minima with φ ≠ 0 exist, σ free: there the least slope is 0."""
    return float(brentq(lambda m: _profile_slope(m, _dip(m))[0], 1.8, 3.0, xtol=1e-10))


def winning_separation() -> float:
    """The smallest m for which those minima are lower than the one at φ = 0, σ free."""

    def lead(m: float) -> float:
        side = side_minimum(m)
        assert side is not None
        return report_kl(m, *side) - report_kl(m, 0.0, centred_log_std(m))

    return float(brentq(lead, 2.5, 4.0, xtol=1e-12))
