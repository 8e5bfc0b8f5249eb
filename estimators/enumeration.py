"""Exact: the expectation as a weighted sum, differentiated. No randomness is drawn."""

from torch import Tensor

from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Policy


def exact(
    policy: Policy, objective: Objective, rng: Noise, n: int = 1, order: int | None = None
) -> Tensor:
    """∇J = d/dθ Σ_m w_m [α log π_θ(a_m) − Q(a_m)], over all nodes (a_m, w_m) of the policy.

    Reference: Christodoulou 2019, Eq. 10–12 (discrete SAC); Sigaud, "simple inner product".
    Unbiased and without variance for a Categorical (enumeration). For Gaussians and mixtures
    Gauss–Hermite: exact for polynomials of degree < 2·order, biased by its truncation elsewhere.
    """
    a, w = policy.nodes(order)  # [m, *batch, d], [m, *batch]
    return (w * objective.cost(policy, a)).sum(0)
