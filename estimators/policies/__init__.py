"""Policies, one file each; `policy` is what all of them are, and what one of your own needs.

`POLICIES` is the table of those that the command line, actors and tests know by name.
"""

from estimators.policies.categorical import Categorical
from estimators.policies.gaussian import Gaussian
from estimators.policies.hermite import LOG_2PI, MAX_NODES
from estimators.policies.mixture import Mixture
from estimators.policies.policy import Policy, TooManyNodes, at_least_one, require_finite

POLICIES: dict[str, type[Policy]] = {
    "gaussian": Gaussian,
    "mixture": Mixture,
    "categorical": Categorical,
}

__all__ = [
    "LOG_2PI", "MAX_NODES", "POLICIES", "Categorical", "Gaussian", "Mixture", "Policy",
    "TooManyNodes", "at_least_one", "require_finite",
]  # fmt: skip
