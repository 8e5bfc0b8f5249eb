"""The squashed Gaussian a = tanh u, u ~ N(μ, σ²), in one dimension: what has no closed form."""

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq

from estimators.policies import LOG_2PI
from toy_problems.tables.tabular import Array


def expectation(
    f: Callable[[Array], Array], mu: float = 0.0, sigma: float = 1.0, order: int = 4001
) -> float:
    """E[f(u)], u ~ N(μ, σ²), by the trapezoid rule on 12 standard deviations either side: it
    converges geometrically for analytic f."""
    eps = np.linspace(-12, 12, order)
    w = np.exp(-(eps**2) / 2)
    return float((w * f(mu + sigma * eps)).sum() / w.sum())


def log_det(u: Array) -> Array:
    """log(1 − tanh² u) = 2(log 2 − |u| − log(1 + e^{−2|u|})): no 1 − tanh² that underflows."""
    v = np.abs(u)
    return 2 * (math.log(2) - v - np.log1p(np.exp(-2 * v)))


def moment(k: int, mu: float, sigma: float) -> float:
    """E[aᵏ]."""
    return expectation(lambda u: np.tanh(u) ** k, mu, sigma)


def entropy(mu: float, sigma: float) -> float:
    """H(a) = H(u) + E[log(1 − tanh² u)] = log σ + ½ log 2πe + E[log(1 − tanh² u)], in nats.

    At most log 2, the entropy of the uniform distribution on (−1, 1).
    """
    return math.log(sigma) + (LOG_2PI + 1) / 2 + expectation(log_det, mu, sigma)


def modes(mu: float, sigma: float) -> list[float]:
    """The actions at which the density of a has a local maximum, in rising order.

    In terms of u, d log π(a)/du = −(u − μ)/σ² + 2 tanh u: a mode where that falls through 0.
    One or two; for μ = 0 two as soon as σ² > ½, and then a = 0 is a minimum. Not tanh μ.
    """

    def slope(u: float) -> float:
        return -(u - mu) / sigma**2 + 2 * math.tanh(u)

    reach = abs(mu) + 2 * sigma**2 + 1
    turn = math.acosh(math.sqrt(2) * sigma) if 2 * sigma**2 > 1 else 0.0  # slope′ = 0
    ends = [-reach, -turn, turn, reach]
    brackets = zip(ends[:-1], ends[1:], strict=True)  # noqa: RUF007
    return [
        math.tanh(brentq(slope, a, b, xtol=1e-15)) for a, b in brackets if slope(a) > 0 >= slope(b)
    ]
