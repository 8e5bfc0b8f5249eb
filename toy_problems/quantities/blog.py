"""Numbers for the blog "SAC from zero"."""

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq

from estimators import Gaussian, Objective, exact_gradient
from estimators.gradients import grad_a, row_gradients, rows
from toy_problems.problems import gaussian
from toy_problems.tables.policy_gradient import as_printed, full_return, policy_gradient, two_step
from toy_problems.tables.soft_mdp import entropy
from toy_problems.tables.tabular import (
    EPISODES,
    GRAPH,
    REWARD,
    Array,
    dynamic_programming,
    monte_carlo,
    td0,
)

# The blog's comparison table, s1 … s6, and what its own text says.
TABLE: Array = np.array(
    [
        [2.667, -2.2, -1.667, -1.0, -1.25, 0.0],
        [-3, -2.333, -1.0, -1.0, -1.5, 0.0],
        [-0.5, -1.125, -0.75, -0.5, -1.0, 0.0],
    ]
)
TEXT: Array = np.array(
    [
        [-2.2667, -2.2, -5 / 3, -1.0, -1.25, 0.0],
        [-3, -7 / 3, -2.0, -1.0, -1.5, 0.0],
        [-0.5, -1.125, -0.75, -0.5, -1.0, 0.0],
    ]
)


def first_five(V: Array) -> list[float]:
    return [float(v) for v in V[:5]]


def wrong_cells() -> float:
    """Cells that are not the text's number to the digits printed."""
    return float((np.abs(TABLE - TEXT) > 1e-3).sum())


def td_rmse() -> list[float]:
    """√ mean over s1 … s5 of (TD(0) − DP)², at learning rates 0.5 and 0.8."""
    truth = dynamic_programming(GRAPH, REWARD)[:5]
    errors = [td0(EPISODES, REWARD, rate)[:5] - truth for rate in (0.5, 0.8)]
    return [float(np.sqrt((e**2).mean())) for e in errors]


def first_logit_gradients() -> list[float]:
    """dJ/dθ₀ of the two-step problem, θ₀ the first action's logit: truth, theorem 1 as printed."""
    flat = np.zeros((3, 2))
    weights = (full_return, as_printed)
    return [float(policy_gradient(two_step(), flat, 0, 2, w)[0, 0]) for w in weights]


def rare_event() -> float:
    """The small p with −p log p = −0.95 log 0.95."""
    level = -0.95 * math.log(0.95)
    return float(brentq(lambda p: -p * math.log(p) - level, 1e-4, math.exp(-1), xtol=1e-17))


def coins() -> list[float]:
    """H of (0.95, 0.05) and of (0.5, 0.5), in nats."""
    return [float(entropy(np.array([p, 1 - p]))) for p in (0.95, 0.5)]


def parabola() -> tuple[Gaussian, Objective]:
    """Q = −k(a − m)²/2, k = 1.7, m = 1.1, α = 0.2, μ = 0.3, σ = 0.7."""
    Q = Objective(lambda a: -1.7 * ((a - 1.1) ** 2).sum(-1) / 2, 0.2)
    return gaussian([0.3], [math.log(0.7)]), Q


def expected_bracket(policy: Gaussian, objective: Objective, with_entropy: bool) -> list[float]:
    """E[α∇_θ log π − (α∇_a log π − ∇_a Q)∇_θ log π], or E[α∇_θ log π − ∇_a Q ∇_θ log π].

    The blog's parameterised update and its first one, in one dimension, by nodes.
    """
    a, w = (x.detach() for x in policy.nodes(40))  # [m, 1], [m]
    copies = rows(policy, len(a))
    score = row_gradients(copies.log_prob(a), copies)  # {name: [m, 1]}
    slope = grad_a(objective.Q, a)
    if with_entropy:
        slope = objective.alpha * grad_a(policy.log_prob, a) - slope
    bracket = {k: (objective.alpha - slope) * s for k, s in score.items()}
    return [float((w[:, None] * b).sum()) for b in bracket.values()]


def first_update() -> list[float]:
    """The expected bracket for (μ, log σ), then −∇L for (μ, log σ)."""
    policy, objective = parabola()
    descent = [-float(g) for g in exact_gradient(policy, objective).values()]
    return expected_bracket(policy, objective, False) + descent


QUANTITIES: dict[str, Callable[[], float | list[float]]] = {
    "B06.dp": lambda: first_five(dynamic_programming(GRAPH, REWARD)),
    "B12.mc": lambda: first_five(monte_carlo(EPISODES, REWARD)),
    "B13.every": lambda: first_five(monte_carlo(EPISODES, REWARD, every_visit=True)),
    "B17.td": lambda: first_five(td0(EPISODES, REWARD, 0.5)),
    "B18.wrong_cells": wrong_cells,
    "B19.rmse": td_rmse,
    "B28.gradients": first_logit_gradients,
    "B36.p": rare_event,
    "B38.entropies": coins,
    "B47.bracket": first_update,
    "B48.bracket": lambda: expected_bracket(*parabola(), with_entropy=True),
}
