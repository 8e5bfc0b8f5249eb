"""The mean of a known slip, by randomised quasi-Monte Carlo.

Each of ROWS copies of the policy averages a surrogate over n Sobol points with a digital shift of
its own; the spread of the copies is the error. Any dimension, in milliseconds. Reference: Owen,
Monte Carlo theory, methods and examples, ch. 17.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from estimators.gradients import Estimator, flat_rows, per_sample_gradients
from estimators.moments import Moments
from estimators.noise import Noise, Sobol
from estimators.objective import Objective
from estimators.policies import Policy, TooManyNodes

ROWS = 32
WIDER = 1.2  # of Student's t with ROWS − 1 degrees of freedom, beside the normal
FEW = 2**10  # actions to enumerate
ROUNDING = 64.0  # units of the last place


def mean_of(
    surrogate: Estimator, policy: Policy, objective: Objective, n: int, independent: bool = False
) -> tuple[Tensor, Tensor]:
    """Its mean gradient and the error of that, flattened, from ROWS · n actions. independent:
    along n too, as a surrogate needs that is no mean over actions."""
    device = policy.like.device
    rng = Noise(11, device) if independent else Sobol(11, device, blocks=1)
    rows = per_sample_gradients(partial(surrogate, n=n), policy, objective, ROWS, rng)
    seen = Moments.of(flat_rows(rows).cpu())
    eps = torch.finfo(policy.like.dtype).eps
    return seen.mean, WIDER * seen.sem + ROUNDING * eps * seen.mean.abs().max()


def every_action(policy: Policy) -> tuple[Tensor, Tensor] | None:
    """All actions with their probabilities, attached; None unless they are few."""
    if not policy.discrete:
        return None
    try:
        first = (0,) * len(policy.batch)
        count = len(policy.detach().map(lambda p: p[first]).nodes()[0])
        return policy.nodes() if count <= FEW else None
    except TooManyNodes:
        return None


def expectation(policy: Policy, f: Callable[[Tensor], Tensor], rng: Noise, n: int) -> Tensor:
    """A surrogate for ∇E_π[f(a)]: enumerated, pathwise, or by score; f may hold θ as well."""
    if (every := every_action(policy)) is not None:
        a, w = every
        return (w * f(a)).sum(0)
    try:
        return f(policy.rsample(n, rng)).mean(0)
    except TypeError:  # no pathwise gradient
        a = policy.sample(n, rng)
        value = f(a)
        return (value.detach() * policy.log_prob(a) + value).mean(0)


def scored(
    policy: Policy,
    cost: Callable[[Tensor], Tensor],
    log_prob: Callable[[Tensor], Tensor],
    rng: Noise,
    n: int,
) -> Tensor:
    """stop(cost(a)) · log_prob(a): a score function."""
    if (every := every_action(policy.detach())) is not None:
        a, w = every
        return (w * cost(a).detach() * log_prob(a)).sum(0)
    a = policy.sample(n, rng)
    return (cost(a).detach() * log_prob(a)).mean(0)
