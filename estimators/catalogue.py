"""The estimators by the policy that they serve."""

from functools import partial

from estimators.control_variates import convex_combination, taylor, with_control_variate
from estimators.enumeration import exact
from estimators.finite_differences import finite_difference
from estimators.gradients import Estimator
from estimators.marginalized import marginalized, marginalized_stl
from estimators.measure_valued import measure_valued
from estimators.pathwise import (
    reparameterization,
    reparameterization_eq13,
    sticking_the_landing,
)
from estimators.policies import Categorical, Gaussian, Mixture, Policy
from estimators.relaxations import gumbel_softmax, straight_through
from estimators.score import (
    batch_mean,
    leave_one_out,
    score_function,
    score_function_analytic_entropy,
    score_function_full,
    score_function_optimal,
    score_function_value,
    vargrad,
)

_SCORE: dict[str, Estimator] = {
    "score_function": score_function,
    "score_function_full": score_function_full,
    "score_function_batch_mean": partial(score_function, n=2, baseline=batch_mean),
    "score_function_leave_one_out": partial(score_function, n=2, baseline=leave_one_out),
    "score_function_value": score_function_value,
    "score_function_optimal": score_function_optimal,
    "vargrad": vargrad,
}

CATALOGUE: dict[type[Policy], dict[str, Estimator]] = {
    Gaussian: {
        "reparameterization": reparameterization,
        "reparameterization_eq13": reparameterization_eq13,
        "sticking_the_landing": sticking_the_landing,
        **_SCORE,
        "score_function_analytic_entropy": score_function_analytic_entropy,
        "measure_valued": measure_valued,
        "finite_difference": finite_difference,
        "reparameterization_taylor": with_control_variate(reparameterization, taylor),
        "score_function_taylor": with_control_variate(score_function, taylor),
        "convex_combination": convex_combination,
    },
    Mixture: {
        "implicit_reparameterization": reparameterization,
        "implicit_stl": sticking_the_landing,
        **_SCORE,
        "marginalized": marginalized,
        "marginalized_stl": marginalized_stl,
        "finite_difference": finite_difference,
        "gumbel_softmax": gumbel_softmax,
        "straight_through": straight_through,
        "convex_combination": convex_combination,
    },
    Categorical: {
        "exact": exact,
        **_SCORE,
        "score_function_analytic_entropy": score_function_analytic_entropy,
        "finite_difference": finite_difference,
        "gumbel_softmax": gumbel_softmax,
        "straight_through": straight_through,
    },
}

# The catalogue's exhibits: names whose mean is not the gradient, and by how much it is off.
BIASED: dict[str, str] = {
    "score_function_batch_mean": "the gradient times 1 − 1/n",
    "finite_difference": "off by h² J‴/6",
    "gumbel_softmax": "off at every temperature > 0",
    "straight_through": "off at every temperature > 0",
}
