"""A comparison on the disk: the reports, one table, the draws behind the violins, a figure."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from estimators import Report
from estimators.gradients import flat
from nabla.figures import comparison_figure
from nabla.output import save_arrays, save_csv, save_figure, save_run

COLUMNS = """problem estimator entry estimates exact mean sem bias variance variance_sem
q_evaluations seconds"""


def save_comparison(
    reports: list[Report], samples: dict[str, np.ndarray], folder: Path, command: str
) -> list[Path]:
    """Every file whole or not at all; reports of an earlier run are cleared away."""
    for old in (folder / "reports").glob("*.json"):
        old.unlink()
    save_run(folder, command)
    for r in reports:
        r.save(folder / "reports" / f"{r.estimator.replace(':', '.')}.json")
    save_csv(folder / "table.csv", COLUMNS.split(), tidy(reports))
    save_arrays(folder / "samples.npz", samples)
    title = f"{reports[0].problem}: {reports[0].estimates:,} estimates, 95 % intervals"
    figure = comparison_figure(reports, samples, title)
    return [folder / "table.csv", *save_figure(figure, folder / "figure", command)]


def tidy(reports: Iterable[Report]) -> Iterator[list[Any]]:
    """One row for each estimator and entry, and one for the total."""
    for r in reports:
        columns = [flat(v).tolist() for v in (r.mean, r.sem, r.variance, r.variance_sem)]
        for i, label in enumerate(r.labels):
            mean, sem, variance, variance_sem = (c[i] for c in columns)
            exact = None if r.exact is None else float(r.exact[i])
            bias = None if r.bias is None else float(flat(r.bias)[i])
            row = [label, r.estimates, exact, mean, sem, bias, variance, variance_sem]
            yield [r.problem, r.estimator, *row, r.q_evaluations, r.seconds]
        total = [r.total_variance, r.total_variance_sem, r.q_evaluations, r.seconds]
        yield [r.problem, r.estimator, "total", r.estimates, None, None, None, None, *total]
