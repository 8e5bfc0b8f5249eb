"""Biases that are no known slip, from slight to gross, and slips that are: what does `check` name?

Of a right estimator's g every estimate becomes A g, A = 1 + t E for a random E, or the cost gets a
smooth extra term. t makes the largest entry's bias as many standard errors (of a mean of 2¹⁷
estimates) as the size says.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from estimators import Noise, Objective, Policy, linear, per_sample_gradients, score_function
from estimators.checking.means import mean_of
from estimators.gradients import flat_rows, leaves, row_gradients, unflatten

BUDGET = 2**17
LEAST, MOST = 1.0, 100.0  # of the sizes, log-uniform
MATRICES: dict[str, Callable[[Tensor], Tensor]] = {
    "a linear map": lambda E: E,
    "a factor for each entry": lambda E: E.diagonal().diag(),
    "a factor of one entry": lambda E: (E.diagonal() * torch.eye(len(E))[0]).diag(),
}
EXTRA = "a smooth extra term"
KINDS = (*MATRICES, EXTRA)


def other_cost(change: Callable[[Objective], Objective]) -> Callable[..., Any]:
    def slip(estimator: Any, objective: Objective) -> Any:
        return lambda policy, _, rng, n=1: estimator(policy, change(objective), rng)

    return slip


def attached(estimator: Any, objective: Objective) -> Any:
    def slip(policy: Policy, _: Objective, rng: Noise, n: int = 1) -> Tensor:
        a = policy.sample(1, rng)
        return (objective.cost(policy, a) * policy.log_prob(a)).mean(0)

    return slip


# By the key that is right: another sentence with the same mean may be named beside it.
SLIPS: dict[str, Callable[[Any, Objective], Any]] = {
    "sign": lambda estimator, objective: (
        lambda policy, _, rng, n=1: -estimator(policy, objective, rng)
    ),
    "missing_entropy": other_cost(lambda o: Objective(o.Q, 0.0)),
    "sign_of_entropy": other_cost(lambda o: Objective(o.Q, -o.alpha)),
    "alpha_forgotten": other_cost(lambda o: Objective(o.Q, 1.0)),
    "attached_cost": attached,
    "factor": lambda estimator, objective: (
        lambda policy, _, rng, n=1: 0.93 * estimator(policy, objective, rng)
    ),
}


def biased(kind: str, estimator: Any, policy: Policy, objective: Objective, seed: int) -> Any:
    """The estimator with a random bias."""
    rng = torch.Generator().manual_seed(seed)
    size = LEAST * (MOST / LEAST) ** float(torch.rand((), generator=rng))
    g = flat_rows(per_sample_gradients(estimator, policy, objective, 2**12, Noise(seed)))
    error = g.std(0) / math.sqrt(BUDGET) + 1e-12
    A, wrong = torch.eye(len(error)).double(), objective
    if kind == EXTRA:
        h = random_function(policy, rng)
        b, _ = mean_of(score_function, policy, Objective(h, 0.0), 2**10)
        t = size / float((b / error).abs().max())
        wrong = Objective(lambda a: objective.Q(a) - t * h(a), objective.alpha)
    else:
        E = MATRICES[kind](torch.randn(A.shape, generator=rng).double())
        A = A + E * size / ((E @ g.mean(0)) / error).abs().max()

    def corrupted(policy: Policy, _: Objective, rng: Noise, n: int = 1) -> Tensor:
        copies = leaves(policy)
        with torch.enable_grad():
            g = flat_rows(row_gradients(estimator(copies, wrong, rng), copies))
        shapes = {name: tuple(p.shape[1:]) for name, p in policy.parameters().items()}
        return linear(policy, **unflatten(g @ A.T, shapes))

    return corrupted


def random_function(policy: Policy, rng: torch.Generator) -> Callable[[Tensor], Tensor]:
    if policy.discrete:
        table = torch.randn(len(policy.nodes()[0]), generator=rng).double()
        return lambda a: table[a]
    wave, phase = torch.randn(2, policy.dim, generator=rng).double()
    return lambda a: torch.sin(2 * wave * a + phase).sum(-1)
