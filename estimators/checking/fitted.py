"""Slips with a number in them that is fitted to the data: a factor, a weight.

The number is c ± its standard error; which entry it was read off is no evidence (`Suspect.free`),
whether the others agree is.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from estimators.checking.measured import FITS, Measured, plus_minus
from estimators.checking.suspects import Suspect
from estimators.gradients import flat
from estimators.policies import Gaussian, Policy

APART = 16.0  # how much wider than c's error the gaps are between the factors that an n can make
MOST = 100  # of n, where it is not known
FACTORS: dict[str, Callable[[int], float]] = {
    "factor_1-1/n": lambda n: 1 - 1 / n,
    "factor_n": lambda n: float(n),
    "factor_1/n": lambda n: 1 / n,
}


def of_n(measured: Measured, others: set[int]) -> Iterator[Suspect]:
    """c of mean = c·G that a whole number can have made: n, one of the others that a sum or a mean
    may run over (states, entries), or, if n is not known, any, if the data tell which."""
    x, se = _size(measured, measured.G, measured.both)
    n = measured.n
    for key, factor in FACTORS.items():
        counts = set(range(2, MOST + 1)) if n is None else {n}
        for count in sorted(counts | (others if key != "factor_1-1/n" else set())):
            c = factor(count)
            near = (1.0, *(factor(m) for m in (count - 1, count + 1) if m > 1))
            given = count == n or count in others
            apart = given or APART * FITS * se <= min(abs(c - other) for other in near)
            if count > 1 and apart and abs(1 + x - c) <= FITS * se:
                says = f"n = {count}, factor {plus_minus(1 + x, se)}"
                yield Suspect(key, c, says=says, free=0 if given else 1)


def numbers(measured: Measured, alpha: Tensor, entropy: Sequence[Suspect]) -> Iterator[Suspect]:
    """Any factor, or any weight of an entropy term. entropy: ∇E[log π] as the rest of a suspect,
    for each of the ways to read log π."""
    for term in entropy if alpha.numel() == 1 else ():
        w, se = _size(measured, term.rest, measured.errors(term))
        says = f"{plus_minus(float(alpha) + w, se)}, α is {float(alpha):.3g}"
        yield Suspect("entropy_weight", 1.0, w * term.rest, abs(w) * term.error, says, free=1)
    x, se = _size(measured, measured.G, measured.both)
    if abs(1 + x) > FITS * se:  # else Q is not felt
        yield Suspect("factor", 1 + x, says=plus_minus(1 + x, se), free=1)


def scale_of_sigma(G: Tensor, policy: Policy) -> Iterator[Suspect]:
    """∂J/∂σ = ∂J/∂log σ / σ."""
    if isinstance(policy, Gaussian):
        sigma = flat({"mu": torch.ones_like(policy.mu), "log_std": policy.log_std.exp()})
        yield Suspect("sigma_for_log_std", 0.0, G / sigma)


def _size(measured: Measured, v: Tensor | float, error: Tensor) -> tuple[float, float]:
    """x of bias = x·v by least squares, and its standard error."""
    v = torch.as_tensor(v) / error
    size = float(v.square().sum())
    if not size:
        return 0.0, math.inf
    return float((v * measured.bias / error).sum()) / size, size**-0.5
