"""Exact answers by weighted nodes."""

from estimators.policies import TooManyNodes
from estimators.quadrature.answer import Exact
from estimators.quadrature.exact import (
    MAX_DRAWS,
    cross_examine,
    exact_expectation,
    exact_gradient,
    exact_mean,
    exact_moments,
    exact_or_none,
    rounding,
)

__all__ = [
    "MAX_DRAWS", "Exact", "TooManyNodes", "cross_examine", "exact_expectation", "exact_gradient",
    "exact_mean", "exact_moments", "exact_or_none", "rounding",
]  # fmt: skip
