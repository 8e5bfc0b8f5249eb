"""Notebook 02, policy gradients: its exercises and the slips they know."""

import numpy as np
import torch
from torch import Tensor

from estimators import (
    Categorical,
    Noise,
    Objective,
    exact,
    score_function,
    score_function_optimal,
    score_function_value,
)
from nabla.course.engine import Exercise, Formula, Number, Prediction, Slip, Surrogate
from toy_problems.tables.soft_mdp import softmax
from toy_problems.tables.tabular import Array


def _choice(seed: int) -> tuple[Array, int]:
    """Logits of four actions, and the action drawn."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=4), int(rng.integers(4))


def softmax_score(theta: Array, a: int) -> Array:
    return np.eye(len(theta))[a] - softmax(theta)


def _only_own(theta: Array, a: int) -> Array:
    score = np.zeros(len(theta))
    score[a] = 1 - softmax(theta)[a]
    return score


SOFTMAX_SCORE = Formula(
    reference=softmax_score,
    inputs=_choice,
    tested="∂ log π(a)/∂θ for 8 random sets of four logits and an action, to 9 digits",
    slips={
        "gradient_of_pi": Slip(
            lambda theta, a: softmax(theta)[a] * softmax_score(theta, a),
            (
                "Asked is for the derivative of log π, not of π.",
                "The two differ by a factor: the log-derivative trick itself.",
            ),
        ),
        "only_own_logit": Slip(
            _only_own,
            (
                "The entry of the action drawn is right. What about the others?",
                "log π(a) = θ_a − log Σ_b exp θ_b: every logit is in the second part.",
            ),
        ),
        "no_normaliser": Slip(
            lambda theta, a: np.eye(len(theta))[a],
            ("log π(a) = θ_a − log Σ_b exp θ_b: the second part depends on θ, too.",),
        ),
        "probability_only": Slip(
            lambda theta, a: -softmax(theta),
            ("That is the derivative of the normaliser. θ_a itself is missing.",),
        ),
        "log_pi": Slip(
            lambda theta, a: np.log(softmax(theta)),
            ("This is log π of every action: now differentiate that of the one drawn.",),
        ),
        "own_probability_for_all": Slip(
            lambda theta, a: np.eye(len(theta))[a] - softmax(theta)[a],
            ("Right at the action drawn. Elsewhere: whose probability is ∂ log Σ exp θ / ∂θ_b?",),
        ),
        "ones": Slip(
            lambda theta, a: 1 - softmax(theta),
            ("Right at the action drawn; θ_a itself has no derivative by the other logits.",),
        ),
        "diagonal": Slip(
            lambda theta, a: softmax(theta) * (1 - softmax(theta)),
            ("That is ∂π(b)/∂θ_b, for every b. Asked is for log π of *one* action, by every θ_b.",),
        ),
        "exponentials": Slip(
            lambda theta, a: np.eye(len(theta))[a] - np.exp(theta),
            ("These exponentials are not probabilities yet: they do not sum to one.",),
        ),
        "logits_for_probabilities": Slip(
            lambda theta, a: np.eye(len(theta))[a] - theta,
            ("The derivative of log Σ exp θ is not θ. It is something that sums to one.",),
        ),
    },
)


def _rewards(seed: int) -> tuple[Array]:
    return (np.random.default_rng(seed).normal(size=5),)


def to_go(rewards: Array) -> Array:
    return np.cumsum(np.asarray(rewards)[::-1])[::-1]


def _discounted(rewards: Array, gamma: float) -> Array:
    powers = gamma ** np.arange(len(rewards))
    return to_go(rewards * powers) / powers


TO_GO = Formula(
    reference=to_go,
    inputs=_rewards,
    tested="all five weights for 8 random episodes of five rewards, to 9 digits",
    slips={
        "as_printed": Slip(
            lambda rewards: np.asarray(rewards),
            (
                "Each action is weighed by its own reward only: it never hears of what follows.",
                "This is the article's theorem. What does an action bring that pays later?",
            ),
        ),
        "full_return": Slip(
            lambda rewards: np.full(len(rewards), np.sum(rewards)),
            (
                "Unbiased, too, but it is the full return: also what came before the action.",
                "Leave out what the action cannot have caused.",
            ),
        ),
        "past": Slip(
            lambda rewards: np.cumsum(rewards),
            ("These are the rewards up to t: it is those from t on that a_t can change.",),
        ),
        "past_reversed": Slip(
            lambda rewards: np.cumsum(rewards)[::-1],
            ("You add up from the front and then turn round. Which is to come first?",),
        ),
        "discounted": Slip(
            lambda rewards: _discounted(rewards, 0.99),
            ("There is no discount here.",),
        ),
        "discounted_more": Slip(
            lambda rewards: _discounted(rewards, 0.9),
            ("There is no discount here.",),
        ),
        "last_left_out": Slip(
            lambda rewards: to_go(np.append(rewards[:-1], 0.0)),
            ("The last reward is missing from every sum: where does the slice end?",),
        ),
        "first_step_missed": Slip(
            lambda rewards: np.append(rewards[:1], to_go(rewards)[1:]),
            ("Right but for t = 0: how far does the loop go?",),
        ),
        "two_steps": Slip(
            lambda rewards: rewards + np.append(rewards[1:], 0.0),
            ("Each sum has two rewards. A loop in place must begin at the end.",),
        ),
        "own_left_out": Slip(
            lambda rewards: to_go(rewards) - rewards,
            ("The reward of step t itself is caused by a_t, too: the sum begins at t.",),
        ),
        "reversed": Slip(
            lambda rewards: np.cumsum(np.asarray(rewards)[::-1]),
            ("The sums are right, in the wrong order: w_0 is the longest one.",),
        ),
        "averaged": Slip(
            lambda rewards: to_go(rewards) / np.arange(len(rewards), 0, -1),
            ("A sum of rewards, not their mean.",),
        ),
    },
)


def _trajectory(seed: int) -> tuple[Array, list[int], list[int], Array]:
    """Logits [3, 2]; five states, actions and weights: states come again."""
    rng = np.random.default_rng(seed)
    states, actions = rng.integers(0, 3, size=5), rng.integers(0, 2, size=5)
    return rng.normal(size=(3, 2)), states.tolist(), actions.tolist(), rng.normal(size=5)


def trajectory_gradient(
    theta: Array, states: list[int], actions: list[int], weights: Array
) -> Array:
    gradient = np.zeros_like(theta)
    for s, a, w in zip(states, actions, weights, strict=True):
        gradient[s] += w * softmax_score(theta[s], a)
    return gradient


def _overwritten(theta: Array, states: list[int], actions: list[int], weights: Array) -> Array:
    gradient = np.zeros_like(theta)
    for s, a, w in zip(states, actions, weights, strict=True):
        gradient[s] = w * softmax_score(theta[s], a)
    return gradient


def _one_hot(theta: Array, states: list[int], actions: list[int], weights: Array) -> Array:
    gradient = np.zeros_like(theta)
    np.add.at(gradient, (np.array(states), np.array(actions)), np.array(weights))
    return gradient


def _of_pi(theta: Array, states: list[int], actions: list[int], weights: Array) -> Array:
    pi = softmax(theta)[states, actions]
    return trajectory_gradient(theta, states, actions, weights * pi)


def _with_policy(pi: Array, states: list[int], actions: list[int], weights: Array) -> Array:
    gradient = np.zeros_like(pi)
    for s, a, w in zip(states, actions, weights, strict=True):
        gradient[s] += w * (np.eye(pi.shape[1])[a] - pi[s])
    return gradient


def _own_logits(theta: Array, states: list[int], actions: list[int], weights: Array) -> Array:
    own = weights * (1 - softmax(theta)[states, actions])
    return _one_hot(theta, states, actions, own)


def _moved(theta: Array, states: list[int], actions: list[int], weights: Array) -> Array:
    theta = theta.copy()
    for s, a, w in zip(states, actions, weights, strict=True):
        theta[s] += w * softmax_score(theta[s], a)
    return theta


TRAJECTORY_GRADIENT = Formula(
    reference=trajectory_gradient,
    inputs=_trajectory,
    tested="all six entries for 8 random trajectories of five steps through three states, to 9 "
    "digits",
    slips={
        "overwritten": Slip(
            _overwritten,
            (
                "A state that comes twice counts once: add to its row, do not replace it.",
                "gradient[states] += … with a list replaces, too: np.add.at or a loop adds.",
            ),
        ),
        "no_normaliser": Slip(
            _one_hot,
            ("∂ log π(a)/∂θ has a second part, for all actions of that state.",),
        ),
        "gradient_of_pi": Slip(
            _of_pi, ("Each term is ∇π, not ∇ log π: sampling has put in π already.",)
        ),
        "softmax_over_all": Slip(
            lambda theta, states, actions, weights: _with_policy(
                np.exp(theta) / np.exp(theta).sum(), states, actions, weights
            ),
            ("The probabilities of all states together sum to one. Those of *each* must.",),
        ),
        "softmax_over_states": Slip(
            lambda theta, states, actions, weights: _with_policy(
                np.exp(theta) / np.exp(theta).sum(0), states, actions, weights
            ),
            ("The softmax goes along the wrong axis: over actions, for each state.",),
        ),
        "weights_by_state": Slip(
            lambda theta, states, actions, weights: trajectory_gradient(
                theta, states, actions, weights[states]
            ),
            ("w_t belongs to the step t, not to the state.",),
        ),
        "last_step": Slip(
            lambda theta, states, actions, weights: trajectory_gradient(
                theta, states[:-1], actions[:-1], weights[:-1]
            ),
            ("The last step is missing from the sum.",),
        ),
        "every_row": Slip(
            lambda theta, states, actions, weights: (
                np.zeros_like(theta) + trajectory_gradient(theta, states, actions, weights).sum(0)
            ),
            ("All states get the same: only row s_t of theta has to do with step t.",),
        ),
        "only_own_logit": Slip(
            _own_logits,
            ("The normaliser has all logits of the state: the other actions are pushed, too.",),
        ),
        "parameters_moved": Slip(
            _moved,
            ("This is θ after a step, and θ changed on the way. Begin from zeros.",),
        ),
        "weights_to_go": Slip(
            lambda theta, states, actions, weights: trajectory_gradient(
                theta, states, actions, to_go(weights)
            ),
            ("The weights are summed once more: they are given ready to use.",),
        ),
        "unweighted": Slip(
            lambda theta, states, actions, weights: trajectory_gradient(
                theta, states, actions, np.ones(len(states))
            ),
            ("The weights are not used: every action is praised alike.",),
        ),
        "mean_over_steps": Slip(
            lambda theta, states, actions, weights: trajectory_gradient(
                theta, states, actions, weights / len(states)
            ),
            ("A sum over the steps, not a mean: the return is a sum, too.",),
        ),
        "product_of_sums": Slip(
            lambda theta, states, actions, weights: trajectory_gradient(
                theta, states, actions, np.full(len(states), np.sum(weights))
            ),
            ("Every score gets the sum of all weights: pair each with its own.",),
        ),
    },
)


def _bandit(seed: int) -> tuple[Array, Array]:
    """π and Q of four actions."""
    rng = np.random.default_rng(seed)
    return softmax(rng.normal(size=4)), rng.normal(size=4)


def _sizes(pi: Array) -> Array:
    """|e_a − π|², for each action."""
    return ((np.eye(len(pi)) - pi) ** 2).sum(-1)


def best_baseline(pi: Array, Q: Array) -> float:
    weight = pi * _sizes(pi)
    return float(weight @ Q / weight.sum())


def _weighed(pi: Array, Q: Array, size: Array) -> float:
    return float((pi * size) @ Q / (pi @ size))


BEST_BASELINE = Formula(
    reference=best_baseline,
    inputs=_bandit,
    tested="b for 8 random policies over four actions, to 9 digits; the notebook compares its "
    "variance with that of others",
    slips={
        "value": Slip(
            lambda pi, Q: float(pi @ Q),
            (
                "This is V = E[Q], a good baseline, but not the one of least variance.",
                "Differentiate E[(Q − b)²|s|²] by b: what is Q weighed with?",
            ),
        ),
        "plain_mean": Slip(
            lambda pi, Q: float(Q.mean()), ("All actions count alike here: where is π?",)
        ),
        "no_policy": Slip(
            lambda pi, Q: float(_sizes(pi) @ Q / _sizes(pi).sum()),
            ("Both expectations are under the policy: each action counts with π(a).",),
        ),
        "not_squared": Slip(
            lambda pi, Q: float((pi * _sizes(pi) ** 0.5) @ Q / (pi @ _sizes(pi) ** 0.5)),
            ("The length of the score enters squared.",),
        ),
        "not_normalised": Slip(
            lambda pi, Q: float((pi * _sizes(pi)) @ Q),
            ("A numerator: divide by E|s|².",),
        ),
        "axis": Slip(
            lambda pi, Q: _weighed(pi, Q, ((np.eye(len(pi)) - pi) ** 2).sum(0)),
            (
                "Summed is over the wrong axis, or π stands along the wrong one.",
                "Row a of the table is the vector e_a − π: its length is a sum along the row.",
            ),
        ),
        "one_other": Slip(
            lambda pi, Q: _weighed(pi, Q, (1 - pi) ** 2 + pi**2),
            ("|e_a − π|² has (1 − π_a)² and then π_b² for every *other* b, not π_a².",),
        ),
        "numerator": Slip(
            lambda pi, Q: float(_sizes(pi) @ Q / (pi * _sizes(pi)).sum()),
            ("π is in the denominator only: both are expectations under the policy.",),
        ),
        "own_entry": Slip(
            lambda pi, Q: float((pi * (1 - pi) ** 2) @ Q / (pi @ (1 - pi) ** 2)),
            (
                "|s|² is the sum over all logits, not only that of the action drawn.",
                "s = e_a − π has (1 − π_a) at a, and −π_b everywhere else.",
            ),
        ),
    },
)

REWARDS = torch.tensor([0.4, -1.1, 1.7, 0.2], dtype=torch.float64)
LOGITS = ([0.3, -0.4, 0.1, 0.7], [-0.6, 0.5, 1.2, 0.0])


def _arms(logits: list[float], level: float) -> tuple[Categorical, Objective]:
    policy = Categorical(torch.tensor(logits, dtype=torch.float64))
    return policy, Objective(lambda a: REWARDS[a] + level, 0.0)


def _drawn(policy: Categorical, objective: Objective, rng: Noise) -> tuple[Tensor, Tensor]:
    """log π(a) and Q(a) of one action, [1, *batch]."""
    a = policy.sample(1, rng)
    return policy.log_prob(a), objective.Q(a)


def _value(policy: Categorical, objective: Objective) -> Tensor:
    """V = Σ_a π(a) Q(a), attached to the policy: [*batch]."""
    a, w = policy.nodes()
    return (w * objective.Q(a)).sum(0)


def _attached_value(policy: Categorical, objective: Objective, rng: Noise) -> Tensor:
    log_prob, Q = _drawn(policy, objective, rng)
    return -((Q - _value(policy, objective)) * log_prob).mean(0)


def _pi_for_log_pi(policy: Categorical, objective: Objective, rng: Noise) -> Tensor:
    log_prob, Q = _drawn(policy, objective, rng)
    return -((Q - _value(policy, objective).detach()) * log_prob.exp()).mean(0)


def _baseline_added(policy: Categorical, objective: Objective, rng: Noise) -> Tensor:
    log_prob, Q = _drawn(policy, objective, rng)
    return -((Q + _value(policy, objective).detach()) * log_prob).mean(0)


def _only_critic(policy: Categorical, objective: Objective, rng: Noise) -> Tensor:
    log_prob, _ = _drawn(policy, objective, rng)
    return -(_value(policy, objective).detach() * log_prob).mean(0)


def _detached_log_prob(policy: Categorical, objective: Objective, rng: Noise) -> Tensor:
    log_prob, Q = _drawn(policy, objective, rng)
    return -((Q - _value(policy, objective)) * log_prob.detach()).mean(0)


def _value_outside(policy: Categorical, objective: Objective, rng: Noise) -> Tensor:
    log_prob, Q = _drawn(policy, objective, rng)
    return -(Q * log_prob - _value(policy, objective)).mean(0)


def _plain_mean(policy: Categorical, objective: Objective, rng: Noise) -> Tensor:
    log_prob, Q = _drawn(policy, objective, rng)
    return -((Q - objective.Q(policy.nodes()[0]).mean(0)) * log_prob).mean(0)


ACTOR_CRITIC = Surrogate(
    reference=score_function_value,
    problems=[_arms(LOGITS[0], 2.0), _arms(LOGITS[1], -0.5)],
    tested="shapes and the graph; mean against the exact gradient and variance, both by "
    "enumeration, for two policies over four actions",
    slips={
        "attached_value": Slip(
            _attached_value,
            (
                "A second gradient comes in, and it is not from log π.",
                "V is made from the policy: as a weight it must be a number. Detach it.",
            ),
        ),
        "pi_for_log_pi": Slip(
            _pi_for_log_pi,
            ("The gradient of π in the place of that of log π: actions are drawn already.",),
        ),
        "detached_log_prob": Slip(
            _detached_log_prob,
            (
                "Of the two factors, the wrong one is a number.",
                "The weight is a number; log π(a) is what is differentiated.",
            ),
        ),
        "value_outside": Slip(
            _value_outside,
            ("V is subtracted from the whole product: it belongs into the weight. Brackets?",),
        ),
        "only_the_critic": Slip(
            _only_critic,
            ("The weight does not depend on the action drawn, so nothing is preferred.",),
        ),
    },
    methods={
        "score_function": Slip(
            score_function,
            (
                "Right in the mean, and without a baseline: subtract V from Q.",
                "V = Σ_a π(a)Q(a): policy.nodes() has all actions and their probabilities.",
            ),
        ),
        "baseline_added": Slip(
            _baseline_added, ("The baseline is added, not subtracted: it makes things worse.",)
        ),
        "plain_mean": Slip(
            _plain_mean,
            ("A baseline, but not V: in V each action counts with its probability.",),
        ),
        "optimal_baseline": Slip(
            score_function_optimal,
            ("That is the best baseline, of exercise 4. Asked is for the usual one, V.",),
        ),
        "enumeration": Slip(
            exact,
            ("You sum over all actions: exact, and no estimate. Draw one action.",),
        ),
    },
    hints={
        "sign": ("It descends the reward. Autograd *minimises* a loss: which sign?",),
        "detached_cost": (
            "No preference for any action arrives.",
            "Does the weight depend on the action drawn, and is log π attached?",
        ),
        "sign_of_q": ("It descends the reward. Autograd *minimises* a loss: which sign?",),
        "attached_cost": ("The weight has a gradient of its own. Detach it.",),
        "factor": ("It is the gradient times a constant.",),
        "missing_gradient": ("No gradient arrives: log π must stay attached to the policy.",),
    },
)

EXERCISES: dict[str, Exercise] = {
    "softmax_score": SOFTMAX_SCORE,
    "to_go": TO_GO,
    "trajectory_gradient": TRAJECTORY_GRADIENT,
    "best_baseline": BEST_BASELINE,
    "actor_critic": ACTOR_CRITIC,
}

PREDICTIONS: dict[str, Prediction] = {"printed": Number(lambda: 0.0)}
