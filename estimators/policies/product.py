"""Independent parts of any kinds, as one policy: multi-discrete and hybrid actions."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Self

import torch
from torch import Tensor

from estimators.noise import Noise
from estimators.policies.hermite import MAX_NODES
from estimators.policies.policy import Policy, TooManyNodes, require_floating


@dataclass(frozen=True, eq=False, init=False)
class Product(Policy):
    """π(a) = Π_j π_j(a_j), e.g. Product(gear=Categorical(…), push=Gaussian(…)).

    An action is the parts' actions one after the other, [*batch, Σ d_j], an index a number among
    them: integers where all parts are discrete, else in the parameters' dtype. The parameters are
    the parts', as `gear.logits`. What a part lacks, the product lacks.
    """

    parts: Mapping[str, Policy]

    def __init__(self, **parts: Policy) -> None:
        if not parts:
            raise ValueError("Product: at least one part, by name: Product(gear=Categorical(…), …)")
        for name, part in parts.items():
            if not isinstance(part, Policy):
                raise TypeError(f"Product: {name} must be a policy, got {type(part).__name__}")
            if len(part.action) > 1 or part.batch != next(iter(parts.values())).batch:
                given = ", ".join(f"{n} {list(p.batch)}" for n, p in parts.items())
                raise ValueError(f"Product: the parts must be of one batch; got {given}")
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "discrete", all(part.discrete for part in parts.values()))
        require_floating(self)

    def parameters(self) -> dict[str, Tensor]:
        each = self.parts.items()
        return {f"{part}.{name}": p for part, pi in each for name, p in pi.parameters().items()}

    def with_parameters(self, parameters: Mapping[str, Tensor]) -> Self:
        parts = {}
        for part, pi in self.parts.items():
            mine = {name: parameters[f"{part}.{name}"] for name in pi.parameters()}
            parts[part] = pi.with_parameters(mine)
        return type(self)(**parts)

    @classmethod
    def shapes(cls, dim: int, components: int = 1) -> dict[str, tuple[int, ...]]:  # noqa: ARG003
        raise TypeError("a Product is made of its parts, not of numbers")

    @property
    def batch(self) -> torch.Size:
        return next(iter(self.parts.values())).batch

    @property
    def action(self) -> torch.Size:
        return torch.Size([sum(part.dim for part in self.parts.values())])

    def sample(self, n: int, rng: Noise) -> Tensor:
        return self._joined([part.sample(n, rng) for part in self.parts.values()])

    def rsample(self, n: int, rng: Noise) -> Tensor:
        return self._joined([part.rsample(n, rng) for part in self.parts.values()])

    def strata(self, n: int, rng: Noise) -> tuple[Tensor, Tensor]:
        """Every combination of the discrete parts' actions, with the same draws of the others."""
        parts = self.parts.values()
        if not any(part.discrete for part in parts):
            return super().strata(n, rng)
        k, w = _combined([part.nodes() for part in parts if part.discrete])
        chosen, size = iter(k), len(w)
        actions = []
        for part in parts:
            a = next(chosen)[:, None] if part.discrete else part.rsample(n, rng)[None]
            actions.append(a.expand(size, n, *a.shape[2:]))  # [K, n, *batch, d]
        return self._joined(actions), w[:, None]

    def log_prob(self, a: Tensor) -> Tensor:
        """Σ_j log π_j(a_j)."""
        each = zip(self.parts.values(), self._split(a), strict=True)
        return torch.stack([part.log_prob(mine) for part, mine in each]).sum(0)

    def entropy(self) -> Tensor:
        """Σ_j H(π_j)."""
        return torch.stack([part.entropy() for part in self.parts.values()]).sum(0)

    def central(self) -> Tensor:
        """Each part's."""
        return self._joined([part.central()[None] for part in self.parts.values()])[0]

    @property
    def rarest(self) -> float:
        return math.prod(part.rarest for part in self.parts.values())

    def nodes(self, order: int | None = None) -> tuple[Tensor, Tensor]:
        """All combinations of the parts' nodes."""
        actions, w = _combined([part.nodes(order) for part in self.parts.values()])
        return self._joined(actions), w

    def _joined(self, actions: list[Tensor]) -> Tensor:
        columns = [
            a if part.action else a.unsqueeze(-1)
            for part, a in zip(self.parts.values(), actions, strict=True)
        ]
        return torch.cat(columns if self.discrete else [a.to(self.like) for a in columns], -1)

    def _split(self, a: Tensor) -> Iterator[Tensor]:
        columns = a.split([part.dim for part in self.parts.values()], -1)
        for part, mine in zip(self.parts.values(), columns, strict=True):
            mine = mine if part.action else mine[..., 0]
            yield mine.long() if part.discrete else mine


def _combined(nodes: list[tuple[Tensor, Tensor]]) -> tuple[list[Tensor], Tensor]:
    """Every combination of these nodes: their actions, [m, *batch, …] each, and weights."""
    count = math.prod(len(w) for _, w in nodes)
    if count > MAX_NODES:
        raise TooManyNodes(f"{count:,} combinations of nodes are more than {MAX_NODES:,}")
    device = nodes[0][1].device
    index = torch.cartesian_prod(*[torch.arange(len(w), device=device) for _, w in nodes])
    picked = index.view(count, len(nodes)).unbind(-1)
    weights = [w[i] for (_, w), i in zip(nodes, picked, strict=True)]
    return [a[i] for (a, _), i in zip(nodes, picked, strict=True)], reduce(torch.mul, weights)
