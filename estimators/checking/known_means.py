"""Control variates for a check: polynomials in the noise, whose means are known to be zero.

    y = g − Σ_j β_j h_j(ε),   E[h_j] = 0,   so E[y] = E[g] whatever β is

if β comes from other draws. h: products of normalised Hermite polynomials of normal draws,
Legendre polynomials of uniform ones, and centred indicators of categories. On smooth problems with
few draws they explain nearly all of the variance, and a mean is known from a hundredth of the
estimates. Reference: Glasserman 2003, §4.1. Only for independent draws (a plain `Noise`).
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from estimators.noise import Recorded

MAX_FEATURES = 96
DEGREES = (4, 6)  # high ones fit better, and have heavy tails of their own
BETTER = 4.0  # times less variance is what makes up for them
MAX_SCALARS = 4
MAX_COLUMNS = 64
WORTH = 0.5  # a residual variance above this part of the whole is not worth the work


@dataclass(frozen=True, eq=False)
class Controls:
    """Which draws make the polynomials, and the coefficients fitted to them."""

    axes: tuple[int, ...]  # that hold the rows, one for each call of the noise source
    chosen: tuple[int, ...]
    degree: int
    beta: Tensor  # [features, p]
    left: float  # of the variance, in the entry that is explained worst

    def explain(self, noise: Recorded, count: int) -> Tensor:
        """Σ_j β_j h_j for each row, [count, p]."""
        rows = _features(noise, count, self.axes, self.chosen, self.degree)
        explained = self.beta.new_zeros(self.beta.shape[1], count)
        for h, beta in zip(rows, self.beta, strict=True):  # a matrix of them would be filled slowly
            explained.addcmul_(h, beta[:, None])
        return explained.T


def fit(noise: Recorded, g: Tensor) -> Controls | None:
    """β by least squares on half of the pilot's rows, of the degree that explains the other half
    best; None unless that is enough in every entry. g: [rows, p], float64."""
    axes = _row_axes(noise, len(g))
    if axes is None or not noise.draws:
        return None
    chosen = _most_telling(_columns(noise, axes, len(g)), g)
    tried = [_fit(noise, g, axes, chosen, degree) for degree in DEGREES]
    best = tried[0]
    for higher in tried[1:]:
        best = higher if higher.left * BETTER <= best.left else best
    return best if best.left <= WORTH else None


def _fit(
    noise: Recorded, g: Tensor, axes: tuple[int, ...], chosen: tuple[int, ...], degree: int
) -> Controls:
    rows = _features(noise, len(g), axes, chosen, degree)
    h = torch.stack(rows, 1) if rows else g.new_zeros(len(g), 0)
    half = len(g) // 2
    centred = g - g[:half].mean(0)
    beta = torch.linalg.lstsq(h[:half], centred[:half]).solution
    whole = centred[half:].var(0)
    left = (centred[half:] - h[half:] @ beta).var(0)
    beta[:, left > whole] = 0
    share = torch.where(whole > 0, left.minimum(whole) / whole, 0.0)
    return Controls(axes, chosen, degree, beta, float(share.max()))


def _row_axes(noise: Recorded, count: int) -> tuple[int, ...] | None:
    """The axis of each draw that holds the rows; None where that cannot be told, or where an
    estimate makes too many draws to look at."""
    axes = []
    for draw in noise.scalars:
        mine = [i for i, size in enumerate(draw.shape) if size == count]
        if len(mine) != 1:
            return None
        axes.append(mine[0])
    scalars = sum(draw.x.numel() // count for draw in noise.scalars)
    return tuple(axes) if scalars <= MAX_COLUMNS else None


def _columns(noise: Recorded, axes: tuple[int, ...], count: int) -> list[tuple[str, Tensor]]:
    """Every scalar draw of an estimate as a column [count]; those that the pilot did not make are
    left out."""
    columns = []
    for draw, axis in zip(noise.scalars, axes, strict=False):
        flat = draw.x.movedim(axis, 0).reshape(count, -1).double()
        columns += [(draw.law, column) for column in flat.unbind(1)]
    return columns


def _most_telling(columns: list[tuple[str, Tensor]], g: Tensor) -> tuple[int, ...]:
    """The draws whose first two polynomials correlate with some entry of g, the best of them."""
    z = (g - g.mean(0)) / g.std(0)
    told = []
    for kind, x in columns:
        h = torch.stack(_polynomials(kind, x, 2)[1:], 1)
        told.append(float(((h.T @ z / len(g)) ** 2).sum(0).nan_to_num().max()))
    chance = 16 / len(g)
    heard = [i for i in range(len(columns)) if told[i] > chance]
    best = sorted(heard, key=lambda i: -told[i])[:MAX_SCALARS]
    return tuple(sorted(best))


def _features(
    noise: Recorded, count: int, axes: tuple[int, ...], chosen: tuple[int, ...], highest: int
) -> list[Tensor]:
    """All products of total degree ≤ highest, or as far as MAX_FEATURES allows, in every category:
    each [count]."""
    columns = _columns(noise, axes, count)
    cells, probabilities = _cells(noise, count)
    limit = MAX_FEATURES // cells.shape[1]
    s = len(chosen)
    degree = max(d for d in range(highest + 1) if math.comb(s + d, d) <= max(1, limit))
    one = [_polynomials(*columns[i], degree) for i in chosen]
    products = []
    for powers in itertools.product(range(degree + 1), repeat=s):
        if 0 < sum(powers) <= degree:
            factors = [one[i][d] for i, d in enumerate(powers) if d]
            products.append(math.prod(factors[1:], start=factors[0]))
    if cells.shape[1] == 1:
        return products
    centred = (cells - probabilities)[:, 1:]
    return [h * cell for cell in cells.unbind(1) for h in products] + list(centred.unbind(1))


def _cells(noise: Recorded, count: int) -> tuple[Tensor, Tensor]:
    """Indicator and probability of every combination of categories, [count, cells] both; one
    cell, always true, if there are none or too many."""
    indicator = probability = torch.ones(count, 1, dtype=torch.float64)
    for weights, k in noise.categories:
        K = weights.shape[-1]
        if k.shape[1:] != (count,) or indicator.shape[1] * K ** len(k) > 8:
            return (torch.ones(count, 1, dtype=torch.float64),) * 2
        for draw in k:
            hot = torch.nn.functional.one_hot(draw, K).double()
            indicator = (indicator[:, :, None] * hot[:, None]).flatten(1)
            probability = (probability[:, :, None] * weights.double()[:, None]).flatten(1)
    return indicator, probability


def _polynomials(kind: str, x: Tensor, degree: int) -> list[Tensor]:
    """1, h_1(x), …, h_degree(x), orthonormal under the law of x (recurrences: Abramowitz and
    Stegun, table 22.7)."""
    recur: dict[str, Callable[[int, Tensor, Tensor, Tensor], Tensor]] = {
        "normal": lambda n, t, now, last: t * now - n * last,
        "uniform": lambda n, t, now, last: ((2 * n + 1) * t * now - n * last) / (n + 1),
    }
    t = 2 * x - 1 if kind == "uniform" else x
    h = [torch.ones_like(t), t]
    for n in range(1, degree):
        h.append(recur[kind](n, t, h[n], h[n - 1]))
    size = math.factorial if kind == "normal" else lambda n: 1 / (2 * n + 1)
    return [p / math.sqrt(size(n)) for n, p in enumerate(h[: degree + 1])]
