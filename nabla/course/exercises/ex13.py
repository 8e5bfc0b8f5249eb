"""Notebook 13, break it: its exercises and the slips they know."""

import math

import numpy as np
import torch
from torch import Tensor

from estimators import (
    Gaussian,
    Noise,
    Objective,
    reparameterization,
    score_function_full,
    sticking_the_landing,
)
from nabla.course.engine import Exercise, Formula, Slip, Surrogate
from nabla.course.exercises.ex05 import SCORE_FUNCTION, SURROGATE_HINTS, lopsided

Triple = tuple[float, float, float]


def final_sigma(k: float, alpha: float, d: int) -> Triple:
    return math.sqrt(alpha / k), math.sqrt(1 / k), math.sqrt(alpha / (d * k))


def _bowl(seed: int) -> tuple[float, float, int]:
    rng = np.random.default_rng(seed)
    k, alpha = (float(x) for x in rng.uniform(0.2, 0.9, size=2))
    return 4 * k, alpha, int(rng.integers(2, 9))


FINAL_SIGMA = Formula(
    reference=final_sigma,
    inputs=_bowl,
    tested="the three standard deviations against the zeros of ∂J/∂ log σ, to 9 digits, for 8 "
    "random (k, α, d)",
    slips={
        "divided_outside": Slip(
            lambda k, alpha, d: (
                math.sqrt(alpha / k),
                math.sqrt(1 / k),
                math.sqrt(alpha / k) / d,
            ),
            ("It is α that becomes α/d, inside the root.",),
        ),
        "no_temperature": Slip(
            lambda k, alpha, d: (math.sqrt(alpha / k), 0.0, math.sqrt(alpha / (d * k))),
            ("α *forgotten* is α = 1, not α = 0: log π stands there without a factor.",),
        ),
        "log_sigma": Slip(
            lambda k, alpha, d: (
                math.log(alpha / k) / 2,
                math.log(1 / k) / 2,
                math.log(alpha / (d * k)) / 2,
            ),
            ("These are log σ. Asked for is σ.",),
        ),
        "variances": Slip(
            lambda k, alpha, d: (alpha / k, 1 / k, alpha / (d * k)),
            ("These are variances, σ².",),
        ),
        "inverted": Slip(
            lambda k, alpha, d: (
                math.sqrt(k / alpha),
                math.sqrt(k),
                math.sqrt(d * k / alpha),
            ),
            ("Which way round? A sharper critic makes a narrower policy.",),
        ),
        "sum_widens": Slip(
            lambda k, alpha, d: (math.sqrt(alpha / k), math.sqrt(1 / k), math.sqrt(d * alpha / k)),
            (
                "The first two are right. The third policy is narrower than it should be.",
                "Averaged over d coordinates, log π weighs a d-th of its sum; Q weighs the same.",
            ),
        ),
        "q_divided": Slip(
            lambda k, alpha, d: (math.sqrt(alpha / k), math.sqrt(1 / k), math.sqrt(alpha / k)),
            (
                "That would be so if Q were divided by d as well.",
                "Q is one number, repeated d times: its mean is itself.",
            ),
        ),
        "alpha_squared": Slip(
            lambda k, alpha, d: (alpha / math.sqrt(k), 1 / math.sqrt(k), alpha / (d * k**0.5)),
            ("α and k enter by their ratio: −α + kσ² = 0.",),
        ),
        "factor_two": Slip(
            lambda k, alpha, d: (
                math.sqrt(2 * alpha / k),
                math.sqrt(2 / k),
                math.sqrt(2 * alpha / (d * k)),
            ),
            ("Q = −k a²/2: its derivative has no 2.",),
        ),
    },
)


def entropy_seen(sigma: np.ndarray) -> tuple[float, float]:
    at_the_mean = float(np.log(sigma * math.sqrt(2 * math.pi)).sum())
    return at_the_mean + len(sigma) / 2, at_the_mean


def _sigmas(seed: int) -> tuple[np.ndarray]:
    rng = np.random.default_rng(seed)
    return (np.exp(rng.normal(-0.5, 0.5, size=rng.integers(2, 7))),)


ENTROPY_SEEN = Formula(
    reference=entropy_seen,
    inputs=_sigmas,
    tested="the entropy of a diagonal Gaussian and minus its log-density at the mean, to 9 digits, "
    "for 8 random σ of 2 to 6 coordinates",
    slips={
        "constants_once": Slip(
            lambda sigma: (
                float(np.log(sigma).sum() + math.log(2 * math.pi * math.e) / 2),
                float(np.log(sigma).sum() + math.log(2 * math.pi) / 2),
            ),
            ("Every coordinate has its own √(2π), and its own ½.",),
        ),
        "density_itself": Slip(
            lambda sigma: (
                entropy_seen(sigma)[0],
                float(np.prod(1 / (sigma * math.sqrt(2 * math.pi)))),
            ),
            ("The second one is the density at the mean. Asked is for minus its logarithm.",),
        ),
        "same_twice": Slip(
            lambda sigma: (entropy_seen(sigma)[0],) * 2,
            ("The second is at a = μ, where ε = 0: the mean of ε²/2 is not in it.",),
        ),
        "half_taken_once": Slip(
            lambda sigma: (entropy_seen(sigma)[0], entropy_seen(sigma)[0] - 0.5),
            ("The two differ by E[ε²]/2 for *each* coordinate.",),
        ),
        "precedence": Slip(
            lambda sigma: (
                float(
                    np.log(sigma).sum() + len(sigma) * math.log(2 * math.pi) / 2 * math.pi * math.e
                ),
                entropy_seen(sigma)[1],
            ),
            ("x / 2*pi*e is ((x / 2)·π)·e in Python, and e belongs inside the logarithm.",),
        ),
        "half_once": Slip(
            lambda s: (entropy_seen(s)[1] + 0.5, entropy_seen(s)[1]),
            ("E[ε²]/2 is ½ for each coordinate.",),
        ),
        "log_prob": Slip(
            lambda s: (-entropy_seen(s)[0], -entropy_seen(s)[1]),
            ("This is E[log π] and log π(μ). The entropy is minus that.",),
        ),
        "only_log_sigma": Slip(
            lambda s: (float(np.log(s).sum()) + len(s) / 2, float(np.log(s).sum())),
            ("The normaliser has a √(2π) as well, one for each coordinate.",),
        ),
        "mean_over_coordinates": Slip(
            lambda s: tuple(x / len(s) for x in entropy_seen(s)),
            ("Coordinates are independent: their entropies add up.",),
        ),
        "wrong_way": Slip(
            lambda s: (entropy_seen(s)[1] - len(s) / 2, entropy_seen(s)[1]),
            ("The density is largest at the mean. Is −log π there too large, or too small?",),
        ),
        "variance": Slip(
            lambda s: tuple(x + float(np.log(s).sum()) for x in entropy_seen(s)),
            ("log σ counts once, not twice: log σ² is halved.",),
        ),
    },
)


def mixture_log_prob(logits: np.ndarray, log_probs: np.ndarray) -> float:
    x = logits - np.logaddexp.reduce(logits) + log_probs
    return float(np.logaddexp.reduce(x))


def _mixtures(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    k = rng.integers(2, 6)
    return rng.normal(0.5, 1.0, size=k), rng.normal(-1.0, 1.5, size=k)


def _softmax(x: np.ndarray) -> np.ndarray:
    p = np.exp(x - x.max())
    return p / p.sum()


def _logits_for_weights(logits: np.ndarray, log_probs: np.ndarray) -> float:
    with np.errstate(invalid="ignore"):
        return float(np.log((logits * np.exp(log_probs)).sum()))


MIXTURE_LOG_PROB = Formula(
    reference=mixture_log_prob,
    inputs=_mixtures,
    tested="against log Σ_k w_k p_k(a), to 9 digits, for 8 random mixtures of 2 to 5 components",
    slips={
        "logits_for_weights": Slip(
            _logits_for_weights,
            ("Logits may be negative: they are no weights. Which function makes weights of them?",),
        ),
        "sigmoid": Slip(
            lambda logits, log_probs: float(
                np.log((np.exp(log_probs) / (1 + np.exp(-logits))).sum())
            ),
            ("A sigmoid gives each its own probability; the weights of a mixture sum to one.",),
        ),
        "sum_of_logs": Slip(
            lambda logits, log_probs: float(
                (logits - np.logaddexp.reduce(logits) + log_probs).sum()
            ),
            ("A sum of logarithms is a product of densities. Wanted is log of the *sum*.",),
        ),
        "weights_added": Slip(
            lambda logits, log_probs: float(np.log((_softmax(logits) + np.exp(log_probs)).sum())),
            ("Weight *times* density.",),
        ),
        "normalised_by_densities": Slip(
            lambda logits, log_probs: float(
                np.logaddexp.reduce(logits + log_probs) - np.logaddexp.reduce(log_probs)
            ),
            ("What is divided by is the sum of the *weights*, exp(logits), not of the densities.",),
        ),
        "heaviest": Slip(
            lambda logits, log_probs: float(log_probs[logits.argmax()]),
            ("The heaviest component alone. The others may have been it.",),
        ),
        "not_summed": Slip(
            lambda logits, log_probs: logits - np.logaddexp.reduce(logits) + log_probs,
            ("One number for each component: logarithms of weight times density, not yet added.",),
        ),
        "averaged": Slip(
            lambda logits, log_probs: mixture_log_prob(logits, log_probs) - math.log(len(logits)),
            ("The weights make a mean already: sum, do not average again.",),
        ),
        "not_normalised": Slip(
            lambda logits, lp: float(np.logaddexp.reduce(logits + lp)),
            (
                "The density does not integrate to one.",
                "Logits are weights up to a factor. Which function makes weights of them?",
            ),
        ),
        "mean_of_logs": Slip(
            lambda logits, lp: float((_softmax(logits) * lp).sum()),
            ("This is the mean of logarithms. Wanted is the logarithm of the mean density.",),
        ),
        "density": Slip(
            lambda logits, lp: float((_softmax(logits) * np.exp(lp)).sum()),
            ("This is the density. Wanted is its logarithm.",),
        ),
        "weights_for_logs": Slip(
            lambda logits, lp: float(np.logaddexp.reduce(_softmax(logits) + lp)),
            ("A product of densities and weights is a sum of *logarithms*.",),
        ),
        "unweighted": Slip(
            lambda logits, lp: float(np.logaddexp.reduce(lp) - math.log(len(lp))),
            ("Where are the weights? All components count alike here.",),
        ),
        "likeliest": Slip(
            lambda logits, lp: float((logits - np.logaddexp.reduce(logits) + lp).max()),
            ("This is the largest component alone.",),
        ),
        "softmax_of_all": Slip(
            lambda logits, lp: float(np.log(_softmax(logits + lp)).max()),
            ("Normalised are the weights only, not weight times density.",),
        ),
    },
)


def _problem(mu: list[float], log_std: list[float], alpha: float) -> tuple[Gaussian, Objective]:
    policy = Gaussian(*(torch.tensor(x, dtype=torch.float64) for x in (mu, log_std)))
    return policy, Objective(lopsided, alpha)


def _draw(policy: Gaussian, rng: Noise) -> tuple[Tensor, Tensor]:
    """An action, and log π of each coordinate."""
    eps = rng.normal(tuple(policy.mu.shape), policy.mu)
    a = policy.mu + policy.log_std.exp() * eps
    z = (a - policy.mu) / policy.log_std.exp()
    return a, -(z**2) / 2 - policy.log_std


def _mean_over_coordinates(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
    a, each = _draw(policy, rng)
    return (objective.alpha * each - objective.Q(a).unsqueeze(-1)).mean(-1)


def _sum_of_both(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
    a, each = _draw(policy, rng)
    return (objective.alpha * each - objective.Q(a).unsqueeze(-1)).sum(-1)


def _log_std_in_density(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
    a, _ = _draw(policy, rng)
    z = (a - policy.mu) / policy.log_std
    each = -(z**2) / 2 - policy.log_std.abs().log()
    return objective.alpha * each.sum(-1) - objective.Q(a)


REVIEWED = Surrogate(
    reference=reparameterization,
    problems=[
        _problem([0.3, -0.6], [-0.4, -0.7], 0.6),
        _problem([-0.7, 0.4], [0.2, -0.3], 0.25),
    ],
    tested="shapes and the graph in 2 and 4 dimensions; mean against the exact gradient and "
    "variance, both by quadrature, in 2 dimensions that feel each other, for Q = 0.7a − 0.4a² + "
    "0.3a³ + cos 2a, at two (μ, σ, α)",
    slips={
        "mean_over_coordinates": Slip(
            _mean_over_coordinates,
            (
                "It is the gradient at another temperature. How much is log π worth here?",
                "log π of an action is one number: coordinates are independent, logarithms add.",
            ),
        ),
        "q_for_each": Slip(
            _sum_of_both,
            ("Q is one number for an action, and is counted once for each coordinate here.",),
        ),
        "log_std_in_density": Slip(
            _log_std_in_density,
            ("The density's scale is log σ where it should be σ.",),
        ),
    },
    methods={
        "score_function": SCORE_FUNCTION,
        "score_function_full": Slip(score_function_full, SCORE_FUNCTION.hints),
        "sticking_the_landing": Slip(
            sticking_the_landing,
            ("Unbiased, but the parameters inside log π are held fixed.",),
        ),
    },
    hints={
        **SURROGATE_HINTS,
        "detached_cost": (
            "Q is not felt: two of the three may be mended, the action is still cut off.",
            "Which of sample and rsample lets the gradient through?",
        ),
    },
)

EXERCISES: dict[str, Exercise] = {
    "final_sigma": FINAL_SIGMA,
    "entropy_seen": ENTROPY_SEEN,
    "mixture_log_prob": MIXTURE_LOG_PROB,
    "reviewed": REVIEWED,
}
