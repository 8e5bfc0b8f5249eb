"""The diagonal Gaussian."""

from dataclasses import dataclass

import torch
from torch import Tensor

from estimators.noise import Noise
from estimators.policies.hermite import LOG_2PI, log_normal, normal_nodes
from estimators.policies.policy import Policy, at_least_one, require_floating, wrong_shapes

LIMITS = {"log_std": (-20.0, 2.0)}  # of an actor's output, as in SAC's published implementation
USUAL = {"mu": (-2.0, 2.0), "log_std": (-1.6, 0.4)}


@dataclass(frozen=True, eq=False)
class Gaussian(Policy):
    """N(μ, diag σ²), σ = exp(log_std). mu, log_std: [*batch, d]."""

    mu: Tensor
    log_std: Tensor

    limits = LIMITS
    usual = USUAL

    def __post_init__(self) -> None:
        require_floating(self)
        if self.mu.ndim < 1 or self.mu.shape[-1] < 1 or self.mu.shape != self.log_std.shape:
            wrong_shapes(self, "mu and log_std must both be [*batch, d] with d ≥ 1")

    @property
    def batch(self) -> torch.Size:
        return self.mu.shape[:-1]

    @property
    def action(self) -> torch.Size:
        return self.mu.shape[-1:]

    def sample(self, n: int, rng: Noise) -> Tensor:
        return self.detach().rsample(n, rng)

    def rsample(self, n: int, rng: Noise) -> Tensor:
        """a = μ + σε, ε ~ N(0, 1) (SAC Eq. 11)."""
        eps = rng.normal((at_least_one(n), *self.mu.shape), self.mu)
        return self.mu + self.log_std.exp() * eps  # [n, *batch, d]

    def log_prob(self, a: Tensor) -> Tensor:
        """Σ_i −½((a_i − μ_i)/σ_i)² − log σ_i − ½ log 2π."""
        return log_normal(a, self.mu, self.log_std).sum(-1)

    def entropy(self) -> Tensor:
        """H(π) = Σ_i log σ_i + ½ log 2πe, [*batch]."""
        return (self.log_std + (LOG_2PI + 1) / 2).sum(-1)

    def central(self) -> Tensor:
        """μ."""
        return self.mu

    def nodes(self, order: int | None = None) -> tuple[Tensor, Tensor]:
        eps, w = normal_nodes(order, self.mu)
        return self.mu + self.log_std.exp() * eps, w
