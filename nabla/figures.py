"""Figures from reports. They take results and an axis, and compute nothing."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from estimators import Report
from estimators.catalogue import row
from nabla.statistics import bootstrap_band, interquartile_mean

Z95 = 1.959964
NOTHING: Mapping[str, str] = {}

_OKABE_ITO = mpl.color_sequences["okabe_ito"]
# One colour and one marker for each family of estimators, everywhere; a row of the catalogue says
# which family an estimator is of.
FAMILIES: dict[str, tuple[str, str]] = {
    family: (mpl.colors.to_hex(_OKABE_ITO[colour]), marker)
    for family, colour, marker in (
        ("pathwise", 5, "o"),
        ("pathwise, no score", 2, "D"),
        ("score function", 6, "s"),
        ("measure-valued", 3, "^"),
        ("marginalized", 7, "P"),
        ("exact, differences", 0, "X"),
        ("relaxed", 1, "v"),
        ("combined", 4, "*"),
    )
}
UNKNOWN = ("#666666", ".")
EDGE: dict[str, Any] = {"mec": "black", "mew": 0.5}  # of an estimator's marker


def style(label: str, family: str = "") -> tuple[str, str]:
    """Colour and marker of an estimator's family; grey dots for one that has none.

    label: its name, maybe with more behind it ("score_function, n = 8"); family: where it is known
    already, as in a report.
    """
    entry = row(name_in(label))
    return FAMILIES.get(family or (entry.family if entry else ""), UNKNOWN)


def name_in(label: str) -> str:
    """The estimator's name that a label begins with."""
    return re.match(r"[\w:.]*", label)[0]  # type: ignore[index]  # it matches the empty string


def variance_bars(ax: Axes, reports: Sequence[Report], per_q: bool = False) -> None:
    """Total variance of one estimate with its 95 % interval, best on top; or × Q evaluations."""
    scales = [r.q_evaluations if per_q else 1.0 for r in reports]
    values = {
        r.estimator: (r.total_variance * scale, Z95 * r.total_variance_sem * scale)
        for r, scale in zip(reports, scales, strict=True)
    }
    bars(ax, values, {r.estimator: r.family for r in reports})
    ax.set_xlabel("total variance × Q evaluations" if per_q else "total variance of one estimate")


def bars(
    ax: Axes, values: Mapping[str, tuple[float, float]], families: Mapping[str, str] = NOTHING
) -> None:
    """{estimator: (value, half an interval)} on a logarithmic axis, from the top. families: of
    those that the catalogue does not know.

    What is no more than the rounding of the others is zero.
    """
    zero = max(1e-30, 1e-20 * max(value for value, _ in values.values()))
    for y, (name, (value, half)) in enumerate(values.items()):
        colour, marker = style(name, families.get(name, ""))
        if value > zero:
            ax.barh(y, value, color=colour, alpha=0.35, height=0.7)
            ax.errorbar(value, y, xerr=half, fmt=marker, color=colour, ms=6, capsize=3, **EDGE)
        else:
            ax.text(0.02, y, "zero", transform=ax.get_yaxis_transform(), va="center")
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    if high < 10 * low:  # powers of ten are too far apart
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.xaxis.set_major_formatter("{x:.4g}")
    if high < 100 * low:  # their multiples are printed over each other
        ax.xaxis.set_minor_formatter(NullFormatter())
    _a_row_each(ax, values)


def _a_row_each(ax: Axes, estimators: Iterable[str]) -> None:
    """Their names along y, from the top."""
    names = [label_of(name) for name in estimators]
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.grid(axis="x", alpha=0.3)


def plain_ticks(axis: Axis) -> None:
    """0.5, 1, 2 in place of powers of ten."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def gradient_violins(
    ax: Axes,
    samples: Mapping[str, np.ndarray],
    exact: float | None,
    label: str,
    families: Mapping[str, str] = NOTHING,
) -> None:
    """Single-sample gradients of one parameter on an asinh axis, the exact gradient marked.

    The axis is linear up to 1, or to a smaller power of ten if most estimators stay below it.
    """
    sizes = [abs(x).max() for x in samples.values()]
    largest = float(max(np.median(sizes), 1e-3 * max(sizes)))
    unit = 10.0 ** min(0, math.floor(math.log10(largest))) if largest > 0 else 1.0
    for y, (name, x) in enumerate(samples.items()):
        colour, marker = style(name, families.get(name, ""))
        if np.ptp(x) > max(1e-15, 1e-9 * abs(x).max()):
            parts = ax.violinplot(
                [np.arcsinh(x / unit)], [y], orientation="horizontal", widths=0.9, showextrema=False
            )
            for body in parts["bodies"]:  # type: ignore[attr-defined]
                body.set_facecolor(colour)
                body.set_alpha(0.45)
        ax.plot(np.arcsinh(x.mean() / unit), y, marker, color=colour, ms=6, zorder=3, **EDGE)
    if exact is not None:
        ax.axvline(np.arcsinh(exact / unit), color="black", lw=1, ls="--", zorder=2)
    low = float(np.arcsinh(min(x.min() for x in samples.values()) / unit))
    high = float(np.arcsinh(max(x.max() for x in samples.values()) / unit))
    ticks = _ticks(low - 0.5, high + 0.5)
    ax.set_xticks([float(np.arcsinh(t)) for t in ticks], [f"{t * unit:g}" for t in ticks])
    ax.set_xlim(low - 0.3, high + 0.3)
    ax.set_xlabel(f"single-sample ∂J/∂{label} (asinh axis)")
    _a_row_each(ax, samples)


def label_of(estimator: str) -> str:
    """Its name, and a warning."""
    entry = row(name_in(estimator))
    return f"{estimator} (biased)" if entry and entry.bias else estimator


def _ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Zero and powers of ten, with their threefold if there is room, between low and high on an
    asinh axis; every second, third, … power where there is little."""
    decades = max(2, math.ceil(max(-low, high) / math.log(10)) + 1)
    powers = [10.0**e for e in range(decades)]
    choices = [[1.0, *(m * t for t in powers[1:] for m in (1, 3))], powers]
    choices += [powers[step::step] for step in range(2, decades)]
    for ones in choices:
        both = [*(-t for t in reversed(ones)), 0.0, *ones]
        ticks = [t for t in both if low <= math.asinh(t) <= high]
        if len(ticks) <= most:
            break
    return ticks


def comparison_figure(
    reports: Sequence[Report], samples: Mapping[str, np.ndarray], title: str, panels: int = 2
) -> Figure:
    """Variance bars, alone and × Q evaluations, above violins of the first few parameters.

    samples: {estimator: [draws, entries]}, entries in the order of `Report.labels`.
    """
    reports = sorted(reports, key=lambda r: r.total_variance)
    height = 0.9 + 0.26 * len(reports)
    figure = Figure(figsize=(11, 2 * height), layout="constrained")
    axes = figure.subplots(2, 2, squeeze=False)
    variance_bars(axes[0, 0], reports)
    variance_bars(axes[0, 1], reports, per_q=True)
    families = {r.estimator: r.family for r in reports}
    for i, ax in enumerate(axes[1]):
        ax.set_visible(i < min(panels, reports[0].size))
        if ax.get_visible():
            exact = None if reports[0].exact is None else float(reports[0].exact[i])
            draws = {r.estimator: samples[r.estimator][:, i] for r in reports}
            gradient_violins(ax, draws, exact, reports[0].labels[i], families)
    for ax in axes[:, 1]:
        ax.tick_params(labelleft=False)
    figure.suptitle(title)
    return figure


def learning_curves(curves: Mapping[str, Sequence[np.ndarray]]) -> Figure:
    """Return against steps, a panel for each task: a thin line for each seed, a thick one for
    their interquartile mean, and from three seeds on its 95 % bootstrap band.

    curves: {label: one array [evaluations, 2] a seed}; a label is "task, …, estimator".
    """
    tasks = list(dict.fromkeys(label.partition(", ")[0] for label in curves))
    figure = Figure(figsize=(2.5 + 4.5 * len(tasks), 4.2), layout="constrained")
    panels = dict(zip(tasks, figure.subplots(1, len(tasks), squeeze=False)[0], strict=True))
    count = dict.fromkeys(tasks, 0)
    for label, seeds in curves.items():
        task, _, rest = label.partition(", ")
        ax, line = panels[task], ("-", "--", ":", "-.")[count[task] % 4]
        count[task] += 1
        colour, marker = style(label.rpartition(", ")[2])
        for curve in seeds:
            ax.plot(curve[:, 0], curve[:, 1], line, color=colour, lw=0.8, alpha=0.5)
        shared = sorted(set.intersection(*(set(c[:, 0]) for c in seeds)))
        values = np.array([[c[c[:, 0] == s, 1][0] for s in shared] for c in seeds])
        if len(seeds) >= 3:
            ax.fill_between(shared, *bootstrap_band(values), color=colour, alpha=0.2, lw=0)
        middle = interquartile_mean(values)
        name = f"{rest} ({len(seeds)} seed{'s' * (len(seeds) > 1)})"
        if not shared:
            name += ", evaluated at different steps"
        ax.plot(shared, middle, line, marker=marker, color=colour, lw=2, ms=4, label=name)
    for task, ax in panels.items():
        ax.set(title=task, xlabel="environment steps")
        ax.grid(alpha=0.3)
        ax.legend(frameon=False)
    panels[tasks[0]].set_ylabel("return of the deterministic policy")
    return figure
