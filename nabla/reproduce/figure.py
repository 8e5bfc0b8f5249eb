"""The figure of a study: lines are exact, points are measured. It computes nothing."""

import itertools

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from nabla.figures import Z95, style
from nabla.reproduce.reproduction import TREND_FROM, Curve
from toy_problems.published.studies import Study

LINES = ("-", "--", ":", "-.")
ENTRIES = {"mu": "∂/∂μ", "log_std": "∂/∂log σ", "logits": "∂/∂logit", "total": "all parameters"}


def study_figure(study: Study, curves: list[Curve]) -> Figure:
    """A row of panels for each group, a column for each entry; one entry: groups side by side."""
    groups = list(dict.fromkeys(c.group for c in curves))
    panels = list(itertools.product(groups, study.entries))
    across = len(study.entries)
    if across == 1 and len(groups) > 2:
        across = 2 if len(groups) % 2 == 0 else 3
    down = -(-len(panels) // across)
    wide = 4.4 * across + 0.8 if across > 1 else 6.4
    figure = Figure(figsize=(wide, 3.1 * down + 1.2), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False, sharex="row")
    names = list(dict.fromkeys(c.name for c in curves))
    for i, (group, entry) in enumerate(panels):
        ax = axes[i // across, i % across]
        mine = [c for c in curves if c.group == group and c.entry == entry]
        if study.labels:
            _bars(ax, study, mine, names)
        else:
            _lines(ax, study, mine, names)
        if len(panels) > 1:
            ax.set_title(
                ", ".join(t for t in (group, ENTRIES[entry] * (len(study.entries) > 1)) if t),
                fontsize=10,
            )
        if i >= len(panels) - across:
            ax.set_xlabel(study.xlabel)
        if i % across == 0:
            ax.set_ylabel(study.statistic)
        ax.grid(alpha=0.3)
    handles: dict[str, Artist] = {}
    for ax in axes.flat:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=9,
    )
    figure.suptitle(f"{study.title}\n{study.reference}", fontsize=11)
    return figure


def _lines(ax: Axes, study: Study, curves: list[Curve], names: list[str]) -> None:
    done: set[str] = set()
    for c in curves:
        colour, marker = style(c.name)
        # members of one family by the dashes of their lines
        same = [n for n in names if style(n)[0] == colour]
        dashes = LINES[same.index(c.name) % len(LINES)]
        face = "white" if same.index(c.name) else colour
        label = None if c.name in done else c.name
        done.add(c.name)
        ax.plot(c.x, _shown(c.line, study), dashes, color=colour, lw=1.5)
        x, value, sem = c.points.T
        half = Z95 * sem
        if "y" in study.log:  # an interval that reaches below zero is cut at the axis
            half = np.array([np.minimum(half, 0.999 * np.abs(value)), half])
        ax.errorbar(
            x, _shown(value, study), half, fmt=marker, ls="none", color=colour, mfc=face,
            mec="black", mew=0.5, capsize=2.5, ms=5,
        )  # fmt: skip
        if study.trend and c.trend is not None and np.isnan(c.line).all():
            power, _, factor = c.trend
            ends = np.array([TREND_FROM, c.x[-1]])
            ax.plot(ends, factor * ends**power, dashes, color=colour, lw=1.0)
        ax.plot(
            [], [], dashes, marker=marker, color=colour, mfc=face, mec="black", mew=0.5, label=label
        )
    for letter in study.log:
        getattr(ax, f"set_{letter}scale")("log")
    if "x" in study.log:
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())


def _shown(values: np.ndarray, study: Study) -> np.ndarray:
    """A zero has no place on a logarithmic axis."""
    return np.where(values > 1e-12, values, np.nan) if "y" in study.log else values


def _bars(ax: Axes, study: Study, curves: list[Curve], names: list[str]) -> None:
    width = 0.8 / len(curves)
    for i, c in enumerate(curves):
        colour, marker = style(c.name)
        same = [n for n in names if style(n)[0] == colour]
        x = np.arange(len(study.labels)) + (i - (len(curves) - 1) / 2) * width
        shade = 0.25 + 0.25 * same.index(c.name)
        ax.bar(
            x,
            _shown(c.line, study),
            width * 0.92,
            color=colour,
            alpha=min(shade, 1.0),
            label=c.name,
        )
        for at in x[c.line <= 1e-12]:
            ax.text(at, 0.02, "0", transform=ax.get_xaxis_transform(), ha="center")
        case, value, sem = c.points.T
        half = np.array([np.minimum(Z95 * sem, 0.999 * value), Z95 * sem])
        ax.errorbar(
            x[case.astype(int)], _shown(value, study), half, fmt=marker, color=colour,
            mec="black", mew=0.5, capsize=2, ms=5,
        )  # fmt: skip
    ax.set_xticks(range(len(study.labels)), study.labels)
    ax.set_yscale("log")
