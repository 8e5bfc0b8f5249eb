"""Exponential moving averages, and the bias of a maximum over noisy critics."""

import math

import numpy as np
from scipy.integrate import quad
from scipy.special import ndtr

from toy_problems.tables.tabular import Array


def moving_average(values: Array, tau: float, start: float = 0.0) -> Array:
    """θ̄_t = (1 − τ)θ̄_{t−1} + τθ_t from θ̄ = start: the target network's rule. Like values."""
    if not 0 < tau <= 1:
        raise ValueError(f"tau must lie in (0, 1], got {tau}")
    average, path = start, []
    for value in values:
        average = (1 - tau) * average + tau * value
        path.append(average)
    return np.array(path)


def weights(tau: float, count: int) -> Array:
    """The weight τ(1 − τ)ᵏ of the value k steps ago, k < count; (1 − τ)^count is the start's."""
    return tau * (1 - tau) ** np.arange(count)


def half_life(tau: float) -> float:
    """Steps after which what was known has half its weight: log ½ / log(1 − τ)."""
    return math.log(0.5) / math.log1p(-tau)


def max_of_min(actions: int, critics: int) -> float:
    """E[max over actions of min over critics], all errors independent N(0, 1), true Q = 0.

    The over-estimation (> 0) or under-estimation (< 0) of a greedy target, in standard
    deviations of a critic (Fujimoto et al. 2018, §4). P(min > x) = (1 − Φ(x))^critics = S(x),
    P(max ≤ x) = (1 − S)^actions.
    """
    if actions < 1 or critics < 1:
        raise ValueError(f"needs at least one action and one critic, got {actions} and {critics}")

    def below(x: float) -> float:
        return -np.expm1(critics * np.log(ndtr(-x))) if x > -8 else critics * ndtr(x)

    def tail(x: float) -> float:  # E max = ∫_0^∞ P(max > x) − P(max < −x) dx
        return (1 - below(x) ** actions) - below(-x) ** actions

    return float(quad(tail, 0, 12, epsabs=1e-14, epsrel=1e-13, limit=200)[0])
