"""Figures of notebook 07. They take results and an axis, and compute nothing."""

from collections.abc import Mapping

from matplotlib.axes import Axes

from nabla.course.figures import plain
from nabla.figures import style


def ratio_dots(ax: Axes, ratios: Mapping[str, float], bound: float) -> None:
    """One ratio nabla-log / reparameterization a line, in the colour of the one that wins; the
    bound as a wall."""
    names = list(ratios)
    for y, name in enumerate(names):
        wins = "reparameterization" if ratios[name] > 1 else "score_function"
        colour, marker = style(wins)
        ax.plot([1, ratios[name]], [y, y], color=colour, lw=2, alpha=0.5)
        ax.plot(ratios[name], y, marker, color=colour, mec="black", mew=0.6, ms=8)
        side = ratios[name] > 1
        ax.annotate(
            f"{ratios[name]:.2g}",
            (ratios[name], y),
            xytext=(9 if side else -9, 0),
            textcoords="offset points",
            ha="left" if side else "right",
            va="center",
            fontsize=9,
        )
    ax.axvline(1, color="black", lw=1)
    ax.axvline(bound, color="black", lw=1, ls="--")
    ax.set_xscale("log")
    plain(ax.xaxis)
    ax.set_xlim(min(ratios.values()) / 2.5, bound * 1.9)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set_xlabel("second moment of nabla-log with its best baseline / of reparameterization")
    ax.text(0.9, -0.75, "← nabla-log wins", ha="right", va="bottom", fontsize=9)
    ax.text(1.1, -0.75, "reparameterization wins →", ha="left", va="bottom", fontsize=9)
    ax.set_ylim(len(names) - 0.4, -1.3)
    ax.grid(axis="x", alpha=0.3)
