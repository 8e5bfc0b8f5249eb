"""Exact moments of many policies at once: one rule for all, a finer one where it must be.

`exact_moments` splits the line until one policy's integrals agree; for the thousands of cells of
a map that takes too long. Here a batch of policies sees the same nodes in one backward pass, and
only those whose rules disagree, or that random draws contradict, go on to twice as many.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from estimators.gradients import Estimator, Gradient, per_sample_gradients, unflatten
from estimators.moments import Moments
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Policy, TooManyNodes, require_finite
from estimators.quadrature.nodes import Draw, Nodes, category_sizes, discover, every_category
from estimators.quadrature.witnesses import surprising

# The policies of some cells [b], with an objective that may hold numbers of its own for each.
Cells = Callable[[Tensor], tuple[Estimator, Policy, Objective]]

REACH = 10.0  # ε ∈ [−10, 10]: beyond, N(0, 1) has mass 2e-23
STEPS = {0: (0,), 1: (64, 128, 256, 512, 2048, 8192), 2: (64, 128)}  # of the line, by scalar draws
USUAL, FAR = 512, 0.1  # beyond so many steps go cells off by more of their scale than by a jump
SHIFTS = (0.3819660113, 0.2679491924)  # of the third rule, in its steps: irrational, not alike
COMBINATIONS = 2**8
WITNESSES = 2**12  # random draws of one backward pass, at least, that may contradict the nodes
ROUNDING = (1e-15, 1e-30)  # of mean and variance, where terms of size one cancel
CHUNK = 2**14  # rows in one backward pass: tensors that stay in cache, on one core


def batched_moments(
    cells: Cells, count: int, tolerance: float = 1e-10, least: Tensor | None = None
) -> tuple[Gradient, Gradient, Tensor, Tensor]:
    """Mean and variance of one estimate in each of `count` cells, [count, …], the errors of both,
    [count, 2], and how many steps they took, [count]; `least` of them are taken.

    cells(i) gives the estimator, the policies and the objective of the cells i, [b]. Trapezoid
    sums over ε converge geometrically for smooth Q. The second rule takes every other node, and
    a wave too fast for both deceives them alike; a third is shifted, and sees that wave in
    another phase. The error is the largest difference from them in any entry of the mean, of the
    variance; a cell is done when both are within `tolerance` of its scale. Jumps and kinks of Q
    leave larger errors. A feature narrower than the nodes leaves none, but random draws of the
    neighbouring cells together then vary more than the nodes say: infinite, if to the last.
    Raises TooManyNodes beyond two scalar draws.
    """
    draws, shapes = _look(cells)
    scalars = sum(d.size for d in draws if d.categories is None)
    levels = STEPS[scalars]
    least = torch.zeros(count) if least is None else least.clamp(max=levels[-1])
    todo, used = torch.ones(count, dtype=torch.bool), torch.zeros(count, dtype=torch.long)
    error, scale = torch.zeros(2, count, 2, dtype=torch.float64)
    entries = sum(math.prod(s) for s in shapes.values())
    out = torch.zeros(count, 2, entries, dtype=torch.float64)
    zero, rng = torch.tensor(ROUNDING, dtype=torch.float64), Noise()
    for steps in levels:
        if steps > USUAL:
            todo &= (error > FAR * scale).any(1) | (least >= steps)
        now = (todo & (least <= steps)).nonzero()[:, 0]
        if not len(now):
            continue
        x, rules = _rules(scalars, steps)
        split = now.split(max(1, CHUNK // len(x)))
        parts = [_moments(*cells(i), draws, x, rules, rng) for i in split]
        out[now], error[now], scale[now] = (torch.cat(p) for p in zip(*parts, strict=True))
        used[now] = steps
        todo[now] = (error[now] > tolerance * scale[now] + zero).any(1)
    mean, variance = (unflatten(flat, shapes) for flat in out.unbind(1))
    return mean, variance, error, used


def _look(cells: Cells) -> tuple[list[Draw], dict[str, torch.Size]]:
    """The draws of one estimate and the shapes of the parameters, seen on the first cell."""
    estimator, policy, objective = cells(torch.zeros(1, dtype=torch.long))
    draws = discover(estimator, policy, objective)
    scalars = sum(d.size for d in draws if d.categories is None)
    combinations = math.prod(category_sizes(draws))
    if scalars not in STEPS or combinations > COMBINATIONS:
        raise TooManyNodes(
            f"an estimate makes {scalars} scalar draws and picks among {combinations} combinations "
            f"of categories: batched nodes reach {max(STEPS)} and {COMBINATIONS}"
        )
    return draws, {name: p.shape[1:] for name, p in policy.parameters().items()}


def _moments(
    estimator: Estimator,
    policy: Policy,
    objective: Objective,
    draws: list[Draw],
    x: Tensor,
    rules: Tensor,
    rng: Noise,
) -> tuple[Tensor, Tensor, Tensor]:
    """Nodes [m, scalars], rules [3, m] -> [b, 2, entries] mean and variance, [b, 2] their errors,
    [b, 2] their scales √E[g²] and E[g²]."""
    require_finite(policy)
    k = every_category(draws)
    nodes = Nodes(draws, x, k, policy.batch)
    grads = per_sample_gradients(estimator, policy, objective, nodes.count, nodes)
    if not all(v.isfinite().all() for v in grads.values()):
        raise ValueError("an estimator returned a gradient that is not finite")
    weights = rules.repeat_interleave(len(k), 1)  # [3, rows]
    if isinstance(nodes.weight, Tensor):  # of the categories, for each cell
        weights = weights[..., None] * nodes.weight  # [3, rows, b]
    g = torch.cat([v.flatten(2) for v in grads.values()], -1)  # [rows, b, entries]
    mean = _weigh(weights, g)  # [3, b, entries]
    both = torch.stack([mean, _weigh(weights, (g - mean[0]) ** 2)], 2)  # [3, b, 2, entries]
    error = (both[1:] - both[0]).abs().amax((0, 3))  # [b, 2]
    square = (both[0, :, 0] ** 2 + both[0, :, 1]).amax(1)  # [b]
    scale = torch.stack([square.sqrt(), square], 1)
    count = max(len(x) // 3, WITNESSES // len(error)) if x.shape[1] else 0
    if count and _contradicted(estimator, policy, objective, both[0], error, count, rng):
        error = torch.full_like(error, math.inf)
    return both[0], error, scale


def _contradicted(
    estimator: Estimator,
    policy: Policy,
    objective: Objective,
    said: Tensor,
    error: Tensor,
    count: int,
    rng: Noise,
) -> bool:
    """Whether `count` random draws of every cell, all together, vary more than was said."""
    grads = per_sample_gradients(estimator, policy, objective, count, rng)
    g = torch.cat([v.flatten(2) for v in grads.values()], -1)  # [count, b, entries]
    mean, variance = said.unbind(1)
    due = variance + error[:, 1:] + 1e-18  # [b, entries]
    return surprising(Moments.of(((g - mean) ** 2 / due).flatten(0, 1)), torch.ones(()))


def _weigh(weights: Tensor, g: Tensor) -> Tensor:
    """Σ_rows weight · g: [3, rows] or [3, rows, b], [rows, b, entries] -> [3, b, entries]."""
    if weights.ndim == 2:
        return (weights @ g.flatten(1)).view(3, *g.shape[1:])
    return torch.einsum("crb,rbe->cbe", weights, g)


def _rules(scalars: int, steps: int) -> tuple[Tensor, Tensor]:
    """Nodes [m, scalars], and [3, m] the weights of three rules: on all but the shifted nodes, on
    every other of these, on the shifted ones."""
    if not scalars:
        return torch.zeros(1, 0, dtype=torch.float64), torch.ones(3, 1, dtype=torch.float64)
    line = torch.linspace(-REACH, REACH, steps + 1, dtype=torch.float64)
    other = torch.where(torch.arange(steps + 1) % 2 == 0, 1.0, 0.0)
    apart = 2 * (line[1] - line[0])
    moved = [line[:-1:2] + shift * apart for shift in SHIFTS[:scalars]]
    x = torch.cat([_product([line] * scalars), _product(moved)])  # [m, scalars]
    density = torch.exp(-(x**2).sum(1) / 2)
    shifted = torch.arange(len(x)) >= (steps + 1) ** scalars
    every_other = _product([other] * scalars).prod(1)
    on = torch.stack([~shifted, ~shifted, shifted]).double()  # [3, m]
    on[1, : len(every_other)] *= every_other
    weights = on * density
    return x, weights / weights.sum(1, keepdim=True)


def _product(lines: list[Tensor]) -> Tensor:
    """[m] each -> all combinations, [m ** scalars, scalars]."""
    return torch.cartesian_prod(*lines).view(-1, len(lines))
