"""What a critic's first two moments say of the estimators: exact for quadratics."""

from functools import partial

import numpy as np
import pytest
import torch

from estimators import (
    CATALOGUE,
    Gaussian,
    Noise,
    Objective,
    exact_moments,
    leave_one_out,
    measure,
    score_function,
)
from nabla.runs.landscape import Landscape
from toy_problems.theory import quadratic_critic
from toy_problems.theory.local import local_variances

RNG = np.random.default_rng(5)


def quadratic(D):
    """A critic −½(a − m)'K(a − m), its K not diagonal, under a policy that is not round."""
    K, m = RNG.normal(size=(D, D)), RNG.normal(size=D)
    K = torch.tensor(K + K.T)
    policy = Gaussian(torch.tensor(RNG.normal(size=D)), torch.tensor(0.4 * RNG.normal(size=D)))

    def Q(a):
        away = a - torch.tensor(m)
        return -0.5 * torch.einsum("...i,ij,...j->...", away, K, away)

    slope = -(policy.mu - torch.tensor(m)) @ K
    return policy, Objective(Q, 0.7), slope.numpy(), -K.numpy()


@pytest.mark.parametrize("D", [1, 2])
def test_local_variances_are_exact_for_quadratics(D):
    policy, objective, slope, hessian = quadratic(D)
    found = local_variances(slope, hessian, policy.log_std.exp().numpy(), 0.7)
    for name, variance in found.items():
        if D == 2 and "leave_one_out" in name:  # four draws: too many for nodes
            continue
        _, exact = exact_moments(CATALOGUE[Gaussian][name], policy, objective)
        np.testing.assert_allclose(variance, exact["mu"], rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("n", [2, 5])
def test_local_variance_of_leave_one_out(n):
    """z-test, six standard errors: false alarm below 1e-8, a deviation of 10 % is seen."""
    policy, objective, slope, hessian = quadratic(2)
    found = local_variances(slope, hessian, policy.log_std.exp().numpy(), 0.7, n)
    estimator = partial(score_function, baseline=leave_one_out, n=n)
    seen = measure(estimator, policy, objective, estimates=200_000, rng=Noise(0), exact=None)
    gap = seen.variance["mu"].numpy() - found["score_function_leave_one_out"]
    assert np.abs(gap / seen.variance_sem["mu"].numpy()).max() < 6
    assert (seen.variance_sem["mu"] / seen.variance["mu"]).max() < 0.1 / 6


def test_local_variances_of_a_round_critic_are_the_closed_forms():
    sigma, k, alpha, delta = 0.6, 1.7, 0.3, np.array([0.4, -0.2, 1.1])
    found = local_variances(-k * delta, -k * np.eye(3), np.full(3, sigma), alpha)
    known = quadratic_critic(float(np.linalg.norm(delta)), sigma, k, alpha, 3)
    for name in ("reparameterization", "sticking_the_landing", "score_function_value"):
        assert found[name].sum() == pytest.approx(known[name]["mu"], rel=1e-12)


def test_landscape_of_a_quadratic():
    """Stein's estimate of the Hessian, in eight standard errors; τ = kσ²/α."""
    policy, objective, slope, hessian = quadratic(3)
    batch = policy.map(lambda p: p.expand(2, 3))
    seen = Landscape.sampled(batch, objective, Noise(1), draws=20_000)
    K, sigma = hessian, policy.log_std.exp().numpy()
    # Var(∂_i Q ε_j/σ_j) ≤ (|K|² σ²) (E ε⁴ = 3) and the centred slope leaves no other part
    bound = 8 * np.sqrt(3 * ((K * sigma) ** 2).sum() / 20_000) / sigma.min()
    assert np.abs(seen.hessian - K).max() < bound
    assert np.abs(seen.gradient - slope).max() < 8 * np.sqrt(((K * sigma) ** 2).sum() / 20_000)
    assert np.abs(seen.tau + np.diag(K) * sigma**2 / 0.7).max() < 2 * bound
    assert seen.predicted()["reparameterization"].shape == (2,)
    assert "median" in str(seen)


def test_curvature_of_a_kink_is_seen():
    """Q = −|a|: E Q″ = −2 N(0; μ, σ²), although Q″ = 0 wherever it exists."""
    policy = Gaussian(
        torch.zeros(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    )
    seen = Landscape.sampled(policy, Objective(lambda a: -a.abs().sum(-1)), Noise(0), draws=100_000)
    assert seen.curvature[0, 0] == pytest.approx(2 / np.sqrt(2 * np.pi), abs=8 * 0.61 / 316)
