"""The policy over finitely many actions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from estimators.noise import Noise
from estimators.policies.policy import Policy, at_least_one, require_floating, wrong_shapes


@dataclass(frozen=True, eq=False)
class Categorical(Policy):
    """P(a) = softmax(logits)_a. logits: [*batch, A]; actions are indices [n, *batch]."""

    logits: Tensor

    discrete = True
    usual: ClassVar[Mapping[str, tuple[float, float]]] = {"logits": (-1.5, 1.5)}

    def __post_init__(self) -> None:
        require_floating(self)
        if self.logits.ndim < 1 or self.logits.shape[-1] < 1:
            wrong_shapes(self, "logits must be [*batch, A] with A ≥ 1")

    @property
    def batch(self) -> torch.Size:
        return self.logits.shape[:-1]

    @property
    def action(self) -> torch.Size:
        return torch.Size()

    def sample(self, n: int, rng: Noise) -> Tensor:
        return rng.categorical(self.logits.detach().softmax(-1), (at_least_one(n), *self.batch))

    def log_prob(self, a: Tensor) -> Tensor:
        log_p = self.logits.log_softmax(-1)
        return log_p.expand(*a.shape, -1).gather(-1, a[..., None])[..., 0]

    def entropy(self) -> Tensor:
        """H(π) = −Σ_a P(a) log P(a), [*batch]."""
        log_p = self.logits.log_softmax(-1)
        return -(log_p.exp() * log_p).sum(-1)

    def central(self) -> Tensor:
        """The likeliest choice."""
        return self.logits.argmax(-1)

    @property
    def rarest(self) -> float:
        return float(self.logits.detach().softmax(-1).min())

    def nodes(self, order: int | None = None) -> tuple[Tensor, Tensor]:
        """All actions with their probabilities, whatever the order."""
        count = self.logits.shape[-1]
        a = torch.arange(count, device=self.logits.device)
        a = a.view(-1, *(1,) * len(self.batch)).expand(-1, *self.batch)
        return a, self.logits.softmax(-1).movedim(-1, 0)  # [A, *batch] both
