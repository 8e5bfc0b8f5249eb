"""The objective J(θ) = E_{a~π_θ}[α log π_θ(a) − Q(a)] (SAC Eq. 12), state by state."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from estimators.policies import Policy


@dataclass(frozen=True, eq=False)
class Objective:
    """Q: [..., *batch, d] -> [..., *batch], leading axes broadcast; alpha: number or [*batch]."""

    Q: Callable[[Tensor], Tensor]
    alpha: float | Tensor = 1.0

    def cost(self, policy: Policy, a: Tensor) -> Tensor:
        """α log π(a) − Q(a), [..., *batch]. Minus its mean is the soft value."""
        log_prob, q = policy.log_prob(a), self.Q(a)
        if not isinstance(q, Tensor) or q.shape != log_prob.shape:
            got = list(q.shape) if isinstance(q, Tensor) else type(q).__name__
            raise ValueError(
                f"Q must map actions {list(a.shape)} to values {list(log_prob.shape)}, got {got}"
            )
        return self.alpha * log_prob - q


def squash(objective: Objective) -> Objective:
    """Q̃(u) = Q(tanh u) + α Σ_i log(1 − tanh² u_i): the objective of a = tanh u, seen from u.

    Squashing changes the energy, not the policy: log π(a) = log π(u) − Σ_i log(1 − tanh² u_i)
    (SAC, appendix C), so the cost of u under Q̃ is the cost of a under Q.
    """
    Q, alpha = objective.Q, objective.alpha
    return Objective(lambda u: Q(torch.tanh(u)) + alpha * log_det_tanh(u), alpha)


def log_det_tanh(u: Tensor) -> Tensor:
    """Σ_i log(1 − tanh² u_i) = Σ_i 2(log 2 − u_i − softplus(−2u_i)): [..., d] -> [...].

    Exact where 1 − tanh² u underflows. The threshold is where softplus(x) = x in float64.
    """
    return (2 * (math.log(2) - u - softplus(-2 * u, threshold=40.0))).sum(-1)
