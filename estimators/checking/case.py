"""What is asked of a check."""

from dataclasses import dataclass
from typing import Literal

import torch

from estimators.checking.subjects import Subject
from estimators.gradients import Gradient, labels
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Policy


@dataclass(frozen=True, eq=False)
class Case:
    """What is checked, against what, and how surely: see `check`."""

    subject: Subject
    policy: Policy
    objective: Objective
    rng: Noise
    exact: Gradient | Literal["find"] | None
    budget: int
    most: int  # estimates, where more than the budget would settle it
    delta: float
    false_alarm: float
    bound: float | None

    @property
    def labels(self) -> list[str]:
        return labels(self.policy.parameters())

    @property
    def dtype(self) -> torch.dtype:
        return self.policy.like.dtype

    @property
    def device(self) -> torch.device:
        return self.policy.like.device


def require_rates(budget: int | None, delta: float, false_alarm: float) -> None:
    """ValueError on what is no budget and no rate."""
    if budget is not None and budget < 2:
        raise ValueError(f"budget, the estimates at most, must be ≥ 2, got {budget}")
    for what, value in (("delta", delta), ("false_alarm", false_alarm)):
        if not 0 < value < 1:
            raise ValueError(f"{what} must lie in (0, 1), got {value}")
