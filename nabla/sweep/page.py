"""A sweep on one page: its cells in a table, a section and a figure for each command."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from estimators import Moments, Report
from nabla.figures import learning_curves, style
from nabla.runs.saved import what_drives
from nabla.table import with_error
from sac_minimal.config import Config

SHOWN = 200  # rows of the table, points with intervals
Cell = dict[str, Any]


def page(name: str, cells: Sequence[Cell]) -> tuple[str, dict[str, Figure]]:
    """Markdown and its figures: a section for each command that the folder has seen."""
    commands = list(dict.fromkeys(c["config"]["command"] for c in cells)) or [""]
    figures: dict[str, Figure] = {}
    lines = [f"# {name}", ""]
    for command in commands:
        alone = len(commands) == 1
        picture = "report" if alone else f"report-{command}"
        mine = [c for c in cells if c["config"]["command"] == command]
        text, figure = section(mine, picture)
        lines += text if alone else [f"## {command}", "", *text, ""]
        if figure is not None:
            figures[picture] = figure
    return "\n".join(lines).rstrip() + "\n", figures


def section(cells: Sequence[Cell], picture: str) -> tuple[list[str], Figure | None]:
    """The lines of one command, and a figure if any cell has a result."""
    good = [c for c in cells if c["error"] is None]
    bad = [c for c in cells if c["error"] is not None]
    axes = varied(cells)
    good.sort(key=lambda c: [order(c["flat"].get(a)) for a in axes])
    seconds = sum(c["seconds"] for c in good)
    lines = [f"{len(good)} cells, {len(bad)} failed, {seconds:,.0f} s of work."]
    lines += ["", f"![]({picture}.png)", ""] if good else [""]
    if good:
        lines += [f"| {' | '.join([*axes, 'result'])} |", "|---" * (len(axes) + 1) + "|"]
        for cell in good[:SHOWN]:
            values = [str(cell["flat"].get(a, "")) for a in axes]
            lines.append(f"| {' | '.join([*values, summary(cell)])} |")
        if len(good) > SHOWN:
            lines.append(f"\n… and {len(good) - SHOWN} more in cells.sqlite.")
    if bad:
        lines += ["", "### Failed", ""]
        for error in sorted({c["error"] for c in bad}):
            lines.append(f"- {sum(c['error'] == error for c in bad)} × {error}")
    return lines, draw(good, axes) if good else None


def varied(cells: Sequence[Cell]) -> list[str]:
    """The settings that differ between cells."""
    names = {name: None for c in cells for name in c["flat"]}
    return [n for n in names if len({str(c["flat"].get(n)) for c in cells}) > 1]


def flat(config: dict[str, Any]) -> dict[str, Any]:
    """Settings of the problem beside the others, as in the sweep's file: set.NAME."""
    inner = {f"set.{name}": value for name, value in config.get("set", {}).items()}
    return {name: value for name, value in config.items() if name != "set"} | inner


def order(value: Any) -> tuple[bool, float, str]:
    """Numbers by size, then everything else by its text."""
    return (False, value, "") if _is_number(value) else (True, 0.0, str(value))


def summary(cell: Cell) -> str:
    """The number that a cell is about, with its uncertainty."""
    result, command = cell["result"], cell["config"]["command"]
    if command == "compare":
        seen = Report.from_lists(result)
        return f"total variance {with_error(seen.total_variance, seen.total_variance_sem)}"
    if command == "train":
        return f"return {result['metrics'][-1]['return']:.1f}"
    if command == "map":
        shares = sorted(zip(result["wins"], result["names"], strict=True), reverse=True)
        undecided = 1 - np.mean(result["decided"])
        rest = f", not decided {undecided:.0%}" if undecided else ""
        return ", ".join(f"{name} {share:.0%}" for share, name in shares) + rest
    return f"{len(result['estimators'])} estimators"


def draw(cells: Sequence[Cell], axes: Sequence[str]) -> Figure | None:
    command = cells[0]["config"]["command"]
    if command == "train":
        return learning_curves(curves(cells, axes))
    points = {"compare": total_variances, "map": shares, "probe": actor_variances}[command]
    return scattered(cells, axes, points)


def curves(cells: Sequence[Cell], axes: Sequence[str]) -> Mapping[str, Sequence[np.ndarray]]:
    """A line for every combination of what is varied, seeds being the curves of one line."""
    found: dict[str, list[np.ndarray]] = {}
    others = [a for a in axes if a not in ("task", "estimator", "version", "seed")]
    for cell in cells:
        config = Config.of({k: v for k, v in cell["config"].items() if k != "command"})
        points = [(row["step"], row["return"]) for row in cell["result"]["metrics"]]
        more = "".join(f"{a} {cell['flat'][a]}, " for a in others)
        label = f"{config.task}, {more}{what_drives(config)}"
        found.setdefault(label, []).append(np.array(points, float))
    return found


Points = tuple[str, dict[str, tuple[float, float]]]  # y's label; {estimator: (y, ± 95 %)}


def total_variances(cell: Cell) -> Points:
    seen = Report.from_lists(cell["result"])
    point = (seen.total_variance, 1.96 * seen.total_variance_sem)
    return "total variance", {cell["config"]["estimator"]: point}


def shares(cell: Cell) -> Points:
    result = cell["result"]
    pairs = zip(result["names"], result["wins"], strict=True)
    return "share of the map that it wins", {name: (share, 0.0) for name, share in pairs}


def actor_variances(cell: Cell) -> Points:
    found = {}
    for entry in cell["result"]["estimators"]:
        seen = Moments.from_lists(entry["in_the_actor"])
        found[entry["report"]["estimator"]] = (float(seen.mean), 1.96 * float(seen.sem))
    return "variance in the actor's parameters", found


def scattered(
    cells: Sequence[Cell], axes: Sequence[str], points: Callable[[Cell], Points]
) -> Figure:
    """What each cell says of each estimator, against the first axis that is a number."""
    numbers = [a for a in axes if a != "seed" and all(_is_number(c["flat"].get(a)) for c in cells)]
    series: dict[str, list[tuple[float, float, float]]] = {}
    label = ""
    for i, cell in enumerate(cells):
        label, seen = points(cell)
        x = cell["flat"][numbers[0]] if numbers else i
        for name, (y, half) in seen.items():
            series.setdefault(name, []).append((x, y, half))
    figure = Figure(figsize=(8.5, 4.2), layout="constrained")
    ax = figure.subplots()
    for name, found in sorted(series.items()):
        at, values, halves = zip(*found, strict=True)
        colour, marker = style(name)
        if len(at) > SHOWN:  # intervals would be a blot
            ax.plot(at, values, ".", color=colour, ms=2, label=name)
        else:
            ax.errorbar(at, values, halves, fmt=marker, color=colour, ms=5, lw=1, label=name)
    ax.set(xlabel=numbers[0] if numbers else "cell", ylabel=label)
    if all(y > 0 for found in series.values() for _, y, _ in found):
        ax.set_yscale("log")
    ax.grid(alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    return figure


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
