"""Variances of several estimators on every cell of a grid of problems, exact or measured."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from estimators import (
    CATALOGUE,
    Categorical,
    Estimator,
    Gaussian,
    Mixture,
    Noise,
    Objective,
    Policy,
    Report,
    TooManyNodes,
    exact_moments,
    measure,
    optimal,
    score_function,
    value,
)
from estimators.quadrature.batched import batched_moments
from nabla.family import Family

Grid = dict[str, np.ndarray]  # the values along the two axes, x first
PILOT = 2048  # estimates that the cost is taken from
TRUSTED = 1e-6  # of 1 + variance, what a cell may be off `exact_moments` beyond its own ±

# Unbiased, and few enough draws for exact moments; the others are there by name. A baseline never
# hurts the variance, but it costs.
DEFAULT: dict[type[Policy], tuple[str, ...]] = {
    Gaussian: (
        "reparameterization",
        "sticking_the_landing",
        "score_function_optimal",
    ),
    Mixture: (
        "implicit_reparameterization",
        "implicit_stl",
        "score_function_optimal",
        "marginalized",
        "marginalized_stl",
    ),
    Categorical: ("score_function_value", "score_function_optimal"),
}


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


def evaluate(
    family: Family,
    grid: Grid,
    name: str,
    estimator: Estimator,
    entry: str,
    estimates: int,
    seed: int,
    tick: Callable[[int], object] = lambda cells: None,
    others: Sequence[Sheet] = (),
) -> Sheet:
    """entry: total, mu, log_std or logits. Exact where nodes reach, else `estimates` a cell.
    A feature of Q that needed many nodes in one of `others` gets as many here."""
    x, y = grid.values()
    sheets = {key: np.zeros((len(y), len(x))) for key in ("v", "h", "q", "s", "n")}
    least = np.max([sheets["n"], *(s.steps for s in others)], 0)
    means, measured = [], False
    costs: dict[tuple[int, ...], Report] = {}
    for where, settings in _blocks(family, grid):
        shape = sheets["v"][where].shape
        count = int(np.prod(shape))
        flat = {k: v.reshape(-1) for k, v in settings.items()}

        def cells(
            i: Tensor, flat: dict[str, np.ndarray] = flat
        ) -> tuple[Estimator, Policy, Objective]:
            here = {
                k: torch.as_tensor(v[i.numpy()])
                if not isinstance(family.known[k], int)
                else int(v[0])
                for k, v in flat.items()
            }
            policy, objective = family.batch(here, len(i))
            return prepared(name, estimator, policy, objective, entry), policy, objective

        whole = tuple(int(v[0]) for k, v in flat.items() if isinstance(family.known[k], int))
        if whole not in costs:  # with its baseline's, if it has one
            _, policy, objective = cells(torch.tensor([count // 2]))
            costs[whole] = _measure(estimator, policy, objective, PILOT, seed)
        cost = costs[whole]
        try:
            needed = torch.as_tensor(least[where].reshape(-1))
            mean, variance, error, steps = batched_moments(cells, count, least=needed)
            sheets["n"][where] = steps.numpy().reshape(shape)
            v, h = select(variance, entry).numpy(), error[:, 1].numpy()
            means.append((_flat(mean), error[:, :1].numpy()))
        except TooManyNodes:
            measured = True
            reports = [_measure(*cells(torch.tensor([i])), estimates, seed) for i in range(count)]
            found = [
                (select(r.variance, entry), 1.96 * select(r.variance_sem, entry)) for r in reports
            ]
            v, h = np.array([[float(a), float(b)] for a, b in found]).T
            parts = zip(*((_flat(r.mean), _flat(r.sem)) for r in reports), strict=True)
            mean_of_cells, sem = (np.concatenate(p) for p in parts)
            means.append((mean_of_cells, sem))
        for key, values in (("v", v), ("h", h)):
            sheets[key][where] = values.reshape(shape)
        sheets["q"][where], sheets["s"][where] = cost.q_evaluations, cost.seconds
        tick(count)
    v, h, q, s, n = sheets.values()
    return Sheet(v, h, q, s, means, measured, n)


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


def prepared(
    name: str, estimator: Estimator, policy: Policy, objective: Objective, entry: str
) -> Estimator:
    """With a baseline by nodes worked out once for each policy, not once for each draw; and the
    optimal one for the entry that is asked for."""
    if name == "score_function_value":
        return partial(score_function, baseline=value(policy, objective))
    if name == "score_function_optimal":
        parameter = None if entry == "total" else entry
        return partial(score_function, baseline=optimal(policy, objective, parameter))
    return estimator


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
        (np.abs(mean - known) > 6 * np.hypot(half, slack) + 1e-9 * (deviation + np.abs(known))).any(
            1
        )
        for (mean, half), (known, slack) in zip(sheet.means, reference.means, strict=True)
    ]
    return float(np.concatenate(off).mean())


def _flat(values: dict[str, Tensor]) -> np.ndarray:
    return torch.cat([v.flatten(1) for v in values.values()], 1).numpy()


def spot_check(
    family: Family,
    grid: Grid,
    sheets: dict[str, Sheet],
    estimators: dict[str, Estimator],
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
        for j, i in zip(
            rng.integers(len(y), size=picks), rng.integers(len(x), size=picks), strict=True
        ):
            p = family.at(**{nx: x[i].item(), ny: y[j].item()})
            estimator = prepared(name, estimators[name], p.policy, p.objective, entry)
            try:
                _, variance = exact_moments(estimator, p.policy, p.objective)
            except TooManyNodes:
                continue
            chosen = variance.values() if entry == "total" else [variance[entry]]
            exact = sum(float(v.sum()) for v in chosen)
            gap = abs(exact - sheet.variance[j, i]) / (1 + exact)
            worst = gap if not gap <= worst else worst
            wrong |= bool(gap > 6 * sheet.half[j, i] / (1 + exact) + TRUSTED)
    return worst, wrong


def default_estimators(policy: Policy, by: str) -> dict[str, Estimator]:
    names = DEFAULT[type(policy)] + (("score_function",) if by != "variance" else ())
    return {name: CATALOGUE[type(policy)][name] for name in names}


def parse_axes(family: Family, texts: Sequence[str], count: int) -> tuple[Grid, dict[str, bool]]:
    """name=low:high[:log] -> the values along it; whole numbers for a setting that is one."""
    grid: Grid = {}
    logarithmic: dict[str, bool] = {}
    for text in texts:
        name, _, ends = text.partition("=")
        parts = ends.split(":")
        try:
            low, high = (float(p) for p in parts[:2])
        except ValueError:
            raise ValueError(
                f"an axis is name=low:high or name=low:high:log, got {text!r}"
            ) from None
        if parts[2:] not in ([], ["log"]):
            raise ValueError(f"an axis is name=low:high or name=low:high:log, got {text!r}")
        if name not in family.known:
            raise ValueError(
                f"{family.name} has no setting {name!r}; it has {', '.join(family.known)}"
            )
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
