"""Right losses on problems that are hard on a check: rare actions, sparse critics, policies of
somebody's. See trust.py."""

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Beta, Independent, MultivariateNormal, Normal, StudentT
from torch.distributions import Categorical as TorchCategorical

from estimators import (
    Categorical,
    Gaussian,
    Objective,
    Policy,
    from_distribution,
    reparameterization,
    score_function,
)

BUDGET = 2**17
Case = tuple[Any, Policy, Objective]


def rare_action(rng: random.Random) -> Case:
    """One action in 10 to 100,000 has a reward; as a loss, with a branch, or our own."""
    actions, p = rng.randint(2, 4), 10 ** rng.uniform(-5, -1)
    prob = torch.full((actions,), (1 - p) / (actions - 1), dtype=torch.float64)
    prob[0] = p
    reward = torch.zeros(actions, dtype=torch.float64)
    reward[0] = rng.uniform(-2, 2)
    alpha = rng.choice([0.0, rng.uniform(0, 1)])

    def loss(params: dict[str, Tensor]) -> Tensor:
        pi = TorchCategorical(logits=params["logits"])
        a = pi.sample()
        log_prob = pi.log_prob(a)
        return (alpha * log_prob.detach() - reward[a]) * log_prob

    def branching(params: dict[str, Tensor]) -> Tensor:
        pi = TorchCategorical(logits=params["logits"])
        a = pi.sample()
        entropy = -alpha * pi.entropy()
        return entropy - reward[0] * pi.log_prob(a) if a == 0 else entropy

    thing = rng.choice([loss, branching, score_function])
    return thing, Categorical(prob.log()), Objective(lambda a: reward[a], alpha)


def sparse_critic(rng: random.Random) -> Case:
    """Flat where actions are common; a ReLU, a ramp or a steep sigmoid beyond."""
    d, knot, steep = rng.randint(1, 2), rng.uniform(0.5, 4.5), 10 ** rng.uniform(0, 3)
    shape: Callable[[Tensor], Tensor] = rng.choice(
        [torch.relu, lambda x: (steep * x).clamp(0, 1), lambda x: torch.sigmoid(steep * x)]
    )
    alpha = rng.choice([0.0, 0.0, 0.3])

    def Q(a: Tensor) -> Tensor:
        return shape(a - knot).sum(-1)

    def loss(params: dict[str, Tensor]) -> Tensor:
        pi = Normal(params["mu"], params["log_std"].exp())
        a = pi.rsample()
        return alpha * pi.log_prob(a).sum(-1) - Q(a)

    zero = torch.zeros(d, dtype=torch.float64)
    return rng.choice([loss, reparameterization]), Gaussian(zero, zero), Objective(Q, alpha)


def foreign(rng: random.Random) -> Case:
    """A distribution of torch's, by its rsample or by the score function."""
    d = rng.randint(1, 2)

    def numbers(*shape: int) -> Tensor:
        size = torch.Size(shape).numel()
        flat = [rng.uniform(-0.8, 0.8) for _ in range(size)]
        return torch.tensor(flat, dtype=torch.float64).view(shape)

    make: Callable[[dict[str, Tensor]], Any] = rng.choice(
        [
            lambda p: Independent(Beta((p["x"] + 0.9).exp(), (p["y"] + 0.9).exp()), 1),
            lambda p: Independent(StudentT(5.0, p["x"], p["y"].exp()), 1),
            lambda p: MultivariateNormal(
                p["x"], scale_tril=torch.diag_embed(p["y"].exp()) + 0.4 * torch.ones(d, d).tril(-1)
            ),
        ]
    )
    c, alpha = numbers(d), rng.uniform(0, 1)

    def Q(a: Tensor) -> Tensor:
        return torch.tanh(2 * a).sum(-1) + (c * torch.exp(-(a**2))).sum(-1)

    def loss(params: dict[str, Tensor]) -> Tensor:
        pi = make(params)
        a = pi.rsample()
        return alpha * pi.log_prob(a) - Q(a)

    policy = from_distribution(make, x=numbers(d), y=numbers(d))
    return rng.choice([loss, score_function]), policy, Objective(Q, alpha)


KINDS = {"rare action": rare_action, "sparse critic": sparse_critic, "foreign policy": foreign}
