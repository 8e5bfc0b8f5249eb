"""Numbers for Lahire's report and the thread on Eq. 13, its own example apart."""

import math
from collections.abc import Callable
from functools import cache, partial

import numpy as np
import torch
from scipy.integrate import quad

from estimators import (
    Estimator,
    Gaussian,
    Objective,
    Policy,
    Replay,
    constant,
    exact_gradient,
    exact_moments,
    reparameterization,
    reparameterization_eq13,
    score_function,
    sticking_the_landing,
)
from estimators.gradients import leaves, row_gradients
from toy_problems.problems import FLOAT, build, gaussian
from toy_problems.tables.tabular import Array
from toy_problems.theory import absolute_boundary, cosine_boundary, ratios, smallest_ratio


@cache
def double_well_log_z() -> float:
    """log ∫ exp(−(a² − 1)²) da."""
    return math.log(2 * quad(lambda a: math.exp(-((a * a - 1) ** 2)), 0, 5, epsabs=1e-14)[0])


def kl_of_variance_from_deviation() -> float:
    """KL(N(0, diag σ²) ‖ N(0, diag σ)) = Σ ½(σ²/σ − 1 − log(σ²/σ)), σ = (0.5, 2)."""
    ratio = np.array([0.5, 2.0])  # of the variances: σ²/σ
    return float((ratio - 1 - np.log(ratio)).sum() / 2)


def mean_of_cosine_and_square() -> float:
    """E[cos 2a + 0.3 a²] = e^{−2σ²} cos 2μ + 0.3(μ² + σ²), a ~ N(−0.3, 0.6²)."""
    mu, sigma = -0.3, 0.6
    return math.exp(-2 * sigma**2) * math.cos(2 * mu) + 0.3 * (mu**2 + sigma**2)


def _step() -> tuple[Policy, Objective]:
    p = build("step", threshold=0.5, mu=0.3, sigma=0.8, alpha=0.0)
    return p.policy, p.objective


def step_gradient() -> float:
    """d/dμ P(a > 0.5), a ~ N(0.3, 0.8²): minus the gradient of the cost."""
    return -float(exact_gradient(*_step())["mu"])


def step_score_variance() -> float:
    """Variance of 1[a > 0.5] (a − μ)/σ²."""
    return variances(score_function, *_step())[0]


def remainder_ratio() -> float:
    """lim R/Δφ² = ε²/2 for the displayed expansion of g(φ, a) = log N(a; μ, e^{2φ}), ε = 0.9.

    g(φ + Δ, f(φ + Δ)) = g − Δ, ∂g/∂φ = ε² − 1, ∂g/∂f = −ε/σ and f(φ + Δ) − f = σε(e^Δ − 1), so
    R = −Δ − (ε² − 1)Δ + ε²(e^Δ − 1) = ε²(e^Δ − 1 − Δ).
    """
    return 0.9**2 / 2


def sine() -> tuple[Gaussian, Objective]:
    """Q = sin 1.3a, μ = 0.3, σ = 0.7, α = 1."""
    return gaussian([0.3], [math.log(0.7)]), Objective(lambda a: torch.sin(1.3 * a).sum(-1), 1.0)


def parabola() -> tuple[Gaussian, Objective]:
    """Q = −k(a − m)²/2, k = 1.7, μ − m = −0.8, σ = 0.7, α = 1."""
    policy = gaussian([-0.8], [math.log(0.7)])
    return policy, Objective(lambda a: -1.7 * (a**2).sum(-1) / 2, 1.0)


def eq13() -> list[float]:
    """Eq. 13 at ε = 0.9, for (μ, log σ)."""
    policy, objective = sine()
    leaf = leaves(policy)
    draw = Replay([torch.full((1, 1), 0.9, dtype=FLOAT)], {})
    gradient = row_gradients(reparameterization_eq13(leaf, objective, draw), leaf)  # type: ignore[arg-type]
    return [float(g) for g in gradient.values()]


def variances(estimator: Estimator, policy: Policy, objective: Objective) -> list[float]:
    """Exact variance of one estimate, for each entry of the gradient in order."""
    _, variance = exact_moments(estimator, policy, objective)
    return [float(v) for entry in variance.values() for v in entry.flatten()]


def with_optimal_baseline(policy: Policy, objective: Objective) -> list[float]:
    """Variance of nabla-log with the best constant baseline of each parameter.

    Var(b) = V − 2bC + b²S is a parabola: three exact points, and its minimum V − C²/S.
    """

    def at(b: float) -> Array:
        return np.array(variances(partial(score_function, baseline=constant(b)), policy, objective))

    left, middle, right = at(-1.0), at(0.0), at(1.0)
    return list(middle - ((left - right) / 4) ** 2 / ((left + right) / 2 - middle))


def integer_example() -> list[float]:
    """Q = (a² − 2)(a² − 9) at N(0, 1): reparameterization, nabla-log without baseline, for μ."""
    p = build("quartic", alpha=0.0)
    return [variances(e, p.policy, p.objective)[0] for e in (reparameterization, score_function)]


def second_term_variances() -> list[float]:
    """Eq. 13 (μ, log σ), then its second term alone (μ, log σ)."""
    return variances(reparameterization, *sine()) + variances(sticking_the_landing, *sine())


def naive_derivative() -> list[float]:
    """d/dt log π(f), μ = 0.4t + sin t, σ = e^{0.3t − 0.5}, t = 0.7, ε = 0.9: the total
    derivative, then ∇_a log π · df/dt alone."""
    t = torch.tensor(0.7, dtype=FLOAT, requires_grad=True)

    def policy_at(t: torch.Tensor) -> Gaussian:
        return Gaussian((0.4 * t + torch.sin(t)).view(1), (0.3 * t - 0.5).view(1))

    def derivative(density: Gaussian) -> float:
        policy = policy_at(t)
        a = policy.mu + policy.log_std.exp() * 0.9
        return float(torch.autograd.grad(density.log_prob(a), t)[0])

    return [derivative(policy_at(t)), derivative(policy_at(t).detach())]


QUANTITIES: dict[str, Callable[[], float | list[float]]] = {
    "R03.log_Z": double_well_log_z,
    "R07.kl": kl_of_variance_from_deviation,
    "R10.value": mean_of_cosine_and_square,
    "R12.true": step_gradient,
    "R12.score_variance": step_score_variance,
    "R15.ratio": remainder_ratio,
    "R21.eq13": eq13,
    "R22.eq13_variance": lambda: variances(reparameterization, *parabola()),
    "R22.stl_variance": lambda: variances(sticking_the_landing, *parabola()),
    "R22.score_optimal_variance": lambda: with_optimal_baseline(*parabola()),
    "R33.integer": integer_example,
    "R33.cos_boundary": lambda: cosine_boundary(0.0),
    "R33.abs_boundary": absolute_boundary,
    "R33.quartic": lambda: smallest_ratio(4),
    "R33.worst": lambda: float(ratios(1, 1, 200)[-1]),  # of the odd polynomials up to degree 399
    "Q04.variances": second_term_variances,
    "Q10.naive": naive_derivative,
}
