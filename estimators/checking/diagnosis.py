"""Which known slip explains a mean that is not the gradient? Numbers are compared, not code.

G is the gradient, b = mean − G the bias that was measured, b_s the one that a suspect has
(`estimators.checking.suspects`). A slip is named if

    |b_i − b_s,i| ≤ FITS · error_i in every entry i, |k − 1| ≤ FITS · error(k)     it fits, and
    Π_i max(1, |b_s,i| / (FITS · error_i)) ≥ CHANCE                                by no accident:

k is how many times b_s is in b, by least squares; the product is how many times smaller than the
bias the room is that it had to hit: a neighbour would have been rejected. Entries that say nothing
new do not count: those that hang together (all logits moved alike are the same policy), and one for
each number fitted to the data. Of what fits, all within TOLD of the best in
χ² = Σ_i ((b_i − b_s,i)/error_i)² are named.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from estimators.checking.fitted import numbers, of_n, scale_of_sigma
from estimators.checking.known_slips import entropy_terms, is_squashed, slips
from estimators.checking.meanings import MEANINGS
from estimators.checking.means import ROWS, every_action
from estimators.checking.measured import Measured, plus_minus
from estimators.checking.suspects import Means, Slip, Suspect
from estimators.gradients import flat_rows, row_gradients, rows
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Policy

SHOWN = 3  # slips that are not named
TOLD = 16.0  # difference of two χ²: a likelihood ratio of e⁸
LIMIT = 2**20  # numbers that Q is given for one mean
SIZES = (2**7, 2**10, 2**13)  # actions a copy: most suspects are out by the first


def diagnose(measured: Measured, policy: Policy, objective: Objective) -> tuple[str, str] | None:
    """The key of the slip that fits best, and a sentence that names all that fit as well."""
    found = Diagnosis(policy, objective, measured.n).of(measured)
    return (found.slips[0].key, found.text) if found.slips else None


@dataclass(frozen=True, eq=False)
class Named:
    """The slips that are named, the best first, each key once; perhaps: what fits, but may do so by
    accident. more: how many times as many draws would tell."""

    measured: Measured
    slips: Sequence[Suspect] = ()
    perhaps: Sequence[Suspect] = ()
    more: float = 1.0

    @property
    def text(self) -> str:
        if self.slips:
            return ", or ".join(self._said(slip) for slip in self.slips)
        if self.perhaps:
            known = ", or ".join(MEANINGS[slip.key] for slip in self.perhaps[:SHOWN])
            return f"too little is known to name a slip: it may be that {known}; or none of them"
        return "no known slip has this mean"

    @property
    def numbers(self) -> dict[str, Any]:
        """What part of the slip's bias the measured one is."""
        shares = [self.measured.share(slip) for slip in self.slips]
        return {
            "slips": [slip.key for slip in self.slips],
            "share": [k for k, _ in shares],
            "standard_error": [se for _, se in shares],
        }

    def _said(self, slip: Suspect) -> str:
        if slip.weight is None:
            return slip.text
        k, se = self.measured.share(slip)
        part = plus_minus(1 + (slip.weight - 1) * k, abs(slip.weight - 1) * se)
        return f"{slip.text} (entropy coefficient {part} of what it should be)"


class Diagnosis:
    """The slips of one problem: their means are computed once, and only as far as needed."""

    def __init__(self, policy: Policy, objective: Objective, n: int | None = None) -> None:
        self.means, self.n = Means(policy, objective), n
        self.slips = list(slips(policy, objective, n))
        self.entropy = list(entropy_terms(policy, objective))
        self.scores = scores_of(policy)
        self.squashed = is_squashed(policy, objective)
        numbers = ROWS * policy.batch.numel() * max(1, policy.dim)
        self.sizes = [min(n, max(SIZES[0], LIMIT // numbers)) for n in SIZES]

    def of(self, measured: Measured) -> Named:
        perhaps: list[Suspect] = []
        for fit in (self._known, self._of_n, self._numbers):  # the later say less
            found = self._named(measured, fit(measured))
            if found.slips:
                return found
            perhaps += found.perhaps
        return Named(measured, (), perhaps, 4.0 if perhaps else 1.0)

    def _known(self, measured: Measured) -> list[Suspect]:
        fitting = (self._fitting(slip, measured) for slip in self.slips)
        return [s for s in fitting if s is not None]

    def _of_n(self, measured: Measured) -> list[Suspect]:
        sigma = scale_of_sigma(measured.G, self.means.policy)
        policy = self.means.policy
        others = {policy.batch.numel(), policy.dim, policy.batch.numel() * (measured.n or 1)}
        return _fitting([*of_n(measured, others), *sigma], measured)

    def _numbers(self, measured: Measured) -> list[Suspect]:
        alpha = torch.as_tensor(self.means.objective.alpha)
        entropy = [self.means.suspect(slip, self.sizes[-1]) for slip in self.entropy]
        known = [s for s in entropy if s is not None]
        return _fitting(numbers(measured, alpha, known), measured)

    def _fitting(self, slip: Slip, measured: Measured) -> Suspect | None:
        """With a mean as sharp as it takes to see that it does not fit."""
        suspect = None
        for n in self.sizes if slip.terms else self.sizes[:1]:
            suspect = self.means.suspect(slip, n)
            if suspect is None or measured.misfit(suspect) == math.inf:
                return None
        return suspect

    def _named(self, measured: Measured, fit: Sequence[Suspect]) -> Named:
        """Those within TOLD of the best, if that is better by TOLD than the truth."""
        truth = float((measured.bias / measured.error).square().sum())
        better = [s for s in fit if measured.misfit(s) < truth - TOLD]
        sure = [s for s in better if measured.sure(s, self.scores)]
        if not sure:
            return Named(measured, (), _each_key_once([s for s in better if measured.felt(s)]))
        least = min(measured.misfit(s) for s in sure)
        near = [s for s in sure if measured.misfit(s) <= least + TOLD]
        each = _each_key_once(near)
        biases = [s.bias(measured.G) for s in each]
        gaps = [float(((biases[0] - b) / measured.error).square().sum()) for b in biases[1:]]
        more = max((3 * TOLD / gap if gap else math.inf for gap in gaps), default=1.0)
        return Named(measured, each, (), more)


def _fitting(suspects: Iterable[Suspect], measured: Measured) -> list[Suspect]:
    return [s for s in suspects if measured.misfit(s) < math.inf]


def _each_key_once(suspects: Sequence[Suspect]) -> list[Suspect]:
    return list({s.key: s for s in reversed(suspects)}.values())[::-1]


def scores_of(policy: Policy) -> Tensor:
    """∇ log π of each state at all actions, or at more of them than a state has parameters:
    [m, p]."""
    policy = policy.detach().map(torch.Tensor.double)
    batch, parameters = policy.batch, policy.parameters().values()
    rng = Noise(14, policy.like.device)
    count = 2 * sum(p.numel() for p in parameters) // batch.numel() + 8
    every = every_action(policy)
    a = policy.sample(count, rng) if every is None else every[0]
    copies = rows(policy, len(a))
    with torch.enable_grad():
        scores = flat_rows(row_gradients(copies.log_prob(a), copies)).cpu()
    states = torch.arange(batch.numel()).view(batch)
    owner = [states.view(*batch, *(1,) * (p.ndim - len(batch))).expand_as(p) for p in parameters]
    of = torch.cat([each.flatten() for each in owner])
    return torch.cat([torch.where(of == state, scores, 0.0) for state in states.flatten()])
