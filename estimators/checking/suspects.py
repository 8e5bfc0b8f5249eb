"""A suspect is a mean that a known slip has: computed, never guessed."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from estimators.checking.faults import RAISED
from estimators.checking.meanings import MEANINGS
from estimators.checking.means import mean_of
from estimators.gradients import Estimator
from estimators.objective import Objective
from estimators.policies import Policy


@dataclass(frozen=True, eq=False)
class Suspect:
    """A slip whose mean is factor·G + rest. error: of the rest; free: how many numbers were fitted
    to the data; weight: of the entropy term, in units of the right one, where that is all."""

    key: str
    factor: float
    rest: Tensor | float = 0.0
    error: Tensor | float = 0.0
    says: str = ""
    free: int = 0
    weight: float | None = None

    def bias(self, G: Tensor) -> Tensor:
        """Its mean minus G."""
        return (self.factor - 1) * G + self.rest

    @property
    def text(self) -> str:
        return f"{MEANINGS[self.key]}" + (f" ({self.says})" if self.says else "")


@dataclass(frozen=True, eq=False)
class Slip:
    """A slip whose mean is factor·G + Σ c·(mean of a surrogate), not computed yet."""

    suspect: Suspect
    terms: tuple[tuple[float, Estimator], ...] = ()
    independent: bool = False


class Means:
    """Of the surrogates of one problem, each computed once."""

    def __init__(self, policy: Policy, objective: Objective) -> None:
        self.policy, self.objective = policy, objective
        self.known: dict[tuple[Estimator, int], tuple[Tensor, Tensor] | None] = {}

    def suspect(self, slip: Slip, n: int) -> Suspect | None:
        """From ROWS · n actions; None of one that does not apply to this policy, or this Q."""
        rest: Tensor | float = 0.0
        error: Tensor | float = 0.0
        for c, surrogate in slip.terms:
            found = self._of(surrogate, n, slip.independent)
            if found is None:
                return None
            rest, error = rest + c * found[0], error + abs(c) * found[1]
        return replace(slip.suspect, rest=rest, error=error)

    def _of(self, surrogate: Estimator, n: int, independent: bool) -> tuple[Tensor, Tensor] | None:
        if (surrogate, n) not in self.known:
            try:
                mean = mean_of(surrogate, self.policy, self.objective, n, independent)
            except RAISED:  # of a policy or a Q that this slip was not made for: no suspect
                mean = None
            finite = mean is not None and bool(torch.stack(mean).isfinite().all())
            self.known[surrogate, n] = mean if finite else None
        return self.known[surrogate, n]
