"""Component marginalisation: the sum over a mixture's components, or over the discrete part of an
action, is done exactly."""

from torch import Tensor

from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Policy


def marginalized(policy: Policy, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
    """∇̂J = d/dθ Σ_k w_k [α log π_θ(a_k) − Q(a_k)],  a_k = μ_k + σ_k ε_k.

    Reference: Roeder et al. 2017, §4 (mixtures); Morningstar et al. 2021 (stratified ELBO).
    Unbiased where Q is continuous. K cost evaluations an action.
    """
    return _marginal_cost(policy, policy, objective, rng, n)


def marginalized_stl(policy: Policy, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
    """∇̂J = d/dθ Σ_k w_k [α log π(a_k) − Q(a_k)],  a_k = μ_k + σ_k ε_k, π held fixed.

    Reference: Roeder et al. 2017, §4. The score dropped here has mean zero under the mixture.
    Unbiased where Q is continuous. K cost evaluations an action.
    """
    return _marginal_cost(policy, policy.detach(), objective, rng, n)


def _marginal_cost(
    policy: Policy, density: Policy, objective: Objective, rng: Noise, n: int
) -> Tensor:
    a, w = policy.strata(n, rng)  # [K, n, *batch, d], [K, 1, *batch]
    return (w * objective.cost(density, a)).sum(0).mean(0)
