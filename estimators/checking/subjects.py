"""What can be checked, brought to one form: draw(estimates, rng) -> {name: [estimates, …]}.

    estimator(policy, objective, rng, n=1) -> surrogate [*batch]      one of ours
    loss(params) -> scalar or per-sample tensor                       a plain PyTorch loss
    gradients(params[, seed]) -> {name: array} or a tuple of arrays   numpy, JAX, anything

params is a dict of tensors (numpy arrays for `gradients`), named and ordered as the policy's
parameters. A loss or a gradient without a seed of its own draws from the global generators, as
torch.distributions does: they are seeded for each call and put back afterwards. A scalar loss is
the mean over a batch of policies, as an actor loss is the mean over states; a per-sample tensor is
[S, *batch] and its mean over S is one estimate. Gradients are shaped like the parameters, or
[S, *parameter] for S estimates at once.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from estimators.catalogue import Entry
from estimators.checking.faults import RAISED, Fault
from estimators.checking.vectorised import NotVectorised, vectorised
from estimators.globals import draw_seed, seeded_globals
from estimators.gradients import (
    Estimator,
    Gradient,
    gradients_of,
    leaves,
    per_sample_gradients,
    rows,
)
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Policy

Params = dict[str, Tensor]
FAST = 64  # estimates in one call
GROUP = 256  # calls of a loss before a backward pass


class NotCheckable(TypeError):
    """It is no function, or takes arguments that nobody can fill in."""


@dataclass(frozen=True)
class Subject:
    """Something that draws estimates. estimator: where it is one of ours; slow: why each estimate
    takes a call of its own, and what to change, where it does."""

    name: str
    draw: Callable[[int, Noise], Gradient]
    slow: str = ""
    estimator: Estimator | None = None
    loss: Callable[[Params], Tensor] | None = None

    @property
    def fast(self) -> bool:
        return not self.slow


def subject(thing: Any, policy: Policy, objective: Objective, name: str = "") -> Subject:
    """Any of the three, told apart by its number of required arguments: 3, 1, or 2 (a seed)."""
    name = name or name_of(thing)
    if not callable(thing):
        raise NotCheckable(
            f"{name} cannot be checked: it is no function but {type(thing).__name__}"
        )
    count = _required(thing)
    if count >= 3:
        draw = partial(per_sample_gradients, thing, policy, objective)
        return Subject(name, draw, estimator=thing)
    if count == 2:
        return _of_gradients(thing, policy, name, seeded=True)
    if _is_loss(thing, policy):
        scalar = partial(loss_value, thing, policy)
        slow = _slow(scalar, policy)
        draws = one_by_one if slow else vectorised
        return Subject(name, partial(draws, scalar, policy), slow, loss=scalar)
    return _of_gradients(thing, policy, name, seeded=False)


def name_of(thing: Any) -> str:
    while isinstance(thing, partial | Entry):
        thing = thing.func if isinstance(thing, partial) else thing.function
    return getattr(thing, "__name__", type(thing).__name__)


def called_as(thing: Any, policy: Policy) -> str:
    """How it was called, for somebody whose function expected something else."""
    arguments = {1: "params", 2: "params, seed"}.get(_required(thing), "policy, objective, rng")
    params = f", params = {{{', '.join(policy.parameters())}}}" if "params" in arguments else ""
    return f"; it was called as {name_of(thing)}({arguments}){params}"


def loss_value(loss: Callable[[Params], Any], policy: Policy, params: Params) -> Tensor:
    """Σ over the batch of the loss of each row; ValueError on a shape that is neither a scalar,
    nor [*batch], nor [S, *batch]."""
    value = loss(params)
    if not isinstance(value, Tensor):
        raise Fault(f"the loss must return a tensor, got {type(value).__name__}")
    batch = policy.batch
    if value.ndim == 0:
        return value * batch.numel()
    if value.shape == batch:
        return value.sum()
    if value.shape[1:] == batch:
        return value.mean(0).sum()
    raise ValueError(
        f"the loss must be a scalar or [samples, *batch] with batch {list(batch)}, "
        f"got {list(value.shape)}"
    )


def _required(thing: Callable[..., Any]) -> int:
    called = thing.forward if isinstance(thing, torch.nn.Module) else thing
    try:
        parameters = inspect.signature(called).parameters.values()
    except ValueError:
        raise NotCheckable(
            f"{name_of(thing)} does not tell its arguments: wrap it in a def"
        ) from None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    count = sum(p.kind in positional and p.default is inspect.Parameter.empty for p in parameters)
    if count == 0 and any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters):
        return 1
    if not 1 <= count <= 3:
        raise NotCheckable(
            f"{name_of(thing)} takes {count} required arguments: an estimator takes 3 (policy, "
            "objective, rng), a loss 1 (params), a function that returns gradients 1 or 2 "
            "(params, seed); wrap it in a lambda that takes those"
        )
    return count


def _is_loss(thing: Callable[[Any], Any], policy: Policy) -> bool:
    """Whether it takes tensors and returns one; otherwise it is taken to return gradients."""
    with seeded_globals(0):
        try:
            returned = thing(leaves(policy).parameters())
            if isinstance(returned, Tensor):
                return True
            why: BaseException = Fault(
                f"a loss must return a tensor, got {type(returned).__name__}"
            )
        except RAISED as first:  # of somebody's function: numpy code refuses tensors
            why = first
        try:
            returned = thing(_arrays(policy))
        except RAISED:  # neither: the first complaint is the one to hear
            raise why from None
        if isinstance(why, Fault) and not isinstance(returned, Mapping | tuple | list):
            raise why
        return isinstance(returned, Tensor)


def one_by_one(
    scalar: Callable[[Params], Tensor], policy: Policy, estimates: int, rng: Noise
) -> Gradient:
    """A call for each, and one backward pass for a GROUP of them."""
    parts = []
    with seeded_globals(draw_seed(rng)):
        for start in range(0, estimates, GROUP):
            params = rows(policy, min(GROUP, estimates - start)).parameters()
            each = zip(*(p.unbind() for p in params.values()), strict=True)
            values = [scalar(dict(zip(params, row, strict=True))) for row in each]
            total = torch.stack(values).sum()
            none = {k: torch.zeros_like(p) for k, p in params.items()}  # a constant, each time
            parts.append(gradients_of(total, params) if total.requires_grad else none)
    return {k: torch.cat([part[k] for part in parts]) for k in policy.parameters()}


def _slow(scalar: Callable[[Params], Tensor], policy: Policy) -> str:
    """Why the loss cannot be run for many rows at once, and what to change; nothing if it can:
    it runs, and gives what calling it gives, the same mean to 8 standard errors."""
    try:
        many = vectorised(scalar, policy, 1024, Noise(1))
        few = one_by_one(scalar, policy, 32, Noise(2))
    except NotVectorised as why:
        return str(why)
    except RAISED as error:  # vmap refuses in many ways
        return f"torch.func.vmap does not run it: {' '.join(str(error).split())[:150]}"
    for name, g in many.items():
        # a rare event may be in one of the two alone
        se = (g.var(0).maximum(few[name].var(0)) * (1 / 1024 + 1 / 32)).sqrt()
        gap = (g.mean(0) - few[name].mean(0)).abs()
        if not (gap <= 8 * se + 1e-4 * (1 + gap)).all():
            return "run for many rows at once it gives something else (a state of its own?)"
    return ""


def _arrays(policy: Policy) -> dict[str, Any]:
    return {k: p.detach().cpu().numpy().copy() for k, p in policy.parameters().items()}


def _of_gradients(function: Callable[..., Any], policy: Policy, name: str, seeded: bool) -> Subject:
    def call(rng: Noise) -> Gradient:
        seed = (draw_seed(rng),) if seeded else ()
        return _as_gradient(function(_arrays(policy), *seed), policy)

    def draw(estimates: int, rng: Noise) -> Gradient:
        calls: list[Gradient] = []
        with seeded_globals(draw_seed(rng)):
            while sum(map(_length, calls)) < estimates:
                calls.append(call(rng))
        return {k: torch.cat([c[k] for c in calls])[:estimates] for k in policy.parameters()}

    with seeded_globals(0):
        slow = "" if _length(call(Noise(0))) >= FAST else f"return {FAST} or more in one call"
        return Subject(name, draw, slow)


def _length(gradient: Gradient) -> int:
    return len(next(iter(gradient.values())))


def _as_gradient(returned: Any, policy: Policy) -> Gradient:
    """{name: [S, *parameter]}; ValueError names what is missing or has the wrong shape."""
    shapes = {k: p.shape for k, p in policy.parameters().items()}
    if not isinstance(returned, Mapping):
        if not isinstance(returned, tuple | list) or len(returned) != len(shapes):
            raise ValueError(
                f"gradients must be a dict or a tuple for {', '.join(shapes)}, "
                f"got {type(returned).__name__}"
            )
        returned = dict(zip(shapes, returned, strict=True))
    out, counts = {}, set()
    for name, shape in shapes.items():
        if returned.get(name) is None:
            raise Fault(f"{name} gets no gradient", "missing_gradient")
        g = returned[name].detach() if isinstance(returned[name], Tensor) else returned[name]
        g = torch.as_tensor(np.array(g))
        if g.shape != shape and g.shape[1:] != shape:
            raise ValueError(
                f"the gradient of {name} must be {list(shape)} or [estimates, *{list(shape)}], "
                f"got {list(g.shape)}"
            )
        out[name] = g[None] if g.shape == shape else g
        counts.add(len(out[name]))
    if counts == {0}:
        raise ValueError("it returned 0 estimates")
    if len(counts) > 1:
        raise ValueError(f"the gradients hold different numbers of estimates: {sorted(counts)}")
    return out
