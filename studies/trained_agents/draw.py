"""Tables and figures of the study, from its results: seconds.

    .venv/bin/python studies/trained_agents/draw.py [--results FOLDER] [--out FOLDER]

docs/agents-modes.png      how often the critic has more than one mode, and how they lie
docs/agents-mixtures.png   effects of mixtures; likewise -estimators, -rates, -others, -control
docs/agents-usage.png      components that are in use, along training
docs/agents-doses.png      what noise in the actor's gradient does to the return
results/numbers.md         the tables that docs/study.md quotes
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from effects import MARGIN
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from noise import DOSES, dose_name
from tables import COMPARED, Row, Scores, doses_of, mode_shares, numbers, read

from estimators.files import write_atomically
from nabla.figures import plain_ticks
from nabla.output import save_figure

HERE = Path(__file__).parent
TABLES = ("runs", "curves", "modes", "usage", "spread", "probes", "cost")
COLOURS, MARKERS = mpl.color_sequences["okabe_ito"], "osD^vP*X"
COMMAND = "python studies/trained_agents/draw.py"


def modes_figure(modes: Sequence[Row]) -> Figure:
    figure = Figure(figsize=(10, 5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    order = list(mode_shares(modes))[::-1]
    for i, depth in enumerate(("0.1", "0.5", "1")):
        shares = mode_shares(modes, depth)
        for y, task in enumerate(order):
            where = [y + 0.2 * (i - 1)] * len(shares[task])
            label = f"at least {depth} nat deep" if y == 0 else None
            left.plot(shares[task], where, MARKERS[i], color=COLOURS[i + 1], ms=5, label=label)
    left.axvline(0.1, color="black", lw=0.8, ls=":")
    left.set_yticks(range(len(order)), order)
    left.set_xlabel("share of states with more than one mode (a point is a run)")
    left.legend(frameon=False, loc="lower right")
    left.grid(axis="x", alpha=0.3)
    seen = [r for r in modes if r["depth"] is not None]
    for i, task in enumerate([t for t in order[::-1] if any(r["task"] == t for r in seen)][:8]):
        second = [r for r in seen if r["task"] == task]
        x, y = ([r[name] for r in second] for name in ("distance", "depth"))
        right.plot(x, y, MARKERS[i], color=COLOURS[i], ms=4, alpha=0.6, mew=0, label=task)
    right.axhline(0.5, color="black", lw=0.8, ls=":")
    if seen:
        right.set(yscale="log", xscale="log")
        plain_ticks(right.xaxis)
        plain_ticks(right.yaxis)
    right.set_xlabel("distance from the highest, σ of the policy")
    right.set_ylabel("depth of the deepest other mode, nats")
    if seen:
        right.legend(frameon=False, fontsize="small")
    right.grid(alpha=0.3)
    return figure


def forest(name: str, scores: Scores) -> Figure | None:
    """An effect and its interval for each arm (colour) on each task (row), and over all."""
    found = scores.compared(name)
    if not found:
        return None
    title, _, reference, tasks = COMPARED[name]
    rows = [t for t in tasks if any(t in e for e in found.values())]
    rows = [*rows, ""] if len(rows) > 1 else rows
    figure = Figure(figsize=(8, 1.2 + 0.22 * len(rows) * (len(found) + 1)), layout="constrained")
    ax = figure.subplots()
    ax.axvspan(-MARGIN, MARGIN, color="black", alpha=0.07, lw=0)
    ax.axvline(0, color="black", lw=0.8)
    for i, (arm, of) in enumerate(found.items()):
        for y, task in enumerate(rows):
            if task in of:
                e, at = of[task], y + (i - (len(found) - 1) / 2) * 0.8 / len(found)
                ax.plot(
                    [e.low, e.high], [at, at], color=COLOURS[i % 8], lw=2.5 if task == "" else 1.2
                )
                label = arm if task == rows[0] else None
                ax.plot(e.value, at, MARKERS[i % 8], color=COLOURS[i % 8], ms=6, label=label)
    ax.set_yticks(range(len(rows)), [t or "all tasks" for t in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xscale("symlog", linthresh=0.5)
    ax.set_xlabel(f"gain over {reference}, as a share of what it learned (95 %; grey: ±{MARGIN})")
    ax.set_title(title, loc="left")
    ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    ax.grid(axis="x", alpha=0.3)
    return figure


def usage_figure(usage: Sequence[Row]) -> Figure:
    tasks, arms = (list(dict.fromkeys(r[k] for r in usage)) for k in ("task", "arm"))
    figure = Figure(figsize=(2.9 * len(tasks), 5.4), layout="constrained")
    axes = figure.subplots(2, len(tasks), squeeze=False, sharey="row")
    kinds = {"effective": "effective components of a state", "marginal": "of all states together"}
    for (name, what), row in zip(kinds.items(), axes, strict=True):
        for task, ax in zip(tasks, row, strict=True):
            for i, arm in enumerate(arms):
                mine = [r for r in usage if (r["task"], r["arm"]) == (task, arm)]
                steps = sorted({r["step"] for r in mine})
                mean = [np.mean([r[name] for r in mine if r["step"] == s]) for s in steps]
                ax.plot(steps, mean, MARKERS[i % 8] + "-", color=COLOURS[i % 8], ms=4, label=arm)
            ax.set(ylim=(0.8, 8.2), title=task if name == "effective" else "")
            ax.grid(alpha=0.3)
        row[0].set_ylabel(what)
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False
    )
    return figure


def doses_figure(scores: Scores, probes: Sequence[Row]) -> Figure:
    """Score, 0 where learning starts and 1 at the least dose, by dose: runs and their mean; and
    other estimators where their measured variance puts them."""
    least, tasks = scores.of[dose_name(DOSES[0])], COMPARED["doses"][3]
    figure = Figure(figsize=(3.4 * len(tasks), 3.6), layout="constrained")
    axes, places = figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0], doses_of(probes)
    for task, ax in zip(tasks, axes, strict=True):
        if task not in least:
            continue
        low, span = scores.start[task], least[task].mean() - scores.start[task]

        def put(ax: Axes, arm: str, dose: float, colour: str, marker: str, label: str | None = None,
                task: str = task, low: float = low, span: float = span) -> None:  # fmt: skip
            values = (scores.of.get(arm, {}).get(task, np.zeros(0)) - low) / span
            ax.plot([dose] * len(values), values, marker, color=colour, ms=4, alpha=0.5, mew=0)
            if len(values):
                ax.plot(dose, values.mean(), marker, color=colour, ms=9, mec="black", label=label)

        for s in DOSES:
            put(ax, dose_name(s), s, COLOURS[5], "o", "Eq. 13's noise, a dose" if s == 1 else None)
        others = {
            "base": "reparameterization, n = 1",
            "sticking_the_landing": "sticking_the_landing, n = 1",
            "score_function_leave_one_out, n = 2": "score_function_leave_one_out, n = 2",
            "score_function_leave_one_out, n = 8": "score_function_leave_one_out, n = 8",
            "measure_valued": "measure_valued, n = 1",
            "score_function": "score_function, n = 1",
        }
        for i, (arm, name) in enumerate(others.items()):
            if (task, name) in places:
                put(ax, arm, places[task, name], COLOURS[(1, 2, 3, 4, 6, 7)[i]], "D^vPXs"[i], arm)
        ax.axhspan(1 - MARGIN, 1 + MARGIN, color="black", alpha=0.07, lw=0)
        ax.set(xscale="log", title=task, xlabel="variance, Eq. 13's = 1", ylim=(-0.6, 1.3))
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("learned (1: at the least dose)")
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False
    )
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--out", type=Path, default=HERE.parents[1] / "docs", help="of figures")
    given = parser.parse_args()
    tables = {name: read(given.results / f"{name}.csv") for name in TABLES}
    if not tables["curves"]:
        parser.error(f"{given.results}/curves.csv is missing: study.py, then study.py collect")
    scores = Scores(tables["curves"], tables["runs"])
    figures = {
        name: forest(name, scores) for name in COMPARED if name not in ("doses", "rates-split")
    }
    if tables["modes"]:
        figures["modes"] = modes_figure(tables["modes"])
    if tables["usage"]:
        figures["usage"] = usage_figure(tables["usage"])
    if dose_name(DOSES[0]) in scores.of:
        figures["doses"] = doses_figure(scores, tables["probes"])
    for name, figure in figures.items():
        if figure:
            save_figure(figure, given.out / f"agents-{name}", COMMAND, [".png"])
    write_atomically(given.results / "numbers.md", numbers(tables, scores))


if __name__ == "__main__":
    main()
