"""The theorem by enumeration: full return and reward-to-go are ∇J; the printed form is not."""

import numpy as np
import pytest

from toy_problems.tables.policy_gradient import (
    as_printed,
    expected_return,
    full_return,
    policy_gradient,
    reward_to_go,
    trajectories,
    two_step,
)
from toy_problems.tables.soft_mdp import softmax
from toy_problems.tables.tabular import loop

THETA = np.array([[0.3, -0.4], [0.0, 1.1], [-0.7, 0.2]])


def test_probabilities_sum_to_one():
    assert abs(sum(x.probability for x in trajectories(loop(), softmax(THETA), 0, 3)) - 1) < 1e-12


@pytest.mark.parametrize("weight", [full_return, reward_to_go])
def test_theorem_is_the_derivative(weight):
    mdp, h = loop(), 1e-5
    gradient = policy_gradient(mdp, THETA, 0, 3, weight)
    for index in np.ndindex(THETA.shape):
        step = np.zeros_like(THETA)
        step[index] = h
        up, down = (expected_return(mdp, THETA + s * step, 0, 3) for s in (1, -1))
        assert abs((up - down) / (2 * h) - gradient[index]) < 1e-9


def test_printed_form_is_another_number():
    gap = policy_gradient(loop(), THETA, 0, 3, as_printed)
    gap -= policy_gradient(loop(), THETA, 0, 3, full_return)
    assert np.abs(gap).max() > 0.02
    flat = np.zeros((3, 2))
    assert policy_gradient(two_step(), flat, 0, 2, full_return)[0].tolist() == [0.25, -0.25]
    assert policy_gradient(two_step(), flat, 0, 2, as_printed).tolist() == flat.tolist()
