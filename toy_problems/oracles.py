"""Second opinions on the exact gradient, sharing nothing with `estimators.quadrature`."""

import itertools
import math

import numpy as np
import torch

from estimators import Gaussian, Mixture, Objective, Policy
from estimators.gradients import Gradient, unflatten


def quad_gradient(
    policy: Gaussian | Mixture, objective: Objective, breaks: tuple[float, ...] = ()
) -> Gradient:
    """∇J = ∫ cost(a) ∇π(a) da by scipy's adaptive quadrature, in one dimension.

    breaks: where Q has jumps or kinks. Raises ValueError for a batch or d > 1.
    """
    from scipy.integrate import quad  # here: the catalogue of problems does without

    if policy.mu.shape[-1] != 1 or policy.batch:
        raise ValueError("quad_gradient is for a single policy in one dimension")
    policy = policy.detach()
    centres, widths = policy.mu.flatten(), policy.log_std.exp().flatten()
    low = float((centres - 14 * widths).min())
    high = float((centres + 14 * widths).max())
    points = sorted({low, high, *breaks, *centres.tolist()})

    def gradients(x: float) -> np.ndarray:
        leaf = policy.map(lambda p: p.clone().requires_grad_())
        a = torch.tensor([x], dtype=policy.mu.dtype)
        grads = torch.autograd.grad(leaf.log_prob(a).exp(), list(leaf.parameters().values()))
        flat = torch.cat([g.flatten() for g in grads])
        return (objective.cost(policy, a).detach() * flat).numpy()

    cache: dict[float, np.ndarray] = {}

    def entry(x: float, i: int) -> float:
        if x not in cache:
            cache[x] = gradients(x)
        return float(cache[x][i])

    shapes = {name: p.shape for name, p in policy.parameters().items()}
    flat = torch.tensor(
        [
            math.fsum(
                quad(entry, a, b, args=(i,), epsabs=1e-12, epsrel=1e-11, limit=400)[0]
                for a, b in itertools.pairwise(points)
            )
            for i in range(sum(s.numel() for s in shapes.values()))
        ],
        dtype=torch.float64,
    )
    return unflatten(flat, shapes)


def finite_difference_gradient(
    policy: Policy, objective: Objective, order: int = 200, step: float = 1e-2
) -> Gradient:
    """∇J by central differences of J, three times Richardson-extrapolated.

    J is a trapezoid sum over |ε| ≤ 9 with `order` points a dimension (a plain sum for a
    Categorical): for smooth Q it converges geometrically.
    """
    theta = policy.detach().parameters()

    def value(name: str, moved: torch.Tensor) -> float:
        there = policy.with_parameters({**theta, name: moved})
        a, w = _grid(there, order)
        return float((w * objective.cost(there, a)).sum())

    def slope(name: str, i: int, h: float) -> float:
        move = torch.zeros(theta[name].numel(), dtype=theta[name].dtype)
        move[i] = h
        move = move.view_as(theta[name])
        return (value(name, theta[name] + move) - value(name, theta[name] - move)) / (2 * h)

    def extrapolated(name: str, i: int) -> float:
        table = [slope(name, i, step / 2**j) for j in range(4)]
        for k in (4, 16, 64):
            table = [(k * b - a) / (k - 1) for a, b in itertools.pairwise(table)]
        return table[0]

    return {
        name: torch.tensor(
            [extrapolated(name, i) for i in range(p.numel())], dtype=torch.float64
        ).view_as(p)
        for name, p in theta.items()
    }


def _grid(policy: Policy, order: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Actions and weights with Σ w F(a) ≈ E_π[F(a)]."""
    if policy.discrete:
        return policy.nodes()
    if not isinstance(policy, Gaussian | Mixture):
        raise TypeError(f"no grid for a {type(policy).__name__} policy")
    line = torch.linspace(-9, 9, order, dtype=torch.float64)
    eps = torch.cartesian_prod(*[line] * policy.mu.shape[-1]).view(-1, policy.mu.shape[-1])
    eps = eps[(eps**2).sum(-1) <= 81]  # beyond, weights of 3e-18 and less
    w = torch.exp(-(eps**2).sum(-1) / 2)
    w = w / w.sum()
    if isinstance(policy, Gaussian):
        return policy.mu + policy.log_std.exp() * eps, w
    a = policy.mu[:, None] + policy.log_std.exp()[:, None] * eps  # [K, m, d]
    return a.flatten(0, 1), (policy.logits.softmax(-1)[:, None] * w).flatten()
