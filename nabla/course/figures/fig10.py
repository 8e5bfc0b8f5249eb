"""Figures of notebook 10. They take results and an axis, and compute nothing."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from nabla.course.figures import plain

INKS = ("#000000", "#0072B2", "#D55E00", "#CC79A7")
DASHES = ("-", "--", "-.", ":")


def lines(
    ax: Axes, x: np.ndarray, curves: Mapping[str, np.ndarray], xlabel: str, ylabel: str
) -> None:
    """One line for each name, told apart by colour and dashes."""
    for i, (name, y) in enumerate(curves.items()):
        ax.plot(x, y, color=INKS[i % 4], ls=DASHES[i % 4], lw=2, label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)


def contraction(ax: Axes, distance: np.ndarray, gamma: float) -> None:
    """How far Q is from the fixed point after each sweep, and γ^k times the first distance."""
    k = np.arange(len(distance))
    ax.semilogy(k, distance, "o-", color="#0072B2", ms=3, label="largest error of Q")
    ax.semilogy(k, distance[0] * gamma**k, "k--", lw=1, label="γᵏ × the first")
    ax.set_xlabel("sweeps of the soft Bellman operator")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)


def course_of(
    axes: Sequence[Axes], runs: Mapping[str, Sequence[Mapping[str, float]]], target: float
) -> None:
    """Return, entropy and temperature along training, one line for each run."""
    for i, (name, rows) in enumerate(runs.items()):
        step = [row["step"] for row in rows]
        for ax, what in zip(axes, ("return", "entropy", "alpha"), strict=True):
            ax.plot(
                step,
                [row[what] for row in rows],
                color=INKS[i % 4],
                ls=DASHES[i % 4],
                marker="o",
                ms=3,
                lw=2,
                label=name,
            )
    axes[1].axhline(target, color="#888888", lw=1)
    axes[1].text(0.99, target, "target ", ha="right", va="bottom", color="#666666",
                 transform=axes[1].get_yaxis_transform())  # fmt: skip
    axes[2].set_yscale("log")
    plain(axes[2].yaxis)
    for ax, title in zip(axes, ("return", "entropy", "temperature α"), strict=True):
        ax.set_title(title)
        ax.set_xlabel("environment steps")
        ax.grid(alpha=0.3)
    if len(runs) > 1:
        axes[0].legend(frameon=False)
