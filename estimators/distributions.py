"""Any torch distribution as a policy, so that what is built on it can be checked."""

from collections.abc import Callable
from dataclasses import make_dataclass
from typing import Any

import torch
from torch import Tensor

from estimators.globals import draw_seed, seeded_globals
from estimators.noise import Noise
from estimators.policies import Policy
from estimators.quadrature import TooManyNodes

Make = Callable[[dict[str, Tensor]], torch.distributions.Distribution]


def from_distribution(make: Make, **parameters: Tensor) -> Policy:
    """The policy π_θ = make(θ), θ = parameters, e.g.

        from_distribution(lambda p: Independent(Beta(p["a"].exp(), p["b"].exp()), 1), a=…, b=…)

    The parameters must broadcast: with [rows, …] in front, `make` gives that many independent
    distributions, of actions with one axis. Seeded from rng; the global generator is put back.
    """

    class Distributed(Policy):
        @property
        def batch(self) -> torch.Size:
            return make(self.parameters()).batch_shape

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

        def nodes(self, order: int | None = None) -> tuple[Tensor, Tensor]:
            raise TooManyNodes("a torch distribution has no quadrature nodes: measure it instead")

    fields = [(name, Tensor) for name in parameters]
    kind: Any = make_dataclass("Distributed", fields, bases=(Distributed,), frozen=True, eq=False)
    policy: Policy = kind(**parameters)
    if len(make(parameters).event_shape) != 1:
        raise ValueError(
            "an action must have one axis: wrap the distribution in torch's Independent(…, 1)"
        )
    return policy
