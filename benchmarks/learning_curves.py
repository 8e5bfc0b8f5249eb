"""Learning curves of our SAC beside others', at equal steps, evaluated by the same code.

    .venv/bin/python benchmarks/learning_curves.py --steps 100000 --seeds 0 1 2
    .venv/bin/python benchmarks/learning_curves.py --plot-only

Every (implementation, task, seed) is a process of its own on one core, `--jobs` of them at a time,
and goes into the CSV as a whole when it is complete: run again, this does what is missing. All
begin with equally many random actions; otherwise each has the settings that it publishes (CleanRL
trains critics and temperature with 1e-3, the others with 3e-4; "compiled, 1e-3" is ours with
CleanRL's rates). Then it draws the figure, seeds as thin lines, and prints a table of the returns
at the end. Seconds include start-up and compilation, not evaluation.
"""

import argparse
import csv
import io
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import count, product
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sac_jobs import PEERS, ask
from sac_ours import VARIANTS
from sac_peers import environment
from scipy.stats import trim_mean

from estimators.files import write_atomically

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ["implementation", "task", "seed", "steps", "step", "seconds", "return"]
NAMES = [*VARIANTS, *PEERS]
TASKS = ["HalfCheetah-v5", "Hopper-v5", "Walker2d-v5"]
COLOURS = dict(zip(NAMES, [7, 0, 2, 3, 6, 5, 1], strict=True))  # of okabe_ito
Row = dict[str, Any]
Run = tuple[str, str, int]  # implementation, task, seed


def load(path: Path) -> list[Row]:
    if not path.exists():
        return []
    kinds = {"seed": int, "steps": int, "step": int, "seconds": float, "return": float}
    with path.open(newline="") as file:
        return [{k: kinds.get(k, str)(v) for k, v in row.items()} for row in csv.DictReader(file)]


def save(path: Path, rows: Iterable[Row]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue())


def train_all(options: argparse.Namespace) -> None:
    """Trains what the CSV lacks, seed by seed, so that an early stop leaves whole seeds."""
    rows = load(options.csv)
    have = {
        (r["implementation"], r["task"], r["seed"]) for r in rows if r["steps"] == options.steps
    }
    runs = [(n, t, s) for s, t, n in product(options.seeds, options.tasks, options.names)]
    slots: SimpleQueue[int] = SimpleQueue()
    for slot in range(options.jobs):
        slots.put(slot)
    with ThreadPoolExecutor(options.jobs) as pool:
        started = {pool.submit(one, run, slots, options): run for run in runs if run not in have}
        for done, future in zip(count(1), as_completed(started)):
            run = started[future]
            try:
                rows += future.result()
            except RuntimeError as error:
                print(f"{run}: not run: {error}", file=sys.stderr, flush=True)
                continue
            save(options.csv, rows)
            told = f"{rows[-1]['return']:.0f} in {rows[-1]['seconds']:.0f} s"
            print(f"{done} of {len(started)}: {run}: {told}", file=sys.stderr, flush=True)


def one(run: Run, slots: "SimpleQueue[int]", options: argparse.Namespace) -> list[Row]:
    name, task, seed = run
    slot = slots.get()
    job = {"kind": "curve", "name": name, "task": task, "seed": seed, "slot": slot, "threads": 1}
    job |= {key: getattr(options, key) for key in ("steps", "warmup", "every", "episodes")}
    try:
        python = environment.PYTHON if name in PEERS else sys.executable
        points = ask(python, job)["points"]
    finally:
        slots.put(slot)
    fixed = {"implementation": name, "task": task, "seed": seed, "steps": options.steps}
    return [
        fixed | {"step": step, "seconds": round(seconds, 1), "return": round(value, 2)}
        for step, seconds, value in points
    ]


def curves(rows: list[Row], name: str, task: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps [k] and returns [seeds, k] of the runs of one length."""
    chosen = [r for r in rows if r["implementation"] == name and r["task"] == task]
    seeds = sorted({r["seed"] for r in chosen})
    by_seed = [[r for r in chosen if r["seed"] == seed] for seed in seeds]
    steps = np.array([r["step"] for r in by_seed[0]]) if by_seed else np.zeros(0)
    return steps, np.array([[r["return"] for r in one] for one in by_seed])


def iqm(returns: np.ndarray) -> np.ndarray:
    """Mean of the middle half over seeds; with fewer than four seeds nothing is cut off."""
    return trim_mean(returns, 0.25, axis=0)


def draw(ax: Axes, rows: list[Row], task: str, names: list[str]) -> None:
    for name in names:
        steps, returns = curves(rows, name, task)
        colour = mpl.color_sequences["okabe_ito"][COLOURS[name]]
        if len(returns):
            ax.plot(steps, returns.T, color=colour, lw=0.6, alpha=0.6)
            label = f"{name} ({seeds(returns)})"
            ax.plot(steps, iqm(returns), color=colour, lw=2, label=label)
    ax.set_title(task)
    ax.set_xlabel("environment steps")
    ax.grid(alpha=0.3)


def figure(rows: list[Row], options: argparse.Namespace) -> None:
    fig = Figure(figsize=(5 * len(options.tasks), 4), layout="constrained")
    axes = fig.subplots(1, len(options.tasks), squeeze=False)[0]
    for ax, task in zip(axes, options.tasks, strict=True):
        draw(ax, rows, task, options.names)
    axes[0].set_ylabel("return, deterministic policy")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    fig.savefig(options.csv.with_suffix(".png"), dpi=120)


def table(rows: list[Row], options: argparse.Namespace) -> str:
    """Returns at the end, and the differences between the first implementation and the others."""
    ends = {(n, t): end(curves(rows, n, t)[1]) for n in options.names for t in options.tasks}
    lines = [f"| return at {options.steps} steps | {' | '.join(options.tasks)} |"]
    lines.append("|---" * (1 + len(options.tasks)) + "|")
    first, *others = options.names
    for name in options.names:
        cells = [level(ends[name, task]) for task in options.tasks]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    for name in others:
        cells = [level(ends[first, task], ends[name, task]) for task in options.tasks]
        lines.append(f"| {first} − {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def end(returns: np.ndarray) -> np.ndarray:
    """Mean of the last fifth of the evaluations, for each seed."""
    return returns[:, -max(1, returns.shape[1] // 5) :].mean(1) if len(returns) else returns


def level(returns: np.ndarray, other: np.ndarray | None = None, draws: int = 10_000) -> str:
    """IQM over seeds, minus that of `other`, with its 95 % percentile bootstrap interval.

    The interval is too short with few seeds, so their number is shown.
    """
    groups = [returns] if other is None else [returns, other]
    if not all(len(g) for g in groups):
        return "not run"
    rng = np.random.default_rng(0)
    values = [(iqm(g), iqm(rng.choice(g, (len(g), draws)))) for g in groups]
    value, drawn = (
        a if other is None else a - b for a, b in zip(values[0], values[-1], strict=True)
    )
    low, high = np.quantile(drawn, [0.025, 0.975])
    count = "" if other is not None else f", {seeds(returns)}"
    return f"{value:.0f} [{low:.0f}, {high:.0f}]{count}"


def seeds(returns: np.ndarray) -> str:
    return f"{len(returns)} seed{'s' * (len(returns) > 1)}"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Learning curves of SAC, ours beside others'.")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    default = ["compiled", "sb3", "cleanrl", "compiled, 1e-3"]
    parser.add_argument("--names", nargs="+", default=default, choices=NAMES)
    parser.add_argument("--every", type=int, default=5000, help="steps between evaluations")
    parser.add_argument("--episodes", type=int, default=5, help="of one evaluation")
    parser.add_argument("--warmup", type=int, default=1000, help="random actions to begin with")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, one core each")
    parser.add_argument("--csv", type=Path, default=ROOT / "docs" / "learning-curves.csv")
    parser.add_argument("--plot-only", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    given = parse()
    if not given.plot_only:
        environment.make()
        train_all(given)
    found = [row for row in load(given.csv) if row["steps"] == given.steps]
    figure(found, given)
    print(table(found, given))
