"""Exact moments of many policies at once: one rule for all, a finer one where it must be.

`exact_moments` splits the line until one policy's integrals agree; for the thousands of cells of
a map that takes too long. Here a batch of policies sees the same nodes in one backward pass, and
only those whose two rules disagree go on to twice as many.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from estimators.gradients import Estimator, Gradient, per_sample_gradients
from estimators.objective import Objective
from estimators.policies import Policy, require_finite
from estimators.quadrature import TooManyNodes, _discover, _Draw, _Nodes

# The policies of some cells [b], with an objective that may hold numbers of its own for each.
Cells = Callable[[Tensor], tuple[Estimator, Policy, Objective]]

REACH = 10.0  # ε ∈ [−10, 10]: beyond, N(0, 1) has mass 2e-23
STEPS = {0: (0,), 1: (64, 128, 256, 512), 2: (64, 128)}  # of the line, by scalar draws
COMBINATIONS = 2**8
CHUNK = 2**14  # rows in one backward pass: tensors that stay in cache, on one core


def batched_moments(
    cells: Cells, count: int, tolerance: float = 1e-10
) -> tuple[Gradient, Gradient, Tensor]:
    """Mean and variance of one estimate in each of `count` cells, [count, …], and errors [count].

    cells(i) gives the estimator, the policies and the objective of the cells i, [b]. Trapezoid
    sums over ε converge geometrically for smooth Q; the sum over every other node is the second
    rule. The error is the largest difference of the two in any entry of mean or variance; a cell
    is done when that is within `tolerance` of its scale. Jumps and kinks of Q leave larger
    errors, and features narrower than the nodes none: for those there is `exact_moments`.
    Raises TooManyNodes beyond two scalar draws.
    """
    draws, shapes = _look(cells)
    scalars = sum(d.size for d in draws if d.categories is None)
    todo, error = torch.arange(count), torch.zeros(count, dtype=torch.float64)
    entries = sum(math.prod(s) for s in shapes.values())
    out = torch.zeros(count, 2, entries, dtype=torch.float64)
    for steps in STEPS[scalars]:
        size = max(1, CHUNK // (steps + 1) ** scalars)
        parts = [_moments(*cells(i), draws, steps) for i in todo.split(size)]
        out[todo], error[todo], scale = (torch.cat(p) for p in zip(*parts, strict=True))
        todo = todo[~(error[todo] <= tolerance * scale)]
        if not len(todo):
            break
    mean, variance = (
        {
            name: part.view(count, *shape)
            for (name, shape), part in zip(
                shapes.items(), flat.split([math.prod(s) for s in shapes.values()], 1), strict=True
            )
        }
        for flat in out.unbind(1)
    )
    return mean, variance, error


def _look(cells: Cells) -> tuple[list[_Draw], dict[str, torch.Size]]:
    """The draws of one estimate and the shapes of the parameters, seen on the first cell."""
    estimator, policy, objective = cells(torch.zeros(1, dtype=torch.long))
    draws = _discover(estimator, policy, objective)
    scalars = sum(d.size for d in draws if d.categories is None)
    combinations = math.prod(d.categories**d.size for d in draws if d.categories is not None)
    if scalars not in STEPS or combinations > COMBINATIONS:
        raise TooManyNodes(
            f"an estimate makes {scalars} scalar draws and picks among {combinations} combinations "
            f"of categories: batched nodes reach {max(STEPS)} and {COMBINATIONS}"
        )
    return draws, {name: p.shape[1:] for name, p in policy.parameters().items()}


def _moments(
    estimator: Estimator, policy: Policy, objective: Objective, draws: list[_Draw], steps: int
) -> tuple[Tensor, Tensor, Tensor]:
    """[b, 2, entries] mean and variance, [b] error, [b] scale."""
    require_finite(policy)
    x, w, coarse = _rule(sum(d.size for d in draws if d.categories is None), steps)
    sizes = [d.categories for d in draws if d.categories is not None for _ in range(d.size)]
    k = torch.cartesian_prod(*[torch.arange(s) for s in sizes]) if sizes else torch.zeros(1, 0)
    k = k.reshape(math.prod(sizes), len(sizes)).long()
    every_x, every_k = x.repeat_interleave(len(k), 0), k.repeat(len(x), 1)
    nodes = _Nodes(draws, every_x, every_k, policy.batch)
    grads = per_sample_gradients(estimator, policy, objective, len(every_x), nodes)
    if not all(v.isfinite().all() for v in grads.values()):
        raise ValueError("an estimator returned a gradient that is not finite")
    rules = torch.stack([v.repeat_interleave(len(k)) for v in (w, coarse)])  # [2, rows]
    if isinstance(nodes.weight, Tensor):  # of the categories, for each cell
        rules = rules[..., None] * nodes.weight  # [2, rows, b]
    mean, square = [], []
    for v in grads.values():
        g = v.flatten(2)  # [rows, b, entries]
        mean.append(_weigh(rules, g))  # [2, b, entries]
        square.append(_weigh(rules, (g - mean[-1][0]) ** 2))
    both = torch.stack([torch.cat(mean, -1), torch.cat(square, -1)], 2)  # [2, b, 2, entries]
    error = (both[0] - both[1]).abs().amax((1, 2))
    return both[0], error, both[0].abs().amax((1, 2)).clamp(min=1e-6)  # zero is zero


def _weigh(rules: Tensor, g: Tensor) -> Tensor:
    """Σ_rows rule · g: [2, rows] or [2, rows, b], [rows, b, entries] -> [2, b, entries]."""
    if rules.ndim == 2:
        return (rules @ g.flatten(1)).view(2, *g.shape[1:])
    return torch.einsum("crb,rbe->cbe", rules, g)


def _rule(scalars: int, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Nodes [m, scalars], their weights, and the weights of every other node (0 elsewhere)."""
    if not scalars:
        one = torch.ones(1, dtype=torch.float64)
        return one.new_zeros(1, 0), one, one
    line = torch.linspace(-REACH, REACH, steps + 1, dtype=torch.float64)
    density = torch.exp(-(line**2) / 2)
    other = torch.where(torch.arange(steps + 1) % 2 == 0, density, 0.0)
    fine, coarse = density / density.sum(), other / other.sum()
    x = torch.cartesian_prod(*[line] * scalars).view(-1, scalars)
    return x, product(fine, scalars), product(coarse, scalars)


def product(w: Tensor, times: int) -> Tensor:
    return w if times == 1 else torch.outer(w, product(w, times - 1)).flatten()
