"""Published tables and figures about the variance of gradient estimators, ready to be run.

Each study is the setting of the publication; its closed forms are in `toy_problems.theory`.
"""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from estimators import Objective, optimal, score_function
from toy_problems import theory
from toy_problems.problems import build
from toy_problems.published.baselines import in_sample, kool
from toy_problems.published.dimensions import high_dimension, neural_critics
from toy_problems.published.mixtures import density_gap, figurnov, mixture_policies
from toy_problems.published.sac import lahire, roeder, xu
from toy_problems.published.studies import (
    Cell,
    Series,
    Study,
    catalogued,
    normal,
    with_constant,
)
from toy_problems.theory import tilted as theory_tilted

SCORES = ("score_function", "score_function_value", "score_function_optimal")


def mohamed_fig2() -> Study:
    """Variance for (x − k)² under N(1, 1), five estimators, μ and σ, with the crossings."""
    k = np.linspace(-3, 3, 100)

    def cell(name: str, x: float, entry: str) -> Cell:
        objective = Objective(lambda a: -((a - x) ** 2).sum(-1), 0.0)
        return catalogued(name, normal(1.0), objective, entry)

    series = []
    for name in (*SCORES, "reparameterization", "measure_valued"):
        where = slice(None, None, 20 if name == "measure_valued" else None)  # a second each
        curves = theory.mohamed_quadratic(k)[name]
        forms = {"mu": np.asarray(curves["mu"]), "log_std": np.asarray(curves["sigma"])}
        series.append(Series("(x − k)²", name, k, partial(cell, name), forms, where))
    notes = tuple(f"{what}: |1 − k| = {at:.6f}" for what, at in theory.mohamed_crossings().items())
    return Study(
        "Variance for (x − k)² under N(1, 1)", "Mohamed et al. 2020, figure 2", "k", series,
        ("mu", "log_std"), notes=notes,
    )  # fmt: skip


def mohamed_fig3() -> Study:
    """Variance for exp(−kx²) and cos kx under N(1, 1), five estimators, μ and σ."""
    series, notes = [], []
    for cost, k in (("exp", np.geomspace(0.1, 10, 100)), ("cos", np.geomspace(0.5, 5, 100))):

        def cell(name: str, cost: str, x: float, entry: str) -> Cell:
            wave = Objective(lambda a: -torch.cos(x * a).sum(-1), 0.0)
            bump = Objective(lambda a: -torch.exp(-x * a**2).sum(-1), 0.0)
            objective = bump if cost == "exp" else wave
            if name in SCORES:
                b = theory_tilted.constants(cost, x, entry)[name]
                return with_constant(b), normal(1.0), objective
            return catalogued(name, normal(1.0), objective, entry)

        group = "exp(−kx²)" if cost == "exp" else "cos kx"
        forms = [theory_tilted.variances(cost, x) for x in k]
        for name in (*SCORES, "reparameterization"):
            mine = {
                entry: np.array([f[name][key] for f in forms])
                for entry, key in (("mu", "mu"), ("log_std", "sigma"))
            }
            series.append(Series(group, name, k, partial(cell, name, cost), mine))
        for entry, text in (("mu", "μ"), ("sigma", "σ")):
            for (one, two), at in theory_tilted.crossings(cost, k, entry).items():
                where = ", ".join(f"{x:.6f}" for x in at)
                notes.append(f"{group}, {text}: {one} = {two} at k = {where}")
        few = k[::4]
        series.append(Series(group, "measure_valued", few, partial(cell, "measure_valued", cost)))
    return Study(
        "Variance for exp(−kx²) and cos kx under N(1, 1)", "Mohamed et al. 2020, figure 3", "k",
        series, ("mu", "log_std"), log="xy", notes=tuple(notes),
    )  # fmt: skip


def gal() -> Study:
    """Variance for x + x², sin x, sin 10x under N(0, 1): pathwise is 100 × worse on the last."""
    costs: list[Callable[[torch.Tensor], torch.Tensor]] = [
        lambda a: a + a**2,
        torch.sin,
        lambda a: torch.sin(10 * a),
    ]
    sines = [theory.cosine_variances(w, -math.pi / 2 / w, 1.0) for w in (1.0, 10.0)]
    first = {"reparameterization": 4.0, "score_function": 17.0, "score_function_optimal": 8.0}

    def cell(name: str, x: float, entry: str) -> Cell:
        objective = Objective(lambda a: -costs[int(x)](a).sum(-1), 0.0)
        if name == "score_function_optimal":
            best = optimal(normal(), objective, entry, order=120)
            return partial(score_function, baseline=best), normal(), objective
        return catalogued(name, normal(), objective, entry)

    series = [
        Series(
            "N(0, 1)", name, np.arange(3.0), partial(cell, name),
            {"mu": np.array([first[name], *(float(s[name]) for s in sines)])},
        )
        for name in first
    ]  # fmt: skip
    return Study(
        "Variance for μ", "Gal 2016, §3.1", "cost", series, labels=("x + x²", "sin x", "sin 10x")
    )


def suh() -> Study:
    """Q = 1[a > threshold] under N(0.3, 0.8²): the pathwise gradient is zero, silently."""
    t = np.linspace(-2, 2.6, 47)
    sigma = 0.8
    true = -np.exp(-(((0.3 - t) / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))

    def cell(name: str, x: float, entry: str) -> Cell:
        p = build("step", threshold=x, mu=0.3, sigma=sigma, alpha=0.0)
        return catalogued(name, p.policy, p.objective, entry)

    forms = {"reparameterization": 0 * t, "score_function": true, "measure_valued": true}
    nodes = {"measure_valued": slice(0)}  # nowhere: its jump lies between them
    series = [
        Series("", name, t, partial(cell, name), {"mu": form}, nodes.get(name, slice(None)))
        for name, form in forms.items()
    ]
    return Study(
        "Mean of the estimate of ∂J/∂μ, Q = 1[a > threshold]", "Suh et al. 2022", "threshold",
        series, statistic="mean", log="",
    )  # fmt: skip


PUBLISHED: dict[str, Callable[[], Study]] = {
    "mohamed2020-fig2": mohamed_fig2,
    "mohamed2020-fig3": mohamed_fig3,
    "gal2016": gal,
    "roeder2017": roeder,
    "kool2019": kool,
    "in-sample-baseline": in_sample,
    "suh2022": suh,
    "xu2019": xu,
    "figurnov2018": figurnov,
    "density-gap": density_gap,
    "mixture-policies": mixture_policies,
    "lahire-example": lahire,
    "high-dimension": high_dimension,
    "neural-critics": neural_critics,
}
