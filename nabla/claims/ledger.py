"""Claims: a statement, what was computed about it, and the verdict that follows.

    @claim("R07", where="§4, …", says="…", verdict="wrong", correction="…")
    def test_r07(evidence):
        evidence.printed("…", equal(a, b))     # an instance of the statement as it is printed
        evidence.corrected("…", equal(a, c))   # an instance of the correction; must hold

Nobody decides the verdict: all instances as printed hold, or none, or some (a condition), or
there is none to compute. The test fails unless that is the verdict declared.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from matplotlib.figure import Figure

VERDICTS = ("holds", "holds with a condition", "wrong", "not decidable here")
HOLDS, CONDITION, WRONG, OPEN = VERDICTS
# How much a correction matters: it changes a result, it misleads, it is a slip of the pen.
RESULT, MISLEADS, SLIP = 3, 2, 1

Numbers = float | Sequence[float] | np.ndarray


@dataclass(frozen=True)
class Comparison:
    """What was compared with what, in words, and whether it came out as the statement says."""

    text: str
    holds: bool


def equal(a: Numbers, b: Numbers, within: float = 1e-9) -> Comparison:
    """a = b to `within`, relative to the larger of |b| and 1.

    Raises ValueError where it is too close to call: unequal, but by less than ten times that.
    """
    one, two = np.atleast_1d(a).astype(float).ravel(), np.atleast_1d(b).astype(float).ravel()
    gap = float(np.abs(one - two).max()) / max(1.0, float(np.abs(two).max()))
    if within < gap < 10 * within:
        raise ValueError(f"too close to call: {one} and {two} to {within:g}")
    holds = gap <= within
    left, right = show(one), show(two)
    text = f"{left} {'=' if holds else '≠'} {right}"
    if holds and left == right:
        text = left if not two.any() else f"both {left}"
    return Comparison(text + (f" (to {within:g})" if within > 1e-6 else ""), holds)


def unequal(a: Numbers, b: Numbers, within: float = 1e-9) -> Comparison:
    """a ≠ b, by ten times `within` at least."""
    same = equal(a, b, within)
    return Comparison(same.text, not same.holds)


def below(a: float, b: float) -> Comparison:
    """a < b. Raises ValueError where they differ by less than 1e-9 of the larger."""
    if abs(a - b) <= 1e-9 * max(abs(a), abs(b)):
        raise ValueError(f"too close to call: {a} and {b}")
    return Comparison(f"{show(a)} {'<' if a < b else '>'} {show(b)}", a < b)


def fact(text: str, holds: bool) -> Comparison:
    """A comparison that is no comparison of numbers; `text` says what was found."""
    return Comparison(text, bool(holds))


def show(numbers: Numbers) -> str:
    """Five digits; what is zero to within rounding as 0."""
    cells = [f"{x:.5g}" if abs(x) > 1e-11 else "0" for x in np.atleast_1d(numbers).ravel()]
    return cells[0] if len(cells) == 1 else "(" + ", ".join(cells) + ")"


@dataclass(frozen=True)
class Check:
    kind: str  # "as printed", "corrected" or "known"
    label: str
    comparison: Comparison

    def __str__(self) -> str:
        return f"{'✓' if self.comparison.holds else '✗'} {self.label}: {self.comparison.text}"


@dataclass
class Record:
    """What a claim's test computed; maybe with a function that draws it."""

    checks: list[Check] = field(default_factory=list)
    figure: Callable[[], Figure] | None = None

    def printed(self, label: str, comparison: Comparison) -> None:
        """An instance of the statement as the source prints it."""
        self.checks.append(Check("as printed", label, comparison))

    def corrected(self, label: str, comparison: Comparison) -> None:
        """An instance of the correction, which must hold."""
        self.checks.append(Check("corrected", label, comparison))

    def known(self, label: str, comparison: Comparison) -> None:
        """What can be said beside a statement that cannot be decided; it must hold."""
        self.checks.append(Check("known", label, comparison))

    @property
    def verdict(self) -> str:
        seen = {c.comparison.holds for c in self.checks if c.kind == "as printed"}
        if not seen:
            return OPEN
        return CONDITION if len(seen) == 2 else HOLDS if seen == {True} else WRONG


@dataclass(frozen=True)
class Claim:
    """One numbered statement of a source, in our own words."""

    id: str
    where: str
    says: str
    verdict: str
    correction: str
    matters: int
    test: str
    gather: Callable[[Record], None]

    @cached_property
    def evidence(self) -> Record:
        evidence = Record()
        self.gather(evidence)
        return evidence

    def check(self) -> None:
        """AssertionError unless the verdict declared is the one that the evidence has."""
        evidence = self.evidence
        failed = [
            str(c) for c in evidence.checks if c.kind != "as printed" and not c.comparison.holds
        ]
        assert evidence.checks, f"{self.id} has no evidence"
        assert not failed, f"{self.id}: {'; '.join(failed)}"
        assert self.verdict == evidence.verdict, (
            f"{self.id} is declared {self.verdict!r}, but the evidence says {evidence.verdict!r}: "
            + "; ".join(map(str, evidence.checks))
        )
        assert bool(self.correction) != (self.verdict == HOLDS), (
            f"{self.id}: a correction is for what does not simply hold"
        )
        assert self.verdict != WRONG or any(c.kind == "corrected" for c in evidence.checks), (
            f"{self.id} is wrong, and nothing shows its correction to be right"
        )


def claim(
    id: str, where: str, says: str, verdict: str, correction: str = "", matters: int = MISLEADS
) -> Callable[[Callable[[Record], None]], Callable[[], None]]:
    """Make a function that gathers evidence into a test of the claim, kept as its `.claim`."""
    if verdict not in VERDICTS:
        raise ValueError(f"unknown verdict {verdict!r}; known: {', '.join(VERDICTS)}")

    def decorate(gather: Callable[[Record], None]) -> Callable[[], None]:
        module = gather.__module__.rpartition(".")[2]
        test = f"tests/claims/{module}.py::{gather.__name__}"
        this = Claim(id, where, says, verdict, correction, matters, test, gather)

        def run() -> None:
            this.check()

        run.__name__, run.__doc__, run.__module__ = gather.__name__, says, gather.__module__
        run.claim = this  # type: ignore[attr-defined]
        return run

    return decorate
