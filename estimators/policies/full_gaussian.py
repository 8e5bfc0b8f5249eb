"""The Gaussian with any covariance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from estimators.noise import Noise
from estimators.policies.gaussian import LIMITS, USUAL
from estimators.policies.hermite import LOG_2PI, normal_nodes
from estimators.policies.policy import Policy, at_least_one, require_floating, wrong_shapes


@dataclass(frozen=True, eq=False)
class FullGaussian(Policy):
    """N(μ, LLᵀ), L = diag(exp log_std) + the strictly lower triangle of `lower`.

    mu, log_std: [*batch, d]; lower: [*batch, d, d], of which the rest has no meaning.
    """

    mu: Tensor
    log_std: Tensor
    lower: Tensor

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {**LIMITS, "lower": (-5.0, 5.0)}
    usual = USUAL

    def __post_init__(self) -> None:
        require_floating(self)
        shape = self.mu.shape
        alike = shape == self.log_std.shape and self.lower.shape == (*shape, *shape[-1:])
        if not alike or len(shape) < 1 or shape[-1] < 1:
            rule = "mu and log_std must be [*batch, d], lower [*batch, d, d], with d ≥ 1"
            wrong_shapes(self, rule)

    @property
    def batch(self) -> torch.Size:
        return self.mu.shape[:-1]

    @property
    def action(self) -> torch.Size:
        return self.mu.shape[-1:]

    @classmethod
    def shapes(cls, dim: int, components: int = 1) -> dict[str, tuple[int, ...]]:  # noqa: ARG003
        return {"mu": (dim,), "log_std": (dim,), "lower": (dim, dim)}

    @property
    def root(self) -> Tensor:
        """L, [*batch, d, d]."""
        return torch.diag_embed(self.log_std.exp()) + self.lower.tril(-1)

    def sample(self, n: int, rng: Noise) -> Tensor:
        return self.detach().rsample(n, rng)

    def rsample(self, n: int, rng: Noise) -> Tensor:
        """a = μ + Lε, ε ~ N(0, I)."""
        return self._at(rng.normal((at_least_one(n), *self.mu.shape), self.mu))

    def log_prob(self, a: Tensor) -> Tensor:
        """−½|L⁻¹(a − μ)|² − Σ_i log σ_i − ½ d log 2π."""
        off = (a - self.mu).unsqueeze(-1)
        eps = torch.linalg.solve_triangular(self.root, off, upper=False)[..., 0]
        return (-(eps**2) / 2 - self.log_std - LOG_2PI / 2).sum(-1)

    def entropy(self) -> Tensor:
        """H(π) = Σ_i log σ_i + ½ d log 2πe, [*batch]: the triangle has no part in it."""
        return (self.log_std + (LOG_2PI + 1) / 2).sum(-1)

    def central(self) -> Tensor:
        """μ."""
        return self.mu

    def nodes(self, order: int | None = None) -> tuple[Tensor, Tensor]:
        eps, w = normal_nodes(order, self.mu)
        return self._at(eps), w

    def _at(self, eps: Tensor) -> Tensor:
        return self.mu + (self.root @ eps.unsqueeze(-1))[..., 0]
