"""Notebook 04, reparameterization: its exercises and the slips they know."""

import math

import numpy as np
import torch
from torch import Tensor

from estimators import Gaussian, Noise, Objective, reparameterization, score_function
from nabla.course.engine import Exercise, Formula, Prediction, Slip, Surrogate, Word
from nabla.course.exercises.ex05 import lopsided
from toy_problems.tables.tabular import Array

Triple = tuple[Array, Array, Array]


def _noise(seed: int) -> Triple:
    """μ, log σ and ε of an action with three coordinates."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=3), rng.normal(size=3) / 2, rng.normal(size=3)


def gaussian_path(mu: Array, log_std: Array, eps: Array) -> Triple:
    sigma = np.exp(log_std)
    return mu + sigma * eps, np.ones_like(eps), sigma * eps


GAUSSIAN_PATH = Formula(
    reference=gaussian_path,
    inputs=_noise,
    tested="the action and both derivatives for 8 random (μ, log σ, ε) with three coordinates, to "
    "9 digits",
    slips={
        "by_sigma": Slip(
            lambda mu, log_std, eps: (*gaussian_path(mu, log_std, eps)[:2], eps),
            ("The last one is the derivative by σ. The parameter is log σ: chain rule.",),
        ),
        "log_std_for_sigma": Slip(
            lambda mu, log_std, eps: (mu + log_std * eps, np.ones_like(eps), eps),
            ("log_std is log σ: take its exponential to get σ.",),
        ),
        "log_std_throughout": Slip(
            lambda mu, log_std, eps: (mu + log_std * eps, np.ones_like(eps), log_std * eps),
            ("log_std is log σ: take its exponential to get σ.",),
        ),
        "log_variance": Slip(
            lambda mu, log_std, eps: gaussian_path(mu, log_std / 2, eps),
            ("The parameter is log σ, not log σ²: nothing to halve.",),
        ),
        "variance_for_sigma": Slip(
            lambda mu, log_std, eps: gaussian_path(mu, 2 * log_std, eps),
            (
                "The spread is σ², it should be σ: Var[σε] = σ².",
                "(A report says that σ is the diagonal of the covariance matrix. σ² is.)",
            ),
        ),
        "one_noise": Slip(
            lambda mu, log_std, eps: gaussian_path(mu, log_std, np.full_like(eps, eps[0])),
            ("Each coordinate has a noise of its own: here they all share the first one.",),
        ),
        "exponential_twice": Slip(
            lambda mu, log_std, eps: (
                *gaussian_path(mu, log_std, eps)[:2],
                np.exp(2 * log_std) * eps,
            ),
            ("The derivative of exp(log σ)·ε by log σ has one factor σ only.",),
        ),
        "summed": Slip(
            lambda mu, log_std, eps: (
                gaussian_path(mu, log_std, eps)[0],
                np.ones(()),
                (np.exp(log_std) * eps).sum(),
            ),
            ("One derivative for each coordinate: there is nothing to sum.",),
        ),
    },
)


def _draw(seed: int) -> tuple[float, float]:
    """The rate λ, and an action drawn from its exponential law."""
    rng = np.random.default_rng(seed)
    rate = float(rng.uniform(0.4, 3))
    return rate, float(rng.exponential(1 / rate))


EXPONENTIAL_PATH = Formula(
    reference=lambda rate, a: -a / rate,
    inputs=_draw,
    tested="da/dλ for 8 random (λ, a), to 9 digits",
    slips={
        "sign": Slip(
            lambda rate, a: a / rate,
            ("A larger rate makes the actions smaller: which sign has da/dλ?",),
        ),
        "uniform_for_its_rest": Slip(
            lambda rate, a: np.log(1 - np.exp(-rate * a)) / rate**2,
            ("From a = −log(1 − u)/λ: what is log(1 − u), in a? You put log u.",),
        ),
        "of_the_mean": Slip(
            lambda rate, a: -1 / rate**2,
            (
                "That is how the *mean* 1/λ moves. Each draw moves by an amount of its own.",
                "Hold u fixed in a = −log(1 − u)/λ, and write the result with a again.",
            ),
        ),
        "noise_for_action": Slip(
            lambda rate, a: -a / rate**2,
            ("a has a factor 1/λ in it already: −log(1 − u) = λa.",),
        ),
        "score": Slip(
            lambda rate, a: 1 / rate - a,
            (
                "This is the score, ∂ log π(a)/∂λ at fixed a.",
                "Here the noise is fixed, and the action moves.",
            ),
        ),
        "density": Slip(
            lambda rate, a: rate * math.exp(-rate * a),
            ("This is the density at a. It belongs below a fraction bar, if anywhere.",),
        ),
        "of_the_cdf": Slip(
            lambda rate, a: a * math.exp(-rate * a),
            ("This is ∂F/∂λ at fixed a. F(a) = u stays: divide by −∂F/∂a.",),
        ),
    },
)


def _jump(seed: int) -> tuple[float, ...]:
    """μ, σ, c, the height of the jump."""
    rng = np.random.default_rng(seed)
    mu, c, height = rng.normal(size=3)
    return float(mu), float(rng.uniform(0.4, 1.8)), float(c), float(height)


def missing_part(mu: float, sigma: float, c: float, height: float) -> tuple[float, float]:
    z = (c - mu) / sigma
    density = math.exp(-(z**2) / 2) / (sigma * math.sqrt(2 * math.pi))
    return height * density, height * density * (c - mu)


def _at(mu: float, sigma: float, c: float) -> float:
    return missing_part(mu, sigma, c, 1.0)[0]


MISSING_PART = Formula(
    reference=missing_part,
    inputs=_jump,
    tested="both parts for 8 random (μ, σ, c, height), to 9 digits; the notebook compares them "
    "with quadrature",
    slips={
        "zero": Slip(
            lambda mu, sigma, c, height: (0.0, 0.0),
            (
                "That is what autograd says, away from the jump. The mean of Q does move.",
                "E[Q] = height·P(a > c). How does that probability depend on μ?",
            ),
        ),
        "sign": Slip(
            lambda mu, sigma, c, height: missing_part(mu, sigma, c, -height),
            ("Moving μ up makes a > c likelier, not rarer.",),
        ),
        "probability": Slip(
            lambda mu, sigma, c, height: (
                height * 0.5 * math.erfc((c - mu) / sigma / math.sqrt(2)),
                height * 0.5 * math.erfc((c - mu) / sigma / math.sqrt(2)) * (c - mu),
            ),
            ("This has P(a > c) in it. Differentiate: the derivative of Φ is its density.",),
        ),
        "unit_density": Slip(
            lambda mu, sigma, c, height: (
                height * sigma * _at(mu, sigma, c),
                height * sigma * _at(mu, sigma, c) * (c - mu),
            ),
            ("A density of N(0, 1) at (c − μ)/σ: the chain rule has another 1/σ.",),
        ),
        "by_sigma": Slip(
            lambda mu, sigma, c, height: (
                height * _at(mu, sigma, c),
                height * _at(mu, sigma, c) * (c - mu) / sigma,
            ),
            ("The second is the derivative by σ. The parameter is log σ.",),
        ),
        "same_for_both": Slip(
            lambda mu, sigma, c, height: (height * _at(mu, sigma, c),) * 2,
            ("For log σ the boundary moves at another speed: how far is c from μ?",),
        ),
        "sign_of_distance": Slip(
            lambda mu, sigma, c, height: (
                height * _at(mu, sigma, c),
                -height * _at(mu, sigma, c) * (c - mu),
            ),
            ("The sign of the second part: does a wider policy get beyond a c > μ more often?",),
        ),
        "no_height": Slip(
            lambda mu, sigma, c, height: missing_part(mu, sigma, c, 1.0),
            ("The jump is not 1: where is its height?",),
        ),
    },
)


def coupled(a: Tensor) -> Tensor:
    """A Q whose coordinates feel each other, without symmetry."""
    return lopsided(a) + 0.5 * a.sum(-1) ** 2


def _problem(mu: list[float], log_std: list[float]) -> tuple[Gaussian, Objective]:
    policy = Gaussian(*(torch.tensor(x, dtype=torch.float64) for x in (mu, log_std)))
    return policy, Objective(coupled, 0.0)


def _with_noise(eps_of: str, scale: str = "sigma") -> Slip:
    def answer(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
        mu, log_std = policy.mu, policy.log_std
        shape = mu.shape if eps_of == "each" else (*mu.shape[:-1], 1)
        eps = rng.normal((1, *shape), mu)
        sigma = {"sigma": log_std.exp(), "variance": (2 * log_std).exp(), "log": log_std}[scale]
        return -objective.Q(mu + sigma * eps).mean(0)

    hints = {
        "one": (
            "In one dimension it is right. With two coordinates it is not.",
            "One number of noise for all coordinates puts the actions on a line: a vector, please.",
        ),
        "variance": ("The noise is scaled by the variance σ²; f has σ.",),
        "log": ("log_std is log σ: take its exponential.",),
    }
    return Slip(answer, hints["one" if eps_of == "one" else scale])


PATHWISE = Surrogate(
    reference=reparameterization,
    problems=[_problem([0.3], [-0.4]), _problem([-0.5, 0.4], [-0.9, -0.6])],
    tested="shapes and the graph; mean against the exact gradient and variance, both by "
    "quadrature, in one dimension and in two with a Q that couples them",
    slips={
        "one_noise": _with_noise("one"),
        "variance_for_sigma": _with_noise("each", "variance"),
        "log_std_for_sigma": _with_noise("each", "log"),
    },
    methods={
        "score_function": Slip(
            score_function,
            (
                "This is the score function of notebook 02: right in the mean, by the other way.",
                "Here Q itself is the surrogate, and the gradient comes through the action.",
            ),
        ),
    },
    hints={
        "sign": ("J = −E[Q]: a loss. Look at the sign.",),
        "sign_of_q": ("J = −E[Q]: a loss. Look at the sign.",),
        "detached_cost": (
            "Q is not felt: the action is cut off from the parameters.",
            "Is μ or σ detached, or the action taken from policy.sample?",
        ),
        "missing_gradient": (
            "No gradient arrives at one of the parameters.",
            "Both μ and σ must stay attached in a = μ + σε.",
        ),
        "attached_action": ("Score function and path at once: Q alone will do, no log π.",),
        "factor": ("It is the gradient times a constant.",),
    },
)

EXERCISES: dict[str, Exercise] = {
    "gaussian_path": GAUSSIAN_PATH,
    "exponential_path": EXPONENTIAL_PATH,
    "missing_part": MISSING_PART,
    "pathwise": PATHWISE,
}

PREDICTIONS: dict[str, Prediction] = {"steep": Word("infinite", ("zero", "constant", "infinite"))}
