"""Numbers for Sigaud's slides."""

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import brentq, minimize_scalar

from estimators import Objective, log_det_tanh, reparameterization, squash
from toy_problems.problems import FLOAT, gaussian
from toy_problems.quantities.report import variances, with_optimal_baseline
from toy_problems.tables.averages import max_of_min
from toy_problems.tables.constrained_bandit import optimal_temperature
from toy_problems.tables.soft_mdp import soft_max_value, softmax
from toy_problems.theory import squashed


def external_and_soft() -> list[float]:
    """P(b) where a pays 1 and b leads to 4 free actions: softmax of the plain Q, of the soft Q."""
    after = soft_max_value(np.zeros(4), 1.0)
    plain, soft = np.array([1.0, 0.0]), np.array([1.0, after])
    return [float(softmax(Q)[1]) for Q in (plain, soft)]


def squashed_log_prob() -> float:
    """log π(tanh u) = log N(u; μ, σ²) − Σ log(1 − tanh² u)."""
    u = torch.tensor([0.3, -1.2], dtype=FLOAT)
    policy = gaussian([0.1, -0.4], [math.log(0.6), math.log(1.1)])
    return float(policy.log_prob(u) - log_det_tanh(u))


def squashed_cosine_variances() -> list[float]:
    """Q = cos 4 tanh u, u ~ N(0, 1), α = 0.2: Eq. 13, nabla-log with optimal baseline, for μ."""
    policy = gaussian([0.0], [0.0])
    objective = squash(Objective(lambda a: torch.cos(4 * a).sum(-1), 0.2))
    best = with_optimal_baseline(policy, objective)
    return [variances(reparameterization, policy, objective)[0], best[0]]


def entropy_sigmas(target: float = -1.0) -> list[float]:
    """The narrow and the wide σ for which tanh(N(0, σ²)) has that entropy."""

    def gap(sigma: float) -> float:
        return squashed.entropy(0.0, sigma) - target

    top = minimize_scalar(lambda s: -gap(s), bounds=(0.3, 3.0), method="bounded").x
    return [float(brentq(gap, a, b, xtol=1e-15)) for a, b in ((1e-3, top), (top, 20.0))]


def best_of_eighteen() -> float:
    """p > 1/18 with −p log p − (1 − p) log((1 − p)/17) = 0.98 log 18."""

    def gap(p: float) -> float:
        return -p * math.log(p) - (1 - p) * math.log((1 - p) / 17) - 0.98 * math.log(18)

    return float(brentq(gap, 1 / 18, 0.9, xtol=1e-16))


def nearly_deterministic() -> list[float]:
    """Q = sin a, μ = 0.4, σ = 0.1, α = 0: reparameterization, nabla-log with optimal baseline."""
    policy = gaussian([0.4], [math.log(0.1)])
    objective = Objective(lambda a: torch.sin(a).sum(-1), 0.0)
    best = with_optimal_baseline(policy, objective)
    return [variances(reparameterization, policy, objective)[0], best[0]]


def actor_parameters(obs: int = 17, actions: int = 6, width: int = 256) -> list[float]:
    """Weights and biases with one and with two hidden layers, two heads of `actions` each."""
    heads = 2 * (width + 1) * actions
    first, second = (obs + 1) * width, (width + 1) * width
    return [float(first + heads), float(first + second + heads)]


QUANTITIES: dict[str, Callable[[], float | list[float]]] = {
    "S04.probability": external_and_soft,
    "S12.log_prob": squashed_log_prob,
    "S15.exact": lambda: float(log_det_tanh(torch.tensor([10.0], dtype=FLOAT))),
    "S18.moment": lambda: squashed.moment(2, 0.4, 0.9),
    "S20.variances": squashed_cosine_variances,
    "S23.min": lambda: max_of_min(2, 2),
    "S28.alpha": lambda: optimal_temperature(np.array([1.0, 0.5, 0.0]), 0.98 * math.log(3)),
    "S29.sigmas": entropy_sigmas,
    "S30.best": best_of_eighteen,
    "S31.variance": nearly_deterministic,
    "S32.parameters": actor_parameters,
}
