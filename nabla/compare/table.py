"""A comparison in words: the table, what its columns mean, and what they do not say."""

from collections.abc import Mapping, Sequence

from scipy import stats
from torch import Tensor

from estimators import Report
from estimators.gradients import flat
from estimators.report import HEAVY
from nabla.agreement import judge
from nabla.compare.measuring import Seen
from nabla.table import render, with_error
from toy_problems import Problem

FALSE_ALARM = 1e-4  # for the whole table
HEADER = ["estimator", "|bias|/se", "mean", "variance", "Q evals", "µs", "var × Q", "var × µs"]
NO_GRADIENT = "no exact gradient within reach: bias unknown, SNR from the measured mean"


def print_comparison(
    problem: Problem,
    seen: Mapping[str, Seen],
    skipped: Mapping[str, str],
    settings: Sequence[str],
    sees: str,
) -> None:
    """settings: those that were not left alone; sees: what Q is given."""
    reports = [s.report for s in seen.values()]
    limit = limit_of(reports)
    found = {name: verdict(s.report, limit, s.blind) for name, s in seen.items()}
    reports.sort(key=lambda r: (found[r.estimator] == "BIASED", r.total_variance))
    name = f"{problem.name} ({', '.join(settings)})" if settings else problem.name
    print(f"{name}: one estimate, from {reports[0].estimates:,} of each; {sees}\n")
    print(render([*HEADER, "SNR"], [_row(r, found[r.estimator]) for r in reports]))
    print("\n" + (_meaning(limit) if reports[0].exact is not None else NO_GRADIENT))
    heavy = [r.estimator for r in reports if r.heavy]
    if heavy:
        names = ", ".join(heavy)
        print(f"Too few draws (under {HEAVY}) carry a variance for its ± to be trusted: {names}.")
    missed = any(found[name] == "BIASED" and s.misses_jumps for name, s in seen.items())
    if missed or not problem.smooth:
        print(
            "Pathwise estimators silently miss the part of the gradient that jumps of Q carry"
            + (": Q jumps here." if not problem.smooth else "; does your Q jump?")
        )
    for name, why in skipped.items():
        print(f"left out {name}: {why}")
    if reports[0].size <= 8:
        print("\n" + render(*_entry_table(reports)))
    print()


def limit_of(reports: Sequence[Report]) -> float:
    """Standard errors that no entry of the table exceeds by chance, but for FALSE_ALARM."""
    compared = max(1, sum(r.size for r in reports))
    return float(stats.t.isf(FALSE_ALARM / 2 / compared, df=reports[0].estimates - 1))


def verdict(report: Report, limit: float, blind: Tensor | bool = False) -> str:
    """blind: the entries that need wait for no rare event, as `nabla.agreement.judge` has it."""
    if report.exact is None:
        return "unknown"
    answer = judge(report.z, limit, report.explained(limit), blind)
    if answer == "off":
        return "biased, as documented" if report.documented else "BIASED"
    told = max(float(report.moments.sem[: report.size].max()), report.rounding)
    return "unknown" if answer == "rare" or report.exact_error > told else "agrees"


def _meaning(limit: float) -> str:
    return (
        f"mean: agrees with the exact gradient if |bias| < {limit:.1f} standard errors in every"
        f"\nentry (false alarm {FALSE_ALARM:g} for the whole table), unknown where a few rare draws"
        "\ndecide. variance: total over the entries. Q evals, µs: measured, of one estimate."
        "\nSNR: |∇J| / √variance."
    )


def _row(r: Report, found: str) -> list[str]:
    return [
        r.estimator,
        _distance(r, found),
        found,
        with_error(r.total_variance, r.total_variance_sem),
        f"{r.q_evaluations:g}",
        f"{r.seconds * 1e6:.3g}",
        f"{r.total_variance * r.q_evaluations:.4g}",
        f"{r.total_variance * r.seconds * 1e6:.3g}",
        f"{r.signal_to_noise:.3g}",
    ]


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
