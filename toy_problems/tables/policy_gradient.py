"""The policy-gradient theorem by enumeration: every trajectory of a small finite problem.

∇J = E[Σ_t w_t ∇ log π(a_t|s_t)], with three choices of the weight w_t.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from toy_problems.tables.soft_mdp import softmax
from toy_problems.tables.tabular import MDP, Array

Weight = Callable[[Sequence[float], int], float]


@dataclass(frozen=True)
class Trajectory:
    """s_0, a_0, r_0, s_1, …, with its probability."""

    probability: float
    states: tuple[int, ...]
    actions: tuple[int, ...]
    rewards: tuple[float, ...]


def trajectories(mdp: MDP, pi: Array, start: int, horizon: int) -> Iterator[Trajectory]:
    """All trajectories of `horizon` actions from `start` with positive probability."""
    S, A = mdp.r.shape
    for actions in itertools.product(range(A), repeat=horizon):
        for later in itertools.product(range(S), repeat=horizon - 1):
            states = (start, *later)
            p = float(np.prod([pi[s, a] for s, a in zip(states, actions, strict=True)]))
            steps = zip(states, actions, later, strict=False)
            p *= float(np.prod([mdp.P[s, a, after] for s, a, after in steps]))
            if p > 0:
                rewards = tuple(float(mdp.r[s, a]) for s, a in zip(states, actions, strict=True))
                yield Trajectory(p, states, actions, rewards)


def expected_return(mdp: MDP, theta: Array, start: int, horizon: int) -> float:
    """J(θ) = E[Σ_t r_t] under π = softmax(θ). theta: [S, A] logits."""
    paths = trajectories(mdp, softmax(theta), start, horizon)
    return sum(path.probability * sum(path.rewards) for path in paths)


def full_return(rewards: Sequence[float], t: int) -> float:
    """w_t = Σ_n r_n: the theorem (Williams 1992)."""
    return sum(rewards)


def reward_to_go(rewards: Sequence[float], t: int) -> float:
    """w_t = Σ_{n≥t} r_n: the same mean, what came before a_t left out."""
    return sum(rewards[t:])


def as_printed(rewards: Sequence[float], t: int) -> float:
    """w_t = r_t: the form that the blog "SAC from zero" prints as its theorem 1 (Eq. 10)."""
    return rewards[t]


def policy_gradient(mdp: MDP, theta: Array, start: int, horizon: int, weight: Weight) -> Array:
    """E[Σ_t w_t ∇_θ log π(a_t|s_t)], π = softmax(θ), by enumeration: [S, A] like theta."""
    pi = softmax(theta)
    gradient = np.zeros_like(theta)
    for path in trajectories(mdp, pi, start, horizon):
        for t, (s, a) in enumerate(zip(path.states, path.actions, strict=True)):
            score = -pi[s]
            score[a] += 1
            gradient[s] += path.probability * weight(path.rewards, t) * score
    return gradient


def two_step() -> MDP:
    """The first of two actions in state 0 leads to state 1, where everything pays 1; the second
    to state 2, where nothing does. The reward comes one step after the choice."""
    P = np.zeros((3, 2, 3))
    P[0, 0, 1] = P[0, 1, 2] = P[1, :, 1] = P[2, :, 2] = 1
    return MDP(P, np.array([[0.0, 0], [1, 1], [0, 0]]), 1.0)
