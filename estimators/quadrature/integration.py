"""∫ f(ε) N(ε; 0, I) dε for vector-valued f: panel by panel on a line, on grids in two or three
dimensions; where f jumps on a plane, panel by panel on lines of lines, ∫(∫f dε₂)dε₁. Every answer
comes with its own error, from two rules and from how f grows towards the end of the nodes.

What lies wholly between the nodes of both rules is not seen, unless a break stands there: features
narrower than about 0.01 (in units of ε) on a line, 0.1 on a plane, 0.3 in space. `features` finds
breaks.
"""

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor

from estimators.policies import TooManyNodes

Integrand = Callable[[Tensor], tuple[Tensor, Tensor]]  # [m, dimensions] -> f, |f|: [m, entries]
Sums = tuple[Tensor, Tensor, Tensor]  # value, its error, and ∫|f|

REACH = 12.0  # ε ∈ [−12, 12]: beyond, N(0, 1) has mass 4e-33
NODES = 16  # a panel
PANELS = 64  # of a line, to begin with; finer in the middle, where the mass is
ACROSS, SIDE = 8.0, 10  # lines of lines: ε ∈ [−8, 8], beyond a mass of 1e-15; panels to begin with
GRIDS = {2: (12, 16, 24, 32), 3: (4, 6, 8)}  # panels of a side
MAX_PANELS = 512  # of a line, open at a time; more means that f is noise at this tolerance
FLOOR = 1e-2  # a scale below this counts as this: a zero is a zero to within rounding
HALVINGS = 60
SMOOTH, FEW = 2, 6  # halvings after which a panel holds a jump or kink, and its nodes from then on
LINES = 1e-8  # tolerance on lines of lines ...
GOOD = 1e-10  # ... of a grid: more, and f may have a slight kink, about which grids agree by chance
EPS = torch.finfo(torch.float64).eps


def integrate(
    f: Integrand,
    dimensions: int,
    *,
    chunk: int,
    limit: int,
    tolerance: float,
    noise: Tensor,
    breaks: Tensor | None = None,
) -> Sums:
    """Value, error and scale ∫|f|, each [entries]; not better than it says, but maybe worse
    than `tolerance` if `limit` nodes do not do.

    noise: of rounding, [entries], which no nodes make less, and which the error does not hold.
    breaks: where f is not smooth, [breaks, dimensions]; none of them at all if None. In three
    dimensions TooManyNodes if there are any.
    """
    if dimensions == 0:
        value, scale = (v[0] for v in f(torch.zeros(1, 0, dtype=torch.float64)))
        return value, 8 * EPS * scale.clamp(min=FLOOR), scale
    if breaks is not None and dimensions > 2:
        raise TooManyNodes(
            "Q or log π has jumps, kinks or features narrower than a grid of nodes in three "
            "dimensions; measure it instead"
        )
    if dimensions > 1:
        value, error, scale = _grids(f, dimensions, chunk, limit, tolerance, noise, breaks is None)
    good = max(tolerance, GOOD)
    if dimensions == 1 or (dimensions == 2 and not (error <= _due(good, scale, noise)).all()):
        tolerance = tolerance if dimensions == 1 else max(tolerance, LINES)
        axes = torch.zeros(dimensions, 0) if breaks is None else breaks.double().cpu().T
        f, start = _counted(f, chunk, limit), torch.zeros(1, 0, dtype=torch.float64)
        target = None if dimensions == 1 else _due(tolerance, scale, noise)[None]
        value, error, scale, *ends = _lines(f, start, axes, target, tolerance, noise)[:, 0]
        error = error + _beyond(torch.stack(ends[::2]), torch.stack(ends[1::2])).sum(0)
    return value, error + 8 * EPS * scale.clamp(min=FLOOR), scale  # and rounding


def _due(tolerance: float, scale: Tensor, noise: Tensor) -> Tensor:
    return tolerance * scale.clamp(min=FLOOR) + noise


def _counted(f: Integrand, chunk: int, limit: int) -> Integrand:
    """f, on a chunk at a time; TooManyNodes after `limit`."""
    seen = 0

    def counted(x: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal seen
        seen += len(x)
        if seen > limit:
            raise TooManyNodes(f"more than {limit:,} nodes on lines of lines; measure it instead")
        value, size = zip(*[f(part) for part in x.split(chunk)], strict=True)
        return torch.cat(value), torch.cat(size)

    return counted


def _lines(
    f: Integrand,
    before: Tensor,
    axes: Tensor,
    target: Tensor | None,
    tolerance: float,
    noise: Tensor,
) -> Tensor:
    """∫dε_j … ∫dε_d f, given the coordinates `before` of each line, [lines, j − 1]: where a jump
    of f crosses the inner lines, the outer integrand is smooth. axes: breaks, [d − j + 1, breaks].
    Value, error, ∫|f|, and for the ends of each axis what `_adaptive` says: [·, lines, entries].
    """

    def along(x: Tensor, owner: Tensor) -> Tensor:
        at = torch.cat([before[owner], x[:, None]], 1)
        if len(axes) == 1:
            value, size = f(at)
            return torch.stack([value, torch.zeros_like(value), size])
        assert target is not None
        finer = target[owner] / (4 * REACH * _density(x)[:, None])
        return _lines(f, at, axes[1:], finer, tolerance, noise)

    edges = _edges(before.shape[1] + len(axes))
    return _adaptive(along, len(before), edges, axes[0], target, tolerance, noise)


def _adaptive(
    f: Callable[[Tensor, Tensor], Tensor],
    lines: int,
    edges: Tensor,
    breaks: Tensor,
    target: Tensor | None,
    tolerance: float,
    noise: Tensor,
) -> Tensor:
    """Panels of each line, halved until whole and halves agree to `target` [lines, entries], or
    to `tolerance` of the scale. f: x [m] and on which line it is [m] -> [·, m, entries], of which
    the first is a value, the second its error and the third |f|. What f gives, integrated, and |f|
    on the outermost panel and the one next to it, at both ends: [· + 4, lines, entries].
    """
    ends = edges[[0, 1, 2, -3, -2, -1]]
    edges = torch.cat([edges, breaks.clamp(edges[0], edges[-1])]).sort().values
    edges = edges[torch.cat([torch.ones(1, dtype=torch.bool), edges.diff() > 1e-9])]

    def sums_on(owner: Tensor, left: Tensor, right: Tensor, nodes: int) -> Tensor:
        """[·, panels, entries]."""
        x, w = _on_panels(_lobatto(nodes), left, right)
        sums = f(x.flatten(), owner.repeat_interleave(nodes))
        return (sums * w.reshape(-1, 1)).unflatten(1, x.shape).sum(2)

    def of_lines(sums: Tensor, owner: Tensor) -> Tensor:
        """[·, panels, entries] -> [·, lines, entries]."""
        return sums.new_zeros(len(sums), lines, sums.shape[-1]).index_add(1, owner, sums)

    owner = torch.arange(lines).repeat_interleave(len(edges) - 1)
    left, right = edges[:-1].repeat(lines), edges[1:].repeat(lines)
    whole = sums_on(owner, left, right, NODES)
    shell = torch.bucketize((left + right) / 2, ends)  # 1, 2 at the lower end; 4, 5 at the upper
    at_the_ends = [of_lines(whole[2:3] * (shell == i)[:, None], owner) for i in (1, 2, 5, 4)]
    total = torch.zeros_like(of_lines(whole, owner))
    # about a kink two rules may agree by chance: there, and where they once did not, twice in a row
    sharp = torch.isin(left, breaks) | torch.isin(right, breaks)
    agreed, last_gap = ~sharp, torch.full_like(whole[0], torch.inf)
    twice = target is None
    if target is None:
        target = _due(tolerance, of_lines(whole[2:3], owner)[0], noise)
    for depth in range(HALVINGS):
        middle = (left + right) / 2
        sides = torch.cat([left, middle]), torch.cat([middle, right])
        both = sums_on(owner.repeat(2), *sides, NODES if depth < SMOOTH else FEW)
        first, second = both.chunk(2, 1)
        halves = first + second
        gap = (halves[0] - whole[0]).abs()
        agree = (gap <= target[owner]).all(1)
        undone = ~(agree & agreed) if twice else ~agree
        noisy = undone.sum() > MAX_PANELS * lines or not halves.isfinite().all()
        if noisy or depth == HALVINGS - 1:
            undone[:] = False
        halves[1] += _off(gap, last_gap, 1e-3)
        total += of_lines(halves[:, ~undone], owner[~undone])
        if not undone.any():
            break
        left, middle, right = left[undone], middle[undone], right[undone]
        left, right = torch.cat([left, middle]), torch.cat([middle, right])
        owner, whole = owner[undone].repeat(2), torch.cat([first[:, undone], second[:, undone]], 1)
        agreed, last_gap = agree[undone].repeat(2), gap[undone].repeat(2, 1)
    return torch.cat([total, *at_the_ends])


def _off(gap: Tensor, last_gap: Tensor, slow: float) -> Tensor:
    """How far the finer of two rules may be off, that differ by `gap`: if they come nearer slowly,
    as about a kink or a jump, it is off by as much as the last two differed, and by chance so is
    the other. slow: more than a smooth f leaves of the last gap."""
    return torch.where(gap > slow * last_gap, torch.maximum(gap, last_gap), gap)


def _edges(dimensions: int) -> Tensor:
    """Where the panels of a line end."""
    if dimensions > 1:
        return torch.linspace(-ACROSS, ACROSS, SIDE + 1, dtype=torch.float64)
    t = torch.linspace(-1, 1, PANELS + 1, dtype=torch.float64)
    return REACH * (t + t**3) / 2


def _beyond(outermost: Tensor, next_to_it: Tensor) -> Tensor:
    """∫|f| beyond the outermost panel, if it falls from panel to panel at least as fast as over the
    last two, as for a log-concave |f|N; infinite if it does not fall. Where f is 0 but for
    rounding, it is nothing."""
    ratio = outermost / next_to_it
    beyond = torch.where(ratio < 1, outermost * ratio / (1 - ratio), torch.inf)
    return torch.where(outermost <= EPS**2, 0.0, beyond)


def _grids(
    f: Integrand,
    dimensions: int,
    chunk: int,
    limit: int,
    tolerance: float,
    noise: Tensor,
    smooth: bool,
) -> Sums:
    """Products of panel rules with ever more panels, until two agree: of an even number, 0 is an
    edge and, Gauss rules keeping off the edges, a sign(ε) does no harm. Where f is not smooth, one
    for the scale alone."""
    before, last_gap = torch.tensor(torch.inf), torch.tensor(torch.inf)
    for panels in GRIDS[dimensions]:
        if (NODES * panels) ** dimensions > limit and panels != GRIDS[dimensions][0]:
            break
        edges = torch.linspace(-REACH, REACH, panels + 1, dtype=torch.float64)
        x, w = (v.reshape(-1) for v in _on_panels(_gauss(NODES), edges[:-1], edges[1:]))
        value, scale, tail = _grid(f, x, w, dimensions, chunk)
        gap = (value - before).abs()
        error = _off(gap, 4 * last_gap, 0.075) + tail
        if not smooth or (error <= _due(tolerance, scale, noise)).all():
            break
        if panels == GRIDS[2][-1]:  # the last did not do: whatever f is, it is not smooth
            error = 4 * torch.maximum(gap, last_gap) + tail
        before, last_gap = value, gap
    return value, error, scale


def _grid(f: Integrand, x: Tensor, w: Tensor, dimensions: int, chunk: int) -> Sums:
    """Σ w f, Σ |w f|, and what lies beyond the grid, which is never held whole."""
    count = len(x)
    shell = torch.zeros(2, count, dtype=torch.float64)  # the outermost panels, the next ones
    shell[0, :NODES] = shell[0, -NODES:] = 1
    shell[1, NODES : 2 * NODES] = shell[1, -2 * NODES : -NODES] = 1
    sums: list[Tensor] = []
    for flat in torch.arange(count**dimensions).split(chunk):
        index = torch.stack([flat // count**i % count for i in range(dimensions)], 1)
        value, size = f(x[index])
        weight = w[index].prod(1)
        part = [weight @ value, weight @ size, (shell[:, index] * weight[:, None]).mT @ size]
        sums = part if not sums else [a + b for a, b in zip(sums, part, strict=True)]
    value, scale, (outermost, next_to_it) = sums
    return value, scale, _beyond(outermost, next_to_it).sum(0)


def _density(x: Tensor) -> Tensor:
    return torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


@cache
def _gauss(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Legendre on [−1, 1]."""
    return np.polynomial.legendre.leggauss(nodes)


@cache
def _lobatto(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Lobatto on [−1, 1]: it looks at the ends, so no jump hides between panels."""
    last = np.polynomial.Legendre.basis(nodes - 1)
    t = np.concatenate([[-1.0], np.sort(last.deriv().roots().real), [1.0]])
    return t, 2 / (nodes * (nodes - 1) * last(t) ** 2)


def _on_panels(
    rule: tuple[np.ndarray, np.ndarray], left: Tensor, right: Tensor
) -> tuple[Tensor, Tensor]:
    """The rule on each panel, times the normal density: nodes and weights [panels, NODES]."""
    t, w = (torch.as_tensor(v) for v in rule)
    half = (right - left)[:, None] / 2
    x = (left + right)[:, None] / 2 + half * t
    return x, half * w * _density(x)
