"""Mean and second moment of an answer, by nodes: in one dimension adaptive, in two on a grid."""

from collections.abc import Callable

from estimators import Estimator, Objective, Policy
from estimators.gradients import flat
from estimators.quadrature import Exact, exact_gradient, exact_mean
from nabla.course.engine.coordinates import grid_mean, remembered
from nabla.course.engine.findings import Answer

TOLERANCE = 1e-9
EVALUATIONS = 2**19
AGREES = 1e-6  # of the largest entry


def mean_of(
    estimator: Estimator, policy: Policy, objective: Objective, about: Exact | None = None
) -> Exact:
    """E[g], or E[(g − about)²]."""
    if policy.dim > 1:
        return grid_mean(estimator, policy, objective, about)
    return exact_mean(
        estimator, policy, objective, about=about, tolerance=TOLERANCE, evaluations=EVALUATIONS
    )


def second_of(estimator: Estimator, policy: Policy, objective: Objective, exact: Exact) -> Exact:
    """E[(g − ∇J)²]: the variance, of an unbiased estimator."""
    return mean_of(estimator, policy, objective, exact)


@remembered
def truth(reference: Estimator, policy: Policy, objective: Objective) -> Exact:
    """∇J; on a grid what the reference says, whose nodes are as good."""
    if policy.dim > 1:
        return grid_mean(reference, policy, objective)
    return exact_gradient(policy, objective)


@remembered
def slip_mean(
    adapt: Callable[[Answer], Estimator], answer: Answer, policy: Policy, objective: Objective
) -> Exact:
    return mean_of(adapt(answer), policy, objective)


@remembered
def slip_second(
    adapt: Callable[[Answer], Estimator],
    answer: Answer,
    reference: Estimator,
    policy: Policy,
    objective: Objective,
) -> Exact:
    return second_of(adapt(answer), policy, objective, truth(reference, policy, objective))


def agree(one: Exact, two: Exact) -> bool:
    a, b = flat(one), flat(two)
    return bool(((a - b).abs() <= AGREES * (1 + b.abs().max())).all())


def fewer(mine: Exact, wanted: Exact) -> int:
    """The n for which the variance is an n-th of what is asked for; 0 if there is none."""
    ratio = float(flat(wanted).sum() / flat(mine).sum()) if flat(mine).any() else 0.0
    n = round(ratio)
    there = n > 1 and bool(((flat(mine) * n - flat(wanted)).abs() <= 1e-4 * flat(wanted)).all())
    return n if there else 0


def zero(x: float) -> float:
    """Zero for what is one to within rounding."""
    return 0.0 if abs(x) < 1e-12 else x


def ratios(mine: Exact, wanted: Exact) -> str:
    """5.9× (mu), 1.2× (log_std)."""
    return ", ".join(f"{_times(float(mine[k].sum()), float(wanted[k].sum()))} ({k})" for k in mine)


def _times(a: float, b: float) -> str:
    if b <= AGREES:
        return "as much of" if a <= AGREES else "infinitely often"
    return f"{a / b:.2g}×" if abs(a / b - 1) > 0.05 else f"{a / b:.4g}×"
