"""Exact answers are never surer than they are: against closed forms at 40 digits, right to within
their own error or refused by name. See `random_problems`; the large run is
`python tests/random_problems.py 0 3000`."""

from functools import cache, partial

import mpmath as mp
import pytest
import torch
from random_problems import box, combined, cosine, growth, judged, kink, oracle, step, strip
from support import FLOAT, gap, gaussian, t

from estimators import (
    Categorical,
    Mixture,
    Objective,
    TooManyNodes,
    exact_gradient,
    exact_moments,
    leave_one_out,
    score_function,
)
from estimators.quadrature import rounding


def within(policy, objective, mean):
    """How far the exact gradient is from the closed form, in units of its own error."""
    exact = exact_gradient(policy, objective)
    truth, slack = oracle(policy, objective.alpha, mean)
    return gap(exact, truth) / (exact.error + slack), exact.error


COUNT = 120
judgement = cache(partial(judged, quick=True))


@pytest.mark.parametrize("seed", range(COUNT))
def test_random_problems_are_right_or_refused(seed):
    verdict, words, distance, error = judgement(seed)
    assert verdict != "wrong", f"{words}: off by {distance:.1e}, claimed {error:.1e}"


def test_most_random_problems_are_not_refused():
    """At most a fifth: tails that grow, features too narrow for planes."""
    assert [judgement(seed)[0] for seed in range(COUNT)].count("refused") <= COUNT / 5


@pytest.mark.parametrize("offset", [0.0, 1e2, 1e3, 1e4, 1e6, 1e9])
def test_cancellation_is_counted(offset):
    """Q near 10⁹ leaves seven digits of a difference, and the error says so: without being ten
    thousand times too large, which no answer could miss."""
    values = t(0.1, 0.7, -0.3) + offset
    menu = Objective(lambda a: values[a], 0.3)
    ratio, error = within(Categorical(t(0.3, -0.4, 1.2)), menu, values)
    assert ratio <= 1
    assert error < 1e-14 * (1 + offset)
    critic = combined([cosine([2.0], 0.3)], [1.0], offset)
    ratio, error = within(gaussian(), Objective(critic.Q, 0.3), critic.mean)
    assert ratio <= 1
    assert error < 1e-13 * (1 + offset)


def test_rounding_is_the_size_of_what_is_summed():
    """E|(α log π − Q) ∇ log π| to a factor of three: Q near 10⁴ counts, though it cancels."""
    policy, offset = Categorical(t(0.3, -0.4, 1.2)), 1e4
    p = policy.logits.softmax(-1)
    size = offset * 2 * p * (1 - p)  # Σ_a p_a |1[a = i] − p_i|
    found = rounding(policy, Objective(lambda a: a * 0.1 + offset, 0.0))
    assert ((found > size / 3) & (found < 3 * size)).all()
    small = rounding(policy, Objective(lambda a: a * 0.1, 0.0))
    assert (small < 1e-3 * found).all()
    for single in (gaussian((0.0,) * 6, (0.0,) * 6), gaussian().map(torch.Tensor.float)):
        found = rounding(single, Objective(lambda a: a.sum(-1) + offset, 0.2))
        assert ((found > 0.2 * offset) & (found < 3 * offset)).all()


@pytest.mark.parametrize("width", [0.02, 0.009, 0.003, 0.001])
@pytest.mark.parametrize("centre", [0.1, 0.9137, -1.3])
def test_narrow_boxes_are_seen(width, centre):
    critic = box([centre], width / 2)
    ratio, error = within(gaussian(), Objective(critic.Q, 0.0), critic.mean)
    assert ratio <= 1
    assert error < 1e-12


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_narrow_components_are_seen(alpha):
    """σ = 1 and .003 in two dimensions; nine states with σ = 1 and 10⁻⁴."""
    bowl = Objective(lambda a: -(a**2).sum(-1), alpha)

    def mean(mu, sigma):
        return -mp.fsum(m * m + s * s for m, s in zip(mu, sigma, strict=True))

    two = Mixture(t(0.0, 0.0), t([0.0, 0.0], [0.5, -0.3]), t([0.0, 0.0], [-5.8, -5.8]))
    ratio, error = within(two, bowl, mean)
    assert ratio <= 1
    assert error < 1e-6
    rng = torch.Generator().manual_seed(1)
    log_std = t([0.0], [-9.2]).expand(9, 2, 1)
    nine = Mixture(
        torch.zeros(9, 2).double(), torch.randn(9, 2, 1, generator=rng, dtype=FLOAT), log_std
    )
    ratio, error = within(nine, bowl, mean)
    assert ratio <= 1
    assert error < 1e-5
    for d in (3, 4):
        many = Mixture(t(0.0, 0.0), torch.zeros(2, d).double(), t([0.0] * d, [-3.0] * d))
        with pytest.raises(TooManyNodes):
            exact_gradient(many, bowl)


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("c", [0.1, 0.3, 0.4, 0.45, 0.49, 0.499, 0.5])
def test_growing_tails_are_right_or_refused(d, c):
    """exp(ca²), whose mean is infinite at c = ½: nodes end at |ε| = 12."""
    policy = gaussian((0.0,) * d, (0.0,) * d)
    critic = growth([1.0] + [0.0] * (d - 1), 0.0, c)
    if c <= 0.3:
        assert within(policy, Objective(critic.Q, 0.2), critic.mean)[0] <= 1
        return
    with pytest.raises(TooManyNodes, match="heavy tails"):
        exact_gradient(policy, Objective(critic.Q, 0.2))


W = [0.7, -1.0]
PLANES = {
    "step": step(W, 0.3),
    "axis": step([0.0, 1.0], -0.2),
    "kink": kink(W, 0.1),
    "box": box([0.2, -0.1], 0.5),
    "small": box([0.4, -0.1], 0.02),
    "both": combined([step(W, 0.3), kink([1.0, 0.4], -0.2)], [1.0, -0.5]),
}


@pytest.mark.parametrize("name", PLANES)
def test_jumps_and_kinks_on_a_plane(name):
    policy = gaussian((0.1, 0.2), (0.0, -0.3))
    critic = PLANES[name]
    ratio, error = within(policy, Objective(critic.Q, 0.3), critic.mean)
    assert ratio <= 1
    assert error < 1e-6


def test_features_too_narrow_for_planes_and_space_are_refused():
    plane, space = gaussian((0.1, 0.2), (0.0, -0.3)), gaussian((0.0,) * 3, (0.0,) * 3)
    for width in (0.001, 0.002):
        with pytest.raises(TooManyNodes, match=r"narrower than 0\.03"):
            exact_gradient(plane, Objective(strip(W, 0.2, width).Q, 0.0))
    for critic in (step([0.5, 0.2, 0.3], 0.1), kink([0.5, 0.2, 0.3], 0.1), box([0.2] * 3, 0.1)):
        with pytest.raises(TooManyNodes, match="narrower than a grid"):
            exact_gradient(space, Objective(critic.Q, 0.2))


def test_a_jump_between_two_draws():
    """Pairs with a leave-one-out baseline: two scalar draws, the mean is the gradient."""
    pair = partial(score_function, n=2, baseline=leave_one_out)
    jump = Objective(lambda a: (a > 0.1).double().sum(-1), 0.0)
    mean, _ = exact_moments(pair, gaussian(), jump)
    exact = exact_gradient(gaussian(), jump)
    assert gap(mean, exact) <= mean.error + exact.error < 1e-6
