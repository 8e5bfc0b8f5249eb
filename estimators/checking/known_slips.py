"""The known slips of a problem, a row each.

With S = ∇ α E[log π] (the entropy term, with the tanh log-determinant where there is one) and
G = ∇J = S − ∇E[Q], most slips are linear in the two: a forgotten entropy term has mean G − S, one
with the wrong sign G − 2S, a cost left attached in the score function G + S (∇E[log π] =
E[log π ∇ log π]), and so on. The others are surrogates of their own (`estimators.checking.slips`),
or wrong log-densities (`estimators.checking.densities`).
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from estimators.checking.densities import LogProb, Wrong, right, wrong_densities
from estimators.checking.faults import RAISED
from estimators.checking.means import expectation, scored
from estimators.checking.slips import surrogates
from estimators.checking.suspects import Slip, Suspect
from estimators.gradients import Estimator, flat_rows, row_gradients, rows
from estimators.noise import Noise
from estimators.objective import Objective, log_det_tanh, squash
from estimators.policies import Policy

FAR = (20.0, 25.0)  # where a tanh is 1


def slips(policy: Policy, objective: Objective, n: int | None) -> Iterator[Slip]:
    """All of them, the common ones first. n: actions that an estimate averages, where known."""
    squashed = is_squashed(policy, objective)
    yield from _linear(policy, objective, squashed, n)
    for key, surrogate, says, independent in surrogates(policy, n):
        free = int(independent and n is None)  # its size may be any
        yield Slip(Suspect(key, 0.0, says=says, free=free), ((1.0, surrogate),), independent)
    if squashed:
        yield Slip(Suspect("log_det_forgotten", 1.0), ((-1.0, _log_det),))
        yield Slip(Suspect("sign_of_log_det", 1.0), ((-2.0, _log_det),))
        yield from _of_actions()
    elif not policy.discrete:
        yield Slip(Suspect("not_squashed", 0.0), ((1.0, _squashed),))
    if not policy.discrete:  # also of a tanh that is not there
        yield Slip(Suspect("log_det_twice", 1.0), ((1.0, _log_det),))
    for wrong in wrong_densities(policy, squashed):
        yield from _of_density(wrong, squashed)


def entropy_terms(policy: Policy, objective: Objective) -> Iterator[Slip]:
    """S at α = 1: of log π and, where there is a tanh, of log π(u) alone."""
    for squashed in (True, False) if is_squashed(policy, objective) else (False,):
        yield Slip(Suspect("entropy_weight", 1.0), ((1.0, _at_one(_entropy(right(squashed)))),))


def _linear(policy: Policy, objective: Objective, squashed: bool, n: int | None) -> Iterator[Slip]:
    """What is linear in G and S. Where there is a tanh, the term of log π(u) alone is an S too:
    the rest of log π may be kept in Q."""
    whole, base = _entropy(right(squashed)), _entropy(right(False))
    cut = "discontinuous_q" if locally_constant(policy, objective, squashed) else "detached_cost"
    yield Slip(Suspect("sign", -1.0))
    if torch.as_tensor(objective.alpha).any():  # else there is no entropy term
        if squashed and location_scale(policy):
            yield _weighed("noise_density", 0.0, base)
        readings = (whole, base) if squashed else (whole,)
        for S in readings:
            yield Slip(Suspect("alpha_forgotten", 1.0), ((1.0, _at_one(S)), (-1.0, S)))
        for S in readings:
            yield _weighed("missing_entropy", 0.0, S)
            yield _weighed("sign_of_entropy", -1.0, S)
            yield Slip(Suspect(cut, 0.0), ((1.0, S),))
            yield Slip(Suspect("sign_of_q", -1.0), ((2.0, S),))
            yield _weighed("attached_cost", 2.0, S)
            for key, count in (
                ("entropy_per_dimension", policy.dim),
                ("entropy_per_state", policy.batch.numel()),
                ("entropy_per_action", n or 1),
            ):
                if count > 1:
                    yield _weighed(key, 1 / count, S, f"over {count}")
        if location_scale(policy):
            yield _weighed("half_log_det", 0.5, base)
            yield _weighed("double_log_det", 2.0, base)
            if not squashed:
                yield _weighed("noise_density", 0.0, base)
    yield Slip(Suspect(cut, 0.0))


def _weighed(key: str, weight: float, S: Estimator, says: str = "") -> Slip:
    """Another weight of the entropy term, in units of the right one."""
    return Slip(Suspect(key, 1.0, says=says, weight=weight), ((weight - 1, S),))


def _entropy(log_pi: LogProb) -> Estimator:
    """S = ∇ α E[log π]."""

    def S(policy: Policy, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
        return expectation(policy, lambda a: objective.alpha * log_pi(policy, a), rng, n)

    return S


def _at_one(S: Estimator) -> Estimator:
    return lambda policy, objective, rng, n=1: S(policy, Objective(objective.Q), rng, n=n)


def _log_det(policy: Policy, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
    """−∇ α E[Σ log(1 − tanh² u)]."""
    return expectation(policy, lambda u: -objective.alpha * log_det_tanh(u), rng, n)


def _of_actions() -> Iterator[Slip]:
    """Q(tanh a) for Q(a), a = tanh u; log π of u, of a as if it were u, or of tanh a."""

    def change(
        policy: Policy, objective: Objective, rng: Noise, n: int, first: int, second: int
    ) -> Tensor:
        """first, second: how often the log-determinants at u and at a are subtracted."""
        Q = unsquashed(objective)

        def f(u: Tensor) -> Tensor:
            a = torch.tanh(u)
            log_dets = (1 - first) * log_det_tanh(u) - second * log_det_tanh(a)
            return Q(u) - Q(a) + objective.alpha * log_dets

        return expectation(policy, f, rng, n)

    for first, second in ((1, 0), (0, 1), (1, 1)):
        surrogate = partial(change, first=first, second=second)
        yield Slip(Suspect("tanh_twice_in_action", 1.0), ((1.0, surrogate),))


def _of_density(wrong: Wrong, squashed: bool) -> Iterator[Slip]:
    """L for log π: in the cost, in the score, in both (see `densities`)."""
    log_pi, L = right(squashed), wrong.L

    def cost(policy: Policy, objective: Objective, density: LogProb) -> Callable[[Tensor], Tensor]:
        Q = unsquashed(objective) if squashed else objective.Q
        return lambda a: objective.alpha * density(policy, a) - Q(a)

    def gap(policy: Policy, objective: Objective) -> Callable[[Tensor], Tensor]:
        return lambda a: objective.alpha * (L(policy, a) - log_pi(policy, a))

    def pathwise(policy: Policy, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
        return expectation(policy, gap(policy, objective), rng, n)

    def in_cost(policy: Policy, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
        return scored(policy, gap(policy, objective), policy.log_prob, rng, n)

    def in_score(policy: Policy, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
        return scored(policy, cost(policy, objective, log_pi), partial(L, policy), rng, n)

    def in_both(policy: Policy, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
        return scored(policy, cost(policy, objective, L), partial(L, policy), rng, n)

    for factor, surrogate in ((1.0, pathwise), (1.0, in_cost), (0.0, in_score), (0.0, in_both)):
        if surrogate is pathwise or not wrong.held:
            yield Slip(Suspect(wrong.key, factor, says=wrong.says), ((1.0, surrogate),))


def _squashed(policy: Policy, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
    """The gradient that actions through a tanh have."""
    return expectation(policy, partial(squash(objective).cost, policy), rng, n)


def unsquashed(objective: Objective) -> Callable[[Tensor], Tensor]:
    """u ↦ Q(tanh u) of a squashed objective."""
    return lambda u: objective.Q(u) - objective.alpha * log_det_tanh(u)


def is_squashed(policy: Policy, objective: Objective) -> bool:
    """Whether the objective is that of a = tanh u: far out it changes by the log-determinant."""
    a = policy.detach().sample(1, Noise(13, policy.like.device))
    if not a.is_floating_point():
        return False
    try:
        Q = unsquashed(objective)
        ends = torch.stack([torch.ones_like(a), -torch.ones_like(a)])
        near, far = (Q(x * ends) for x in FAR)
    except RAISED:  # a Q of the policy's own actions alone
        return False
    return bool(((far - near).abs() <= 1e-6 * (1 + near.abs())).all())


def locally_constant(policy: Policy, objective: Objective, squashed: bool) -> bool:
    """Whether Q, without the log-determinant of tanh where it has one, takes different values but
    has no slope at any of many actions."""
    a = rows(policy, 256).sample(1, Noise(12, policy.like.device)).detach()
    if not a.is_floating_point():
        return False
    Q = unsquashed(objective) if squashed else objective.Q
    with torch.enable_grad():
        a.requires_grad_()
        q = Q(a)
    if bool((q == q[:, :1]).all()):
        return False
    if not q.requires_grad:
        return True
    (slope,) = torch.autograd.grad(q.sum(), a, allow_unused=True, materialize_grads=True)
    return bool((slope.abs() <= 1e-9).all())  # a difference of two may leave rounding


def location_scale(policy: Policy) -> bool:
    """Whether a = μ + Lε: then log π(f_θ(ε)) is that of ε minus log det L, and its gradient does
    not depend on ε."""
    copies = rows(policy, 8)
    try:
        with torch.enable_grad():
            a = copies.rsample(1, Noise(16, policy.like.device))
            g = flat_rows(row_gradients(copies.log_prob(a)[0], copies))
    except RAISED:  # no such action, or none that log π takes
        return False
    return bool(((g - g[:1]).abs() <= 1e-4 * (1 + g.abs())).all())
