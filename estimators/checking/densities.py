"""Wrong log-densities that somebody has shipped, each as its equation.

A loss that takes L for log π makes one of four slips of it, and each has a mean of its own:

    α L(a) − Q(a)                            pathwise, or summed over all actions
    stop(α L(a) − Q(a)) log π(a)             in the cost of a score function
    stop(α log π(a) − Q(a)) L(a)             in its score
    stop(α L(a) − Q(a)) L(a)                 in both

Under a tanh the policy's own action is u, a = tanh u, and log π(a) = log π(u) − Σ log(1 − a²).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from estimators.checking.means import every_action
from estimators.objective import log_det_tanh
from estimators.policies import Categorical, Policy

LogProb = Callable[[Policy, Tensor], Tensor]  # [n, *batch, d] -> [n, *batch]
EPSILONS = (1e-6, 1e-7, 1e-8, 1e-5, 1e-4, 1e-3)  # inside the logarithm of 1 − a²
MARGINS = (1e-6, 1e-7, 1e-5, 1e-4, 1e-3, 1e-2)  # that a clamp keeps from ±1
LOWEST = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 5e-2)  # of a probability
HIGHEST = (0.9, 0.95, 0.99, 0.999, 0.9999)
SHOWN = 4  # probabilities in a sentence


@dataclass(frozen=True, eq=False)
class Wrong:
    """L. held: whether it holds θ as log π does but for what does not depend on θ, so that its
    score is right. says: which, where there are several."""

    key: str
    L: LogProb
    held: bool = False
    says: str = ""


def right(squashed: bool) -> LogProb:
    """log π(a), up to what a tanh has."""
    if not squashed:
        return lambda policy, a: policy.log_prob(a)
    return lambda policy, u: policy.log_prob(u) - log_det_tanh(u)


def wrong_densities(policy: Policy, squashed: bool) -> Iterator[Wrong]:
    """Those that a loss for this policy can hold."""
    log_pi = right(squashed)
    yield Wrong("log_lost", lambda policy, a: log_pi(policy, a).exp())
    if policy.discrete:
        yield from _of_probabilities(policy)
    if isinstance(policy, Categorical):
        yield Wrong("unnormalised", _logit)
    if squashed:
        yield Wrong("tanh_twice", _of_tanh_of_tanh, held=True)
        for epsilon in EPSILONS:
            yield Wrong("log_det_epsilon", _softened(epsilon), held=True, says=f"{epsilon:g}")
        for margin in MARGINS:
            yield Wrong("atanh_of_clamp", _through_clamp(margin), says=f"1 − {margin:g}")


def _logit(policy: Any, a: Tensor) -> Tensor:
    """The logit in the place of its log-softmax."""
    return policy.logits.expand(*a.shape, -1).gather(-1, a[..., None])[..., 0]


def _of_tanh_of_tanh(policy: Policy, u: Tensor) -> Tensor:
    """log π(u) − Σ log(1 − tanh² a): the tanh of what is a tanh already."""
    return policy.log_prob(u) - log_det_tanh(torch.tanh(u))


def _softened(epsilon: float) -> LogProb:
    """log π(u) − Σ log(1 − a² + ε)."""
    return lambda policy, u: (
        policy.log_prob(u) - torch.log(1 - torch.tanh(u) ** 2 + epsilon).sum(-1)
    )


def _through_clamp(margin: float) -> LogProb:
    """The density at atanh(clamp(a, ±(1 − margin))) = clamp(u, ±atanh(1 − margin))."""
    bound = math.atanh(1 - margin)

    def L(policy: Policy, u: Tensor) -> Tensor:
        cut = u.clamp(-bound, bound)
        return policy.log_prob(cut) - log_det_tanh(cut)

    return L


def _of_probabilities(policy: Policy) -> Iterator[Wrong]:
    """log clamp(π, low, high), wherever both bounds cut some action off."""
    every = every_action(policy.detach())
    if every is None:
        return
    p = every[1]  # [m, *batch]
    for low in (None, *(x for x in LOWEST if bool((p < x).any()))):
        for high in (None, *(x for x in HIGHEST if bool((p > x).any()))):
            cut = (p < (low or 0.0)) | (p > (high or 1.0))
            if low or high:
                says = "cut: " + ", ".join(f"{x:.2g}" for x in p[cut].tolist()[:SHOWN])
                yield Wrong("clamped_probability", _clamped(low, high), says=says)


def _clamped(low: float | None, high: float | None) -> LogProb:
    return lambda policy, a: policy.log_prob(a).exp().clamp(low, high).log()
