"""Who wins on a grid of problems: the comparison of sheets, without the figure."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.ndimage import binary_erosion

from estimators import BIASED
from nabla.family import Family
from nabla.map.grid import Grid, Sheet, misses
from toy_problems.theory.maps import closed_forms


@dataclass(frozen=True, eq=False)
class Map:
    """What the figure shows. scores: of every cell."""

    grid: Grid
    logarithmic: dict[str, bool]
    names: list[str]
    scores: np.ndarray  # [estimators, y, x]
    winner: np.ndarray  # [y, x], an index of names
    ratio: np.ndarray  # [y, x], second best over best
    decided: np.ndarray  # [y, x]
    boundaries: list[np.ndarray]  # [y, x] each: a difference, zero on the exact boundary

    @property
    def wins(self) -> list[float]:
        """The share of all cells that each is decided to win."""
        every = range(len(self.names))
        return [float(((self.winner == i) & self.decided).mean()) for i in every]


def drop_biased(sheets: dict[str, Sheet], reference: Sheet) -> dict[str, str]:
    """Takes out estimators whose mean is not that of the reference, which is unbiased whatever Q:
    pathwise ones where Q jumps, and exhibits. {taken out: why}."""
    out: dict[str, str] = {}
    for name in list(sheets):
        share = misses(sheets[name], reference)
        if share > 0.01:
            why = BIASED.get(name, "pathwise estimators miss the jumps of Q")
            out[name] = f"its mean is not the gradient on {100 * share:.0f} % of the cells ({why})"
            del sheets[name]
    return out


def merge(sheets: dict[str, Sheet]) -> dict[str, str]:
    """Takes out estimators whose exact variance is that of an earlier one everywhere, unless it
    leaves one alone: {taken out: the earlier one}."""
    same: dict[str, str] = {}
    zero = 1e-12 * max(float(s.variance.max()) for s in sheets.values())  # rounding, on any scale
    for name, sheet in list(sheets.items()):
        for other in list(sheets)[: list(sheets).index(name)]:
            exact = not sheet.measured and not sheets[other].measured
            if (
                exact
                and len(sheets) > 2
                and np.allclose(sheet.variance, sheets[other].variance, rtol=1e-9, atol=zero)
            ):
                same[name] = other
                del sheets[name]
                break
    return same


def collect(
    family: Family,
    axes: Grid,
    logarithmic: dict[str, bool],
    sheets: dict[str, Sheet],
    by: str,
    entry: str,
) -> Map:
    """Winner, ratio and what is decided; the exact boundaries where both winners have a formula."""
    names = list(sheets)
    scores, halves = (
        np.stack(v) for v in zip(*(s.score(by) for s in sheets.values()), strict=True)
    )
    order = np.argsort(scores, 0, kind="stable")
    pick = partial(np.take_along_axis, axis=0)
    best, second = pick(scores, order[:1])[0], pick(scores, order[1:2])[0]
    doubt = np.hypot(pick(halves, order[:1])[0], pick(halves, order[1:2])[0])
    scale = np.maximum(np.abs(second), 1e-300)
    decided = second - best > np.maximum(doubt, 1e-9 * scale)
    ratio = np.where(best > 1e-12 * scale, second / np.maximum(best, 1e-12 * scale), np.inf)
    return Map(
        axes,
        logarithmic,
        names,
        scores,
        order[0],
        ratio,
        decided,
        exact_boundaries(family, axes, sheets, by, entry),
    )


def exact_boundaries(
    family: Family, axes: Grid, sheets: dict[str, Sheet], by: str, entry: str
) -> list[np.ndarray]:
    """V_i − V_j over the grid, as ratios of their sum, where theory has both and no third
    estimator with a formula is better."""
    xs, ys = np.meshgrid(*axes.values())
    nx, ny = axes
    known = closed_forms(family.name, {**family.known, nx: xs, ny: ys}) if by != "seconds" else None
    forms = {
        name: np.broadcast_to(known[name][entry], xs.shape)
        * (sheet.q_evaluations if by == "q" else 1)
        for name, sheet in sheets.items()
        if known and entry in known.get(name, {})
    }
    lines = []
    names = list(forms)
    for i, one in enumerate(names):
        for two in names[i + 1 :]:
            others = [forms[n] for n in names if n not in (one, two)]
            worse = np.maximum(forms[one], forms[two])
            line = (forms[one] - forms[two]) / (np.abs(forms[one]) + np.abs(forms[two]) + 1e-300)
            beaten = [o < worse * (1 - 1e-9) for o in others]
            hidden = np.any(beaten, 0) if beaten else np.zeros(xs.shape, bool)
            hidden = binary_erosion(hidden, border_value=1)  # lines meet where three are equal
            line = np.where(hidden, np.nan, line)
            if np.nanmin(line, initial=1) < 0 < np.nanmax(line, initial=-1):
                lines.append(line)
    return lines
