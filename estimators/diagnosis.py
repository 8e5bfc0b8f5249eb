"""Which known slip explains a mean that is not the gradient? Numbers are compared, not code.

With S = ∇ α E[log π] (the entropy term, with the tanh log-determinant where there is one) and
G = ∇J = S − ∇E[Q], most slips are linear in the two: a forgotten entropy term has mean G − S, one
with the wrong sign G − 2S, a cost left attached in the score function G + S (∇E[log π] =
E[log π ∇ log π]), and so on. The others are estimators of their own (`estimators.slips`), whose
means are computed by nodes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from estimators.gradients import Estimator, Gradient
from estimators.objective import Objective, log_det_tanh
from estimators.policies import Categorical, Gaussian, Policy
from estimators.quadrature import Exact, TooManyNodes, exact_mean
from estimators.score import score_function
from estimators.slips import SLIPS

FITS = 4.5  # standard errors
EVALUATIONS = 2**19  # of Q, for the mean of one slip
TOLERANCE = 1e-8

MEANINGS = {
    "sign": "the gradient with the wrong sign",
    "missing_entropy": "the entropy term α log π is missing",
    "sign_of_entropy": "the entropy term has the wrong sign",
    "sign_of_q": "Q has the wrong sign",
    "detached_cost": "the cost, or the action in Q, is cut off from the parameters: Q is not felt",
    "entropy_per_dimension": "log π is averaged over the action's entries, not summed",
    "alpha_forgotten": "α is forgotten (taken as 1)",
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
    """A mean with its standard error (of the reference too), flattened; n where it is known."""

    mean: Tensor
    error: Tensor
    n: int | None = None

    def fits(self, candidate: Tensor, error: float = 0.0) -> bool:
        return bool(((self.mean - candidate).abs() <= FITS * self.error + 10 * error).all())


def diagnose(
    measured: Measured, policy: Policy, objective: Objective, exact: Gradient
) -> tuple[str, str] | None:
    """The key of the first slip that fits, and a sentence; None if none does."""
    truth = _flat(exact)
    for key, candidate, error in _candidates(policy, objective, truth):
        if measured.fits(truth - (truth - candidate) / 2, error):
            continue  # too close to the truth to be told from it
        if measured.fits(candidate, error):
            return key, MEANINGS[key]
    return _factor(measured, truth) or _scale_of_sigma(measured, policy, exact)


def _candidates(
    policy: Policy, objective: Objective, G: Tensor
) -> Iterator[tuple[str, Tensor, float]]:
    """(key, mean of the slip, its error), the common ones first, what costs time last."""
    yield "sign", -G, 0.0
    try:
        entropy = _entropy_terms(policy, objective)
    except TooManyNodes:
        return
    mu = policy.parameters().get("mu")
    d = 1 if mu is None else mu.shape[-1]
    for S, S_at_one, error in entropy:
        yield "missing_entropy", G - S, error
        yield "sign_of_entropy", G - 2 * S, error
        yield "detached_cost", S, error
        yield "sign_of_q", 2 * S - G, error
        yield "alpha_forgotten", G + S_at_one - S, error
        yield "attached_cost", G + S, error
        yield "entropy_per_dimension", G - (1 - 1 / d) * S, error
    yield "detached_cost", torch.zeros_like(G), 0.0
    for key, (kind, slips) in SLIPS.items():
        for slip in slips if isinstance(policy, kind) else ():
            try:
                mean = _mean(slip, policy, objective)
            except (TooManyNodes, TypeError, ValueError):  # it does not apply here
                continue
            yield key, _flat(mean), mean.error
    if not isinstance(policy, Categorical):
        yield from _log_det(policy, objective, G)


def _entropy_terms(policy: Policy, objective: Objective) -> list[tuple[Tensor, Tensor, float]]:
    """S and S at α = 1: of π itself, and of the tanh of its actions."""
    alpha = objective.alpha

    def of(weight: float | Tensor, squashed: bool) -> tuple[Tensor, float]:
        def Q(a: Tensor) -> Tensor:
            zero = policy.log_prob(a).detach() * 0
            return zero + weight * log_det_tanh(a) if squashed else zero

        exact = _mean(score_function, policy, Objective(Q, weight))
        return _flat(exact), exact.error

    terms = []
    for squashed in (False, True) if not isinstance(policy, Categorical) else (False,):
        (S, one), (S_at_one, two) = of(alpha, squashed), of(1.0, squashed)
        terms.append((S, S_at_one, one + two))
    return terms


def _log_det(
    policy: Policy, objective: Objective, G: Tensor
) -> Iterator[tuple[str, Tensor, float]]:
    """D = −∇ α E[Σ log(1 − tanh² u)]: forgotten, twice, its sign wrong, an epsilon inside."""
    alpha = objective.alpha

    def of(f: Callable[[Tensor], Tensor]) -> tuple[Tensor, float]:
        exact = _mean(score_function, policy, Objective(f, 0.0))
        return _flat(exact), exact.error

    try:
        D, error = of(lambda u: alpha * log_det_tanh(u))
    except TooManyNodes:
        return
    yield "log_det_forgotten", G - D, error
    yield "log_det_twice", G + D, error
    yield "sign_of_log_det", G - 2 * D, error
    for epsilon in (1e-6, 1e-7, 1e-8, 1e-5, 1e-4, 1e-3):
        try:
            soft, also = of(partial(_soft_log_det, alpha, epsilon))
        except TooManyNodes:
            return
        yield "log_det_epsilon", G - D + soft, error + also


def _soft_log_det(alpha: float | Tensor, epsilon: float, u: Tensor) -> Tensor:
    return alpha * torch.log(1 - torch.tanh(u) ** 2 + epsilon).sum(-1)


def _factor(measured: Measured, G: Tensor) -> tuple[str, str] | None:
    """Mean = c·G with one c for all entries, of which more than one must matter."""
    told = G.abs() > FITS * measured.error
    if int(told.sum()) < 1 or not G.any():
        return None
    weight = measured.error.clamp(min=float(measured.error.max()) * 1e-6 + 1e-300) ** -2
    c = float((weight * measured.mean * G).sum() / (weight * G * G).sum())
    se = float((weight * G * G).sum()) ** -0.5
    if not measured.fits(c * G, 1e-12 * float(G.abs().max())) or abs(c) < 1e-3:
        return None
    close = 4 * se + 1e-6

    def near(value: float) -> bool:
        return abs(c - value) <= close and close < abs(1 - value) / 2

    def say(key: str, n: int) -> tuple[str, str]:
        return key, f"{MEANINGS[key]} (n = {n}, factor {c:.4g})"

    for n in [measured.n] if measured.n else range(2, 101):
        if n < 2:
            continue
        for key, value in (("factor_1-1/n", 1 - 1 / n), ("factor_n", float(n))):
            if near(value):
                return say(key, n)
        if near(1 / n):
            return say("factor_1/n", n)
    if int(told.sum()) < 2:
        return None
    return "factor", f"{MEANINGS['factor']}, {c:.4g}"


def _scale_of_sigma(measured: Measured, policy: Policy, exact: Gradient) -> tuple[str, str] | None:
    if not isinstance(policy, Gaussian):
        return None
    by_sigma = {**exact, "log_std": exact["log_std"] / policy.log_std.detach().exp()}
    if measured.fits(_flat(by_sigma), 1e-12) and not measured.fits(_flat(exact)):
        return "sigma_for_log_std", MEANINGS["sigma_for_log_std"]
    return None


def _mean(estimator: Estimator, policy: Policy, objective: Objective) -> Exact:
    return exact_mean(estimator, policy, objective, tolerance=TOLERANCE, evaluations=EVALUATIONS)


def _flat(gradient: Gradient) -> Tensor:
    return torch.cat([g.detach().double().cpu().flatten() for g in gradient.values()])
