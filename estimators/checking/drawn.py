"""What a plain loss draws: what passes by of torch's random functions, for one estimate."""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from estimators.checking.means import every_action
from estimators.checking.subjects import Subject
from estimators.globals import seeded_globals
from estimators.gradients import leaves
from estimators.policies import Gaussian, Policy

RANDOM = {
    "normal", "randn", "randn_like", "normal_", "rand", "rand_like", "uniform_", "multinomial",
    "bernoulli", "exponential_", "_standard_gamma", "_sample_dirichlet", "poisson",
}  # fmt: skip
SAME = 1e-5  # to single precision, relative


class Draws(TorchFunctionMode):
    """sizes: of all random tensors. probabilities, normals: what the draws of a category and of
    another normal than the standard one were given."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.probabilities: list[Tensor] = []
        self.normals: list[tuple[Tensor, Tensor]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name in RANDOM and isinstance(made, Tensor):
            self.sizes.append(made.numel())
            given = [x.detach().double() for x in args if isinstance(x, Tensor)]
            if name == "multinomial":
                self.probabilities += [w / w.sum(-1, keepdim=True) for w in given[:1]]
            if name == "normal" and len(given) == 2 and (given[0].any() or (given[1] != 1).any()):
                self.normals.append((given[0], given[1]))
        return made


def draws(subject: Subject, policy: Policy) -> Draws | None:
    """Of one call; None of what is no loss."""
    if subject.loss is None:
        return None
    with seeded_globals(0), Draws() as seen:
        subject.loss(leaves(policy).parameters())
    return seen


def actions_drawn(seen: Draws, policy: Policy) -> int | None:
    """For each state; None where that does not come out even."""
    numbers = policy.batch.numel() * max(1, policy.dim)
    n, over = divmod(max(seen.sizes, default=0), numbers)
    return n if n and not over else None


def drawn_elsewhere(seen: Draws, policy: Policy) -> bool:
    """Whether some actions are drawn, and none of them from π."""
    policy = policy.detach().map(torch.Tensor.double)
    own: tuple[Tensor, ...]
    if (every := every_action(policy)) is not None:
        own = (every[1].movedim(0, -1),)  # [*batch, A]
        laws: list[tuple[Tensor, ...]] = [(p,) for p in seen.probabilities]
    elif isinstance(policy, Gaussian):
        own, laws = (policy.mu, policy.log_std.exp()), list(seen.normals)
    else:
        return False
    laws = [law for law in laws if law[0].shape[-1:] == own[0].shape[-1:]]
    return bool(laws) and not any(_same(law, own) for law in laws)


def _same(law: tuple[Tensor, ...], own: tuple[Tensor, ...]) -> bool:
    """Whether both are one law, however many actions are drawn from it."""
    for x, y in zip(law, own, strict=True):
        if x.numel() % y.numel():
            return False
        if not torch.allclose(x.reshape(-1, *y.shape), y, rtol=SAME, atol=SAME):
            return False
    return True
