"""Estimators of ∇J(θ), J(θ) = E_{a~π_θ}[α log π_θ(a) − Q(a)], each next to its equation.

    surrogate = estimator(policy, objective, rng, n=1)        # [*batch] -> [*batch]

The gradient of surrogate i with respect to row i's parameters is one draw of the estimate of
∇J(θ_i); the value of a surrogate means nothing. See `estimators.gradients`.
"""

from estimators.catalogue import BIASED, CATALOGUE, Entry, applicable
from estimators.checking import (
    Evidence,
    Verdict,
    assert_unbiased,
    check,
    check_target,
    check_temperature,
)
from estimators.compiled import compile_gradients
from estimators.control_variates import convex_combination, taylor, with_control_variate
from estimators.distributions import from_distribution
from estimators.enumeration import exact
from estimators.finite_differences import finite_difference
from estimators.gradients import Estimator, linear, per_sample_gradients
from estimators.marginalized import marginalized, marginalized_stl
from estimators.measure_valued import measure_valued
from estimators.measurement import measure
from estimators.moments import Moments
from estimators.moved import moved
from estimators.noise import Antithetic, Noise, Recorded, Replay, Sobol
from estimators.objective import Objective, log_det_tanh, squash
from estimators.pathwise import (
    eq13_terms,
    reparameterization,
    reparameterization_eq13,
    sticking_the_landing,
)
from estimators.policies import (
    POLICIES,
    Beta,
    Categorical,
    FullGaussian,
    Gaussian,
    Mixture,
    Policy,
    Product,
    StudentT,
)
from estimators.quadrature import Exact, TooManyNodes, exact_gradient, exact_moments
from estimators.relaxations import gumbel_softmax, straight_through
from estimators.report import Report
from estimators.score import (
    batch_mean,
    constant,
    leave_one_out,
    none,
    optimal,
    score_function,
    score_function_analytic_entropy,
    score_function_full,
    score_function_optimal,
    score_function_value,
    value,
    vargrad,
)

__all__ = [
    "BIASED", "CATALOGUE", "POLICIES", "Antithetic", "Beta", "Categorical", "Entry",
    "Estimator", "Evidence", "Exact", "FullGaussian", "Gaussian", "Mixture", "Moments", "Noise",
    "Objective", "Policy", "Product", "Recorded", "Replay", "Report", "Sobol", "StudentT",
    "TooManyNodes", "Verdict", "applicable", "assert_unbiased", "batch_mean", "check",
    "check_target", "check_temperature", "compile_gradients", "constant", "convex_combination",
    "eq13_terms", "exact", "exact_gradient", "exact_moments", "finite_difference",
    "from_distribution", "gumbel_softmax", "leave_one_out", "linear", "log_det_tanh",
    "marginalized", "marginalized_stl", "measure", "measure_valued", "none", "optimal",
    "per_sample_gradients", "reparameterization", "reparameterization_eq13", "score_function",
    "score_function_analytic_entropy", "score_function_full", "score_function_optimal",
    "score_function_value", "squash", "sticking_the_landing", "straight_through", "taylor",
    "value", "vargrad", "with_control_variate",
]  # fmt: skip

moved(
    {
        "estimators.diagnosis": "estimators.checking.diagnosis",
        "estimators.integration": "estimators.quadrature.integration",
        "estimators.slips": "estimators.checking.slips",
    }
)
