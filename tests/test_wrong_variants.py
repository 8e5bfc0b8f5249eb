"""Realistic slips. Each must be caught by the check named in its test, with room to spare."""

from functools import partial

import pytest
import torch
from support import FLOAT, gap, gaussian, t, z_test

from estimators import (
    Mixture,
    Objective,
    batch_mean,
    exact_gradient,
    exact_moments,
    leave_one_out,
    reparameterization,
    score_function,
    score_function_full,
    squash,
    sticking_the_landing,
    vargrad,
)
from toy_problems import build
from toy_problems.identities import deviation, gradient, random_problem

P = build("report")


def rejected_by_nodes(estimator, policy=P.policy, objective=P.objective):
    """The deterministic mean differs from the exact gradient by far more than both errors."""
    exact = exact_gradient(policy, objective)
    mean, _ = exact_moments(estimator, policy, objective)
    return gap(mean, exact) > 1e4 * (mean.error + exact.error) and gap(mean, exact) > 1e-3


def test_right_estimators_are_not_rejected():
    for estimator in (reparameterization, score_function, sticking_the_landing, vargrad):
        assert not rejected_by_nodes(estimator)


def test_attached_cost_is_rejected():
    """α∇log π(a) inside the cost times log π(a): biased when α > 0."""

    def attached(policy, objective, rng, n=1):
        a = policy.sample(n, rng)
        return (objective.cost(policy, a) * policy.log_prob(a)).mean(0)

    assert rejected_by_nodes(attached)
    with pytest.raises(AssertionError, match="bias"):
        z_test(attached, P.policy, P.objective)


def test_kept_first_term_is_invisible_to_means_but_not_to_fixed_noise():
    """Adding α∇log π is a constant baseline: unbiased, so only an identity can see it."""
    assert not rejected_by_nodes(score_function_full)
    policy, objective = random_problem(3)
    one = gradient(score_function, policy, objective, 3)
    assert deviation(one, gradient(score_function_full, policy, objective, 3)) > 1e-2


def test_dropped_first_term_in_the_variance_formula_is_rejected():
    """The variance of Eq. 13 without its score is sticking-the-landing's, not Eq. 13's."""
    _, eq13 = exact_moments(reparameterization, P.policy, P.objective)
    _, stl = exact_moments(sticking_the_landing, P.policy, P.objective)
    assert gap(eq13, stl) > 1e6 * (eq13.error + stl.error)


def test_dropped_score_in_a_mixture_s_component_sum_is_rejected():
    """Marginalisation with detached weights loses the gradient of the weights."""
    p = build("report_mixture")

    def lost(policy, objective, rng, n=1):
        a = policy.components.rsample(n, rng).movedim(-2, 0)
        w = policy.logits.detach().softmax(-1).movedim(-1, 0).unsqueeze(1)
        return (w * objective.cost(policy, a)).sum(0).mean(0)

    assert rejected_by_nodes(lost, p.policy, p.objective)


def test_forgotten_log_det_is_rejected():
    """Q(tanh u) without α Σ log(1 − tanh² u): the entropy of u in place of that of a."""
    Q, alpha = (lambda a: torch.cos(4 * a).sum(-1)), 0.2
    right = exact_gradient(gaussian(), squash(Objective(Q, alpha)))
    forgotten = exact_gradient(gaussian(), Objective(lambda u: Q(torch.tanh(u)), alpha))
    assert gap(right, forgotten) > 1e-2


def test_epsilon_in_the_log_det_is_rejected():
    """log(1 − tanh² u + 1e-6) at u = 8: −13.4 in place of −14.6."""
    from estimators import log_det_tanh

    u = t(8.0)
    epsilon = torch.log(1 - torch.tanh(u) ** 2 + 1e-6).sum()
    assert abs(float(log_det_tanh(u)) + 2 * (8 - 0.6931471805599453)) < 1e-6
    assert abs(float(epsilon - log_det_tanh(u))) > 0.5


def test_in_sample_baseline_is_rejected():
    assert rejected_by_nodes(partial(score_function, n=2, baseline=batch_mean))
    assert not rejected_by_nodes(partial(score_function, n=2, baseline=leave_one_out))


def marginal_cdfs(policy, n, rng):
    """The slip: every coordinate through its own marginal distribution function."""
    a = policy.sample(n, rng)
    w = policy.logits.softmax(-1)
    out = []
    for i in range(a.shape[-1]):
        z = (a[..., i, None] - policy.mu[..., i]) / policy.log_std[..., i].exp()
        F = (w * torch.special.ndtr(z)).sum(-1)
        density = torch.exp(-(z**2) / 2 - policy.log_std[..., i]) / (2 * torch.pi) ** 0.5
        q = (w * density).sum(-1).detach()
        out.append(a[..., i] - (F - F.detach()) / q)
    return torch.stack(out, -1)


def test_marginal_cdfs_are_rejected():
    """Coupled coordinates, f = a₁a₂ (docs/open-question.md, B.8): conditional CDFs are right."""
    w, sigma = t(0.35, 0.65), torch.full((2, 2), 0.6, dtype=FLOAT).log()
    policy = Mixture(w.log(), t([-1.0, -1.0], [2.0, 1.0]), sigma)
    objective = Objective(lambda a: a.prod(-1), 0.0)

    def slip(policy, objective, rng, n=1):
        return -objective.Q(marginal_cdfs(policy, n, rng)).mean(0)

    with pytest.raises(AssertionError, match="bias"):
        z_test(slip, policy, objective)
    z_test(reparameterization, policy, objective)


def test_marginal_cdfs_pass_in_one_dimension():
    """…where they are the conditional ones."""
    p = build("report_mixture")

    def slip(policy, objective, rng, n=1):
        return objective.cost(policy, marginal_cdfs(policy, n, rng)).mean(0)

    z_test(slip, p.policy, p.objective)


def test_naive_component_sampling_is_rejected():
    """rsample of the drawn component alone: the weights get no gradient."""
    p = build("report_mixture")

    def naive(policy, objective, rng, n=1):
        eps = rng.normal((n, *policy.batch, 1), policy.mu)
        k = rng.categorical(policy.logits.softmax(-1), (n, *policy.batch))
        mu, log_std = (
            x.expand(n, *x.shape).gather(-2, k[..., None, None])[..., 0, :]
            for x in (policy.mu, policy.log_std)
        )
        return objective.cost(policy, mu + log_std.exp() * eps).mean(0)

    assert rejected_by_nodes(naive, p.policy, p.objective)


def test_wrong_sign_of_the_entropy_is_rejected():
    def wrong(policy, objective, rng, n=1):
        return reparameterization(policy, Objective(objective.Q, -objective.alpha), rng, n)

    assert rejected_by_nodes(wrong)


def test_forgotten_one_over_n_is_rejected():
    def wrong(policy, objective, rng, n=2):
        return objective.cost(policy, policy.rsample(n, rng)).sum(0)

    assert rejected_by_nodes(wrong)


def test_vargrad_with_attached_samples_is_rejected():
    def wrong(policy, objective, rng, n=2):
        return objective.cost(policy, policy.rsample(n, rng)).var(0) / 2

    assert rejected_by_nodes(wrong)
