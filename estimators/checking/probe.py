"""How an estimator uses Q."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from estimators.checking.faults import Fault
from estimators.checking.jumps import jump
from estimators.policies import Policy
from estimators.watching import Watched

ROWS = 16  # that an estimator is tried on


class Precision(TorchFunctionMode):
    """The coarsest floating-point numbers that pass by: a critic in single precision rounds to
    its own last place, whatever the dtype of the gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.eps = 0.0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        # as many as there are rows: small constants in single precision round nothing
        if isinstance(made, Tensor) and made.is_floating_point() and made.numel() >= ROWS:
            self.eps = max(self.eps, torch.finfo(made.dtype).eps)
        return made


class Use(NamedTuple):
    """n: actions that an estimate averages, None where it asks Q of none; numbers: that Q is given
    for one estimate; eps: of the coarsest floating-point numbers on the way; random: whether an
    estimate draws anything."""

    n: int | None
    numbers: int
    eps: float
    random: bool


class Probe:
    """Q, and how an estimator uses it: with actions that carry gradient (pathwise) or without."""

    def __init__(self, Q: Callable[[Tensor], Tensor]) -> None:
        self.Q, self.watched, self.precision = Q, Watched(Q), Precision()
        self.shapes: list[torch.Size] = []  # of all actions
        self.actions: list[Tensor] = []  # those that carry gradient
        self.values: list[Tensor] = []  # at these

    def __call__(self, a: Tensor) -> Tensor:
        q = self.watched(a)
        self.shapes.append(a.shape)
        if isinstance(q, Tensor) and a.requires_grad and torch.is_grad_enabled():
            self.actions.append(a)
            self.values.append(q)
        return q

    def use(self, policy: Policy, random: bool) -> Use:
        """By an estimator that was given ROWS copies of the policy."""
        behind = 1 + len(policy.batch) + len(policy.action)
        n = max((s[-1 - behind] for s in self.shapes if len(s) > behind), default=None)
        return Use(n, self.watched.numbers // ROWS, self.precision.eps, random)

    def flat(self) -> Fault | None:
        """That Q varies but has no slope at any action that carried gradient, if so it is."""
        if not self.values:
            return None
        values = torch.cat([q.detach().flatten() for q in self.values])
        if len(values) < 2 or values.min() == values.max():
            return None
        if not any(q.requires_grad for q in self.values):
            return Fault(
                "Q is not differentiable: its values do not depend on the action in torch's "
                "graph, so a pathwise estimator cannot see Q at all",
                "discontinuous_q",
            )
        for a in self.actions:
            again = a.detach().requires_grad_()  # the estimator may have used its graph up
            with torch.enable_grad():
                total = self.Q(again).sum()
            (slope,) = torch.autograd.grad(total, again, allow_unused=True, materialize_grads=True)
            if slope.any():
                return None
        # a slope may be where no action has been drawn: a jump is what can be shown
        if not (size := max(jump(self.Q, a) for a in self.actions)):
            return None
        return Fault(
            f"Q is piecewise constant: its slope is zero at all {len(values)} actions drawn, and "
            f"between two of them it jumps by {size:.3g}; a pathwise estimator misses its jumps",
            "discontinuous_q",
        )
