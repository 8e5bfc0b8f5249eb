"""Figures of notebook 04. They take results and an axis, and compute nothing."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from nabla.figures import FAMILIES, style

PATH, SCORE = style("reparameterization")[0], style("score_function")[0]
COLOURS = [colour for colour, _ in FAMILIES.values()]


def moved_samples(
    ax: Axes, curve: np.ndarray, before: np.ndarray, after: np.ndarray, title: str
) -> None:
    """Samples on the curve Q, [2, n] each (a, Q); below, sticks of one height, that move along."""
    base, unit = _sticks(ax, curve, before[0])
    ax.plot(*before, "o", mfc="white", mec="#888888", ms=7, zorder=2)
    ax.plot(*after, "o", color=PATH, ms=7, zorder=3)
    ax.vlines(after[0], base, base + unit, color=PATH, lw=3, label="after")
    for start, end in zip(before[0], after[0], strict=True):
        arrow = {"arrowstyle": "->", "color": PATH, "shrinkA": 0, "shrinkB": 0}
        top = base + 1.08 * unit
        ax.annotate("", (end, top), (start, top), arrowprops=arrow)
    _finish(ax, title)


def weighted_samples(
    ax: Axes, curve: np.ndarray, samples: np.ndarray, weights: np.ndarray, title: str
) -> None:
    """Samples that stay, [2, n]; below, sticks as high as their new weights."""
    base, unit = _sticks(ax, curve, samples[0])
    ax.plot(*samples, "o", color=SCORE, ms=7, zorder=3)
    ax.vlines(samples[0], base, base + unit * weights, color=SCORE, lw=3, label="after")
    _finish(ax, title)


def _sticks(ax: Axes, curve: np.ndarray, a: np.ndarray) -> tuple[float, float]:
    """Q, and below it a stick for each sample as it was; where they stand, and their height."""
    size = float(np.ptp(curve[1]))
    base, unit = float(curve[1].min()) - 0.5 * size, 0.15 * size
    ax.plot(*curve, color="#888888", lw=1.5, zorder=1)
    ax.vlines(a, base, base + unit, color="#AAAAAA", lw=6, alpha=0.6, label="before")
    ax.axhline(base, color="#AAAAAA", lw=0.8)
    ax.set_yticks([t for t in ax.get_yticks() if t >= curve[1].min()])
    return base, unit


def _finish(ax: Axes, title: str) -> None:
    ax.set_xlabel("a")
    ax.set_ylabel("Q(a); below it, the samples")
    ax.set_title(title, fontsize=11)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, loc="upper left")


def critics(
    ax: Axes, a: np.ndarray, curves: Mapping[str, np.ndarray], density: np.ndarray, title: str
) -> None:
    """Critics over actions; the policy as a grey hill at the bottom."""
    for i, (name, Q) in enumerate(curves.items()):
        ax.plot(a, Q, color=("black", COLOURS[4])[i % 2], lw=(1.2, 1.8)[i % 2], label=name)
    low, high = ax.get_ylim()
    hill = low + 0.4 * (high - low) * density / density.max()
    ax.fill_between(a, low, hill, color="#888888", alpha=0.3, lw=0, label="π")
    ax.set_ylim(low, high)
    ax.set_xlabel("a")
    ax.set_title(title, fontsize=11)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, fontsize=9)


def gradients(
    ax: Axes, mu: np.ndarray, curves: Mapping[str, np.ndarray], at: float, ylabel: str
) -> None:
    """Derivatives against μ, the first black and broad; a vertical line at the present μ."""
    for i, (name, g) in enumerate(curves.items()):
        colour = ("black", PATH, SCORE)[i]
        ax.plot(mu, g, color=colour, lw=(5, 2, 2)[i], alpha=(0.25, 1, 1)[i], label=name)
        ax.lines[-1].set_linestyle(("-", "-", "--")[i])
    ax.axvline(at, color="black", lw=1, ls=":")
    ax.set_xlabel("μ")
    ax.set_ylabel(ylabel)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, fontsize=9)


def steepness(
    ax: Axes, k: np.ndarray, curves: Mapping[str, np.ndarray], dashed: Mapping[str, np.ndarray]
) -> None:
    """Variances against the steepness of a soft step; dashed: what they tend to."""
    for name, v in curves.items():
        ax.plot(k, v, color=style(name)[0], lw=2, label=name)
    for name, v in dashed.items():
        ax.plot(k, v, color="black", lw=1, ls="--", label=name)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("steepness k")
    ax.set_ylabel("variance of one estimate, for μ")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, fontsize=9)
