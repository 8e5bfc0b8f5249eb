"""What every policy is: a frozen dataclass of tensors with any batch shape; actions [*batch, d].

Every method takes leading axes: actions [..., *batch, d] give log-probabilities [..., *batch].
Whoever works with a policy asks it, never its type: a policy of one's own needs `batch`, `sample`
and `log_prob`, and what else it has (`rsample`, `nodes`, `entropy`) serves more estimators.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import ClassVar, Self

import torch
from torch import Tensor

from estimators.noise import Noise


class TooManyNodes(ValueError):
    """There is no exact answer within reach."""


class Policy(ABC):
    """π_θ, a batch of them: parameters by name, draws, densities, and what else is known."""

    discrete: ClassVar[bool] = False  # whether an action is one of finitely many
    bounded: ClassVar[bool] = False  # whether every action lies in (−1, 1)^d: nothing to squash
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {}  # an actor keeps a parameter in them
    usual: ClassVar[Mapping[str, tuple[float, float]]] = {}  # where tests draw it from; else ±1

    def parameters(self) -> dict[str, Tensor]:
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

    def with_parameters(self, parameters: Mapping[str, Tensor]) -> Self:
        """The same policy but for its parameters, all of them, by name."""
        return type(self)(**parameters)

    def map(self, f: Callable[[Tensor], Tensor]) -> Self:
        return self.with_parameters({name: f(p) for name, p in self.parameters().items()})

    def detach(self) -> Self:
        return self.map(torch.Tensor.detach)

    @property
    def like(self) -> Tensor:
        """A parameter, for its dtype and device."""
        return next(iter(self.parameters().values()))

    @property
    @abstractmethod
    def batch(self) -> torch.Size:
        """Shape of the batch of policies: that of one action's log-probability."""

    @property
    def action(self) -> torch.Size:
        """Shape of one action, [d]; [] where it is an index. Read off a draw, unless it is said."""
        return self.detach().sample(1, Noise()).shape[1 + len(self.batch) :]

    @property
    def dim(self) -> int:
        """Numbers in one action."""
        return math.prod(self.action)

    @classmethod
    def shapes(
        cls,
        dim: int,
        components: int = 1,  # noqa: ARG003 — of those that have them
    ) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter for actions of `dim` numbers (`dim` choices, if discrete)."""
        # cls.__match_args__ is its fields' names; the compiler cannot follow fields(cls)
        return dict.fromkeys(cls.__match_args__, (dim,))  # type: ignore[attr-defined]

    @classmethod
    def from_numbers(cls, numbers: Tensor, dim: int, components: int = 1) -> Self:
        """The policies that unconstrained numbers stand for, parameter after parameter, as an
        actor puts them out: [*batch, Σ sizes of `shapes`] -> a batch of policies."""
        shapes = cls.shapes(dim, components)
        parts = numbers.split([math.prod(shape) for shape in shapes.values()], -1)
        return cls(
            **{
                name: part.unflatten(-1, shape) if len(shape) > 1 else part
                for (name, shape), part in zip(shapes.items(), parts, strict=True)
            }
        )

    @abstractmethod
    def sample(self, n: int, rng: Noise) -> Tensor:
        """n actions a ~ π, cut off from the parameters: [n, *batch, d]."""

    @abstractmethod
    def log_prob(self, a: Tensor) -> Tensor:
        """log π(a): [..., *batch, d] -> [..., *batch]."""

    def rsample(self, n: int, rng: Noise) -> Tensor:
        """n actions a = f_θ(ε) ~ π with ∇_θ f attached: [n, *batch, d]; TypeError without one."""
        why = " (its actions are discrete)" * self.discrete
        raise TypeError(
            f"a {type(self).__name__} policy has no pathwise gradient{why}: "
            "use the score function, exact enumeration or a relaxation"
        )

    def strata(self, n: int, rng: Noise) -> tuple[Tensor, Tensor]:
        """n actions of each of finitely many components, with ∇_θ f attached, [K, n, *batch, d],
        and the probabilities of these, [K, 1, *batch]; TypeError without any."""
        raise TypeError(f"a {type(self).__name__} policy has no components to sum over")

    def entropy(self) -> Tensor:
        """H(π) = −E[log π], a sum over the actions or in closed form, [*batch]; else TypeError."""
        if self.discrete:
            a, w = self.nodes()
            return -(w * self.log_prob(a)).sum(0)
        raise TypeError(f"no closed-form entropy for a {type(self).__name__} policy")

    def nodes(self, order: int | None = None) -> tuple[Tensor, Tensor]:
        """Actions [m, *batch, d] and weights [m, *batch] with Σ w·F(a) ≈ E_π[F(a)].

        By default as many as 64 a component allow. Both stay attached to the parameters. The
        higher the order, the nearer; all actions, whatever the order, if discrete. TooManyNodes
        beyond 10⁶, and where a policy has none.
        """
        raise TooManyNodes(
            f"a {type(self).__name__} policy has no quadrature nodes: measure it instead"
        )

    def central(self) -> Tensor:
        """The action to evaluate, [*batch, d]: the likeliest node if discrete, else a mean, of 64
        draws unless the policy knows better."""
        if not self.discrete:
            return self.sample(64, Noise()).mean(0)
        a, w = self.nodes()
        best = w.argmax(0, keepdim=True)  # [1, *batch]
        ones = (1,) * len(self.action)
        return a.gather(0, best.view(*best.shape, *ones).expand(1, *a.shape[1:]))[0]

    @property
    def rarest(self) -> float:
        """The smallest probability of a component or an action that it draws by category."""
        return 1.0

    @property
    def edges(self) -> tuple[float, float] | None:
        """Between which every coordinate of an action lies, infinite where nothing ends it; None
        where that is not known."""
        return None

    def spikes(self) -> Tensor | None:
        """Points of ε about which the density changes fast, for nodes to stand at: [breaks, d]."""
        return None


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
