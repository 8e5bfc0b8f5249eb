"""Notebook 01, values: its exercises and the slips they know."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nabla.course.engine import Exercise, Formula, Prediction, Slip, Word
from toy_problems.tables.tabular import Array, monte_carlo

Episodes = Sequence[Sequence[int]]


def _chain(seed: int) -> tuple[Array, Array, Array]:
    """P, r, V of five states, the last one terminal."""
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.ones(5), size=5)
    P[-1] = 0
    return P, rng.normal(size=5), rng.normal(size=5)


def bellman_backup(P: Array, r: Array, V: Array) -> Array:
    return r + P @ V


def _sweep_in_place(P: Array, r: Array, V: Array) -> Array:
    W = V.copy()
    for s in range(len(r)):
        W[s] = r[s] + P[s] @ W
    return W


BELLMAN_BACKUP = Formula(
    reference=bellman_backup,
    inputs=_chain,
    tested="the right side of Bellman's equation for 8 random chains of five states, to 9 digits",
    slips={
        "transposed": Slip(
            lambda P, r, V: r + V @ P,
            (
                "Which index of P is the state that you leave, and which the one you come to?",
                "Summed is over the state you come *to*: over a row of P.",
            ),
        ),
        "no_reward": Slip(
            lambda P, r, V: P @ V, ("The step itself is paid for, too: where is r?",)
        ),
        "reward_of_next": Slip(
            lambda P, r, V: P @ (r + V),
            (
                "You pay r of the state you come to; here one pays for the state one leaves.",
                "r(s) is outside the mean: it is known before the step is drawn.",
            ),
        ),
        "best_successor": Slip(
            lambda P, r, V: r + np.where(P > 0, V, -np.inf).max(-1, initial=-1e9),
            ("Nobody chooses here: a mean over the next state, not the best one.",),
        ),
        "plain_mean": Slip(
            lambda P, r, V: r + V.mean(),
            ("The next states are not equally likely: weigh them by P.",),
        ),
        "own_value": Slip(
            lambda P, r, V: r + P.sum(1) * V,
            ("V(s') is the value of the state you come *to*: its index is the column of P.",),
        ),
        "column_sums": Slip(
            lambda P, r, V: r + P.sum(0) * V,
            ("The sum is over the wrong axis: each row of P is summed, with V along it.",),
        ),
        "not_summed": Slip(
            lambda P, r, V: r + P * V,
            ("A product of each pair, and no sum: a mean over s' is missing.",),
        ),
        "discounted": Slip(
            lambda P, r, V: r + 0.9 * P @ V,
            ("There is no discount here: every episode ends. (Section 7 has one.)",),
        ),
        "in_place": Slip(
            _sweep_in_place,
            (
                "The first state is right, and the later ones are not. What has changed meanwhile?",
                "The new values overwrite V while others still need the old ones.",
            ),
        ),
        "solved": Slip(
            lambda P, r, V: np.linalg.solve(np.eye(len(r)) - P, r),
            ("That solves Bellman's equation. One backup puts the given V into its right side.",),
        ),
        "last_left_out": Slip(
            lambda P, r, V: r + P[:, :-1] @ V[:-1],
            ("The last state is missing from the sum.",),
        ),
        "difference": Slip(
            lambda P, r, V: r + P @ V - V,
            ("This is the error of Bellman's equation: right side minus left side.",),
        ),
    },
)


def _walks(seed: int) -> tuple[list[list[int]], Array]:
    """Three episodes over five states (the last one terminal) in which states repeat, and r."""
    rng = np.random.default_rng(seed)
    walks = [[*rng.integers(0, 4, size=5).tolist(), 4] for _ in range(3)]
    r = rng.normal(size=5)
    return [[0, 1, 2, 3, 4], *walks], r


def _averages(per_visit: list[list[float]]) -> Array:
    return np.array([np.mean(x) if x else np.nan for x in per_visit])


def _visits(
    episodes: Episodes, r: Array, *, last: bool = False, start: int = 0, end: int | None = None
) -> Array:
    """First-visit (or last-visit) averages of r summed from t + start to `end`."""
    returns: list[list[float]] = [[] for _ in r]
    for episode in episodes:
        for s in set(episode):
            reversed_at = len(episode) - 1 - list(episode)[::-1].index(s)
            t = reversed_at if last else list(episode).index(s)
            returns[s].append(float(sum(r[x] for x in episode[t + start : end])))
    return _averages(returns)


def _counts(episodes: Episodes, r: Array) -> Array:
    return np.array([sum(s in episode for episode in episodes) for s in range(len(r))])


def _summed(episodes: Episodes, r: Array) -> Array:
    return monte_carlo(episodes, r) * _counts(episodes, r)


def _returns(episode: Sequence[int], r: Array) -> list[float]:
    """The return after the first visit, of each state that is visited."""
    e = list(episode)
    return [float(sum(r[x] for x in e[e.index(s) :])) for s in set(e)]


def _last_episode(episodes: Episodes, r: Array) -> Array:
    V = np.zeros(len(r))
    for e in episodes:
        V[list(set(e))] = _returns(e, r)
    return V


def _first_of_all(episodes: Episodes, r: Array) -> Array:
    V, seen = np.zeros(len(r)), set[int]()
    for e in episodes:
        new = [(s, g) for s, g in zip(set(e), _returns(e, r), strict=True) if s not in seen]
        for s, g in new:
            V[s] = g
        seen |= set(e)
    return V


FIRST_VISIT = Formula(
    reference=monte_carlo,
    inputs=_walks,
    tested="first-visit averages, to 9 digits, for 8 random sets of four episodes in which states "
    "repeat",
    slips={
        "every_visit": Slip(
            lambda episodes, r: monte_carlo(episodes, r, every_visit=True),
            (
                "A state that comes twice in one episode counts twice here.",
                "That is every-visit Monte Carlo. Asked is for the *first* visit of an episode.",
            ),
        ),
        "last_visit": Slip(
            lambda episodes, r: _visits(episodes, r, last=True),
            ("It is the return after the last visit: is a later one written over the first?",),
        ),
        "first_of_all": Slip(
            _first_of_all,
            ("Each state is counted in one episode only: forget the visited ones at each start.",),
        ),
        "last_episode": Slip(
            _last_episode,
            ("A later episode is written over the earlier ones: average over episodes.",),
        ),
        "one_too_many": Slip(
            lambda episodes, r: (
                monte_carlo(episodes, r) * _counts(episodes, r) / (_counts(episodes, r) + 1)
            ),
            ("One visit too many is counted: with which number does the counter begin?",),
        ),
        "end_forgotten": Slip(
            lambda episodes, r: np.append(monte_carlo(episodes, r)[:-1], np.nan),
            ("Right but for the last state: it is visited, too, and its return is r of it.",),
        ),
        "by_time": Slip(
            lambda episodes, r: _averages(
                [
                    [float(r[list(e).index(s) :].sum()) for e in episodes if s in e]
                    for s in range(len(r))
                ]
            ),
            ("r is indexed by the state, not by the time: r(s_t), for the states of the episode.",),
        ),
        "shared_list": Slip(
            lambda episodes, r: np.full(
                len(r),
                np.mean(np.concatenate([_returns(e, r) for e in episodes])),
            ),
            ("All states got one mean: [[]] * n is one list, n times.",),
        ),
        "reward_left_out": Slip(
            lambda episodes, r: _visits(episodes, r, start=1),
            ("The return after a visit begins with the reward of that state itself.",),
        ),
        "not_averaged": Slip(
            _summed, ("Returns are summed over episodes. A value is their mean.",)
        ),
        "whole_episode": Slip(
            lambda episodes, r: _averages(
                [[float(sum(r[x] for x in e)) for e in episodes if s in e] for s in range(len(r))]
            ),
            (
                "Every state of an episode gets the same return: that of the whole episode.",
                "What was paid before the visit is no part of it.",
            ),
        ),
        "over_all_episodes": Slip(
            lambda episodes, r: _summed(episodes, r) / len(episodes),
            ("Divide by the number of episodes that *visit* the state, not by all of them.",),
        ),
    },
)


def _step(seed: int) -> tuple[Array, int, float, int, float]:
    """V, s, r, the state after, the rate."""
    rng = np.random.default_rng(seed)
    s, after = rng.permutation(5)[:2]
    return rng.normal(size=5), int(s), float(rng.normal()), int(after), float(rng.uniform(0.1, 0.9))


def _changed(V: Array, at: int, to: float) -> Array:
    W = np.array(V)
    W[at] = to
    return W


def td_step(V: Array, s: int, r: float, after: int, rate: float) -> Array:
    return _changed(V, s, V[s] + rate * (r + V[after] - V[s]))


TD_STEP = Formula(
    reference=td_step,
    inputs=_step,
    tested="all entries of V after one update, to 9 digits, for 8 random (V, s, r, s', rate)",
    slips={
        "no_bootstrap": Slip(
            lambda V, s, r, after, rate: _changed(V, s, V[s] + rate * (r - V[s])),
            ("The target is r alone. What comes after the step has a value, too: guess it.",),
        ),
        "successor": Slip(
            lambda V, s, r, after, rate: _changed(
                V, after, V[after] + rate * (r + V[s] - V[after])
            ),
            ("The wrong entry changes: it is the state that was left that learns.",),
        ),
        "sign": Slip(
            lambda V, s, r, after, rate: _changed(V, s, V[s] - rate * (r + V[after] - V[s])),
            ("It moves away from the target.",),
        ),
        "own_value_kept": Slip(
            lambda V, s, r, after, rate: _changed(V, s, V[s] + rate * (r + V[after])),
            ("The error is target *minus* what V(s) says now.",),
        ),
        "rate_one": Slip(
            lambda V, s, r, after, rate: _changed(V, s, r + V[after]),
            ("It jumps to the target. Go a part of the way, `rate` of it.",),
        ),
        "replaced": Slip(
            lambda V, s, r, after, rate: _changed(V, s, rate * (r + V[after] - V[s])),
            ("The step is right, but V(s) is replaced by it in place of moved by it.",),
        ),
        "brackets": Slip(
            lambda V, s, r, after, rate: _changed(V, s, rate * (r + V[after])),
            ("The rate weighs all of r + V(s') − V(s): where do the brackets close?",),
        ),
        "rate_on_reward": Slip(
            lambda V, s, r, after, rate: _changed(V, s, (1 - rate) * V[s] + rate * r + V[after]),
            ("The rate weighs the whole target, r + V(s').",),
        ),
        "all_states": Slip(
            lambda V, s, r, after, rate: V + rate * (r + V[after] - V[s]),
            ("Every state moves. One was left, and one learns.",),
        ),
        "own_value_added": Slip(
            lambda V, s, r, after, rate: _changed(V, s, V[s] + rate * (r + V[after] + V[s])),
            ("The error is target *minus* what V(s) says now.",),
        ),
        "others_lost": Slip(
            lambda V, s, r, after, rate: _changed(
                0 * V, s, float(td_step(V, s, r, after, rate)[s])
            ),
            ("The number is right, but the values of the other states are lost.",),
        ),
        "no_reward": Slip(
            lambda V, s, r, after, rate: td_step(V, s, 0.0, after, rate),
            ("Where is the reward of the step?",),
        ),
        "discounted": Slip(
            lambda V, s, r, after, rate: _changed(V, s, V[s] + rate * (r + 0.9 * V[after] - V[s])),
            ("There is no discount here: every episode ends. (Section 7 has one.)",),
        ),
        "number": Slip(
            lambda V, s, r, after, rate: V[s] + rate * (r + V[after] - V[s]),
            ("The number is right; return the whole table with it in its place.",),
        ),
    },
)


def td_target_moments(P: Array, r: Array, V: Array, s: int) -> tuple[float, float]:
    mean = P[s] @ V
    return float(r[s] + mean), float(P[s] @ V**2 - mean**2)


def _chain_at(seed: int) -> tuple[Array, Array, Array, int]:
    return *_chain(seed), seed % 4


TD_TARGET_MOMENTS = Formula(
    reference=td_target_moments,
    inputs=_chain_at,
    tested="mean and variance over the next state, to 9 digits, for 8 random chains and states",
    slips={
        "second_moment": Slip(
            lambda P, r, V, s: (r[s] + P[s] @ V, P[s] @ (r[s] + V) ** 2),
            ("The second number is a mean square. A variance is about the mean.",),
        ),
        "standard_deviation": Slip(
            lambda P, r, V, s: (r[s] + P[s] @ V, td_target_moments(P, r, V, s)[1] ** 0.5),
            ("The second number is a standard deviation: square it.",),
        ),
        "no_reward": Slip(
            lambda P, r, V, s: (P[s] @ V, td_target_moments(P, r, V, s)[1]),
            ("The target is r(s) + V(s'). A constant does not vary, but it does shift the mean.",),
        ),
        "unweighted": Slip(
            lambda P, r, V, s: (r[s] + P[s] @ V, np.var(V)),
            ("Not all next states are equally likely: the variance needs P, too.",),
        ),
        "about_the_value": Slip(
            lambda P, r, V, s: (r[s] + P[s] @ V, P[s] @ (r[s] + V - V[s]) ** 2),
            (
                "You took the mean square of the TD error r + V(s') − V(s).",
                "Variance is about the target's own mean; V(s) does not enter.",
            ),
        ),
        "mean_of_another": Slip(
            lambda P, r, V, s: (r[s] + P[s] @ V, P[s] @ (V - r[s] - P[s] @ V) ** 2),
            ("A variance is about the mean of the *same* quantity: with r(s), or without.",),
        ),
        "square_of_another": Slip(
            lambda P, r, V, s: (r[s] + P[s] @ V, P[s] @ V**2 - (r[s] + P[s] @ V) ** 2),
            ("A variance is about the mean of the *same* quantity: with r(s), or without.",),
        ),
        "reward_of_next": Slip(
            lambda P, r, V, s: td_target_moments(P, 0 * r, r + V, s),
            ("r(s) is of the state that is left: it is known, and does not vary with s'.",),
        ),
        "column": Slip(
            lambda P, r, V, s: (
                r[s] + P[:, s] @ V,
                P[:, s] @ (V - P[:, s] @ V) ** 2,
            ),
            ("P(s, ·) is a row of P: the first index is the state that is left.",),
        ),
        "probabilities_squared": Slip(
            lambda P, r, V, s: (r[s] + P[s] @ V, P[s] ** 2 @ (V - P[s] @ V) ** 2),
            ("That is for a weighted *sum* of independent numbers. Here one of them is drawn.",),
        ),
        "squared_outside": Slip(
            lambda P, r, V, s: (r[s] + P[s] @ V, 0.0),
            ("The mean deviation is zero: square *before* you average.",),
        ),
        "bias": Slip(
            lambda P, r, V, s: (r[s] + P[s] @ V - V[s], td_target_moments(P, r, V, s)[1]),
            ("The first number is the mean of the TD error. Asked is for that of the target.",),
        ),
    },
)


def _transitions(seed: int) -> tuple[Array, float, Array, Array, Array]:
    """r [4], γ, Q(s', ·) [4, 3], a' [4], done [4]: two of the four episodes end."""
    rng = np.random.default_rng(seed)
    done = np.array([True, False, True, False])
    Q = rng.normal(size=(4, 3))
    a = (Q.argmax(-1) + rng.integers(1, 3, size=4)) % 3  # never the best one
    return rng.normal(size=4), float(rng.uniform(0.5, 0.95)), Q, a, done


def _targets(
    r: Array, gamma: float, Q_next: Array, a_next: Array, done: Array, **changed: Any
) -> tuple[Array, Array]:
    go_on = changed.get("go_on", 1.0 - done)
    drawn = np.take_along_axis(Q_next, a_next[:, None], 1)[:, 0]
    sarsa = changed.get("sarsa", drawn)
    return r + gamma * go_on * sarsa, r + gamma * go_on * changed.get("best", Q_next.max(-1))


def targets(
    r: Array, gamma: float, Q_next: Array, a_next: Array, done: Array
) -> tuple[Array, Array]:
    return _targets(r, gamma, Q_next, a_next, done)


TARGETS = Formula(
    reference=targets,
    inputs=_transitions,
    tested="both targets, to 9 digits, for 8 random batches of four transitions, two of which end "
    "the episode and none of whose next actions is the best one",
    slips={
        "done_forgotten": Slip(
            lambda r, gamma, Q, a, done: _targets(r, gamma, Q, a, done, go_on=1.0),
            (
                "Two of the four transitions are wrong. What do they have in common?",
                "Where the episode is over, nothing follows: the target is the reward alone.",
            ),
        ),
        "done_inverted": Slip(
            lambda r, gamma, Q, a, done: _targets(r, gamma, Q, a, done, go_on=1.0 * done),
            ("It bootstraps where the episode ends, and only there.",),
        ),
        "reward_masked": Slip(
            lambda r, gamma, Q, a, done: tuple(
                x * (1 - done) for x in _targets(r, gamma, Q, a, done)
            ),
            ("The last step's reward is lost: only what *follows* is masked by done.",),
        ),
        "gamma_forgotten": Slip(
            lambda r, gamma, Q, a, done: _targets(r, 1.0, Q, a, done), ("Where is γ?",)
        ),
        "gamma_on_reward": Slip(
            lambda r, gamma, Q, a, done: tuple(gamma * x for x in _targets(r, 1.0, Q, a, done)),
            ("The reward of this step is not discounted, only what comes after.",),
        ),
        "max_for_both": Slip(
            lambda r, gamma, Q, a, done: _targets(r, gamma, Q, a, done, sarsa=Q.max(-1)),
            ("SARSA's target takes the action that was drawn, good or bad: its name ends in A.",),
        ),
        "expected_sarsa": Slip(
            lambda r, gamma, Q, a, done: _targets(r, gamma, Q, a, done, sarsa=Q.mean(-1)),
            (
                "You average over next actions: expected SARSA, under a uniform policy.",
                "Plain SARSA uses the one action that was drawn, a_next.",
            ),
        ),
        "argmax": Slip(
            lambda r, gamma, Q, a, done: _targets(r, gamma, Q, a, done, best=Q.argmax(-1)),
            ("argmax is the best action's number; the target needs its value.",),
        ),
        "max_over_batch": Slip(
            lambda r, gamma, Q, a, done: _targets(r, gamma, Q, a, done, best=Q.max()),
            ("One maximum for the whole batch: take it over the actions, for each transition.",),
        ),
        "every_pair": Slip(
            lambda r, gamma, Q, a, done: (
                r + gamma * Q[:, a] * (1 - done),
                targets(r, gamma, Q, a, done)[1],
            ),
            ("Q[:, a] takes a column for *every* row. Row i goes with a[i]: give both indices.",),
        ),
    },
)

EXERCISES: dict[str, Exercise] = {
    "bellman_backup": BELLMAN_BACKUP,
    "first_visit": FIRST_VISIT,
    "td_step": TD_STEP,
    "td_target_moments": TD_TARGET_MOMENTS,
    "targets": TARGETS,
}

PREDICTIONS: dict[str, Prediction] = {"same_coin": Word("Q-learning", ("SARSA", "Q-learning"))}
