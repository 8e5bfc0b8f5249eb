"""A gradient check for stochastic gradients; see `estimators.checking.check`."""

from estimators.checking.check import assert_unbiased, check
from estimators.checking.verdict import Evidence, Verdict

__all__ = ["Evidence", "Verdict", "assert_unbiased", "check"]
