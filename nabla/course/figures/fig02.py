"""Figures of notebook 02. They take results and an axis, and compute nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from nabla.figures import FAMILIES

COLOURS = [colour for colour, _ in FAMILIES.values()][::2]


def weight_bars(ax: Axes, variances: Mapping[str, float], biased: Sequence[str] = ()) -> None:
    """The variance of one estimate for each choice of weight; hatched: not the gradient."""
    for y, (name, value) in enumerate(variances.items()):
        wrong = name in biased
        look: dict[str, Any] = {"facecolor": COLOURS[0]}
        if wrong:
            look = {"facecolor": "white", "hatch": "///"}
        ax.barh(y, value, height=0.65, edgecolor=COLOURS[1] if wrong else "black", lw=0.7, **look)
        note = f" {value:.3g}" + (" (biased)" if wrong else "")
        ax.text(value, y, note, va="center", fontsize=10)
    ax.set_yticks(range(len(variances)), list(variances))
    ax.invert_yaxis()
    ax.set_xlim(0, 1.3 * max(variances.values()))
    ax.set_xlabel("total variance of the gradient from one trajectory")
    ax.grid(axis="x", alpha=0.3)
    ax.set_axisbelow(True)


def curves(
    ax: Axes, paths: Mapping[str, np.ndarray], xlabel: str, ylabel: str, level: float | None = None
) -> None:
    """A line for each name: its mean over the first axis, and each run, pale."""
    looks = ("-", "--", ":", "-.")
    for i, (name, path) in enumerate(paths.items()):
        runs = np.atleast_2d(path)
        for run in runs if len(runs) > 1 else ():
            ax.plot(run, color=COLOURS[i], lw=0.7, alpha=0.35)
        ax.plot(runs.mean(0), color=COLOURS[i], ls=looks[i % 4], lw=2.4, label=name)
    if level is not None:
        ax.axhline(level, color="black", lw=1, ls="--")
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)


def parabola(
    ax: Axes, b: np.ndarray, variance: np.ndarray, marks: Mapping[str, tuple[float, float]]
) -> None:
    """Variance against a constant baseline; marks: {name: (b, variance)}."""
    ax.plot(b, variance, color=COLOURS[0], lw=2)
    for i, (name, (x, y)) in enumerate(marks.items()):
        ax.plot(x, y, "os^D"[i % 4], color=COLOURS[i + 1], mec="black", ms=9, label=name)
    ax.set_xlabel("baseline b")
    ax.set_ylabel("total variance of one estimate")
    ax.set_ylim(0)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
