"""The advice in words: the ranking, and one line to act on."""

import math
from collections.abc import Mapping

from estimators import Policy
from nabla.advise.candidates import Candidate, Wants, dominating, lead
from nabla.table import render

EXPLAINED = 3  # of the ranking, from the top


def print_advice(
    head: str, ranked: list[Candidate], left_out: Mapping[str, str], wants: Wants, policy: Policy
) -> None:
    print(f"{head}\n\n{ranking(ranked)}")
    print(
        "\nof the best: var × cost over the least, with intervals that hold together at 95 %\n"
        "\nwhere the variance comes from (critic's and entropy's part of the same draws):"
    )
    for c in ranked[:EXPLAINED]:
        print(f"  {c.name}: {dominating(c, policy)}")
    for name, why in left_out.items():
        print(f"left out {name}: {why}")
    print("\n" + advice(ranked, wants))


def ranking(ranked: list[Candidate]) -> str:
    return render(*ranks(ranked))


def ranks(ranked: list[Candidate]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: the best first."""
    rows = []
    for c in ranked:
        ratio, low, high = lead(ranked[0], c, len(ranked))
        relative = f"{ratio:.3g} ({low:.3g}–{high:.3g})" if math.isfinite(ratio) else "∞"
        variance = f"{c.variance:.4g} ± {1.96 * c.report.total_variance_sem:.2g}"
        counted = [f"{c.report.q_evaluations:g}", f"{c.gradients:g}"]
        costs = [f"{c.cost:.3g}", f"{c.work:.3g}", "1" if c is ranked[0] else relative]
        rows.append([c.name, variance, *counted, *costs])
    header = ["estimator", "variance (95 %)", "Q evals", "∇Q", "cost", "var × cost", "of the best"]
    return header, rows


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
