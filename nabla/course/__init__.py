"""What the notebooks import, and nothing else: exercises, sliders, claims, fast settings.

    from nabla.course import check_exercise, claim, fast, predict, slider

`engine` runs and judges an answer, `exercises` holds what is asked, `figures` what is drawn, `book`
makes the site; nothing but this page knows them all.
"""

from nabla.course.engine.feedback import Feedback, feedback
from nabla.course.engine.findings import Answer
from nabla.course.engine.predictions import Scored, score
from nabla.course.exercises import exercise, exercises, numbers, prediction
from nabla.course.page import claim, fast, slider

__all__ = [
    "check_exercise", "claim", "exercise", "exercises", "fast", "numbers", "predict", "slider",
]  # fmt: skip


def check_exercise(name: str, answer: Answer) -> Feedback:
    """Look at an answer to the exercise of that name; never raises for what the answer does."""
    return feedback(name, exercise(name), answer)


def predict(name: str, guess: object) -> Scored:
    """Score a guess, made before the number is shown; three dots are none."""
    return score(name, prediction(name), guess)
