"""A bias that was measured, and how well that of a suspect fits it."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from estimators.checking.suspects import Suspect

FITS = 4.0  # standard errors
CHANCE = 64.0
DEPENDENT = 1e-9  # of its length, what an entry has of its own


@dataclass(frozen=True, eq=False)
class Measured:
    """A bias with its standard error, flattened, the gradient G, and the standard error of that,
    where it is measured as well. n: actions that one estimate averages, where that is known.
    correlation: of the errors, [p, p]; where it is not known, they may all go together."""

    bias: Tensor
    error: Tensor
    G: Tensor
    reference: Tensor | float = 0.0
    n: int | None = None
    correlation: Tensor | None = None

    @property
    def both(self) -> Tensor:
        """Of the bias and the gradient together."""
        return (self.error**2 + torch.as_tensor(self.reference) ** 2).sqrt()

    def errors(self, suspect: Suspect) -> Tensor:
        """Of the difference of both biases."""
        more = abs(suspect.factor - 1) * torch.as_tensor(self.reference)
        return (self.error**2 + torch.as_tensor(suspect.error) ** 2 + more**2).sqrt()

    def misfit(self, suspect: Suspect) -> float:
        """χ², infinite where an entry, or the share, is off by more than FITS of its errors."""
        z = (self.bias - suspect.bias(self.G)).abs() / self.errors(suspect)
        k, se = self.share(suspect)
        fits = bool((z <= FITS).all()) and abs(k - 1) <= FITS * se
        return float((z**2).sum()) if fits else math.inf

    def felt(self, suspect: Suspect) -> bool:
        """Whether its bias would be noticed in some entry."""
        return bool((suspect.bias(self.G).abs() > FITS * self.errors(suspect)).any())

    def sure(self, suspect: Suspect, scores: Tensor) -> bool:
        """Whether it would be a wonder if it fitted by accident. scores: of some actions, [m, p]:
        an entry that follows from better known ones does not count."""
        room = FITS * self.errors(suspect) / suspect.bias(self.G).abs()
        told, order = (-room.log()).clamp(min=0).sort(descending=True)
        spread = torch.linalg.qr(scores[:, order]).R.diagonal().abs()
        told = told[spread > DEPENDENT * scores.norm(dim=0)[order]]
        return float(told[suspect.free :].sum()) >= math.log(CHANCE)

    def share(self, suspect: Suspect) -> tuple[float, float]:
        """k of b = k·b_s, and its standard error: 1 if it is the slip."""
        errors = self.errors(suspect)
        v = suspect.bias(self.G) / errors
        size = float(v.square().sum())
        if not size:
            return 1.0, math.inf
        R = self.correlation
        spread = v.abs().sum() if R is None else (v @ R @ v).clamp(min=0).sqrt()
        return float((v * self.bias / errors).sum()) / size, float(spread) / size


def plus_minus(x: float, se: float) -> str:
    """0.50 ± 0.02; without the error where that is rounding."""
    if se < 1e-6 * max(abs(x), 1e-3):
        return f"{x:.4g}"
    digits = max(0, -math.floor(math.log10(se)))
    return f"{x:.{digits}f} ± {se:.{digits}f}"
