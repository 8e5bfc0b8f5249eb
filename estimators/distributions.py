"""Any torch distribution as a policy, so that what is built on it can be checked."""

from collections.abc import Callable
from dataclasses import make_dataclass
from typing import Any

import torch
from torch import Tensor

from estimators.globals import draw_seed, seeded_globals
from estimators.noise import Noise
from estimators.policies import Policy, TooManyNodes

Make = Callable[[dict[str, Tensor]], torch.distributions.Distribution]


def from_distribution(make: Make, **parameters: Tensor) -> Policy:
    """The policy π_θ = make(θ), θ = parameters, e.g.

        from_distribution(lambda p: Independent(Beta(p["a"].exp(), p["b"].exp()), 1), a=…, b=…)

    The parameters must broadcast: with [rows, …] in front, `make` gives that many independent
    distributions, of actions with one axis, or of indices. Seeded from rng; the global generator
    is put back. Every action, the pathwise gradient and the entropy are there where torch has them.
    """

    class Distributed(Policy):
        @property
        def batch(self) -> torch.Size:
            return make(self.parameters()).batch_shape

        @property
        def action(self) -> torch.Size:
            return make(self.parameters()).event_shape

        def sample(self, n: int, rng: Noise) -> Tensor:
            with seeded_globals(draw_seed(rng)):
                return make(self.detach().parameters()).sample((n,))

        def rsample(self, n: int, rng: Noise) -> Tensor:
            distribution = make(self.parameters())
            if not distribution.has_rsample:
                raise TypeError(f"{type(distribution).__name__} has no pathwise gradient")
            with seeded_globals(draw_seed(rng)):
                return distribution.rsample((n,))

        def log_prob(self, a: Tensor) -> Tensor:
            return make(self.parameters()).log_prob(a)

        def entropy(self) -> Tensor:
            distribution = make(self.parameters())
            try:
                return distribution.entropy()
            except NotImplementedError:
                raise TypeError(f"no entropy of {type(distribution).__name__} in torch") from None

        def nodes(self, order: int | None = None) -> tuple[Tensor, Tensor]:
            distribution = make(self.parameters())
            if not (self.discrete and distribution.has_enumerate_support):
                raise TooManyNodes(
                    f"torch's {type(distribution).__name__} has no quadrature nodes: measure it "
                    "instead"
                )
            a = distribution.enumerate_support()
            return a, distribution.log_prob(a).exp()

    given = make(parameters)
    if len(given.event_shape) != 1 and not (given.event_shape == () and _discrete(given)):
        raise ValueError(
            "an action must have one axis: wrap the distribution in torch's Independent(…, 1)"
        )
    fields = [(name, Tensor) for name in parameters]
    kind: Any = make_dataclass("Distributed", fields, bases=(Distributed,), frozen=True, eq=False)
    kind.discrete = _discrete(given)
    policy: Policy = kind(**parameters)
    return policy


def _discrete(distribution: torch.distributions.Distribution) -> bool:
    try:
        support = distribution.support
    except NotImplementedError:
        return False
    return bool(getattr(support, "is_discrete", False)) and distribution.has_enumerate_support
