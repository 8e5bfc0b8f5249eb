"""The modes of log densities that are known in closed form."""

import math

import numpy as np
import pytest
import torch
from support import FLOAT

from estimators import Gaussian, Mixture, Noise
from nabla.runs.modes import by_ascent, depths, grid_values, on_grid, random_plane, starting_points

AXIS = torch.linspace(-5, 5, 1001, dtype=FLOAT)


def mixture(weights, means, sigma):
    """Of one state: [1] mixtures in d dimensions."""
    mu = torch.tensor([means], dtype=FLOAT)  # [1, K, d]
    logits = torch.tensor([weights], dtype=FLOAT).log()
    return Mixture(logits, mu, torch.full_like(mu, math.log(sigma)))


def test_a_path_that_goes_up_and_down():
    """Heights along a path: each peak's depth is to the higher of its two passes, and where to."""
    height = np.array([1.0, 5.0, 2.0, 4.0, 3.0, 3.5, 0.0])
    edges = np.stack([np.arange(6), np.arange(1, 7)], 1)
    depth, into = depths(height, edges, height[edges].min(1))
    assert depth.tolist() == [0, np.inf, 0, 2, 0, 0.5, 0]
    assert into[[1, 3, 5]].tolist() == [1, 1, 3]


def test_parts_that_do_not_meet_have_a_highest_each():
    depth, _ = depths(np.array([1.0, 2.0, 7.0]), np.array([[0, 1]]), np.array([0.5]))
    assert depth.tolist() == [0.5, np.inf, np.inf]


@pytest.mark.parametrize("weight", [0.5, 0.8, 0.97])
def test_two_gaussians_on_a_line(weight):
    """Depth, drop and mass against their formulas: means ±1.5, σ = ½, far apart."""
    p = mixture([weight, 1 - weight], [[-1.5], [1.5]], 0.5)
    (values,) = grid_values(p.log_prob, AXIS, p.mu[:, 0])
    found = on_grid(values, AXIS.numpy())
    log_p = p.log_prob(AXIS[:, None, None])[:, 0].numpy()
    left, right = log_p[:501].max(), log_p[500:].max()
    saddle = log_p[np.abs(AXIS.numpy()) < 1.4].min()
    assert found.depth[0] == np.inf
    np.testing.assert_allclose(found.at[:, 0], [-1.5, 1.5], atol=0.011)
    np.testing.assert_allclose(found.drop, [0, left - right], atol=1e-12)
    np.testing.assert_allclose(found.depth[1], right - saddle, atol=1e-12)
    np.testing.assert_allclose(found.mass, [weight, 1 - weight], atol=2e-3)


def test_a_valley_belongs_to_the_steepest_of_its_sides():
    found = on_grid(np.array([5.0, 0.0, 3.0]), np.arange(3.0))
    weight = np.exp([5.0, 0.0, 3.0])
    np.testing.assert_allclose(found.mass, np.array([weight[:2].sum(), weight[2]]) / weight.sum())
    assert found.depth.tolist() == [np.inf, 3]


@pytest.mark.parametrize("flip", [False, True])
def test_corners_touch(flip):
    values = np.array([[3.0, 0.0], [0.0, 2.0]])
    assert len(on_grid(values[::-1] if flip else values, np.arange(2.0)).drop) == 1


def test_two_gaussians_too_near_each_other_have_one_mode():
    """½N(−m, σ²) + ½N(m, σ²) has two modes iff m > σ."""
    for m, modes in ((0.45, 1), (0.9, 2)):
        p = mixture([0.5, 0.5], [[-m], [m]], 0.5)
        assert (
            len(on_grid(grid_values(p.log_prob, AXIS, p.mu[:, 0])[0], AXIS.numpy()).drop) == modes
        )


def test_four_ways_in_the_plane():
    axis = torch.linspace(-4, 4, 161, dtype=FLOAT)
    ways = [[1.5, 0.0], [-1.5, 0.0], [0.0, 1.5], [0.0, -1.5]]
    p = mixture([0.4, 0.3, 0.2, 0.1], ways, 0.4)
    found = on_grid(grid_values(p.log_prob, axis, p.mu[:, 0])[0], axis.numpy())
    np.testing.assert_allclose(found.at, ways, atol=0.051)
    np.testing.assert_allclose(found.drop, np.log([1, 4 / 3, 2, 4]), atol=1e-3)
    np.testing.assert_allclose(found.mass, [0.4, 0.3, 0.2, 0.1], atol=5e-3)
    between = torch.tensor([[[0.75, 0.75]]], dtype=FLOAT)  # the pass between two equal neighbours
    even = mixture([0.25] * 4, ways, 0.4)
    same = on_grid(grid_values(even.log_prob, axis, even.mu[:, 0])[0], axis.numpy())
    pass_ = float(even.log_prob(torch.tensor([[[1.5, 0.0]]], dtype=FLOAT)) - even.log_prob(between))
    np.testing.assert_allclose(
        sorted(same.depth)[:3], [pass_] * 3, atol=0.03
    )  # an edge jumps over it


def test_a_ridge_that_is_a_kink_is_one_mode():
    """min of two planes and tanh's log-det, as a ReLU critic has it: concave, so one mode."""

    def f(u):
        return torch.minimum(u @ torch.tensor([8.0, 1.0]), u @ torch.tensor([-7.0, 0.5])) - u.norm(
            dim=-1
        )

    axis = torch.linspace(-5, 5, 201)
    assert len(on_grid(grid_values(f, axis, torch.zeros(1, 2))[0], axis.numpy()).drop) == 1
    mu, sigma = torch.zeros(1, 2), torch.ones(1, 2)
    (found,) = by_ascent(f, sigma, starting_points(mu, sigma, Noise(0), squash=True))
    assert len(found.drop) == 1


@pytest.mark.parametrize("d", [1, 2, 5])
def test_ascents_find_both_modes_and_the_pass(d):
    """Two equal balls ±m on the diagonal: the straight line between them passes the true saddle.

    32 ascents, each with probability ½: all in one basin has probability 2⁻³¹.
    """
    m = 2 / math.sqrt(d)
    p = mixture([0.6, 0.4], [[-m] * d, [m] * d], 0.7)
    mu, sigma = torch.zeros(1, d, dtype=FLOAT), torch.full((1, d), 1.5, dtype=FLOAT)
    (found,) = by_ascent(p.log_prob, sigma, starting_points(mu, sigma, Noise(1), squash=False))
    assert len(found.drop) == 2
    line = torch.linspace(-1, 1, 2001, dtype=FLOAT)[:, None, None] * torch.full(
        (d,), m, dtype=FLOAT
    )
    log_p = p.log_prob(line)[:, 0]
    second = float(log_p[1000:].max())
    assert found.drop[1] == pytest.approx(float(log_p.max()) - second, abs=1e-3)
    saddle = float(log_p[500:1500].min())  # which the 15 points of the line may miss
    assert found.depth[1] == pytest.approx(second - saddle, abs=0.06)


def test_ascents_of_a_gaussian_find_one_mode():
    mu = torch.tensor([[0.3, -0.5, 1.0]], dtype=FLOAT)
    p = Gaussian(mu, torch.tensor([[-1.0, 0.0, 0.5]], dtype=FLOAT))
    sigma = torch.ones_like(mu)
    (found,) = by_ascent(p.log_prob, sigma, starting_points(mu, sigma, Noise(0), squash=True))
    np.testing.assert_allclose(found.at, mu.numpy(), atol=5e-3)
    axis = torch.linspace(-4, 4, 41, dtype=FLOAT)
    (along,) = random_plane(p.log_prob, mu, sigma, Noise(0), axis)
    np.testing.assert_allclose(along.at, [[0, 0]], atol=1e-12)


def test_a_plane_through_two_modes_shows_both():
    """In two dimensions every plane is the whole of it."""
    p = mixture([0.5, 0.5], [[-1.5, 0.0], [1.5, 0.0]], 0.5)
    axis = torch.linspace(-4, 4, 81, dtype=FLOAT)
    centre, sigma = torch.zeros(1, 2, dtype=FLOAT), torch.ones(1, 2, dtype=FLOAT)
    (found,) = random_plane(p.log_prob, centre, sigma, Noise(3), axis)
    assert len(found.drop) == 2
    np.testing.assert_allclose(np.linalg.norm(found.at, axis=1), [1.5, 1.5], atol=0.08)
