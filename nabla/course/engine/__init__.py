"""Exercises that know your mistake: an answer is run, and what it returns is matched to what known
slips return. Numbers are compared, never code, and the answer is never shown.

`Formula` is for plain functions, `Surrogate` for estimators; `feedback` says what was found.
"""

from nabla.course.engine.feedback import Feedback
from nabla.course.engine.findings import Answer, Exercise, Finding, Slip, Unfit, attempt
from nabla.course.engine.formulas import Formula
from nabla.course.engine.surrogates import Surrogate

__all__ = [
    "Answer",
    "Exercise",
    "Feedback",
    "Finding",
    "Formula",
    "Slip",
    "Surrogate",
    "Unfit",
    "attempt",
]
