"""The problems on which the libraries are tried: costs without symmetry, ordinary parameters."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch

from estimators import Gaussian, Mixture, Objective, squash


def t(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


ALPHA = 0.3
GAUSSIAN = Gaussian(t(0.3, -0.5), t(-0.4, 0.2))
LINE = Gaussian(t(0.1), t(0.0))
# E cos(.7x + .7y), K = 2, centres (−1, 0) and (1, .5), scale 1: the exact logit gradient is ±.0400
MIXTURE = Mixture(t(0.3, 0.0), t([-1.0, 0.0], [1.0, 0.5]), t([0.0, 0.0], [0.0, 0.0]))
SAME_MEANS = Mixture(t(0.2, -0.2), t([0.5, 0.0], [0.5, 0.0]), t([0.0, 0.0], [0.3, 0.3]))


def cost_with(cos):
    """Σ_i (.7 a_i − .2)² + .3 a_i³ − cos(2 a_i), with the cosine of the library at hand."""
    return lambda a: ((0.7 * a - 0.2) ** 2 + 0.3 * a**3 - cos(2 * a)).sum(-1)


def wave_with(cos):
    """cos(.7x + .7y)."""
    return lambda a: cos(0.7 * a.sum(-1))


def step(a):
    """Σ tanh 3a: a score function varies little here, so that 5 % of its mean can be seen."""
    return torch.tanh(3 * a).sum(-1)


def expectation(f):
    """J = E[f(a)]: no entropy term."""
    return Objective(lambda a: -f(a), 0.0)


E_COST, E_WAVE = expectation(cost_with(torch.cos)), expectation(wave_with(torch.cos))
E_STEP = expectation(step)
SQUASHED = squash(Objective(E_COST.Q, ALPHA))


class Case(NamedTuple):
    """One row of the table. expected: the verdict that is known to be right, "biased" and
    "broken" where the library has a fault."""

    library: str
    name: str
    subject: Callable[..., Any]
    policy: Any
    objective: Objective
    expected: str = "unbiased"
    options: Mapping[str, Any] = {}
