"""A noise source that hands out nodes, and how many of them an estimate asks for."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from estimators.gradients import Estimator, Gradient, per_sample_gradients
from estimators.noise import Drawn, Noise, Recorded
from estimators.objective import Objective
from estimators.policies import Policy, TooManyNodes

Function = Callable[[Gradient], Gradient]  # of rows {name: [rows, *batch, …]}, row by row


@dataclass(frozen=True)
class Draw:
    """One call of the noise source: [*lead, rows, *batch, *tail], K categories or a scalar."""

    lead: tuple[int, ...]
    tail: tuple[int, ...]
    categories: int | None

    @property
    def size(self) -> int:
        return math.prod(self.lead) * math.prod(self.tail)


def category_sizes(draws: list[Draw]) -> list[int]:
    """Among how many categories each categorical draw chooses."""
    return [d.categories for d in draws if d.categories is not None for _ in range(d.size)]


def every_category(draws: list[Draw]) -> Tensor:
    """All combinations of categories, [combinations, categorical draws]."""
    sizes = category_sizes(draws)
    k = torch.cartesian_prod(*[torch.arange(s) for s in sizes]) if sizes else torch.zeros(1, 0)
    return k.reshape(math.prod(sizes), len(sizes)).long()


class Nodes(Noise):
    """Hands out nodes, each x [m, scalars] with all k [combinations, categories] in turn: columns
    of x for scalars, of k for categories; collects the weights of these."""

    def __init__(self, draws: list[Draw], x: Tensor, k: Tensor, batch: torch.Size) -> None:
        self.draws, self.batch, self.count = list(draws), batch, len(x) * len(k)
        self.x, self.k = x.repeat_interleave(len(k), 0), k.repeat(len(x), 1)
        self.weight: Tensor | float = 1.0

    def _columns(self, source: Tensor) -> Tensor:
        draw, ones = self.draws.pop(0), (1,) * len(self.batch)
        m, lead = len(source), draw.lead
        columns = source[:, : draw.size].reshape(m, *lead, *draw.tail).movedim(0, len(lead))
        columns = columns.reshape(*lead, m, *ones, *draw.tail)
        return columns.expand(*lead, m, *self.batch, *draw.tail)

    def normal(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        size = self.draws[0].size
        eps = self._columns(self.x)
        self.x = self.x[:, size:]
        return eps.to(like)

    def uniform(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        u = torch.erfc(-self.normal(shape, like) / math.sqrt(2)) / 2  # ndtr is 0 below −9
        return u.minimum(torch.full_like(u, 1 - torch.finfo(u.dtype).eps))  # the interval is open

    def categorical(self, weights: Tensor, shape: tuple[int, ...]) -> Tensor:
        draw = self.draws[0]
        k = self._columns(self.k)
        self.k = self.k[:, draw.size :]
        p = weights.detach().expand(*k.shape, -1).gather(-1, k[..., None])[..., 0]
        self.weight = self.weight * p.reshape(-1, *p.shape[len(draw.lead) :]).prod(0)
        return k


def terms(
    f: Function,
    estimator: Estimator,
    policy: Policy,
    objective: Objective,
    draws: list[Draw],
    x: Tensor,
    k: Tensor,
) -> Tensor:
    """weight · f(g) at nodes x [m, scalars] with categories k: [m, combinations, entries]."""
    device = policy.like.device
    nodes = Nodes(draws, x.to(device), k.to(device), policy.batch)
    grads = per_sample_gradients(estimator, policy, objective, nodes.count, nodes)
    out = []
    for g in f(grads).values():
        w = torch.as_tensor(nodes.weight).to(g)
        out.append((g * w.reshape(*w.shape, *(1,) * (g.ndim - w.ndim))).flatten(1))
    return torch.cat(out, 1).cpu().unflatten(0, (len(x), len(k)))


def discover(estimator: Estimator, policy: Policy, objective: Objective) -> list[Draw]:
    """The draws of one estimate; the axis of rows is the one that grows with their number."""
    one, two = (_recorded(estimator, policy, objective, count) for count in (1, 2))
    if [drawn.kind for drawn in one] != [drawn.kind for drawn in two]:
        raise TooManyNodes("the number of draws varies from call to call: measure it instead")
    draws = []
    for a, b in zip(one, two, strict=True):
        axes = [i for i, (m, n) in enumerate(zip(a.shape, b.shape, strict=True)) if m != n]
        if len(axes) != 1:
            raise TooManyNodes(f"cannot tell which axis of a draw {list(a.shape)} holds the rows")
        after = axes[0] + 1 + len(policy.batch)
        categories = None if a.weights is None else a.weights.shape[-1]
        draws.append(Draw(tuple(a.shape[: axes[0]]), tuple(a.shape[after:]), categories))
    return draws


def _recorded(
    estimator: Estimator, policy: Policy, objective: Objective, count: int
) -> list[Drawn]:
    noise = Recorded(Noise())
    per_sample_gradients(estimator, policy, objective, count, noise)
    if any(drawn.kind == "threshold" for drawn in noise.draws):
        raise TooManyNodes(
            "categories with common random numbers jump where nodes do not look: measure it instead"
        )
    return noise.draws
