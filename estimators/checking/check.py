"""A gradient check for stochastic gradients.

    check(estimator, policy, objective) -> Verdict

asks whether the mean of an estimator is ∇J(θ), J(θ) = E_{a~π_θ}[α log π_θ(a) − Q(a)], on a ladder
of questions, the cheapest first, and stops at the first that is answered by no:

    problem      Q is finite and fixed, log π the density of the actions (`problem`)
    contract     shapes, finite values, determinism, independent rows, every parameter reached
    nodes        the exact mean against the exact gradient, where quadrature reaches both
    monte carlo  a sequential test against the exact gradient (`sequential`), or else
    reference    against the score function with leave-one-out baseline, draw by draw
    field        the continuity equation of a pathwise estimator (`field`)
    diagnosis    which known slip has the mean that was found (`diagnosis`)
"""

import math
from typing import Any, Literal

from estimators.checking.case import Case, require_rates
from estimators.checking.faults import RAISED, raised
from estimators.checking.ladder import climb
from estimators.checking.problem import problem
from estimators.checking.subjects import NotCheckable, called_as, name_of, subject
from estimators.checking.verdict import Evidence, Status, Verdict
from estimators.globals import preserved_globals
from estimators.gradients import Gradient
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Policy, require_finite

BUDGET = 2**22  # estimates ...
MOST = 2**24  # ... where more would settle it
SLOW_BUDGET = 2**15  # where each takes a call of its own
DELTA = 0.01  # standard deviations of one estimate
FALSE_ALARM = 1e-6
MISUNDERSTOOD = TypeError, KeyError, IndexError, AttributeError  # it was given the wrong thing


def check(
    estimator: Any,
    policy: Policy,
    objective: Objective,
    *,
    rng: Noise | None = None,
    budget: int | None = None,
    delta: float = DELTA,
    false_alarm: float = FALSE_ALARM,
    exact: Gradient | Literal["find"] | None = "find",
    bound: float | None = None,
    name: str = "",
) -> Verdict:
    """Whether the estimator's mean is the gradient; see the module, `Verdict`, and `subjects` for
    what can be checked: an estimator, a plain PyTorch loss, a function that returns gradients.

    budget: estimates at most (2²²; 2²⁴ where more would settle it; 2¹⁵ where each takes a call of
    its own). delta: the bias, in standard deviations of one estimate, that "unbiased" excludes with
    probability 1 − 1e-6.
    false_alarm: of the whole check, however often it looks. exact: the exact gradient; None where
    it is unknown. bound: a number that no entry of an estimate exceeds in size, for limits that
    hold without a central limit theorem. Same rng, same verdict; global generators are untouched.

    Raises TypeError and ValueError on bad arguments; what the estimator raises is a finding.
    """
    _require(policy, budget, delta, false_alarm, bound)
    name = name or name_of(estimator)
    with preserved_globals():
        sound, fault = problem(policy, objective, false_alarm / 2)
        if sound.outcome != "passed":
            status: Status = "broken" if sound.outcome == "failed" else "undecided"
            return Verdict(name, status, fault, (sound,))
        try:
            checked = subject(estimator, policy, objective, name)
        except NotCheckable:
            raise
        except RAISED as error:  # somebody's function, called to see what it returns
            text, key = raised(error).complaint
            called = called_as(estimator, policy) if isinstance(error, MISUNDERSTOOD) else ""
            failed = Evidence("contract", "failed", text + called)
            return Verdict(name, "broken", key, (sound, failed))
        most = budget or (MOST if checked.fast else SLOW_BUDGET)
        budget = budget or min(BUDGET, most)
        rng = rng or Noise(0, policy.like.device)
        false_alarm /= 2  # the other half is the problem's
        case = Case(checked, policy, objective, rng, exact, budget, most, delta, false_alarm, bound)
        return climb(case, sound)


def assert_unbiased(
    estimator: Any, policy: Policy, objective: Objective, **options: Any
) -> Verdict:
    """`check`, for a test suite: AssertionError with the evidence unless it says unbiased."""
    verdict = check(estimator, policy, objective, **options)
    if verdict.status != "unbiased":
        raise AssertionError(str(verdict))
    return verdict


def _require(
    policy: Policy, budget: int | None, delta: float, false_alarm: float, bound: float | None
) -> None:
    if not isinstance(policy, Policy):
        raise TypeError(f"policy must be a Policy, got {type(policy).__name__}")
    require_finite(policy)
    require_rates(budget, delta, false_alarm)
    if bound is not None and not 0 < bound < math.inf:
        raise ValueError(f"bound must be positive and finite, got {bound}")
