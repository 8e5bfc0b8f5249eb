"""A control variate splits the cost, not the estimator.

Estimate the gradient of E[cost − h], integrate E[h] exactly, add. It must act on the cost, not
on Q alone: it is the cost that multiplies the score.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from estimators.gradients import Estimator, per_sample_gradients
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.pathwise import reparameterization
from estimators.policies import Gaussian, Policy
from estimators.score import score_function

# A variate looks at the policy and the objective and returns h(a), [..., *batch, d] ->
# [..., *batch], and E_π[h], [*batch]: h frozen, the expectation attached to the parameters.
Variate = Callable[[Any, Objective], tuple[Callable[[Tensor], Tensor], Tensor]]


def taylor(policy: Gaussian, objective: Objective) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """h(a) = c + gᵀ(a − m) + ½ (a − m)ᵀH(a − m): the cost to second order at m = stop(μ).

    E_π[h] = c + gᵀ(μ − m) + ½ (μ − m)ᵀH(μ − m) + ½ Σ_i H_ii σ_i², attached to μ and σ.
    Reference: Miller et al. 2017; the delta method of Mohamed et al. 2020, §7.4.2.
    Needs a twice differentiable Q.
    """
    if not isinstance(policy, Gaussian):
        raise TypeError(f"the Taylor variate needs a Gaussian, got {type(policy).__name__}")
    frozen = policy.detach()
    with torch.enable_grad():
        m = frozen.mu.clone().requires_grad_()
        cost = objective.cost(frozen, m)  # [*batch]
        (g,) = torch.autograd.grad(cost.sum(), m, create_graph=True)  # [*batch, d]
        slopes = [torch.autograd.grad(g_i.sum(), m, retain_graph=True)[0] for g_i in g.unbind(-1)]
        hessian = torch.stack(slopes, -2)  # log π depends on a: each slope has a derivative
    c, g, m = cost.detach(), g.detach(), m.detach()

    def h(a: Tensor) -> Tensor:
        step = a - m
        curve = torch.einsum("...i,...ij,...j->...", step, hessian, step)
        return c + (g * step).sum(-1) + curve / 2

    trace = (hessian.diagonal(dim1=-2, dim2=-1) * torch.exp(2 * policy.log_std)).sum(-1)
    return h, h(policy.mu) + trace / 2


def with_control_variate(estimator: Estimator, variate: Variate = taylor) -> Estimator:
    """∇̂J = ∇̂ E[cost − h] + ∇ E_π[h], the second term exact.

    Reference: Mohamed et al. 2020, §7.4; Glasserman 2003, §4.1.
    Unbiased whenever the estimator is.
    """

    def controlled(
        policy: Policy, objective: Objective, rng: Noise, n: int | None = None
    ) -> Tensor:
        h, expected = variate(policy, objective)
        rest = Objective(lambda a: objective.Q(a) + h(a), objective.alpha)
        return _with_n(estimator, n)(policy, rest, rng) + expected

    controlled.__doc__ = with_control_variate.__doc__
    return controlled


def convex_combination(
    policy: Policy,
    objective: Objective,
    rng: Noise,
    n: int | None = None,
    pilot: int = 16,
    first: Estimator = reparameterization,
    second: Estimator = score_function,
) -> Tensor:
    """∇̂J = λ ∇̂₁J + (1 − λ) ∇̂₂J,  λ = V₂/(V₁ + V₂), from independent draws.

    V₁ and V₂, the total variances of the two, come from `pilot` further draws of each.
    Reference: Parmas et al. 2018, Eq. 10 (total propagation: inverse-variance weights).
    Unbiased whenever both are: λ never sees the draws that it weighs.
    """
    if pilot < 2:
        raise ValueError(f"the pilot needs at least 2 draws to see a variance, got {pilot}")
    v1, v2 = (_total_variance(e, policy, objective, rng, pilot) for e in (first, second))
    weight = torch.where(v1 > 0, v2 / (v1 + v2), 1.0)  # [*batch]
    one, two = (_with_n(e, n)(policy, objective, rng) for e in (first, second))
    return weight * one + (1 - weight) * two


def _with_n(estimator: Estimator, n: int | None) -> Estimator:
    """The estimator with n filled in, or with the n it came with."""
    return estimator if n is None else partial(estimator, n=n)


def _total_variance(
    estimator: Estimator, policy: Policy, objective: Objective, rng: Noise, draws: int
) -> Tensor:
    grads = per_sample_gradients(estimator, policy, objective, draws, rng)
    b = len(policy.batch)
    return torch.stack([g.var(0).flatten(b).sum(-1) for g in grads.values()]).sum(0)  # [*batch]
