"""Baselines: what they are, and that each form of nabla-log subtracts them."""

from functools import partial

import numpy as np
import pytest
import torch
from support import t

from estimators import (
    Antithetic,
    Gaussian,
    Mixture,
    Noise,
    Objective,
    constant,
    leave_one_out,
    none,
    optimal,
    per_sample_gradients,
    score_function,
    score_function_analytic_entropy,
    score_function_full,
    score_function_optimal,
    score_function_value,
    value,
    vargrad,
)

OBJECTIVE = Objective(lambda a: (torch.sin(2 * a) + a**2 / 3).sum(-1), 0.6)
POLICIES = Gaussian(t(0.3, -0.8)[:, None], t(-0.4, 0.2)[:, None])  # two of them, d = 1


def gradients(estimator, rng):
    """Five draws."""
    return per_sample_gradients(estimator, Gaussian(t(0.3), t(-0.4)), OBJECTIVE, 5, rng)


def by_hand(mu, log_std, parameter, order=60):
    """E[c|s|²]/E[|s|²] by Gauss–Hermite nodes, nothing of ours in it."""
    eps, w = np.polynomial.hermite_e.hermegauss(order)
    sigma = np.exp(log_std)
    a = mu + sigma * eps
    cost = 0.6 * (-(eps**2) / 2 - log_std - np.log(2 * np.pi) / 2) - np.sin(2 * a) - a**2 / 3
    score = {"mu": eps / sigma, "log_std": eps**2 - 1}
    square = sum(score[name] ** 2 for name in score if parameter in (None, name))
    return (w * cost * square).sum() / (w * square).sum()


def number(baseline, batch):
    return baseline(torch.zeros(1, *batch, dtype=torch.float64))


@pytest.mark.parametrize("parameter", [None, "mu", "log_std"])
@pytest.mark.parametrize("order", [None, 2])
def test_optimal_is_its_formula(parameter, order):
    seen = number(optimal(POLICIES, OBJECTIVE, parameter, order), [2])
    for row, (mu, log_std) in enumerate(((0.3, -0.4), (-0.8, 0.2))):
        if order == 2 and parameter == "log_std":
            assert float(seen[row]) == 0  # ε² − 1 vanishes on both nodes: nothing to reduce
        else:
            known = by_hand(mu, log_std, parameter, order or 60)
            assert float(seen[row]) == pytest.approx(known, rel=1e-10)


def test_optimal_in_two_dimensions_weighs_with_the_whole_score():
    """E[c|s|²] over both coordinates of both parameters, on a grid of our own."""
    mu, log_std = np.array([0.3, -0.8]), np.array([-0.4, 0.2])
    eps, w = np.polynomial.hermite_e.hermegauss(40)
    e = np.stack(np.meshgrid(eps, eps, indexing="ij"), -1)
    weight = np.multiply.outer(w, w)
    a = mu + np.exp(log_std) * e
    cost = 0.6 * (-(e**2) / 2 - log_std - np.log(2 * np.pi) / 2).sum(-1)
    cost -= (np.sin(2 * a) + a**2 / 3).sum(-1)
    square = ((e / np.exp(log_std)) ** 2 + (e**2 - 1) ** 2).sum(-1)
    known = (weight * cost * square).sum() / (weight * square).sum()
    policy = Gaussian(torch.tensor(mu), torch.tensor(log_std))
    assert float(number(optimal(policy, OBJECTIVE, order=40), [])) == pytest.approx(
        known, rel=1e-10
    )


def test_optimal_of_a_parameter_that_is_not_there():
    with pytest.raises(ValueError, match="unknown parameter 'logits': the policy has mu, log_std"):
        optimal(POLICIES, OBJECTIVE, "logits")


def test_optimal_is_zero_where_there_is_no_score():
    one = Mixture(t(0.0), t(0.3)[:, None], t(-0.4)[:, None])  # its weight cannot change
    assert float(number(optimal(one, OBJECTIVE, "logits"), [])) == 0


def test_value_uses_the_order_that_it_is_given():
    """Two nodes of N(0, 1) are ±1."""
    policy = Gaussian(t(0.3), t(-0.4))
    sigma = np.exp(-0.4)
    a = torch.tensor([[0.3 - sigma], [0.3 + sigma]])
    known = OBJECTIVE.cost(policy, a).mean()
    assert float(number(value(policy, OBJECTIVE, order=2), [])) == pytest.approx(float(known))


@pytest.mark.parametrize(
    "estimator", [score_function, score_function_full, score_function_analytic_entropy]
)
@pytest.mark.parametrize("n", [1, 3])
def test_a_constant_is_subtracted(estimator, n):
    """Draw by draw, from the same noise: b·∇ log π(a), averaged over n, is what it takes off."""
    with_it = gradients(partial(estimator, n=n, baseline=constant(1.7)), Noise(3))
    plain = gradients(partial(estimator, n=n), Noise(3))
    eps = Noise(3).normal((n, 5, 1), like=t(0.0))
    score = {"mu": (eps / np.exp(-0.4)).mean(0), "log_std": (eps**2 - 1).mean(0)}
    for name, s in score.items():
        torch.testing.assert_close(plain[name] - with_it[name], 1.7 * s, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("source", [Noise, Antithetic])
def test_the_explicit_first_term_adds_the_score(source):
    """Draw by draw, whatever the baseline and the noise: full − plain = α ∇ log π."""
    plain = gradients(partial(score_function, n=4, baseline=leave_one_out), source(3))
    full = gradients(partial(score_function_full, n=4, baseline=leave_one_out), source(3))
    eps = source(3).normal((4, 5, 1), like=t(0.0))
    score = {"mu": (eps / np.exp(-0.4)).mean(0), "log_std": (eps**2 - 1).mean(0)}
    for name, s in score.items():
        torch.testing.assert_close(full[name] - plain[name], 0.6 * s, rtol=1e-10, atol=1e-12)


def test_a_constant_is_of_the_costs_dtype_and_device():
    seen = constant(0.3)(torch.zeros(4, 2, dtype=torch.float32, device="meta"))
    assert (seen.dtype, seen.device.type) == (torch.float32, "meta")


def test_no_baseline_is_zero():
    cost = t(0.3, -0.8)[:, None]
    assert torch.equal(none(cost), torch.zeros_like(cost))


def test_value_and_optimal_are_score_functions_with_those_baselines():
    for short, baseline in ((score_function_value, value), (score_function_optimal, optimal)):
        named = partial(score_function, n=2, baseline=baseline(POLICIES, OBJECTIVE))
        one, two = (
            per_sample_gradients(e, POLICIES, OBJECTIVE, 3, Noise(4))
            for e in (partial(short, n=2), named)
        )
        for name in one:
            torch.testing.assert_close(one[name], two[name], rtol=1e-12, atol=1e-12)


class Fours(Noise):
    """Says that four draws in a row depend on each other."""

    def block(self, n):
        return 4


@pytest.mark.parametrize("source", [Noise, Antithetic, Fours])
def test_vargrad_compares_draws_of_different_blocks(source):
    """The value of its surrogate is the mean of (c_i − c_j)²/4 over all such pairs, by a loop."""
    policy, n = Gaussian(t(0.3), t(-0.4)), 8
    block = source(3).block(n)
    cost = OBJECTIVE.cost(policy, policy.sample(n, source(3)))
    pairs = [
        (cost[i] - cost[j]) ** 2 / 4 for i in range(n) for j in range(n) if i // block != j // block
    ]
    seen = vargrad(policy, OBJECTIVE, source(3), n)
    torch.testing.assert_close(seen, sum(pairs) / len(pairs), rtol=1e-12, atol=1e-12)
