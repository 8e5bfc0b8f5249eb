"""A sequential test of many means at once: are they all zero, and how sure is that?

At look k the mean of n independent rows is compared, entry by entry, with a limit that spends
α_k = α/(k(k+1)) of the false-alarm rate (Σ α_k = α, however long it goes on), divided by the p
entries (Bonferroni) and the two sides. It ends in one of three ways: some mean is off; every mean
is zero to within δ standard deviations, that is, one of that size would have been seen with
probability 1 − β; or the budget is used up.

The t statistic of a skewed sample has its tail at z + |γ|(2z² + 1)/(6√n), not at z (Hall 1992,
§2.6), γ the skewness; where that correction is more than MAX_CORRECTION, n is too small for the
central limit theorem and no verdict is given. Where the variance seems infinite (`tails`), none is
given at all. An entry that was the same in every draw is no evidence of a bias before a right
estimate would have varied (`activity`): until then there is an event that has not been drawn.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import torch
from torch import Tensor

from estimators.checking.activity import SEEN
from estimators.checking.tails import Tails

FIRST = 2**15  # a first look at fewer has not seen what happens once in a thousand draws
MAX_CORRECTION = 1.0  # standard errors
RARE = 16.0  # slacks that the deviations of a constant keep within
ENOUGH = 100  # draws of the rarest event

# count -> three times [count, p]: deviations, whose means are tested; the same before control
# variates, whose tails are looked at; estimates, whose standard deviations are the unit of δ.
Draw = Callable[[int], tuple[Tensor, Tensor, Tensor]]


def quantile(p: float) -> float:
    """z with P(N(0, 1) > z) = p."""
    return -NormalDist().inv_cdf(p)


@dataclass(frozen=True, eq=False)
class Look:
    """What is known after n rows, for each of the p entries."""

    verdict: Literal["biased", "unbiased", "undecided"]
    n: int
    mean: Tensor
    se: Tensor
    sd: Tensor  # of one estimate
    limit: Tensor  # in standard errors
    detectable: Tensor  # the smallest bias seen with probability 1 − β
    off: Tensor  # which means are not zero
    still: Tensor  # the value of those that never varied, and may not have had to; else nan
    more: int  # estimates still needed; 0 where more would not help
    why: str  # what keeps it undecided
    decidable: float  # the smallest δ that these rows can decide; infinite where none


def sequential(
    draw: Draw,
    *,
    slack: Tensor,
    delta: float,
    false_alarm: float,
    miss: float,
    budget: int,
    chunk: int,
    most: int = 0,
    first: int = FIRST,
    rarest: float = 1.0,
    active: Callable[[], Tensor] | None = None,
) -> Look:
    """Draw until the question is settled or `budget` rows are used; more of them, up to `most`,
    where that would settle it.

    slack: deviations that rounding and the reference's own error explain, [p]. An entry that
    varies by less than its slack is taken for a constant. rarest: the probability of the rarest
    event that is known to matter; without ENOUGH of them nothing is decided. active: the share of
    rows in which a right entry varies, [p]; asked for where one does not.
    """
    sums = _Sums(len(slack))
    looks, target = 0, first
    while True:
        target = min(target, budget)
        while sums.n < target:
            sums.add(*draw(min(chunk, target - sums.n)))
        looks += 1
        share = false_alarm / (looks * (looks + 1))
        look = _look(sums, slack, delta, share, miss, rarest, active)
        if look.verdict != "undecided":
            return look
        if sums.n >= budget:
            if not sums.n < sums.n + look.more <= most:
                return look
            budget = most
        # tails that look heavy are looked at again: more draws may show a bound
        needed = sums.n + look.more if look.more else 2 * sums.n
        target = min(2 * sums.n, max(math.ceil(1.02 * needed), sums.n + sums.n // 8))


def _look(
    sums: "_Sums",
    slack: Tensor,
    delta: float,
    share: float,
    miss: float,
    rarest: float,
    active: Callable[[], Tensor] | None,
) -> Look:
    n, p = sums.n, len(slack)
    z, z_miss = quantile(share / (2 * p)), quantile(miss)
    mean, spread, skew, sd, own_skew = sums.statistics()
    constant = spread <= slack
    spans = sums.high - sums.low  # [2, p], of deviations and estimates
    constant_estimate = spans[1] <= RARE * slack
    # rare events of an estimate are hidden by a reference that varies more: its own skewness counts
    skew = torch.where(constant_estimate, skew.abs(), skew.abs().maximum(own_skew.abs()))
    correction = skew * (2 * z**2 + 1) / (6 * math.sqrt(n))
    # a rare event that only begins to show is no constant, however small the deviation is so far
    correction = torch.where(constant & (spans[0] <= RARE * slack), 0.0, correction)
    limit = z + correction
    se = spread / math.sqrt(n)
    heavy = sums.tails.heavy_entries() & ~constant
    still = constant_estimate & (mean.abs() > limit * se + slack)
    due = n * active() if active is not None and still.any() else torch.full((p,), math.inf)
    still &= due < SEEN
    trusted = (correction <= MAX_CORRECTION) & ~heavy & (n * rarest >= ENOUGH) & ~still
    off = trusted & (mean.abs() > limit * se + slack)
    detectable = (limit + z_miss) * se
    reached = trusted & (constant | (detectable <= delta * sd))
    factor = torch.where(sd > 0, (detectable / (delta * sd)) ** 2, 1.0)
    factor = torch.where(trusted, factor, factor.maximum(correction**2))
    factor = torch.where(still, (SEEN / due).clamp(max=2.0), factor)[~reached]
    factor = factor.clamp(min=ENOUGH / (n * rarest))
    more = max(1, math.ceil(n * (float(factor.max()) - 1))) if len(factor) else 0
    if (heavy | (still & (due <= 0))).any():
        more = 0
    why = ""
    if heavy.any():
        why = sums.tails.describe(heavy)
    elif n * rarest < ENOUGH:
        why = f"a category has probability {rarest:.1e}, and is hardly ever drawn"
    elif still.any():
        unseen = -math.log(share) / n  # of this probability or more it would have been drawn
        why = f"an event of probability {unseen:.1e} or less may be all that it should feel"
    elif not trusted.all():
        why = f"the draws are too skewed for n = {n:,} (skewness {float(skew.max()):.0f})"
    elif not reached.all():
        why = "the budget is used up"
    verdict: Literal["biased", "unbiased", "undecided"] = "undecided"
    if off.any():
        verdict = "biased"
    elif reached.all():
        verdict = "unbiased"
    ratio = torch.where(constant, 0.0, detectable / sd).nan_to_num(nan=math.inf)
    decidable = _rounded_up(float(ratio.max())) if len(ratio) and trusted.all() else math.inf
    at = torch.where(still, sums.low[1], math.nan)
    return Look(verdict, n, mean, se, sd, limit, detectable, off, at, more, why, decidable)


def _rounded_up(x: float) -> float:
    """To two digits."""
    if not 0 < x < math.inf:
        return x
    unit = 10.0 ** (math.floor(math.log10(x)) - 1)
    return float(f"{math.ceil(x / unit) * unit:.2g}")


class _Sums:
    """Power sums of the deviations about the mean of the first chunk, and their largest values."""

    def __init__(self, p: int) -> None:
        self.n = 0
        self.powers = torch.zeros(3, p, dtype=torch.float64)
        self.estimates = torch.zeros(3, p, dtype=torch.float64)
        self.shift = torch.zeros(2, p, dtype=torch.float64)
        self.low = torch.full((2, p), math.inf, dtype=torch.float64)
        self.high = -self.low
        self.tails = Tails()

    def add(self, deviations: Tensor, plain: Tensor, estimates: Tensor) -> None:
        if self.n == 0:
            self.shift = torch.stack([deviations.mean(0), estimates.mean(0)])
        self.n += len(deviations)
        x, g = deviations - self.shift[0], estimates - self.shift[1]
        for sums, y in ((self.powers, x), (self.estimates, g)):
            square = y * y
            sums += torch.stack([y.sum(0), square.sum(0), (square * y).sum(0)])
        low, high = torch.stack([deviations, estimates]).aminmax(dim=1)
        self.low, self.high = self.low.minimum(low), self.high.maximum(high)
        self.tails.add((plain - self.shift[0]).abs())

    def statistics(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Mean, standard deviation and skewness of a deviation; the last two of an estimate."""
        mean, variance, skew = _central(self.powers / self.n)
        _, of_estimate, own_skew = _central(self.estimates / self.n)
        return self.shift[0] + mean, variance.sqrt(), skew, of_estimate.sqrt(), own_skew


def _central(powers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, variance and skewness from E[x], E[x²], E[x³]: [3, p]."""
    m1, m2, m3 = powers
    variance = (m2 - m1**2).clamp(min=0)  # shifted sums: the difference is of rounding only
    third = m3 - 3 * m1 * m2 + 2 * m1**3
    return m1, variance, torch.where(variance > 0, third / variance**1.5, 0.0)
