"""∫ f(ε) N(ε; 0, I) dε for vector-valued f: panel by panel in one dimension, on grids in two
or three. Every answer comes with its own error, from two rules.

What lies wholly between the nodes of both rules is not seen: features narrower than about 0.01
(in units of ε) in one dimension, 0.1 in two, 0.3 in three.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Integrand = Callable[[Tensor], Tensor]  # [m, dimensions] -> [m, entries]

REACH = 12.0  # ε ∈ [−12, 12]: beyond, N(0, 1) has mass 4e-33
NODES = 16  # a panel
PANELS = 64  # to begin with, in one dimension
MAX_PANELS = 512  # open at a time; more means that f is noise at this tolerance
FLOOR = 1e-2  # a scale below this counts as this: a zero is a zero to within rounding


def integrate(
    f: Integrand,
    dimensions: int,
    *,
    chunk: int,
    limit: int,
    tolerance: float,
    breaks: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Value, error and scale ∫|f|, each [entries]; not better than it says, but maybe worse
    than `tolerance` if `limit` nodes do not do. breaks: where to split the line to begin with.
    """
    if dimensions == 0:
        value = f(torch.zeros(1, 0, dtype=torch.float64))[0]
        return value, torch.finfo(torch.float64).eps * value.abs(), value.abs()
    if dimensions == 1:
        value, error, scale = _adaptive(f, chunk, tolerance, breaks)
    else:
        value, error, scale = _grids(f, dimensions, chunk, limit, tolerance)
    return value, error + 8 * torch.finfo(torch.float64).eps * scale, scale  # and rounding


def _adaptive(
    f: Integrand, chunk: int, tolerance: float, breaks: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Panels over [−REACH, REACH], each halved until whole and halves agree."""
    rule = _lobatto()

    def panels(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        x, w = _on_panels(rule, left, right)
        values = torch.cat([f(part) for part in x.reshape(-1, 1).split(chunk)])
        terms = (values * w.reshape(-1, 1)).unflatten(0, x.shape)
        return terms.sum(1), terms.abs().sum(1)  # [panels, entries] both

    ends = torch.tensor([[-REACH], [REACH]], dtype=torch.float64)
    error = f(ends).abs().sum(0) * math.exp(-(REACH**2) / 2) / math.sqrt(2 * math.pi) / REACH
    t = torch.linspace(-1, 1, PANELS + 1, dtype=torch.float64)
    edges = REACH * (t + t**3) / 2  # finer in the middle, where the mass is
    if breaks is not None:
        edges = torch.cat([edges, breaks.clamp(-REACH, REACH)]).sort().values
        edges = edges[torch.cat([torch.ones(1, dtype=torch.bool), edges.diff() > 1e-9])]
    left, right = edges[:-1], edges[1:]
    whole, size = panels(left, right)
    value, scale = torch.zeros_like(error), size.sum(0)
    for _ in range(60):
        middle = (left + right) / 2
        halves, _ = panels(torch.cat([left, middle]), torch.cat([middle, right]))
        first, second = halves.chunk(2)
        both, gap = first + second, (first + second - whole).abs()
        undone = ~(gap <= tolerance * scale.clamp(min=FLOOR)).all(1)
        if undone.sum() > MAX_PANELS or not halves.isfinite().all():
            break
        value, error = value + both[~undone].sum(0), error + gap[~undone].sum(0)
        both, gap = both[undone], gap[undone]
        if not undone.any():
            break
        left, middle, right = left[undone], middle[undone], right[undone]
        left, right = torch.cat([left, middle]), torch.cat([middle, right])
        whole = torch.cat([first[undone], second[undone]])
    return value + both.sum(0), error + gap.sum(0), scale


def _grids(
    f: Integrand, dimensions: int, chunk: int, limit: int, tolerance: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Products of panel rules with ever more panels, an even number: 0 is an edge and, Gauss
    rules keeping off the edges, a sign(ε) does no harm."""
    before: Tensor | None = None
    error = scale = torch.tensor(torch.inf)
    for panels in (12, 16, 24, 32, 48, 64) if dimensions == 2 else (4, 6, 8):
        if (NODES * panels) ** dimensions > limit:
            break
        edges = torch.linspace(-REACH, REACH, panels + 1, dtype=torch.float64)
        x, w = (v.reshape(-1) for v in _on_panels(_gauss(), edges[:-1], edges[1:]))
        value, scale, tail = _grid(f, x, w, dimensions, chunk)
        if before is not None:
            error = (value - before).abs() + tail
            if (error <= tolerance * scale.clamp(min=FLOOR)).all():
                return value, error, scale
        before = value
    if before is None:
        return torch.zeros(1), error.view(1), scale.view(1)
    return before, error.expand_as(before), scale


def _grid(
    f: Integrand, x: Tensor, w: Tensor, dimensions: int, chunk: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Σ w f, Σ |w f|, and Σ |w f| on the border of the grid, never held whole."""
    sums: list[Tensor] = []
    for flat in torch.arange(len(x) ** dimensions).split(chunk):
        index = torch.stack([flat // len(x) ** i % len(x) for i in range(dimensions)], 1)
        terms = f(x[index]) * w[index].prod(1, keepdim=True)
        border = ((index == 0) | (index == len(x) - 1)).any(1)
        part = [terms.sum(0), terms.abs().sum(0), terms[border].abs().sum(0)]
        sums = part if not sums else [a + b for a, b in zip(sums, part, strict=True)]
    return sums[0], sums[1], sums[2]


def _gauss() -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Legendre on [−1, 1]."""
    return np.polynomial.legendre.leggauss(NODES)


def _lobatto() -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Lobatto on [−1, 1]: it looks at the ends, so no jump hides between panels."""
    last = np.polynomial.Legendre.basis(NODES - 1)
    t = np.concatenate([[-1.0], np.sort(last.deriv().roots().real), [1.0]])
    return t, 2 / (NODES * (NODES - 1) * last(t) ** 2)


def _on_panels(
    rule: tuple[np.ndarray, np.ndarray], left: Tensor, right: Tensor
) -> tuple[Tensor, Tensor]:
    """The rule on each panel, times the normal density: nodes and weights [panels, NODES]."""
    t, w = (torch.as_tensor(v) for v in rule)
    half = (right - left)[:, None] / 2
    x = (left + right)[:, None] / 2 + half * t
    return x, half * w * torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
