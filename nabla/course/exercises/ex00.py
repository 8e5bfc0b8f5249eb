"""Notebook 00, the tour: its exercises and the slips they know."""

import math

import numpy as np

from nabla.course.engine import Exercise, Formula, Number, Prediction, Slip, Word

HALF_LOG_2PI = math.log(2 * math.pi) / 2


def cost(a: float, mu: float, sigma: float, q: float, alpha: float) -> float:
    z = (a - mu) / sigma
    return alpha * (-(z**2) / 2 - math.log(sigma) - HALF_LOG_2PI) - q


def _point(seed: int) -> tuple[float, ...]:
    rng = np.random.default_rng(seed)
    return (*rng.normal(size=2), rng.uniform(0.3, 2), rng.normal(), rng.uniform(0.1, 2))


COST = Formula(
    reference=cost,
    inputs=_point,
    tested="the cost of one action against the density of N(μ, σ²), to 9 digits, for 8 random "
    "(a, μ, σ, Q, α)",
    slips={
        "normaliser": Slip(
            lambda a, mu, sigma, q, alpha: (
                alpha * (-(((a - mu) / sigma) ** 2) / 2 - HALF_LOG_2PI) - q
            ),
            ("A wide Gaussian is lower everywhere: where is σ in front of the exponential?",),
        ),
        "not_normalised": Slip(
            lambda a, mu, sigma, q, alpha: alpha * (-(((a - mu) / sigma) ** 2) / 2) - q,
            (
                "Only the exponent of the Gaussian is there. What stands in front of it?",
                "The density integrates to one for every σ.",
            ),
        ),
        "constant": Slip(
            lambda a, mu, sigma, q, alpha: (
                alpha * (-(((a - mu) / sigma) ** 2) / 2 - math.log(sigma)) - q
            ),
            ("The density has to integrate to one: a factor 1/√(2π) is left out.",),
        ),
        "root_forgotten": Slip(
            lambda a, mu, sigma, q, alpha: (
                alpha * (-(((a - mu) / sigma) ** 2) / 2 - math.log(sigma) - 2 * HALF_LOG_2PI) - q
            ),
            ("The factor in front is 1/(σ√(2π)), with a root. Where did it go?",),
        ),
        "alpha_on_one_part": Slip(
            lambda a, mu, sigma, q, alpha: (
                -alpha * ((a - mu) / sigma) ** 2 / 2 - math.log(sigma) - HALF_LOG_2PI - q
            ),
            ("α weighs all of log π, the normaliser too: are there brackets missing?",),
        ),
        "sign_of_square": Slip(
            lambda a, mu, sigma, q, alpha: (
                alpha * (((a - mu) / sigma) ** 2 / 2 - math.log(sigma) - HALF_LOG_2PI) - q
            ),
            ("Far from μ an action is unlikely: look at the sign in the exponent.",),
        ),
        "sign_of_normaliser": Slip(
            lambda a, mu, sigma, q, alpha: (
                alpha * (-(((a - mu) / sigma) ** 2) / 2 + math.log(sigma) + HALF_LOG_2PI) - q
            ),
            ("The normaliser divides the density: which sign has its logarithm?",),
        ),
        "times_variance": Slip(
            lambda a, mu, sigma, q, alpha: (
                alpha * (-((a - mu) ** 2) / 2 * sigma**2 - math.log(sigma) - HALF_LOG_2PI) - q
            ),
            ("x / 2 * s is (x / 2)·s in Python: σ² belongs below the line.",),
        ),
        "half": Slip(
            lambda a, mu, sigma, q, alpha: (
                alpha * (-(((a - mu) / sigma) ** 2) - math.log(sigma) - HALF_LOG_2PI) - q
            ),
            ("Look at the exponent of the Gaussian: minus *one half* of a square.",),
        ),
        "variance_for_sigma": Slip(
            lambda a, mu, sigma, q, alpha: (
                alpha * (-((a - mu) ** 2) / (2 * sigma) - math.log(sigma) / 2 - HALF_LOG_2PI) - q
            ),
            ("sigma is the standard deviation, and is used here as if it were the variance.",),
        ),
        "density": Slip(
            lambda a, mu, sigma, q, alpha: (
                alpha * math.exp(-(((a - mu) / sigma) ** 2) / 2 - math.log(sigma) - HALF_LOG_2PI)
                - q
            ),
            ("This weighs the density. The cost has its logarithm.",),
        ),
        "sign_of_q": Slip(
            lambda a, mu, sigma, q, alpha: cost(a, mu, sigma, -q, alpha),
            ("A cost is low where Q is high: look at the sign of Q.",),
        ),
        "sign_of_entropy": Slip(
            lambda a, mu, sigma, q, alpha: cost(a, mu, sigma, q, -alpha),
            ("log π has the wrong sign: entropy is −log π, and it is *rewarded*.",),
        ),
        "alpha_everywhere": Slip(
            lambda a, mu, sigma, q, alpha: alpha * cost(a, mu, sigma, q, 1.0),
            ("α weighs log π only.",),
        ),
        "alpha_forgotten": Slip(
            lambda a, mu, sigma, q, alpha: cost(a, mu, sigma, q, 1.0),
            ("Where is α?",),
        ),
    },
)


def mean_and_error(draws: np.ndarray) -> tuple[float, float]:
    return draws.mean(), draws.std(ddof=1) / math.sqrt(len(draws))


def _draws(seed: int) -> tuple[np.ndarray]:
    rng = np.random.default_rng(seed)
    return (rng.normal(rng.normal(), 2.0, size=5 + seed),)


MEAN_AND_ERROR = Formula(
    reference=mean_and_error,
    inputs=_draws,
    tested="mean and standard error, to 9 digits, for 8 random sets of 5 to 12 draws",
    slips={
        "standard_deviation": Slip(
            lambda draws: (draws.mean(), draws.std(ddof=1)),
            (
                "This says how far *one draw* lies from the mean. How far does the mean lie?",
                "More draws must make it smaller.",
            ),
        ),
        "standard_deviation_over_n": Slip(
            lambda draws: (draws.mean(), draws.std()),
            (
                "This says how far *one draw* lies from the mean. How far does the mean lie?",
                "More draws must make it smaller. (And look up ddof.)",
            ),
        ),
        "variance": Slip(
            lambda draws: (draws.mean(), draws.var(ddof=1) / len(draws)),
            ("This is its square: the variance of the mean.",),
        ),
        "over_n": Slip(
            lambda draws: (draws.mean(), draws.std(ddof=1) / len(draws)),
            ("Variances add up, so standard deviations grow like a root. Over n is too good.",),
        ),
        "population": Slip(
            lambda draws: (draws.mean(), draws.std() / math.sqrt(len(draws))),
            (
                "Nearly. The mean was fitted to the same draws: numpy divides by n by default.",
                "Look up ddof.",
            ),
        ),
        "corrected_twice": Slip(
            lambda draws: (draws.mean(), draws.std(ddof=1) / math.sqrt(len(draws) - 1)),
            ("n − 1 is in it twice: ddof=1 has seen to that already.",),
        ),
        "root_of_one_factor": Slip(
            lambda draws: (draws.mean(), draws.var(ddof=1) / math.sqrt(len(draws))),
            ("This is a variance over √n: which of var and std goes with the root?",),
        ),
        "variance_of_a_draw": Slip(
            lambda draws: (draws.mean(), draws.var(ddof=1)),
            ("This is the variance of *one draw*. How far does the mean lie from the truth?",),
        ),
        "interval": Slip(
            lambda draws: (
                draws.mean(),
                1.96 * draws.std(ddof=1) / math.sqrt(len(draws)),
            ),
            ("This is half of a 95 % interval. Asked for is *one* standard error.",),
        ),
        "sum": Slip(
            lambda draws: (draws.sum(), draws.std(ddof=1) * math.sqrt(len(draws))),
            ("That is the error of a sum. Asked is for the mean, and how far it may be off.",),
        ),
    },
)


def draws_needed(variance: float, gradient: float, fraction: float) -> float:
    return variance / (fraction * gradient) ** 2


def _wanted(seed: int) -> tuple[float, ...]:
    rng = np.random.default_rng(seed)
    return tuple(float(x) for x in rng.uniform((0.5, 0.1, 0.01), (30.0, 3.0, 0.3)))


DRAWS_NEEDED = Formula(
    reference=draws_needed,
    inputs=_wanted,
    tested="the number of draws, to 9 digits, for 8 random (variance, gradient, fraction)",
    slips={
        "not_squared": Slip(
            lambda variance, gradient, fraction: variance / (fraction * gradient),
            ("Check the units: a number of draws has none, and variance is a gradient squared.",),
        ),
        "root": Slip(
            lambda variance, gradient, fraction: math.sqrt(variance) / (fraction * gradient),
            (
                "The standard error is √(variance/n). Solve for n, not for √n.",
                "Halving the error takes four times the draws: does yours?",
            ),
        ),
        "absolute": Slip(
            lambda variance, gradient, fraction: variance / fraction**2,
            ("The error is to be a fraction *of the gradient*.",),
        ),
        "fraction_not_squared": Slip(
            lambda variance, gradient, fraction: variance / (fraction * gradient**2),
            ("Halving the error takes four times the draws: does yours?",),
        ),
        "gradient_not_squared": Slip(
            lambda variance, gradient, fraction: variance / (fraction**2 * gradient),
            ("Check the units: a number of draws has none, and variance is a gradient squared.",),
        ),
        "precedence": Slip(
            lambda variance, gradient, fraction: variance / fraction * gradient**2,
            ("x / f * g is (x / f)·g in Python. And is f squared, too?",),
        ),
        "variance_for_deviation": Slip(
            lambda variance, gradient, fraction: math.sqrt(variance) / (fraction * gradient) ** 2,
            ("Square √(variance/n) = fraction·|gradient| on both sides, all of it.",),
        ),
        "rounded": Slip(
            lambda variance, gradient, fraction: math.ceil(variance / (fraction * gradient) ** 2),
            ("Right, but rounded up: asked for is n as it comes.",),
        ),
        "upside_down": Slip(
            lambda variance, gradient, fraction: (fraction * gradient) ** 2 / variance,
            ("A noisier estimator needs more draws, not fewer.",),
        ),
        "standard_deviation": Slip(
            lambda variance, gradient, fraction: (variance / (fraction * gradient)) ** 2,
            ("The variance is squared here. It is one already.",),
        ),
    },
)

EXERCISES: dict[str, Exercise] = {
    "cost": COST,
    "mean_and_error": MEAN_AND_ERROR,
    "draws_needed": DRAWS_NEEDED,
}

PREDICTIONS: dict[str, Prediction] = {
    "intervals": Number(lambda: math.sqrt(1000 / 10)),
    "detached_entropy": Word("no", ("yes", "no")),
}
