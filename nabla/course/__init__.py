"""What the notebooks import, and nothing else: exercises, sliders, tables, claims, fast settings.

    from nabla.course import Table, check_exercise, claim, fast, slider

`engine` runs and judges an answer, `exercises` holds what is asked, `figures` what is drawn, `book`
makes the site; nothing but this page knows them all.
"""

from nabla.course.engine.feedback import Feedback, feedback
from nabla.course.engine.findings import Answer
from nabla.course.exercises import exercise, exercises, numbers
from nabla.course.page import claim, fast, slider
from nabla.course.table import Table

__all__ = [
    "Table",
    "check_exercise",
    "claim",
    "exercise",
    "exercises",
    "fast",
    "numbers",
    "slider",
]


def check_exercise(name: str, answer: Answer) -> Feedback:
    """Look at an answer to the exercise of that name; never raises for what the answer does."""
    return feedback(name, exercise(name), answer)
