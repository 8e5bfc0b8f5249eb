"""A gradient check for stochastic gradients; see `estimators.checking.check`."""

from estimators.checking.check import assert_unbiased, check
from estimators.checking.target import check_target
from estimators.checking.temperature import check_temperature
from estimators.checking.verdict import Evidence, Verdict

__all__ = [
    "Evidence", "Verdict", "assert_unbiased", "check", "check_target", "check_temperature",
]  # fmt: skip
