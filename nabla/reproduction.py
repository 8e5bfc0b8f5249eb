"""Running a study: closed form, exact moments and measurement of every series, and how far apart
they are."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import norm

from estimators import Noise, TooManyNodes, exact_moments, measure
from estimators.batched import batched_moments
from estimators.gradients import Gradient
from toy_problems.studies import Cell, Series, Study

FALSE_ALARM = 1e-4  # for all the points of a study together
TREND_FROM = 5.0
EXACTLY = 1e-9  # formula against exact moments, relative to 1 + its size


@dataclass(frozen=True, eq=False)
class Curve:
    """One entry of one series: exact where nodes reach, else nan; measured at some of x."""

    group: str
    name: str
    entry: str
    x: np.ndarray
    formula: np.ndarray | None
    exact: np.ndarray
    exact_error: float
    points: np.ndarray  # [p, 3]: x, value, standard error
    q_evaluations: float

    @property
    def line(self) -> np.ndarray:
        """The formula if there is one, else the exact moments."""
        return self.exact if self.formula is None else self.formula

    @property
    def deviation(self) -> float:
        """Of the formula from the exact moments, over 1 + its size; nan without one of them."""
        if self.formula is None or np.isnan(self.exact).all():
            return math.nan
        return float(np.nanmax(np.abs(self.formula - self.exact) / (1 + np.abs(self.formula))))

    @property
    def z(self) -> float:
        """Largest distance of a measured point from the line, in standard errors."""
        if not len(self.points) or np.isnan(self.line).all():
            return math.nan
        known = self.line[np.searchsorted(self.x, self.points[:, 0])]
        rounding = 1e-12 * (1 + np.abs(known))
        return float(
            (np.abs(self.points[:, 1] - known) / np.hypot(self.points[:, 2], rounding)).max()
        )

    @property
    def trend(self) -> tuple[float, float, float] | None:
        """(p, its standard error, c) of value ≈ c·x^p, least squares of logarithms through the
        measured points with x ≥ TREND_FROM; None with fewer than three."""
        x, value, sem = self.points[self.points[:, 0] >= TREND_FROM].T
        if len(x) < 3 or (value <= 0).any():
            return None
        u = np.log(x) - np.log(x).mean()
        weight = u / (u @ u)  # p = Σ weight·log value
        p = float(weight @ np.log(value))
        error = float(np.sqrt((weight**2) @ (sem / value) ** 2))
        return p, error, float(np.exp(np.log(value).mean() - p * np.log(x).mean()))

    def agrees(self, limit: float) -> bool:
        """Formula within 1e-9 (and the nodes' own error), measurement within chance."""
        far = self.deviation > EXACTLY + self.exact_error
        return not far and not self.z > limit


def run_series(
    study: Study,
    series: Series,
    estimates: int,
    points: int,
    seed: int,
    tick: Callable[[int], object] = lambda done: None,
) -> list[Curve]:
    """Every entry of the study. Measured at `points` of x, evenly spread, `estimates` each."""
    curves = []
    at = np.unique(
        np.linspace(0, len(series.x) - 1, min(points, len(series.x))).round().astype(int)
    )
    for entry in study.entries:
        exact, errors = np.full(len(series.x), np.nan), [0.0]
        for i in range(len(series.x))[series.exact]:
            exact[i], error = exactly(series.cell(series.x[i], entry), study.statistic, entry)
            errors.append(error / (1 + abs(exact[i])))
            tick(1)
        found, q_evaluations = [], math.nan
        for i in at:
            cell = series.cell(series.x[i], entry)
            report = measure(*cell, estimates=estimates, rng=Noise(seed), exact=None)
            q_evaluations = report.q_evaluations
            if entry == "total":
                value, sem = report.total_variance, report.total_variance_sem
            else:
                values = (report.mean, report.sem)
                if study.statistic == "variance":
                    values = (report.variance, report.variance_sem)
                value, sem = (float(v[entry].flatten()[0]) for v in values)
            found.append([series.x[i], value, sem])
        form = series.formulas.get(entry)
        curves.append(
            Curve(
                series.group, series.name, entry, series.x, form, exact, max(errors),
                np.array(found).reshape(-1, 3), q_evaluations,
            )
        )  # fmt: skip
    return curves


def exactly(cell: Cell, statistic: str, entry: str) -> tuple[float, float]:
    """By nodes, and their error: the quick rule where it converges, else the careful one."""
    estimator, policy, objective = cell
    one = policy.map(lambda p: p[None])
    try:
        mean, variance, errors = batched_moments(lambda i: (estimator, one, objective), 1)
        value = _pick(mean if statistic == "mean" else variance, entry)
        if float(errors[0]) <= 1e-11 * (1 + abs(value)):
            return value, float(errors[0])
    except TooManyNodes:
        pass
    exact_mean, exact_variance = exact_moments(estimator, policy, objective)
    found = exact_mean if statistic == "mean" else exact_variance
    return _pick(found, entry), found.error


def _pick(values: Gradient, entry: str) -> float:
    if entry == "total":
        return float(torch.stack([v.sum() for v in values.values()]).sum())
    return float(values[entry].flatten()[0])


def limit(curves: list[Curve]) -> float:
    """Standard errors that no point exceeds by chance, but for FALSE_ALARM."""
    return float(norm.isf(FALSE_ALARM / 2 / max(1, sum(len(c.points) for c in curves))))
