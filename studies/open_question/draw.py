"""Figures and numbers of the study, from its stored tables: seconds.

    .venv/bin/python studies/open_question/draw.py [--results FOLDER] [--out FOLDER]

docs/study-variance.png    variance of each estimator along training, against reparameterization's
docs/study-prediction.png  what the critic's curvature predicts against what was measured
docs/study-learning.png    returns by environment steps, by Q evaluations, by seconds of updates
results/numbers.md         the tables that docs/study.md quotes
"""

import argparse
import csv
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from estimators.files import write_atomically
from nabla.figures import style
from nabla.output import save_figure
from nabla.statistics import bootstrap_band, interquartile_mean

HERE = Path(__file__).parent
Row = dict[str, Any]
BASE = "reparameterization"
LEAVE = "score_function_leave_one_out"
# what is drawn along training; the table has all of them
SHOWN = ["sticking_the_landing", "score_function_value", f"{LEAVE}, n = 2", f"{LEAVE}, n = 32"]
WARMUP = 1000  # steps with random actions, before the first update
DASHES = {"n = 2": ":", "n = 8": "--", "n = 32": "-."}


def read(path: Path) -> list[Row]:
    """Numbers as numbers; ValueError if the file is not there."""
    if not path.exists():
        raise ValueError(f"{path} is missing: run studies/open_question/study.py first")

    def typed(text: str) -> Any:
        try:
            return float(text)
        except ValueError:
            return text

    with path.open(newline="") as file:
        return [{k: typed(v) for k, v in row.items()} for row in csv.DictReader(file)]


def label(row: Row) -> str:
    name = str(row["estimator"])
    return f"{name}, n = {row['n']:.0f}" if name == LEAVE else name


def groups(rows: Iterable[Row], *keys: str) -> dict[tuple[Any, ...], list[Row]]:
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[k] for k in keys), []).append(row)
    return found


def relative(
    probes: Sequence[Row], quantity: str, cost: bool
) -> dict[tuple[str, str, float], np.ndarray]:
    """{(task, estimator, step): ratio to reparameterization, one number a seed}.

    The ratio of a state, its median over states (`in_the_actor` is one number for all of them).
    """
    base = {
        (r["task"], r["seed"], r["step"], r["state"]): r
        for r in probes
        if r["estimator"] == BASE and r["n"] == 1
    }
    ratios: dict[tuple[str, str, float], dict[float, list[float]]] = {}
    for r in probes:
        b = base.get((r["task"], r["seed"], r["step"], r["state"]))
        if b is None:  # a study that is not finished
            continue
        price = r["q_evaluations"] / b["q_evaluations"] if cost else 1.0
        at = ratios.setdefault((r["task"], label(r), r["step"]), {})
        at.setdefault(r["seed"], []).append(price * r[quantity] / b[quantity])
    return {k: np.array([np.median(v) for v in at.values()]) for k, at in ratios.items()}


def line_style(name: str) -> tuple[str, str, str]:
    colour, marker = style(name)
    if name.startswith(LEAVE):
        return "#8a2be2", marker, DASHES[name.rpartition(", ")[2]]
    return colour, marker, "-"


def variance_figure(probes: Sequence[Row]) -> Figure:
    tasks = list(dict.fromkeys(r["task"] for r in probes))
    figure = Figure(figsize=(2.9 * len(tasks), 5.6), layout="constrained")
    axes = figure.subplots(2, len(tasks), squeeze=False, sharey="row")
    for row, cost in enumerate((False, True)):
        ratios = relative(probes, "variance_mu", cost)
        for task, ax in zip(tasks, axes[row], strict=True):
            for name in SHOWN:
                steps = sorted(s for t, n, s in ratios if (t, n) == (task, name))
                if not steps:
                    continue
                values = [ratios[task, name, s] for s in steps]
                colour, marker, dash = line_style(name)
                for s, v in zip(steps, values, strict=True):
                    ax.plot([s] * len(v), v, ".", color=colour, ms=3, alpha=0.6)
                middle = [np.exp(interquartile_mean(np.log(v))) for v in values]
                ax.plot(steps, middle, dash, marker=marker, color=colour, ms=4, label=name)
            ax.axhline(1, color="black", lw=0.8)
            ax.set(yscale="log", title=task if row == 0 else "")
            ax.grid(alpha=0.3)
            if row:
                ax.set_xlabel("environment steps")
    axes[0, 0].set_ylabel("variance for μ\n÷ reparameterization's")
    axes[1, 0].set_ylabel("× Q evaluations\n÷ reparameterization's")
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False)
    return figure


def prediction_figure(probes: Sequence[Row]) -> Figure:
    names = [BASE, *SHOWN]
    tasks = list(dict.fromkeys(r["task"] for r in probes))
    figure = Figure(figsize=(2.6 * len(names), 3.2), layout="constrained")
    axes = figure.subplots(1, len(names), squeeze=False)[0]
    colours = mpl.color_sequences["okabe_ito"]
    for ax, name in zip(axes, names, strict=True):
        for i, task in enumerate(tasks):
            mine = [r for r in probes if label(r) == name and r["task"] == task]
            x, y = ([r[k] for r in mine] for k in ("predicted_mu", "variance_mu"))
            ax.plot(x, y, "osD^v"[i % 5], color=colours[i % 8], ms=3, alpha=0.5, label=task, mew=0)
        ends = [*ax.get_xlim(), *ax.get_ylim()]
        ax.set(xscale="log", yscale="log", xlabel="predicted variance for μ")
        ends = [min(v for v in (*ax.get_xlim(), *ax.get_ylim()) if v > 0), max(ends)]
        ax.plot(ends, ends, "k-", lw=0.8)
        ax.set_title(name.replace(", n", ",\nn").replace("score_function_", ""), fontsize="medium")
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("measured")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    return figure


def learning_figure(training: Sequence[Row], cost: Sequence[Row]) -> Figure:
    tasks = list(dict.fromkeys(r["task"] for r in training))
    price = {(c["task"], c["arm"]): c for c in cost}
    kinds: list[tuple[str, Callable[[Row], float]]] = [
        ("environment steps", lambda r: r["step"]),
        (
            "Q evaluations of the actor, per state",
            lambda r: updates(r) * price[r["task"], r["arm"]]["q_evaluations"],
        ),
        (
            "seconds of updates",
            lambda r: updates(r) * price[r["task"], r["arm"]]["update_seconds"],
        ),
    ]
    figure = Figure(figsize=(11, 2.6 * len(tasks) + 0.6), layout="constrained")
    axes = figure.subplots(len(tasks), 3, squeeze=False, sharey="row")
    for (task, arm), rows in groups(training, "task", "arm").items():
        steps, values = curves(rows)
        colour, marker, dash = line_style(arm)
        for ax, (name, where) in zip(axes[tasks.index(task)], kinds, strict=True):
            first = 0 if name == "environment steps" else sum(s <= WARMUP for s in steps)
            x = [where({"task": task, "arm": arm, "step": s}) for s in steps[first:]]
            y = values[:, first:]
            for seed in y:
                ax.plot(x, seed, dash, color=colour, lw=0.5, alpha=0.4)
            ax.fill_between(x, *bootstrap_band(y), color=colour, alpha=0.08, lw=0)
            ax.plot(x, interquartile_mean(y), dash, marker=marker, color=colour, ms=3, label=arm)
            ax.grid(alpha=0.3)
            if task == tasks[-1]:
                ax.set_xlabel(name)
            if name != "environment steps":
                ax.set_xscale("log")
    for task, ax in zip(tasks, axes[:, 0], strict=True):
        ax.set_ylabel(f"{task}\nreturn")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure


def updates(row: Row) -> float:
    """After that many steps: one each, from the end of the random ones on."""
    return row["step"] - WARMUP


def curves(rows: Sequence[Row]) -> tuple[list[float], np.ndarray]:
    """Steps that all seeds have, and returns [seeds, steps]."""
    seeds = list(groups(rows, "seed").values())
    steps = sorted(set.intersection(*({r["step"] for r in s} for s in seeds)))
    table = [{r["step"]: r["return"] for r in s} for s in seeds]
    return steps, np.array([[t[s] for s in steps] for t in table])


def winners(probes: Sequence[Row]) -> Iterator[tuple[str, str, int, int, int, int, float]]:
    """(one, other, states, one wins, one wins × Q evaluations, foretold, error of the log ratio),
    counted over the states where the measurement tells them apart by two standard errors."""
    for one, other in (
        (BASE, "sticking_the_landing"),
        (BASE, "score_function_value"),
        (BASE, f"{LEAVE}, n = 8"),
        (BASE, f"{LEAVE}, n = 32"),
    ):
        at = {
            (label(r), r["task"], r["seed"], r["step"], r["state"]): r
            for r in probes
            if label(r) in (one, other)
        }
        seen = []
        for key, r in at.items():
            if key[0] != one or (other, *key[1:]) not in at:
                continue
            o = at[other, *key[1:]]
            gap = r["variance_mu"] - o["variance_mu"]
            if abs(gap) > 2 * np.hypot(r["variance_mu_sem"], o["variance_mu_sem"]):
                guess = r["predicted_mu"] - o["predicted_mu"]
                ratio = np.log(r["variance_mu"] / o["variance_mu"])
                told = np.log(r["predicted_mu"] / o["predicted_mu"])
                dear = ratio + np.log(r["q_evaluations"] / o["q_evaluations"])
                right = (gap < 0) == (guess < 0)
                seen.append((gap < 0, dear < 0, right, abs(ratio - told)))
        if seen:
            wins, cheap, right, off = (np.array(v) for v in zip(*seen, strict=True))
            counts = (int(wins.sum()), int(cheap.sum()), int(right.sum()))
            yield one, other, len(seen), *counts, float(np.median(off))


def numbers(probes: Sequence[Row], training: Sequence[Row], cost: Sequence[Row]) -> str:
    lines = ["## Variance for μ, against reparameterization's, at the last checkpoint", ""]
    tasks = list(dict.fromkeys(r["task"] for r in probes))
    last = {t: max(r["step"] for r in probes if r["task"] == t) for t in tasks}
    for title, quantity, priced in (
        ("variance for μ at the outputs, median over states", "variance_mu", False),
        ("the same × Q evaluations", "variance_mu", True),
        ("variance in the actor's parameters", "in_the_actor", False),
    ):
        ratios = relative(probes, quantity, priced)
        names = list(dict.fromkeys(n for _, n, _ in ratios))
        lines += [f"{title}: interquartile mean over seeds (smallest–largest)", ""]
        lines += [f"| estimator | {' | '.join(tasks)} |", "| --- " * (len(tasks) + 1) + "|"]
        for name in names:
            entries = [ratios.get((t, name, last[t])) for t in tasks]
            lines.append(f"| {name} | {' | '.join(map(spread, entries))} |")
        lines.append("")
    lines += ["## Who wins, state by state, and did the curvature foretell it", ""]
    lines += [
        "| reparameterization against | states | it wins | × Q evaluations | foretold | off |"
    ]
    lines += ["| --- | --- | --- | --- | --- | --- |"]
    for _, other, count, wins, cheap, right, off in winners(probes):
        shares = [f"{k / count:.0%}" for k in (wins, cheap, right)]
        lines.append(f"| {other} | {count} | {' | '.join(shares)} | × {np.exp(off):.2f} |")
    lines += ["", "Foretold: the winner by variance, from the critic's mean slope and curvature."]
    lines += ["Off: the median factor between the foretold ratio of variances and the measured."]
    lines += ["", "## The critics", ""]
    lines += [f"| median over states | {' | '.join(tasks)} |", "| --- " * (len(tasks) + 1) + "|"]
    for name in ("tau", "curvature", "sigma", "alpha"):
        entries = []
        for t in tasks:
            mine = [
                r for r in probes if (r["task"], r["step"], r["estimator"]) == (t, last[t], BASE)
            ]
            entries.append(np.array([np.median([r[name] for r in s]) for s in by_seed(mine)]))
        lines.append(f"| {name} | {' | '.join(map(spread, entries))} |")
    lines += ["", "## Returns at the end of training", ""]
    trained = list(dict.fromkeys(r["task"] for r in training))
    lines += [f"| actor driven by | {' | '.join(trained)} |", "| --- " * (len(trained) + 1) + "|"]
    found: dict[str, dict[str, str]] = {}
    for (task, arm), rows in groups(training, "task", "arm").items():
        values = curves(rows)[1][:, -1]
        found.setdefault(arm, {})[task] = spread(values, ".4g")
    for arm, entries_of in found.items():
        lines.append(f"| {arm} | {' | '.join(entries_of.get(t, '–') for t in trained)} |")
    lines += ["", "## Cost of an update", ""]
    lines += [
        "| task | actor driven by | ms | Q evaluations a state |",
        "| --- | --- | --- | --- |",
    ]
    for c in cost:
        ms, q = 1000 * c["update_seconds"], c["q_evaluations"]
        lines.append(f"| {c['task']} | {c['arm']} | {ms:.2f} | {q:g} |")
    return "\n".join(lines) + "\n"


def by_seed(rows: Sequence[Row]) -> Iterable[list[Row]]:
    return groups(rows, "seed").values()


def spread(values: np.ndarray | None, digits: str = ".2g") -> str:
    if values is None:
        return "–"
    middle = float(interquartile_mean(values))
    return f"{middle:{digits}} ({values.min():{digits}}–{values.max():{digits}})"


def main(arguments: Mapping[str, Path] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--out", type=Path, default=HERE.parents[1] / "docs", help="of figures")
    given = parser.parse_args()
    try:
        tables = [read(given.results / f"{n}.csv") for n in ("probes", "training", "cost")]
    except ValueError as error:
        print(f"draw: {error}", file=sys.stderr)
        return 2
    probes, training, cost = tables
    command = shlex.join(["python", "studies/open_question/draw.py"])
    save_figure(variance_figure(probes), given.out / "study-variance", command, [".png"])
    save_figure(prediction_figure(probes), given.out / "study-prediction", command, [".png"])
    save_figure(learning_figure(training, cost), given.out / "study-learning", command, [".png"])
    write_atomically(given.results / "numbers.md", numbers(probes, training, cost))
    print(numbers(probes, training, cost))
    return 0


if __name__ == "__main__":
    sys.exit(main())
