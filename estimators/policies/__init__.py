"""Policies, one file each; `policy` is what all of them are, and what one of your own needs.

`POLICIES` is the table of those that the command line, actors and tests know by name.
"""

from estimators.policies.beta import Beta
from estimators.policies.categorical import Categorical
from estimators.policies.full_gaussian import FullGaussian
from estimators.policies.gaussian import Gaussian
from estimators.policies.hermite import LOG_2PI, MAX_NODES
from estimators.policies.mixture import Mixture
from estimators.policies.policy import Policy, TooManyNodes, at_least_one, require_finite
from estimators.policies.product import Product
from estimators.policies.student_t import StudentT

POLICIES: dict[str, type[Policy]] = {
    "gaussian": Gaussian,
    "mixture": Mixture,
    "categorical": Categorical,
    "beta": Beta,
    "full": FullGaussian,
    "student": StudentT,
}

__all__ = [
    "LOG_2PI", "MAX_NODES", "POLICIES", "Beta", "Categorical", "FullGaussian", "Gaussian",
    "Mixture", "Policy", "Product", "StudentT", "TooManyNodes", "at_least_one", "require_finite",
]  # fmt: skip
