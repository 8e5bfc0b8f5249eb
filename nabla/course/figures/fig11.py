"""Figures of notebook 11, beside those of the study. They take results, and compute nothing."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

MARKS, INKS = "osD^v", ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7")


def along(
    ax: Axes, curves: Mapping[str, tuple[Sequence[float], np.ndarray]], level: float, ylabel: str
) -> None:
    """{task: (steps, [seeds, steps])}: small points are seeds, the line is their middle."""
    for i, (task, (steps, values)) in enumerate(curves.items()):
        for seed in values:
            ax.plot(steps, seed, MARKS[i % 5], color=INKS[i % 5], ms=3, alpha=0.5, mew=0)
        ax.plot(
            steps,
            np.exp(np.log(values).mean(0)),
            marker=MARKS[i % 5],
            color=INKS[i % 5],
            ms=5,
            label=task,
        )
    ax.axhline(level, color="black", lw=0.8, ls="--")
    ax.set(yscale="log", xlabel="environment steps", ylabel=ylabel)
    ax.set_yticks([0.5, 1, 2], ["0.5", "1", "2"])
    ax.set_yticks([], minor=True)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def told_and_measured(ax: Axes, told: np.ndarray, measured: np.ndarray, what: str) -> None:
    """One point a state, and the diagonal."""
    ax.loglog(told, measured, "o", ms=3, alpha=0.4, color="#8a2be2", mew=0)
    ends = [min(told.min(), measured.min()), max(told.max(), measured.max())]
    ax.plot(ends, ends, "k-", lw=0.8)
    ax.set(xlabel=f"{what}, foretold", ylabel="measured")
    ax.grid(alpha=0.3)
