"""Notebook 10, SAC assembled: its exercises and the slips they know."""

import math

import numpy as np
from numpy import ndarray as Array

from nabla.course.engine import Exercise, Formula, Prediction, Slip, Word


def soft_target(
    reward: Array,
    terminated: Array,
    q1: Array,
    q2: Array,
    log_prob: Array,
    alpha: float,
    gamma: float,
) -> Array:
    value = np.minimum(q1, q2) - alpha * log_prob
    return reward + gamma * (1 - terminated) * value


def _batch(seed: int) -> tuple[Array | float, ...]:
    rng = np.random.default_rng(seed)
    terminated = np.array([0.0, 1.0, 0.0, 1.0, 0.0])
    r, q1, q2, log_prob = rng.normal(size=(4, 5))
    return r, terminated, q1, q2, log_prob, float(rng.uniform(0.1, 0.8)), 0.95


SOFT_TARGET = Formula(
    reference=soft_target,
    inputs=_batch,
    tested="against r + γ(1 − terminated)(min Q − α log π), to 9 digits, for 8 random batches of "
    "five transitions, two of them terminal",
    slips={
        "other_critic": Slip(
            lambda r, d, q1, q2, lp, alpha, gamma: r + gamma * (1 - d) * (q2 - alpha * lp),
            ("There are two critics.",),
        ),
        "reward_after_the_end": Slip(
            lambda r, d, q1, q2, lp, alpha, gamma: (
                (1 - d) * (r + gamma * (np.minimum(q1, q2) - alpha * lp))
            ),
            ("The step that ends an episode is paid for: (1 − terminated) is not for the reward.",),
        ),
        "discount_forgotten": Slip(
            lambda r, d, q1, q2, lp, alpha, gamma: r + (1 - d) * (np.minimum(q1, q2) - alpha * lp),
            ("Where is γ?",),
        ),
        "smallest_of_the_batch": Slip(
            lambda r, d, q1, q2, lp, alpha, gamma: (
                r + gamma * (1 - d) * (min(q1.min(), q2.min()) - alpha * lp)
            ),
            ("The smaller of the two *for each transition*, not the smallest of the batch.",),
        ),
        "entropy_inside_the_minimum": Slip(
            lambda r, d, q1, q2, lp, alpha, gamma: (
                r + gamma * (1 - d) * np.minimum(q1 - alpha * lp, q2)
            ),
            ("The entropy belongs to V, whichever critic is the smaller: outside of the minimum.",),
        ),
        "alpha_on_all": Slip(
            lambda r, d, q1, q2, lp, alpha, gamma: (
                r + gamma * (1 - d) * alpha * (np.minimum(q1, q2) - lp)
            ),
            ("α weighs log π only: where do the brackets close?",),
        ),
        "brackets_of_the_mask": Slip(
            lambda r, d, q1, q2, lp, alpha, gamma: (
                r + gamma * (1 - d * (np.minimum(q1, q2) - alpha * lp))
            ),
            ("1 − terminated is a factor of its own: close the brackets before V.",),
        ),
        "entropy_missing": Slip(
            lambda r, d, q1, q2, lp, alpha, gamma: r + gamma * (1 - d) * np.minimum(q1, q2),
            (
                "This is the target of Q-learning: future entropy is worth nothing.",
                "V is the expectation of Q − α log π. (A known library shipped it like this, too.)",
            ),
        ),
        "entropy_sign": Slip(
            lambda r, d, q1, q2, lp, alpha, gamma: (
                r + gamma * (1 - d) * (np.minimum(q1, q2) + alpha * lp)
            ),
            ("The entropy's sign: H = −E[log π], and entropy is rewarded.",),
        ),
        "alpha_forgotten": Slip(
            lambda r, d, q1, q2, lp, alpha, gamma: r + gamma * (1 - d) * (np.minimum(q1, q2) - lp),
            ("Where is α?",),
        ),
        "termination_ignored": Slip(
            lambda r, d, q1, q2, lp, alpha, gamma: r + gamma * (np.minimum(q1, q2) - alpha * lp),
            ("What comes after the end of an episode? `terminated` says where there is nothing.",),
        ),
        "entropy_after_the_end": Slip(
            lambda r, d, q1, q2, lp, alpha, gamma: (
                r + gamma * (1 - d) * np.minimum(q1, q2) - gamma * alpha * lp
            ),
            ("After the end nobody acts: no entropy is earned there either.",),
        ),
        "entropy_not_discounted": Slip(
            lambda r, d, q1, q2, lp, alpha, gamma: (
                r + gamma * (1 - d) * np.minimum(q1, q2) - alpha * lp
            ),
            ("log π belongs to the *next* action: it is part of V, and V is discounted.",),
        ),
        "one_critic": Slip(
            lambda r, d, q1, q2, lp, alpha, gamma: r + gamma * (1 - d) * (q1 - alpha * lp),
            ("There are two critics.",),
        ),
        "maximum": Slip(
            lambda r, d, q1, q2, lp, alpha, gamma: (
                r + gamma * (1 - d) * (np.maximum(q1, q2) - alpha * lp)
            ),
            ("Which of the two critics is to be believed: the hopeful one?",),
        ),
        "mean": Slip(
            lambda r, d, q1, q2, lp, alpha, gamma: (
                r + gamma * (1 - d) * ((q1 + q2) / 2 - alpha * lp)
            ),
            ("The mean of two critics is as hopeful as one. SAC takes the smaller.",),
        ),
        "reward_discounted": Slip(
            lambda r, d, q1, q2, lp, alpha, gamma: (
                gamma * (r + (1 - d) * (np.minimum(q1, q2) - alpha * lp))
            ),
            ("The reward is earned now: it is not discounted.",),
        ),
        "inverted_mask": Slip(
            lambda r, d, q1, q2, lp, alpha, gamma: (
                r + gamma * d * (np.minimum(q1, q2) - alpha * lp)
            ),
            ("`terminated` is 1 where the episode has ended.",),
        ),
    },
)


def twin_bias(s: float, rho: float) -> float:
    return -s * math.sqrt((1 - rho) / math.pi)


def _pair(seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    return float(rng.uniform(0.3, 3.0)), float(rng.uniform(-0.5, 0.9))


TWIN_BIAS = Formula(
    reference=twin_bias,
    inputs=_pair,
    tested="against E[min] of two normal errors, to 9 digits, for 8 random (s, ρ); the notebook "
    "compares it with a million draws",
    slips={
        "root_forgotten": Slip(
            lambda s, rho: -s * (1 - rho) / math.sqrt(math.pi),
            ("1 − ρ comes from a variance: its root is in the answer.",),
        ),
        "squared": Slip(
            lambda s, rho: -s * s * (1 - rho) / math.pi,
            ("It is the square, with a minus: a bias has the unit of s.",),
        ),
        "sign": Slip(
            lambda s, rho: s * math.sqrt((1 - rho) / math.pi),
            ("The size is right. Is the smaller of two numbers above or below their mean?",),
        ),
        "independent": Slip(
            lambda s, rho: -s / math.sqrt(math.pi),
            ("This is right for ρ = 0. What is the variance of a difference?",),
        ),
        "whole_gap": Slip(
            lambda s, rho: -2 * s * math.sqrt((1 - rho) / math.pi),
            (
                "This is the mean distance between the two.",
                "The smaller lies half of the distance below the mean.",
            ),
        ),
        "rho_sign": Slip(
            lambda s, rho: -s * math.sqrt((1 + rho) / math.pi),
            ("Two critics that err alike differ less: what does ρ = 1 give?",),
        ),
        "no_root_of_two": Slip(
            lambda s, rho: -s * math.sqrt((1 - rho) / (2 * math.pi)),
            ("The variance of the difference is 2s²(1 − ρ): a 2 is missing.",),
        ),
        "variance": Slip(
            lambda s, rho: -s * s * math.sqrt((1 - rho) / math.pi),
            ("s is a standard deviation, and so is the answer's unit.",),
        ),
        "mean_of_normal": Slip(
            lambda s, rho: -s * math.sqrt(1 - rho),
            ("E|x| of a normal x is √(2/π) times its standard deviation.",),
        ),
    },
)


def half_life(tau: float) -> float:
    return -math.log(2) / math.log1p(-tau)


HALF_LIFE = Formula(
    reference=half_life,
    inputs=lambda seed: (float(10 ** np.random.default_rng(seed).uniform(-2.5, -0.2)),),
    tested="against n with (1 − τ)ⁿ = ½, to 9 digits, for 8 random τ",
    slips={
        "not_a_logarithm": Slip(
            lambda tau: math.log(0.5) / (1 - tau),
            ("n is an exponent: it comes down with a logarithm, on both sides.",),
        ),
        "half_of_the_lag": Slip(
            lambda tau: 0.5 / tau,
            ("It does not fall by τ of the *first* value each time, but of what is left.",),
        ),
        "upside_down": Slip(
            lambda tau: math.log(1 - tau) / math.log(2),
            ("Solve n·log(1 − τ) = log ½ for n: which one is divided?",),
        ),
        "root": Slip(
            lambda tau: math.sqrt(1 - tau),
            ("That is what is left after *half an update*. Asked is for n.",),
        ),
        "mean_lag": Slip(
            lambda tau: 1 / tau,
            (
                "1/τ is how old the copy is on average, roughly.",
                "Asked is when *half* is left: (1 − τ)ⁿ = ½.",
            ),
        ),
        "mean_lag_exact": Slip(
            lambda tau: (1 - tau) / tau,
            ("This is the mean age. Asked is when half is left.",),
        ),
        "small_tau": Slip(
            lambda tau: math.log(2) / tau,
            ("Nearly: log(1 − τ) is −τ only for small τ.",),
        ),
        "sign": Slip(
            lambda tau: math.log(2) / math.log(1 - tau),
            ("A negative number of updates? Mind the sign of a logarithm.",),
        ),
        "of_tau": Slip(
            lambda tau: math.log(0.5) / math.log(tau),
            ("What is left after one update: τ or 1 − τ?",),
        ),
        "one_over_e": Slip(
            lambda tau: -1 / math.log(1 - tau),
            ("After so many a share of 1/e is left. Asked is a half.",),
        ),
    },
)


def dual_temperature(k: float, target: float) -> float:
    return k * math.exp(2 * target) / (2 * math.pi * math.e)


def _wish(seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    return float(rng.uniform(0.5, 5.0)), float(rng.uniform(-2.0, 1.0))


DUAL_TEMPERATURE = Formula(
    reference=dual_temperature,
    inputs=_wish,
    tested="against the α at which N(·, α/k) has the target entropy, to 9 digits, for 8 random "
    "(k, H̄)",
    slips={
        "precedence": Slip(
            lambda k, target: k * math.exp(2 * target) / 2 * math.pi * math.e,
            ("x / 2*pi*e is ((x / 2)·π)·e in Python: brackets.",),
        ),
        "target_not_doubled": Slip(
            lambda k, target: k * math.exp(target) / (2 * math.pi * math.e),
            ("H = *½* log(2πe σ²): multiply by 2 before you take the exponential.",),
        ),
        "target_halved": Slip(
            lambda k, target: k * math.exp(target / 2) / (2 * math.pi * math.e),
            ("H = *½* log(2πe σ²): to get rid of a half, double.",),
        ),
        "subtracted": Slip(
            lambda k, target: k * (math.exp(2 * target) - 2 * math.pi * math.e),
            ("2πe is a factor inside the logarithm: divide by it.",),
        ),
        "root_of_k": Slip(
            lambda k, target: math.sqrt(k) * math.exp(target) / math.sqrt(2 * math.pi * math.e),
            ("This is √α.",),
        ),
        "inverted": Slip(
            lambda k, target: math.exp(2 * target) / (2 * math.pi * math.e * k),
            ("σ² = α/k, so α = kσ²: a sharper critic needs a *higher* temperature.",),
        ),
        "no_square": Slip(
            lambda k, target: k * math.exp(target) / math.sqrt(2 * math.pi * math.e),
            ("H = log σ + …, and α goes with σ².",),
        ),
        "sigma_only": Slip(
            lambda k, target: math.exp(2 * target) / (2 * math.pi * math.e),
            ("This is σ². Which α makes the policy so wide?",),
        ),
        "without_e": Slip(
            lambda k, target: k * math.exp(2 * target) / (2 * math.pi),
            ("The entropy of a Gaussian is ½ log(2πeσ²): the e is E[ε²]/2.",),
        ),
        "sign_of_target": Slip(
            lambda k, target: k * math.exp(-2 * target) / (2 * math.pi * math.e),
            ("The target is an entropy, not a log-density: more of it needs more α.",),
        ),
        "log": Slip(
            lambda k, target: math.log(k) + 2 * target - math.log(2 * math.pi * math.e),
            ("This is log α.",),
        ),
    },
)

EXERCISES: dict[str, Exercise] = {
    "soft_target": SOFT_TARGET,
    "twin_bias": TWIN_BIAS,
    "half_life": HALF_LIFE,
    "dual_temperature": DUAL_TEMPERATURE,
}

PREDICTIONS: dict[str, Prediction] = {"minimum": Word("too low", ("too low", "right", "too high"))}
