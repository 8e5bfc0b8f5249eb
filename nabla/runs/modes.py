"""How many modes exp(Q(s, ·)/α) has, how deep and how far apart: what a policy has to fit.

f(u) = Q̃(s, u)/α is the log density from which SAC's actor is to differ least, with the log-det of
tanh if actions are squashed. The depth of a mode (its topological prominence) is how far one must
descend from it to reach a higher one, in nats; the highest has infinite depth.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from estimators import Noise

LogDensity = Callable[[Tensor], Tensor]  # [..., states, d] -> [..., states]
BELOW = 12.0  # nats under the highest: what is lower is e⁻¹² of it, and left out of grids
LEAST = 0.1  # nats: what is shallower is no mode here
STARTS, STEPS, BETWEEN = 32, 150, 15  # ascents, their steps, points of the line between two ends


@dataclass(frozen=True, eq=False)
class Modes:
    """Of one state, the highest first: at [modes, d]; drop, how many nats below the highest; depth;
    mass, the share of exp f in its basin (NaN where no grid says)."""

    at: np.ndarray
    drop: np.ndarray
    depth: np.ndarray
    mass: np.ndarray

    def counting(self, depth: float, drop: float) -> np.ndarray:
        """Which of them are at least so deep and at most so far below the highest."""
        return (self.depth >= depth) & (self.drop <= drop)


def depths(
    height: np.ndarray, edges: np.ndarray, level: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How far one must descend from each vertex of a graph to reach a higher one, and which peak
    one comes to: both [n]. Infinite, and itself, for the highest.

    height: [n]; edges: [m, 2]; level: [m], the lowest point along an edge. Edges are joined from
    the highest down (Kruskal): where two parts meet, the lower of their peaks ends.
    """
    depth, into = np.full(len(height), np.inf), np.arange(len(height))
    part = list(range(len(height)))

    def peak(i: int) -> int:
        while part[i] != i:
            part[i] = part[part[i]]
            i = part[i]
        return i

    order = np.argsort(-level, kind="stable")
    for (a, b), meet in zip(edges[order].tolist(), level[order].tolist(), strict=True):
        i, j = peak(a), peak(b)
        if i != j:
            low, high = (i, j) if height[i] < height[j] else (j, i)
            depth[low], into[low], part[low] = height[low] - meet, high, high
    return depth, into


def on_grid(values: np.ndarray, axis: np.ndarray) -> Modes:
    """The modes of f on a grid, values: [points] or [points, points], axis: [points].

    Neighbours touch at a side or a corner. A basin is what climbs to its mode by the steepest
    neighbour, or to a mode that is too shallow and runs over into it.
    """
    top, number = values.max(), np.full(values.shape, -1)
    inside = np.nonzero(values > top - BELOW)
    number[inside] = np.arange(len(inside[0]))
    height, edges = values[inside], _neighbours(number)
    depth, into = depths(height, edges, height[edges].min(1))

    low = height[edges].argmin(1)
    lower, higher = (edges[np.arange(len(edges)), side] for side in (low, 1 - low))
    order = np.argsort(height[higher], kind="stable")
    home = np.arange(len(height))
    home[lower[order]] = higher[order]  # the last, steepest one stays
    home[depth >= LEAST] = np.flatnonzero(depth >= LEAST)
    summit = home == np.arange(len(home))
    home[summit & (depth < LEAST)] = into[summit & (depth < LEAST)]
    while (home[home] != home).any():
        home = home[home]

    modes = np.flatnonzero(depth >= LEAST)
    modes = modes[np.argsort(-height[modes], kind="stable")]
    weight = np.exp(height - top)
    mass = np.array([weight[home == mode].sum() for mode in modes]) / weight.sum()
    at = np.stack([axis[i[modes]] for i in inside], 1)
    return Modes(at, top - height[modes], depth[modes], mass)


def _neighbours(number: np.ndarray) -> np.ndarray:
    """[m, 2]: the numbers ≥ 0 that touch on a grid of one or two dimensions."""
    shifts = [(1,)] if number.ndim == 1 else [(1, 0), (0, 1), (1, 1), (1, -1)]
    pairs = []
    for shift in shifts:
        one = tuple(
            slice(max(-s, 0), n - max(s, 0)) for s, n in zip(shift, number.shape, strict=True)
        )
        two = tuple(
            slice(max(s, 0), n - max(-s, 0)) for s, n in zip(shift, number.shape, strict=True)
        )
        pairs.append(np.stack([number[one].ravel(), number[two].ravel()], 1))
    edges = np.concatenate(pairs)
    return edges[(edges >= 0).all(1)]


def grid_values(f: LogDensity, axis: Tensor, like: Tensor, chunk: int = 2000) -> np.ndarray:
    """f of every state on axis^d, d ≤ 2: [states, points] or [states, points, points].

    like: [states, d].
    """
    states, d = like.shape
    points = torch.cartesian_prod(*[axis] * d).view(-1, 1, d).to(like)
    with torch.no_grad():
        parts = [f(part.expand(-1, states, d)) for part in points.split(chunk)]
    return torch.cat(parts).T.reshape(states, *[len(axis)] * d).double().numpy()


def by_ascent(f: LogDensity, sigma: Tensor, starts: Tensor) -> list[Modes]:
    """The modes of f that ascents reach, and how far a straight line between two of them dips.

    sigma: [states, d], the scale of the policy; starts: [ascents, states, d]. Adam in units of σ,
    its rate falling from 0.1 to 0. A detour may dip less than the straight line (or the broken one,
    over other ends): of the modes reached, this says at most too many, and too deep.
    """
    u = _climbed(f, sigma, starts)  # [ascents, states, d]
    i, j = np.triu_indices(len(u), 1)
    t = torch.linspace(0, 1, BETWEEN + 2).to(u)[1:-1]
    with torch.no_grad():
        height = f(u)  # [ascents, states]
        lowest = torch.minimum(height[i], height[j])  # [pairs, states]
        for share in t:
            lowest = torch.minimum(lowest, f(u[i] + share * (u[j] - u[i])))
    found = []
    for s in range(u.shape[1]):
        h, level = (x[:, s].double().numpy() for x in (height, lowest))
        depth, _ = depths(h, np.stack([i, j], 1), level)
        modes = np.flatnonzero(depth >= LEAST)
        modes = modes[np.argsort(-h[modes], kind="stable")]
        at = u[modes, s].double().numpy()
        found.append(Modes(at, h.max() - h[modes], depth[modes], np.full(len(modes), np.nan)))
    return found


def _climbed(f: LogDensity, sigma: Tensor, starts: Tensor) -> Tensor:
    """The highest point of each ascent."""
    x = (starts / sigma).requires_grad_()
    best, highest = starts.clone(), torch.full(starts.shape[:-1], -torch.inf).to(starts)
    adam = torch.optim.Adam([x], lr=0.1)
    for step in range(STEPS + 1):
        values = f(x * sigma)
        with torch.no_grad():
            better = values > highest
            highest = torch.where(better, values, highest)
            best = torch.where(better[..., None], x * sigma, best)
        adam.param_groups[0]["lr"] = 0.1 * (1 - step / STEPS)
        (x.grad,) = torch.autograd.grad(-values.sum(), x)
        adam.step()
    return best


def starting_points(mu: Tensor, sigma: Tensor, rng: Noise, squash: bool) -> Tensor:
    """[STARTS, states, d]: half as the policy's actions lie, half uniform in the box of actions
    (or, not squashed, within ±5 σ)."""
    shape = (STARTS // 2, *mu.shape)
    box = 2 * rng.uniform(shape, mu) - 1
    return torch.cat(
        [
            mu + sigma * rng.normal(shape, mu),
            torch.atanh(0.999 * box) if squash else mu + 5 * sigma * box,
        ]
    )


def random_plane(
    f: LogDensity, centre: Tensor, sigma: Tensor, rng: Noise, axis: Tensor
) -> list[Modes]:
    """The modes of f along a random plane through `centre` [states, d]; axis, and the places `at`
    which they are, in units of σ, in which its two directions are orthonormal."""
    raw = rng.normal((2, *centre.shape), centre)  # [2, states, d]
    one = raw[0] / raw[0].norm(dim=-1, keepdim=True)
    two = raw[1] - (raw[1] * one).sum(-1, keepdim=True) * one
    frame = torch.stack([one, two / two.norm(dim=-1, keepdim=True)]) * sigma  # [2, states, d]

    def along(x: Tensor) -> Tensor:
        """[..., states, 2] -> [..., states]"""
        return f(centre + x[..., :1] * frame[0] + x[..., 1:] * frame[1])

    values = grid_values(along, axis, centre[:, :2])
    return [on_grid(v, axis.double().numpy()) for v in values]
