"""A reproduction in words and numbers: what agrees, the cases, the trends, every point."""

import math
from collections.abc import Iterator
from typing import Any

from nabla.reproduce.reproduction import TREND_FROM, Curve
from nabla.table import render, with_error
from toy_problems.published.studies import Study

COLUMNS = ["group", "estimator", "of", "x", "formula", "exact", "measured", "sem"]


def print_study(study: Study, curves: list[Curve], allowed: float, estimates: int) -> None:
    rows = [
        [
            c.group or "–",
            c.name,
            c.entry,
            "–" if math.isnan(c.deviation) else f"{c.deviation:.1e}",
            "–" if math.isnan(c.z) else f"{c.z:.1f}",
            f"{len(c.points)}",
            verdict(c, allowed),
        ]
        for c in curves
    ]
    print(f"{study.title}\n{study.reference}\n")
    header = ["", "estimator", "of", "|formula − exact|", "|measured|/se", "points", ""]
    print(render(header, rows))
    print(
        f"\nformula against exact moments: over 1 + its size. measured: {estimates:,} estimates a"
        f"\npoint, agrees if none is more than {allowed:.1f} standard errors off, and what the"
        "\nskewness of the draws adds; both are exact where nodes reach"
    )
    if study.trend and all(len(c.points) for c in curves):
        print("\n" + render(*trends(study, curves)) + "\n")
    if study.labels:
        print("\n" + render(*cases(study, curves)))
    for note in study.notes:
        print(note)


def verdict(curve: Curve, allowed: float) -> str:
    if math.isnan(curve.deviation) and math.isnan(curve.z):
        return "measured"
    return "agrees" if curve.agrees(allowed) else "DEVIATES"


def cases(study: Study, curves: list[Curve]) -> tuple[list[str], list[list[str]]]:
    """The table itself, where x counts cases: the exact value, the measured one, × Q."""
    rows = []
    for i, label in enumerate(study.labels):
        found = [(c.line[i], c) for c in curves]
        for exact, c in sorted(found, key=lambda pair: pair[0]):
            measured = [with_error(value, sem) for x, value, sem in c.points if x == c.x[i]]
            counted = [f"{c.q_evaluations:g}", f"{exact * c.q_evaluations:.4g}"]
            if not len(c.points):
                counted = ["–", "–"]
            rows.append([label, c.name, f"{exact:.6g}", *(measured or ["–"]), *counted])
    return [study.xlabel, "estimator", "exact", "measured", "Q evals", "exact × Q"], rows


def trends(study: Study, curves: list[Curve]) -> tuple[list[str], list[list[str]]]:
    """Values at the ends, and the power of x from TREND_FROM on."""
    rows = []
    for c in curves:
        first, last = (with_error(*c.points[i, 1:]) for i in (0, -1))
        power = "–" if c.trend is None else with_error(*c.trend[:2])
        rows.append([c.group, c.name, first, last, power, f"{c.q_evaluations:g}"])
    ends = [f"at {study.xlabel} = {curves[0].x[i]:g}" for i in (0, -1)]
    power = f"power of {study.xlabel} ≥ {TREND_FROM:g}"
    return ["", "estimator", *ends, power, f"Q evals {ends[1]}"], rows


def tidy(curves: list[Curve]) -> Iterator[list[Any]]:
    """One row for each x of each curve; measured and its standard error where measured."""
    for c in curves:
        measured = {p[0]: (p[1], p[2]) for p in c.points}
        for i, x in enumerate(c.x):
            form = None if c.formula is None else c.formula[i]
            exact = None if math.isnan(c.exact[i]) else c.exact[i]
            yield [c.group, c.name, c.entry, x, form, exact, *measured.get(x, (None, None))]
