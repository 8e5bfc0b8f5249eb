"""Variances of several estimators on every cell of a grid of problems, exact or measured."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from estimators import (
    Entry,
    Estimator,
    Noise,
    Objective,
    Policy,
    Report,
    TooManyNodes,
    exact_moments,
    measure,
)
from estimators.catalogue import applicable
from estimators.gradients import flat_rows
from estimators.quadrature.batched import batched_moments
from nabla.agreement import distance
from nabla.family import Family

Grid = dict[str, np.ndarray]  # the values along the two axes, x first
Batch = Callable[[Tensor], tuple[Estimator, Policy, Objective]]  # of the cells of those indices
PILOT = 2048  # estimates that the cost is taken from
FAR = 6.0  # ± of both means together, beyond which they are not the same
ROUNDING = 1e-9 / FAR  # of a mean
TRUSTED = 1e-6  # of 1 + variance, what a cell may be off `exact_moments` beyond its own ±


@dataclass(frozen=True, eq=False)
class Sheet:
    """One estimator on the grid [y, x]: variance, ± (95 %, or the nodes' error), cost."""

    variance: np.ndarray
    half: np.ndarray
    q_evaluations: np.ndarray
    seconds: np.ndarray
    means: list[tuple[np.ndarray, np.ndarray]]  # [cells, entries] and ± for each block
    measured: bool
    steps: np.ndarray  # of the nodes on each cell; 0 where it was measured

    def score(self, by: str) -> tuple[np.ndarray, np.ndarray]:
        """Variance, or variance × cost, with its ±."""
        cost = {"variance": 1.0, "q": self.q_evaluations, "seconds": self.seconds}[by]
        return self.variance * cost, self.half * cost


@dataclass(frozen=True, eq=False)
class Cells:
    """One estimator on some cells: variance and ± [cells]; mean and ± [cells, entries]."""

    variance: np.ndarray
    half: np.ndarray
    mean: np.ndarray
    mean_half: np.ndarray
    steps: np.ndarray  # of the nodes on each; 0 where they were measured


def evaluate(
    family: Family,
    grid: Grid,
    estimator: Estimator,
    entry: str,
    estimates: int,
    seed: int,
    tick: Callable[[int], object] = lambda cells: None,
    others: Sequence[Sheet] = (),
) -> Sheet:
    """entry: total, or one of the parameters. Exact where nodes reach, else `estimates` a cell.
    A feature of Q that needed many nodes in one of `others` gets as many here."""
    x, y = grid.values()
    variance, half, q_evaluations, seconds, steps = np.zeros((5, len(y), len(x)))
    least = np.max([steps, *(s.steps for s in others)], 0)
    means, measured = [], False
    costs: dict[tuple[int, ...], Report] = {}
    for where, settings in _blocks(family, grid):
        flat = {name: values.reshape(-1) for name, values in settings.items()}
        count, needed = variance[where].size, least[where].reshape(-1)
        whole = tuple(int(v[0]) for k, v in flat.items() if isinstance(family.known[k], int))
        if whole not in costs:  # with its baseline's, if it has one
            at = _problems(family, flat, torch.tensor([count // 2]))
            costs[whole] = _measure(estimator, *at, PILOT, seed)
        cells = partial(_cells, family, flat, estimator, entry)
        try:
            found = _exactly(cells, needed, entry)
        except TooManyNodes:
            found, measured = _by_draws(cells, count, entry, estimates, seed), True
        for sheet, values in ((variance, found.variance), (half, found.half), (steps, found.steps)):
            sheet[where] = values.reshape(sheet[where].shape)
        means.append((found.mean, found.mean_half))
        q_evaluations[where], seconds[where] = costs[whole].q_evaluations, costs[whole].seconds
        tick(count)
    return Sheet(variance, half, q_evaluations, seconds, means, measured, steps)


def _problems(family: Family, flat: dict[str, np.ndarray], i: Tensor) -> tuple[Policy, Objective]:
    """Those of the cells i, as one batch."""
    here = {
        k: int(v[0]) if isinstance(family.known[k], int) else torch.as_tensor(v[i.numpy()])
        for k, v in flat.items()
    }
    return family.batch(here, len(i))


def _cells(
    family: Family, flat: dict[str, np.ndarray], estimator: Estimator, entry: str, i: Tensor
) -> tuple[Estimator, Policy, Objective]:
    policy, objective = _problems(family, flat, i)
    return prepared(estimator, policy, objective, entry), policy, objective


def _exactly(cells: Batch, least: np.ndarray, entry: str) -> Cells:
    mean, variance, error, steps = batched_moments(cells, len(least), least=torch.as_tensor(least))
    found = (select(variance, entry), error[:, 1], flat_rows(mean), error[:, :1], steps)
    return Cells(*(values.numpy() for values in found))


def _by_draws(cells: Batch, count: int, entry: str, estimates: int, seed: int) -> Cells:
    reports = [_measure(*cells(torch.tensor([i])), estimates, seed) for i in range(count)]
    return Cells(
        np.array([float(select(r.variance, entry)) for r in reports]),
        np.array([1.96 * float(select(r.variance_sem, entry)) for r in reports]),
        np.concatenate([flat_rows(r.mean).numpy() for r in reports]),
        np.concatenate([flat_rows(r.sem).numpy() for r in reports]),
        np.zeros(count),
    )


def _blocks(family: Family, grid: Grid) -> Iterator[tuple[tuple[slice, slice], Grid]]:
    """Pieces of the grid that one batch can hold: all of it if the settings are real numbers,
    line by line along whole numbers, cell by cell where a batch is not what its cells are."""
    (nx, x), (ny, y) = grid.items()
    whole = [isinstance(family.known[n], int) for n in (nx, ny)]
    real = {n: v for n, v in grid.items() if not isinstance(family.known[n], int)}
    single = bool(real) and not family.can_batch(real)
    steps_x = 1 if whole[0] or single else len(x)
    steps_y = 1 if whole[1] or single else len(y)
    for j, i in itertools.product(range(0, len(y), steps_y), range(0, len(x), steps_x)):
        where = (slice(j, j + steps_y), slice(i, i + steps_x))
        xs, ys = np.meshgrid(x[where[1]], y[where[0]])
        yield where, {nx: xs, ny: ys}


def prepared(estimator: Estimator, policy: Policy, objective: Objective, entry: str) -> Estimator:
    """With what depends on the policy alone worked out once, not once for each draw; a baseline
    that is the best for one parameter, for the entry that is asked for."""
    if not isinstance(estimator, Entry):
        return estimator
    return estimator.prepared(policy, objective, None if entry == "total" else entry)


def select(values: dict[str, Tensor], entry: str) -> Tensor:
    """[b, …] of each parameter -> the sum over the entry's numbers, [b]."""
    chosen = values.values() if entry == "total" else [values[entry]]
    return sum((v.flatten(1).sum(1) for v in chosen), torch.zeros(()))


def _measure(
    estimator: Estimator, policy: Policy, objective: Objective, estimates: int, seed: int
) -> Report:
    return measure(estimator, policy, objective, estimates=estimates, rng=Noise(seed), exact=None)


def misses(sheet: Sheet, reference: Sheet) -> float:
    """The share of cells on which the mean is not the reference's, by 6 ± of both together."""
    deviation = float(reference.variance.max()) ** 0.5  # what rounding is measured by
    off = [
        (distance(mean - known, half, slack, ROUNDING * (deviation + np.abs(known))) > FAR).any(1)
        for (mean, half), (known, slack) in zip(sheet.means, reference.means, strict=True)
    ]
    return float(np.concatenate(off).mean())


def spot_check(
    family: Family,
    grid: Grid,
    sheets: dict[str, Sheet],
    estimators: Mapping[str, Estimator],
    entry: str,
    seed: int,
    picks: int = 2,
) -> tuple[float, bool]:
    """Largest deviation of exact sheets from `exact_moments` on random cells, over 1 + variance,
    and whether one is more than 6 times the cell's own ± (and 1e-6 of 1 + variance); nan where
    there is nothing to compare."""
    rng = np.random.default_rng(seed)
    (nx, x), (ny, y) = grid.items()
    worst, wrong = float("nan"), False
    for name, sheet in sheets.items():
        if sheet.measured:
            continue
        rows, columns = (rng.integers(len(v), size=picks) for v in (y, x))
        for j, i in zip(rows, columns, strict=True):
            p = family.at(**{nx: x[i].item(), ny: y[j].item()})
            estimator = prepared(estimators[name], p.policy, p.objective, entry)
            try:
                _, variance = exact_moments(estimator, p.policy, p.objective)
            except TooManyNodes:
                continue
            exact = float(select({k: v[None] for k, v in variance.items()}, entry))
            gap = abs(exact - sheet.variance[j, i]) / (1 + exact)
            worst = gap if not gap <= worst else worst
            wrong |= bool(gap > 6 * sheet.half[j, i] / (1 + exact) + TRUSTED)
    return worst, wrong


def default_estimators(policy: Policy, by: str) -> dict[str, Estimator]:
    """Unbiased, and few enough draws for exact moments; the others are there by name. A baseline
    never hurts the variance, but it costs."""
    mine, _ = applicable(policy)
    bare = () if by == "variance" else ("score_function",)
    return {name: entry for name, entry in mine.items() if entry.usual or name in bare}


def parse_axes(family: Family, texts: Sequence[str], count: int) -> tuple[Grid, dict[str, bool]]:
    """name=low:high[:log] -> the values along it; whole numbers for a setting that is one."""
    grid: Grid = {}
    logarithmic: dict[str, bool] = {}
    for text in texts:
        name, _, ends = text.partition("=")
        parts = ends.split(":")
        try:
            low, high = (float(p) for p in parts[:2])
            if parts[2:] not in ([], ["log"]):
                raise ValueError
        except ValueError:
            form = "name=low:high or name=low:high:log"
            raise ValueError(f"an axis is {form}, got {text!r}") from None
        if name not in family.known:
            known = ", ".join(family.known) or "none"
            raise ValueError(f"{family.name} has no setting {name!r}; it has {known}")
        if name in family.fixed:
            raise ValueError(f"{name} is an axis: it cannot be set to one number as well")
        if name in grid:
            raise ValueError(f"the two axes must differ, both are {name!r}")
        log = parts[2:] == ["log"]
        if not (math.isfinite(low) and math.isfinite(high) and low < high) or (log and low <= 0):
            raise ValueError(f"{name} must go from low to high (above 0 for log), got {ends!r}")
        values = np.geomspace(low, high, count) if log else np.linspace(low, high, count)
        if isinstance(family.known[name], int):
            values = np.unique(np.round(values).astype(int))
        grid[name], logarithmic[name] = values, log
    return grid, logarithmic
