"""Frozen critics of d actions: a target, and networks fitted to it by regression."""

import itertools
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

FLOAT = torch.float64
Critic = Callable[[Tensor], Tensor]


def target(d: int, ripple: float = 0.15, frequency: float = 6.0) -> Critic:
    """Q = Σ_i [−(a_i − m_i)² + ripple·cos(frequency·a_i)], m_i from −½ to ½, a in (−1, 1)^d."""
    m = torch.linspace(-0.5, 0.5, d, dtype=FLOAT) if d > 1 else torch.full((1,), 0.5, dtype=FLOAT)

    def Q(a: Tensor) -> Tensor:
        return (-((a - m.to(a)) ** 2) + ripple * torch.cos(frequency * a)).sum(-1)

    return Q


@cache
def fitted(d: int, activation: str, width: int = 64, steps: int = 1000, seed: int = 0) -> Critic:
    """A network with two hidden layers, fitted to `target(d)` on uniform actions by Adam.

    activation: "relu" or "tanh". The output is scaled by √d, as the target's spread is.
    """
    act = {"relu": torch.relu, "tanh": torch.tanh}[activation]
    rng = torch.Generator().manual_seed(seed)
    sizes = [d, width, width, 1]
    layers = []
    for i, o in itertools.pairwise(sizes):
        w = torch.randn(i, o, generator=rng) * (2 / i) ** 0.5
        layers += [w.requires_grad_(), torch.zeros(o, requires_grad=True)]
    goal, size = target(d), d**0.5
    level = float(goal(2 * torch.rand(4096, d, generator=rng) - 1).mean())

    def network(a: Tensor, weights: list[Tensor]) -> Tensor:
        for i in range(0, len(weights), 2):
            a = (act(a) if i else a) @ weights[i].to(a) + weights[i + 1].to(a)
        return level + size * a[..., 0]

    optimiser = torch.optim.Adam(layers, lr=3e-3)
    for i in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * (1 - i / steps)
        a = 2 * torch.rand(256, d, generator=rng) - 1
        with torch.enable_grad():
            loss = ((network(a, layers) - goal(a)) ** 2).mean() / d
            optimiser.zero_grad()
            loss.backward()
        optimiser.step()
    frozen = [p.detach().double() for p in layers]
    return lambda a: network(a, frozen)


def explained(critic: Critic, d: int, draws: int = 4096, seed: int = 1) -> float:
    """The share of the target's variance on uniform actions that the critic explains, R²."""
    a = 2 * torch.rand(draws, d, generator=torch.Generator().manual_seed(seed), dtype=FLOAT) - 1
    goal = target(d)(a)
    return 1 - float(((critic(a) - goal) ** 2).mean() / goal.var())
