"""The figure of a study: lines are exact, points are measured. It computes nothing."""

import itertools
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nabla.figures import EDGE, Z95, plain_ticks, style
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
        (_bars if study.labels else _lines)(ax, study, mine, names)
        if len(panels) > 1:
            parts = (group, ENTRIES[entry] * (len(study.entries) > 1))
            ax.set_title(", ".join(filter(None, parts)), fontsize=10)
        if i >= len(panels) - across:
            ax.set_xlabel(study.xlabel)
        if i % across == 0:
            ax.set_ylabel(study.statistic)
        ax.grid(alpha=0.3)
    handles: dict[str, Artist] = {}
    for ax in axes.flat:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    where: dict[str, Any] = {"loc": "outside lower center", "ncols": 2}
    figure.legend(handles.values(), handles.keys(), frameon=False, fontsize=9, **where)
    figure.suptitle(f"{study.title}\n{study.reference}", fontsize=11)
    return figure


def _lines(ax: Axes, study: Study, curves: list[Curve], names: list[str]) -> None:
    labelled: set[str] = set()
    for c in curves:
        colour, marker, member = _look(c, names)
        dashes = LINES[member % len(LINES)]
        face = "white" if member else colour
        ax.plot(c.x, _shown(c.line, study), dashes, color=colour, lw=1.5)
        _points(ax, study, c, c.points[:, 0], mfc=face)
        if study.trend and c.trend is not None and np.isnan(c.line).all():
            power, _, factor = c.trend
            ends = np.array([TREND_FROM, c.x[-1]])
            ax.plot(ends, factor * ends**power, dashes, color=colour, lw=1.0)
        label = None if c.name in labelled else c.name
        labelled.add(c.name)
        ax.plot([], [], dashes, marker=marker, color=colour, mfc=face, label=label, **EDGE)
    for letter in study.log:
        getattr(ax, f"set_{letter}scale")("log")
    if "x" in study.log:
        plain_ticks(ax.xaxis)


def _bars(ax: Axes, study: Study, curves: list[Curve], names: list[str]) -> None:
    width = 0.8 / len(curves)
    for i, c in enumerate(curves):
        colour, _, member = _look(c, names)
        x = np.arange(len(study.labels)) + (i - (len(curves) - 1) / 2) * width
        shade = min(0.25 + 0.25 * member, 1.0)
        line = _shown(c.line, study)
        ax.bar(x, line, width * 0.92, color=colour, alpha=shade, label=c.name)
        for at in x[c.line <= 1e-12]:
            ax.text(at, 0.02, "0", transform=ax.get_xaxis_transform(), ha="center")
        _points(ax, study, c, x[c.points[:, 0].astype(int)])
    ax.set_xticks(range(len(study.labels)), study.labels)
    ax.set_yscale("log")


def _look(c: Curve, names: list[str]) -> tuple[str, str, int]:
    """Its family's colour and marker, and which member of the family it is among those named."""
    colour, marker = style(c.name)
    return colour, marker, [n for n in names if style(n)[0] == colour].index(c.name)


def _points(ax: Axes, study: Study, c: Curve, x: np.ndarray, **face: str) -> None:
    """What was measured, with 95 % intervals."""
    colour, marker = style(c.name)
    _, value, sem = c.points.T
    half = Z95 * sem
    if "y" in study.log:  # an interval that reaches below zero is cut at the axis
        half = np.array([np.minimum(half, 0.999 * np.abs(value)), half])
    look: dict[str, Any] = {"color": colour, "capsize": 2, "ms": 5, **EDGE, **face}
    ax.errorbar(x, _shown(value, study), half, fmt=marker, ls="none", **look)


def _shown(values: np.ndarray, study: Study) -> np.ndarray:
    """A zero has no place on a logarithmic axis."""
    return np.where(values > 1e-12, values, np.nan) if "y" in study.log else values
