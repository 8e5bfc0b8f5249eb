"""The soft Bellman operator, its fixed points, and the constrained bandit's duality."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from support import FLOAT

from estimators import Categorical, Objective, exact_gradient
from toy_problems.tables.constrained_bandit import (
    best_policy,
    dual,
    dual_slope,
    lagrangian,
    optimal_temperature,
    temperature_descent,
)
from toy_problems.tables.soft_mdp import (
    entropy,
    log_sum_exp,
    residual_minimiser,
    soft_action_values,
    soft_bellman,
    soft_max_value,
    soft_value,
    soft_value_iteration,
    softmax,
)
from toy_problems.tables.tabular import MDP, action_values, loop, optimal_action_values

PI = softmax(np.array([[0.3, -0.4], [0.0, 1.1], [-0.7, 0.2]]))
R, TARGET = np.array([1.0, 0.5, 0.0]), 0.98 * math.log(3)


def test_operator_is_a_contraction_to_its_fixed_point():
    mdp, Q = loop(), np.zeros((3, 2))
    fixed = soft_action_values(mdp, PI, 0.3)
    assert np.abs(soft_bellman(mdp, fixed, PI, 0.3) - fixed).max() < 1e-12
    gap = np.abs(Q - fixed).max()
    assert np.abs(soft_bellman(mdp, Q, PI, 0.3) - fixed).max() <= mdp.gamma * gap


def test_softmax_is_the_best_policy_and_its_value_log_sum_exp():
    Q, alpha = np.array([1.3, -0.2, 0.4]), 0.7
    best = soft_max_value(Q, alpha)
    assert abs(soft_value(Q, softmax(Q / alpha), alpha) - best) < 1e-14
    for pi in (PI[0].repeat(2)[:3], np.array([0.2, 0.3, 0.5]), np.array([1.0, 0.0, 0.0])):
        assert soft_value(Q, pi / pi.sum(), alpha) < best - 1e-3


def test_soft_value_iteration_is_its_own_policy_s_value():
    mdp = loop()
    Q = soft_value_iteration(mdp, 0.3)
    assert np.abs(soft_action_values(mdp, softmax(Q / 0.3), 0.3) - Q).max() < 1e-10
    assert np.abs(soft_value_iteration(mdp, 1e-4) - optimal_action_values(mdp)).max() < 1e-2
    with pytest.raises(ValueError, match="γ < 1"):
        soft_value_iteration(loop(1.0), 0.3)


def test_zero_temperature_is_the_hard_case():
    assert np.abs(soft_action_values(loop(), PI, 0.0) - action_values(loop(), PI)).max() < 1e-12


def test_residual_minimiser_is_right_for_deterministic_transitions_only():
    mdp = loop()
    sharp = MDP(np.eye(3)[mdp.P.argmax(-1)], mdp.r, mdp.gamma)
    apart = residual_minimiser(sharp, PI, 0.3) - soft_action_values(sharp, PI, 0.3)
    assert np.abs(apart).max() < 1e-10
    off = residual_minimiser(mdp, PI, 0.3) - soft_action_values(mdp, PI, 0.3)
    assert np.abs(off).max() > 0.03


def test_log_sum_exp_and_entropy_at_the_extremes():
    assert log_sum_exp(np.array([1000.0, 0.0])) == 1000
    assert entropy(np.array([1.0, 0.0])) == 0


def test_softmax_is_where_the_gradient_of_the_categorical_s_cost_vanishes():
    """The tables agree with the estimators: ∇E[α log π − Q] = 0 at softmax(Q/α)."""
    Q, alpha = torch.tensor([1.3, -0.2, 0.4], dtype=FLOAT), 0.7
    gradient = exact_gradient(Categorical(Q / alpha), Objective(lambda a: Q[a], alpha))
    assert gradient["logits"].abs().max() < 1e-14


def test_dual_meets_the_primal():
    """max π·r with H(π) ≥ H₀, by a solver that knows no dual, equals min_α g(α)."""
    alpha = optimal_temperature(R, TARGET)

    def primal(x):
        return -softmax(np.append(x, 0.0)) @ R

    bound = {"type": "ineq", "fun": lambda x: entropy(softmax(np.append(x, 0.0))) - TARGET}
    found = minimize(primal, [0.1, 0.05], constraints=bound, method="SLSQP", tol=1e-12)
    assert abs(-found.fun - dual(alpha, R, TARGET)) < 1e-8
    assert abs(lagrangian(best_policy(alpha, R), alpha, R, TARGET) - best_policy(alpha, R) @ R) < (
        1e-13
    )


def test_dual_slope_is_the_derivative_of_the_dual():
    h = 1e-5
    slope = (dual(0.8 + h, R, TARGET) - dual(0.8 - h, R, TARGET)) / (2 * h)
    assert abs(slope - dual_slope(0.8, R, TARGET)) < 1e-9


def test_descent_finds_the_temperature_from_both_sides():
    alpha = optimal_temperature(R, TARGET)
    for start in (0.05, 20.0):
        path = temperature_descent(R, TARGET, start, rate=5.0, steps=500)
        assert abs(path[-1] - alpha) < 1e-9


def test_temperature_at_the_edges():
    assert optimal_temperature(np.array([1.0, 1.0, 0.0]), 0.5) == 0
    with pytest.raises(ValueError, match="no policy over 3 actions"):
        optimal_temperature(R, 1.2)
