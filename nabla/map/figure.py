"""The figure of a map. It takes results and computes nothing."""

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch

from nabla.figures import plain_ticks, style
from nabla.map.winners import Map

LEAD = 10.0  # the lead from which on a colour is full
PALE = 0.75  # how far towards white a tie is
MARKS = 9  # markers along an axis, so that regions are told apart without colour


def map_figure(result: Map, title: str) -> Figure:
    """Winner by colour and marker, lead by depth of colour, exact boundaries as lines, hatching
    where the winner is not decided."""
    figure = Figure(figsize=(7.2, 5.2), layout="constrained")
    ax = figure.subplots()
    (nx, x), (ny, y) = result.grid.items()
    if result.logarithmic[nx]:
        ax.set_xscale("log")
        plain_ticks(ax.xaxis)
    if result.logarithmic[ny]:
        ax.set_yscale("log")
        plain_ticks(ax.yaxis)
    ex, ey = _edges(x, result.logarithmic[nx]), _edges(y, result.logarithmic[ny])
    colours = np.array([to_rgb(_shade(result.names, i)) for i in range(len(result.names))])
    depth = np.clip(np.log(np.maximum(result.ratio, 1)) / np.log(LEAD), 0, 1)[..., None]
    image = colours[result.winner] * (1 - PALE * (1 - depth)) + PALE * (1 - depth)
    ax.pcolormesh(ex, ey, image, rasterized=True)
    if not result.decided.all():
        _hatch(ax, result, ex, ey)
    for line in result.boundaries if min(len(x), len(y)) > 1 else []:  # a row has no contours
        ax.contour(x, y, line, levels=[0.0], colors="black", linewidths=1.8)
    _marks(ax, result, x, y)
    ax.set(xlim=(ex[0], ex[-1]), ylim=(ey[0], ey[-1]), xlabel=nx, ylabel=ny)
    ax.set_title(title, fontsize=11)
    handles: list[Line2D | Patch] = []
    for i, name in enumerate(result.names):
        mark = Line2D([], [], ls="", marker=style(name)[1], ms=10, mec="black", mew=0.6, label=name)
        mark.set_color(_shade(result.names, i))
        if not (result.winner == i).any():
            mark.set(alpha=0.3, label=f"{name} (nowhere best)")
        handles.append(mark)
    if result.boundaries:
        handles.append(Line2D([], [], color="black", lw=1.8, label="exact boundary"))
    if not result.decided.all():
        handles.append(Patch(fc="white", ec="#333333", hatch="////", label="not decided"))
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    _lead_bar(figure, ax)
    return figure


def _hatch(ax: Axes, result: Map, ex: np.ndarray, ey: np.ndarray) -> None:
    """One path for all undecided cells: rows of neighbours become one rectangle."""
    corners = []
    for j, row in enumerate(~result.decided):
        jumps = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
        for left, right in jumps.reshape(-1, 2):
            x, y = ex[[left, right]], ey[[j, j + 1]]
            corners.append([(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])])
    path = mpl.path.Path.make_compound_path(*(mpl.path.Path(c, closed=False) for c in corners))
    with mpl.rc_context({"hatch.linewidth": 0.6}):
        ax.add_patch(PathPatch(path, fc="none", ec="#222222", lw=0, hatch="////"))


def _edges(centres: np.ndarray, logarithmic: bool) -> np.ndarray:
    """Edges of cells around their centres."""
    c = np.log(centres) if logarithmic else centres.astype(float)
    if len(c) == 1:
        edges = np.array([c[0] - 0.5, c[0] + 0.5])
    else:
        middle = (c[1:] + c[:-1]) / 2
        edges = np.concatenate([[2 * c[0] - middle[0]], middle, [2 * c[-1] - middle[-1]]])
    return np.exp(edges) if logarithmic else edges


def _shade(names: list[str], i: int) -> str:
    """The family's colour; darker for a second and third member of a family on the same map."""
    colour, _ = style(names[i])
    before = sum(style(name)[0] == colour for name in names[:i])
    red, green, blue = (0.72**before * c for c in to_rgb(colour))
    return mpl.colors.to_hex((red, green, blue))


def _marks(ax: Axes, result: Map, x: np.ndarray, y: np.ndarray) -> None:
    """The winner's marker on a sparse sub-grid."""
    for k, j in enumerate(_spread(len(y))):
        for i in _spread(len(x), shift=k % 2):
            name = result.names[result.winner[j, i]]
            if result.decided[j, i]:
                colour = _shade(result.names, result.winner[j, i])
                ax.plot(x[i], y[j], style(name)[1], ms=5, color=colour, mec="black", mew=0.6)


def _spread(count: int, shift: int = 0) -> list[int]:
    step = max(1, count // MARKS)
    first = step // 2 + (step // 2 if shift else 0)
    return list(range(min(first, count - 1), count, step))


def _lead_bar(figure: Figure, ax: Axes) -> None:
    """How much better than the second the winner is, in grey."""
    grey = mpl.colors.LinearSegmentedColormap.from_list(
        "lead", [(PALE + 0.25 * (1 - PALE),) * 3, (0.25,) * 3]
    )
    norm = mpl.colors.LogNorm(1, LEAD)
    shades = mpl.cm.ScalarMappable(norm, grey)
    bar = figure.colorbar(shades, ax=ax, shrink=0.6, extend="max", pad=0.02)
    bar.set_label("second best / best")
    bar.set_ticks([1, 2, 5, 10], labels=["1", "2", "5", "10"])
    bar.minorticks_off()
