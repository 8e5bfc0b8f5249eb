"""Figures of notebook 13. They take results and an axis, and compute nothing."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

BUG = "#D55E00"


def landing(
    ax: Axes,
    x: np.ndarray,
    best: np.ndarray,
    right: np.ndarray,
    bug: np.ndarray | None,
    title: str,
    note: str = "",
) -> None:
    """Where a bug leaves the policy: densities on x, or probabilities of a few choices.

    best: exp(Q/α), normalised; right: the policy without the bug; bug: with it, if that is
    anywhere. note: what cannot be seen.
    """
    if len(x) < 10:
        ax.bar(x, best, 0.9, color="#BBBBBB", label="exp(Q/α)")
        ax.bar(x - 0.2, right, 0.3, color="black", label="right")
        if bug is not None:
            ax.bar(x + 0.2, bug, 0.3, color=BUG, label="with the bug")
        ax.set_xticks(x)
        ax.set_ylim(0, 1.15 * max(best.max(), right.max()))
    else:
        ax.fill_between(x, best, color="#BBBBBB", lw=0, label="exp(Q/α)")
        ax.plot(x, right, "k--", lw=1.3, label="right", zorder=3)
        if bug is not None:
            ax.plot(x, bug, color=BUG, lw=2.5, label="with the bug", zorder=2)
        ax.set_ylim(0, 1.5 * max(best.max(), right.max()))
        ax.set_xlim(x[0], x[-1])
    ax.text(0.97, 0.86, note, color=BUG, ha="right", transform=ax.transAxes)
    ax.set_yticks([])
    ax.set_title(title, fontsize=9)


def two_parts(ax: Axes, parts: Mapping[str, tuple[float, float]]) -> None:
    """How much of the value's part and of the entropy's part each mean holds; (1, 1) is right."""
    ends = np.array([-3.0, 3.0])
    ax.plot(ends, ends, color="#888888", lw=0.8, ls="--", zorder=1)
    words = {"color": "#666666", "fontsize": 9}
    slope = {"rotation": 45, "rotation_mode": "anchor", "transform_rotates_text": True}
    ax.text(0.42, 0.5, "another length", **words, **slope)  # type: ignore[arg-type]
    for x, word in ((0, "blind"), (1, "another temperature")):
        ax.axvline(x, color="#888888", lw=0.8, ls=":", zorder=1)
        ax.text(x - 0.05, -1.1, word, **words, rotation=90)  # type: ignore[arg-type]
    spots: dict[tuple[float, float], list[str]] = {}
    for name, (value, entropy) in parts.items():
        spots.setdefault((round(value, 3), round(entropy, 3)), []).append(name)
    for (value, entropy), names in spots.items():
        good = (value, entropy) == (1.0, 1.0)
        ax.plot(value, entropy, "*" if good else "o", color="black" if good else BUG, ms=9)
        ax.annotate(
            ", ".join(names),
            (value, entropy),
            xytext=(8, -3),
            textcoords="offset points",
            fontsize=9,
        )
    ax.set(xlim=(-0.3, 1.7), xlabel="of the value's part", ylabel="of the entropy's part")
    ax.set_ylim(-1.3, max(1.5, 1.15 * max(e for _, e in parts.values())))
    ax.grid(alpha=0.3)
