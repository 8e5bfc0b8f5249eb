"""Moments that merge."""

from dataclasses import dataclass
from typing import Any

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

    def to_lists(self) -> dict[str, Any]:
        """For JSON: numbers and lists, to the last digit."""
        return {"n": self.n, "mean": self.mean.tolist(), "m2": self.m2.tolist()}

    @classmethod
    def from_lists(cls, lists: dict[str, Any]) -> "Moments":
        """What `to_lists` made; KeyError or TypeError on anything else."""
        mean, m2 = (torch.tensor(lists[key], dtype=torch.float64) for key in ("mean", "m2"))
        return cls(int(lists["n"]), mean, m2)

    @property
    def variance(self) -> Tensor:
        """Unbiased variance of one row."""
        return self.m2 / (self.n - 1)

    @property
    def sem(self) -> Tensor:
        """Standard error of the mean."""
        return (self.variance / self.n).sqrt()
