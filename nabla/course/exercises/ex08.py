"""Notebook 08, mixtures: its exercises and the slips they know."""

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor

from estimators import (
    Gaussian,
    Mixture,
    Noise,
    Objective,
    marginalized,
    marginalized_stl,
    reparameterization,
    score_function,
)
from estimators.checking.slips import frozen_weights, path_of_drawn_component
from nabla.course.engine import (
    Answer,
    Exercise,
    Formula,
    Number,
    Prediction,
    Slip,
    Surrogate,
)
from nabla.course.exercises.ex05 import ALL, lopsided

Array = np.ndarray
Triple = tuple[Array, Array, Array]


def mixture_weight_gradient(w: Array, values: Array) -> Array:
    """∂/∂logits of Σ_k w_k v_k."""
    return w * (values - w @ values)


def _weights(seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(3, 2.0)), rng.normal(size=3)


MIXTURE_WEIGHT_GRADIENT = Formula(
    reference=mixture_weight_gradient,
    inputs=_weights,
    tested="the gradient by three logits against the softmax's Jacobian, to 9 digits, for 8 random "
    "weights and values",
    slips={
        "sign_of_others": Slip(
            lambda w, values: w * (values + w @ values),
            ("The Jacobian is diag(w) *minus* wwᵀ: what one logit gains the others lose.",),
        ),
        "plain_sum": Slip(
            lambda w, values: w * (values - values.sum()),
            ("What is taken off is a mean under the weights, not a sum.",),
        ),
        "softmax_of_weights": Slip(
            lambda w, values: mixture_weight_gradient(np.exp(w) / np.exp(w).sum(), values),
            ("w is the softmax already: no exponential is left to take.",),
        ),
        "weight_not_on_mean": Slip(
            lambda w, values: w * values - w @ values,
            ("The mean that is taken off is weighed by w_k, too. Brackets?",),
        ),
        "own_weight_squared": Slip(
            lambda w, values: w * values - w**2 * values.sum(),
            ("∂w_j/∂logit_k = w_j (1[j = k] − w_k): the second part is a sum over j.",),
        ),
        "not_summed": Slip(
            lambda w, values: np.outer(w, values) - np.outer(w, w * values),
            ("One number for each logit: a sum over the components is missing.",),
        ),
        "by_the_weights": Slip(
            lambda w, values: values,
            (
                "That is the derivative by the weights. They are made from logits: chain rule.",
                "∂w_j/∂logit_k = w_j (1[j = k] − w_k).",
            ),
        ),
        "sum_forgotten": Slip(
            lambda w, values: w * values,
            (
                "A logit that rises takes weight from all the others.",
                "The gradient by logits sums to zero: adding a number to all logits does nothing.",
            ),
        ),
        "diagonal": Slip(
            lambda w, values: w * (1 - w) * values,
            ("That is the diagonal of the Jacobian. What of the other weights?",),
        ),
        "plain_mean": Slip(
            lambda w, values: w * (values - values.mean()),
            ("The mean that is taken off is that of the mixture, not the plain one.",),
        ),
        "log_weights": Slip(
            lambda w, values: values - w @ values,
            ("The derivative of w_k by its logit has a factor w_k in it.",),
        ),
        "expected_value": Slip(
            lambda w, values: w @ values,
            ("That is Σ w v itself: its derivative is asked for, one number a logit.",),
        ),
    },
)


def _parts(w: Array, mu: Array, sigma: Array, a: float) -> tuple[Array, Array, Array, float]:
    z = (a - mu) / sigma
    density = w * np.exp(-(z**2) / 2) / (sigma * math.sqrt(2 * math.pi))
    return z, density, ndtr(z), float(density.sum())


def implicit_path(w: Array, mu: Array, sigma: Array, a: float) -> Triple:
    """∂a/∂μ_k, ∂a/∂log σ_k, ∂a/∂logit_k."""
    z, density, Phi, q = _parts(w, mu, sigma, a)
    r = density / q
    return r, r * sigma * z, -w * (Phi - w @ Phi) / q


def _mixture(seed: int) -> tuple[Array, Array, Array, float]:
    rng = np.random.default_rng(seed)
    w, mu = rng.dirichlet(np.full(3, 3.0)), rng.normal(size=3)
    return w, mu, rng.uniform(0.4, 1.5, 3), float(rng.normal())


def _path(change: Callable[[Triple, Array, Array, Array, float], Triple]) -> Answer:
    def answer(w: Array, mu: Array, sigma: Array, a: float) -> Triple:
        return change(implicit_path(w, mu, sigma, a), w, mu, sigma, a)

    return answer


def _drawn(w: Array, mu: Array, sigma: Array, a: float) -> Triple:
    z, density, _, _ = _parts(w, mu, sigma, a)
    one = (np.arange(len(w)) == density.argmax()).astype(float)
    return one, one * sigma * z, 0 * w


def _undivided(w: Array, mu: Array, sigma: Array, a: float) -> Triple:
    q = _parts(w, mu, sigma, a)[3]
    one, two, three = implicit_path(w, mu, sigma, a)
    return one * q, two * q, three * q


def _by_weight(w: Array, mu: Array, sigma: Array, a: float) -> Triple:
    z, density, Phi, q = _parts(w, mu, sigma, a)
    r = density / q
    return r, r * sigma * z, -Phi / q


def _with_density(w: Array, mu: Array, sigma: Array, a: float, square: float) -> Triple:
    """With exp(−square·z²) in the place of exp(−z²/2)."""
    z = (a - mu) / sigma
    density = w * np.exp(-square * z**2) / (sigma * math.sqrt(2 * math.pi))
    r = density / density.sum()
    return r, r * sigma * z, -w * (ndtr(z) - w @ ndtr(z)) / density.sum()


IMPLICIT_PATH = Formula(
    reference=implicit_path,
    inputs=_mixture,
    tested="nine derivatives of the quantile of a mixture of three, to 9 digits, for 8 random "
    "mixtures; the notebook differentiates the quantile function itself",
    slips={
        "weight_forgotten": Slip(
            lambda w, mu, sigma, a: tuple(x / w for x in implicit_path(w, mu, sigma, a)),
            ("A component moves F only as much as it weighs: where is w_k?",),
        ),
        "mean_cdf_forgotten": Slip(
            lambda w, mu, sigma, a: (
                *implicit_path(w, mu, sigma, a)[:2],
                -w * _parts(w, mu, sigma, a)[2] / _parts(w, mu, sigma, a)[3],
            ),
            (
                "A logit that rises takes weight from all the others: the third part lacks that.",
                "Exercise 1, with Φ_k for v_k.",
            ),
        ),
        "over_sigma": Slip(
            _path(lambda p, w, mu, sigma, a: (p[0], p[1] / sigma**2, p[2])),
            ("∂z/∂ log σ = −z: multiply the share by σz, a length.",),
        ),
        "diagonal": Slip(
            lambda w, mu, sigma, a: (
                *implicit_path(w, mu, sigma, a)[:2],
                -w * (1 - w) * _parts(w, mu, sigma, a)[2] / _parts(w, mu, sigma, a)[3],
            ),
            ("w(1 − w) is the diagonal of the softmax's Jacobian. What of the other weights?",),
        ),
        "half_missing": Slip(
            lambda w, mu, sigma, a: _with_density(w, mu, sigma, a, 1.0),
            ("Look at the exponent of the Gaussian: minus *one half* of z².",),
        ),
        "sign": Slip(
            lambda w, mu, sigma, a: tuple(-x for x in implicit_path(w, mu, sigma, a)),
            (
                "Every sign is turned. Shift all components to the right: where does a go?",
                "∂F/∂θ is divided by the density, with a minus in front.",
            ),
        ),
        "sign_of_weights": Slip(
            _path(lambda p, w, mu, sigma, a: (p[0], p[1], -p[2])),
            (
                "The third part has the wrong sign: more weight on a component pulls a to it.",
                "The golden equation has a minus; in the first two ∂F/∂θ has one, too.",
            ),
        ),
        "density_forgotten": Slip(
            _undivided,
            ("∂F/∂θ is a change of probability. Divided by what does it become a length?",),
        ),
        "by_weights": Slip(
            _by_weight,
            (
                "The third part is the derivative by a weight alone, the others held fixed.",
                "The parameter is a logit: use what exercise 1 says of Σ_k w_k Φ_k.",
            ),
        ),
        "drawn_component": Slip(
            _drawn,
            (
                "This is the path of one component: the one that the action is likely from.",
                "Every component contributes, by its share of the density at a.",
            ),
        ),
        "by_sigma": Slip(
            _path(lambda p, w, mu, sigma, a: (p[0], p[1] / sigma, p[2])),
            ("The second part is the derivative by σ. The parameter is log σ.",),
        ),
        "weights_for_shares": Slip(
            lambda w, mu, sigma, a: (
                w,
                w * (a - mu),
                implicit_path(w, mu, sigma, a)[2],
            ),
            (
                "A component's share is its weight *at this action*.",
                "w_k N_k(a) / q(a), the responsibility, in place of w_k.",
            ),
        ),
    },
)


def weights_given(w: Array, mu: Array, sigma: Array, a: float) -> Array:
    """P(k | a_1 = a)."""
    _, density, _, q = _parts(w, mu, sigma, a)
    return density / q


def _given(factor: Callable[[Array, Array, Array], Array]) -> Answer:
    """Weights in proportion to some function of (w, z, σ)."""

    def answer(w: Array, mu: Array, sigma: Array, a: float) -> Array:
        p = factor(w, (a - mu) / sigma, sigma)
        return p / p.sum()

    return answer


WEIGHTS_GIVEN = Formula(
    reference=weights_given,
    inputs=_mixture,
    tested="the three weights against Bayes' rule, to 9 digits, for 8 random mixtures",
    slips={
        "weighed_late": Slip(
            lambda w, mu, sigma, a: (
                w * _given(lambda w, z, s: np.exp(-(z**2) / 2) / s)(w, mu, sigma, a)
            ),
            ("The sum that you divide by must have the weights in it, too.",),
        ),
        "added": Slip(
            _given(lambda w, z, sigma: w + np.exp(-(z**2) / 2) / sigma),
            ("Weight *times* density: both must hold.",),
        ),
        "variance_in_front": Slip(
            _given(lambda w, z, sigma: w * np.exp(-(z**2) / 2) / sigma**2),
            ("In front of the exponential stands 1/σ, not 1/σ².",),
        ),
        "sigma_for_variance": Slip(
            _given(lambda w, z, sigma: w * np.exp(-(z**2) * sigma / 2) / sigma),
            ("In the exponent stands σ², not σ.",),
        ),
        "sign_of_square": Slip(
            _given(lambda w, z, sigma: w * np.exp(z**2 / 2) / sigma),
            ("Far from its mean a component is *un*likely: look at the sign in the exponent.",),
        ),
        "unchanged": Slip(
            lambda w, mu, sigma, a: w,
            ("The first coordinate tells which component it may come from: use it.",),
        ),
        "likelihood_only": Slip(
            _given(lambda w, z, sigma: np.exp(-(z**2) / 2) / sigma),
            ("A component with little weight is less likely before a is seen: Bayes' rule.",),
        ),
        "sigma_forgotten": Slip(
            _given(lambda w, z, sigma: w * np.exp(-(z**2) / 2)),
            ("A narrow component has a high density: what stands in front of the exponential?",),
        ),
        "not_normalised": Slip(
            lambda w, mu, sigma, a: _parts(w, mu, sigma, a)[1],
            ("They must sum to one.",),
        ),
        "distribution_functions": Slip(
            _given(lambda w, z, sigma: w * ndtr(z)),
            ("The action is known to *be* a, not to be below a: densities, not Φ.",),
        ),
        "half_missing": Slip(
            _given(lambda w, z, sigma: w * np.exp(-(z**2)) / sigma),
            ("Look at the exponent of a Gaussian.",),
        ),
    },
)


def _problem() -> tuple[Mixture, Objective]:
    logits, mu, log_std = (
        torch.tensor(x, dtype=torch.float64) for x in ([0.3, -0.4], [-0.6, 0.7], [-0.4, -0.1])
    )
    return Mixture(logits, mu[:, None], log_std[:, None]), Objective(lopsided, 0.6)


def shared_noise(policy: Mixture, objective: Objective, rng: Noise) -> Tensor:
    """Marginalisation with one ε for all components."""
    eps = rng.normal((1, *policy.batch, 1, policy.mu.shape[-1]), policy.mu)
    a = (policy.mu + policy.log_std.exp() * eps).movedim(-2, 0)  # [K, 1, *batch, d]
    w = policy.logits.softmax(-1).movedim(-1, 0)  # [K, *batch]
    return (w * objective.cost(policy, a)[:, 0]).sum(0)


def _each_component(
    policy: Mixture,
    rng: Noise,
    cost: Callable[[Tensor, Gaussian], Tensor],
    weights: Callable[[Tensor], Tensor],
) -> Tensor:
    """Σ_k weight_k cost(a_k), a: [n, *batch, K, d]."""
    a = policy.components.rsample(1, rng)
    return (weights(policy.logits) * cost(a, policy.components)[0]).sum(-1)


def own_density(policy: Mixture, objective: Objective, rng: Noise) -> Tensor:
    """Σ_k w_k [α log N_k(a_k) − Q(a_k)]: the components' densities in place of the mixture's."""
    return _each_component(
        policy,
        rng,
        lambda a, own: objective.alpha * own.log_prob(a) - objective.Q(a),
        lambda logits: logits.softmax(-1),
    )


def _mean_over_components(policy: Mixture, objective: Objective, rng: Noise) -> Tensor:
    a = policy.components.rsample(1, rng).movedim(-2, 0)
    return objective.cost(policy, a)[:, 0].mean(0)


def _sum_over_components(policy: Mixture, objective: Objective, rng: Noise) -> Tensor:
    a = policy.components.rsample(1, rng).movedim(-2, 0)
    return objective.cost(policy, a)[:, 0].sum(0)


def _sampled_components(policy: Mixture, objective: Objective, rng: Noise) -> Tensor:
    a = policy.components.sample(1, rng)[0].movedim(-2, 0)
    return (policy.logits.softmax(-1).movedim(-1, 0) * objective.cost(policy, a)).sum(0)


def _with_weights(weights: Callable[[Tensor], Tensor]) -> Answer:
    def answer(policy: Mixture, objective: Objective, rng: Noise) -> Tensor:
        a = policy.components.rsample(1, rng)[0].movedim(-2, 0)
        return (weights(policy.logits).movedim(-1, 0) * objective.cost(policy, a)).sum(0)

    return answer


MARGINAL_LOSS = Surrogate(
    reference=marginalized,
    problems=[_problem()],
    tested=f"{ALL} for two components, Q = 0.7a − 0.4a² + 0.3a³ + cos 2a, α = 0.6",
    slips={
        "drawn_component": Slip(
            path_of_drawn_component,
            (
                "A component is drawn: its weight is felt by nothing that comes after.",
                "Draw no component. Take an action from each, and weigh what they cost.",
            ),
        ),
        "frozen_weights": Slip(
            frozen_weights,
            ("The weights are cut off from the logits, and they are what this is about.",),
        ),
        "own_density": Slip(
            own_density,
            (
                "log π(a) is the *mixture's* log density at a, whichever component a is from.",
                "With each component's own density the entropy is that of the components.",
            ),
        ),
        "sampled_components": Slip(
            _sampled_components,
            (
                "The actions are cut off from μ and σ: the weights are felt, the path is not.",
                "Of sample and rsample, one lets the gradient through.",
            ),
        ),
        "exponentials_for_weights": Slip(
            _with_weights(torch.exp),
            ("Those weights do not sum to one: the softmax divides by their sum.",),
        ),
        "logits_for_weights": Slip(
            _with_weights(lambda logits: logits),
            ("Logits are no weights, and may be negative: which function makes weights of them?",),
        ),
        "averaged": Slip(
            _with_weights(lambda logits: logits.softmax(-1) / logits.shape[-1]),
            ("The weights make a mean already: a sum over the components, not a mean of it.",),
        ),
        "unweighted_mean": Slip(
            _mean_over_components,
            ("The components count alike here: Σ_k w_k, with w the softmax of the logits.",),
        ),
        "unweighted_sum": Slip(
            _sum_over_components,
            ("The weights are missing.",),
        ),
    },
    methods={
        "implicit": Slip(
            reparameterization,
            (
                "This is `policy.rsample`: implicit reparameterization, section 2.",
                "Asked for is the exact sum over components, each with an action of its own.",
            ),
        ),
        "marginalized_stl": Slip(
            marginalized_stl,
            ("log π is held fixed: marginalised *sticking the landing*. Here nothing is held.",),
        ),
        "shared_noise": Slip(
            shared_noise,
            (
                "Right in the mean; but all components are drawn from one ε.",
                "`policy.components` is a batch of Gaussians: its rsample draws an ε for each.",
            ),
        ),
        "score_function": Slip(
            score_function,
            ("This is nabla-log. Here the actions carry the gradient, and the weights do.",),
        ),
    },
    hints={
        "sign": ("The loss is α log π − Q.",),
        "sign_of_q": ("Q has the wrong sign.",),
        "missing_entropy": ("Where is α log π?",),
        "sign_of_entropy": ("α log π has the wrong sign.",),
        "missing_gradient": (
            "Some parameter gets no gradient: logits, mu and log_std must all be felt.",
            "Of sample and rsample, one lets the gradient through.",
        ),
        "detached_cost": ("The actions are cut off from μ and σ.",),
        "alpha_forgotten": ("objective.cost weighs log π by α.",),
    },
)


def weak_derivative(f: Callable[[float], float], mu: float, sigma: float, u: float) -> float:
    """[f(μ + σW) − f(μ − σW)]/(σ√2π), W = √(−2 log u)."""
    W = math.sqrt(-2 * math.log(u))
    return (f(mu + sigma * W) - f(mu - sigma * W)) / (sigma * math.sqrt(2 * math.pi))


def _jump(seed: int) -> tuple[Callable[[float], float], float, float, float]:
    rng = np.random.default_rng(seed)
    k = float(rng.uniform(0.5, 2))

    def f(a: float) -> float:
        return math.sin(k * a) + a**2 / 2 + float(a > 0.4)

    return f, float(rng.normal()), float(rng.uniform(0.4, 1.8)), float(rng.uniform())


def _weak(
    radius: Callable[[float], float] = lambda u: math.sqrt(-2 * math.log(u)),
    constant: Callable[[float], float] = lambda sigma: sigma * math.sqrt(2 * math.pi),
    back: float = 1.0,
    scaled: bool = True,
) -> Answer:
    def answer(f: Callable[[float], float], mu: float, sigma: float, u: float) -> float:
        step = radius(u) * (sigma if scaled else 1.0)
        return (f(mu + step) - back * f(mu - step)) / constant(sigma)

    return answer


WEAK_DERIVATIVE = Formula(
    reference=weak_derivative,
    inputs=_jump,
    tested="one draw, to 9 digits, for 8 random f with a jump; the notebook compares the mean with "
    "the exact gradient",
    slips={
        "other_tail": Slip(
            _weak(radius=lambda u: math.sqrt(-2 * math.log(1 - u))),
            ("As random, but not the W asked for: P(W > w) = u, so a small u is a large W.",),
        ),
        "times_constant": Slip(
            _weak(constant=lambda sigma: sigma / math.sqrt(2 * math.pi)),
            ("x / s * c is (x / s)·c in Python: √2π belongs below the line.",),
        ),
        "divided_before": Slip(
            lambda f, mu, sigma, u: (
                f(mu + sigma * math.sqrt(-2 * math.log(u)))
                - f(mu - sigma * math.sqrt(-2 * math.log(u))) / (sigma * math.sqrt(2 * math.pi))
            ),
            ("The division is of the whole difference: brackets.",),
        ),
        "tail_itself": Slip(
            _weak(radius=lambda u: math.exp(-(u**2) / 2)),
            ("That is P(W > u). Asked is the other way round: the W at which it is u.",),
        ),
        "halved": Slip(
            _weak(radius=lambda u: math.sqrt(-math.log(u) / 2)),
            ("exp(−w²/2) = u: multiply by 2, do not divide.",),
        ),
        "root_of_two_pi": Slip(
            _weak(constant=lambda sigma: sigma * 2 * math.pi),
            ("√(2π), with the root.",),
        ),
        "sigma_missing": Slip(
            _weak(constant=lambda sigma: math.sqrt(2 * math.pi)),
            ("The derivative by μ is one over a length.",),
        ),
        "constant_missing": Slip(
            _weak(constant=lambda sigma: sigma),
            ("Both halves have mass 1/√2π, not 1.",),
        ),
        "step_not_scaled": Slip(
            _weak(scaled=False),
            ("The actions are σW away from μ, not W.",),
        ),
        "log_without_two": Slip(
            _weak(radius=lambda u: math.sqrt(-math.log(u))),
            ("P(W > w) = exp(−w²/2): solve exp(−w²/2) = u for w.",),
        ),
        "root_missing": Slip(
            _weak(radius=lambda u: -2 * math.log(u)),
            ("This is W², not W.",),
        ),
        "added": Slip(
            _weak(back=-1.0),
            ("One half of the derivative of the density is negative: a difference.",),
        ),
        "finite_difference": Slip(
            lambda f, mu, sigma, u: (
                (f(mu + sigma * math.sqrt(-2 * math.log(u)))
                 - f(mu - sigma * math.sqrt(-2 * math.log(u))))
                / (2 * sigma * math.sqrt(-2 * math.log(u)))
            ),
            ("This is a finite difference with a random step. The denominator is a constant.",),
        ),
    },
)  # fmt: skip


def noise_of_weights(w: Array, sigma: Array) -> float:
    """Variance of one marginalised estimate of ∂E[a]/∂logit_1, two components."""
    return float((w[0] * w[1]) ** 2 * (sigma**2).sum())


def _two(seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(2, 2.0)), rng.uniform(0.3, 2.0, 2)


NOISE_OF_WEIGHTS = Formula(
    reference=noise_of_weights,
    inputs=_two,
    tested="the variance of w₁(a₁ − Σ w a) over both actions, to 9 digits, for 8 random (w, σ)",
    slips={
        "weights_not_squared": Slip(
            lambda w, sigma: w[0] * w[1] * (sigma**2).sum(),
            ("The factor before the actions is squared in a variance.",),
        ),
        "weights_forgotten": Slip(
            lambda w, sigma: (sigma**2).sum(),
            ("By a *logit*: exercise 1 says what stands before the difference.",),
        ),
        "own_only": Slip(
            lambda w, sigma: (w[0] * w[1] * sigma[0]) ** 2,
            ("The other component's action is in it, too, and has noise of its own.",),
        ),
        "subtracted": Slip(
            lambda w, sigma: (w[0] * w[1]) ** 2 * (sigma[0] ** 2 - sigma[1] ** 2),
            ("The actions are subtracted. Their variances?",),
        ),
        "deviations": Slip(
            lambda w, sigma: (w[0] * w[1] * sigma.sum()) ** 2,
            ("Variances add for independent draws, not standard deviations.",),
        ),
        "mean_kept": Slip(
            lambda w, sigma: w[0] ** 2 * sigma[0] ** 2 + (w[0] * w[1]) ** 2 * (sigma**2).sum(),
            ("w₁(a₁ − Σ w a): collect what stands before a₁ first, then square.",),
        ),
        "simple_weights": Slip(
            lambda w, sigma: w[0] ** 2 * (w**2 * sigma**2).sum(),
            ("In a₁ − w₁a₁ − w₂a₂ what is left before a₁ is w₂.",),
        ),
    },
)

EXERCISES: dict[str, Exercise] = {
    "mixture_weight_gradient": MIXTURE_WEIGHT_GRADIENT,
    "implicit_path": IMPLICIT_PATH,
    "weights_given": WEIGHTS_GIVEN,
    "marginal_loss": MARGINAL_LOSS,
    "weak_derivative": WEAK_DERIVATIVE,
    "noise_of_weights": NOISE_OF_WEIGHTS,
}


def gap_speed(m: float) -> float:
    """How many times faster a draw at 0 moves with the weight than one on a peak."""

    def speed(a: float) -> float:
        density = (np.exp(-((a - m) ** 2) / 2) + np.exp(-((a + m) ** 2) / 2)) / 2
        return float((ndtr(a + m) - ndtr(a - m)) / density)

    return speed(0.0) / speed(m)


PREDICTIONS: dict[str, Prediction] = {"gap": Number(lambda: gap_speed(4.0))}
