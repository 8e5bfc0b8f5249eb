"""Closed forms for families of integrands (B.4, B.5): cosine, exponential, quadratic, absolute
value; and the curves of Mohamed et al. 2020, figure 2.

α = 0, derivatives for μ unless said otherwise; numbers or arrays that broadcast. Functions called
`…_moments` give second moments × σ²: {estimator: value}; the others variances.
"""

import math

import numpy as np
from scipy.optimize import brentq

__all__ = [
    "absolute_boundary", "absolute_moments", "additive_score_variance", "cosine_boundary",
    "cosine_moments", "cosine_variances", "exponential_moments", "in_sample_variance",
    "leave_one_out_variance", "mohamed_crossings", "mohamed_quadratic", "quadratic_moments",
]  # fmt: skip

Numbers = float | np.ndarray
Moments = dict[str, Numbers]


def cosine_moments(omega: Numbers, psi: Numbers, D: int = 1) -> Moments:
    """F = cos(w·a): ω = |w|σ, ψ = w·μ, q = e^{−2ω²} cos 2ψ.

    PW = ω²(1 − q)/2;  SF = D(1 + q)/2 − 2ω²q;  SF* takes D·b*² off,
    b* = e^{−ω²/2} cos ψ (1 − ω²/D).
    Proved: E e^{iω·ε} = e^{−ω²/2} and its derivatives.
    """
    q = np.exp(-2 * np.square(omega)) * np.cos(2 * psi)
    square = np.square(omega)
    score = D * (1 + q) / 2 - 2 * square * q
    baseline = np.exp(-square / 2) * np.cos(psi) * (1 - square / D)
    return {
        "reparameterization": square * (1 - q) / 2,
        "score_function": score,
        "score_function_optimal": score - D * baseline**2,
    }


def cosine_variances(
    frequency: Numbers, mu: Numbers, sigma: Numbers, alpha: Numbers = 0.0
) -> Moments:
    """Variances for μ with Q = cos(wa), D = 1, at any temperature.

    Eq. 13: (ω²(1 − q)/2 − ω²e^{−ω²} sin² ψ)/σ², whatever α;  STL α²/σ² + 2α E[Q″] more.
    The score sees G = cos(ωε + ψ) + αε²/2: E[G²ε²] less its baseline's share. Proved as above.
    """
    frequency, mu, sigma = np.asarray(frequency), np.asarray(mu), np.asarray(sigma)
    omega, psi, s2 = frequency * sigma, frequency * mu, np.square(sigma)
    square, wave = np.square(omega), np.exp(-np.square(omega) / 2) * np.cos(psi)
    none = cosine_moments(omega, psi)
    mean = square * np.exp(-square) * np.sin(psi) ** 2
    cross = alpha * wave * (3 - 6 * square + square**2) + 15 / 4 * np.square(alpha)
    level = wave * (1 - square) + 3 / 2 * alpha  # E[G ε²]
    constant = alpha * (np.log(sigma) + math.log(2 * math.pi) / 2)  # −cost = G + constant
    best = none["score_function"] + cross - level**2 - mean
    eq13 = none["reparameterization"] - mean
    return {
        "reparameterization": eq13 / s2,
        "sticking_the_landing": (eq13 + alpha**2) / s2 - 2 * alpha * frequency**2 * wave,
        "score_function": (best + (level + constant) ** 2) / s2,
        "score_function_optimal": best / s2,
    }


def cosine_boundary(psi: float, D: int = 1) -> float:
    """The ω at which SF and PW tie: ω²(1 + 3q) = D(1 + q). √D at ψ = π/4, where q = 0."""

    def excess(omega: float) -> float:
        q = math.exp(-2 * omega**2) * math.cos(2 * psi)
        return omega**2 * (1 + 3 * q) - D * (1 + q)

    return float(brentq(excess, 1e-3, 3 * math.sqrt(D) + 3, xtol=1e-14))


def exponential_moments(rate: Numbers, D: int = 1) -> Moments:
    """F = exp(t·ε), rate = |t|: PW = t²E, SF = (D + 4t²)E, SF* takes D e^{t²}(1 + t²/D)² off,
    E = e^{2t²}.

    PW always wins, proved: SF* ≥ PW iff (D + 3t²) e^{t²} ≥ D(1 + t²/D)², and e^{t²} ≥ 1 + t².
    """
    t = np.square(rate)
    level = np.exp(2 * t)
    return {
        "reparameterization": t * level,
        "score_function": (D + 4 * t) * level,
        "score_function_optimal": (D + 4 * t) * level - D * np.exp(t) * (1 + t / D) ** 2,
    }


def quadratic_moments(H: np.ndarray, g: np.ndarray) -> Moments:
    """F = ½ εᵀHε + gᵀε: PW = |g|² + |H|²;  SF* = (D + 2)|g|² + ½(D + 4)|H|² − (tr H)²/D.

    |H| is Frobenius's norm. SF* ≥ ½(D + 2) PW, proved by (tr H)² ≤ D|H|²; equal iff g = 0, H ∝ I.
    """
    D = len(g)
    slope, curve = float(g @ g), float((H**2).sum())
    return {
        "reparameterization": slope + curve,
        "score_function_optimal": (D + 2) * slope + (D + 4) / 2 * curve - np.trace(H) ** 2 / D,
    }


def absolute_moments(m: Numbers) -> Moments:
    """F = (|ε| − m)²/2, D = 1: PW = 1 − 2cm + m², SF* = 3/2 − 2cm + (3 − 4c²)m², c = √(2/π)."""
    c = math.sqrt(2 / math.pi)
    return {
        "reparameterization": 1 - 2 * c * m + np.square(m),
        "score_function_optimal": 1.5 - 2 * c * m + (3 - 4 * c**2) * np.square(m),
    }


def absolute_boundary() -> float:
    """m above which SF* beats PW on (|ε| − m)²/2: m² = 1/(16/π − 4)."""
    return 1 / math.sqrt(16 / math.pi - 4)


def mohamed_quadratic(k: Numbers) -> dict[str, dict[str, Numbers]]:
    """Variances for (x − k)² under N(1, 1): {estimator: {"mu", "sigma"}}, d = 1 − k.

    Reference: Mohamed et al. 2020, figure 2 (derivatives for μ and σ; measure-valued coupled).
    """
    d = 1 - np.asarray(k)
    d2, d4 = d**2, d**4
    return {
        "score_function": {"mu": d4 + 14 * d2 + 15, "sigma": 2 * d4 + 60 * d2 + 74},
        "score_function_value": {"mu": 8 * d2 + 10, "sigma": 40 * d2 + 56},
        "score_function_optimal": {"mu": 8 * d2 + 6, "sigma": 40 * d2 + 24},
        "reparameterization": {"mu": 4 + 0 * d2, "sigma": 4 * (d2 + 2)},
        "measure_valued": {"mu": d2 * (16 / math.pi - 4), "sigma": 4 * d2 + 4},
    }


def mohamed_crossings() -> dict[str, float]:
    """|μ − k| at which two curves of `mohamed_quadratic` cross, by name.

    For μ: measure-valued and PW at d² = 4/(16/π − 4); SF and mean baseline at d⁴ + 6d² + 5 = 0,
    never; SF* is always above PW. For σ: measure-valued is always 4 below PW.
    """
    return {"measure_valued = reparameterization, mu": math.sqrt(4 / (16 / math.pi - 4))}


def additive_score_variance(one: np.ndarray, var_f: np.ndarray, var_s: float) -> float:
    """Σ_i [one_i + var_s Σ_{j≠i} Var F_j]: the score function with V on a cost Σ_j F_j(a_j).

    one_i: its variance on coordinate i alone, var_s: of the score of one coordinate. Proved: s_i
    is independent of the other coordinates, whose F_j − E F_j have mean zero. Pathwise
    estimators have Σ one_i: in D equal coordinates D beside D², where one coordinate matters a
    constant beside D.
    """
    return float(one.sum() + var_s * (var_f.sum() - var_f).sum())


def leave_one_out_variance(
    n: int, centred: Numbers, var_f: Numbers, var_s: Numbers, mean: Numbers
) -> Numbers:
    """Var[(f − V)s]/n + (Var f · Var s + Cov(f, s)²)/(n(n − 1)).

    centred = Var[(f − V)s], f the cost, s the score, mean = Cov(f, s) the gradient.
    Reference: Kool, van Hoof and Welling 2019. Proved: leave-one-out is a U-statistic of order 2
    with kernel ½(f₁ − f₂)(s₁ − s₂); these are the two terms of Hoeffding's decomposition.
    """
    if n < 2:
        raise ValueError(f"leave-one-out needs n ≥ 2, got {n}")
    return centred / n + (var_f * var_s + np.square(mean)) / (n * (n - 1))


def in_sample_variance(n: int, leave_one_out: Numbers) -> Numbers:
    """(1 − 1/n)² × leave-one-out's: a baseline that sees its own sample scales the gradient."""
    return np.square(1 - 1 / n) * leave_one_out
