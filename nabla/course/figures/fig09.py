"""Figures of notebook 09. They take results and an axis, and compute nothing."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

Array = np.ndarray
# The three ways to write log(1 − tanh² u), always in these colours and dashes.
FORMS: dict[str, tuple[str, str, float]] = {
    "stable": ("#0072B2", "-", 5.0),
    "naive": ("#000000", ":", 2.5),
    "epsilon": ("#D55E00", "--", 2.5),
}


def three_forms(ax: Axes, x: Array, curves: Mapping[str, Array], xlabel: str, ylabel: str) -> None:
    """One line for each form; where a number is not finite its line ends with a cross."""
    for name, values in curves.items():
        colour, dashes, width = FORMS[name]
        pale = 0.45 if name == "stable" else 1.0
        good = np.isfinite(values)
        shown = np.where(good, values, np.nan)
        ax.plot(x, shown, dashes, color=colour, lw=width, alpha=pale, label=name)
        if not good.all() and good.any():
            last = int(np.flatnonzero(~good)[0]) - 1
            ax.plot(x[last], values[last], "x", color=colour, ms=10, mew=2.5)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)


def entropy_curve(ax: Axes, sigma: Array, entropy: Array, target: float, roots: Array) -> None:
    """Entropy against σ, a target, and the widths that have it; the bound above."""
    ax.plot(sigma, entropy, color="#0072B2", lw=2.5)
    ax.axhline(np.log(2), color="black", lw=1, ls=":")
    ax.text(sigma[0], np.log(2), "log 2: uniform", va="bottom", fontsize=9)
    ax.axhline(target, color="black", lw=1, ls="--")
    for root, colour, side in zip(roots, ("#009E73", "#D55E00"), (-1, 1), strict=False):
        ax.plot(root, target, "o", color=colour, mec="black", ms=9)
        ax.annotate(
            f"σ = {root:.2g}",
            (root, target),
            (9 * side, 7),
            textcoords="offset points",
            ha="right" if side < 0 else "left",
        )
    ax.set_xscale("log")
    ax.set_ylim(-3.6, 1.2)
    ax.set_xlabel("σ, before the tanh")
    ax.set_ylabel("entropy of a = tanh u")
    ax.grid(alpha=0.3)


def two_policies(ax: Axes, a: Array, curves: Mapping[str, Array]) -> None:
    """Densities of squashed policies that have one entropy."""
    for (name, density), colour in zip(curves.items(), ("#009E73", "#D55E00"), strict=False):
        ax.plot(a, density, color=colour, lw=2.5, label=name)
        ax.fill_between(a, 0, density, color=colour, alpha=0.2)
    ax.set_xlim(-1, 1)
    ax.set_ylim(0, 5)
    ax.set_xlabel("action a")
    ax.set_ylabel("density")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)


def temperatures(
    ax: Axes, paths: Mapping[str, Array], goals: Mapping[str, float], ylabel: str
) -> None:
    """α along updates of the temperature, one colour for each target; where it should go."""
    for i, (name, path) in enumerate(paths.items()):
        colour = ("#0072B2", "#D55E00", "#009E73")[i % 3]
        ax.plot(path, color=colour, lw=2.5, ls=("-", "--", ":")[i % 3], label=name)
        if name in goals:
            ax.axhline(goals[name], color=colour, lw=1)
    ax.set_yscale("log")
    ax.set_xlabel("updates of the temperature")
    ax.set_ylabel(ylabel)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
