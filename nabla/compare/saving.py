"""A comparison on the disk: the reports, one table, the draws behind the violins, a figure."""

import csv
import io
import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from estimators import Report
from estimators.files import whole, write_atomically
from estimators.gradients import flat
from nabla.figures import comparison_figure
from nabla.output import save_figure

COLUMNS = """problem estimator entry estimates exact mean sem bias variance variance_sem
q_evaluations seconds"""


def save_comparison(
    reports: list[Report], samples: dict[str, np.ndarray], folder: Path, command: str
) -> list[Path]:
    """Every file whole or not at all; reports of an earlier run are cleared away."""
    for old in (folder / "reports").glob("*.json"):
        old.unlink()
    versions = {"nabla": version("nabla-workbench"), "torch": torch.__version__}
    write_atomically(folder / "run.json", json.dumps({"command": command, **versions}, indent=1))
    for r in reports:
        r.save(folder / "reports" / f"{r.estimator.replace(':', '.')}.json")
    write_atomically(folder / "table.csv", tidy_csv(reports))
    with whole(folder / "samples.npz") as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **samples)
    title = f"{reports[0].problem}: {reports[0].estimates:,} estimates, 95 % intervals"
    figure = comparison_figure(reports, samples, title)
    return [folder / "table.csv", *save_figure(figure, folder / "figure", command)]


def tidy_csv(reports: Iterable[Report]) -> str:
    """One row for each estimator and entry, and one for the total."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS.split())
    for r in reports:
        columns = [flat(v).tolist() for v in (r.mean, r.sem, r.variance, r.variance_sem)]
        for i, label in enumerate(r.labels):
            mean, sem, variance, variance_sem = (c[i] for c in columns)
            exact = None if r.exact is None else float(r.exact[i])
            bias = None if r.bias is None else float(flat(r.bias)[i])
            row = [label, r.estimates, exact, mean, sem, bias, variance, variance_sem]
            writer.writerow([r.problem, r.estimator, *row, r.q_evaluations, r.seconds])
        total = ["total", r.estimates, None, None, None, None]
        total += [r.total_variance, r.total_variance_sem, r.q_evaluations, r.seconds]
        writer.writerow([r.problem, r.estimator, *total])
    return text.getvalue()
