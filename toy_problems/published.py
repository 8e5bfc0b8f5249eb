"""Published tables and figures about the variance of gradient estimators, ready to be run.

Each study is the setting of the publication; its closed forms are in `toy_problems.theory`.
"""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from estimators import (
    CATALOGUE,
    Estimator,
    Gaussian,
    Objective,
    batch_mean,
    exact_gradient,
    exact_moments,
    leave_one_out,
    measure_valued,
    optimal,
    reparameterization,
    score_function,
    score_function_analytic_entropy,
    value,
    vargrad,
)
from toy_problems import theory, theory_tilted
from toy_problems.problems import build
from toy_problems.published_dimensions import high_dimension, neural_critics
from toy_problems.published_mixtures import density_gap, figurnov, mixture_policies
from toy_problems.studies import Cell, Series, Study, normal, with_constant

SCORES = ("score_function", "score_function_value", "score_function_optimal")


def mohamed_fig2() -> Study:
    """Variance for (x − k)² under N(1, 1), five estimators, μ and σ, with the crossings."""
    k = np.linspace(-3, 3, 100)

    def cell(name: str, x: float, entry: str) -> Cell:
        policy = normal(1.0)
        objective = Objective(lambda a: -((a - x) ** 2).sum(-1), 0.0)
        if name == "score_function_optimal":
            return (
                with_constant(float(optimal(policy, objective, entry)(torch.zeros(1)))),
                policy,
                objective,
            )
        if name == "score_function_value":
            return partial(score_function, baseline=value(policy, objective)), policy, objective
        return CATALOGUE[Gaussian][name], policy, objective

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
    series = []
    for cost, k in (("exp", np.geomspace(0.1, 10, 100)), ("cos", np.geomspace(0.5, 5, 100))):

        def cell(name: str, cost: str, x: float, entry: str) -> Cell:
            wave = Objective(lambda a: -torch.cos(x * a).sum(-1), 0.0)
            bump = Objective(lambda a: -torch.exp(-x * a**2).sum(-1), 0.0)
            objective = bump if cost == "exp" else wave
            if name in SCORES:
                b = theory_tilted.constants(cost, x, entry)[name]
                return with_constant(b), normal(1.0), objective
            return CATALOGUE[Gaussian][name], normal(1.0), objective

        group = "exp(−kx²)" if cost == "exp" else "cos kx"
        forms = [theory_tilted.variances(cost, x) for x in k]
        for name in (*SCORES, "reparameterization"):
            mine = {
                entry: np.array([f[name][key] for f in forms])
                for entry, key in (("mu", "mu"), ("log_std", "sigma"))
            }
            series.append(Series(group, name, k, partial(cell, name, cost), mine))
        few = k[::6]
        series.append(Series(group, "measure_valued", few, partial(cell, "measure_valued", cost)))
    return Study(
        "Variance for exp(−kx²) and cos kx under N(1, 1)", "Mohamed et al. 2020, figure 3", "k",
        series, ("mu", "log_std"), log="xy",
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
        return CATALOGUE[Gaussian][name], normal(), objective

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


def roeder() -> Study:
    """Sticking-the-landing has no variance at the optimum, τ = 1, and turns around at τ = ½."""
    tau = np.geomspace(0.25, 3, 60)
    sigma, alpha = 0.7, 0.5
    series = []
    for distance in (0.0, 0.5):
        forms = theory.quadratic_critic(distance * sigma, sigma, tau * alpha / sigma**2, alpha)

        def cell(name: str, distance: float, x: float, entry: str) -> Cell:
            p = build("sac_quadratic", tau=x, distance=distance, sigma=sigma, alpha=alpha)
            if name == "score_function_optimal":
                best = optimal(p.policy, p.objective, entry)
                return partial(score_function, baseline=best), p.policy, p.objective
            return CATALOGUE[Gaussian][name], p.policy, p.objective

        for name in ("reparameterization", "sticking_the_landing", "score_function_optimal"):
            mine = {e: np.broadcast_to(forms[name][e], tau.shape) for e in ("mu", "log_std")}
            group = f"|μ − m| = {distance:g} σ"
            series.append(Series(group, name, tau, partial(cell, name, distance), mine))
    return Study(
        "Variance on SAC's loss with a quadratic critic", "Roeder, Wu and Duvenaud 2017",
        "τ = kσ²/α", series, ("mu", "log_std"), log="xy",
        notes=("STL = Eq. 13 at τ = 1/2; zero at τ = 1, δ = 0",),
    )  # fmt: skip


def _along_n(name: str, make: Callable[[int], Estimator], n: list[int], form: np.ndarray) -> Series:
    """Exact moments reach n = 3, beyond are formula and measurement."""
    p = build("report")

    def cell(x: float, entry: str) -> Cell:
        return make(int(x)), p.policy, p.objective

    return Series("", name, np.array(n, float), cell, {"mu": form}, slice(0, 2))


def kool() -> Study:
    """The variance of leave-one-out against N, on the report's example."""
    n = [2, 3, 4, 6, 8, 12, 16, 24, 32]
    p = build("report")
    assert isinstance(p.policy, Gaussian)
    centred = partial(score_function, baseline=value(p.policy, p.objective, order=200))
    mean, alone = (float(d["mu"]) for d in exact_moments(centred, p.policy, p.objective))
    a, w = p.policy.nodes(200)
    cost = p.objective.cost(p.policy, a)
    var_f = float((w * cost**2).sum() - (w * cost).sum() ** 2)
    form = np.array([theory.leave_one_out_variance(k, alone, var_f, 1.0, mean) for k in n])
    loo = _along_n(
        "score_function_leave_one_out",
        lambda k: partial(score_function, n=k, baseline=leave_one_out), n, form,
    )  # fmt: skip
    ideal = _along_n(
        "score_function_value", lambda k: partial(centred, n=k), n, alone / np.array(n, float)
    )
    inside = _along_n(
        "score_function_batch_mean",
        lambda k: partial(score_function, n=k, baseline=batch_mean), n,
        np.array([theory.in_sample_variance(k, v) for k, v in zip(n, form, strict=True)]),
    )  # fmt: skip
    return Study(
        "Variance for μ of N actions averaged, report's example",
        "Kool, van Hoof and Welling 2019; Richter et al. 2020", "N", [loo, ideal, inside],
        log="xy",
    )  # fmt: skip


def in_sample() -> Study:
    """A baseline that holds the action's own cost scales the gradient by 1 − 1/N."""
    n = [2, 3, 4, 6, 8, 12, 16]
    p = build("report")
    gradient = float(exact_gradient(p.policy, p.objective)["mu"])
    flat = np.full(len(n), gradient)
    make: dict[str, Callable[[int], Estimator]] = {
        "score_function_batch_mean": lambda k: partial(score_function, n=k, baseline=batch_mean),
        "score_function_leave_one_out": lambda k: partial(
            score_function, n=k, baseline=leave_one_out
        ),
        "vargrad": lambda k: partial(vargrad, n=k),
    }
    forms = {name: flat for name in make}
    forms["score_function_batch_mean"] = flat * (1 - 1 / np.array(n))
    series = [_along_n(name, f, n, forms[name]) for name, f in make.items()]
    return Study(
        "Mean of the estimate of ∂J/∂μ, report's example",
        "Kool, van Hoof and Welling 2019; Richter et al. 2020", "N", series, statistic="mean",
        log="x", notes=(f"exact gradient {gradient:.10f}",),
    )  # fmt: skip


def suh() -> Study:
    """Q = 1[a > threshold] under N(0.3, 0.8²): the pathwise gradient is zero, silently."""
    t = np.linspace(-2, 2.6, 47)
    sigma = 0.8
    true = -np.exp(-(((0.3 - t) / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))

    def cell(estimator: Estimator, x: float, entry: str) -> Cell:
        p = build("step", threshold=x, mu=0.3, sigma=sigma, alpha=0.0)
        return estimator, p.policy, p.objective

    chosen = {
        "reparameterization": (reparameterization, 0 * t),
        "score_function": (score_function, true),
    }
    series = [Series("", k, t, partial(cell, e), {"mu": f}) for k, (e, f) in chosen.items()]
    some = slice(None, None, 4)
    series.append(
        Series(
            "",
            "measure_valued",
            t[some],
            partial(cell, measure_valued),
            {"mu": true[some]},
            exact=slice(0),
        )
    )
    return Study(
        "Mean of the estimate of ∂J/∂μ, Q = 1[a > threshold]", "Suh et al. 2022", "threshold",
        series, statistic="mean", log="",
    )  # fmt: skip


def lahire() -> Study:
    """The report's own example, N(φ, 1) on Q = log(½N(−2, 1) + ½N(2, 1)): variance for μ."""
    phi = np.linspace(0, 3, 61)

    def cell(name: str, x: float, entry: str) -> Cell:
        p = build("report", phi=x)
        if name == "score_function_optimal":
            best = optimal(p.policy, p.objective, entry)
            return partial(score_function, baseline=best), p.policy, p.objective
        if name == "score_function_analytic_entropy":
            best = optimal(p.policy, Objective(p.objective.Q, 0.0), entry)
            on_q = partial(score_function_analytic_entropy, baseline=best)
            return on_q, p.policy, p.objective
        return CATALOGUE[Gaussian][name], p.policy, p.objective

    names = (
        "reparameterization", "sticking_the_landing", "score_function_optimal",
        "score_function_analytic_entropy",
    )  # fmt: skip
    series = [Series("", name, phi, partial(cell, name)) for name in names]
    return Study(
        "Variance for μ on the report's example, optimal baselines",
        "Lahire, §6",
        "φ",
        series,
        notes=(
            f"fixed σ = 1: φ = 0 stops being a minimum at m = {theory.critical_separation():.10f}",
            f"free σ: side minima from m = {theory.side_separation():.8f}, lowest from "
            f"m = {theory.winning_separation():.8f}; φ = 0 stays a local minimum",
        ),
    )


PUBLISHED: dict[str, Callable[[], Study]] = {
    "mohamed2020-fig2": mohamed_fig2,
    "mohamed2020-fig3": mohamed_fig3,
    "gal2016": gal,
    "roeder2017": roeder,
    "kool2019": kool,
    "in-sample-baseline": in_sample,
    "suh2022": suh,
    "figurnov2018": figurnov,
    "density-gap": density_gap,
    "mixture-policies": mixture_policies,
    "lahire-example": lahire,
    "high-dimension": high_dimension,
    "neural-critics": neural_critics,
}
