"""Which known slip explains a mean that is not the gradient? Numbers are compared, not code.

With S = ∇ α E[log π] (the entropy term, with the tanh log-determinant where there is one) and
G = ∇J = S − ∇E[Q], most slips are linear in the two: a forgotten entropy term has mean G − S, one
with the wrong sign G − 2S, a cost left attached in the score function G + S (∇E[log π] =
E[log π ∇ log π]), and so on. The others are estimators of their own (`estimators.checking.slips`),
whose means are computed by nodes. Of all that fit the best is named, and whatever fits as well:

    χ² = Σ_i ((m_i − candidate_i)/error_i)²,   told apart if they differ by TOLD
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from estimators.checking.slips import SLIPS
from estimators.gradients import (
    Estimator,
    Gradient,
    per_sample_gradients,
    row_gradients,
    rows,
)
from estimators.moments import Moments
from estimators.noise import Noise
from estimators.objective import Objective, log_det_tanh
from estimators.policies import Gaussian, Policy
from estimators.quadrature import Exact, TooManyNodes, exact_mean
from estimators.score import leave_one_out, score_function

FITS = 4.5  # standard errors
TOLD = 16.0  # difference of two χ²: a likelihood ratio of e⁸
BOUND = 2.5  # standard errors that a reported error of quadrature counts as
EVALUATIONS = 2**19  # of Q, for the mean of one slip
TOLERANCE = 1e-8
SAMPLES, CHUNK = 2**15, 2**12  # for an entropy term that nodes do not reach

MEANINGS = {
    "sign": "the gradient with the wrong sign",
    "missing_entropy": "the entropy term α log π is missing",
    "sign_of_entropy": "the entropy term has the wrong sign",
    "sign_of_q": "Q has the wrong sign",
    "detached_cost": "the cost, or the action in Q, is cut off from the parameters: Q is not felt",
    "entropy_per_dimension": "log π is averaged over the action's entries, not summed",
    "alpha_forgotten": "α is forgotten (taken as 1)",
    "entropy_weight": "the entropy term has another weight than α",
    "attached_cost": "the cost is left attached: the entropy term counts twice",
    "log_det_forgotten": "the log-determinant of tanh is forgotten",
    "log_det_twice": "the log-determinant of tanh is applied once too often",
    "sign_of_log_det": "the log-determinant of tanh has the wrong sign",
    "log_det_epsilon": "an epsilon inside the logarithm of tanh's determinant",
    "score_in_place_of_path": "∇_θ log π in the place of ∇_θ f",
    "marginal_cdfs": "marginal distribution functions in the place of conditional ones",
    "component_weights": "the mixture's weights get no gradient from the choice of component",
    "attached_action": "the action is left attached in a score function",
    "discontinuous_q": "a pathwise estimator, and Q jumps: the jumps' part is missing",
    "factor_n": "the gradient times n: a sum over actions in the place of a mean",
    "factor_1-1/n": "the gradient times 1 − 1/n: a baseline that sees its own action",
    "factor_1/n": "the gradient divided by n once too often",
    "factor": "the gradient times a constant",
    "sigma_for_log_std": "the derivative by σ in the place of that by log σ",
    "zero_gradient": "a parameter whose gradient is identically zero",
    "missing_gradient": "a parameter that the surrogate does not reach",
}


@dataclass(frozen=True, eq=False)
class Measured:
    """A mean with its standard error (of the exact gradient too), flattened; n where it is known.
    reference: the standard error of the gradient, where that is measured as well."""

    mean: Tensor
    error: Tensor
    n: int | None = None
    reference: Tensor | float = 0.0

    @property
    def both(self) -> Tensor:
        """Of the mean and the gradient together."""
        return (self.error**2 + torch.as_tensor(self.reference) ** 2).sqrt()

    def misfit(self, candidate: Tensor, error: Tensor | float = 0.0) -> float:
        """χ², infinite where an entry is off by more than FITS of its errors."""
        z = (self.mean - candidate).abs() / (self.error**2 + torch.as_tensor(error) ** 2).sqrt()
        return float((z**2).sum()) if bool((z <= FITS).all()) else math.inf

    def of(self, slip: "Slip", G: Tensor) -> float:
        return self.misfit(slip.mean(G), slip.error + abs(slip.factor) * self.reference)


@dataclass(frozen=True, eq=False)
class Slip:
    """factor·G + rest: its mean, and the error of the rest."""

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


def diagnose(
    measured: Measured, policy: Policy, objective: Objective, exact: Gradient
) -> tuple[str, str] | None:
    """The key of the slip that fits best, and a sentence that names all that fit as well."""
    found = Diagnosis(policy, objective).fitting(measured, _flat(exact))
    return (found[0].key, sentence(found)) if found else None


def sentence(slips: Sequence[Slip]) -> str:
    return ", or ".join(slip.text for slip in slips)


class Diagnosis:
    """The slips of one problem: their means are computed once, and only as far as needed."""

    def __init__(self, policy: Policy, objective: Objective) -> None:
        self.policy, self.objective = policy, objective
        self.entropy = _entropy_terms(policy, objective)
        self.stages = [list(_of_entropy(policy, objective, self.entropy))]
        self.later = [_of_estimators, _log_det]  # what costs time

    def fitting(self, measured: Measured, G: Tensor) -> list[Slip]:
        """The slips that fit best and as well as that, each key once, the common ones first."""
        stage = 0
        while stage < len(self.stages) or self.later:
            if stage == len(self.stages):
                self.stages.append(list(self.later.pop(0)(self.policy, self.objective)))
            if best := _best(measured, G, self.stages[stage]):
                return best
            stage += 1
        fitted = [*self._weights(measured, G), *_factor(measured, G)]
        return (
            _best(measured, G, _factors_of_n(measured, G))
            or _best(measured, G, _scale_of_sigma(G, self.policy))
            or _best(measured, G, fitted)
        )

    def _weights(self, measured: Measured, G: Tensor) -> Iterator[Slip]:
        """mean = G + w·S with one w for all entries, of which more than one must matter."""
        alpha = torch.as_tensor(self.objective.alpha)
        for _, S, error in self.entropy if alpha.numel() == 1 else ():
            se = measured.both
            w = float((S * (measured.mean - G) / se**2).sum() / (S**2 / se**2).sum())
            if int(((w * S).abs() > FITS * se).sum()) > 1:
                text = f"the weight of the entropy term is {float(alpha) + w:.3g}, α is {alpha:.3g}"
                yield Slip("entropy_weight", 1.0, w * S, abs(w) * error, text)


def more_draws(measured: Measured, G: Tensor, found: Sequence[Slip]) -> float:
    """How many times as many draws would tell the slips apart that fit."""
    if not found or found[0].key in ("factor", "entropy_weight"):  # a fit of numbers: look again
        return 4.0
    gaps = [((found[0].mean(G) - s.mean(G)) / measured.both).square().sum() for s in found[1:]]
    return max((3 * TOLD / float(g) if g else math.inf for g in gaps), default=1.0)


def _best(measured: Measured, G: Tensor, slips: Sequence[Slip]) -> list[Slip]:
    """Those within TOLD of the best, if that is better by TOLD than the truth."""
    misfits = [measured.of(slip, G) for slip in slips]
    least = min(misfits, default=math.inf)
    if not least < float((((measured.mean - G) / measured.both) ** 2).sum()) - TOLD:
        return []
    near = [slip for slip, misfit in zip(slips, misfits, strict=True) if misfit <= least + TOLD]
    return list({slip.key: slip for slip in reversed(near)}.values())[::-1]


def _of_entropy(
    policy: Policy, objective: Objective, entropy: list[tuple[Tensor, Tensor, Tensor | float]]
) -> Iterator[Slip]:
    """What is linear in G and S."""
    zero = _flat({k: torch.zeros_like(p) for k, p in policy.parameters().items()})
    cut = "discontinuous_q" if locally_constant(policy, objective) else "detached_cost"
    yield Slip("sign", -1.0, zero)
    for S, S_at_one, error in entropy:
        yield Slip("missing_entropy", 1.0, -S, error)
        yield Slip("sign_of_entropy", 1.0, -2 * S, 2 * error)
        yield Slip(cut, 0.0, S, error)
        yield Slip("sign_of_q", -1.0, 2 * S, 2 * error)
        yield Slip("alpha_forgotten", 1.0, S_at_one - S, error)
        yield Slip("attached_cost", 1.0, S, error)
        yield Slip("entropy_per_dimension", 1.0, -(1 - 1 / policy.dim) * S, error)
    yield Slip(cut, 0.0, zero)


def _of_estimators(policy: Policy, objective: Objective) -> Iterator[Slip]:
    for key, (kind, slips) in SLIPS.items():
        for slip in slips if isinstance(policy, kind) else ():
            try:
                mean = _mean(slip, policy, objective)
            except (TooManyNodes, TypeError, ValueError):  # it does not apply here
                continue
            yield Slip(key, 0.0, _flat(mean), BOUND * mean.error)


def _entropy_terms(
    policy: Policy, objective: Objective
) -> list[tuple[Tensor, Tensor, Tensor | float]]:
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
            return _flat(row_gradients(-weight * leaf.entropy(), leaf)), 0.0
    try:
        exact = _mean(score_function, policy, Objective(Q, weight))
        return _flat(exact), BOUND * exact.error
    except TooManyNodes:
        rng = Noise(11, policy.like.device)
        loo = partial(score_function, n=8, baseline=leave_one_out)
        seen = Moments.of(torch.zeros(0, len(_flat(policy.parameters())), dtype=torch.float64))
        for _ in range(SAMPLES // CHUNK):
            g = per_sample_gradients(loo, policy, Objective(Q, weight), CHUNK, rng)
            seen += Moments.of(torch.cat([x.flatten(1).double().cpu() for x in g.values()], 1))
        return seen.mean, seen.sem


def locally_constant(policy: Policy, objective: Objective) -> bool:
    """Whether Q, without the log-determinant of tanh where it has one, takes different values but
    has no slope at any of many actions."""
    if policy.discrete:
        return False

    def flat(Q: Callable[[Tensor], Tensor]) -> bool:
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
    return flat(objective.Q) or flat(lambda a: objective.Q(a) - alpha * log_det_tanh(a))


def _log_det(policy: Policy, objective: Objective) -> Iterator[Slip]:
    """D = −∇ α E[Σ log(1 − tanh² u)]: forgotten, twice, its sign wrong, an epsilon inside."""
    alpha = objective.alpha
    if policy.discrete:
        return

    def of(f: Callable[[Tensor], Tensor]) -> tuple[Tensor, float]:
        exact = _mean(score_function, policy, Objective(f, 0.0))
        return _flat(exact), BOUND * exact.error

    try:
        D, error = of(lambda u: alpha * log_det_tanh(u))
    except TooManyNodes:
        return
    yield Slip("log_det_forgotten", 1.0, -D, error)
    yield Slip("log_det_twice", 1.0, D, error)
    yield Slip("sign_of_log_det", 1.0, -2 * D, error)
    for epsilon in (1e-6, 1e-7, 1e-8, 1e-5, 1e-4, 1e-3):
        try:
            soft, also = of(partial(_soft_log_det, alpha, epsilon))
        except TooManyNodes:
            return
        yield Slip("log_det_epsilon", 1.0, soft - D, error + also)


def _soft_log_det(alpha: float | Tensor, epsilon: float, u: Tensor) -> Tensor:
    return alpha * torch.log(1 - torch.tanh(u) ** 2 + epsilon).sum(-1)


def _factor_of(measured: Measured, G: Tensor) -> tuple[float, float, int]:
    """c of mean = c·G, its standard error, and how many entries tell."""
    se = measured.both
    told = int((G.abs() > FITS * se).sum())
    weight = se.clamp(min=float(se.max()) * 1e-6 + 1e-300) ** -2
    size = float((weight * G * G).sum())
    if not told or not size:
        return 1.0, math.inf, 0
    return float((weight * measured.mean * G).sum()) / size, size**-0.5, told


def _factors_of_n(measured: Measured, G: Tensor) -> list[Slip]:
    c, se, told = _factor_of(measured, G)
    close = 4 * se + 1e-6
    slips: dict[str, Slip] = {}
    for n in [measured.n] if measured.n else range(2, 101):
        for key, value in (("factor_1-1/n", 1 - 1 / n), ("factor_n", n), ("factor_1/n", 1 / n)):
            if told and n > 1 and abs(c - value) <= close and close < abs(1 - value) / 2:
                text = f"{MEANINGS[key]} (n = {n}, factor {c:.4g})"
                slips.setdefault(key, Slip(key, c, torch.zeros_like(G), _unit(G), text))
    return list(slips.values())


def _factor(measured: Measured, G: Tensor) -> Iterator[Slip]:
    """One c for all entries, of which more than one must matter."""
    c, _, told = _factor_of(measured, G)
    if told > 1 and abs(c) >= 1e-3:
        text = f"{MEANINGS['factor']}, {c:.4g}"
        yield Slip("factor", c, torch.zeros_like(G), _unit(G), text)


def _unit(G: Tensor) -> float:
    return 1e-12 * float(G.abs().max())


def _scale_of_sigma(G: Tensor, policy: Policy) -> list[Slip]:
    if not isinstance(policy, Gaussian):
        return []
    mu, log_std = G.split([policy.mu.numel(), policy.log_std.numel()])
    sigma = _flat({"log_std": policy.log_std}).exp()
    return [Slip("sigma_for_log_std", 0.0, torch.cat([mu, log_std / sigma]), 1e-12)]


def _mean(estimator: Estimator, policy: Policy, objective: Objective) -> Exact:
    return exact_mean(estimator, policy, objective, tolerance=TOLERANCE, evaluations=EVALUATIONS)


def _flat(gradient: Gradient) -> Tensor:
    return torch.cat([g.detach().double().cpu().flatten() for g in gradient.values()])
