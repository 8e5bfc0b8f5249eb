"""tanh of a Gaussian, exponential averages, maxima of noisy critics."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from support import FLOAT, gaussian

from estimators import Objective, exact_gradient, log_det_tanh, squash
from toy_problems.tables.averages import half_life, max_of_min, moving_average, weights
from toy_problems.theory.squashed import entropy, log_det, modes, moment


def density(a, mu, sigma):
    u = math.atanh(a)
    normal = math.exp(-(((u - mu) / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))
    return normal / (1 - a**2)


def test_moments_and_entropy_from_the_density():
    mu, sigma = 0.4, 0.6
    second = quad(lambda a: a**2 * density(a, mu, sigma), -1, 1)[0]
    assert abs(moment(2, mu, sigma) - second) < 1e-8
    h = quad(lambda a: -density(a, mu, sigma) * math.log(density(a, mu, sigma)), -0.9999, 0.9999)[0]
    assert abs(entropy(mu, sigma) - h) < 1e-6


def test_entropy_s_derivative_is_the_objective_s_gradient():
    """∂H/∂μ = −∇J of the squashed objective with Q = 0, α = 1."""
    h = 1e-4
    slope = (entropy(0.4 + h, 0.9) - entropy(0.4 - h, 0.9)) / (2 * h)
    objective = squash(Objective(lambda a: 0 * a.sum(-1), 1.0))
    gradient = exact_gradient(gaussian((0.4,), (math.log(0.9),)), objective)
    assert abs(slope + float(gradient["mu"])) < 1e-8


def test_log_det_is_the_estimators_one():
    u = np.array([-30.0, -1.3, 0.0, 0.4, 700.0])
    assert np.abs(
        log_det(u) - log_det_tanh(torch.tensor(u, dtype=FLOAT)[:, None]).numpy()
    ).max() < (1e-12)


@pytest.mark.parametrize(
    ("mu", "sigma", "count"),
    [(0, 0.7, 1), (0, 0.72, 2), (0.03, 0.9, 2), (1, 0.9, 1), (-0.2, 1.5, 2)],
)
def test_modes_are_the_maxima_of_the_density(mu, sigma, count):
    found = modes(mu, sigma)
    a = np.tanh(np.linspace(-12, 12, 200_001))
    p = np.array([density(x, mu, sigma) if abs(x) < 1 - 1e-9 else 0.0 for x in a])
    peaks = a[1:-1][(p[1:-1] > p[:-2]) & (p[1:-1] > p[2:])]
    assert len(found) == count == len(peaks)
    assert np.abs(np.array(found) - peaks).max() < 1e-4


def test_moving_average_is_its_weights():
    values = np.array([1.0, -2.0, 0.5, 3.0])
    path = moving_average(values, 0.3, start=2.0)
    assert abs(path[-1] - weights(0.3, 4) @ values[::-1] - 0.7**4 * 2) < 1e-14
    assert abs((1 - 0.005) ** half_life(0.005) - 0.5) < 1e-12
    with pytest.raises(ValueError, match="tau"):
        moving_average(values, 0.0)


def test_max_of_min_against_closed_forms():
    """E max of 2 = 1/√π, of 4 = 6 arctan(√2)/π^{3/2}; max(x, y) = x + y − min(x, y)."""
    four = 6 * math.atan(math.sqrt(2)) / math.pi**1.5
    for actions, critics, expected in (
        (1, 1, 0.0),
        (2, 1, 1 / math.sqrt(math.pi)),
        (1, 2, -1 / math.sqrt(math.pi)),
        (4, 1, four),
        (2, 2, four - 2 / math.sqrt(math.pi)),
    ):
        assert abs(max_of_min(actions, critics) - expected) < 1e-12
    with pytest.raises(ValueError, match="at least one"):
        max_of_min(0, 1)
