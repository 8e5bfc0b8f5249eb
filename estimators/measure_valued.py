"""Measure-valued derivatives: differences of costs under two densities, coupled."""

import math

import torch
from torch import Tensor

from estimators.gradients import linear
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Gaussian, at_least_one


def measure_valued(policy: Gaussian, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
    """∇̂_μ J = [c(μ + σW) − c(μ − σW)] / (σ√2π),  ∇̂_log σ J = c(μ + σM) − c(μ + σε).

    Coordinate by coordinate, the others at μ + σε; c = α log π − Q with π held fixed (its
    score has mean zero), W = √(−2 log u) Rayleigh, M = sign(ε)√(ε² + W²) two-sided Maxwell.
    Then ε = M·U with U uniform and independent of M, the usual coupling.
    Reference: Mohamed et al. 2020, §6 and table 1.
    Unbiased for any Q that grows slower than the Gaussian decays.
    """
    if not isinstance(policy, Gaussian):
        raise TypeError(f"measure_valued needs a Gaussian, got {type(policy).__name__}")
    frozen = policy.detach()
    mu, sigma = frozen.mu, frozen.log_std.exp()  # [*batch, d]
    eps = rng.normal((at_least_one(n), *mu.shape), mu)  # [n, *batch, d]
    rayleigh = torch.sqrt(-2 * torch.log(rng.uniform(eps.shape, mu)))
    maxwell = torch.copysign(torch.hypot(eps, rayleigh), eps)
    d = mu.shape[-1]
    one = torch.eye(d, dtype=torch.bool, device=mu.device).view(d, *(1,) * mu.ndim, d)

    def cost(x: Tensor) -> Tensor:
        """c with coordinate i moved to x_i, for each i: [n, *batch, d]."""
        a = mu + sigma * torch.where(one, x, eps)  # [d, n, *batch, d]
        return objective.cost(frozen, a).movedim(0, -1)

    base = objective.cost(frozen, mu + sigma * eps).unsqueeze(-1)  # [n, *batch, 1]
    grad_mu = (cost(rayleigh) - cost(-rayleigh)) / (sigma * math.sqrt(2 * math.pi))
    return linear(policy, mu=grad_mu.mean(0), log_std=(cost(maxwell) - base).mean(0))
