"""What a check found, rung by rung, for people and for machines."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["unbiased", "biased", "undecided", "broken"]
DECISIVE = ("nodes", "monte carlo", "reference", "field", "contract")  # of those that passed
Outcome = Literal["passed", "failed", "undecided", "skipped", "noted"]


@dataclass(frozen=True)
class Evidence:
    """What one rung of the ladder saw. numbers: plain floats, strings and lists."""

    rung: str
    outcome: Outcome
    text: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.rung:<12} {self.outcome:<9}  {self.text}"


@dataclass(frozen=True)
class Verdict:
    """The answer of `check`.

    status: unbiased (to within δ), biased, undecided (the budget is used up, or the tails are too
    heavy to tell), or broken (the contract is not kept: it raises, is not finite, leaves a
    parameter without gradient, …). diagnosis: the known slip that explains the numbers, a key of
    `estimators.checking.meanings.MEANINGS`, or None. evidence: every rung, in the ladder's order.
    """

    name: str
    status: Status
    diagnosis: str | None
    evidence: tuple[Evidence, ...]

    @property
    def headline(self) -> str:
        """One sentence: the verdict and the rung that decided it."""
        decisive = next((e for e in self.evidence if e.outcome in ("failed", "undecided")), None)
        if decisive is None:
            passed = {e.rung: e for e in self.evidence if e.outcome == "passed"}
            decisive = next(passed[r] for r in DECISIVE if r in passed)
        return f"{self.name}: {self.status.upper()} — {decisive.text}"

    def numbers(self, rung: str) -> Mapping[str, Any]:
        """The numbers of one rung; KeyError if the ladder did not get there."""
        for e in self.evidence:
            if e.rung == rung:
                return e.numbers
        raise KeyError(rung)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [self.headline]
        if self.diagnosis is not None:
            lines.append(f"  diagnosis: {self.diagnosis}")
        return "\n".join([*lines, *(f"  {e}" for e in self.evidence)])
