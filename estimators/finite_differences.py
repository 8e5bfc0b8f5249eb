"""Finite differences with common random numbers."""

import torch
from torch import Tensor

from estimators.gradients import linear
from estimators.noise import Noise, Recorded
from estimators.objective import Objective
from estimators.policies import Policy


def finite_difference(
    policy: Policy, objective: Objective, rng: Noise, n: int = 1, step: float = 1e-3
) -> Tensor:
    """∇̂_i J = [ĉ(θ + h e_i) − ĉ(θ − h e_i)] / 2h, both costs from the same noise.

    Reference: Glasserman 2003, Monte Carlo methods in financial engineering, §7.1.
    Biased by h² J‴/6, for any Q (and by rounding over h: use float64). Across a jump, of Q or
    between components or actions, its variance grows as 1/h. Two cost evaluations a scalar
    parameter.
    """
    if not step > 0:
        raise ValueError(f"step must be positive, got {step}")
    theta = policy.detach().parameters()
    noise = Recorded(rng)
    policy.detach().sample(n, noise)

    def cost(name: str, moved: Tensor) -> Tensor:
        there = policy.with_parameters({**theta, name: moved})
        return objective.cost(there, there.sample(n, noise.replay())).mean(0)  # [*batch]

    g = {}
    for name, p in theta.items():
        flat = p.flatten(len(policy.batch))  # [*batch, scalars]
        moves = step * torch.eye(flat.shape[-1]).to(p)
        slopes = [
            (cost(name, (flat + h).view_as(p)) - cost(name, (flat - h).view_as(p))) / (2 * step)
            for h in moves
        ]
        g[name] = torch.stack(slopes, -1).view_as(p)
    return linear(policy, **g)
