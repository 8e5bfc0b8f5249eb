"""The first rung: what every estimator must keep before its mean is worth looking at.

Each check returns a sentence about what is wrong, or None. Noise is recorded once and replayed, so
"the same noise" is the same numbers and nothing here is left to chance.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from estimators.checking.faults import Complaint, Fault, raised
from estimators.checking.probe import ROWS, Probe, Use
from estimators.checking.subjects import RAISED, Subject
from estimators.globals import global_states, seeded_globals, touched
from estimators.gradients import Gradient, rows
from estimators.noise import Noise, Recorded
from estimators.objective import Objective
from estimators.policies import Policy


def examine(subject: Subject, policy: Policy, objective: Objective, rng: Noise) -> Use:
    """How it uses Q. Raises Fault with the part of the contract that is not kept."""
    probe = Probe(objective.Q)
    complaint = _broken(subject, policy, objective, rng, probe)
    if complaint is not None:
        raise Fault(complaint)
    return probe.use(policy)


def _broken(
    subject: Subject, policy: Policy, objective: Objective, rng: Noise, probe: Probe
) -> Complaint | None:
    before = global_states()
    try:
        first = next((c for c in _complaints(subject, policy, objective, rng, probe) if c), None)
    except RAISED as error:  # somebody's estimator or Q: whatever it raises is the finding
        return raised(error)
    if (first or touched(before)) and (random := random_values(policy, objective)):
        return random
    if touched(before) and not (first and first.key):
        return Complaint(
            f"it draws from the global generator of {', '.join(touched(before))}, not from rng"
        )
    return first


def random_values(policy: Policy, objective: Objective) -> Complaint | None:
    """A sentence if the same actions get different values."""
    a = rows(policy, ROWS).detach().sample(1, Noise(8, policy.like.device))
    try:
        one, two = (objective.Q(a) for _ in range(2))
        same = torch.allclose(one, two, rtol=1e-4, equal_nan=True)
    except RAISED:
        return None
    if same:
        return None
    return Complaint(
        "Q is random: the same actions get different values (dropout? then put the critic into "
        "eval mode)"
    )


def _complaints(
    subject: Subject, policy: Policy, objective: Objective, rng: Noise, probe: Probe
) -> Iterator[Complaint | None]:
    if subject.estimator is not None:
        yield from _of_estimator(subject, policy, objective, rng, probe)
    else:
        yield from _of_function(subject, policy)


def _of_function(subject: Subject, policy: Policy) -> Iterator[Complaint | None]:
    if subject.loss is not None:
        yield _unreached(subject.loss, policy)
        yield _reseeds(subject.loss, policy)
    one, two, other = (subject.draw(4, Noise(seed)) for seed in (5, 5, 6))
    yield _finite(one)
    if any(not torch.equal(one[k], two[k]) for k in one):
        yield Complaint(
            "it is not deterministic: the same seed gives different gradients (does it keep "
            "state between calls, or a generator of its own?)"
        )
    if all(torch.equal(one[k], other[k]) and (one[k] != one[k][:1]).any() for k in one):
        yield Complaint(
            "different seeds give the same draws: it ignores its seed, or sets the seed of a "
            "generator itself"
        )


def _reseeds(loss: Callable[[dict[str, Tensor]], Tensor], policy: Policy) -> Complaint | None:
    """Two seeds leave a generator in two states, unless somebody has set it in between."""
    leaves = {k: p.detach().clone().requires_grad_() for k, p in policy.parameters().items()}
    with seeded_globals(5):
        loss(leaves)
        one = global_states()
    with seeded_globals(6):
        loss(leaves)
        reseeded = {"torch", "numpy", "random"} - set(touched(one))
    if not reseeded:
        return None
    return Complaint(
        f"it reseeds the global generator of {', '.join(sorted(reseeded))}: every call makes the "
        "same draws"
    )


def _unreached(loss: Callable[[dict[str, Tensor]], Tensor], policy: Policy) -> Complaint | None:
    leaves = {k: p.detach().clone().requires_grad_() for k, p in policy.parameters().items()}
    with seeded_globals(5):
        value = loss(leaves)
    if not value.requires_grad:
        return Complaint(
            "the loss does not depend on the parameters: no gradient for any of them",
            "missing_gradient",
        )
    grads = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
    return _missing(dict(zip(leaves, grads, strict=True)))


def _of_estimator(
    subject: Subject, policy: Policy, objective: Objective, rng: Noise, probe: Probe
) -> Iterator[Complaint | None]:
    estimator = subject.estimator
    assert estimator is not None
    copies, noise = rows(policy, ROWS), Recorded(rng)
    like = copies.like

    def surrogate(copies: Policy, noise: Noise) -> Tensor:
        with torch.enable_grad(), probe.precision:
            return estimator(copies, Objective(probe, objective.alpha), noise)

    rng.begin()
    first = surrogate(copies, noise)
    if not isinstance(first, Tensor):
        yield Complaint(f"it must return a tensor of surrogates, got {type(first).__name__}")
    if first.shape != copies.batch:
        yield Complaint(
            "the surrogate must have the policy's batch shape: for rows "
            f"{list(copies.batch)} it returned {list(first.shape)}"
        )
    if first.dtype != like.dtype or first.device != like.device:
        yield Complaint(
            f"the surrogate is {first.dtype} on {first.device}, the parameters are {like.dtype} "
            f"on {like.device}"
        )
    if not first.requires_grad:
        yield (probe.flat() if probe.pathwise else None) or Complaint(
            "the surrogate does not depend on the parameters: no gradient for any of them",
            "missing_gradient",
        )
    plain = _gradients(first.sum(), copies)
    yield _missing(plain)
    gradient = {k: g for k, g in plain.items() if g is not None}
    yield _finite(gradient)
    jumps = probe.flat() if probe.pathwise else None
    if jumps is not None:  # a baseline may see Q at attached actions too, and do no harm
        twice = Objective(lambda a: 2 * objective.Q(a), objective.alpha)
        with torch.enable_grad():
            other = _gradients(estimator(copies, twice, noise.replay()).sum(), copies)
        felt = any(g is not None and not g.equal(gradient[k]) for k, g in other.items())
        yield None if felt else jumps
    again = _gradients(surrogate(copies, noise.replay()).sum(), copies)
    if any(g is None or not torch.equal(g, gradient[k]) for k, g in again.items()):
        yield Complaint(
            "it is not deterministic given rng: the same draws give different gradients"
        )
    if not noise.draws and any((g != g[:1]).any() for g in gradient.values()):
        yield Complaint("it does not draw from rng, yet equal rows get different estimates")
    yield _rows_independent(surrogate, copies, noise, gradient, probe.precision.eps)


def _rows_independent(
    surrogate: Callable[[Policy, Noise], Tensor],
    copies: Policy,
    noise: Recorded,
    gradient: Gradient,
    eps: float,
) -> Complaint | None:
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
        rounding = 1e3 * max(eps, torch.finfo(g.dtype).eps) * (g.abs().max() + 1)
        expected = c.view(*c.shape, *(1,) * (g.ndim - c.ndim)) * g
        if w is None or ((w - expected).abs() > rounding).any():
            return Complaint(
                f"rows are not independent: a row's surrogate depends on other rows' {name}"
            )
        if a is None or ((a[here] - g[here]).abs() > rounding).any():
            return Complaint(
                f"rows are not independent: the gradient for {name} of one row changes with the "
                "parameters of the others (a statistic over the batch?)"
            )
    return None


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
    parameters = copies.parameters()
    grads = torch.autograd.grad(
        total, list(parameters.values()), allow_unused=True, retain_graph=True
    )
    return dict(zip(parameters, grads, strict=True))


def _missing(gradient: dict[str, Tensor | None]) -> Complaint | None:
    gone = [name for name, g in gradient.items() if g is None]
    if not gone:
        return None
    verb = "gets" if len(gone) == 1 else "get"
    return Complaint(f"{' and '.join(gone)} {verb} no gradient", "missing_gradient")


def _finite(gradient: Gradient) -> Complaint | None:
    for name, g in gradient.items():
        bad = int((~g.isfinite()).flatten(1).any(1).sum())
        if bad:
            return Complaint(f"the gradient of {name} is not finite in {bad} of {len(g)} estimates")
    return None
