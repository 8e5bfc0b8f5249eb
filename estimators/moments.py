"""Moments that merge."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, mean and sum of squared deviations of rows of numbers: a monoid under +.

    Reference: Chan, Golub and LeVeque 1983, Eq. 2.1.
    """

    n: int
    mean: Tensor
    m2: Tensor

    @classmethod
    def of(cls, x: Tensor) -> "Moments":
        """x: [n, …] -> moments over the first axis, in float64."""
        x = x.double()
        mean = x.mean(0) if len(x) else torch.zeros_like(x.sum(0))
        return cls(len(x), mean, ((x - mean) ** 2).sum(0))

    def __add__(self, other: "Moments") -> "Moments":
        n = self.n + other.n
        if n == 0:
            return self
        delta = other.mean - self.mean
        mean = self.mean + delta * (other.n / n)
        return Moments(n, mean, self.m2 + other.m2 + delta**2 * (self.n * other.n / n))

    @property
    def variance(self) -> Tensor:
        """Unbiased variance of one row."""
        return self.m2 / (self.n - 1)

    @property
    def sem(self) -> Tensor:
        """Standard error of the mean."""
        return (self.variance / self.n).sqrt()
