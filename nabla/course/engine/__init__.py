"""Exercises that know your mistake: an answer is run, and what it returns is matched to what known
slips return. Numbers are compared, never code, and the answer is never shown.

`Formula` is for plain functions, `Surrogate` for estimators, `Design` for choices within a budget;
`feedback` says what was found. `predictions` are said before a number is shown, and scored.
"""

from nabla.course.engine.choices import Case, Design, Offer, close
from nabla.course.engine.feedback import Feedback
from nabla.course.engine.findings import Answer, Exercise, Finding, Slip, Unfit, attempt
from nabla.course.engine.formulas import Formula
from nabla.course.engine.predictions import Number, Order, Prediction, Word
from nabla.course.engine.surrogates import Surrogate

__all__ = [
    "Answer", "Case", "Design", "Exercise", "Feedback", "Finding", "Formula", "Number", "Offer",
    "Order", "Prediction", "Slip", "Surrogate", "Unfit", "Word", "attempt",
    "close",
]  # fmt: skip
