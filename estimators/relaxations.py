"""Relaxed categories: the component (or action) is replaced by a point inside the simplex."""

import torch
from torch import Tensor

from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Categorical, Mixture, Policy, at_least_one


def gumbel_softmax(
    policy: Policy, objective: Objective, rng: Noise, n: int = 1, temperature: float = 0.5
) -> Tensor:
    """∇̂J = d/dθ cost(y_θ),  y_θ = softmax((logits − log(−log u))/temperature).

    For a Categorical the cost is extended linearly, Σ_a y_a cost(a); for a Mixture the action is
    Σ_k y_k (μ_k + σ_k ε).
    Reference: Jang, Gu and Poole 2017, Eq. 2; Maddison, Mnih and Teh 2017.
    Biased at every temperature > 0: E[y] is not the policy.
    """
    return _relaxed(policy, objective, rng, n, temperature, hard=False)


def straight_through(
    policy: Policy, objective: Objective, rng: Noise, n: int = 1, temperature: float = 0.5
) -> Tensor:
    """∇̂J = d/dθ cost(onehot(y_θ) + y_θ − stop(y_θ)),  y_θ the Gumbel-softmax point.

    Reference: Jang, Gu and Poole 2017, §2.2.
    Biased: the action is exact, its derivative is that of the relaxed one.
    """
    return _relaxed(policy, objective, rng, n, temperature, hard=True)


def _relaxed(
    policy: Policy, objective: Objective, rng: Noise, n: int, temperature: float, hard: bool
) -> Tensor:
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    if not isinstance(policy, Categorical | Mixture):
        raise TypeError(
            f"a relaxation needs categories (Categorical or Mixture), got {type(policy).__name__}"
        )
    y = _simplex(policy.logits, rng, at_least_one(n), temperature)  # [n, *batch, K]
    if hard:
        y = torch.nn.functional.one_hot(y.argmax(-1), y.shape[-1]) + (y - y.detach())
    if isinstance(policy, Categorical):
        cost = objective.cost(policy, policy.nodes()[0])  # [A, *batch]
        return (y * cost.movedim(0, -1)).sum(-1).mean(0)
    eps = rng.normal((n, *policy.batch, 1, policy.mu.shape[-1]), policy.mu)
    each = policy.mu + policy.log_std.exp() * eps  # [n, *batch, K, d]
    return objective.cost(policy, (y[..., None] * each).sum(-2)).mean(0)


def _simplex(logits: Tensor, rng: Noise, n: int, temperature: float) -> Tensor:
    u = rng.uniform((n, *logits.shape), logits)
    return ((logits - torch.log(-torch.log(u))) / temperature).softmax(-1)
