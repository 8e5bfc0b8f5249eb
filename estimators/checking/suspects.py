"""The means that known slips have.

With S = ∇ α E[log π] (the entropy term, with the tanh log-determinant where there is one) and
G = ∇J = S − ∇E[Q], most slips are linear in the two: a forgotten entropy term has mean G − S, one
with the wrong sign G − 2S, a cost left attached in the score function G + S (∇E[log π] =
E[log π ∇ log π]), and so on. The others are estimators of their own (`estimators.checking.slips`),
whose means are computed by nodes.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from estimators.checking.meanings import MEANINGS
from estimators.checking.slips import SLIPS
from estimators.gradients import (
    Estimator,
    flat,
    flat_rows,
    per_sample_gradients,
    row_gradients,
    rows,
)
from estimators.moments import Moments
from estimators.noise import Noise
from estimators.objective import Objective, log_det_tanh
from estimators.policies import Policy
from estimators.quadrature import TooManyNodes, exact_mean
from estimators.score import leave_one_out, score_function

BOUND = 2.5  # standard errors that a reported error of quadrature counts as
EVALUATIONS = 2**19  # of Q, for the mean of one slip
TOLERANCE = 1e-8
SAMPLES, CHUNK = 2**15, 2**12  # for an entropy term that nodes do not reach

Term = tuple[Tensor, Tensor, Tensor | float]  # S, S at α = 1, and the error of both


@dataclass(frozen=True, eq=False)
class Suspect:
    """A slip whose mean is factor·G + rest; error: of the rest."""

    key: str
    factor: float
    rest: Tensor
    error: Tensor | float = 0.0
    says: str = ""

    def mean(self, G: Tensor) -> Tensor:
        return self.factor * G + self.rest

    @property
    def text(self) -> str:
        return self.says or MEANINGS[self.key]


def of_entropy(policy: Policy, objective: Objective, entropy: list[Term]) -> Iterator[Suspect]:
    """What is linear in G and S."""
    zero = flat({k: torch.zeros_like(p) for k, p in policy.parameters().items()})
    cut = "discontinuous_q" if locally_constant(policy, objective) else "detached_cost"
    yield Suspect("sign", -1.0, zero)
    for S, S_at_one, error in entropy:
        yield Suspect("missing_entropy", 1.0, -S, error)
        yield Suspect("sign_of_entropy", 1.0, -2 * S, 2 * error)
        yield Suspect(cut, 0.0, S, error)
        yield Suspect("sign_of_q", -1.0, 2 * S, 2 * error)
        yield Suspect("alpha_forgotten", 1.0, S_at_one - S, error)
        yield Suspect("attached_cost", 1.0, S, error)
        yield Suspect("entropy_per_dimension", 1.0, -(1 - 1 / policy.dim) * S, error)
    yield Suspect(cut, 0.0, zero)


def of_estimators(policy: Policy, objective: Objective) -> Iterator[Suspect]:
    for key, (kind, slips) in SLIPS.items():
        for slip in slips if isinstance(policy, kind) else ():
            try:
                mean, error = _mean(slip, policy, objective)
            except (TooManyNodes, TypeError, ValueError):  # it does not apply here
                continue
            yield Suspect(key, 0.0, mean, error)


def entropy_terms(policy: Policy, objective: Objective) -> list[Term]:
    """S, S at α = 1 and the error of both: of π itself, and of the tanh of its actions."""
    terms = []
    for squashed in (False, True) if not policy.discrete else (False,):
        S, one = _entropy_term(policy, objective.alpha, squashed)
        S_at_one, two = _entropy_term(policy, 1.0, squashed)
        terms.append((S, S_at_one, one + two))
    return terms


def _entropy_term(
    policy: Policy, weight: float | Tensor, squashed: bool
) -> tuple[Tensor, Tensor | float]:
    def Q(a: Tensor) -> Tensor:
        zero = policy.log_prob(a).detach() * 0
        return zero + weight * log_det_tanh(a) if squashed else zero

    leaf = policy.map(lambda p: p.detach().double().requires_grad_())
    with torch.enable_grad(), suppress(TypeError):
        if not squashed:
            return flat(row_gradients(-weight * leaf.entropy(), leaf)), 0.0
    try:
        return _mean(score_function, policy, Objective(Q, weight))
    except TooManyNodes:
        rng = Noise(11, policy.like.device)
        loo = partial(score_function, n=8, baseline=leave_one_out)
        seen = Moments.of(torch.zeros(0, len(flat(policy.parameters())), dtype=torch.float64))
        for _ in range(SAMPLES // CHUNK):
            g = per_sample_gradients(loo, policy, Objective(Q, weight), CHUNK, rng)
            seen += Moments.of(flat_rows(g).cpu())
        return seen.mean, seen.sem


def locally_constant(policy: Policy, objective: Objective) -> bool:
    """Whether Q, without the log-determinant of tanh where it has one, takes different values but
    has no slope at any of many actions."""
    if policy.discrete:
        return False

    def level(Q: Callable[[Tensor], Tensor]) -> bool:
        with torch.enable_grad():
            a = rows(policy, 256).sample(1, Noise(12, device)).detach().requires_grad_()
            q = Q(a)
        if bool((q == q[:, :1]).all()):
            return False
        if not q.requires_grad:
            return True
        (slope,) = torch.autograd.grad(q.sum(), a, allow_unused=True, materialize_grads=True)
        return bool((slope.abs() <= 1e-9).all())  # a difference of two may leave rounding

    device = policy.like.device
    alpha = objective.alpha
    return level(objective.Q) or level(lambda a: objective.Q(a) - alpha * log_det_tanh(a))


def of_log_det(policy: Policy, objective: Objective) -> Iterator[Suspect]:
    """D = −∇ α E[Σ log(1 − tanh² u)]: forgotten, twice, its sign wrong, an epsilon inside."""
    alpha = objective.alpha
    if policy.discrete:
        return

    of = partial(_mean, score_function, policy)
    try:
        D, error = of(Objective(lambda u: alpha * log_det_tanh(u), 0.0))
    except TooManyNodes:
        return
    yield Suspect("log_det_forgotten", 1.0, -D, error)
    yield Suspect("log_det_twice", 1.0, D, error)
    yield Suspect("sign_of_log_det", 1.0, -2 * D, error)
    for epsilon in (1e-6, 1e-7, 1e-8, 1e-5, 1e-4, 1e-3):
        try:
            soft, also = of(Objective(partial(_soft_log_det, alpha, epsilon), 0.0))
        except TooManyNodes:
            return
        yield Suspect("log_det_epsilon", 1.0, soft - D, error + also)


def _soft_log_det(alpha: float | Tensor, epsilon: float, u: Tensor) -> Tensor:
    return alpha * torch.log(1 - torch.tanh(u) ** 2 + epsilon).sum(-1)


def _mean(estimator: Estimator, policy: Policy, objective: Objective) -> tuple[Tensor, float]:
    """Flattened, and its error."""
    exact = exact_mean(estimator, policy, objective, tolerance=TOLERANCE, evaluations=EVALUATIONS)
    return flat(exact), BOUND * exact.error
