"""How much of an answer is rounding: measured, by asking again a unit of the last place away.

Everything that is summed is worked out twice, the second time with the parameters, the actions
that Q sees and the values that it gives all one unit of the last place higher. What cancels in the
sum, a Q near 10⁹ or an action far from zero beside its deviation, does not cancel in the size of
the differences.
"""

import torch
from torch import Tensor

from estimators.gradients import Estimator, flat_rows, per_sample_gradients
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Policy
from estimators.quadrature.nodes import Draw, Function, every_category, terms

EPS = torch.finfo(torch.float64).eps
PROBES = 256  # nodes at which it is measured
UNITS = 8.0  # of the last place, that one evaluation is off by


def rounding_of(
    estimator: Estimator,
    policy: Policy,
    objective: Objective,
    draws: list[Draw] | None = None,
    f: Function = dict,
) -> Tensor:
    """E|Δf(g)| for one unit of the last place, [entries]: over random scalars and all categories,
    or over random estimates where there are no `draws` to be replaced."""
    like = policy.like

    def each(policy: Policy, objective: Objective) -> Tensor:
        if draws is None:
            g = per_sample_gradients(estimator, policy, objective, PROBES, Noise(3, like.device))
            return flat_rows(f(g))[:, None].cpu()
        return terms(f, estimator, policy, objective, draws, x, k)

    if draws is not None:
        k = every_category(draws)
        scalars = sum(d.size for d in draws if d.categories is None)
        probes = max(1, PROBES // len(k)) if scalars else 1
        x = Noise(3).normal((probes, scalars), torch.zeros(1, dtype=torch.float64))
    return (each(*_next(policy, objective)) - each(policy, objective)).abs().sum(1).mean(0)


def jump_moved(policy: Policy) -> float:
    """By how much of ε a jump of Q, which lies where the next float is, may be moved: the mean of
    |log π(a⁺) − log π(a)|, a⁺ one unit of the last place from a, of the worst state."""
    a = policy.sample(PROBES, Noise(3, policy.like.device))
    if not a.is_floating_point():
        return 0.0
    moved = policy.log_prob((1 + EPS) * a) - policy.log_prob(a)
    return float(moved.abs().mean(0).max())


def _next(policy: Policy, objective: Objective) -> tuple[Policy, Objective]:
    up = 1 + EPS

    def Q(a: Tensor) -> Tensor:
        return up * objective.Q(up * a if a.is_floating_point() else a)

    return policy.map(lambda p: up * p), Objective(Q, objective.alpha)
