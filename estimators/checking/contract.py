"""The first rung: what every estimator must keep before its mean is worth looking at.

Each check raises a Fault that says what is wrong. Noise is recorded once and replayed, so "the
same noise" is the same numbers and nothing here is left to chance.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from estimators.checking.activity import due
from estimators.checking.faults import RAISED, Fault, raised
from estimators.checking.probe import ROWS, Probe, Use
from estimators.checking.sampling import scale
from estimators.checking.subjects import Params, Subject
from estimators.globals import global_states, seeded_globals, touched
from estimators.gradients import (
    Estimator,
    Gradient,
    flat_rows,
    gradients_of,
    leaves,
    rows,
    unflatten,
)
from estimators.noise import Noise, Recorded
from estimators.objective import Objective
from estimators.policies import Policy

DRAWS = 64  # of a function, to see what it does
CHANCE = 1e-9  # that different draws come out alike
ROUNDING = 1e3  # units of the last place, of what is summed


def examine(subject: Subject, policy: Policy, objective: Objective, rng: Noise) -> Use:
    """How it uses Q. Raises Fault with the part of the contract that is not kept."""
    probe, before, fault, random = Probe(objective.Q), global_states(), None, True
    try:
        if subject.estimator is not None:
            random = _require_estimator(subject.estimator, policy, objective, rng, probe)
        else:
            random = _require_function(subject, policy, objective)
    except Fault as found:
        fault = found
    except RAISED as error:  # somebody's estimator: whatever it raises is the finding
        raise raised(error) from error
    if (whose := touched(before)) and not (fault and fault.key):
        raise Fault(f"it draws from the global generator of {', '.join(whose)}, not from rng")
    if fault:
        raise fault
    return probe.use(policy, random)


def _require_function(subject: Subject, policy: Policy, objective: Objective) -> bool:
    """Whether it draws anything."""
    random = True
    if subject.loss is not None:
        _require_reached(subject.loss, policy, objective)
        random = _require_no_seed(subject.loss, policy)
    drawn = [subject.draw(DRAWS, Noise(seed)) for seed in (5, 5, 6)]
    _require_finite(drawn[0])
    one, two, other = map(flat_rows, drawn)
    rounding = ROUNDING * torch.finfo(policy.like.dtype).eps * one.abs().amax(0)
    if ((one - two).abs() > rounding).any():
        raise Fault(
            "it is not deterministic: the same seed gives different gradients (does it keep "
            "state between calls, or a generator of its own?)"
        )
    # few values, as of few actions, come out alike by chance
    _, times = one.unique(dim=0, return_counts=True)
    by_chance = float((times / DRAWS).square().sum()) ** DRAWS
    if torch.equal(one, other) and by_chance < CHANCE:
        raise Fault(
            "different seeds give the same draws: it ignores its seed, or sets the seed of a "
            "generator itself"
        )
    return random


def _require_no_seed(loss: Callable[[Params], Tensor], policy: Policy) -> bool:
    """Two seeds leave a generator in two states, unless somebody has set it in between. Whether
    it draws anything."""
    params = leaves(policy).parameters()
    with seeded_globals(5):
        before = global_states()
        loss(params)
        random = bool(touched(before))
        one = global_states()
    with seeded_globals(6):
        loss(params)
        reseeded = {"torch", "numpy", "random"} - set(touched(one))
    if reseeded:
        raise Fault(
            f"it reseeds the global generator of {', '.join(sorted(reseeded))}: every call makes "
            "the same draws"
        )
    return random


def _require_reached(
    loss: Callable[[Params], Tensor], policy: Policy, objective: Objective
) -> None:
    """A parameter that no call reaches, unless calls that would are rare."""
    params = leaves(policy).parameters()
    reached: set[str] = set()
    with seeded_globals(5):
        for _ in range(DRAWS):
            if (value := loss(params)).requires_grad:
                found = gradients_of(value, params, materialize=False)
                reached |= {k for k, g in found.items() if g is not None}
            if len(reached) == len(params):
                return
    shapes = {k: p.shape for k, p in params.items()}
    seen = unflatten(due(policy, objective, DRAWS), shapes)
    gone = [k for k in params if k not in reached and bool(seen[k].any())]
    if gone and not reached:
        raise Fault(
            "the loss does not depend on the parameters: no gradient for any of them",
            "missing_gradient",
        )
    _require_all({k: None if k in gone else p for k, p in params.items()})


def _require_estimator(
    estimator: Estimator, policy: Policy, objective: Objective, rng: Noise, probe: Probe
) -> bool:
    """Whether it draws anything."""
    copies, noise = rows(policy, ROWS), Recorded(rng)
    like = copies.like

    def surrogate(copies: Policy, noise: Noise) -> Tensor:
        with torch.enable_grad(), probe.precision:
            return estimator(copies, Objective(probe, objective.alpha), noise)

    rng.begin()
    first = surrogate(copies, noise)
    if not isinstance(first, Tensor):
        raise Fault(f"it must return a tensor of surrogates, got {type(first).__name__}")
    if first.shape != copies.batch:
        raise Fault(
            "the surrogate must have the policy's batch shape: for rows "
            f"{list(copies.batch)} it returned {list(first.shape)}"
        )
    if first.dtype != like.dtype or first.device != like.device:
        raise Fault(
            f"the surrogate is {first.dtype} on {first.device}, the parameters are {like.dtype} "
            f"on {like.device}"
        )
    if not first.requires_grad:
        raise probe.flat() or Fault(
            "the surrogate does not depend on the parameters: no gradient for any of them",
            "missing_gradient",
        )
    gradient = _require_all(_gradients(first.sum(), copies))
    _require_finite(gradient)
    if jumps := probe.flat():  # a baseline may see Q at attached actions too, and do no harm
        twice = Objective(lambda a: 2 * objective.Q(a), objective.alpha)
        with torch.enable_grad():
            other = _gradients(estimator(copies, twice, noise.replay()).sum(), copies)
        if not any(g is not None and not g.equal(gradient[k]) for k, g in other.items()):
            raise jumps
    size = unflatten(scale(policy, objective), {k: p.shape for k, p in policy.parameters().items()})
    eps = max(probe.precision.eps, torch.finfo(like.dtype).eps)
    rounding = {k: ROUNDING * eps * (g.abs().max() + size[k].max()) for k, g in gradient.items()}
    again = _gradients(surrogate(copies, noise.replay()).sum(), copies)
    if any(g is None or ((g - gradient[k]).abs() > rounding[k]).any() for k, g in again.items()):
        raise Fault("it is not deterministic given rng: the same draws give different gradients")
    if not noise.draws and any(
        ((g - g[:1]).abs() > rounding[k]).any() for k, g in gradient.items()
    ):
        raise Fault("it does not draw from rng, yet equal rows get different estimates")
    _require_independent_rows(surrogate, copies, noise, gradient, rounding)
    return bool(noise.draws)


def _require_independent_rows(
    surrogate: Callable[[Policy, Noise], Tensor],
    copies: Policy,
    noise: Recorded,
    gradient: Gradient,
    rounding: Gradient,
) -> None:
    """Two ways to depend on another row: through the graph (then Σ c_i surrogate_i has gradients
    other than c_i g_i), and through numbers (then moving the other rows moves this one)."""
    value = surrogate(copies, noise.replay())
    c = torch.linspace(0.5, 2.0, value.numel()).to(value).view(value.shape)
    weighted = _gradients((c * value).sum(), copies)
    here = (0,) * value.ndim
    moved = _others_moved(copies, here)
    alone = _gradients(surrogate(moved, noise.replay()).sum(), moved)
    for name, g in gradient.items():
        w, a = weighted[name], alone[name]
        expected = c.view(*c.shape, *(1,) * (g.ndim - c.ndim)) * g
        if w is None or ((w - expected).abs() > rounding[name]).any():
            raise Fault(
                f"rows are not independent: a row's surrogate depends on other rows' {name}"
            )
        if a is None or ((a[here] - g[here]).abs() > rounding[name]).any():
            raise Fault(
                f"rows are not independent: the gradient for {name} of one row changes with the "
                "parameters of the others (a statistic over the batch?)"
            )


def _others_moved(copies: Policy, here: tuple[int, ...]) -> Policy:
    """Every entry of the other rows by another amount: logits that all move alike are the same
    policy. Where the policy refuses that (a triangle or a simplex, say), each by a share of itself.
    """

    def moved(p: Tensor, share: bool) -> Tensor:
        row = p[here]
        move = torch.linspace(0.05, 0.1, row.numel()).to(p).view(row.shape).expand_as(p).clone()
        move[here] = 0
        return (p.detach() + move * (p.detach() if share else 1)).requires_grad_()

    others = copies.map(lambda p: moved(p, share=False))
    try:
        others.sample(1, Noise(9, copies.like.device))
    except ValueError:
        others = copies.map(lambda p: moved(p, share=True))
    return others


def _gradients(total: Tensor, copies: Policy) -> dict[str, Tensor | None]:
    return gradients_of(total, copies.parameters(), materialize=False, retain=True)


def _require_all(gradient: Mapping[str, Tensor | None]) -> Gradient:
    if gone := [name for name, g in gradient.items() if g is None]:
        verb = "gets" if len(gone) == 1 else "get"
        raise Fault(f"{' and '.join(gone)} {verb} no gradient", "missing_gradient")
    return {name: g for name, g in gradient.items() if g is not None}


def _require_finite(gradient: Gradient) -> None:
    for name, g in gradient.items():
        if bad := int((~g.isfinite()).flatten(1).any(1).sum()):
            raise Fault(f"the gradient of {name} is not finite in {bad} of {len(g)} estimates")
