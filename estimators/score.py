"""Score-function estimators (nabla-log): the cost is a number, log π carries the gradient.

A baseline is `baseline(cost: [n, *batch])`, broadcastable to its argument, whose value for
action i does not depend on action i. Then E[baseline · ∇ log π(a_i)] = 0.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from estimators.gradients import row_gradients, rows
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Policy

Baseline = Callable[[Tensor], Tensor]


def none(cost: Tensor) -> Tensor:
    """b = 0."""
    return torch.zeros_like(cost)


def batch_mean(cost: Tensor) -> Tensor:
    """b = mean of the cost over n. Biased, an exhibit: it holds action i's own cost.

    Scales the gradient by exactly 1 − 1/n, n counting independent actions.
    """
    return cost.mean(0, keepdim=True)


def leave_one_out(cost: Tensor) -> Tensor:
    """b_i = mean of the cost over the other n − 1 actions (Kool, van Hoof and Welling 2019)."""
    if len(cost) < 2:
        raise ValueError(
            f"a leave-one-out baseline needs at least 2 independent actions, got {len(cost)}: "
            "raise n"
        )
    return (cost.sum(0) - cost) / (len(cost) - 1)


def constant(value: float | Tensor) -> Baseline:
    """b = value, a number or one for each state, [*batch]."""

    def baseline(cost: Tensor) -> Tensor:
        return torch.as_tensor(value, dtype=cost.dtype, device=cost.device).detach()

    return baseline


def value(policy: Policy, objective: Objective, order: int | None = None) -> Baseline:
    """b = V = E[α log π − Q], by quadrature nodes."""
    a, w = policy.nodes(order)  # [m, *batch, d], [m, *batch]
    return constant((w * objective.cost(policy, a)).sum(0))


def optimal(
    policy: Policy,
    objective: Objective,
    parameter: str | None = None,
    order: int | None = None,
) -> Baseline:
    """b* = E[cost·|s|²] / E[|s|²], s = ∇_θ log π: the constant with the least total variance.

    parameter: minimise for that parameter alone ("mu", …). By quadrature nodes.
    Reference: Greensmith, Bartlett and Baxter 2004, theorem 8.
    """
    a, w = (t.detach() for t in policy.nodes(order))  # [m, *batch, d], …
    copies = rows(policy, len(a))
    with torch.enable_grad():
        score = row_gradients(copies.log_prob(a), copies)  # {name: [m, *batch, …]}
    if parameter is not None and parameter not in score:
        raise ValueError(f"unknown parameter {parameter!r}: the policy has {', '.join(score)}")
    chosen = score.values() if parameter is None else [score[parameter]]
    weight = w * sum((s**2).flatten(w.ndim).sum(-1) for s in chosen)
    total = weight.sum(0)
    best = (weight * objective.cost(policy, a)).sum(0) / total
    return constant(torch.where(total > 0, best, 0.0))  # no score, no matter


def score_function(
    policy: Policy, objective: Objective, rng: Noise, n: int = 1, baseline: Baseline = none
) -> Tensor:
    """∇̂J = (α log π(a) − Q(a) − b) ∇_θ log π_θ(a).

    Reference: Williams 1992 (REINFORCE); Lahire, §6 (there with its zero-mean first term).
    Unbiased for any Q with a finite mean, unless the baseline for an action sees that action.
    """
    a = policy.sample(n, rng)  # [n, *batch, d]
    cost = objective.cost(policy, a).detach()  # [n, *batch]
    return ((cost - _baseline(baseline, cost, rng)) * policy.log_prob(a)).mean(0)


def score_function_full(
    policy: Policy, objective: Objective, rng: Noise, n: int = 1, baseline: Baseline = none
) -> Tensor:
    """∇̂J = α ∇_θ log π_θ(a) + (α log π(a) − Q(a) − b) ∇_θ log π_θ(a).

    Reference: Lahire, §6, last equation (both expectations kept).
    Unbiased: the first term has mean zero, it is the constant baseline b = −α.
    """
    a = policy.sample(n, rng)  # [n, *batch, d]
    cost = objective.cost(policy, a).detach()  # [n, *batch]
    log_prob = policy.log_prob(a)
    cost = cost - _baseline(baseline, cost, rng)
    return (objective.alpha * log_prob + cost * log_prob).mean(0)


def score_function_analytic_entropy(
    policy: Policy, objective: Objective, rng: Noise, n: int = 1, baseline: Baseline = none
) -> Tensor:
    """∇̂J = −α ∇_θ H(π_θ) + (−Q(a) − b) ∇_θ log π_θ(a), the entropy H in closed form.

    Reference: Lahire, §6, with E[log π] = −H; A3C (Mnih et al. 2016) §4 for the entropy term.
    Unbiased for policies with a closed-form entropy, under the conditions of score_function.
    """
    entropy = policy.entropy()
    a = policy.sample(n, rng)  # [n, *batch, d]
    cost = Objective(objective.Q, 0.0).cost(policy, a).detach()  # [n, *batch]
    score = (cost - _baseline(baseline, cost, rng)) * policy.log_prob(a)
    return score.mean(0) - objective.alpha * entropy


def score_function_value(policy: Policy, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
    """∇̂J = (α log π(a) − Q(a) − V) ∇_θ log π_θ(a),  V = E_π[α log π − Q] by nodes.

    Reference: Williams 1992; Sutton and Barto 2018, §13.4 (baselines).
    Unbiased, as score_function.
    """
    return score_function(policy, objective, rng, n, value(policy, objective))


def score_function_optimal(policy: Policy, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
    """∇̂J = (α log π(a) − Q(a) − b*) ∇_θ log π_θ(a),  b* = E[cost·|s|²]/E[|s|²] by nodes.

    Reference: Greensmith, Bartlett and Baxter 2004, theorem 8; Weaver and Tao 2001.
    Unbiased, as score_function.
    """
    return score_function(policy, objective, rng, n, optimal(policy, objective))


def vargrad(policy: Policy, objective: Objective, rng: Noise, n: int = 2) -> Tensor:
    """∇̂J = ∇_θ ½ Var_n[cost + log π_θ(a) − stop(log π_θ(a))], the variance n − 1 normalised.

    Reference: Richter et al. 2020, Eq. 8; equal to leave-one-out draw by draw.
    Unbiased for n ≥ 2. At α = 1 it is autograd of ½ Var_n[α log π_θ(a) − Q(a)].
    """
    a = policy.sample(n, rng)  # [n, *batch, d]
    log_prob = policy.log_prob(a)
    cost = objective.cost(policy, a).detach() + log_prob - log_prob.detach()  # [n, *batch]
    return _independent_variance(cost, rng.block(n)) / 2


def _baseline(baseline: Baseline, cost: Tensor, rng: Noise) -> Tensor:
    """The baseline over independent blocks of actions: antithetic ones count as one."""
    if baseline is none:
        return torch.zeros((), dtype=cost.dtype, device=cost.device)
    block = rng.block(len(cost))
    means = cost.unflatten(0, (-1, block)).mean(1)  # [n / block, *batch]
    return baseline(means).expand_as(means).repeat_interleave(block, 0)  # [n, *batch]


def _independent_variance(x: Tensor, block: int) -> Tensor:
    """Mean of (x_i − x_j)²/2 over pairs from different blocks; torch.var when block = 1."""
    n = len(x)
    if n <= block:
        raise ValueError(f"VarGrad needs at least 2 independent actions, got n = {n}: raise n")
    within = x.unflatten(0, (-1, block)).var(1, correction=0).sum(0) * block**2
    return (x.var(0, correction=0) * n**2 - within) / (n * (n - block))
