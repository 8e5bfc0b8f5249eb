"""Figures of notebook 01. They take results and an axis, and compute nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from nabla.figures import FAMILIES

COLOURS = [colour for colour, _ in FAMILIES.values()]
MARKERS = [marker for _, marker in FAMILIES.values()]
# s1 … s6: where they stand.
PLACES = ((0.0, 0.9), (0.0, -0.9), (2.0, 1.3), (2.0, 0.0), (2.0, -1.3), (4.0, 0.0))


def graph(ax: Axes, P: np.ndarray, values: np.ndarray | None = None) -> None:
    """The six states, the probability of each step on its arrow, the values inside."""
    for i, start in enumerate(PLACES):
        for j, end in enumerate(PLACES):
            if P[i, j] > 0:
                _arrow(ax, start, end, f"{P[i, j]:g}")
        text = f"$s_{i + 1}$" if values is None else f"$s_{i + 1}$\n{values[i]:.3g}"
        pad = 0.7 if values is None else 0.35
        box: dict[str, Any] = {"boxstyle": f"circle,pad={pad}", "fc": "#F5F5F5", "ec": "black"}
        if values is not None:
            box["fc"] = (0.0, 0.447, 0.698, 0.5 * values[i] / values.min())
        ax.text(*start, text, ha="center", va="center", fontsize=10, bbox=box, zorder=3)
    ax.set_xlim(-0.6, 4.6)
    ax.set_ylim(-2.5, 2.5)
    ax.axis("off")


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], text: str) -> None:
    style: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 13, "color": "#666666"}
    x, y = start
    if start == end:
        up = 1 if y > 0 else -1
        left, right = (x - 0.12, y + 0.38 * up), (x + 0.12, y + 0.38 * up)
        bend = f"arc3,rad={-3.0 * up}"
        loop = FancyArrowPatch(left, right, connectionstyle=bend, shrinkA=0, shrinkB=0, **style)
        ax.add_patch(loop)
        ax.text(x + 0.24, y + 0.8 * up, text, fontsize=9, va="center")
        return
    ax.add_patch(FancyArrowPatch(start, end, shrinkA=20, shrinkB=20, **style))
    middle = (0.55 * x + 0.45 * end[0], 0.55 * y + 0.45 * end[1])
    back = {"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none"}
    ax.text(*middle, text, fontsize=9, ha="center", va="center", bbox=back)


def value_table(
    ax: Axes, printed: np.ndarray, right: np.ndarray, rows: Sequence[str], tolerance: float = 1e-3
) -> None:
    """A printed table; where it is wrong, what is right below it, on orange."""
    ax.set_xlim(-1.3, printed.shape[1])
    ax.set_ylim(len(rows), -1)
    ax.axis("off")
    for j in range(printed.shape[1]):
        ax.text(j + 0.5, -0.5, f"$V(s_{j + 1})$", ha="center", va="center")
    for i, name in enumerate(rows):
        ax.text(-0.1, i + 0.5, name, ha="right", va="center", fontweight="bold")
        for j, value in enumerate(printed[i]):
            wrong = abs(value - right[i, j]) > tolerance
            if wrong:
                ax.fill_between([j, j + 1], i, i + 1, color="#E69F00", alpha=0.5, lw=0)
            text = f"{value:.4g}" + (f"\nright: {right[i, j]:.4g}" if wrong else "")
            ax.text(j + 0.5, i + 0.5, text, ha="center", va="center", fontsize=10)
    for i in range(len(rows) + 1):
        ax.axhline(i, color="#BBBBBB", lw=0.8)


def state_lines(
    ax: Axes, x: Sequence[int], values: np.ndarray, limit: np.ndarray, xlabel: str
) -> None:
    """V of each state along x, [len(x), states]; dashed, where it should go."""
    for i in range(values.shape[1]):
        ax.plot(x, values[:, i], color=COLOURS[i], lw=1.8, label=f"$s_{i + 1}$")
        ax.axhline(limit[i], color=COLOURS[i], lw=1, ls="--")
    ax.set_xlabel(xlabel)
    ax.set_ylabel("V")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, ncols=values.shape[1], loc="lower right", fontsize=9)


def pass_lines(ax: Axes, gaps: Mapping[str, np.ndarray], xlabel: str) -> None:
    """The mean error of V along one pass over the states, for each order of them."""
    for i, (name, gap) in enumerate(gaps.items()):
        ax.plot(gap, ("-o", "--s")[i % 2], color=COLOURS[2 * i], label=name)
    ax.set_xlabel(xlabel)
    ax.set_ylabel("mean error of V")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)


def error_lines(
    ax: Axes, x: Sequence[int], errors: Mapping[str, np.ndarray], xlabel: str, ylabel: str
) -> None:
    """One line for each method, both axes logarithmic."""
    for i, (name, error) in enumerate(errors.items()):
        ax.plot(x, error, MARKERS[i] + "-", color=COLOURS[i], lw=1.8, mec="black", mew=0.5)
        ax.plot([], [], MARKERS[i] + "-", color=COLOURS[i], mec="black", mew=0.5, label=name)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
