"""`nabla advise`: which estimator to use on a problem, and whether the difference matters."""

import math
from typing import Annotated, Literal

import torch
import tyro

from nabla.advise.advising import candidates_for
from nabla.advise.candidates import Candidate, Wants, dominating, lead
from nabla.table import render
from nabla.target import load_problem

EXPLAINED = 3  # of the ranking, from the top


def advise(
    problem: Annotated[str, tyro.conf.Positional] = "report",
    *,
    differentiable: bool = True,
    several: bool = True,
    gradient_cost: float | None = None,
    budget: float = 64.0,
    estimates: int = 20_000,
    seed: int = 0,
    set: tuple[str, ...] = (),
    mu: tuple[float, ...] = (),
    log_std: tuple[float, ...] = (),
    logits: tuple[float, ...] = (),
    alpha: float | None = None,
    squash: bool = False,
    dtype: Literal["float64", "float32"] = "float64",
) -> int:
    """Rank the unbiased estimators that apply by measured variance × measured cost.

    Says where the variance comes from, and when the best is not significantly best. The last
    line is what to do.

    Args:
        problem: a name from `nabla problems`; your own Q as module:function; or your own policy
            and Q, a toy_problems.Problem (or a function that makes one) as module:name.
        differentiable: whether ∇Q may be used.
        several: whether Q may be evaluated more than once for one gradient.
        gradient_cost: what a gradient of Q costs, in evaluations of Q: cost is then counted,
            evaluations + this × gradients. Without it cost is the measured time.
        budget: what one gradient may cost: evaluations of Q if cost is counted, else
            microseconds.
        estimates: measured of each estimator.
        seed: of the noise.
        set: settings of the problem, name=number.
        mu: means of the policy.
        log_std: log standard deviations of the policy.
        logits: component or action logits of the policy.
        alpha: temperature.
        squash: take tanh of the actions.
        dtype: of the policy.
    """
    if gradient_cost is not None and not (math.isfinite(gradient_cost) and gradient_cost >= 0):
        raise ValueError(f"gradient-cost must be finite and ≥ 0, got {gradient_cost}")
    if not (math.isfinite(budget) and budget > 0):
        raise ValueError(f"budget must be finite and positive, got {budget}")
    if estimates < 1000:
        raise ValueError(f"estimates must be ≥ 1000 for intervals, got {estimates}")
    if not 0 <= seed < 2**62:
        raise ValueError(f"seed must lie in [0, 2⁶²), got {seed}")
    what = load_problem(problem, set, mu, log_std, logits, alpha, squash, getattr(torch, dtype))
    if what.policy.batch:
        raise ValueError(f"{problem} has {what.policy.batch.numel()} policies: advise takes one")
    wants = Wants(differentiable, several, gradient_cost, budget)
    ranked, left_out = candidates_for(what, wants, estimates, seed)
    if not ranked:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise ValueError(f"no unbiased estimator applies; {reasons}")
    print(f"{what.name}: {estimates:,} estimates of each, cost in {wants.unit}\n")
    print(ranking(ranked))
    print(
        "\nof the best: var × cost over the least, with intervals that hold together at 95 %\n"
        "\nwhere the variance comes from (critic's and entropy's part of the same draws):"
    )
    for c in ranked[:EXPLAINED]:
        print(f"  {c.name}: {dominating(c, what.policy)}")
    for name, why in left_out.items():
        print(f"left out {name}: {why}")
    print("\n" + advice(ranked, wants))
    return 0


def ranking(ranked: list[Candidate]) -> str:
    rows = []
    for c in ranked:
        ratio, low, high = lead(ranked[0], c, len(ranked))
        relative = f"{ratio:.3g} ({low:.3g}–{high:.3g})" if math.isfinite(ratio) else "∞"
        v, half = c.variance, 1.96 * c.report.total_variance_sem
        rows.append(
            [
                c.name,
                f"{v:.4g} ± {half:.2g}",
                f"{c.report.q_evaluations:g}",
                f"{c.gradients:g}",
                f"{c.cost:.3g}",
                f"{c.work:.3g}",
                "1" if c is ranked[0] else relative,
            ]
        )
    header = ["estimator", "variance (95 %)", "Q evals", "∇Q", "cost", "var × cost", "of the best"]
    return render(header, rows)


def advice(ranked: list[Candidate], wants: Wants) -> str:
    """One line to act on."""
    best, *others = ranked
    close = [c.name for c in others if lead(best, c, len(ranked))[1] <= 1]
    copies = max(1, int(wants.budget / best.cost)) if wants.several else 1
    deviation = math.sqrt(best.variance / copies)
    spend = "the mean of " * (copies > 1) + f"{copies:,} estimate{'s' * (copies > 1)}"
    after = (
        f"{spend} has standard deviation {deviation:.2g}, {wants.unit}: {copies * best.cost:.3g}"
    )
    if close:
        shown = ", ".join(close[:3]) + f" and {len(close) - 3} more" * (len(close) > 3)
        return f"Use {best.name}, or {shown}: the difference is not significant; {after}."
    if not others:
        return f"Use {best.name}, the only one that applies; {after}."
    ratio, low, high = lead(best, others[0], len(ranked))
    if math.isinf(ratio):
        return f"Use {best.name}: it has no variance here, the next, {others[0].name}, has."
    return (
        f"Use {best.name}: for the same precision the next, {others[0].name}, costs {ratio:.3g} "
        f"times as much ({low:.3g}–{high:.3g}); {after}."
    )
