"""Independent Student-t distributions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from estimators.noise import Noise
from estimators.policies.gaussian import LIMITS, USUAL
from estimators.policies.hermite import normal_nodes
from estimators.policies.incomplete_beta import attached, log_beta, quantile
from estimators.policies.policy import Policy, at_least_one, require_floating, wrong_shapes


@dataclass(frozen=True, eq=False)
class StudentT(Policy):
    """a_i = μ_i + σ_i T_i, T_i of ν = exp(log_df) degrees of freedom. All [*batch, d].

    Moments of order ν and above do not exist: with a cost that grows as |a|^k the gradient exists
    for ν > k, and its score-function estimate has a variance for ν > 2k.
    """

    mu: Tensor
    log_std: Tensor
    log_df: Tensor

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {**LIMITS, "log_df": (0.0, 9.0)}
    usual: ClassVar[Mapping[str, tuple[float, float]]] = {**USUAL, "log_df": (3.0, 4.0)}

    def __post_init__(self) -> None:
        require_floating(self)
        alike = self.mu.shape == self.log_std.shape == self.log_df.shape
        if self.mu.ndim < 1 or self.mu.shape[-1] < 1 or not alike:
            wrong_shapes(self, "mu, log_std and log_df must all be [*batch, d] with d ≥ 1")

    @property
    def batch(self) -> torch.Size:
        return self.mu.shape[:-1]

    @property
    def action(self) -> torch.Size:
        return self.mu.shape[-1:]

    def sample(self, n: int, rng: Noise) -> Tensor:
        return self.detach().rsample(n, rng)

    def rsample(self, n: int, rng: Noise) -> Tensor:
        """a = μ + σ √ν sinh(s/2), s the logit of a Beta(ν/2, ν/2): differentiated implicitly."""
        return self._at(rng.normal((at_least_one(n), *self.mu.shape), self.mu))

    def log_prob(self, a: Tensor) -> Tensor:
        """Σ_i −½(ν + 1) log(1 + t²/ν) − log σ√ν B(½, ν/2), t = (a − μ)/σ."""
        df = self.log_df.exp()
        t = (a - self.mu) * torch.exp(-self.log_std)
        norm = self.log_std + self.log_df / 2 + _log_norm(df)
        return (-(df + 1) / 2 * torch.log1p(t**2 / df) - norm).sum(-1)

    def entropy(self) -> Tensor:
        """H(π) = Σ_i ½(ν + 1)(ψ(½(ν + 1)) − ψ(½ν)) + log σ√ν B(½, ν/2), [*batch]."""
        df = self.log_df.double().exp()
        psi = torch.digamma((df + 1) / 2) - torch.digamma(df / 2)
        each = (df + 1) / 2 * psi + self.log_df / 2 + _log_norm(df)
        return (self.log_std + each.to(self.mu)).sum(-1)

    def central(self) -> Tensor:
        """μ, the mode."""
        return self.mu

    def nodes(self, order: int | None = None) -> tuple[Tensor, Tensor]:
        """Those of Gauss–Hermite for ε: good where F(a) has no use for the tails."""
        eps, w = normal_nodes(order, self.mu)
        return self._at(eps.expand(-1, *self.mu.shape)), w

    def _at(self, eps: Tensor) -> Tensor:
        df = self.log_df.exp()
        s = quantile(eps, df.detach() / 2, df.detach() / 2)
        if df.requires_grad:
            s = attached(s, df / 2, df / 2)
        return self.mu + self.log_std.exp() * df.sqrt() * torch.sinh(s / 2)


def _log_norm(df: Tensor) -> Tensor:
    """log B(½, ν/2)."""
    return log_beta(df / 2, torch.full_like(df, 0.5)).to(df)
