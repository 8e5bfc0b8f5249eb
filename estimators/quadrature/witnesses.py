"""Random draws that may contradict nodes."""

import torch
from torch import Tensor

from estimators.gradients import Estimator, flat_rows, per_sample_gradients
from estimators.moments import Moments
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Policy, TooManyNodes
from estimators.quadrature.answer import Exact

WITNESSES = 2**16  # random draws that may contradict the nodes
CHUNK = 2**13  # rows in one backward pass: tensors that stay in cache


def contradicted(
    estimator: Estimator, policy: Policy, objective: Objective, mean: Exact, variance: Exact
) -> None:
    """TooManyNodes if random draws vary more about the mean than the nodes say: they have seen
    what nodes did not."""
    count = WITNESSES // max(1, policy.batch.numel())
    if count < 1000:
        return
    seen, rng = None, Noise(0, next(iter(mean.values())).device)
    for _ in range(max(1, count // CHUNK)):
        grads = per_sample_gradients(estimator, policy, objective, min(count, CHUNK), rng)
        squares = flat_rows({name: (g - mean[name]) ** 2 for name, g in grads.items()})
        seen = Moments.of(squares) if seen is None else seen + Moments.of(squares)
    assert seen is not None
    said = torch.cat([v.flatten() for v in variance.values()])
    if surprising(seen, said + variance.error + 1e-18):
        raise TooManyNodes(
            "random draws vary more than the nodes say: the estimator has features too narrow for "
            "the nodes; measure it instead"
        )


def surprising(squares: Moments, due: Tensor) -> bool:
    """Whether chance does not explain that squares are on average more than was due.

    If their mean is r times what it should be and stems from k squares of one size, at most k/r
    of them were due: Chernoff's bound on that is exp(−k(log r − 1 + 1/r)), here e⁻²⁵. Too
    little variation is no evidence: heavy tails do that to a sample.
    """
    r = (squares.mean / due).clamp(min=1.0)
    k = (squares.mean / squares.sem) ** 2  # not a number, and no evidence, where all are alike
    return bool((k * (r.log() - 1 + 1 / r) > 25).any())
