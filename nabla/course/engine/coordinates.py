"""The same exercise in two dimensions, with coordinates that differ: what is wrong in how they are
put together is right in one.

Moments are weighed on a grid of Gauss–Hermite nodes in every scalar that is drawn. It treats all
draws alike, so an answer that asks for them in another order has the same moments to the last
digits as the reference; and it takes milliseconds.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

import torch
from numpy.polynomial.hermite_e import hermegauss
from torch import Tensor

from estimators import Estimator, Noise, Objective, Policy, TooManyNodes
from estimators.gradients import Gradient, unflatten
from estimators.quadrature import Exact
from estimators.quadrature.nodes import discover, every_category, terms

F = TypeVar("F", bound=Callable[..., Any])
NODES, MOST = 2**14, 32  # of the grid, of one scalar


def remembered(known: F) -> F:
    """Computed once: what is known of an exercise is the same for every answer."""
    return cache(known)  # type: ignore[return-value]


@remembered
def widened(policy: Policy) -> Policy:
    """A policy of one coordinate with a second one that differs from it in every parameter."""
    return type(policy)(
        **{
            name: p if name == "logits" else torch.cat([p, p / 2 - 0.3], -1)
            for name, p in policy.parameters().items()
        }
    )


def grid_mean(
    estimator: Estimator, policy: Policy, objective: Objective, about: Gradient | None = None
) -> Exact:
    """E[g], or E[(g − about)²]. TooManyNodes for more than a dozen scalar draws."""
    draws = discover(estimator, policy, objective)
    scalars = sum(d.size for d in draws if d.categories is None)
    nodes = min(MOST, int(NODES ** (1 / max(1, scalars)) + 1e-9))
    if nodes < 3:
        raise TooManyNodes(f"{scalars} scalar draws")
    each, weight = (torch.as_tensor(v) for v in hermegauss(nodes))
    x = torch.cartesian_prod(*[each] * scalars).view(-1, scalars) if scalars else torch.zeros(1, 0)
    w = torch.cartesian_prod(*[weight / weight.sum()] * scalars).view(-1, scalars).prod(-1)

    def f(g: Gradient) -> Gradient:
        return g if about is None else {k: (v - about[k]) ** 2 for k, v in g.items()}

    k = every_category(draws)
    at_nodes = terms(f, estimator, policy, objective, draws, x.double(), k).sum(1)
    shapes = {name: p.shape for name, p in policy.parameters().items()}
    return Exact(unflatten(w @ at_nodes, shapes), 0.0)


class OneNoise(Noise):
    """The same ε for all coordinates of an action."""

    def __init__(self, source: Noise) -> None:
        self.source = source

    def normal(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        return self.source.normal((*shape[:-1], 1), like).expand(shape)

    def uniform(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        return self.source.uniform((*shape[:-1], 1), like).expand(shape)

    def threshold(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        return self.source.threshold(shape, like)

    def categorical(self, weights: Tensor, shape: tuple[int, ...]) -> Tensor:
        return self.source.categorical(weights, shape)


def with_density(policy: Policy, log_prob: Callable[[Policy, Tensor], Tensor]) -> Policy:
    """The policy with another log π(a), made from its own."""
    kind: Any = type(policy)

    class Other(kind):  # type: ignore[misc]
        def log_prob(self, a: Tensor) -> Tensor:
            return log_prob(kind(**self.parameters()), a)

    return Other(**policy.parameters())


def averaged(policy: Policy, a: Tensor) -> Tensor:
    return policy.log_prob(a) / a.shape[-1]


def first_only(policy: Policy, a: Tensor) -> Tensor:
    first = {k: p if k == "logits" else p[..., :1] for k, p in policy.parameters().items()}
    return type(policy)(**first).log_prob(a[..., :1])


@remembered
def slips(right: Estimator) -> Mapping[str, tuple[Estimator, tuple[str, ...]]]:
    """What goes wrong between coordinates, done to the right estimator, and hints, by key."""

    def one_noise(policy: Policy, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
        return right(policy, objective, OneNoise(rng))

    def with_averaged(policy: Policy, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
        return right(with_density(policy, averaged), objective, rng)

    def with_first(policy: Policy, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
        return right(with_density(policy, first_only), objective, rng)

    return {
        "one_noise": (
            one_noise,
            (
                "In one dimension it is right. How many numbers of noise has an action of two?",
                "One ε for all coordinates puts the actions on a line: a vector, please.",
            ),
        ),
        "entropy_per_dimension": (
            with_averaged,
            (
                "In one dimension it is right. What is log π of an action with two coordinates?",
                "Independent coordinates: densities multiply, so their logarithms add. Here they "
                "are averaged, and the entropy is worth less the more coordinates there are.",
            ),
        ),
        "first_coordinate": (
            with_first,
            (
                "In one dimension it is right. Which coordinates does log π know of?",
                "log π of the first coordinate is not log π of the action.",
            ),
        ),
    }
