"""Values in tables: solved, sampled and learned ones agree where they should."""

import numpy as np
import pytest

from estimators import Noise
from toy_problems.tables.tabular import (
    EPISODES,
    GRAPH,
    MDP,
    REWARD,
    action_values,
    dynamic_programming,
    harmonic,
    loop,
    monte_carlo,
    optimal_action_values,
    q_learning,
    sample_episodes,
    sarsa,
    sweep,
    td0,
)

UNIFORM = np.full((3, 2), 0.5)


def test_dynamic_programming_satisfies_bellman():
    V = dynamic_programming(GRAPH, REWARD)
    assert np.abs(V - REWARD - GRAPH @ V).max() < 1e-14
    assert np.abs(V - [-34 / 15, -11 / 5, -5 / 3, -1, -5 / 4, 0]).max() < 1e-14


def test_one_sweep_backwards_is_the_solution_and_forwards_is_not():
    V = dynamic_programming(GRAPH, REWARD)
    assert np.abs(sweep(GRAPH, REWARD, range(5, -1, -1)) - V).max() < 1e-14
    assert np.abs(sweep(GRAPH, REWARD, range(6)) - V).max() > 0.5


def test_first_and_every_visit_differ_where_a_state_repeats():
    first, every = monte_carlo(EPISODES, REWARD), monte_carlo(EPISODES, REWARD, every_visit=True)
    assert (first != every).tolist() == [False, False, True, False, True, False]
    assert np.isnan(monte_carlo([(0, 5)], REWARD)[1])


def test_first_visit_is_unbiased():
    """2,000 walks: within 5 standard errors (false alarm 6e-7 a state); sd of a return < 0.7."""
    V = dynamic_programming(GRAPH, REWARD)
    for start in (0, 1):
        walks = sample_episodes(GRAPH, start, 2000, Noise(start))
        assert abs(monte_carlo(walks, REWARD)[start] - V[start]) < 5 * 0.7 / 2000**0.5


def test_td0_with_rate_one_copies_the_last_target():
    V = td0([(0, 2, 5)], REWARD, 1.0)
    assert V.tolist() == [-1, 0, -1, 0, 0, 0]


def test_sarsa_evaluates_and_q_learning_optimises():
    """Within 0.05 after 10⁵ steps; the two limits are 0.4 apart at least."""
    mdp = loop()
    Q, best = action_values(mdp, UNIFORM), optimal_action_values(mdp)
    assert np.abs(Q - best).min() > 0.4
    assert np.abs(sarsa(mdp, UNIFORM, 100_000, Noise(0)) - Q).max() < 0.05
    assert np.abs(q_learning(mdp, UNIFORM, 100_000, Noise(0)) - best).max() < 0.05


def test_optimal_action_values_satisfy_bellman_s_optimality():
    mdp = loop()
    Q = optimal_action_values(mdp)
    assert np.abs(Q - mdp.r - mdp.gamma * mdp.P @ Q.max(-1)).max() < 1e-12


def test_bad_tables_are_refused():
    with pytest.raises(ValueError, match="sum to 1"):
        MDP(np.ones((1, 1, 1)) / 2, np.zeros((1, 1)), 0.9)
    with pytest.raises(ValueError, match="must be"):
        MDP(np.ones((1, 1)), np.zeros((1, 1)), 0.9)
    with pytest.raises(ValueError, match="steps"):
        sarsa(loop(), UNIFORM, 0, Noise(), harmonic)
