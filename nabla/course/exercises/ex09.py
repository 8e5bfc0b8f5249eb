"""Notebook 09, squashing and numbers: its exercises and the slips they know."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from estimators import Categorical, Noise, Objective, exact, score_function
from estimators.score import score_function_analytic_entropy
from nabla.course.engine import Answer, Exercise, Formula, Number, Prediction, Slip, Surrogate

Array = np.ndarray
LOG_2 = math.log(2)


def log_det(u: Tensor) -> Tensor:
    """log(1 − tanh² u)."""
    v = u.abs()
    return 2 * (LOG_2 - v - torch.log1p(torch.exp(-2 * v)))


def _wide(seed: int) -> tuple[Tensor]:
    rng = np.random.default_rng(seed)
    return (torch.tensor(rng.uniform(-1, 1, 4) * [1, 5, 40, 800]),)


LOG_DET = Formula(
    reference=log_det,
    inputs=_wide,
    tested="log(1 − tanh² u) to 9 digits, for 8 sets of four numbers with |u| up to 800",
    slips={
        "smaller_epsilon": Slip(
            lambda u: torch.log(1 - torch.tanh(u) ** 2 + 1e-8),
            (
                "Finite, and wrong: with +10⁻⁸ it can never be below −18.4.",
                "No epsilon is small enough. 1 − tanh² u = 4/(eᵘ + e⁻ᵘ)²: take its logarithm.",
            ),
        ),
        "smallest_epsilon": Slip(
            lambda u: torch.log(1 - torch.tanh(u) ** 2 + 1e-12),
            (
                "Finite, and wrong: with +10⁻¹² it can never be below −27.6.",
                "No epsilon is small enough. 1 − tanh² u = 4/(eᵘ + e⁻ᵘ)²: take its logarithm.",
            ),
        ),
        "other_clamp": Slip(
            lambda u: torch.log((1 - torch.tanh(u) ** 2).clamp(min=1e-7)),
            ("A clamp makes it finite, and wrong: and its derivative is zero there.",),
        ),
        "softplus_sign": Slip(
            lambda u: 2 * (LOG_2 - u + torch.nn.functional.softplus(-2 * u)),
            ("log(eᵘ + e⁻ᵘ) = u + softplus(−2u), and all of it is taken off.",),
        ),
        "softplus_of_plus": Slip(
            lambda u: 2 * (LOG_2 - u - torch.nn.functional.softplus(2 * u)),
            ("Taking eᵘ out of eᵘ + e⁻ᵘ leaves 1 + e⁻²ᵘ: look at the sign inside.",),
        ),
        "far_only": Slip(
            lambda u: 2 * (LOG_2 - u.abs()),
            ("That is its limit for large |u|. At u = 0 it must be 0.",),
        ),
        "summed": Slip(
            lambda u: log_det(u).sum(),
            ("One number for each u: nothing is to be summed.",),
        ),
        "summed_and_turned": Slip(
            lambda u: -log_det(u).sum(),
            ("One number for each u; and the sign: 1 − tanh² u is at most 1.",),
        ),
        "as_written": Slip(
            lambda u: torch.log(1 - torch.tanh(u) ** 2),
            (
                "Right until tanh u rounds to 1; then it is the logarithm of zero.",
                "1 − tanh² u = 4/(eᵘ + e⁻ᵘ)². Take the logarithm before anything is computed.",
            ),
        ),
        "epsilon": Slip(
            lambda u: torch.log(1 - torch.tanh(u) ** 2 + 1e-6),
            (
                "Finite, and wrong: it can never be below log 10⁻⁶ = −13.8.",
                "No epsilon is needed. 1 − tanh² u = 4/(eᵘ + e⁻ᵘ)²: take the logarithm of that.",
            ),
        ),
        "clamped": Slip(
            lambda u: torch.log((1 - torch.tanh(u) ** 2).clamp(min=1e-6)),
            ("A clamp makes it finite, and wrong: and its derivative is zero there.",),
        ),
        "overflow": Slip(
            lambda u: LOG_2 * 2 - 2 * torch.log(torch.exp(u) + torch.exp(-u)),
            (
                "The formula is right, but eᵘ overflows at u = 710.",
                "Take the larger exponential out of the logarithm, or use softplus (or logaddexp).",
            ),
        ),
        "one_side": Slip(
            lambda u: 2 * (LOG_2 - u),
            ("That is its limit for large positive u. What of u near 0, or negative?",),
        ),
        "half": Slip(
            lambda u: log_det(u) / 2,
            ("This is log of 1/cosh u: 1 − tanh² u is its square.",),
        ),
        "log_two_once": Slip(
            lambda u: log_det(u) - LOG_2,
            ("At u = 0 it must be log 1 = 0. How often does log 2 come in?",),
        ),
    },
)


def squashed_cost(
    log_prob: Tensor, u: Tensor, Q: Callable[[Tensor], Tensor], alpha: float
) -> Tensor:
    """α log π(a) − Q(a) at a = tanh u, log_prob = log N(u)."""
    return alpha * (log_prob - log_det(u)) - Q(torch.tanh(u))


def _actions(seed: int) -> tuple[Tensor, Tensor, Callable[[Tensor], Tensor], float]:
    rng = np.random.default_rng(seed)
    k = float(rng.uniform(0.5, 3))

    def Q(a: Tensor) -> Tensor:
        return torch.cos(k * a) + a**2 - 0.3 * a

    u = torch.tensor(rng.uniform(-1, 1, 4) * [1, 2, 5, 25])
    return torch.tensor(rng.normal(size=4)), u, Q, float(rng.uniform(0.1, 0.9))


SQUASHED_COST = Formula(
    reference=squashed_cost,
    inputs=_actions,
    tested="the cost of tanh u to 9 digits, for 8 sets of four actions with |u| up to 25",
    slips={
        "other_epsilon": Slip(
            lambda log_prob, u, Q, alpha: (
                alpha * (log_prob - torch.log(1 - torch.tanh(u) ** 2 + 1e-8)) - Q(torch.tanh(u))
            ),
            ("An epsilon in the logarithm makes it wrong where tanh saturates: exercise 1.",),
        ),
        "clamped": Slip(
            lambda log_prob, u, Q, alpha: (
                alpha * (log_prob - torch.log((1 - torch.tanh(u) ** 2).clamp(min=1e-6)))
                - Q(torch.tanh(u))
            ),
            ("A clamp in the logarithm makes it wrong where tanh saturates: exercise 1.",),
        ),
        "as_written": Slip(
            lambda log_prob, u, Q, alpha: (
                alpha * (log_prob - torch.log(1 - torch.tanh(u) ** 2)) - Q(torch.tanh(u))
            ),
            ("Right until tanh u rounds to 1, then infinite: exercise 1 has a form that holds.",),
        ),
        "half_log_det": Slip(
            lambda log_prob, u, Q, alpha: alpha * (log_prob - log_det(u) / 2) - Q(torch.tanh(u)),
            ("Half of the log-determinant: 1 − tanh² u is the *square* of 1/cosh u.",),
        ),
        "log_prob_turned": Slip(
            lambda log_prob, u, Q, alpha: -alpha * (log_prob - log_det(u)) - Q(torch.tanh(u)),
            ("The cost is α log π − Q: entropy is rewarded, log π is a cost.",),
        ),
        "alpha_on_all": Slip(
            lambda log_prob, u, Q, alpha: alpha * (log_prob - log_det(u) - Q(torch.tanh(u))),
            ("α weighs log π only: where do the brackets close?",),
        ),
        "divided_by_slope": Slip(
            lambda log_prob, u, Q, alpha: (
                alpha * (log_prob / (1 - torch.tanh(u) ** 2)) - Q(torch.tanh(u))
            ),
            ("The *density* is divided by da/du. What happens to its logarithm?",),
        ),
        "log_det_forgotten": Slip(
            lambda log_prob, u, Q, alpha: alpha * log_prob - Q(torch.tanh(u)),
            (
                "log_prob is that of u. The density of a is another.",
                "π(a) da = N(u) du: what is da/du?",
            ),
        ),
        "log_det_sign": Slip(
            lambda log_prob, u, Q, alpha: alpha * (log_prob + log_det(u)) - Q(torch.tanh(u)),
            (
                "The log-determinant has the wrong sign.",
                "tanh squeezes: the same mass on less room, so the density rises.",
            ),
        ),
        "q_of_u": Slip(
            lambda log_prob, u, Q, alpha: alpha * (log_prob - log_det(u)) - Q(u),
            ("The critic rates actions, and u is not one yet.",),
        ),
        "alpha_on_the_density_only": Slip(
            lambda log_prob, u, Q, alpha: alpha * log_prob - log_det(u) - Q(torch.tanh(u)),
            ("α weighs the whole of log π(a), the log-determinant too.",),
        ),
        "log_det_of_a": Slip(
            lambda log_prob, u, Q, alpha: (
                alpha * (log_prob - log_det(torch.tanh(u))) - Q(torch.tanh(u))
            ),
            ("The log-determinant is a function of u; you gave it tanh u.",),
        ),
        "epsilon": Slip(
            lambda log_prob, u, Q, alpha: (
                alpha * (log_prob - torch.log(1 - torch.tanh(u) ** 2 + 1e-6)) - Q(torch.tanh(u))
            ),
            ("An epsilon in the logarithm makes it wrong where tanh saturates: exercise 1.",),
        ),
        "alpha_forgotten": Slip(
            lambda log_prob, u, Q, alpha: log_prob - log_det(u) - Q(torch.tanh(u)),
            ("Where is α?",),
        ),
        "sign_of_q": Slip(
            lambda log_prob, u, Q, alpha: alpha * (log_prob - log_det(u)) + Q(torch.tanh(u)),
            ("The cost has −Q.",),
        ),
    },
)


def squashed_entropy(mu: float, sigma: float, eps: Array, w: Array) -> float:
    """log σ + ½ log 2πe + E[log(1 − tanh² u)]."""
    u = torch.tensor(mu + sigma * eps)
    return math.log(sigma) + (math.log(2 * math.pi) + 1) / 2 + float(w @ log_det(u).numpy())


def _widths(seed: int) -> tuple[float, float, Array, Array]:
    rng = np.random.default_rng(seed)
    eps = np.linspace(-9, 9, 401)
    w = np.exp(-(eps**2) / 2)
    return float(rng.normal()), float(rng.uniform(0.3, 3)), eps, w / w.sum()


def _entropy(
    sign: float = 1.0,
    constant: float = (math.log(2 * math.pi) + 1) / 2,
    log_sigma: float = 1.0,
    spread: bool = True,
) -> Answer:
    """The entropy with something else in one of its three parts."""

    def answer(mu: float, sigma: float, eps: Array, w: Array) -> float:
        u = mu + sigma * eps if spread else mu + 0 * eps
        mean = float(w @ log_det(torch.tensor(u)).numpy())
        return log_sigma * math.log(sigma) + constant + sign * mean

    return answer


def _as_written(mu: float, sigma: float, eps: Array, w: Array) -> float:
    with np.errstate(divide="ignore"):
        mean = w @ np.log(1 - np.tanh(mu + sigma * eps) ** 2)
    return _entropy(sign=0)(mu, sigma, eps, w) + float(mean)


SQUASHED_ENTROPY = Formula(
    reference=squashed_entropy,
    inputs=_widths,
    tested="the entropy of tanh u, to 9 digits, for 8 random (μ, σ)",
    slips={
        "constant_not_halved": Slip(
            _entropy(constant=math.log(2 * math.pi) + 1),
            ("½ log(2πe σ²): the constant is *one half* of log 2πe.",),
        ),
        "half_of_log_sigma": Slip(
            _entropy(log_sigma=0.5),
            ("½ log(2πe σ²): it is σ², so a whole log σ comes out.",),
        ),
        "nothing_halved": Slip(
            _entropy(constant=math.log(2 * math.pi) + 1, log_sigma=2),
            ("½ log(2πe σ²): the half in front is missing.",),
        ),
        "precedence": Slip(
            lambda mu, sigma, eps, w: (
                math.log(sigma) / 2 * math.pi * math.e
                + squashed_entropy(mu, sigma, eps, w)
                - _entropy(sign=0)(mu, sigma, eps, w)
            ),
            ("x / 2*pi*e is ((x / 2)·π)·e in Python, and the constant is a *logarithm*.",),
        ),
        "constant_precedence": Slip(
            lambda mu, sigma, eps, w: _entropy(
                constant=math.log(2 * math.pi) / 2 * math.pi * math.e
            )(mu, sigma, eps, w),
            ("x / 2*pi*e is ((x / 2)·π)·e in Python: brackets.",),
        ),
        "plain_mean": Slip(
            lambda mu, sigma, eps, w: (
                _entropy(sign=0)(mu, sigma, eps, w)
                + float(log_det(torch.tensor(mu + sigma * eps)).mean())
            ),
            ("The nodes are not equally likely: use w.",),
        ),
        "half_log_det": Slip(
            _entropy(sign=0.5),
            ("Half of the log-determinant: 1 − tanh² u is the square of 1/cosh u.",),
        ),
        "epsilon": Slip(
            lambda mu, sigma, eps, w: (
                _entropy(sign=0)(mu, sigma, eps, w)
                + float(w @ np.log(1 - np.tanh(mu + sigma * eps) ** 2 + 1e-6))
            ),
            ("An epsilon inside the logarithm: it lifts the tails. Exercise 1 needs none.",),
        ),
        "as_written": Slip(
            _as_written,
            ("tanh rounds to 1 at |u| = 19, and log 0 is infinite: exercise 1.",),
        ),
        "of_u": Slip(
            _entropy(sign=0),
            ("This is the entropy of u, before the squashing.",),
        ),
        "sign": Slip(
            _entropy(sign=-1),
            (
                "The log-determinant has the wrong sign.",
                "It grows without bound in σ; no density on (−1, 1) has more entropy than log 2.",
            ),
        ),
        "at_the_mean": Slip(
            _entropy(spread=False),
            ("The log-determinant is taken at μ. Asked for is its mean over u.",),
        ),
        "half_missing": Slip(
            _entropy(constant=math.log(2 * math.pi) / 2),
            ("E[ε²/2] is missing: the entropy of N(0, 1) is ½ log 2πe, with the e.",),
        ),
        "sigma_missing": Slip(
            _entropy(log_sigma=0),
            ("Where does the entropy feel the width of u?",),
        ),
        "two_log_sigma": Slip(
            _entropy(log_sigma=2),
            ("½ log(2πe σ²): how many log σ are in that?",),
        ),
        "log_probability": Slip(
            lambda mu, sigma, eps, w: -squashed_entropy(mu, sigma, eps, w),
            ("Entropy is *minus* the mean of log π.",),
        ),
    },
)


def temperature_slope(r: Array, alpha: float, target: float) -> float:
    """H(softmax(r/α)) − target."""
    z = r / alpha
    log_p = z - z.max() - math.log(float(np.exp(z - z.max()).sum()))
    return -float((np.exp(log_p) * log_p).sum()) - target


def _bandit(seed: int) -> tuple[Array, float, float]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=4), float(rng.uniform(0.3, 2)), float(rng.uniform(0.2, 1.3))


def _slope(of: Callable[[Array, float, float, Array], float]) -> Answer:
    """Some function of (r, α, target, the probabilities)."""

    def answer(r: Array, alpha: float, target: float) -> float:
        p = np.exp((r - r.max()) / alpha)
        return float(of(r, alpha, target, p / p.sum()))

    return answer


def _h(p: Array) -> float:
    return -float((p * np.log(p)).sum())


def _log_z(r: Array, alpha: float) -> float:
    return math.log(float(np.exp(r / alpha).sum()))


TEMPERATURE_SLOPE = Formula(
    reference=temperature_slope,
    inputs=_bandit,
    tested="the derivative of the dual by α, to 9 digits, for 8 random bandits; the notebook "
    "compares it with differences of the dual itself",
    slips={
        "sign_of_inner": Slip(
            _slope(lambda r, alpha, target, p: _log_z(r, alpha) + p @ r / alpha - target),
            ("d(1/α)/dα is negative: the second part is taken off.",),
        ),
        "chain_twice": Slip(
            _slope(lambda r, alpha, target, p: _log_z(r, alpha) - p @ r / alpha**2 - target),
            ("α stands in front, too: α · (1/α²) leaves 1/α.",),
        ),
        "plain_sum": Slip(
            _slope(lambda r, alpha, target, p: -np.log(p).sum() - target),
            ("H is a *mean* of −log p under p: each action with its probability.",),
        ),
        "plain_mean": Slip(
            _slope(lambda r, alpha, target, p: -np.log(p).mean() - target),
            ("H is a mean under p, not over the actions alike.",),
        ),
        "bits": Slip(
            _slope(lambda r, alpha, target, p: _h(p) / math.log(2) - target),
            ("In bits? Entropy is in nats here: the natural logarithm.",),
        ),
        "mean_reward": Slip(
            _slope(lambda r, alpha, target, p: p @ r - target),
            ("That is the mean reward. What does the dual hold against the target?",),
        ),
        "sign": Slip(
            _slope(lambda r, alpha, target, p: target - _h(p)),
            (
                "The sign is turned: descent would lower α where entropy is missing.",
                "α must rise where the entropy is below its target: there the slope is negative.",
            ),
        ),
        "target_forgotten": Slip(
            _slope(lambda r, alpha, target, p: _h(p)),
            ("Where is the target?",),
        ),
        "negative_entropy": Slip(
            _slope(lambda r, alpha, target, p: -_h(p) - target),
            ("Entropy is −Σ p log p, and never negative for discrete actions.",),
        ),
        "temperature_forgotten": Slip(
            lambda r, alpha, target: temperature_slope(r, 1.0, target),
            ("The policy is softmax(r/α): α is missing in it.",),
        ),
        "inverse_temperature": Slip(
            lambda r, alpha, target: temperature_slope(r, 1 / alpha, target),
            ("High temperature is *more* random: r divided by α, not times.",),
        ),
        "times_alpha": Slip(
            _slope(lambda r, alpha, target, p: alpha * (_h(p) - target)),
            ("That is the derivative by log α. (SAC's code often descends in log α.)",),
        ),
        "dual_itself": Slip(
            _slope(
                lambda r, alpha, target, p: (
                    alpha * math.log(float(np.exp(r / alpha).sum())) - alpha * target
                )
            ),
            ("That is the dual, g(α). Asked for is its slope.",),
        ),
        "partial": Slip(
            _slope(lambda r, alpha, target, p: math.log(float(np.exp(r / alpha).sum())) - target),
            ("The α inside log Σ exp(r/α) has a derivative, too.",),
        ),
    },
)

REWARDS = torch.tensor([1.0, 0.2, -0.7], dtype=torch.float64)


def _arms() -> tuple[Categorical, Objective]:
    logits = torch.tensor([0.3, -0.5, 0.4], dtype=torch.float64)
    return Categorical(logits), Objective(lambda a: REWARDS[a], 0.4)


def _inner(policy: Categorical, objective: Objective, weigh: Callable[[Tensor], Tensor]) -> Tensor:
    """Σ weight(p) cost, over all actions."""
    a, p = policy.nodes()
    return (weigh(p) * objective.cost(policy, a)).sum(0)


def _averaged(policy: Categorical, objective: Objective, rng: Noise) -> Tensor:
    return _inner(policy, objective, lambda p: p / len(p))


def _unweighted(policy: Categorical, objective: Objective, rng: Noise) -> Tensor:
    return _inner(policy, objective, torch.ones_like)


def _frozen(policy: Categorical, objective: Objective, rng: Noise) -> Tensor:
    return _inner(policy, objective, torch.Tensor.detach)


def _log_for_weight(policy: Categorical, objective: Objective, rng: Noise) -> Tensor:
    return _inner(policy, objective, torch.log)


DISCRETE_LOSS = Surrogate(
    reference=exact,
    problems=[_arms()],
    tested="shapes and the graph; mean and variance by enumeration, for three actions, α = 0.4",
    slips={
        "averaged": Slip(
            _averaged,
            (
                "It is the gradient divided by the number of actions: a mean, and not a sum.",
                "The probabilities are the weights already; a mean over actions weighs twice.",
            ),
        ),
        "unweighted": Slip(
            _unweighted,
            ("All actions count alike: the probabilities are missing.",),
        ),
        "score_for_weight": Slip(
            _log_for_weight,
            ("The weight is π, not log π: an expectation under the policy.",),
        ),
        "frozen_probabilities": Slip(
            _frozen,
            (
                "The probabilities are cut off from the logits, and with them Q.",
                "In Σ π (α log π − Q) it is the π in front that carries the gradient.",
            ),
        ),
    },
    methods={
        "score_function": Slip(
            score_function,
            (
                "Right in the mean, but an action is drawn: nabla-log.",
                "There are few actions: take them all, weighed by their probabilities.",
            ),
        ),
        "analytic_entropy": Slip(
            score_function_analytic_entropy,
            ("The entropy is exact, Q is still sampled.",),
        ),
    },
    hints={
        "sign": ("The loss is α log π − Q, to be *minimised*.",),
        "sign_of_q": ("Q has the wrong sign.",),
        "missing_entropy": ("Where is α log π?",),
        "sign_of_entropy": ("α log π has the wrong sign.",),
        "alpha_forgotten": ("objective.cost weighs log π by α; or use objective.alpha.",),
        "detached_cost": ("Q is not felt: through what could a gradient reach the logits?",),
        "factor": ("It is proportional to the gradient: a constant factor too much.",),
        "missing_gradient": ("No gradient arrives: is something detached?",),
    },
)

EXERCISES: dict[str, Exercise] = {
    "log_det": LOG_DET,
    "squashed_cost": SQUASHED_COST,
    "squashed_entropy": SQUASHED_ENTROPY,
    "temperature_slope": TEMPERATURE_SLOPE,
    "discrete_loss": DISCRETE_LOSS,
}

PREDICTIONS: dict[str, Prediction] = {
    "saturated": Number(lambda: math.log(1 - math.tanh(10) ** 2 + 1e-6))
}
