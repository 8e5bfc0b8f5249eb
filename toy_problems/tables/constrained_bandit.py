"""One state, n actions: max_π π·r subject to H(π) ≥ H₀, and its dual in the temperature α.

Reference: Haarnoja et al. 2018b (SAC v2), §5.
"""

import math

import numpy as np
from scipy.optimize import brentq

from toy_problems.tables.soft_mdp import entropy, soft_max_value, softmax
from toy_problems.tables.tabular import Array


def lagrangian(pi: Array, alpha: float, r: Array, target: float) -> float:
    """L(π, α) = π·r + α(H(π) − H₀)."""
    return float(pi @ r + alpha * (entropy(pi) - target))


def best_policy(alpha: float, r: Array) -> Array:
    """argmax_π L(π, α) = softmax(r/α)."""
    return softmax(r / alpha)


def dual(alpha: float, r: Array, target: float) -> float:
    """g(α) = max_π L(π, α) = α log Σ exp(r/α) − αH₀. Convex; g′(α) = H(π_α) − H₀."""
    return float(soft_max_value(r, alpha)) - alpha * target


def dual_slope(alpha: float, r: Array, target: float) -> float:
    """g′(α) = H(π_α) − H₀ (the envelope theorem): what loss(α) of SAC differentiates to."""
    return float(entropy(best_policy(alpha, r))) - target


def optimal_temperature(r: Array, target: float) -> float:
    """α* = argmin_{α≥0} g(α): where H(softmax(r/α)) = H₀; 0 where ties alone satisfy it.

    Raises ValueError when no policy has that entropy.
    """
    if not target < math.log(len(r)):
        raise ValueError(
            f"no policy over {len(r)} actions has entropy {target:g}: "
            f"the target must lie below log {len(r)} = {math.log(len(r)):g}"
        )
    if target <= math.log(np.sum(r == r.max())):
        return 0.0
    low, high = 1e-3 * np.ptp(r), np.ptp(r)
    while dual_slope(low, r, target) > 0:
        low /= 2
    while dual_slope(high, r, target) < 0:
        high *= 2
    return float(brentq(dual_slope, low, high, args=(r, target), xtol=1e-15, rtol=1e-14))


def temperature_descent(
    r: Array, target: float, alpha: float, rate: float = 0.5, steps: int = 2000
) -> Array:
    """α ← α e^{−rate·g′(α)}: descent of loss(α) = E[−α log π − αH₀] in log α, π following at
    once. The path, [steps + 1]."""
    path = [alpha]
    for _ in range(steps):
        path.append(path[-1] * math.exp(-rate * dual_slope(path[-1], r, target)))
    return np.array(path)
