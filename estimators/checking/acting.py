"""A policy's draws as the environment sees them, and expectations over them.

    a = u,    or  a = c + h tanh u  in a box [low, high],  c and h its middle and half
    log π(a) = log π(u) − Σ_i log(h_i (1 − tanh² u_i))

u is what the policy draws, a what critics and entropies are of.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from estimators.gradients import rows
from estimators.moments import Moments
from estimators.noise import Noise
from estimators.objective import Objective, log_det_tanh
from estimators.policies import Policy, TooManyNodes
from estimators.quadrature import cross_examine, exact_mean

EVALUATIONS = 2**19  # of f
TOLERANCE = 1e-9  # of exact answers, relative to their scale
SAMPLES, CHUNK = 2**20, 2**14  # draws where nodes do not reach
Function = Callable[[Tensor], Tensor]  # of draws u: [m, *batch, d] -> [m, *batch, k]


@dataclass(frozen=True, eq=False)
class Acting:
    """low, high: [d], the box that the actions tanh u are stretched to; None: a = u."""

    policy: Policy
    low: Tensor | None = None
    high: Tensor | None = None

    @classmethod
    def of(cls, policy: Policy, box: tuple[Any, Any] | None) -> "Acting":
        """box: (low, high), numbers or one a coordinate. ValueError on what is no box."""
        if box is None:
            return cls(policy)
        if policy.discrete:
            raise ValueError("a box is for continuous actions, these are indices")
        low, high = (torch.as_tensor(end).to(policy.like) for end in box)
        if {low.numel(), high.numel()} - {1, policy.dim}:
            raise ValueError(f"a box has 1 or {policy.dim} ends on each side, got {box}")
        if not ((low < high) & (high - low).isfinite()).all():
            raise ValueError(f"low must be less than high, got {box}")
        return cls(policy, low.expand(policy.dim), high.expand(policy.dim))

    def map(self, f: Callable[[Tensor], Tensor]) -> "Acting":
        """With other parameters: batches, copies."""
        return replace(self, policy=self.policy.map(f))

    def action(self, u: Tensor) -> Tensor:
        if self.low is None or self.high is None:
            return u
        low, high = self.low.to(u), self.high.to(u)
        return (low + high) / 2 + (high - low) / 2 * torch.tanh(u)

    def log_det(self, u: Tensor) -> Tensor:
        """log |da/du|, [..., *batch]."""
        if self.low is None or self.high is None:
            return self.policy.like.new_zeros(u.shape[: u.ndim - len(self.policy.action)])
        return log_det_tanh(u) + ((self.high - self.low) / 2).log().sum().to(u)

    def log_prob(self, u: Tensor) -> Tensor:
        """log π(a), of the action as the environment sees it."""
        return self.policy.log_prob(u) - self.log_det(u)

    def objective(self, Q: Callable[[Tensor], Tensor], alpha: float) -> Objective:
        """E[α log π(a) − Q(a)], seen from u."""
        return Objective(lambda u: Q(self.action(u)) + alpha * self.log_det(u), alpha)

    @property
    def highest_entropy(self) -> float:
        """That no policy over these actions exceeds: log |A|, or the log of their volume."""
        if self.low is not None and self.high is not None:
            return float((self.high - self.low).log().sum())
        if self.policy.discrete:
            try:
                return math.log(len(self.policy.nodes()[0]))
            except TooManyNodes:
                return math.inf
        low, high = self.policy.edges or (-math.inf, math.inf)
        return self.policy.dim * math.log(high - low)


def out_of_reach(target_entropy: float, highest: float, discrete: bool) -> str:
    """That no policy has this entropy, in a sentence, if so it is. highest: that any has."""
    if discrete and target_entropy < 0:
        return (
            f"no policy has the target entropy {target_entropy:.4g}: with discrete actions none is "
            "negative, and α would shrink for ever (−dim(A) is for continuous actions)"
        )
    if target_entropy <= highest:
        return ""
    bound = "log |A|" if discrete else "the log of the actions' volume"
    return (
        f"no policy has the target entropy {target_entropy:.4g}: none is above {bound}, "
        f"{highest:.4g}, and α would grow for ever"
    )


def expectation(policy: Policy, f: Function) -> tuple[Tensor, Tensor]:
    """E_π[f(u)] by nodes, in float64, and its error: [*batch, k] both. Raises TooManyNodes beyond
    their reach, and where random draws contradict them."""
    policy = policy.detach()
    if policy.discrete:
        u, w = policy.nodes()
        terms = w[..., None].double() * f(u).double()  # [m, *batch, k]
        return terms.sum(0), 8 * torch.finfo(terms.dtype).eps * terms.abs().sum(0)
    policy = policy.map(torch.Tensor.double)
    k = f(policy.sample(1, Noise(1, policy.like.device))).shape[-1]
    asked = _weighed, _Weighed(policy.like.new_zeros(*policy.batch, k), policy), Objective(f, 0.0)
    within = partial(exact_mean, *asked, tolerance=TOLERANCE, evaluations=EVALUATIONS)
    mean = within()
    cross_examine(*asked, mean, within(about=mean))
    return mean["w"], torch.full_like(mean["w"], mean.error)


def measured_expectation(policy: Policy, f: Function) -> tuple[Tensor, Tensor]:
    """E_π[f(u)] from draws, and its standard error: [*batch, k] both."""
    rng, seen = Noise(31, policy.like.device), None
    for _ in range(SAMPLES // CHUNK):
        y = Moments.of(f(policy.sample(CHUNK, rng)).detach())
        seen = y if seen is None else seen + y
    assert seen is not None
    return seen.mean, seen.sem


@dataclass(frozen=True, eq=False)
class _Weighed(Policy):
    """A policy that is given, and weights w of what is computed from its draws, the only
    parameter: E[f(u)] is the gradient of E[⟨w, f(u)⟩] in w."""

    w: Tensor  # [*batch, k]
    policy: Policy

    def parameters(self) -> dict[str, Tensor]:
        return {"w": self.w}

    def map(self, f: Callable[[Tensor], Tensor]) -> "_Weighed":
        return replace(self, w=f(self.w))

    @property
    def batch(self) -> torch.Size:
        return self.w.shape[:-1]

    @property
    def inner(self) -> Policy:
        """As many of the policy as there are rows."""
        count = self.batch[: len(self.batch) - len(self.policy.batch)].numel()
        copies = rows(self.policy, count) if self.batch != self.policy.batch else self.policy
        return copies.detach()

    def sample(self, n: int, rng: Noise) -> Tensor:
        return self.inner.sample(n, rng)

    def log_prob(self, a: Tensor) -> Tensor:
        return self.inner.log_prob(a)

    def spikes(self) -> Tensor | None:
        return self.policy.spikes()


def _weighed(policy: _Weighed, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
    """∇_w E[⟨w, f(u)⟩] = E[f(u)], f in the place of Q."""
    return (policy.w * objective.Q(policy.sample(1, rng))[0].detach()).sum(-1)
