"""What every kind of exercise is made of: known slips, and what looking at an answer found."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

Answer = Callable[..., Any]


class Unfit(ValueError):
    """What an answer returns is of no use: the sentence says why."""


@dataclass(frozen=True)
class Slip:
    """A known wrong answer, written as a reader would, and the hints for it, vague ones first."""

    answer: Answer
    hints: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """The step that an answer stopped at ("done" for none), why, and which slip it is, if known."""

    step: str
    text: str
    key: str | None = None
    hints: tuple[str, ...] = ()


class Exercise(Protocol):
    """What `check_exercise` needs of one."""

    @property
    def steps(self) -> tuple[str, ...]: ...

    @property
    def tested(self) -> str: ...

    def examine(self, answer: Answer) -> Finding: ...


def attempt(answer: Answer, *arguments: Any) -> tuple[Any, Finding | None]:
    """What the answer returns, or the finding that it cannot be called or is not written yet."""
    try:
        value = answer(*arguments)
    except NotImplementedError:
        return None, Finding("to do", "not written yet")
    except Unfit as error:
        return None, Finding("shape", str(error))
    except Exception as error:  # a reader's code may raise anything: that is the finding
        text = " ".join(str(error).split())
        return None, Finding("shape", f"it raises {type(error).__name__}: {text}")
    if value is None or value is Ellipsis:
        return None, Finding("to do", "it returns nothing yet")
    return value, None
