"""Notebook 06, nabla-log: its exercises and the slips they know."""

from functools import partial

import numpy as np
from torch import Tensor

from estimators import (
    Noise,
    Objective,
    Policy,
    batch_mean,
    leave_one_out,
    reparameterization,
    score_function,
    score_function_full,
    sticking_the_landing,
)
from nabla.course.engine import Answer, Exercise, Formula, Number, Prediction, Slip, Surrogate
from nabla.course.exercises.ex05 import MOMENTS, PROBLEMS

PATHWISE = (
    "The cost carries the gradient here, through the action: the reparameterization trick.",
    "Nabla-log never differentiates Q: the action is a number, log π carries the gradient.",
)


def cost_attached(policy: Policy, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
    a = policy.sample(n, rng)
    return (objective.cost(policy, a) * policy.log_prob(a)).mean(0)


def _weighed(weight: Answer) -> Answer:
    """Nabla-log with another weight, of log π, Q and α."""

    def answer(policy: Policy, objective: Objective, rng: Noise) -> Tensor:
        a = policy.sample(1, rng)
        log_prob = policy.log_prob(a)
        return (weight(log_prob, objective.Q(a), objective.alpha).detach() * log_prob).mean(0)

    return answer


def _density(policy: Policy, objective: Objective, rng: Noise) -> Tensor:
    a = policy.sample(1, rng)
    return (objective.cost(policy, a).detach() * policy.log_prob(a).exp()).mean(0)


NABLA_LOG = Surrogate(
    reference=score_function,
    problems=PROBLEMS,
    tested=MOMENTS,
    slips={
        "q_for_cost": Slip(
            _weighed(lambda log_prob, q, alpha: q),
            ("The weight is Q. The cost is α log π − Q: an entropy is missing, and a sign.",),
        ),
        "pi_for_log_pi": Slip(
            _density,
            ("The gradient of π in the place of that of log π: actions are drawn already.",),
        ),
        "attached_cost": Slip(
            cost_attached,
            (
                "log π occurs twice: in the cost, and as what is differentiated. Both move here.",
                "In the formula the cost is a number. How do you tell autograd so?",
            ),
        ),
    },
    methods={
        "first_term_kept": Slip(
            score_function_full,
            (
                "There is one α∇log π more than asked for. What is its mean?",
                "The derivative of the cost itself has mean zero, and is left out.",
            ),
        ),
        "reparameterization": Slip(reparameterization, PATHWISE),
        "sticking_the_landing": Slip(sticking_the_landing, PATHWISE),
    },
    hints={
        "sign": ("The mean is minus the gradient: J is a cost, to be descended.",),
        "sign_of_q": ("The cost is α log π − Q: look at the sign of Q.",),
        "sign_of_entropy": ("The cost is α log π − Q: look at the sign of log π.",),
        "missing_entropy": ("Only Q is weighed. The cost has α log π, too.",),
        "alpha_forgotten": ("Where is α?",),
        "detached_cost": (
            "Q is not felt. What multiplies ∇ log π must be the cost.",
            "If only the cost is differentiated, and the action is a number, Q has no gradient.",
            "Both factors must be of the same action, and multiplied.",
        ),
        "attached_action": (
            "The action moves with θ as well: it is drawn with rsample, or not held fixed.",
            "A drawn action is a number here. Which of the two ways to draw gives one?",
        ),
        "missing_gradient": (
            "No gradient arrives: log π is detached, too.",
            "Only the cost is a number; log π is what is differentiated.",
        ),
    },
)


def best_constant(cost: np.ndarray, score: np.ndarray) -> float:
    return (cost * score**2).mean() / (score**2).mean()


def _pairs(seed: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    return rng.normal(rng.normal(), 1, size=7), rng.normal(size=7) * 2


BEST_CONSTANT = Formula(
    reference=best_constant,
    inputs=_pairs,
    tested="the minimum of the mean of ((c − b)s)² over b, to 9 digits, for 8 random sets of seven "
    "draws",
    slips={
        "mean_cost": Slip(
            lambda cost, score: cost.mean(),
            (
                "This is the mean cost, V: a good baseline, but not the best.",
                "Draws with a large score count for more. How much more?",
            ),
        ),
        "score_not_squared": Slip(
            lambda cost, score: (cost * score).mean() / score.mean(),
            ("Differentiate E[(c − b)² s²] by b: the score stays squared.",),
        ),
        "absolute_score": Slip(
            lambda cost, score: (cost * abs(score)).mean() / abs(score).mean(),
            ("Differentiate E[(c − b)² s²] by b: the score stays squared.",),
        ),
        "no_division": Slip(
            lambda cost, score: (cost * score**2).mean(),
            ("Check the units: a baseline is a cost, without any score in it.",),
        ),
        "control_variate": Slip(
            lambda cost, score: np.cov(cost * score, score)[0, 1] / np.var(score, ddof=1),
            (
                "A regression of c·s on s with an intercept: near, for many draws.",
                "What is to be least is the mean *square* of (c − b)s: no means are subtracted.",
            ),
        ),
        "sum_only": Slip(
            lambda cost, score: (cost * score**2).sum(),
            ("Check the units: a baseline is a cost, without any score in it.",),
        ),
        "sum_squared": Slip(
            lambda cost, score: (cost * score**2).sum() / score.sum() ** 2,
            ("The sum of squares is not the square of the sum.",),
        ),
        "cost_squared": Slip(
            lambda cost, score: (cost**2 * score**2).sum() / (score**2).sum(),
            ("Differentiate by b: of E[c²s²], which does not contain b, nothing is left.",),
        ),
        "mean_of_ratio": Slip(
            lambda cost, score: (cost * score**2).mean() / score.mean() ** 2,
            ("The mean of a square is not the square of the mean.",),
        ),
        "regression": Slip(
            lambda cost, score: (cost * score).mean() / (score**2).mean(),
            ("Nearly: one more factor s above. The product is c·s, and what is subtracted b·s.",),
        ),
    },
)


def others(cost: np.ndarray) -> np.ndarray:
    return (cost.sum() - cost) / (len(cost) - 1)


def _costs(seed: int) -> tuple[np.ndarray]:
    rng = np.random.default_rng(seed)
    return (rng.normal(1.0, 2.0, size=3 + seed),)


def _later(cost: np.ndarray) -> np.ndarray:
    means = [cost[i + 1 :].mean() for i in range(len(cost) - 1)]
    return np.array([*means, np.nan])


def _written_over(cost: np.ndarray) -> np.ndarray:
    return (cost.sum() - np.cumsum(cost)) / (len(cost) - 1)


OTHERS = Formula(
    reference=others,
    inputs=_costs,
    tested="each baseline against the mean of the other costs, to 9 digits, for 8 random sets of 3 "
    "to 10 costs",
    slips={
        "batch_mean": Slip(
            lambda cost: np.full(len(cost), cost.mean()),
            (
                "Here every action's own cost is in its baseline, too.",
                "Leave it out of the sum, and count once less.",
            ),
        ),
        "batch_mean_number": Slip(
            lambda cost: cost.mean(),
            (
                "One baseline for all: then it holds every action's own cost.",
                "There is one baseline for each action, [n].",
            ),
        ),
        "divided_by_n": Slip(
            lambda cost: (cost.sum() - cost) / len(cost),
            ("The sum is right. How many costs are in it?",),
        ),
        "precedence": Slip(
            lambda cost: (cost.sum() - cost) / len(cost) - 1,
            ("x / n - 1 is (x / n) − 1 in Python: brackets.",),
        ),
        "brackets": Slip(
            lambda cost: cost.sum() - cost / (len(cost) - 1),
            ("The division must be of the whole difference: brackets.",),
        ),
        "sum": Slip(
            lambda cost: cost.sum() - cost,
            ("The sum of the others. Asked is for their mean.",),
        ),
        "later_only": Slip(
            _later,
            ("Only the later ones are averaged, and the last has none: leave out *one* index.",),
        ),
        "written_over": Slip(
            _written_over,
            ("The costs are set to zero one after the other and stay so: put each back.",),
        ),
        "centred": Slip(
            lambda cost: cost.mean() - cost,
            ("This is a difference of costs already. Asked is for the baseline.",),
        ),
        "own_kept": Slip(
            lambda cost: np.full(len(cost), cost.sum() / (len(cost) - 1)),
            ("Divided by n − 1, but each action's own cost is still in the sum.",),
        ),
        "advantage": Slip(
            lambda cost: cost - others(cost),
            ("This is cost minus baseline already. Asked for is the baseline.",),
        ),
        "earlier_only": Slip(
            lambda cost: np.concatenate([[0.0], np.cumsum(cost)[:-1] / np.arange(1, len(cost))]),
            ("Only the earlier ones are averaged. That is unbiased, too, but wastes the later.",),
        ),
        "neighbour": Slip(
            lambda cost: np.roll(cost, 1),
            ("One other cost each: unbiased, but there are n − 1 others.",),
        ),
    },
)


def repaired(policy: Policy, objective: Objective, rng: Noise) -> Tensor:
    return 2 * score_function(policy, objective, rng, n=2, baseline=batch_mean)


def _times(factor: float) -> Slip:
    def answer(policy: Policy, objective: Objective, rng: Noise) -> Tensor:
        return factor * score_function(policy, objective, rng, n=2, baseline=batch_mean)

    return Slip(
        answer,
        (
            "It is proportional to the gradient, with another factor than the right one.",
            "How much of an action's own cost does the mean of n costs take away?",
        ),
    )


def _shape_only(policy: Policy, objective: Objective, rng: Noise) -> Tensor:
    a = policy.sample(2, rng)
    cost = objective.cost(policy, a)
    return 2 * ((cost - cost.mean(0).detach()) * policy.log_prob(a)).mean(0)


def _scaled_inside(policy: Policy, objective: Objective, rng: Noise) -> Tensor:
    a = policy.sample(2, rng)
    cost = objective.cost(policy, a).detach()
    return ((2 * cost - cost.mean(0)) * policy.log_prob(a)).mean(0)


REPAIRED = Surrogate(
    reference=partial(score_function, n=2, baseline=leave_one_out),
    problems=PROBLEMS,
    tested=MOMENTS,
    slips={
        "not_repaired": Slip(
            partial(score_function, n=2, baseline=batch_mean),
            (
                "This is the biased one as it is: half of the gradient.",
                "Section 5 has the factor. Which multiple makes up for it, at n = 2?",
            ),
        ),
        "twice_wrong": _times(0.5),
        "three_halves": _times(1.5),
        "attached_cost": Slip(
            _shape_only,
            ("Baseline or not: the cost must be a number, log π alone is differentiated.",),
        ),
        "cost_only_scaled": Slip(
            _scaled_inside,
            ("The factor is on the cost alone: it must be on the difference, c − c̄.",),
        ),
    },
    methods={
        "no_baseline": Slip(
            partial(score_function, n=2),
            ("Unbiased, but there is no baseline in it: two costs, and nothing subtracted.",),
        ),
        "one_action": Slip(
            score_function,
            ("One action and no baseline. Asked for are two, with the mean of both costs.",),
        ),
    },
    hints={
        "factor": ("It is proportional to the gradient. By which factor is it off?",),
        "detached_cost": (
            "The estimate is zero: do the two costs cancel, or does log π not feel θ?",
            "Is the mean over the right axis? Are the actions numbers? (rsample moves them.)",
        ),
        "factor_n": (
            "Twice the gradient: a sum over actions and the factor, too?",
            "The factor repairs the *mean* over the two actions.",
        ),
        "attached_cost": (
            "Baseline or not: the cost must be a number, log π alone is differentiated.",
        ),
        "missing_entropy": ("Only Q is weighed. The cost has α log π, too.",),
        "sign": ("The sign is wrong: cost minus baseline.",),
        "missing_gradient": ("No gradient arrives: log π must not be detached.",),
        "attached_action": ("The actions move with θ: a drawn action is a number here.",),
    },
)

EXERCISES: dict[str, Exercise] = {
    "nabla_log": NABLA_LOG,
    "best_constant": BEST_CONSTANT,
    "others": OTHERS,
    "repaired": REPAIRED,
}

PREDICTIONS: dict[str, Prediction] = {"share_left": Number(lambda: 1 - 1 / 2)}
