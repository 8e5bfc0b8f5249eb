"""Realistic slips, one small function each. `check` must reject every one and name most of them."""

from functools import partial

import pytest
import torch
from support import FLOAT, t

from estimators import (
    CATALOGUE,
    Categorical,
    Gaussian,
    Mixture,
    Objective,
    batch_mean,
    check,
    leave_one_out,
    linear,
    log_det_tanh,
    reparameterization,
    score_function,
    squash,
    sticking_the_landing,
    vargrad,
)
from estimators.gradients import grad_a

GAUSSIAN = Gaussian(t(0.3), t(-0.4))
SMOOTH = Objective(lambda a: (torch.cos(2 * a) + 0.3 * a - 0.2 * a**3).sum(-1), 0.4)
SQUASHED = squash(Objective(lambda a: torch.cos(3 * a + 0.4).sum(-1), 0.3))
MIXTURE = Mixture(t(0.3, -0.2), t([-1.0], [0.8]), t([-0.3], [0.1]))
COUPLED = Mixture(
    t(0.35, 0.65).log(), t([-1.0, -1.0], [2.0, 1.0]), torch.full((2, 2), 0.6, dtype=FLOAT).log()
)
PRODUCT = Objective(lambda a: a.prod(-1) + torch.sin(a).sum(-1), 0.3)
ARMS = Categorical(t(0.2, -0.5, 0.9, 0.1))
REWARDS = Objective(lambda a: t(1.0, -0.4, 0.3, 0.9)[a], 0.4)

MUTANTS = {}


def mutant(key, policy=GAUSSIAN, objective=SMOOTH, status="biased"):
    """Registers a slip with the diagnosis that it deserves (None: any, or none)."""

    def register(function):
        MUTANTS[function.__name__] = (function, policy, objective, key, status)
        return function

    return register


@mutant("sign")
def ascent_in_place_of_descent(policy, objective, rng, n=1):
    return -reparameterization(policy, objective, rng, n)


@mutant("sign")
def score_function_with_reward_for_cost(policy, objective, rng, n=1):
    a = policy.sample(n, rng)
    reward = -objective.cost(policy, a).detach()
    return (reward * policy.log_prob(a)).mean(0)


@mutant("sign_of_entropy")
def entropy_subtracted(policy, objective, rng, n=1):
    return reparameterization(policy, Objective(objective.Q, -objective.alpha), rng, n)


PLANE = Gaussian(t(0.3, -0.2), t(-0.4, 0.1))


@mutant("entropy_per_dimension", PLANE)
def log_prob_not_summed(policy, objective, rng, n=1):
    a = policy.rsample(n, rng)
    log_prob = torch.distributions.Normal(policy.mu, policy.log_std.exp()).log_prob(a)  # [n, d]
    return (objective.alpha * log_prob - objective.Q(a).unsqueeze(-1)).mean((0, -1))


@mutant("entropy_per_dimension", PLANE, SQUASHED)
def squashed_log_prob_not_summed(policy, objective, rng, n=1):
    u = policy.rsample(n, rng)
    noise = torch.distributions.Normal(policy.mu, policy.log_std.exp())
    log_det = torch.log1p(-(torch.tanh(u) ** 2))  # of each entry
    log_prob = noise.log_prob(u) - log_det
    plain = objective.Q(u) - objective.alpha * log_det.sum(-1)  # Q of tanh u alone
    return (objective.alpha * log_prob.mean(-1) - plain).mean(0)


@mutant("sign_of_q")
def value_added(policy, objective, rng, n=1):
    return reparameterization(policy, Objective(lambda a: -objective.Q(a), objective.alpha), rng, n)


@mutant("missing_entropy")
def entropy_left_out(policy, objective, rng, n=1):
    return -objective.Q(policy.rsample(n, rng)).mean(0)


@mutant("missing_entropy")
def log_prob_under_no_grad(policy, objective, rng, n=1):
    a = policy.rsample(n, rng)
    return (objective.alpha * policy.log_prob(a).detach() - objective.Q(a)).mean(0)


@mutant("alpha_forgotten")
def alpha_left_out(policy, objective, rng, n=1):
    return reparameterization(policy, Objective(objective.Q, 1.0), rng, n)


@mutant("alpha_forgotten", objective=SQUASHED)
def alpha_left_out_of_squashed(policy, objective, rng, n=1):
    extra = Objective(lambda u: objective.Q(u) + (1 - objective.alpha) * log_det_tanh(u), 1.0)
    return reparameterization(policy, extra, rng, n)


@mutant("detached_cost")
def critic_under_no_grad(policy, objective, rng, n=1):
    a = policy.rsample(n, rng)
    return (objective.alpha * policy.log_prob(a) - objective.Q(a).detach()).mean(0)


@mutant("detached_cost")
def action_detached_in_the_critic(policy, objective, rng, n=1):
    a = policy.rsample(n, rng)
    return (objective.alpha * policy.log_prob(a) - objective.Q(a.detach())).mean(0)


@mutant("detached_cost")
def sample_in_place_of_rsample(policy, objective, rng, n=1):
    return objective.cost(policy, policy.sample(n, rng)).mean(0)


@mutant("attached_cost")
def cost_attached_in_score_function(policy, objective, rng, n=1):
    a = policy.sample(n, rng)
    return (objective.cost(policy, a) * policy.log_prob(a)).mean(0)


@mutant("attached_cost", ARMS, REWARDS)
def cost_attached_over_arms(policy, objective, rng, n=1):
    a = policy.sample(n, rng)
    return (objective.cost(policy, a) * policy.log_prob(a)).mean(0)


@mutant("attached_action")
def score_function_at_rsample(policy, objective, rng, n=1):
    a = policy.rsample(n, rng)
    return (objective.cost(policy, a).detach() * policy.log_prob(a)).mean(0)


@mutant("attached_action")
def vargrad_at_rsample(policy, objective, rng, n=2):
    return objective.cost(policy, policy.rsample(n, rng)).var(0) / 2


@mutant("factor_n")
def sum_over_actions(policy, objective, rng, n=3):
    return objective.cost(policy, policy.rsample(n, rng)).sum(0)


@mutant("factor_1/n")
def averaged_twice(policy, objective, rng, n=3):
    return objective.cost(policy, policy.rsample(n, rng)).mean(0) / n


@mutant("factor_1-1/n")
def in_sample_baseline(policy, objective, rng, n=3):
    return score_function(policy, objective, rng, n, batch_mean)


@mutant("factor_1-1/n", ARMS, REWARDS)
def in_sample_baseline_over_arms(policy, objective, rng, n=3):
    return score_function(policy, objective, rng, n, batch_mean)


@mutant("factor_1-1/n")
def variance_not_bessel_corrected(policy, objective, rng, n=4):
    a = policy.sample(n, rng)
    log_prob = policy.log_prob(a)
    cost = objective.cost(policy, a).detach() + log_prob - log_prob.detach()
    return cost.var(0, correction=0) / 2


@mutant("factor")
def half_forgotten_in_vargrad(policy, objective, rng, n=4):
    return 2 * vargrad(policy, objective, rng, n) * 0.95


@mutant("factor")
def moving_average_that_includes_the_sample(policy, objective, rng, n=1):
    """b ← 0.9 b + 0.1 c before it is subtracted."""
    return score_function(policy, objective, rng, n, lambda cost: 0.9 * 0.3 + 0.1 * cost)


@mutant("score_in_place_of_path")
def score_in_place_of_path(policy, objective, rng, n=1):
    mu, sigma = policy.mu.detach(), policy.log_std.detach().exp()
    eps = rng.normal((n, *mu.shape), mu)
    slope = grad_a(lambda a: objective.cost(policy.detach(), a), mu + sigma * eps)
    return linear(policy, mu=(slope * eps / sigma).mean(0), log_std=(slope * (eps**2 - 1)).mean(0))


@mutant("score_in_place_of_path")
def score_in_place_of_path_in_the_value_term(policy, objective, rng, n=1):
    mu, sigma = policy.mu.detach(), policy.log_std.detach().exp()
    eps = rng.normal((n, *mu.shape), mu)
    slope = -grad_a(objective.Q, mu + sigma * eps)
    value = {"mu": (slope * eps / sigma).mean(0), "log_std": (slope * (eps**2 - 1)).mean(0)}
    value["log_std"] = value["log_std"] - objective.alpha
    return linear(policy, **value)


@mutant("log_det_forgotten", objective=SQUASHED)
def log_det_left_out(policy, objective, rng, n=1):
    plain = Objective(lambda u: objective.Q(u) - objective.alpha * log_det_tanh(u), objective.alpha)
    return reparameterization(policy, plain, rng, n)


@mutant("log_det_twice", objective=SQUASHED)
def log_det_applied_twice(policy, objective, rng, n=1):
    twice = Objective(lambda u: objective.Q(u) + objective.alpha * log_det_tanh(u), objective.alpha)
    return sticking_the_landing(policy, twice, rng, n)


@mutant("sign_of_log_det", objective=SQUASHED)
def log_det_added(policy, objective, rng, n=1):
    """log π(a) = log π(u) + Σ log(1 − tanh² u), in the place of minus."""
    minus = Objective(
        lambda u: objective.Q(u) - 2 * objective.alpha * log_det_tanh(u), objective.alpha
    )
    return reparameterization(policy, minus, rng, n)


@mutant("log_det_epsilon", Gaussian(t(3.0), t(0.5)), SQUASHED)
def epsilon_in_the_log_det(policy, objective, rng, n=1):
    def Q(u):
        right, soft = log_det_tanh(u), torch.log(1 - torch.tanh(u) ** 2 + 1e-6).sum(-1)
        return objective.Q(u) + objective.alpha * (soft - right)

    return reparameterization(policy, Objective(Q, objective.alpha), rng, n)


@mutant("marginal_cdfs", COUPLED, PRODUCT)
def marginal_in_place_of_conditional(policy, objective, rng, n=1):
    from test_wrong_variants import marginal_cdfs

    return objective.cost(policy, marginal_cdfs(policy, n, rng)).mean(0)


@mutant("component_weights", MIXTURE)
def drawn_component_alone(policy, objective, rng, n=1):
    eps = rng.normal((n, *policy.batch, 1), policy.mu)
    k = rng.categorical(policy.logits.softmax(-1), (n, *policy.batch))
    mu, log_std = (
        x.expand(n, *x.shape).gather(-2, k[..., None, None])[..., 0, :]
        for x in (policy.mu, policy.log_std)
    )
    return objective.cost(policy, mu + log_std.exp() * eps).mean(0)


@mutant("component_weights", MIXTURE)
def weights_frozen_in_the_sum(policy, objective, rng, n=1):
    a = policy.components.rsample(n, rng).movedim(-2, 0)
    w = policy.logits.detach().softmax(-1).movedim(-1, 0).unsqueeze(1)
    return (w * objective.cost(policy, a)).sum(0).mean(0)


@mutant("sigma_for_log_std")
def derivative_by_sigma(policy, objective, rng, n=1):
    mu, sigma = policy.mu.detach(), policy.log_std.detach().exp()
    eps = rng.normal((n, *mu.shape), mu)
    slope = -grad_a(objective.Q, mu + sigma * eps)
    return linear(policy, mu=slope.mean(0), log_std=(slope * eps).mean(0) - objective.alpha / sigma)


@mutant(None)
def sigma_forgotten_in_the_path(policy, objective, rng, n=1):
    eps = rng.normal((n, *policy.mu.shape), policy.mu)
    a = policy.mu + policy.log_std.detach().exp() * eps + (policy.log_std - policy.log_std.detach())
    return objective.cost(policy, a).mean(0)


@mutant("discontinuous_q", objective=Objective(lambda a: ((a > 0.4) + torch.cos(a)).sum(-1), 0.4))
def path_across_a_jump(policy, objective, rng, n=1):
    return reparameterization(policy, objective, rng, n)


@mutant(
    "discontinuous_q", objective=Objective(lambda a: (a > 0.4).to(a).sum(-1), 0.4), status="broken"
)
def path_over_a_staircase(policy, objective, rng, n=1):
    return sticking_the_landing(policy, objective, rng, n)


@mutant("component_weights", MIXTURE, Objective(lambda a: torch.cos(a).sum(-1), 0.0))
def mixture_without_weight_gradient(policy, objective, rng, n=1):
    a = policy.components.rsample(n, rng).movedim(-2, 0)
    w = (policy.logits * 0 + policy.logits.detach()).softmax(-1).movedim(-1, 0).unsqueeze(1)
    return (w * objective.cost(policy, a)).sum(0).mean(0)


@mutant("missing_gradient", status="broken")
def log_std_cut_off(policy, objective, rng, n=1):
    cut = Gaussian(policy.mu, policy.log_std.detach())
    return reparameterization(cut, objective, rng, n)


@mutant(None, status="broken")
def baseline_over_the_rows(policy, objective, rng, n=1):
    a = policy.sample(n, rng)
    cost = objective.cost(policy, a).detach()
    return ((cost - cost.mean()) * policy.log_prob(a)).mean(0)


@mutant(None)
def leave_one_out_with_the_wrong_divisor(policy, objective, rng, n=3):
    return score_function(policy, objective, rng, n, lambda c: (c.sum(0) - 0.5 * c) / (len(c) - 1))


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_is_rejected(name):
    function, policy, objective, key, status = MUTANTS[name]
    verdict = check(function, policy, objective)
    assert verdict.status == status, str(verdict)
    if key is not None:
        assert verdict.diagnosis == key, str(verdict)


def test_there_are_enough_mutants():
    assert len(MUTANTS) >= 25
    assert sum(key is not None for *_, key, _ in MUTANTS.values()) >= 20


def test_the_originals_pass():
    for policy, objective in {(p, o) for _, p, o, *_ in MUTANTS.values()}:
        right = partial(score_function, n=2, baseline=leave_one_out)
        assert check(right, policy, objective).status == "unbiased"
    assert check(CATALOGUE[Mixture]["marginalized"], MIXTURE, SMOOTH).status == "unbiased"
