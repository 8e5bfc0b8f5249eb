"""Figures of notebook 03. They take results and an axis, and compute nothing."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from nabla.figures import FAMILIES

COLOURS = [colour for colour, _ in FAMILIES.values()][::2]
LOOKS = ("-", "--", ":", "-.")


def policy_bars(ax: Axes, Q: np.ndarray, policies: Mapping[str, np.ndarray]) -> None:
    """The probability of each action, a group of bars for an action; below it, its Q."""
    width = 0.8 / len(policies)
    for i, (name, pi) in enumerate(policies.items()):
        x = np.arange(len(pi)) + (i - (len(policies) - 1) / 2) * width
        ax.bar(x, pi, width, color=COLOURS[i], edgecolor="black", lw=0.6, label=name)
    ax.set_xticks(range(len(Q)), [f"Q = {q:g}" for q in Q])
    ax.set_ylim(0, 1)
    ax.set_ylabel("π(a)")
    ax.grid(axis="y", alpha=0.3)
    ax.set_axisbelow(True)
    ax.legend(frameon=False, loc="upper left")


def densities(ax: Axes, a: np.ndarray, curves: Mapping[str, np.ndarray], title: str = "") -> None:
    """Densities of actions; the first one, the target, as a grey hill."""
    for i, (name, p) in enumerate(curves.items()):
        if i == 0:
            ax.fill_between(a, p, color="#888888", alpha=0.35, lw=0, label=name)
        else:
            ax.plot(a, p, color=COLOURS[i - 1], ls=LOOKS[i - 1], lw=2.2, label=name)
    ax.set_ylim(0)
    ax.set_xlabel("a")
    ax.set_title(title, fontsize=11)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, fontsize=9)


def divergences(
    ax: Axes, x: np.ndarray, curves: Mapping[str, np.ndarray], at: float, ylabel: str
) -> None:
    """Curves over φ, the least point of each marked, and a vertical line at the present φ."""
    for i, (name, y) in enumerate(curves.items()):
        ax.plot(x, y, color=COLOURS[i], ls=LOOKS[i], lw=2.2, label=name)
        least = np.flatnonzero(y < y.min() + 1e-9)
        ax.plot(x[least], y[least], "v", color=COLOURS[i], mec="black", ms=9)
    ax.axvline(at, color="black", lw=1, ls="--")
    ax.set_xlabel("φ")
    ax.set_ylabel(ylabel)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, fontsize=9)


def landscape(
    ax: Axes,
    phi: np.ndarray,
    sigma: np.ndarray,
    kl: np.ndarray,
    minima: Sequence[tuple[float, float]],
    title: str,
) -> None:
    """Contours of a divergence, [φ, σ], and its local minima; the filled one is the lowest."""
    levels = kl.min() + np.geomspace(0.01, 4, 14)
    ax.contourf(phi, sigma, kl.T, levels, cmap="viridis", extend="both")
    ax.contour(phi, sigma, kl.T, levels, colors="white", linewidths=0.5)
    for i, (x, y) in enumerate(minima):
        ax.plot(x, y, "o", ms=10, mec="white", mew=1.8, mfc="#D55E00" if i == 0 else "none")
    ax.set_xlabel("φ")
    ax.set_ylabel("σ")
    ax.set_title(title, fontsize=11)
