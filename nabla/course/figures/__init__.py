"""Figures that the notebooks share. They take results and an axis, and compute nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import LogLocator, NullFormatter

from nabla.figures import FAMILIES, Z95, style

LINES = ("-", "--", ":", "-.")

# The terms of Eq. 13, always in these colours and dashes; their sum broad and pale, behind.
TERMS: dict[str, dict[str, Any]] = {
    "score": {"color": "#D55E00", "ls": "--", "lw": 2},
    "entropy": {"color": "#0072B2", "ls": "-.", "lw": 2},
    "value": {"color": "#009E73", "ls": ":", "lw": 2},
    "sum": {"color": "#000000", "lw": 7, "alpha": 0.25, "zorder": 1},
}


def term_lines(ax: Axes, eps: np.ndarray, terms: Mapping[str, np.ndarray], parameter: str) -> None:
    """Each term of Eq. 13 against the noise that it is made from; in grey, where the noise is."""
    for name, values in terms.items():
        ax.plot(eps, values, label=name, **TERMS[name])
    low, high = ax.get_ylim()
    density = np.exp(-(eps**2) / 2)
    ax.fill_between(eps, low, low + 0.25 * (high - low) * density, color="#888888", alpha=0.25)
    ax.set_ylim(low, high)
    ax.axhline(0, color="#888888", lw=0.8)
    ax.set_xlabel("ε")
    ax.set_title(f"the terms of ∂J/∂{parameter}, draw by draw", fontsize=11)
    ax.legend(frameon=False, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.16))


def plain(axis: Axis) -> None:
    """Let a logarithmic axis read 0.5, 1, 2 in place of powers of ten."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def estimator_lines(
    ax: Axes,
    x: np.ndarray,
    curves: Mapping[str, np.ndarray],
    dots: Mapping[str, np.ndarray] | None = None,
    *,
    xlabel: str,
    ylabel: str,
) -> None:
    """One line for each estimator, in its family's colour, members of one family by their dashes;
    dots: the same, found another way (x and those of some of the estimators)."""
    marks = (dots or {}).get("x")
    names = list(curves)
    for name, values in curves.items():
        colour, marker = style(name)
        same = [n for n in names if style(n)[0] == colour]
        dashes = LINES[same.index(name) % len(LINES)]
        ax.plot(x, values, dashes, color=colour, lw=2, label=name)
        if dots is not None and marks is not None and name in dots:
            face = "white" if same.index(name) else colour
            ax.plot(marks, dots[name], marker, color=colour, mfc=face, mec="black", mew=0.5)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)


def descents(
    ax: Axes, paths: Mapping[str, Sequence[float] | np.ndarray], target: float, ylabel: str
) -> None:
    """A number along updates of several kinds, and where it should go."""
    colours = [colour for colour, _ in FAMILIES.values()]
    for i, (name, path) in enumerate(paths.items()):
        ax.plot(path, color=colours[i], ls=("-", "--", ":", "-.")[i % 4], lw=2, label=name)
    ax.axhline(target, color="black", lw=1, ls="--")
    ax.text(0, target, " minimum of J", va="bottom", fontsize=9)
    ax.set_xlabel("updates")
    ax.set_ylabel(ylabel)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)


def intervals(ax: Axes, means: Mapping[str, tuple[float, float]], exact: float) -> None:
    """(mean, standard error) of each estimator as a 95 % interval, beside the exact number."""
    for y, (name, (mean, error)) in enumerate(means.items()):
        colour, marker = style(name)
        ax.errorbar(mean, y, xerr=Z95 * error, fmt=marker, color=colour, mec="black", capsize=4)
    ax.axvline(exact, color="black", lw=1, ls="--")
    ax.set_yticks(range(len(means)), list(means))
    ax.set_ylim(len(means) - 0.5, -0.5)
    ax.grid(axis="x", alpha=0.3)


def baseline_curves(
    ax: Axes,
    b: np.ndarray,
    variances: Mapping[str, np.ndarray],
    marks: Mapping[str, float],
) -> None:
    """Variance of each parameter against a constant baseline, and where the named ones lie."""
    for (name, values), dashes in zip(variances.items(), ("-", "--", "-."), strict=False):
        ax.plot(b, values, dashes, color=style("score_function")[0], lw=2, label=name)
    top = ax.get_ylim()[1]
    for i, (name, where) in enumerate(marks.items()):
        ax.axvline(where, color="black", lw=0.8, ls=":")
        ax.text(where, top * (0.97 - 0.09 * (i % 3)), f" {name}", fontsize=9, va="top")
    ax.set_ylim(0, top)
    ax.set_xlabel("constant baseline b")
    ax.set_ylabel("variance of one estimate")
    ax.legend(frameon=False, loc="lower right")
    ax.grid(alpha=0.3)
