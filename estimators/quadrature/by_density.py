"""The exact gradient of a policy that has nothing but draws and a density: quadrature over actions.

    ∇J(θ) = Σ_k ∫ π(k, a) (cost(k, a) − b) ∇_θ log π(k, a) da,    b = E[cost]

over the values k of the coordinates that are drawn from few, and a grid in at most two others. The
substitution is double exponential (a = sinh(π/2 sinh t), tanh(π/2 sinh t) between two edges), and
the trapezoid rule in t is refined until two of them agree (Takahasi and Mori 1974). Where the
action lies is learnt from draws, so nothing is believed before the density has passed three tests
on the same nodes: ∫π = 1, ∫π ∇log π = 0, and E[cost] as draws have it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from estimators.gradients import flat, leaves, row_gradients
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Policy, TooManyNodes
from estimators.quadrature.answer import Exact

SEEN = 2**14  # actions from which is learnt where they lie
COORDINATES = 2  # to integrate over
COMBINATIONS = 64  # of values of the others
FIRST, MOST = 65, {1: 2**14 + 1, 2: 2**10 + 1}  # nodes of one coordinate
REACH = 4.0  # of t: sinh(π/2 sinh 4) = 3e18 spreads, and 1e-19 from an edge
AGREEMENT = 5e-7  # of two rules, relative to the scale
UNITY = 1e-8  # of ∫π = 1
CHUNK = 2**16  # nodes at once


@dataclass(frozen=True, eq=False)
class _Place:
    """Where the actions of a policy lie, state by state: of one coordinate, [*batch] each."""

    centre: Tensor
    spread: Tensor
    low: Tensor | None  # an edge, on both sides or on none
    high: Tensor | None

    def action(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """a(t) and da/dt: [m] -> [m, *batch] both."""
        t = t.view(-1, *(1,) * self.centre.ndim)
        s, ds = math.pi / 2 * torch.sinh(t), math.pi / 2 * torch.cosh(t)
        if self.low is None or self.high is None:
            return self.centre + self.spread * torch.sinh(s), self.spread * torch.cosh(s) * ds
        half = (self.high - self.low) / 2
        # the distance to the nearer edge, without cancellation
        edge = half * 2 / (1 + torch.exp(2 * s.abs()))
        a = torch.where(s < 0, self.low + edge, self.high - edge)
        return a, half * ds / torch.cosh(s) ** 2


def density_gradient(policy: Policy, objective: Objective, *, tolerance: float) -> Exact:
    """∇J, shaped like the parameters. Raises TooManyNodes where it is not within reach: more
    coordinates or values, a density that fails a test, two rules that disagree."""
    policy = policy.detach()
    drawn = policy.sample(SEEN, Noise(21, policy.like.device))  # [n, *batch, d]
    if len(policy.action) != 1 or not drawn.is_floating_point():
        raise TooManyNodes("the actions are indices; measure it instead")
    few = torch.tensor([len(x.unique()) <= COMBINATIONS for x in drawn.unbind(-1)])
    free = (~few).nonzero().flatten().tolist()
    values = drawn.new_zeros(1, 0)
    if few.any():
        values = drawn[..., few].flatten(0, -2).unique(dim=0)  # [combinations, few]
    if len(free) > COORDINATES or len(values) > COMBINATIONS:
        raise TooManyNodes(
            f"{len(free)} coordinates and {len(values)} values of the others are too many to be "
            "integrated over; measure it instead"
        )
    places = [_place(policy, drawn, i) for i in free]
    before, m = None, FIRST
    while m <= (MOST[len(free)] if free else FIRST):
        rule = _Rule(policy, objective, places, values, few, m)
        gradient, scale = rule.gradient()
        if before is not None or not free:
            error = 0.0 if before is None else float((flat(gradient) - before).abs().max())
            if error <= max(tolerance, 1e-12) * scale or not free:
                break
        before, m = flat(gradient), 2 * m - 1
    else:
        error = float("nan") if before is None else error
        if not error <= AGREEMENT * scale:
            raise TooManyNodes(
                f"two rules over the policy's density still disagree by {error:.1e}; measure it "
                "instead"
            )
    rule.require_density(scale)
    rule.require_mean(drawn)
    return Exact(gradient, error + rule.unity * scale)


def _place(policy: Policy, drawn: Tensor, i: int) -> _Place:
    x = drawn[..., i]
    first, centre, third = x.sort(0).values[:: SEEN // 4][1:4]  # quartiles: moments may not exist
    low, high = (_edge(policy, drawn, i, sign) for sign in (-1.0, 1.0))
    if (low is None) != (high is None):
        raise TooManyNodes("its actions are bounded on one side; measure it instead")
    return _Place(centre, (third - first) / 2, low, high)


def _edge(policy: Policy, drawn: Tensor, i: int, sign: float) -> Tensor | None:
    """Where the density ends: what the policy says of its support, or by bisection."""
    x = drawn[..., i]
    edge = x.amax(0) if sign > 0 else x.amin(0)
    if (said := policy.edges) is not None:
        return torch.full_like(edge, said[sign > 0]) if math.isfinite(said[sign > 0]) else None
    last = (x * sign).argmax(0, keepdim=True)  # the outermost action of each state
    a = drawn.gather(0, last.unsqueeze(-1).expand(1, *drawn.shape[1:]))[0].clone()

    def inside(at: Tensor) -> Tensor:
        moved = a.clone()
        moved[..., i] = at
        return policy.log_prob(moved[None])[0].isfinite()

    step = x.std(0) * sign
    far = edge + 1e3 * step
    if bool(inside(far).all()):
        return None
    within, beyond = edge, far
    for _ in range(200):
        middle = (within + beyond) / 2
        there = inside(middle)
        within, beyond = torch.where(there, middle, within), torch.where(there, beyond, middle)
    return within


class _Rule:
    """A grid of m nodes in each free coordinate, for every value of the others."""

    def __init__(
        self,
        policy: Policy,
        objective: Objective,
        places: list[_Place],
        values: Tensor,
        few: Tensor,
        m: int,
    ) -> None:
        self.policy, self.objective, self.few, self.values = policy, objective, few, values
        t = torch.linspace(-REACH, REACH, m, dtype=policy.like.dtype, device=policy.like.device)
        step = 2 * REACH / (m - 1)
        self.axes = [(a, step * slope) for a, slope in (place.action(t) for place in places)]
        self.sizes = [m] * len(places)
        self.unity = math.inf

    def parts(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Actions [m, *batch, d] and what they weigh, π included: [m, *batch]."""
        count = math.prod(self.sizes)
        batch, d = self.policy.batch, self.policy.action[0]
        for value in self.values:
            for start in range(0, count, CHUNK):
                index = torch.arange(start, min(start + CHUNK, count), device=value.device)
                a = torch.empty(len(index), *batch, d).to(value)
                a[..., self.few] = value
                weight = torch.ones(len(index), *batch).to(value)
                for i, (at, w) in zip((~self.few).nonzero().flatten(), self.axes, strict=True):
                    k, index = index % len(at), index // len(at)
                    a[..., i], weight = at[k], weight * w[k]
                log_prob = self.policy.log_prob(a)
                inside = log_prob.isfinite() & weight.isfinite()
                mass = torch.where(inside, (log_prob + weight.log()).exp(), 0.0)
                yield a, mass

    def gradient(self) -> tuple[dict[str, Tensor], float]:
        """∇J and its scale."""
        leaf = leaves(self.policy)
        total: Tensor | float = 0.0
        mean: Tensor | float = 0.0
        square: Tensor | float = 0.0
        kept = []
        for a, mass in self.parts():
            use = (mass > 0).reshape(len(mass), -1).any(1)  # of hardly any node in the tails
            if not use.any():
                continue
            a, mass = a[use], mass[use]
            cost = torch.where(mass > 0, self.objective.cost(self.policy, a).detach(), 0.0)
            total, mean = total + mass.sum(0), mean + (mass * cost).sum(0)
            square = square + (mass * cost.abs()).sum(0)
            kept.append((a, mass, cost))
        self.unity = float((torch.as_tensor(total) - 1).abs().max())
        self.mean = torch.as_tensor(mean)
        out: dict[str, Tensor] = {}
        self.score = dict(out)
        for a, mass, cost in kept:
            for into, c in ((out, cost - self.mean), (self.score, torch.ones_like(cost))):
                with torch.enable_grad():
                    log_prob = leaf.log_prob(a)
                    term = torch.where(mass > 0, mass * c * log_prob, 0.0).sum(0)
                    for k, g in row_gradients(term, leaf).items():
                        into[k] = into.get(k, 0.0) + g
        return out, float(torch.as_tensor(square).max()) + 1e-300

    def require_density(self, scale: float) -> None:
        worst = float(flat(self.score).abs().max())
        if not self.unity <= UNITY or not worst <= 1e2 * UNITY:
            raise TooManyNodes(
                f"the density integrates to 1 ± {self.unity:.1e} and its score to {worst:.1e} on "
                "the nodes that were tried; measure it instead"
            )

    def require_mean(self, drawn: Tensor) -> None:
        """Draws have seen what nodes have not, if their mean cost is another one."""
        cost = self.objective.cost(self.policy, drawn)
        off = (cost.mean(0) - self.mean).abs()
        if (off > 6 * cost.std(0) / math.sqrt(len(cost)) + 1e-9 * cost.abs().mean(0)).any():
            raise TooManyNodes(
                "random draws contradict nodes over the policy's density; measure it instead"
            )
