"""Predictions: said before a number is shown, and scored by how near they come.

A number scores 3 within 10 %, 2 within a factor of 1.5, 1 within a factor of 3, or by its own
scale; a word, or an order of words, by what of it is right. Nothing is wrong about a low score: a
surprise is what the next cell is for.
"""

import html
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

STARS = 3
FACTORS = (1.1, 1.5, 3.0)  # three, two, one


class Prediction(Protocol):
    def unfit(self, guess: Any) -> str: ...

    def stars(self, guess: Any) -> int: ...

    @property
    def truth_told(self) -> str: ...


@dataclass(frozen=True)
class Number:
    """A number. truth: computed when it is asked for. unit: after the number."""

    truth: Callable[[], float]
    unit: str = ""

    def unfit(self, guess: Any) -> str:
        number = isinstance(guess, int | float) and not isinstance(guess, bool)
        return "" if number and math.isfinite(guess) else f"say one number, got {guess!r}"

    def stars(self, guess: float) -> int:
        truth = self.truth()
        if truth == 0 or guess == 0 or (truth > 0) != (guess > 0):
            return STARS if abs(guess - truth) < 1e-9 else 0
        off = max(guess / truth, truth / guess)
        return sum(off <= factor for factor in FACTORS)

    @property
    def truth_told(self) -> str:
        return f"{self.truth():.3g}{self.unit}"


@dataclass(frozen=True)
class Word:
    """One of several words."""

    truth: str
    among: Sequence[str]

    def unfit(self, guess: Any) -> str:
        return "" if guess in self.among else f"say one of {', '.join(self.among)}, got {guess!r}"

    def stars(self, guess: str) -> int:
        return STARS * (guess == self.truth)

    @property
    def truth_told(self) -> str:
        return self.truth


@dataclass(frozen=True)
class Order:
    """Words from the smallest to the largest: scored by the share of pairs in the right order."""

    truth: Sequence[str]

    def unfit(self, guess: Any) -> str:
        listed = isinstance(guess, list | tuple) and sorted(map(str, guess)) == sorted(self.truth)
        return "" if listed else f"put in order {', '.join(sorted(self.truth))}; got {guess!r}"

    def stars(self, guess: Sequence[str]) -> int:
        at = {word: i for i, word in enumerate(guess)}
        pairs = [at[a] < at[b] for a, b in itertools.combinations(self.truth, 2)]
        return math.floor(STARS * sum(pairs) / len(pairs) + 1e-9)

    @property
    def truth_told(self) -> str:
        return " < ".join(self.truth)


@dataclass(frozen=True)
class Scored:
    """What is said about a guess. stars: None before there is one."""

    name: str
    stars: int | None
    text: str

    def __repr__(self) -> str:
        mark = "○○○" if self.stars is None else "●" * self.stars + "○" * (STARS - self.stars)
        return f"{self.name}: {mark} {self.text}"

    def _repr_html_(self) -> str:
        return (
            '<div class="nabla-prediction" style="border-left:4px solid #E69F00;padding-left:.8em">'
            f"{html.escape(repr(self))}</div>"
        )


def score(name: str, prediction: Prediction, guess: Any) -> Scored:
    """Nothing is told before a guess is made: put it in the place of the three dots."""
    if guess is ...:
        return Scored(name, None, "to do: put your prediction in the place of the dots")
    why = prediction.unfit(guess)
    if why:
        return Scored(name, None, why)
    return Scored(name, prediction.stars(guess), f"you said {guess}; it is {prediction.truth_told}")
