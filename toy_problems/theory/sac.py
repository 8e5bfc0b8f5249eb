"""Closed forms for SAC's full actor loss α log π − Q (B.6, B.7).

Derivatives for μ and log σ (all D of them, summed), α > 0; numbers or arrays that broadcast. SF*
has for each parameter the baseline that is best for it, as in `optimal(policy, objective, "mu")`.
"""

import numpy as np

__all__ = [
    "quadratic_critic", "score_beats_eq13", "score_beats_eq13_log_std", "score_fraction",
    "stl_minus_eq13",
]  # fmt: skip

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
