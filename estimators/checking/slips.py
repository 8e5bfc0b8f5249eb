"""Known slips as estimators: each is wrong in one way that somebody has shipped.

Their means are what a measured mean is compared with (`estimators.checking.diagnosis`); none of
them is in the catalogue.
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from estimators.gradients import Estimator, grad_a, linear
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.pathwise import reparameterization
from estimators.policies import Gaussian, Mixture, Policy
from estimators.policies.mixture import pick


def score_for_path(policy: Gaussian, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
    """(α ∇_a log π(a) − ∇_a Q(a)) ∇_θ log π_θ(a): Eq. 13 with ∇_θ log π in the place of ∇_θ f."""
    frozen, a, score = _gaussian_score(policy, rng, n)
    slope = grad_a(lambda x: objective.cost(frozen, x), a)
    return linear(policy, **{name: (slope * s).mean(0) for name, s in score.items()})


def score_for_path_in_value(
    policy: Gaussian, objective: Objective, rng: Noise, n: int = 1
) -> Tensor:
    """α ∇_θ E[log π] − ∇_a Q(a) ∇_θ log π_θ(a): the same slip in the value term alone."""
    _, a, score = _gaussian_score(policy, rng, n)
    slope = grad_a(objective.Q, a)
    value = linear(policy, **{name: -(slope * s).mean(0) for name, s in score.items()})
    return value - objective.alpha * policy.entropy()


def _gaussian_score(
    policy: Gaussian, rng: Noise, n: int
) -> tuple[Policy, Tensor, dict[str, Tensor]]:
    frozen = policy.detach()
    eps = rng.normal((n, *frozen.mu.shape), frozen.mu)
    a = frozen.mu + frozen.log_std.exp() * eps
    return frozen, a, {"mu": eps / frozen.log_std.exp(), "log_std": eps**2 - 1}


def marginal_cdfs(policy: Mixture, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
    """Implicit reparameterization with ∂a_i = −∂F_i(a_i)/q_i(a_i), F_i and q_i marginal."""
    a = policy.sample(n, rng)  # [n, *batch, d]
    w = policy.logits.softmax(-1).unsqueeze(-1)  # [*batch, K, 1]
    z = (a.unsqueeze(-2) - policy.mu) / policy.log_std.exp()  # [n, *batch, K, d]
    F = (w * torch.special.ndtr(z)).sum(-2)  # [n, *batch, d]
    density = torch.exp(-(z**2) / 2 - policy.log_std) / (2 * torch.pi) ** 0.5
    q = (w * density).sum(-2).detach()
    return objective.cost(policy, a - (F - F.detach()) / q).mean(0)


def path_of_drawn_component(
    policy: Mixture, objective: Objective, rng: Noise, n: int = 1
) -> Tensor:
    """d/dθ cost(μ_k + σ_k ε), k drawn and forgotten: the weights get no path."""
    eps = rng.normal((n, *policy.batch, policy.mu.shape[-1]), policy.mu)
    k = rng.categorical(policy.logits.detach().softmax(-1), (n, *policy.batch))
    mu, log_std = (pick(p, k) for p in (policy.mu, policy.log_std))
    return objective.cost(policy, mu + log_std.exp() * eps).mean(0)


def frozen_weights(policy: Mixture, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
    """Σ_k stop(w_k) cost(a_k): component marginalisation without the gradient of its weights."""
    a = policy.components.rsample(n, rng).movedim(-2, 0)  # [K, n, *batch, d]
    w = policy.logits.detach().softmax(-1).movedim(-1, 0).unsqueeze(1)
    return (w * objective.cost(policy, a)).sum(0).mean(0)


def attached_action(policy: Policy, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
    """stop(cost) d/dθ log π_θ(f_θ(ε)): the score function differentiates its own action too."""
    a = policy.rsample(n, rng)
    return (objective.cost(policy, a).detach() * policy.log_prob(a)).mean(0)


def attached_action_and_cost(
    policy: Policy, objective: Objective, rng: Noise, n: int = 1
) -> Tensor:
    """d/dθ [cost(f_θ(ε)) log π_θ(f_θ(ε))]."""
    a = policy.rsample(n, rng)
    return (objective.cost(policy, a) * policy.log_prob(a)).mean(0)


def attached_vargrad(policy: Policy, objective: Objective, rng: Noise, n: int = 2) -> Tensor:
    """d/dθ ½ Var_n[cost(f_θ(ε_i))]: VarGrad whose actions are not held fixed."""
    return objective.cost(policy, policy.rsample(n, rng)).var(0) / 2


def advantage_over_deviation(
    policy: Policy,
    objective: Objective,
    rng: Noise,
    n: int = 1,
    *,
    group: int,
    correction: int,
    over_states: bool = False,
) -> Tensor:
    """(c − mean)/std of a group's costs in the place of c: GRPO's advantage. over_states: the
    group is that of all states of a batch."""
    n = max(n // group, 1) * group
    a = policy.sample(n, rng)  # [n, rows, *batch, d]
    cost = objective.cost(policy, a).detach().unflatten(0, (-1, group))  # [n/group, group, rows, …]
    axes = (1, *range(3, cost.ndim)) if over_states else (1,)
    std = cost.std(axes, correction=correction, keepdim=True)
    advantage = (cost - cost.mean(axes, keepdim=True)) / (std + 1e-8)
    return (advantage.flatten(0, 1) * policy.log_prob(a)).mean(0)


# The key of the diagnosis, the estimators that make this slip, the policies that can.
SLIPS: dict[str, tuple[type[Policy], tuple[Estimator, ...]]] = {
    "discontinuous_q": (Policy, (reparameterization,)),
    "score_in_place_of_path": (Gaussian, (score_for_path, score_for_path_in_value)),
    "marginal_cdfs": (Mixture, (marginal_cdfs,)),
    "component_weights": (Mixture, (path_of_drawn_component, frozen_weights)),
    "attached_action": (
        Policy,
        (attached_action, attached_action_and_cost, attached_vargrad),
    ),
}
GROUPS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 32, 64)  # where the loss does not say


class Surrogate(NamedTuple):
    """says: which of several. independent: it is no mean over n actions, those go together."""

    key: str
    estimator: Estimator
    says: str = ""
    independent: bool = False


def surrogates(policy: Policy, n: int | None) -> Iterator[Surrogate]:
    """Those that this policy's losses can be."""
    for key, (kind, estimators) in SLIPS.items():
        for estimator in estimators if isinstance(policy, kind) else ():
            yield Surrogate(key, estimator, independent=estimator is attached_vargrad)
    states = policy.batch.numel()
    for group in GROUPS if n is None else (n,):
        for correction in (1, 0):
            for over_states in (False, True) if states > 1 else (False,):
                count = group * (states if over_states else 1)
                if count > 1:
                    slip = partial(
                        advantage_over_deviation,
                        group=group,
                        correction=correction,
                        over_states=over_states,
                    )
                    says = f"a group of {count}"
                    yield Surrogate("advantage_over_deviation", slip, says, independent=True)
