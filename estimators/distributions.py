"""Any torch distribution as a policy, so that what is built on it can be checked."""

import math
from collections.abc import Callable
from dataclasses import make_dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent

from estimators.globals import draw_seed, seeded_globals
from estimators.noise import Noise
from estimators.policies import MAX_NODES, Policy, TooManyNodes

Make = Callable[[dict[str, Tensor]], Distribution]


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
                raise TypeError(f"torch's {name} has no pathwise gradient")
            with seeded_globals(draw_seed(rng)):
                return distribution.rsample((n,))

        def log_prob(self, a: Tensor) -> Tensor:
            return make(self.parameters()).log_prob(a)

        def entropy(self) -> Tensor:
            distribution = make(self.parameters())
            try:
                return distribution.entropy()
            except NotImplementedError:
                raise TypeError(f"torch has no entropy of {name}") from None

        @property
        def edges(self) -> tuple[float, float] | None:
            """Between which every coordinate lies, where torch says so."""
            try:
                support: Any = make(self.parameters()).support
            except NotImplementedError:
                return None
            while hasattr(support, "base_constraint"):
                support = support.base_constraint
            low = getattr(support, "lower_bound", -math.inf)
            high = getattr(support, "upper_bound", math.inf)
            known = isinstance(low, int | float) and isinstance(high, int | float)
            return (float(low), float(high)) if known and support is not None else None

        def nodes(self, order: int | None = None) -> tuple[Tensor, Tensor]:
            distribution = make(self.parameters())
            if not self.discrete:
                raise TooManyNodes(f"torch's {name} has no quadrature nodes: measure it instead")
            a = _actions(distribution)
            return a, distribution.log_prob(a).exp()

    given = make(parameters)
    name = type(_base(given)).__name__
    if len(given.event_shape) != 1 and not (given.event_shape == () and _discrete(given)):
        raise ValueError(
            "an action must have one axis: wrap the distribution in torch's Independent(…, 1)"
        )
    fields = [(key, Tensor) for key in parameters]
    kind: Any = make_dataclass(name, fields, bases=(Distributed,), frozen=True, eq=False)
    kind.discrete = _discrete(given)
    policy: Policy = kind(**parameters)
    return policy


def _base(distribution: Distribution) -> Distribution:
    return _base(distribution.base_dist) if isinstance(distribution, Independent) else distribution


def _discrete(distribution: Distribution) -> bool:
    """Whether torch can list its actions, coordinate by coordinate."""
    base = _base(distribution)
    return bool(base.has_enumerate_support) and not base.event_shape


def _actions(distribution: Distribution) -> Tensor:
    """All of them: [m, *batch, d], every combination of the coordinates; [m, *batch] of indices."""
    each = _base(distribution).enumerate_support(expand=False).flatten()  # of one coordinate
    coordinates = distribution.event_shape.numel()
    count = len(each) ** coordinates
    if count > MAX_NODES:
        raise TooManyNodes(f"{count:,} actions are more than {MAX_NODES:,}: measure it instead")
    a = torch.cartesian_prod(*[each] * coordinates).view(count, *distribution.event_shape)
    ones = (1,) * len(distribution.batch_shape)
    a = a.view(count, *ones, *distribution.event_shape)
    return a.expand(count, *distribution.batch_shape, *distribution.event_shape)
