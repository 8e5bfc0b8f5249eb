"""The policies that an actor can have, by the names of `Config.policy`."""

from estimators import Categorical, Gaussian, Mixture, Policy

KINDS: dict[str, type[Policy]] = {
    "gaussian": Gaussian,
    "mixture": Mixture,
    "categorical": Categorical,
}
