"""What every policy is: a frozen dataclass of tensors with any batch shape; actions [*batch, d].

Every method takes leading axes: actions [..., *batch, d] give log-probabilities [..., *batch].
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import fields
from typing import Self

import torch
from torch import Tensor

from estimators.noise import Noise


class Policy(ABC):
    """What every policy has: parameters by name, and a copy with a function applied to each."""

    def parameters(self) -> dict[str, Tensor]:
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

    def map(self, f: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(**{name: f(p) for name, p in self.parameters().items()})

    def detach(self) -> Self:
        return self.map(torch.Tensor.detach)

    @property
    @abstractmethod
    def batch(self) -> torch.Size:
        """Shape of the batch of policies: that of one action's log-probability."""

    @abstractmethod
    def sample(self, n: int, rng: Noise) -> Tensor:
        """n actions a ~ π, cut off from the parameters: [n, *batch, d]."""

    @abstractmethod
    def rsample(self, n: int, rng: Noise) -> Tensor:
        """n actions a = f_θ(ε) ~ π with ∇_θ f attached: [n, *batch, d]."""

    @abstractmethod
    def log_prob(self, a: Tensor) -> Tensor:
        """log π(a): [..., *batch, d] -> [..., *batch]."""

    @abstractmethod
    def nodes(self, order: int | None = None) -> tuple[Tensor, Tensor]:
        """Actions [m, *batch, d] and weights [m, *batch] with Σ w·F(a) ≈ E_π[F(a)].

        Gauss–Hermite of that order in every dimension (by default the largest with at most
        64 nodes a component, at least 2). Both stay attached to the parameters. Raises
        ValueError beyond 10⁶ nodes.
        """


def require_finite(policy: Policy) -> None:
    """ValueError, with the name of the parameter, unless all parameters are finite."""
    for name, p in policy.parameters().items():
        if not p.isfinite().all():
            raise ValueError(f"{type(policy).__name__}.{name} is not finite: {p.tolist()}")


def at_least_one(n: int) -> int:
    if n < 1:
        raise ValueError(f"n, the actions averaged inside one estimate, must be ≥ 1; got {n}")
    return n


def require_floating(policy: Policy) -> None:
    parameters = policy.parameters()
    for name, p in parameters.items():
        if not isinstance(p, Tensor) or not p.is_floating_point():
            kind = f"a {p.dtype} tensor" if isinstance(p, Tensor) else f"{type(p).__name__}"
            raise TypeError(
                f"{type(policy).__name__}.{name} must be a floating-point tensor, got {kind}"
            )
    if len({(p.dtype, p.device) for p in parameters.values()}) > 1:
        given = ", ".join(f"{k}: {p.dtype} on {p.device}" for k, p in parameters.items())
        raise TypeError(
            f"{type(policy).__name__} parameters must share a dtype and a device; {given}"
        )


def wrong_shapes(policy: Policy, rule: str) -> None:
    given = ", ".join(f"{name} {list(p.shape)}" for name, p in policy.parameters().items())
    raise ValueError(f"{type(policy).__name__}: {rule}; got {given}")
