"""What the notebooks import, and nothing else: exercises, sliders, tables, claims, fast settings.

    from nabla.course import Table, check_exercise, claim, fast, kept, predict, slider

`engine` runs and judges an answer, `exercises` holds what is asked, `figures` what is drawn, `book`
makes the site; nothing but this page knows them all.
"""

import warnings
from numbers import Number
from typing import Any

from nabla.course.engine.feedback import Feedback, feedback, own_answer
from nabla.course.engine.findings import Answer
from nabla.course.engine.predictions import Scored, score
from nabla.course.exercises import exercise, exercises, numbers, prediction
from nabla.course.page import claim, fast, slider
from nabla.course.progress import record
from nabla.course.table import Table

__all__ = [
    "Table", "check_exercise", "claim", "exercise", "exercises", "fast", "kept", "numbers",
    "predict", "slider",
]  # fmt: skip


def check_exercise(name: str, answer: Answer) -> Feedback:
    """Look at an answer to the exercise of that name; never raises for what the answer does, and
    keeps what was done (`nabla course`)."""
    said = feedback(name, exercise(name), answer)
    try:
        record(said)
    except (OSError, ValueError) as error:
        warnings.warn(f"your progress is not kept: {error}", stacklevel=2)
    return said


def kept(solution: Answer) -> Answer:
    """The last line of a solution's cell: the reader's own answer to the exercise of that name, if
    it was done and returns what later cells expect, else the solution. Says whose it is."""
    name = solution.__name__
    own = own_answer(name)
    if own is None or own is solution:
        print(f"{name}: below, the notebook's solution is used")
        return solution
    inputs = getattr(exercise(name), "inputs", None)
    if inputs and not _alike(own(*inputs(0)), solution(*inputs(0))):
        print(f"{name}: yours is right; below the solution is used, which returns another type")
        return solution
    print(f"{name}: below, your own answer is used")
    return own


def _alike(one: Any, other: Any) -> bool:
    return type(one) is type(other) or (isinstance(one, Number) and isinstance(other, Number))


def predict(name: str, guess: object) -> Scored:
    """Score a guess, made before the number is shown; three dots are none."""
    return score(name, prediction(name), guess)
