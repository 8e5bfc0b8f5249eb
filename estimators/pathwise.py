"""Pathwise estimators: the action carries the gradient, a = f_θ(ε)."""

import torch
from torch import Tensor

from estimators.gradients import grad_a, linear
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Gaussian, Policy, at_least_one


def reparameterization(policy: Policy, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
    """∇̂J = d/dθ [α log π_θ(f_θ(ε)) − Q(f_θ(ε))], the total derivative, by autograd.

    Reference: SAC (Haarnoja et al. 2018) Eq. 12–13; for a Mixture, Figurnov et al. 2018.
    Unbiased where Q is continuous and piecewise differentiable; silently misses jumps of Q.
    """
    a = policy.rsample(n, rng)  # [n, *batch, d]
    return objective.cost(policy, a).mean(0)


def sticking_the_landing(policy: Policy, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
    """∇̂J = (α ∇_a log π(a) − ∇_a Q(a)) ∇_θ f_θ(ε): Eq. 13 without its zero-mean first term.

    Reference: Roeder, Wu and Duvenaud 2017, Eq. 9; SAC Eq. 13.
    Unbiased where Q is continuous; its variance is zero at π ∝ exp(Q/α).
    """
    a = policy.rsample(n, rng)  # [n, *batch, d]
    return objective.cost(policy.detach(), a).mean(0)


def reparameterization_eq13(
    policy: Gaussian, objective: Objective, rng: Noise, n: int = 1
) -> Tensor:
    """∇̂J = α ∇_θ log π_θ(a) + (α ∇_a log π_θ(a) − ∇_a Q(a)) ∇_θ f_θ(ε), in closed form.

    Reference: SAC Eq. 13, with the temperature of SAC v2 (Haarnoja et al. 2018b).
    Unbiased where Q is continuous. Equal to reparameterization, draw by draw.
    """
    score, entropy, value = eq13_terms(policy, objective, rng, n).values()
    return linear(policy, **{p: (score[p] + entropy[p] + value[p]).mean(0) for p in score})


def eq13_terms(
    policy: Gaussian, objective: Objective, rng: Noise, n: int = 1
) -> dict[str, dict[str, Tensor]]:
    """The terms of Eq. 13, one by one: {term: {parameter: [n, *batch, d]}}.

    score     α ∇_θ log π_θ(a)                the action held fixed; its mean is zero
    entropy   α ∇_a log π_θ(a) ∇_θ f_θ(ε)     the density seen from the moving action
    value     −∇_a Q(a) ∇_θ f_θ(ε)            the critic seen from the moving action
    """
    if not isinstance(policy, Gaussian):
        raise TypeError(f"Eq. 13 in closed form needs a Gaussian, got {type(policy).__name__}")
    mu, sigma = policy.mu.detach(), policy.log_std.detach().exp()  # [*batch, d]
    alpha = torch.as_tensor(objective.alpha, dtype=mu.dtype, device=mu.device).unsqueeze(-1)
    eps = rng.normal((at_least_one(n), *mu.shape), mu)  # [n, *batch, d]
    a = mu + sigma * eps
    grad_f = {"mu": torch.ones_like(eps), "log_std": sigma * eps}
    score = {"mu": eps / sigma, "log_std": eps**2 - 1}
    grad_log_prob, grad_q = -eps / sigma, grad_a(objective.Q, a)
    return {
        "score": {p: alpha * score[p] for p in grad_f},
        "entropy": {p: alpha * grad_log_prob * grad_f[p] for p in grad_f},
        "value": {p: -grad_q * grad_f[p] for p in grad_f},
    }
