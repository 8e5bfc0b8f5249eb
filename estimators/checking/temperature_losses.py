"""A temperature loss, called as it asks, by name, and its gradient in log α.

    loss(log_alpha, log_prob)        the log π(a) of actions that are drawn here
    loss(params)                     draws its own: params = {log_alpha, mu, log_std, …}
    loss(log_alpha, policy, rng)     draws its own from a batch of policies

It returns a scalar, or numbers whose mean is the loss.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from estimators.checking.acting import Acting
from estimators.checking.calling import called_as
from estimators.checking.faults import RAISED, Fault, raised
from estimators.checking.subjects import subject
from estimators.noise import Noise
from estimators.policies import Policy

KNOWN = {
    "log_alpha": "a scalar",
    "log_prob": "log π of actions, [batch]",
    "params": "a dict of log_alpha and the policy's parameters",
    "policy": "a Policy",
    "rng": "a Noise",
    "target_entropy": "a number",
}
BATCH = 8  # actions in one call
COPIES = 2**9  # of a policy, in one call that takes a policy
UNREACHED = "the loss does not reach log_alpha: no gradient for it"
Gradients = Callable[[int, Noise], Tensor]


@dataclass(frozen=True, eq=False)
class Loss:
    """loss: the function; names: what it asks for; log_alphas: where it is looked at, [2]."""

    loss: Callable[..., Any]
    names: Sequence[str]
    acting: Acting
    target_entropy: float
    log_alphas: Tensor

    @property
    def given_log_prob(self) -> bool:
        return not {"params", "policy", "rng"} & set(self.names)

    @property
    def actions(self) -> int:
        """That one call averages, of its own."""
        return 1 if "params" in self.names else COPIES * self.acting.policy.batch.numel()

    def log_prob(self, count: int, rng: Noise) -> Tensor:
        """Of the policy's actions, [count, batch]: of all its states, in turn."""
        policy = self.acting.policy
        states = policy.batch.numel()
        each = -(-BATCH // states)
        log_prob = self.acting.log_prob(policy.sample(count * each, rng)).detach()
        return log_prob.reshape(count, each * states)

    def of_log_prob(self) -> tuple[Callable[[Tensor], Tensor], str]:
        """Gradients from log π(a), [count, batch] -> [count, 2]; and why that is slow."""
        log_prob = self.log_prob(2, Noise(1))
        self._slope(self.log_alphas[0], log_prob=log_prob[0])
        try:
            self._vectorised(log_prob)
        except RAISED:  # vmap refuses in many ways
            return self._looped, "torch.func.vmap does not run it"
        return self._vectorised, ""

    def of_own_draws(self) -> tuple[Gradients, str]:
        """Gradients [count, 2] from draws of its own; and why that is slow."""
        if "params" not in self.names:
            self._one_by_one(1, Noise(1))
            return self._one_by_one, "it takes a policy and rng"
        both = [_Tempered(self.acting.policy, x) for x in self.log_alphas]
        self._require_reached(both[0])
        objective = self.acting.objective(lambda a: a, 1.0)  # a plain loss has no use for it
        subjects = [subject(self._of_params, tempered, objective) for tempered in both]

        def draw(count: int, rng: Noise) -> Tensor:
            return torch.stack([s.draw(count, rng)["log_alpha"] for s in subjects], 1)

        return draw, subjects[0].slow

    def _value(self, **given: Any) -> Tensor:
        """A scalar. Raises Fault on what is no loss, or what it raises."""
        given |= {"target_entropy": self.target_entropy}
        try:
            value = self.loss(**{name: given[name] for name in self.names})
        except RAISED as error:
            called = called_as(self.loss, self.names, given)
            raise Fault(str(raised(error)) + called) from error
        if not isinstance(value, Tensor):
            raise Fault(f"the loss must return a tensor, got {type(value).__name__}")
        return value.mean()

    def _of_params(self, params: dict[str, Tensor]) -> Tensor:
        return self._value(params=params, log_alpha=params["log_alpha"])

    def _vectorised(self, log_prob: Tensor) -> Tensor:
        def value(log_alpha: Tensor, log_prob: Tensor) -> Tensor:
            return self._value(log_alpha=log_alpha, log_prob=log_prob)

        of_actions = torch.func.vmap(torch.func.grad(value), in_dims=(None, 0))
        return torch.stack([of_actions(x, log_prob) for x in self.log_alphas], 1)

    def _looped(self, log_prob: Tensor) -> Tensor:
        rows = [[self._slope(x, log_prob=row) for x in self.log_alphas] for row in log_prob]
        return torch.tensor(rows, dtype=torch.float64)

    def _one_by_one(self, count: int, rng: Noise) -> Tensor:
        policy = self.acting.policy.detach()
        copies = policy.map(lambda p: p.expand(COPIES, *p.shape).flatten(0, len(policy.batch)))
        given = {"policy": copies, "rng": rng}
        rows = [[self._slope(x, **given) for x in self.log_alphas] for _ in range(count)]
        return torch.tensor(rows, dtype=torch.float64)

    def _slope(self, log_alpha: Tensor, **given: Any) -> float:
        leaf = log_alpha.detach().clone().requires_grad_()
        with torch.enable_grad():
            value = self._value(log_alpha=leaf, **given)
        if not value.requires_grad:
            raise Fault(UNREACHED, "missing_gradient")
        (slope,) = torch.autograd.grad(value, leaf, allow_unused=True)
        if slope is None:
            raise Fault(UNREACHED, "missing_gradient")
        return float(slope)

    def _require_reached(self, tempered: "_Tempered") -> None:
        params = {k: p.detach().clone().requires_grad_() for k, p in tempered.parameters().items()}
        with torch.enable_grad():
            value = self._of_params(params)
        reached = None
        if value.requires_grad:
            (reached,) = torch.autograd.grad(value, params["log_alpha"], allow_unused=True)
        if reached is None:
            raise Fault(UNREACHED, "missing_gradient")


@dataclass(frozen=True, eq=False)
class _Tempered(Policy):
    """A policy and its temperature: the parameters of one loss."""

    policy: Policy
    log_alpha: Tensor

    def parameters(self) -> dict[str, Tensor]:
        return {**self.policy.parameters(), "log_alpha": self.log_alpha}

    def map(self, f: Callable[[Tensor], Tensor]) -> "_Tempered":
        return _Tempered(self.policy.map(f), f(self.log_alpha))

    @property
    def batch(self) -> torch.Size:
        return self.log_alpha.shape

    def sample(self, n: int, rng: Noise) -> Tensor:
        return self.policy.sample(n, rng)

    def log_prob(self, a: Tensor) -> Tensor:
        return self.policy.log_prob(a)
