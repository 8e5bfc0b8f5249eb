"""Is the variance finite? The index of a tail, from the largest values seen.

If P(|x| > t) falls like t^(−a), the variance is finite for a > 2 only. Hill's estimate is
1/a ≈ mean over the k largest of log(x_i/x_(k)), with relative standard error 1/√k (Hill 1975).
Tails of polynomials in normal variables, those of score functions, have no index: their estimate
grows as k/n falls, so k is kept small. A kurtosis of a few hundred is no reason to worry.
"""

import math

import torch
from torch import Tensor

ENOUGH = 2**16  # rows before it is asked
SIGMAS = 3.0
ALIKE = 1.2, 8  # a factor within which so many of the largest lie, at a bound (2e-4 for a < 2)


class Tails:
    """The largest values of each column, kept while rows pass by."""

    def __init__(self, keep: int = 512) -> None:
        self.keep, self.n = keep, 0
        self.top = torch.zeros(0)

    def add(self, sizes: Tensor) -> None:
        """sizes: [rows, p], not negative."""
        self.n += len(sizes)
        if len(self.top) == self.keep:  # most rows are small: do not sort them
            sizes = sizes[(sizes > self.top[-1]).any(1)]
        best = sizes.topk(min(self.keep, len(sizes)), dim=0).values
        both = best if not len(self.top) else torch.cat([self.top, best])
        self.top = both.topk(min(self.keep, len(both)), dim=0).values

    def index(self, part: int = 1) -> tuple[Tensor, int]:
        """Hill's estimate of a, [p], from the k = √n/(4·part) largest; infinite if all alike."""
        k = min(len(self.top) - 1, int(math.sqrt(self.n) / 4)) // part
        threshold = self.top[k]
        logs = (self.top[:k].log() - threshold.log()).mean(0)
        return torch.where((threshold > 0) & (logs > 0), 1 / logs, math.inf), k

    def heavy_entries(self) -> Tensor:
        """Which columns have an infinite variance, as far as anybody can tell: a + 3 se < 2, from
        the k largest and from a quarter of them (rare large values among small ones are no tail),
        unless the very largest are alike, as they are at a bound.
        """
        heavy = torch.full(self.top.shape[1:], self.n >= ENOUGH)
        factor, most = ALIKE
        if self.n >= ENOUGH:
            heavy &= self.top[0] > factor * self.top[most - 1]
        for part in (1, 4) if self.n >= ENOUGH else ():
            index, k = self.index(part)
            heavy &= index * (1 + SIGMAS / math.sqrt(k)) < 2
        return heavy

    def heavy(self) -> bool:
        return bool(self.heavy_entries().any())

    def describe(self, heavy: Tensor) -> str:
        index, k = self.index()
        worst = float(index[heavy].min())
        return (
            f"the tails look heavy: index {worst:.2f} ± {worst / math.sqrt(k):.2f} < 2 is an "
            "infinite variance, for which standard errors mean nothing, or large values too rare "
            "to have been seen"
        )
