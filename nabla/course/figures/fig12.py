"""Figures of notebook 12. They take results and an axis, and compute nothing."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from nabla.course.figures import plain
from nabla.figures import Z95, style

LOOKS = ("#000000", "#0072B2", "#D55E00", "#CC79A7")


def evidence_lines(
    ax: Axes,
    n: np.ndarray,
    z: Mapping[str, np.ndarray],
    expected: Mapping[str, np.ndarray],
    limit: float,
) -> None:
    """How many standard errors each mean is off after n estimates, thin the √n expected of its
    bias, and where the alarm is."""
    for i, (name, values) in enumerate(z.items()):
        dash = ("-", "--", "-.", ":")[i % 4]
        ax.plot(n, values, dash, color=LOOKS[i % 4], lw=2, label=name)
        if name in expected:
            ax.plot(n, expected[name], color=LOOKS[i % 4], lw=0.8)
    ax.axhline(limit, color="#888888", lw=1)
    ax.axhspan(limit, 1e4, color="#888888", alpha=0.15, lw=0)
    ax.text(n[0], 1.15 * limit, " alarm", va="bottom", color="#444444")
    ax.set(xscale="log", yscale="log", xlabel="estimates", ylabel="standard errors off")
    ax.set_ylim(0.1, 3 * max(float(np.max(v)) for v in z.values()))
    ax.set_xlim(n[0], n[-1])
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def work_plane(
    ax: Axes, names: Sequence[str], cost: np.ndarray, variance: np.ndarray, half: np.ndarray
) -> None:
    """Variance against cost; on a dashed line variance × cost is the same everywhere."""
    order = np.argsort(cost * variance)
    ends = np.array([0.7 * cost.min(), 1.6 * cost.max()])
    best = float((cost * variance).min())
    for factor in (1, 2, 5, 20, 50):
        colour, width = ("black", 1.2) if factor == 1 else ("#888888", 0.7)
        ax.plot(ends, factor * best / ends, ls="--", zorder=1, color=colour, lw=width)
    for place, i in enumerate(order):
        colour, marker = style(names[i])
        ax.errorbar(
            cost[i],
            variance[i],
            yerr=Z95 * half[i],
            fmt=marker,
            color=colour,
            mec="black",
            mew=0.5,
            ms=8,
            capsize=2,
            label=f"{place + 1}  {names[i]}",
        )
        same = [np.allclose([cost[j], variance[j]], [cost[i], variance[i]]) for j in order]
        alike = [str(k + 1) for k in np.flatnonzero(same)]
        if alike[0] != str(place + 1):
            continue  # its mark is under another one, which names both
        ax.annotate(
            ", ".join(alike),
            (cost[i], variance[i]),
            xytext=(7, 4 if place % 2 else -11),
            textcoords="offset points",
            fontsize=9,
        )
    ax.set(xscale="log", yscale="log", xlim=ends)
    plain(ax.xaxis)
    plain(ax.yaxis)
    ax.set_ylim(0.5 * variance.min(), 2 * variance.max())
    ax.set_xlabel("cost of one estimate, evaluations of Q")
    ax.set_ylabel("total variance of one estimate")
    ax.grid(alpha=0.3)
    ax.legend(
        frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), title="by variance × cost"
    )
