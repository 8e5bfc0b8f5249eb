"""Small problems in tables: a graph of six states, and the classic ways to find its values.

The graph is the one of the blog "SAC from zero": nobody chooses actions, every state but the
last costs 1. Then Markov decision processes, for the algorithms that do choose.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from estimators import Noise

Array = np.ndarray

# P[i, j] = p(s_{j+1} | s_{i+1}); the terminal state s6 leads nowhere.
GRAPH: Array = np.array(
    [
        [0, 0, 0.4, 0.6, 0, 0],
        [0, 0, 0, 0.2, 0.8, 0],
        [0, 0, 0.4, 0, 0, 0.6],
        [0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0.2, 0.8],
        [0, 0, 0, 0, 0, 0],
    ]
)
REWARD: Array = np.array([-1.0, -1, -1, -1, -1, 0])
# The blog's four episodes, states counted from 0.
EPISODES: tuple[tuple[int, ...], ...] = ((0, 2, 2, 5), (1, 3, 5), (1, 4, 5), (1, 4, 4, 5))


def dynamic_programming(P: Array, r: Array) -> Array:
    """V = r + PV, solved: V = (I − P)⁻¹ r (Bellman's equation, the blog's Eq. 3)."""
    return np.linalg.solve(np.eye(len(r)) - P, r)


def sweep(P: Array, r: Array, order: Sequence[int]) -> Array:
    """One pass of V(s) ← (r(s) + Σ_{s'≠s} P V(s')) / (1 − P(s, s)) from V = 0, in that order."""
    V = np.zeros(len(r))
    for s in order:
        V[s] = (r[s] + P[s] @ V - P[s, s] * V[s]) / (1 - P[s, s])
    return V


def monte_carlo(episodes: Sequence[Sequence[int]], r: Array, every_visit: bool = False) -> Array:
    """V(s) = mean of the returns after the first visit (or after each visit) to s.

    Reference: Sutton and Barto 2018, §5.1. A state that is never visited has V = nan.
    """
    returns: list[list[float]] = [[] for _ in r]
    for episode in episodes:
        for t, s in enumerate(episode):
            if every_visit or s not in episode[:t]:
                returns[s].append(float(sum(r[x] for x in episode[t:])))
    return np.array([np.mean(x) if x else math.nan for x in returns])


def td0(episodes: Sequence[Sequence[int]], r: Array, rate: float) -> Array:
    """V(s_t) ← V(s_t) + rate·(r(s_t) + V(s_{t+1}) − V(s_t)) along the episodes, from V = 0.

    Reference: Sutton and Barto 2018, Eq. 6.2.
    """
    V = np.zeros(len(r))
    for episode in episodes:
        for s, after in zip(episode[:-1], episode[1:], strict=True):  # noqa: RUF007
            V[s] += rate * (r[s] + V[after] - V[s])
    return V


def sample_episodes(P: Array, start: int, count: int, rng: Noise) -> list[list[int]]:
    """`count` walks from `start` to the state that leads nowhere."""
    cdf, ends, episodes = P.cumsum(1)[:, :-1].tolist(), P.sum(1) == 0, []
    for _ in range(count):
        episode = [start]
        while not ends[episode[-1]]:
            u = float(rng.uniform((1, 1), torch.zeros((), dtype=torch.float64)))
            episode.append(_pick(cdf[episode[-1]], u))
        episodes.append(episode)
    return episodes


@dataclass(frozen=True, eq=False)
class MDP:
    """P: [S, A, S] transition probabilities, r: [S, A] rewards, gamma the discount."""

    P: Array
    r: Array
    gamma: float

    def __post_init__(self) -> None:
        if self.P.shape != (*self.r.shape, self.r.shape[0]):
            raise ValueError(
                f"P must be [S, A, S] and r [S, A], got {self.P.shape}, {self.r.shape}"
            )
        if not np.allclose(self.P.sum(-1), 1):
            raise ValueError("every row of P must sum to 1")


def loop(gamma: float = 0.9) -> MDP:
    """Three states, two actions, transitions that really are random: no symmetry."""
    P = [
        [[0.1, 0.7, 0.2], [0.6, 0.0, 0.4]],
        [[0.5, 0.2, 0.3], [0.0, 0.3, 0.7]],
        [[0.3, 0.3, 0.4], [0.9, 0.1, 0.0]],
    ]
    return MDP(np.array(P), np.array([[0.0, 0.5], [1.0, -0.3], [0.2, 0.8]]), gamma)


def action_values(mdp: MDP, pi: Array) -> Array:
    """Q^π = r + γ P V^π with V^π = Σ_a π Q^π, solved. pi: [S, A]."""
    P_pi = np.einsum("sa,sat->st", pi, mdp.P)
    V = np.linalg.solve(np.eye(len(P_pi)) - mdp.gamma * P_pi, (pi * mdp.r).sum(-1))
    return mdp.r + mdp.gamma * mdp.P @ V


def optimal_action_values(mdp: MDP) -> Array:
    """Q* by policy iteration: greedy in Q^π until nothing changes."""
    pi = np.eye(mdp.r.shape[1])[np.zeros(len(mdp.r), dtype=int)]
    while True:
        Q = action_values(mdp, pi)
        better = np.eye(mdp.r.shape[1])[Q.argmax(-1)]
        if (better == pi).all():
            return Q
        pi = better


Rate = Callable[[int], float]


def harmonic(n: int) -> float:
    """Rate of the n-th update of an entry: Σ rate = ∞, Σ rate² < ∞ (Robbins and Monro 1951)."""
    return 10 / (10 + n)


def sarsa(mdp: MDP, pi: Array, steps: int, rng: Noise, rate: Rate = harmonic) -> Array:
    """Q(s, a) ← Q(s, a) + rate·(r + γ Q(s', a') − Q(s, a)),  a' ~ π(·|s').

    Reference: Sutton and Barto 2018, Eq. 6.7, for a fixed policy pi [S, A]. Tends to Q^π.
    """
    return _learn(mdp, pi, steps, rng, rate, lambda Q, after, a: float(Q[after, a]))


def q_learning(mdp: MDP, pi: Array, steps: int, rng: Noise, rate: Rate = harmonic) -> Array:
    """Q(s, a) ← Q(s, a) + rate·(r + γ max_a' Q(s', a') − Q(s, a)), actions from pi [S, A].

    Reference: Watkins 1989; Sutton and Barto 2018, Eq. 6.8. Tends to Q* where pi tries everything.
    """
    return _learn(mdp, pi, steps, rng, rate, lambda Q, after, _: float(Q[after].max()))


def _learn(
    mdp: MDP,
    pi: Array,
    steps: int,
    rng: Noise,
    rate: Rate,
    bootstrap: Callable[[Array, int, int], float],
) -> Array:
    if steps < 1:
        raise ValueError(f"steps must be ≥ 1, got {steps}")
    u = rng.uniform((steps + 1, 2), torch.zeros((), dtype=torch.float64)).tolist()
    cdf_P, cdf_pi = mdp.P.cumsum(-1)[..., :-1].tolist(), pi.cumsum(-1)[..., :-1].tolist()
    Q, visits = np.zeros_like(mdp.r), np.zeros(mdp.r.shape, dtype=int)
    s, a = 0, _pick(cdf_pi[0], u[0][1])
    for one, two in u[1:]:
        after = _pick(cdf_P[s][a], one)
        then = _pick(cdf_pi[after], two)
        target = mdp.r[s, a] + mdp.gamma * bootstrap(Q, after, then)
        Q[s, a] += rate(int(visits[s, a])) * (target - Q[s, a])
        visits[s, a] += 1
        s, a = after, then
    return Q


def _pick(cdf: Sequence[float], u: float) -> int:
    return sum(u >= c for c in cdf)
