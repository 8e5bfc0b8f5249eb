"""Policies, one file each; `policy` is what all of them are."""

from estimators.policies.categorical import Categorical
from estimators.policies.gaussian import Gaussian
from estimators.policies.hermite import LOG_2PI, MAX_NODES
from estimators.policies.mixture import Mixture
from estimators.policies.policy import Policy, at_least_one, require_finite

__all__ = [
    "LOG_2PI",
    "MAX_NODES",
    "Categorical",
    "Gaussian",
    "Mixture",
    "Policy",
    "at_least_one",
    "require_finite",
]
