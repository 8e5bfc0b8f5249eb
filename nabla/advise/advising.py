"""What `nabla advise` measures: the estimators that apply, and their cost."""

import math
import time
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.stats import norm
from torch import Tensor
from tqdm import tqdm

from estimators import Estimator, Noise, Objective, Policy, Report, per_sample_gradients
from estimators.catalogue import SCORE, applicable
from estimators.gradients import flat
from estimators.watching import Watched
from nabla.advise.candidates import Candidate, Wants, terms_of
from nabla.agreement import distance, judge
from nabla.compare.measuring import blind_entries, measured
from nabla.options import Sampling
from toy_problems import Problem

SAME_MEAN = 1e-4  # false alarm of the check that an estimator has the gradient for its mean
PILOT = 256
ALIKE = 1e-12  # estimates that differ by less do so by rounding
ROUNDS = 15  # of timing, the estimators in turn
GROUP = 8  # actions in a larger group, for baselines that other actions give


def candidates_for(
    problem: Problem, wants: Wants, estimates: int, seed: int
) -> tuple[list[Candidate], dict[str, str]]:
    """Those that apply, least work first; the others with the reason."""
    candidates, left_out = chosen(problem.policy)
    seen: dict[str, tuple[Estimator, Report, Uses]] = {}
    exact, how = problem.gradient(), Sampling(estimates, seed=seed)
    for name, estimator in tqdm(candidates.items(), leave=False, disable=None):
        try:
            uses = counts(estimator, problem, seed)
            left_out[name] = excluded(uses, wants)
            if not left_out[name]:
                seen[name] = estimator, measured(name, estimator, problem, exact, how), uses
        except (ValueError, TypeError, RuntimeError) as error:
            left_out[name] = " ".join(str(error).split())
    trusted = [r for _, r, _ in seen.values() if r.family == SCORE]
    for name, (_, report, _) in seen.items():
        limit = float(norm.isf(SAME_MEAN / 2 / (len(seen) * report.size)))
        left_out[name] = doubt(report, trusted, limit, blind_entries(report, problem))
    seen = {name: s for name, s in seen.items() if not left_out[name]}
    if (price := wants.gradient_cost) is None:
        costs = times({name: estimator for name, (estimator, *_) in seen.items()}, problem, seed)
    else:
        costs = {k: (r.q_evaluations + price * u.gradients, 0.0) for k, (_, r, u) in seen.items()}
    found = []
    for name, (estimator, report, uses) in seen.items():
        cost, cost_error = costs[name]
        left_out[name] = too_dear(cost, wants)
        if not left_out[name]:
            terms = terms_of(estimator, problem, estimates, seed)
            found.append(Candidate(name, report, uses.gradients, cost, cost_error, terms))
    return sorted(found, key=lambda c: (c.work, c.cost)), {k: v for k, v in left_out.items() if v}


def chosen(policy: Policy) -> tuple[dict[str, Estimator], dict[str, str]]:
    """The unbiased that apply, those that take several actions in two sizes; why others do not."""
    rows, lacking = applicable(policy)
    mine: dict[str, Estimator] = {k: e for k, e in rows.items() if not e.bias}
    several = [k for k in mine if "several" in rows[k].needs]
    larger = {f"{k}, n = {GROUP}": partial(mine[k], n=GROUP) for k in several}
    return mine | larger, lacking


@dataclass(frozen=True)
class Uses:
    """What an estimator does with Q: values differentiated and evaluated, per estimate; `cut`: it
    differentiates a Q that varies, but not in torch's graph."""

    gradients: float
    evaluations: float
    cut: bool


def excluded(uses: Uses, wants: Wants) -> str:
    """Why it is not available, or nothing."""
    if uses.cut:
        return "Q is not differentiable"
    if uses.gradients and not wants.differentiable:
        return "it uses ∇Q"
    if uses.evaluations > 1 and not wants.several:
        return f"it evaluates Q {uses.evaluations:g} times"
    if wants.gradient_cost is None:
        return ""
    return too_dear(uses.evaluations + wants.gradient_cost * uses.gradients, wants)


def too_dear(cost: float, wants: Wants) -> str:
    if cost <= wants.budget:
        return ""
    return f"one estimate costs {cost:.3g} {wants.unit}, more than the budget"


def counts(estimator: Estimator, problem: Problem, seed: int) -> Uses:
    cut = False

    def attached(a: Tensor) -> Tensor:
        """Q, in a graph without slope where it is in none: what asks for one is seen."""
        nonlocal cut
        q = problem.objective.Q(a)
        alone = isinstance(q, Tensor) and a.requires_grad and not q.requires_grad
        if not alone or q.shape != a.shape[:-1]:
            return q
        cut = True
        return q + 0 * a.sum(-1)

    Q = Watched(attached)
    objective = Objective(Q, problem.objective.alpha)
    per_sample_gradients(estimator, problem.policy, objective, PILOT, Noise(seed))
    cut = cut and Q.varies and Q.differentiations > 0
    return Uses(Q.differentiations / PILOT, Q.evaluations / PILOT, cut)


def doubt(report: Report, trusted: list[Report], limit: float, blind: Tensor) -> str:
    """Why its mean is not taken for the gradient, or nothing; blind: see `judge`.

    The gradient is the exact one, or else the score function's mean, which no jump of Q misleads.
    """
    z, explained = report.z, report.explained(limit)
    if report.exact is None:
        if not trusted or any(report is r for r in trusted):
            return ""
        best = min(trusted, key=lambda r: r.total_variance)
        gap = flat(report.mean) - flat(best.mean)
        z = distance(gap, flat(report.sem), flat(best.sem), ALIKE * (1 + gap.abs()))
        explained = explained + best.explained(limit)
    answer = judge(z, limit, explained, blind)
    if answer == "agrees":
        return ""
    if answer == "rare":
        return "what decides its mean happens in too few of its draws to tell: more --estimates"
    far = f"{float(z.max()):.0f}" if z.max() < 1e4 else "more than 10000"
    return f"its mean is {far} standard errors off the gradient (does Q jump?)"


def times(
    estimators: dict[str, Estimator], problem: Problem, seed: int
) -> dict[str, tuple[float, float]]:
    """Microseconds of an estimate, and the standard error of their logarithm: in turn, so that
    what else the machine does falls on all of them."""
    size = max(PILOT, 4096 // max(1, sum(p.numel() for p in problem.policy.parameters().values())))
    seen: dict[str, list[float]] = {name: [] for name in estimators}
    for i in range(ROUNDS + 1):
        for name, estimator in estimators.items():
            start = time.perf_counter()
            per_sample_gradients(estimator, problem.policy, problem.objective, size, Noise(seed))
            if i:  # the first is warm-up
                seen[name].append(math.log((time.perf_counter() - start) / size * 1e6))
    out = {}
    for name, logs in seen.items():
        low, middle, high = np.quantile(logs, [0.25, 0.5, 0.75])
        # the median's error, by the quartiles: a single interruption does not count
        out[name] = math.exp(middle), float(1.25 * (high - low) / 1.35 / math.sqrt(ROUNDS))
    return out
