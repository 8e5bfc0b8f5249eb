"""Who wins on a grid of problems: the comparison of sheets, without the figure."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
from scipy.ndimage import binary_erosion

from estimators import Estimator
from estimators.catalogue import entry_of
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


def trusted(
    sheets: Mapping[str, Sheet], reference: Sheet, chosen: Mapping[str, Estimator]
) -> tuple[dict[str, Sheet], dict[str, str]]:
    """Those whose mean is that of the reference, which is unbiased whatever Q; why the others are
    not: pathwise ones where Q jumps, and exhibits."""
    shares = {name: misses(sheet, reference) for name, sheet in sheets.items()}
    off = {name: share for name, share in shares.items() if share > 0.01}
    reasons = {}
    for name, share in off.items():
        entry = entry_of(chosen[name])
        bias = (entry.bias if entry else "") or "pathwise estimators miss the jumps of Q"
        reasons[name] = f"its mean is not the gradient on {100 * share:.0f} % of the cells ({bias})"
    return {name: sheet for name, sheet in sheets.items() if name not in off}, reasons


def merged(sheets: Mapping[str, Sheet]) -> tuple[dict[str, Sheet], dict[str, str]]:
    """Without estimators whose exact variance is that of an earlier one everywhere, unless it
    leaves one alone; and {left out: the earlier one}."""
    zero = 1e-12 * max(float(s.variance.max()) for s in sheets.values())  # rounding, on any scale
    kept: dict[str, Sheet] = {}
    same: dict[str, str] = {}
    for name, sheet in sheets.items():
        twin = next((k for k, other in kept.items() if alike(sheet, other, zero)), None)
        if twin is None or len(sheets) - len(same) <= 2:
            kept[name] = sheet
        else:
            same[name] = twin
    return kept, same


def alike(one: Sheet, other: Sheet, zero: float) -> bool:
    """Whether both are exact, with the same variance on every cell."""
    if one.measured or other.measured:
        return False
    return np.allclose(one.variance, other.variance, rtol=1e-9, atol=zero)


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
    boundaries = exact_boundaries(family, axes, sheets, by, entry)
    return Map(axes, logarithmic, names, scores, order[0], ratio, decided, boundaries)


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
    for one, two in combinations(forms, 2):
        worse = np.maximum(forms[one], forms[two])
        line = (forms[one] - forms[two]) / (np.abs(forms[one]) + np.abs(forms[two]) + 1e-300)
        others = [forms[name] for name in forms if name not in (one, two)]
        beaten = [other < worse * (1 - 1e-9) for other in others]
        hidden = np.any(beaten, 0) if beaten else np.zeros(xs.shape, bool)
        hidden = binary_erosion(hidden, border_value=1)  # lines meet where three are equal
        line = np.where(hidden, np.nan, line)
        if np.nanmin(line, initial=1) < 0 < np.nanmax(line, initial=-1):
            lines.append(line)
    return lines
