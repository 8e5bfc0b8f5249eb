"""An estimator that `nabla advise` has measured: its work, where its variance comes from, and how
far ahead one is of another."""

import math
from dataclasses import dataclass, replace

from scipy.stats import norm

from estimators import Categorical, Estimator, Noise, Policy, Report, per_sample_gradients
from estimators.gradients import flat_rows
from toy_problems import Problem

LEVEL = 0.05  # of the intervals, shared among the comparisons with the best


@dataclass(frozen=True, eq=False)
class Wants:
    """What is available. gradient_cost: of ∇Q in evaluations of Q; None to take cost as time.
    budget: of one gradient, in evaluations or microseconds."""

    differentiable: bool = True
    several: bool = True
    gradient_cost: float | None = None
    budget: float = 64.0

    @property
    def unit(self) -> str:
        return "µs" if self.gradient_cost is None else "evaluations of Q"


@dataclass(frozen=True, eq=False)
class Candidate:
    """One estimator, measured. gradients: of Q, counted; cost: of an estimate; cost_log_error:
    standard error of log cost, zero where cost is counted."""

    name: str
    report: Report
    gradients: float
    cost: float
    cost_log_error: float
    terms: tuple[float, float, float]  # variance of the critic's, of the entropy's, 2 covariance

    @property
    def variance(self) -> float:
        """Total; zero where it is no more than rounding."""
        r = self.report
        rounding = r.rounding * (1 + float(r.reference.abs().max()))
        return r.total_variance if r.total_variance > r.size * rounding**2 else 0.0

    @property
    def work(self) -> float:
        """Variance × cost: what a given precision costs."""
        return self.variance * self.cost

    @property
    def log_error(self) -> float:
        """Standard error of log work."""
        v = self.variance
        own = self.report.total_variance_sem / v if v > 0 else 0.0
        return math.hypot(own, self.cost_log_error)


def lead(best: Candidate, other: Candidate, compared: int) -> tuple[float, float, float]:
    """other's work over the best's, with an interval that holds for all comparisons together."""
    if best.work == 0:
        return (1.0,) * 3 if other.work == 0 else (math.inf,) * 3
    ratio = other.work / best.work
    z = float(norm.isf(LEVEL / 2 / max(1, compared - 1)))
    spread = math.exp(z * math.hypot(best.log_error, other.log_error))
    return ratio, ratio / spread, ratio * spread


def terms_of(
    estimator: Estimator, problem: Problem, estimates: int, seed: int
) -> tuple[float, float, float]:
    """Total variance of the critic's part, of the entropy's part, and twice their covariance.

    The critic's part is the estimate at α = 0 with the same draws, the entropy's what is left.
    """
    policy, objective = problem.policy, problem.objective
    whole, critic = (
        flat_rows(grads)
        for grads in (
            per_sample_gradients(estimator, policy, o, min(estimates, 4096), Noise(seed))
            for o in (objective, replace(objective, alpha=0.0))
        )
    )
    of_critic, of_rest = (float(g.var(0).sum()) for g in (critic, whole - critic))
    return of_critic, of_rest, float(whole.var(0).sum()) - of_critic - of_rest


def dominating(candidate: Candidate, policy: Policy) -> str:
    """In words: which term, and which parameter, most of the variance is."""
    critic, entropy, both = candidate.terms
    total = critic + entropy + both
    if total <= 1e-24 * (1 + critic):
        return "no variance"
    if critic <= 1e-12 * total:
        text = "all of it the entropy's"
    elif entropy <= 1e-12 * total:
        text = "all of it the critic's"
    else:
        text = f"critic {critic:.3g}, entropy {entropy:.3g}, covariance {both:+.3g}"
        if both < -0.25 * max(critic, entropy):
            text += ": they cancel"
        else:
            text += ": the critic dominates" if critic > entropy else ": the entropy dominates"
    if isinstance(policy, Categorical):
        return text
    shares = {k: float(v.sum()) for k, v in candidate.report.variance.items()}
    top = max(shares, key=lambda k: shares[k])
    return f"{text}; {100 * shares[top] / sum(shares.values()):.0f} % of it for {top}"
