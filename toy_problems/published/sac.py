"""Published results about SAC's whole loss α log π − Q, ready to be run."""

from functools import partial

import numpy as np

from estimators import Objective, optimal, score_function_analytic_entropy
from toy_problems import theory
from toy_problems.problems import build
from toy_problems.published.studies import Cell, Series, Study, catalogued, normal


def roeder() -> Study:
    """Sticking-the-landing has no variance at the optimum, τ = 1, and turns around at τ = ½."""
    tau = np.geomspace(0.25, 3, 60)
    sigma, alpha = 0.7, 0.5
    series = []
    for distance in (0.0, 0.5):
        forms = theory.quadratic_critic(distance * sigma, sigma, tau * alpha / sigma**2, alpha)

        def cell(name: str, distance: float, x: float, entry: str) -> Cell:
            p = build("sac_quadratic", tau=x, distance=distance, sigma=sigma, alpha=alpha)
            return catalogued(name, p.policy, p.objective, entry)

        for name in ("reparameterization", "sticking_the_landing", "score_function_optimal"):
            mine = {e: np.broadcast_to(forms[name][e], tau.shape) for e in ("mu", "log_std")}
            group = f"|μ − m| = {distance:g} σ"
            series.append(Series(group, name, tau, partial(cell, name, distance), mine))
    return Study(
        "Variance on SAC's loss with a quadratic critic", "Roeder, Wu and Duvenaud 2017",
        "τ = kσ²/α", series, ("mu", "log_std"), log="xy",
        notes=("STL = Eq. 13 at τ = 1/2; zero at τ = 1, δ = 0",),
    )  # fmt: skip


def xu() -> Study:
    """Quadratic Q, where the reparameterization trick provably wins; and SAC's loss, where not."""
    ratio = np.linspace(0, 1.5, 31)
    k, names = 2.0, ("reparameterization", "sticking_the_landing", "score_function_optimal")
    series = []
    for group, alpha in (("α = 0: the cost is −Q", 0.0), ("α = k, σ = 1: SAC's loss, τ = 1", k)):
        objective = Objective(lambda a: -k * (a**2).sum(-1) / 2, alpha)
        forms = theory.quadratic_critic(ratio, 1.0, k, alpha)

        def cell(name: str, objective: Objective, x: float, entry: str) -> Cell:
            return catalogued(name, normal(x), objective, entry)

        for name in names:
            mine = {e: np.broadcast_to(forms[name][e], ratio.shape) for e in ("mu", "log_std")}
            series.append(Series(group, name, ratio, partial(cell, name, objective), mine))
    return Study(
        "Variance with a quadratic Q, |μ − m| = δ", "Xu et al. 2019", "δ/σ", series,
        ("mu", "log_std"), log="",
        notes=(
            "α = 0: the score function's variance is at least 3/2 of reparameterization's for μ",
            "τ = 1: it is less than Eq. 13's for μ where δ/σ < √½, for log σ where δ/σ < √2/3",
        ),
    )  # fmt: skip


def lahire() -> Study:
    """The report's own example, N(φ, 1) on Q = log(½N(−2, 1) + ½N(2, 1)): variance for μ."""
    phi = np.linspace(0, 3, 61)

    def cell(name: str, x: float, entry: str) -> Cell:
        p = build("report", phi=x)
        if name == "score_function_analytic_entropy":
            best = optimal(p.policy, Objective(p.objective.Q, 0.0), entry)
            on_q = partial(score_function_analytic_entropy, baseline=best)
            return on_q, p.policy, p.objective
        return catalogued(name, p.policy, p.objective, entry)

    names = (
        "reparameterization", "sticking_the_landing", "score_function_optimal",
        "score_function_analytic_entropy",
    )  # fmt: skip
    series = [Series("", name, phi, partial(cell, name)) for name in names]
    return Study(
        "Variance for μ on the report's example, optimal baselines", "Lahire, §6", "φ", series,
        notes=(
            f"fixed σ = 1: φ = 0 stops being a minimum at m = {theory.critical_separation():.10f}",
            f"free σ: side minima from m = {theory.side_separation():.8f}, lowest from "
            f"m = {theory.winning_separation():.8f}; φ = 0 stays a local minimum",
        ),
    )  # fmt: skip
