"""Notebook 03, from KL to the loss: its exercises and the slips they know."""

import math
from typing import Any

import numpy as np

from nabla.course.engine import Exercise, Formula, Prediction, Slip, Word
from toy_problems.tables.soft_mdp import entropy, soft_value, softmax
from toy_problems.tables.tabular import Array


def _bandit(seed: int) -> tuple[Array, Array, float]:
    """π, Q, α."""
    rng = np.random.default_rng(seed)
    pi = softmax(rng.normal(size=4))
    return pi, rng.normal(size=4), float(rng.uniform(0.2, 0.8))


def soft_objective(pi: Array, Q: Array, alpha: float) -> float:
    return float(soft_value(Q, pi, alpha))


SOFT_OBJECTIVE = Formula(
    reference=soft_objective,
    inputs=_bandit,
    tested="E[Q] + αH for 8 random policies over four actions, to 9 digits",
    slips={
        "entropy_subtracted": Slip(
            lambda pi, Q, alpha: float(pi @ Q - alpha * entropy(pi)),
            ("Being random is rewarded here, not punished: the sign of H, or of log π.",),
        ),
        "alpha_forgotten": Slip(lambda pi, Q, alpha: float(pi @ Q + entropy(pi)), ("Where is α?",)),
        "alpha_on_q": Slip(
            lambda pi, Q, alpha: float(alpha * (pi @ Q) + entropy(pi)),
            ("α weighs the entropy, not the reward.",),
        ),
        "unweighted_entropy": Slip(
            lambda pi, Q, alpha: float(pi @ Q - alpha * np.log(pi).sum()),
            ("H is a *mean* of −log π under π: each action with its probability.",),
        ),
        "no_entropy": Slip(lambda pi, Q, alpha: float(pi @ Q), ("That is the mean reward alone.",)),
        "unweighted_reward": Slip(
            lambda pi, Q, alpha: float(Q.mean() + alpha * entropy(pi)),
            ("E_π[Q] is a mean under π: each action with its probability.",),
        ),
        "averaged_entropy": Slip(
            lambda pi, Q, alpha: float(pi @ Q + alpha * entropy(pi) / len(pi)),
            ("π weighs the terms of H already: sum them, do not average again.",),
        ),
        "averaged_log": Slip(
            lambda pi, Q, alpha: float(pi @ Q - alpha * np.log(pi).mean()),
            ("H is a *mean* of −log π under π: each action with its probability.",),
        ),
        "uniform_entropy": Slip(
            lambda pi, Q, alpha: float(pi @ Q + alpha * math.log(len(pi))),
            ("log A is the entropy of a uniform policy. This one is not.",),
        ),
        "best_value": Slip(
            lambda pi, Q, alpha: float(alpha * np.log(np.exp(Q / alpha).sum())),
            ("That is α log Z, what the *best* policy is worth. Asked is for the one given.",),
        ),
        "convex": Slip(
            lambda pi, Q, alpha: float((1 - alpha) * (pi @ Q) + alpha * entropy(pi)),
            ("Q has no factor: α is an exchange rate, not a share.",),
        ),
        "base_two": Slip(
            lambda pi, Q, alpha: float(pi @ Q + alpha * entropy(pi) / math.log(2)),
            ("In bits? Entropy is in nats here: the natural logarithm.",),
        ),
        "loss": Slip(
            lambda pi, Q, alpha: -soft_objective(pi, Q, alpha),
            ("This is J, the loss. Asked is what is maximised: minus that.",),
        ),
    },
)


def _scores(seed: int) -> tuple[Array, float]:
    """Q of five actions, every other time around 2000, or with one far below the others; α."""
    rng = np.random.default_rng(seed)
    Q, alpha = rng.normal(size=5) + 2000 * (seed % 2), float(rng.uniform(0.3, 0.9))
    if seed % 4 == 2:
        Q[0] = Q.max() - 725 * alpha  # e⁷²⁵ overflows, e⁻⁷²⁵ does not underflow
    return Q, alpha


def _shift_of_lowest(Q: Array, alpha: float) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        p = np.exp((Q - Q.min()) / alpha)
        return p / p.sum()


def boltzmann(Q: Array, alpha: float) -> Array:
    return softmax(Q / alpha)


def _plain(Q: Array, alpha: float) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        p = np.exp(Q / alpha)
        return p / p.sum()


def _shift_unscaled(Q: Array, alpha: float) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        p = np.exp(Q / alpha - Q.max())
        return p / p.sum()


def _shift_of_one(Q: Array, alpha: float) -> Array:
    with np.errstate(over="ignore"):
        return np.exp((Q - Q.max()) / alpha) / np.exp(Q / alpha).sum()


BOLTZMANN = Formula(
    reference=boltzmann,
    inputs=_scores,
    tested="five probabilities for 8 random (Q, α), to 9 digits; in half of them Q is near "
    "2000, in a quarter one action is hopeless",
    slips={
        "overflow": Slip(
            _plain,
            (
                "Right where Q is small. What is exp(2000/0.5) on a computer?",
                "Adding a constant to Q changes nothing. Which one makes the exponents harmless?",
            ),
        ),
        "alpha_forgotten": Slip(
            lambda Q, alpha: softmax(Q),
            (
                "This is exp(Q)/Z: right for α = 1 only.",
                "(An article prints that target beside updates with another α.)",
            ),
        ),
        "shift_of_another_scale": Slip(
            _shift_unscaled,
            (
                "What is subtracted must make the largest *exponent* zero.",
                "The exponents are Q/α: is the number that you subtract divided by α, too?",
            ),
        ),
        "shift_of_lowest": Slip(
            _shift_of_lowest,
            ("The smallest exponent is zero now. Which one overflows?",),
        ),
        "shift_of_one": Slip(
            _shift_of_one,
            ("Numerator and denominator are shifted differently: the same exponents in both.",),
        ),
        "clipped": Slip(
            lambda Q, alpha: _plain(np.clip(Q / alpha, -700, 700), 1.0),
            ("Clipping makes all large ones equal. Subtract something instead.",),
        ),
        "log_probability": Slip(
            lambda Q, alpha: np.log(softmax(Q / alpha)),
            ("These are logarithms of probabilities.",),
        ),
        "alpha_times": Slip(
            lambda Q, alpha: softmax(alpha * Q),
            ("A high temperature must make the policy flatter, not sharper.",),
        ),
        "lowest": Slip(
            lambda Q, alpha: softmax(-Q / alpha), ("The worst action is the likeliest one.",)
        ),
        "greedy": Slip(
            lambda Q, alpha: np.eye(len(Q))[Q.argmax()],
            ("That is the limit α → 0: the best action only.",),
        ),
        "linear": Slip(
            lambda Q, alpha: (Q - Q.min()) / (Q - Q.min()).sum(),
            ("Probabilities in proportion to Q? It is the exponential of Q/α that is normalised.",),
        ),
        "not_normalised": Slip(
            lambda Q, alpha: np.exp((Q - Q.max()) / alpha),
            ("They do not sum to one: where is Z?",),
        ),
    },
)


def _parabola(seed: int) -> tuple[float, ...]:
    """μ, σ, k, m, α."""
    rng = np.random.default_rng(seed)
    mu, m = rng.normal(size=2)
    sigma, k, alpha = rng.uniform(0.3, 1.8, size=3)
    return tuple(float(x) for x in (mu, sigma, k, m, alpha))


def gaussian_loss(mu: float, sigma: float, k: float, m: float, alpha: float) -> float:
    return _loss(mu, sigma, k, m, alpha)


def _loss(mu: float, sigma: float, k: float, m: float, alpha: float, **changed: Any) -> float:
    H = changed.get("H", math.log(sigma) + math.log(2 * math.pi * math.e) / 2)
    second = changed.get("second", (mu - m) ** 2 + sigma**2)
    return -alpha * H + k * second / 2


GAUSSIAN_LOSS = Formula(
    reference=gaussian_loss,
    inputs=_parabola,
    tested="J for 8 random (μ, σ, k, m, α), to 9 digits; the notebook compares it with quadrature",
    slips={
        "no_spread": Slip(
            lambda mu, sigma, k, m, alpha: _loss(mu, sigma, k, m, alpha, second=(mu - m) ** 2),
            (
                "The mean of Q is not Q at the mean: actions are spread around μ.",
                "E[(a − m)²] has two parts, one of them σ².",
            ),
        ),
        "entropy_sign": Slip(
            lambda mu, sigma, k, m, alpha: _loss(mu, sigma, k, m, -alpha),
            ("J = E[α log π − Q], and E[log π] is *minus* the entropy.",),
        ),
        "q_sign": Slip(
            lambda mu, sigma, k, m, alpha: _loss(mu, sigma, -k, m, alpha),
            ("Q = −k(a − m)²/2, and J has −Q in it: two minus signs.",),
        ),
        "alpha_forgotten": Slip(
            lambda mu, sigma, k, m, alpha: _loss(mu, sigma, k, m, 1.0), ("Where is α?",)
        ),
        "half_forgotten": Slip(
            lambda mu, sigma, k, m, alpha: _loss(mu, sigma, 2 * k, m, alpha),
            ("Q has a factor ½.",),
        ),
        "entropy_without_e": Slip(
            lambda mu, sigma, k, m, alpha: _loss(
                mu, sigma, k, m, alpha, H=math.log(sigma) + math.log(2 * math.pi) / 2
            ),
            (
                "A constant is missing: E[ε²]/2 = ½.",
                "log π(a) = −ε²/2 − log σ − …: average the first part, too.",
            ),
        ),
        "entropy_without_half": Slip(
            lambda mu, sigma, k, m, alpha: _loss(
                mu, sigma, k, m, alpha, H=math.log(sigma) + math.log(2 * math.pi * math.e)
            ),
            ("The entropy of a Gaussian is log σ plus *one half* of a constant.",),
        ),
        "half_on_sigma": Slip(
            lambda mu, sigma, k, m, alpha: _loss(
                mu, sigma, k, m, alpha, H=math.log(sigma * 2 * math.pi * math.e) / 2
            ),
            ("½ log(2πeσ²): the half and the square of σ go together.",),
        ),
        "variance_in_entropy": Slip(
            lambda mu, sigma, k, m, alpha: _loss(
                mu, sigma, k, m, alpha, H=math.log(2 * math.pi * math.e) / 2 + 2 * math.log(sigma)
            ),
            ("½ log(2πeσ²): the half and the square of σ go together.",),
        ),
        "no_entropy": Slip(
            lambda mu, sigma, k, m, alpha: _loss(mu, sigma, k, m, 0.0),
            ("That is E[−Q] alone: where is α E[log π]?",),
        ),
        "alpha_everywhere": Slip(
            lambda mu, sigma, k, m, alpha: alpha * _loss(mu, sigma, k, m, 1.0),
            ("α weighs log π only.",),
        ),
        "spread_subtracted": Slip(
            lambda mu, sigma, k, m, alpha: _loss(
                mu, sigma, k, m, alpha, second=(mu - m) ** 2 - sigma**2
            ),
            ("E[(a − m)²]: the two parts of a mean square add.",),
        ),
        "spread_without_k": Slip(
            lambda mu, sigma, k, m, alpha: _loss(
                mu, sigma, k, m, alpha, second=(mu - m) ** 2 + 2 * sigma**2 / k
            ),
            ("½k multiplies both parts of E[(a − m)²].",),
        ),
        "squared_together": Slip(
            lambda mu, sigma, k, m, alpha: _loss(
                mu, sigma, k, m, alpha, second=(mu - m + sigma) ** 2
            ),
            ("E[(δ + σε)²]: multiply out *before* you average. The middle term has mean zero.",),
        ),
        "squares_apart": Slip(
            lambda mu, sigma, k, m, alpha: _loss(
                mu, sigma, k, m, alpha, second=mu**2 + sigma**2 - m**2
            ),
            ("(a − m)² is not a² − m².",),
        ),
        "density_at_mean": Slip(
            lambda mu, sigma, k, m, alpha: _loss(mu, sigma, k, m, alpha, H=math.log(sigma)),
            ("The entropy of a Gaussian is log σ plus ½ log 2πe.",),
        ),
        "variance_linear": Slip(
            lambda mu, sigma, k, m, alpha: _loss(
                mu, sigma, k, m, alpha, second=(mu - m) ** 2 + sigma
            ),
            ("σ is a standard deviation: the variance is its square.",),
        ),
    },
)


def _mixture(seed: int) -> tuple[float, float]:
    """m, and the weight of the component at −m."""
    rng = np.random.default_rng(seed)
    return float(rng.uniform(0.7, 3)), float(rng.uniform(0.1, 0.4))


def forward_fit(m: float, w: float) -> tuple[float, float]:
    return (1 - 2 * w) * m, math.sqrt(1 + 4 * w * (1 - w) * m**2)


FORWARD_FIT = Formula(
    reference=forward_fit,
    inputs=_mixture,
    tested="φ and σ for 8 random (m, w), to 9 digits",
    slips={
        "variance": Slip(
            lambda m, w: (forward_fit(m, w)[0], forward_fit(m, w)[1] ** 2),
            ("The second number is a variance. σ is its root.",),
        ),
        "no_own_spread": Slip(
            lambda m, w: ((1 - 2 * w) * m, math.sqrt(4 * w * (1 - w)) * m),
            ("Each component has a spread of its own, besides the distance of the two.",),
        ),
        "unit": Slip(
            lambda m, w: ((1 - 2 * w) * m, 1.0),
            ("σ is free as well: one Gaussian must cover both components.",),
        ),
        "about_zero": Slip(
            lambda m, w: ((1 - 2 * w) * m, math.sqrt(1 + m**2)),
            ("E_h[a²] is right, but a variance is about the mean, which is not 0 here.",),
        ),
        "four_forgotten": Slip(
            lambda m, w: ((1 - 2 * w) * m, math.sqrt(1 + w * (1 - w) * m**2)),
            ("The two centres are 2m apart, not m.",),
        ),
        "symmetric": Slip(
            lambda m, w: (0.0, math.sqrt(1 + m**2)),
            ("That is for two peaks of equal weight. Here the mean of h is not 0.",),
        ),
        "square_added": Slip(
            lambda m, w: ((1 - 2 * w) * m, math.sqrt(1 + m**2 + ((1 - 2 * w) * m) ** 2)),
            ("The variance is E[a²] *minus* the square of the mean.",),
        ),
        "one_centre": Slip(
            lambda m, w: ((1 - w) * m, math.sqrt(1 + m**2 - ((1 - w) * m) ** 2)),
            ("The component at −m pulls the mean as well.",),
        ),
        "deviations_added": Slip(
            lambda m, w: ((1 - 2 * w) * m, 1 + 2 * m * math.sqrt(w * (1 - w))),
            ("Variances add, not standard deviations.",),
        ),
        "log_std": Slip(
            lambda m, w: ((1 - 2 * w) * m, math.log(forward_fit(m, w)[1])),
            ("The second number is log σ. Asked is for σ.",),
        ),
        "weights_swapped": Slip(
            lambda m, w: ((2 * w - 1) * m, forward_fit(m, w)[1]),
            ("w belongs to the component at −m.",),
        ),
        "one_mode": Slip(
            lambda m, w: (m, 1.0),
            (
                "That is what the other divergence does: it takes one component, and leaves one.",
                "KL(h‖π) is a mean under h, and h is at both.",
            ),
        ),
    },
)


def _nodes(seed: int) -> tuple[float, float, Array, Array]:
    """m, φ, and nodes with weights: Σ w f(eps) = E f(ε)."""
    rng = np.random.default_rng(seed)
    eps, w = np.polynomial.hermite_e.hermegauss(20)
    return float(rng.uniform(0.7, 2.5)), float(rng.normal()), eps, w / w.sum()


def reverse_slope(m: float, phi: float, eps: Array, w: Array) -> float:
    return float(phi - m * (w @ np.tanh(m * (phi + eps))))


REVERSE_SLOPE = Formula(
    reference=reverse_slope,
    inputs=_nodes,
    tested="the derivative for 8 random (m, φ) with 20 nodes, to 9 digits",
    slips={
        "forward": Slip(
            lambda m, phi, eps, w: phi,
            (
                "This is the slope of the *forward* divergence, φ − E_h[a].",
                "Differentiate E[−log h(φ + ε)] by φ: the slope of log h at the action.",
            ),
        ),
        "at_the_mean": Slip(
            lambda m, phi, eps, w: float(phi - m * np.tanh(m * phi)),
            ("The slope at the mean is not the mean of the slopes: average over ε.",),
        ),
        "m_inside": Slip(
            lambda m, phi, eps, w: float(phi - m * (w @ np.tanh(phi + eps))),
            ("Where did the m inside the hyperbolic cosine go?",),
        ),
        "m_outside": Slip(
            lambda m, phi, eps, w: float(phi - w @ np.tanh(m * (phi + eps))),
            ("Chain rule: d/da log cosh(ma) has a factor.",),
        ),
        "unweighted": Slip(
            lambda m, phi, eps, w: float(phi - m * np.tanh(m * (phi + eps)).mean()),
            ("The nodes are not equally likely: use w.",),
        ),
        "sign_inside": Slip(
            lambda m, phi, eps, w: float(phi + m * (w @ np.tanh(m * (phi + eps)))),
            ("KL has −log h in it: look at the sign of the second part.",),
        ),
        "curvature": Slip(
            lambda m, phi, eps, w: float(1 - m**2 * (w @ (1 - np.tanh(m * (phi + eps)) ** 2))),
            ("That is the second derivative. Asked is for the first.",),
        ),
        "not_differentiated": Slip(
            lambda m, phi, eps, w: float(
                w @ ((phi + eps) ** 2 / 2 - np.log(np.cosh(m * (phi + eps))))
            ),
            ("This is the divergence itself, up to a constant. Now differentiate.",),
        ),
        "half_kept": Slip(
            lambda m, phi, eps, w: float(phi / 2 - m * (w @ np.tanh(m * (phi + eps)))),
            ("½a² has the derivative a: the half goes.",),
        ),
        "by_sigma": Slip(
            lambda m, phi, eps, w: float(w @ (eps * (phi + eps - m * np.tanh(m * (phi + eps))))),
            ("With the factor ε it is the derivative by σ. By φ the action moves at rate 1.",),
        ),
        "weights_forgotten": Slip(
            lambda m, phi, eps, w: float((phi + eps - m * np.tanh(m * (phi + eps))).sum()),
            ("The nodes are not equally likely: use w.",),
        ),
        "cosh_for_tanh": Slip(
            lambda m, phi, eps, w: float(phi - m * (w @ np.cosh(m * (phi + eps)))),
            ("The derivative of log cosh is sinh/cosh.",),
        ),
        "tanh_only": Slip(
            lambda m, phi, eps, w: -m * float(w @ np.tanh(m * (phi + eps))),
            ("log h has a part −a²/2, too.",),
        ),
    },
)

EXERCISES: dict[str, Exercise] = {
    "soft_objective": SOFT_OBJECTIVE,
    "boltzmann": BOLTZMANN,
    "gaussian_loss": GAUSSIAN_LOSS,
    "forward_fit": FORWARD_FIT,
    "reverse_slope": REVERSE_SLOPE,
}

PREDICTIONS: dict[str, Prediction] = {"free_width": Word("no", ("yes", "no"))}
