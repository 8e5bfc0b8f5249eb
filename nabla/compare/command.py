"""`nabla compare`: bias, variance and cost of estimators on one problem."""

import csv
import io
import json
import os
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import tyro
from scipy import stats
from tqdm import tqdm

from estimators import (
    BIASED,
    Antithetic,
    Estimator,
    Noise,
    Objective,
    Policy,
    Report,
    Sobol,
    measure,
    per_sample_gradients,
)
from estimators.files import whole, write_atomically
from estimators.gradients import flat, flat_rows
from estimators.watching import Watched
from nabla.figures import command_line, comparison_figure, save_figure
from nabla.table import render, with_error
from nabla.target import load_problem, pick_estimators
from toy_problems import Problem

SOURCES = {"independent": Noise, "antithetic": Antithetic, "sobol": Sobol}
SAMPLES = 2000  # single-sample gradients kept for the violins
MOST = 2**16  # estimates looked at again, where all were alike
FALSE_ALARM = 1e-4  # for the whole table
PATHWISE = ("reparam", "sticking", "implicit", "marginalized", "convex")


def compare(
    problem: Annotated[str, tyro.conf.Positional] = "report",
    *,
    estimators: tuple[str, ...] = (),
    estimates: int = 100_000,
    n: int | None = None,
    seed: int = 0,
    noise: Literal["independent", "antithetic", "sobol"] = "independent",
    set: tuple[str, ...] = (),
    mu: tuple[float, ...] = (),
    log_std: tuple[float, ...] = (),
    logits: tuple[float, ...] = (),
    alpha: float | None = None,
    squash: bool = False,
    dtype: Literal["float64", "float32"] = "float64",
    device: str = "cpu",
    compile: bool = False,
    out: Path = Path("out"),
) -> int:
    """Measure estimators of the gradient on one problem: bias, variance, cost.

    Prints a table; saves the numbers (CSV, one JSON report an estimator), the draws behind the
    violins (npz) and a figure (PDF, SVG, PNG). Every ± is one standard error.

    Args:
        problem: a name from `nabla problems`, or your own Q as module:function, mapping
            actions [..., d] to values [...] (then say the policy: --mu, --log-std, --logits).
        estimators: names from `nabla estimators`, or module:function; by default all that apply.
        estimates: independent estimates to draw of each.
        n: actions averaged inside one estimate, where an estimator takes it.
        seed: of the noise; the same for every estimator.
        noise: independent, antithetic or Sobol draws along n (they need --n > 1 to differ).
        set: settings of the problem, name=number.
        mu: means of the policy.
        log_std: log standard deviations of the policy.
        logits: component or action logits of the policy.
        alpha: temperature.
        squash: take tanh of the actions.
        dtype: of the policy.
        device: where to compute, as torch names it.
        compile: torch.compile the estimators (20 s each, worth it from 10⁷ estimates).
        out: folder for the results.
    """
    if n is not None and n < 1:
        raise ValueError(f"n must be ≥ 1, got {n}")
    if not 0 <= seed < 2**62:
        raise ValueError(f"seed must lie in [0, 2⁶²), got {seed}")
    what = load_problem(problem, set, mu, log_std, logits, alpha, squash, getattr(torch, dtype))
    what = _move(what, device)
    folder = out / f"compare-{what.name.replace(':', '.')}"
    require_folder(folder)
    chosen = pick_estimators(what.policy, estimators)
    exact = what.gradient()
    reports: list[Report] = []
    samples: dict[str, np.ndarray] = {}
    skipped: dict[str, str] = {}
    blind: AbstractSet[str] = frozenset()
    failed: list[Exception] = []
    with tqdm(total=len(chosen) * estimates, leave=False, disable=None, unit_scale=True) as bar:
        for name, base in chosen.items():
            estimator = base if n is None else partial(base, n=n)
            bar.set_description(name)
            try:
                report = measure(
                    estimator,
                    what.policy,
                    what.objective,
                    estimates=estimates,
                    rng=SOURCES[noise](seed, device),
                    exact=exact,
                    name=name,
                    problem=what.name,
                    compile=compile,
                    progress=partial(_tick, bar),
                )
                rng = SOURCES[noise](seed + 1, device)
                samples[name] = single_samples(estimator, what.policy, what.objective, rng)
                if bool(report.alike.all()) and is_blind(
                    estimator, what, rng, min(estimates, MOST), report.rounding
                ):
                    blind |= {name}
            except Exception as error:  # of the estimator or of somebody's Q
                if name in estimators:
                    raise
                failed.append(error)
                skipped[name] = " ".join(str(error).split())
                continue
            reports.append(report)
    if not reports:
        raise failed[0]
    changed = {"mu": mu, "log_std": log_std, "logits": logits, "alpha": alpha, "n": n}
    settings = [*set, *(f"{k} = {_said(v)}" for k, v in changed.items() if v not in ((), None))]
    settings += ["squashed"] * squash + [noise] * (noise != "independent")
    try:
        paths = save_comparison(reports, samples, folder, command_line(seed))
    finally:  # the table is there, whatever cannot be saved
        print_comparison(reports, what, skipped, blind, settings)
    print("\n".join(map(str, paths)))
    return 0


def print_comparison(
    reports: list[Report],
    problem: Problem,
    skipped: dict[str, str],
    blind: AbstractSet[str],
    settings: list[str],
) -> None:
    """blind: those whose draws do not vary although Q does; settings: those not left alone."""
    compared = max(1, sum(r.size for r in reports))
    limit = float(stats.t.isf(FALSE_ALARM / 2 / compared, df=reports[0].estimates - 1))
    found = {r.estimator: verdict(r, limit, r.estimator in blind) for r in reports}
    reports = sorted(reports, key=lambda r: (found[r.estimator] == "BIASED", r.total_variance))
    rows = [
        [
            r.estimator,
            _distance(r, found[r.estimator]),
            found[r.estimator],
            with_error(r.total_variance, r.total_variance_sem),
            f"{r.q_evaluations:g}",
            f"{r.seconds * 1e6:.3g}",
            f"{r.total_variance * r.q_evaluations:.4g}",
            f"{r.total_variance * r.seconds * 1e6:.3g}",
            f"{r.signal_to_noise:.3g}",
        ]
        for r in reports
    ]
    header = [
        "estimator",
        "|bias|/se",
        "mean",
        "variance",
        "Q evals",
        "µs",
        "var × Q",
        "var × µs",
        "SNR",
    ]
    name = f"{problem.name} ({', '.join(settings)})" if settings else problem.name
    print(f"{name}: one estimate, from {reports[0].estimates:,} of each\n")
    print(render(header, rows))
    print(
        f"\nmean: agrees with the exact gradient if |bias| < {limit:.1f} standard errors in every"
        f"\nentry (false alarm {FALSE_ALARM:g} for the whole table), unknown where a few rare draws"
        "\ndecide. variance: total over the entries. Q evals, µs: measured, of one estimate."
        "\nSNR: |∇J| / √variance."
        if reports[0].exact is not None
        else "\nno exact gradient within reach: bias unknown, SNR from the measured mean"
    )
    missed = [name for name, what in found.items() if what == "BIASED"]
    if not problem.smooth or any(name.startswith(PATHWISE) for name in missed):
        print(
            "Pathwise estimators silently miss the part of the gradient that jumps of Q carry"
            + (": Q jumps here." if not problem.smooth else "; does your Q jump?")
        )
    for name, why in skipped.items():
        print(f"left out {name}: {why}")
    if reports[0].size <= 8:
        print("\n" + render(*_entry_table(reports)))
    print()


def verdict(report: Report, limit: float, blind: bool = False) -> str:
    """blind: its draws do not vary although Q does, so that no rare event need be waited for."""
    if report.exact is None:
        return "unknown"
    far = report.worst_z >= limit
    if (blind and far) or bool((report.z > limit + report.explained(limit)).any()):
        return "biased, as documented" if report.estimator in BIASED else "BIASED"
    told = max(float(report.moments.sem[: report.size].max()), report.rounding)
    return "unknown" if far or report.exact_error > told else "agrees"


def _said(value: Any) -> str:
    return " ".join(f"{v:g}" for v in (value if isinstance(value, tuple) else (value,)))


def _distance(report: Report, found: str) -> str:
    """The largest |bias| in standard errors, where those mean anything."""
    if found == "unknown":
        return "–"
    return f"{report.worst_z:.1f}" if report.worst_z < 1e4 else "> 10000"


def _entry_table(reports: list[Report]) -> tuple[list[str], list[list[str]]]:
    rows = []
    for r in reports:
        bias, sem = r.bias, flat(r.sem).tolist()
        for i, label in enumerate(r.labels):
            exact = "" if r.exact is None else f"{float(r.exact[i]):+.6f}"
            off = "" if bias is None else with_error(float(flat(bias)[i]), sem[i], signed=True)
            spread = with_error(float(flat(r.variance)[i]), float(flat(r.variance_sem)[i]))
            rows.append([r.estimator, label, exact, off, spread])
    return ["estimator", "entry", "exact", "bias", "variance"], rows


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
    writer.writerow(
        [
            "problem",
            "estimator",
            "entry",
            "estimates",
            "exact",
            "mean",
            "sem",
            "bias",
            "variance",
            "variance_sem",
            "q_evaluations",
            "seconds",
        ]
    )
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


def require_folder(out: Path) -> None:
    """OSError now rather than after the work, unless results can be written there."""
    there = next(p for p in [out, *out.absolute().parents] if p.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise OSError(f"cannot write into {out}: {there} is not a folder that can be written to")


def single_samples(
    estimator: Estimator, policy: Policy, objective: Objective, rng: Noise, count: int = SAMPLES
) -> np.ndarray:
    """A few single-sample gradients for the violins: [count, entries]."""
    grads = per_sample_gradients(estimator, policy, objective, count, rng)
    return flat_rows(grads).cpu().numpy()


def is_blind(
    estimator: Estimator, problem: Problem, rng: Noise, count: int, rounding: float
) -> bool:
    """Whether `count` estimates are all alike, though Q takes different values under them."""
    Q = Watched(problem.objective.Q)
    watched = replace(problem.objective, Q=Q)
    draws = single_samples(estimator, problem.policy, watched, rng, count)
    alike = np.ptp(draws, axis=0) <= rounding * (1 + np.abs(draws).max(axis=0))
    return Q.varies and bool(alike.all())


def _move(problem: Problem, device: str) -> Problem:
    try:
        return replace(problem, policy=problem.policy.map(lambda p: p.to(device)))
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device {device!r} cannot be used: {str(error).splitlines()[0]}"
        ) from None


def _tick(bar: "tqdm[int]", sizes: Iterable[int]) -> Iterable[int]:
    for size in sizes:
        yield size
        bar.update(size)
