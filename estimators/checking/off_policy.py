"""Actions that are not π's: replayed ones, without importance weights.

E_π[∇ log π] = 0, so a constant added to Q changes no mean; at actions of another law it does.
"""

import torch
from torch import Tensor

from estimators.checking.case import Case
from estimators.checking.drawn import Draws, drawn_elsewhere
from estimators.gradients import Estimator, flat_rows, per_sample_gradients
from estimators.moments import Moments
from estimators.noise import Noise
from estimators.objective import Objective

ESTIMATES = 2**14
FAR = 8.0  # standard errors
ROUNDING = 64.0  # units of the last place


def off_policy(case: Case, seen: Draws | None) -> bool:
    """Of an estimator, by a Q that is higher by one; of a loss, by what it draws."""
    if case.subject.estimator is not None:
        return _moved_by_a_constant(case.subject.estimator, case)
    return seen is not None and drawn_elsewhere(seen, case.policy)


def _moved_by_a_constant(estimator: Estimator, case: Case) -> bool:
    """Unless its actions carry gradient: then it is no score function of theirs."""
    Q, alpha = case.objective.Q, case.objective.alpha
    attached = []

    def shifted(a: Tensor) -> Tensor:
        attached.append(a.requires_grad)
        return Q(a) + 1

    one, other = (
        flat_rows(
            per_sample_gradients(estimator, case.policy, of, ESTIMATES, Noise(15, case.device))
        )
        for of in (case.objective, Objective(shifted, alpha))
    )
    moved = Moments.of(other - one)
    rounding = ROUNDING * torch.finfo(case.dtype).eps * one.abs().max()
    return not any(attached) and bool((moved.mean.abs() > FAR * moved.sem + rounding).any())
