"""The results as scores, and as the tables that docs/study.md quotes."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from effects import Effect, effects, improvement
from noise import DOSES, PARTS, dose_name
from study import (
    CHEAP,
    CHEETAH,
    CONTROL,
    ESTIMATORS,
    HUMANOID,
    LEAVE,
    MIXED,
    MIXTURES,
    NEAR,
    WALKER,
)

from nabla.statistics import bootstrap_band, interquartile_mean

Row = dict[str, Any]
LAST = 4  # evaluations that make the score: the last fifth
SOLVED = {
    "Pendulum-v1": -150,
    "InvertedDoublePendulum-v5": 9000,
    "Reacher-v5": -6,
    "HalfCheetah-v5": 3000,
}
# What is compared: title, arms, reference, tasks.
COMPARED: dict[str, tuple[str, Sequence[str], str, Sequence[str]]] = {
    "mixtures": ("2. Mixtures", MIXTURES, "base", (*MIXED, CHEETAH, WALKER)),
    "mixtures-full-size": (
        "2. Mixtures, full size",
        ["full size, K = 4, marginalized"],
        "full size, base",
        (CHEETAH, WALKER),
    ),
    "estimators": (
        "3. Estimators",
        [*ESTIMATORS, "K = 4, marginalized"],
        "base",
        (*CHEAP, CHEETAH),
    ),
    "estimators-full-size": (
        "3. Estimators, full size",
        ["full size, sticking_the_landing", f"full size, {LEAVE}, n = 8"],
        "full size, base",
        (CHEETAH,),
    ),
    "doses": (
        "4. Doses of noise",
        [*map(dose_name, DOSES[1:]), "score_function"],
        dose_name(DOSES[0]),
        CHEAP,
    ),
    "parts": ("4. Part of a batch", [f"first_{b}" for b in PARTS], "first_256", CHEAP),
    "rates": ("5. Learning rates (S33)", ["all 3e-4", "critic 1e-3"], "base", NEAR),
    "rates-split": ("5. Learning rates (S33), one for all", ["all 3e-4"], "critic 1e-3", NEAR),
    "others": ("5. TD3, environments (S37)", ["TD3", "4 environments"], "base", (*NEAR, WALKER)),
    "control": (
        "5. DDPG, fixed temperature (B57)",
        ["DDPG", "alpha = 0.2"],
        "base",
        (*CONTROL, HUMANOID),
    ),
}


def read(path: Path) -> list[Row]:
    """Numbers as numbers, nothing as None; [] if the table is not there yet."""
    if not path.exists():
        return []

    def typed(text: str) -> Any:
        try:
            return float(text) if text else None
        except ValueError:
            return text

    with path.open(newline="") as file:
        return [{k: typed(v) for k, v in row.items()} for row in csv.DictReader(file)]


class Scores:
    """of[arm][task]: [seeds], the mean of a run's last evaluations; speed: of all of them.

    start[task]: the first evaluation, mean over base runs; a run that failed counts as that.
    """

    def __init__(self, curves: Sequence[Row], runs: Sequence[Row]) -> None:
        by_run: dict[tuple[str, str, float], list[Row]] = {}
        for row in curves:
            by_run.setdefault((row["task"], row["arm"], row["seed"]), []).append(row)
        returns = {
            key: np.array([r["return"] for r in sorted(rows, key=lambda r: r["step"])])
            for key, rows in by_run.items()
        }
        self.failed = [(r["task"], r["arm"], r["seed"]) for r in runs if r["error"]]
        self.start = {
            task: float(
                np.mean([y[0] for (t, arm, _), y in returns.items() if (t, arm) == (task, "base")])
            )
            for task in {t for t, arm, _ in returns if arm == "base"}
        }
        self.of = self._by_arm({k: y[-LAST:].mean() for k, y in returns.items()})
        self.speed = self._by_arm({k: y.mean() for k, y in returns.items()})

    def _by_arm(
        self, scores: dict[tuple[str, str, float], float]
    ) -> dict[str, dict[str, np.ndarray]]:
        found: dict[str, dict[str, list[float]]] = {}
        for task, arm, seed in [*scores, *self.failed]:
            value = scores.get((task, arm, seed), self.start.get(task, np.nan))
            found.setdefault(arm, {}).setdefault(task, []).append(value)
        return {arm: {t: np.array(v) for t, v in of.items()} for arm, of in found.items()}

    def compared(self, name: str, speed: bool = False) -> dict[str, dict[str, Effect]]:
        """{arm: {task: effect, "": over all tasks}}, of what has been run."""
        _, arms, reference, tasks = COMPARED[name]
        of = self.speed if speed else self.of
        base = {t: v for t, v in of.get(reference, {}).items() if t in tasks and t in self.start}
        found = {arm: effects(of.get(arm, {}), base, self.start) for arm in arms}
        return {arm: e for arm, e in found.items() if e}


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]
    return [*lines, ""]


def interval(values: Sequence[float]) -> str:
    """The mean over seeds with a bootstrap interval, as per cents."""
    numbers = np.array(values)
    low, high = bootstrap_band(numbers)
    return (
        f"{numbers.mean():.0%} ({low:.0%} to {high:.0%})"
        if len(numbers) > 1
        else f"{numbers[0]:.0%}"
    )


def mode_shares(
    modes: Sequence[Row], depth: str = "0.5", last: bool = True
) -> dict[str, list[float]]:
    """{task: the share of states with more than one mode that counts, a number a seed}."""
    found: dict[str, dict[float, list[bool]]] = {}
    steps = {
        task: max(r["step"] for r in modes if r["task"] == task)
        for task in {r["task"] for r in modes}
    }
    for r in modes:
        if (r["step"] == steps[r["task"]]) == last:
            found.setdefault(r["task"], {}).setdefault(r["seed"], []).append(
                r[f"modes_{depth}"] > 1
            )
    shares = {task: [float(np.mean(v)) for v in of.values()] for task, of in found.items()}
    return dict(sorted(shares.items(), key=lambda pair: -np.mean(pair[1])))


def mode_table(modes: Sequence[Row]) -> Iterator[str]:
    yield from ("## 1. Modes of exp(Q/α) at the end of training", "")
    at = {depth: mode_shares(modes, depth) for depth in ("0.1", "0.5", "1")}
    before, rows = mode_shares(modes, last=False), []
    for task in at["0.5"]:
        end = max(r["step"] for r in modes if r["task"] == task)
        second = [r for r in modes if (r["task"], r["step"]) == (task, end) and r["modes_0.5"] > 1]
        told = ["–"] * 3
        for i, name in enumerate(("depth", "drop", "distance")):
            if values := [r[name] for r in second if r[name] is not None]:
                told[i] = f"{np.median(values):.2g}"
        kl = [
            r["kl"] for r in modes if (r["task"], r["step"]) == (task, end) and r["kl"] is not None
        ]
        shares = [interval(at[d][task]) for d in at] + [interval(before[task])]
        rows.append([task, *shares, *told, f"{np.median(kl):.2g}" if kl else "–"])
    header = [
        "task",
        "≥ 0.1 nat deep",
        "≥ 0.5",
        "≥ 1",
        "≥ 0.5, half-way",
        "depth",
        "drop",
        "σ apart",
        "KL",
    ]
    yield from table(header, rows)
    yield (
        "Share of states with more than one mode within 5 nats of the highest, mean over runs (a "
        "95 % bootstrap). Of the states with one at least 0.5 nat deep, medians: the depth of "
        "the deepest but the highest, its height below that, their distance in σ of the policy. "
        "KL(π ‖ exp(Q/α)/Z) of the policy, median over states, where a grid reaches.\n"
    )


def comparison(name: str, scores: Scores) -> Iterator[str]:
    title, _, reference, tasks = COMPARED[name]
    found = scores.compared(name)
    if not found:
        return
    yield from (f"## {title}: against {reference}", "")
    there = [t for t in tasks if any(t in e for e in found.values())]
    rows = []
    for arm, of in found.items():
        base = {t: scores.of[reference][t] for t in there if t in scores.of[reference]}
        better = improvement({t: v for t, v in scores.of[arm].items() if t in base}, base)
        told = [str(of[t]) if t in of else "–" for t in (*there, "")]
        sure = f" ({better.low:.2f} to {better.high:.2f})" if better.seeds > 1 else ""
        rows.append([arm, *told, f"{better.value:.2f}{sure}"])
    yield from table(["arm", *there, "all", "P(improvement)"], rows)
    rows = []
    for arm in (reference, *found):
        mine = scores.of.get(arm, {})
        rows.append([arm, *(returns(mine[t], t) if t in mine else "–" for t in there)])
    yield from table(["returns", *there], rows)


def returns(values: np.ndarray, task: str) -> str:
    solved = f", {(values >= SOLVED[task]).sum()} solved" if task in SOLVED else ""
    return f"{float(interquartile_mean(values)):.4g} ({len(values)}{solved})"


def medians(
    title: str, rows: Sequence[Row], keys: Sequence[str], names: Sequence[str]
) -> Iterator[str]:
    """Medians over what is left when rows are grouped by `keys`."""
    if not rows:
        return
    yield from (f"## {title}", "")
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for r in rows:
        groups.setdefault(tuple(r[k] for k in keys), []).append(r)
    yield from table(
        [*keys, *names],
        [
            [*(f"{k:g}" if isinstance(k, float) else k for k in key)]
            + [
                f"{np.median([r[n] for r in mine if r[n] is not None] or [np.nan]):.3g}"
                for n in names
            ]
            for key, mine in groups.items()
        ],
    )


def doses_of(probes: Sequence[Row]) -> dict[tuple[str, str], float]:
    """{(task, estimator, its n): where it sits on the axis of doses: its variance in the actor by
    that of Eq. 13, the geometric mean over runs and checkpoints after the first}."""
    inside = {
        (r["task"], r["seed"], r["step"], f"{r['estimator']}, n = {r['n']:g}"): r["in_the_actor"]
        for r in probes
    }
    ratios: dict[tuple[str, str], list[float]] = {}
    for (task, seed, step, name), value in inside.items():
        base = inside.get((task, seed, step, "reparameterization, n = 1"))
        if base and step > 1000:
            ratios.setdefault((task, name), []).append(value / base)
    return {key: float(np.exp(np.mean(np.log(v)))) for key, v in ratios.items()}


def numbers(tables: dict[str, list[Row]], scores: Scores) -> str:
    lines = list(mode_table(tables["modes"])) if tables["modes"] else []
    for name in COMPARED:
        lines += comparison(name, scores)
    usage = ["effective", "marginal", "collapsed", "distance"]
    lines += medians("2. Use of components", tables["usage"], ["task", "arm", "step"], usage)
    cost = ["update_seconds"]
    lines += medians(
        "Seconds of an update",
        tables["cost"],
        ["task", "policy", "components", "estimator", "n"],
        cost,
    )
    spread = [r | {"ratio": r["within"] / r["between"]} for r in tables["spread"]]
    lines += medians(
        "4. Within and between states", spread, ["task", "step"], ["within", "between", "ratio"]
    )
    if places := doses_of(tables["probes"]):
        lines += ["## 4. Where estimators sit: variance in the actor by that of Eq. 13", ""]
        lines += table(
            ["task", "estimator", "dose"], [[*key, f"{v:.3g}"] for key, v in places.items()]
        )
    curvature = ["tau", "curvature", "sigma", "alpha"]
    lines += medians("3. The critics along training", tables["probes"], ["task", "step"], curvature)
    lines += ["## Runs that failed", ""] + [f"- {f}" for f in scores.failed or ["none"]]
    return "\n".join(lines) + "\n"
