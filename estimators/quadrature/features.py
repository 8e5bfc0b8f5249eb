"""Where Q is not smooth, or changes too fast for nodes to see: found by looking at it.

Two rules agree on a feature that lies between the nodes of both: on nothing. So Q alone is asked
for its value, without any gradient, in many more points than a rule has nodes. Between five
neighbours, h apart, a smooth function is a cubic: its fourth difference is h⁴ times a derivative.
At a jump, a kink, or a spike no wider than h it is as large as the thing itself.

What has not been looked at has not been seen: on a line a feature narrower than 2.4e-4 about ε = 0,
1.4e-3 about ±3, and proportionally wider for more than 32 states and components together; elsewhere
one that holds less than 2e-4 of the probability.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import max_pool1d, pad

from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Policy, TooManyNodes
from estimators.quadrature.nodes import Draw, Nodes, every_category

LINE = 2**14  # points on a line ...
SIGHT, SPREAD = 4.5, 1.6  # ... over ε ∈ [−4.5, 4.5], as dense as N(0, 1.6²)
STENCILS = 2**14  # of five points, elsewhere
STEP = 1e-2  # between them
POINTS = 2**19  # at most, with every category and state
SHARP = 0.1  # of the second differences around: more is no derivative's fourth difference
LARGE = 1e-2  # of Q's mean deviation: more, at STEP, neither
NOISE = 1e-12  # of Q: less is rounding
SMALL = 1e-2  # of the stencils that meet a feature: if less, it may be seen by no line
MANY = 64  # features on a line; with more, there would be breaks everywhere
NEIGHBOURS, NEAR, FEW = 64, 3e-2, 2  # within NEAR of an odd point; so FEW like it make it narrow


def breaks_of(policy: Policy, objective: Objective, draws: list[Draw]) -> Tensor | None:
    """Where to break nodes for a sample's `draws`, [breaks, scalars]: spikes that the policy knows
    of and features of Q that were found. None where all is smooth; without any break, if there is
    no telling where. TooManyNodes if a feature is too narrow to be integrated, off the line."""
    scalars = sum(d.size for d in draws if d.categories is None)
    if not scalars:
        return None
    k = every_category(draws)
    columns = len(k) * max(1, policy.batch.numel())

    def Q(x: Tensor) -> Tensor:
        """[m, scalars] -> [m, columns]: for every category and state."""
        nodes = Nodes(draws, x.to(policy.like.device), k.to(policy.like.device), policy.batch)
        copies = policy.map(lambda p: p.expand(nodes.count, *p.shape))
        return objective.Q(copies.sample(1, nodes)).reshape(len(x), -1).double().cpu()

    found = _on_a_line(Q, columns) if scalars == 1 else _in_space(Q, columns, scalars)
    breaks = [b.double().cpu() for b in (policy.spikes(), found) if b is not None]
    return torch.cat(breaks) if breaks else None


def _on_a_line(Q: Callable[[Tensor], Tensor], columns: int) -> Tensor | None:
    """The first point, the middle and the last of each group of neighbours that are no cubic."""
    x = _closer_in_the_middle(max(8, min(LINE, POINTS // columns)))
    q = Q(x[:, None])
    second, fourth = q.diff(n=2, dim=0).abs(), q.diff(n=4, dim=0).abs()  # of points i … i + 4
    around = max_pool1d(second.T, 7, 1, 3)[:, 1:-1].T
    odd = (fourth > SHARP * around) & (fourth > NOISE * q.abs().amax(0))
    at = odd.any(1).nonzero()[:, 0]
    if not len(at):
        return None
    apart = at.diff() > 8
    first, last = at[pad(apart, (1, 0), value=True)], at[pad(apart, (0, 1), value=True)] + 4
    if len(first) > MANY:
        return x.new_zeros(0, 1)
    return x[torch.cat([first, (first + last) // 2, last])][:, None]


def _closer_in_the_middle(count: int) -> Tensor:
    """Points over [−SIGHT, SIGHT] as dense as N(0, SPREAD²)."""
    ends = torch.special.ndtr(torch.tensor([-SIGHT, SIGHT], dtype=torch.float64) / SPREAD)
    u = torch.linspace(float(ends[0]), float(ends[1]), count, dtype=torch.float64)
    return SPREAD * torch.special.ndtri(u)


def _in_space(Q: Callable[[Tensor], Tensor], columns: int, d: int) -> Tensor | None:
    """No breaks, if any stencil is no cubic; TooManyNodes if what it met is narrow."""
    rng = Noise(5)
    like = torch.zeros(1, dtype=torch.float64)
    count = max(1, min(STENCILS, POINTS // (5 * columns)))
    middle = _spread(count, d)
    direction = rng.normal((count, d), like)
    direction /= direction.norm(dim=1, keepdim=True)
    steps = STEP * torch.arange(-2, 3, dtype=torch.float64)
    x = middle + steps[:, None, None] * direction  # [5, count, d]
    q = Q(x.flatten(0, 1)).unflatten(0, (5, count))  # [5, count, columns]
    large = LARGE * (q - q.mean((0, 1))).abs().mean((0, 1)) + NOISE * q.abs().amax((0, 1))
    odd = (q.diff(n=4, dim=0)[0].abs() > large).nonzero()  # [m, 2]: stencils and columns
    if not len(odd):
        return None
    if d > 2:  # no breaks reach so far
        return middle.new_zeros(0, d)
    _require_not_narrow(Q, x, q, odd[:: max(1, len(odd) // MANY)], rng)
    there = [middle[odd[odd[:, 1] == column, 0]] for column in odd[:, 1].unique().tolist()]
    return torch.cat([p[:: -(-len(p) // (4 if len(p) < SMALL * count else 2))] for p in there])


def _require_not_narrow(
    Q: Callable[[Tensor], Tensor], x: Tensor, q: Tensor, odd: Tensor, rng: Noise
) -> None:
    """TooManyNodes if the point of a stencil that differs most has hardly a neighbour like it: on
    the one side of a jump or along a kink there are many, in a narrow strip or box there are not.
    """
    x, q = x[:, odd[:, 0]], q[:, odd[:, 0], odd[:, 1]]  # [5, m, d], [5, m]
    height, which = (q - q.median(0).values).abs().max(0)
    m = torch.arange(len(odd))
    point, value = x[which, m], q[which, m]  # [m, d], [m]
    around = point + NEAR * (2 * rng.uniform((NEIGHBOURS, *point.shape), point) - 1)
    there = Q(around.flatten(0, 1)).unflatten(0, around.shape[:2])[:, m, odd[:, 1]]
    alike = ((there - value).abs() < height / 2).sum(0)
    slope = (there - there.median(0).values).abs().median(0).values
    alike[slope > height / 4] = NEIGHBOURS  # not unlike: the neighbours differ as much
    if (alike <= FEW).any():
        where = [round(e, 2) for e in point[alike.argmin()].tolist()]
        raise TooManyNodes(
            f"Q has a feature narrower than {NEAR} about ε = {where}, too narrow for nodes in "
            f"{len(where)} dimensions; measure it instead"
        )


def _spread(count: int, d: int) -> Tensor:
    """Points of N(0, I) that leave no large gap, on any axis and in space, [count, d].

    Kronecker's sequence i·(φ⁻¹, φ⁻², …) with φ^(d+1) = φ + 1 (Roberts 2018).
    """
    phi = 2.0
    for _ in range(40):
        phi = (1 + phi) ** (1 / (d + 1))
    powers = phi ** -torch.arange(1, d + 1, dtype=torch.float64)
    u = (0.5 + torch.arange(1, count + 1, dtype=torch.float64)[:, None] * powers) % 1
    return torch.special.ndtri(u)
