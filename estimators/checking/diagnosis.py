"""Which known slip explains a mean that is not the gradient? Numbers are compared, not code.

Of all suspects (`estimators.checking.suspects`) that fit the best is named, and whatever fits as
well; where none does, a factor or a weight may. G is the gradient, and of a suspect's mean

    χ² = Σ_i ((m_i − mean_i)/error_i)²,   told apart if they differ by TOLD
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from estimators.checking.meanings import MEANINGS
from estimators.checking.suspects import (
    Suspect,
    entropy_terms,
    of_entropy,
    of_estimators,
    of_log_det,
)
from estimators.gradients import Gradient, flat
from estimators.objective import Objective
from estimators.policies import Gaussian, Policy

FITS = 4.5  # standard errors
TOLD = 16.0  # difference of two χ²: a likelihood ratio of e⁸


@dataclass(frozen=True, eq=False)
class Measured:
    """A mean with its standard error (of the exact gradient too), flattened; n where it is known.
    reference: the standard error of the gradient, where that is measured as well."""

    mean: Tensor
    error: Tensor
    n: int | None = None
    reference: Tensor | float = 0.0

    @property
    def both(self) -> Tensor:
        """Of the mean and the gradient together."""
        return (self.error**2 + torch.as_tensor(self.reference) ** 2).sqrt()

    def misfit(self, slip: Suspect, G: Tensor) -> float:
        """χ², infinite where an entry is off by more than FITS of its errors."""
        error = torch.as_tensor(slip.error + abs(slip.factor) * self.reference)
        z = (self.mean - slip.mean(G)).abs() / (self.error**2 + error**2).sqrt()
        return float((z**2).sum()) if bool((z <= FITS).all()) else math.inf


def diagnose(
    measured: Measured, policy: Policy, objective: Objective, exact: Gradient
) -> tuple[str, str] | None:
    """The key of the slip that fits best, and a sentence that names all that fit as well."""
    found = Diagnosis(policy, objective).fitting(measured, flat(exact))
    return (found[0].key, sentence(found)) if found else None


def sentence(slips: Sequence[Suspect]) -> str:
    return ", or ".join(slip.text for slip in slips)


class Diagnosis:
    """The slips of one problem: their means are computed once, and only as far as needed."""

    def __init__(self, policy: Policy, objective: Objective) -> None:
        self.policy, self.objective = policy, objective
        self.entropy = entropy_terms(policy, objective)
        self.stages = [list(of_entropy(policy, objective, self.entropy))]
        self.later = [of_estimators, of_log_det]  # what costs time

    def fitting(self, measured: Measured, G: Tensor) -> list[Suspect]:
        """The slips that fit best and as well as that, each key once, the common ones first."""
        stage = 0
        while stage < len(self.stages) or self.later:
            if stage == len(self.stages):
                self.stages.append(list(self.later.pop(0)(self.policy, self.objective)))
            if best := _best(measured, G, self.stages[stage]):
                return best
            stage += 1
        fitted = [*self._weights(measured, G), *_factor(measured, G)]
        return (
            _best(measured, G, _factors_of_n(measured, G))
            or _best(measured, G, _scale_of_sigma(G, self.policy))
            or _best(measured, G, fitted)
        )

    def _weights(self, measured: Measured, G: Tensor) -> Iterator[Suspect]:
        """mean = G + w·S with one w for all entries, of which more than one must matter."""
        alpha = torch.as_tensor(self.objective.alpha)
        for _, S, error in self.entropy if alpha.numel() == 1 else ():
            se = measured.both
            w = float((S * (measured.mean - G) / se**2).sum() / (S**2 / se**2).sum())
            if int(((w * S).abs() > FITS * se).sum()) > 1:
                text = f"the weight of the entropy term is {float(alpha) + w:.3g}, α is {alpha:.3g}"
                yield Suspect("entropy_weight", 1.0, w * S, abs(w) * error, text)


def more_draws(measured: Measured, G: Tensor, found: Sequence[Suspect]) -> float:
    """How many times as many draws would tell the slips apart that fit."""
    if not found or found[0].key in ("factor", "entropy_weight"):  # a fit of numbers: look again
        return 4.0
    gaps = [((found[0].mean(G) - s.mean(G)) / measured.both).square().sum() for s in found[1:]]
    return max((3 * TOLD / float(g) if g else math.inf for g in gaps), default=1.0)


def _best(measured: Measured, G: Tensor, slips: Sequence[Suspect]) -> list[Suspect]:
    """Those within TOLD of the best, if that is better by TOLD than the truth."""
    misfits = [measured.misfit(slip, G) for slip in slips]
    least = min(misfits, default=math.inf)
    if not least < float((((measured.mean - G) / measured.both) ** 2).sum()) - TOLD:
        return []
    near = [slip for slip, misfit in zip(slips, misfits, strict=True) if misfit <= least + TOLD]
    return list({slip.key: slip for slip in reversed(near)}.values())[::-1]


def _factor_of(measured: Measured, G: Tensor) -> tuple[float, float, int]:
    """c of mean = c·G, its standard error, and how many entries tell."""
    se = measured.both
    told = int((G.abs() > FITS * se).sum())
    weight = se.clamp(min=float(se.max()) * 1e-6 + 1e-300) ** -2
    size = float((weight * G * G).sum())
    if not told or not size:
        return 1.0, math.inf, 0
    return float((weight * measured.mean * G).sum()) / size, size**-0.5, told


def _factors_of_n(measured: Measured, G: Tensor) -> list[Suspect]:
    c, se, told = _factor_of(measured, G)
    close = 4 * se + 1e-6
    slips: dict[str, Suspect] = {}
    for n in [measured.n] if measured.n else range(2, 101):
        for key, value in (("factor_1-1/n", 1 - 1 / n), ("factor_n", n), ("factor_1/n", 1 / n)):
            if told and n > 1 and abs(c - value) <= close and close < abs(1 - value) / 2:
                text = f"{MEANINGS[key]} (n = {n}, factor {c:.4g})"
                slips.setdefault(key, Suspect(key, c, torch.zeros_like(G), _unit(G), text))
    return list(slips.values())


def _factor(measured: Measured, G: Tensor) -> Iterator[Suspect]:
    """One c for all entries, of which more than one must matter."""
    c, _, told = _factor_of(measured, G)
    if told > 1 and abs(c) >= 1e-3:
        text = f"{MEANINGS['factor']}, {c:.4g}"
        yield Suspect("factor", c, torch.zeros_like(G), _unit(G), text)


def _unit(G: Tensor) -> float:
    return 1e-12 * float(G.abs().max())


def _scale_of_sigma(G: Tensor, policy: Policy) -> list[Suspect]:
    if not isinstance(policy, Gaussian):
        return []
    mu, log_std = G.split([policy.mu.numel(), policy.log_std.numel()])
    sigma = flat({"log_std": policy.log_std}).exp()
    return [Suspect("sigma_for_log_std", 0.0, torch.cat([mu, log_std / sigma]), 1e-12)]
