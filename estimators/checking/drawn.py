"""How many actions an estimate of a plain loss draws: what torch's random functions return."""

from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from estimators.checking.subjects import Subject
from estimators.globals import seeded_globals
from estimators.gradients import leaves
from estimators.policies import Policy

RANDOM = {
    "normal", "randn", "randn_like", "normal_", "rand", "rand_like", "uniform_", "multinomial",
    "bernoulli", "exponential_", "_standard_gamma", "_sample_dirichlet", "poisson",
}  # fmt: skip


class _Sizes(TorchFunctionMode):
    """Of all random tensors that are made."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") in RANDOM and isinstance(made, Tensor):
            self.seen.append(made.numel())
        return made


def actions_drawn(subject: Subject, policy: Policy) -> int | None:
    """For each state; None where that does not come out even, or it is no loss."""
    if subject.loss is None:
        return None
    with seeded_globals(0), _Sizes() as sizes:
        subject.loss(leaves(policy).parameters())
    n, over = divmod(max(sizes.seen, default=0), policy.batch.numel() * max(1, policy.dim))
    return n if n and not over else None
