"""Running a study: closed form, exact moments and measurement of every series, and how far apart
they are."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import norm
from tqdm import tqdm

from estimators import Noise, TooManyNodes, exact_moments, measure
from estimators.gradients import Gradient, flat_rows
from estimators.quadrature import exact_expectation, exact_mean
from estimators.quadrature.batched import batched_moments
from nabla.agreement import cornish_fisher, judge
from toy_problems.published.studies import Cell, Series, Study

FALSE_ALARM = 1e-4  # for all the points of a study together
TREND_FROM = 5.0
EXACTLY = 1e-9  # formula against exact moments, relative to 1 + its size
ROUGHLY = 1e-8  # will do for a standard error, relative to the scale


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
    skewness: np.ndarray | None = None  # [p], of the mean that a value is; zero where not known

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
    def distances(self) -> np.ndarray:
        """Of each measured point from the line, in standard errors."""
        known = self.line[np.searchsorted(self.x, self.points[:, 0])]
        rounding = 1e-12 * (1 + np.abs(known))
        return (self.points[:, 1] - known) / np.hypot(self.points[:, 2], rounding)

    @property
    def z(self) -> float:
        """The largest of them."""
        if not len(self.points) or np.isnan(self.line).all():
            return math.nan
        return float(np.abs(self.distances).max())

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
        if self.deviation > EXACTLY + self.exact_error:
            return False
        skewness = np.zeros(len(self.points)) if self.skewness is None else self.skewness
        slack = cornish_fisher(limit, skewness)
        return math.isnan(self.z) or judge(np.abs(self.distances), limit, slack) != "off"


def run_study(study: Study, estimates: int, points: int, seed: int) -> list[Curve]:
    """Every series of the study, with a bar."""
    curves: list[Curve] = []
    total = sum(len(s.x[s.exact]) for s in study.series) * len(study.entries)
    with tqdm(total=total, leave=False, disable=None) as bar:
        for series in study.series:
            bar.set_description(series.name)
            curves += run_series(study, series, estimates, points, seed, bar.update)
    return curves


def run_series(
    study: Study,
    series: Series,
    estimates: int,
    points: int,
    seed: int,
    tick: Callable[[int], object] = lambda done: None,
) -> list[Curve]:
    """Every entry of the study. Measured at `points` of x, evenly spread, `estimates` each.

    The standard errors are exact where nodes reach: a measured one is too small when what carries
    the variance happens too rarely to have been drawn.
    """
    curves, count = [], len(series.x)
    at = np.unique(np.linspace(0, count - 1, min(points, count)).round().astype(int))
    reached = range(count)[series.exact]
    for entry in study.entries:
        exact, errors = np.full(count, np.nan), [0.0]
        for i in reached:
            exact[i], error = exactly(series.cell(series.x[i], entry), study.statistic, entry)
            errors.append(error / (1 + abs(exact[i])))
            tick(1)
        found, skewness, q_evaluations = [], [], math.nan
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
            spread = chance(cell, study.statistic, entry) if i in reached else None
            if spread is not None:
                sem = spread[0] / math.sqrt(estimates)
            found.append([series.x[i], value, sem])
            skewness.append(0.0 if spread is None else spread[1] / math.sqrt(estimates))
        form = series.formulas.get(entry)
        curves.append(
            Curve(
                series.group, series.name, entry, series.x, form, exact, max(errors),
                np.array(found).reshape(-1, 3), q_evaluations, np.array(skewness),
            )
        )  # fmt: skip
    return curves


def exactly(cell: Cell, statistic: str, entry: str) -> tuple[float, float]:
    """By nodes, and their error: the quick rule where it converges, else the careful one."""
    estimator, policy, objective = cell
    one = policy.map(lambda p: p[None])
    try:
        mean, variance, errors, _ = batched_moments(lambda i: (estimator, one, objective), 1)
        value = _pick(mean if statistic == "mean" else variance, entry)
        error = float(errors.max())
        if error <= 1e-11 * (1 + abs(value)):
            return value, error
    except TooManyNodes:
        pass
    exact_mean, exact_variance = exact_moments(estimator, policy, objective)
    found = exact_mean if statistic == "mean" else exact_variance
    return _pick(found, entry), found.error


def chance(cell: Cell, statistic: str, entry: str) -> tuple[float, float] | None:
    """Standard deviation and skewness of what is averaged, g for a mean and (g − E g)² for a
    variance, by nodes; None beyond them."""
    estimator, policy, objective = cell
    try:
        mean = exact_mean(estimator, policy, objective, tolerance=ROUGHLY)

        def powers(grads: Gradient) -> Gradient:
            deviation = {k: g - mean[k] for k, g in grads.items()}
            if statistic == "mean":
                s = deviation[entry].flatten(1)[:, 0]
            elif entry == "total":
                s = (flat_rows(deviation) ** 2).sum(1)
            else:
                s = deviation[entry].flatten(1)[:, 0] ** 2
            return {"powers": torch.stack([s, s**2, s**3], 1)}

        first, second, third = exact_expectation(
            powers, estimator, policy, objective, tolerance=ROUGHLY
        ).tolist()
    except TooManyNodes:
        return None
    variance = max(0.0, second - first**2)
    if variance <= ROUGHLY * second:
        return math.sqrt(variance), 0.0
    return math.sqrt(variance), (third - 3 * first * second + 2 * first**3) / variance**1.5


def _pick(values: Gradient, entry: str) -> float:
    if entry == "total":
        return float(torch.stack([v.sum() for v in values.values()]).sum())
    return float(values[entry].flatten()[0])


def limit(curves: list[Curve]) -> float:
    """Standard errors that no point exceeds by chance, but for FALSE_ALARM."""
    return float(norm.isf(FALSE_ALARM / 2 / max(1, sum(len(c.points) for c in curves))))
