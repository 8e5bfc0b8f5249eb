"""Published results about the gradients of mixtures, ready to be run."""

from collections.abc import Callable
from functools import partial

import numpy as np

from estimators import Objective, Policy
from toy_problems import theory
from toy_problems.problems import mixture_log_density
from toy_problems.published.studies import Cell, Series, Study, catalogued, two_components


def _weights(statistic: str) -> Study:
    """Gradients for a logit of ½N(−m, 1) + ½N(m, 1), Q linear."""
    m = np.linspace(0.25, 4, 31)
    objective = Objective(lambda a: -a.sum(-1), 0.0)
    forms: dict[str, Callable[[float], float]] = {
        "implicit_reparameterization": theory.implicit_weight_variance,
        "marginalized": theory.marginalized_weight_variance,
        "score_function": theory.score_weight_variance,
    }

    def cell(name: str, x: float, entry: str) -> Cell:
        return catalogued(name, two_components(x), objective, entry)

    series = [
        Series(
            "", name, m, partial(cell, name),
            {"logits": -m / 2 if statistic == "mean" else np.array([f(x) / 16 for x in m])},
        )
        for name, f in forms.items()
    ]  # fmt: skip
    mean = statistic == "mean"
    what = "Mean" if mean else "Variance"
    growth = theory.implicit_weight_moment(4.0) / theory.implicit_weight_growth(4.0)
    return Study(
        f"{what} of the estimate for a logit, ½N(−m, 1) + ½N(m, 1), Q = −a",
        "Graves 2016; Figurnov et al. 2018; Jankowiak and Obermeyer 2018", "m", series,
        ("logits",), "mean" if mean else "variance", log="" if mean else "y",
        notes=() if mean else (f"implicit over √(2π)(π/m)e^(m²/2) at m = 4: {growth:.3f}",),
    )  # fmt: skip


def figurnov() -> Study:
    """Implicit gradients of a mixture's weights are right: their mean, against separation."""
    return _weights("mean")


def density_gap() -> Study:
    """The variance of implicit gradients of weights grows like e^{m²/2} across a density gap."""
    return _weights("variance")


def mixture_policies() -> Study:
    """Seven estimators for a mixture policy: components apart, overlapping, at the optimum."""
    log_h = mixture_log_density(2.0, 0.5, 2, 1)
    cases: list[tuple[Policy, Objective]] = [
        (two_components(2.5, -0.3, 0.2), Objective(log_h, 1.0)),
        (two_components(0.5, 0.1, 0.2), Objective(log_h, 1.0)),
        (two_components(2.0), Objective(log_h, 1.0)),
    ]
    names = (
        "score_function", "score_function_value", "score_function_optimal",
        "implicit_reparameterization", "implicit_stl", "marginalized", "marginalized_stl",
    )  # fmt: skip

    def cell(name: str, x: float, entry: str) -> Cell:
        return catalogued(name, *cases[int(x)], entry)

    series = [Series("", name, np.arange(3.0), partial(cell, name)) for name in names]
    return Study(
        "Total variance of one estimate, mixture policy, Q = log(½N(−2, 1) + ½N(2, 1))",
        "Roeder et al. 2017, §4; Graves 2016", "components", series, ("total",),
        labels=("apart", "overlapping", "optimal"),
        notes=("the baselines V and b* are given: their own Q evaluations are not counted",),
    )  # fmt: skip
