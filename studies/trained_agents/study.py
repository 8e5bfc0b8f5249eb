"""Agents that have learned: what is run, and the command that runs it. The design: design.md.

    .venv/bin/python studies/trained_agents/study.py          # a day on one core
    .venv/bin/python studies/trained_agents/study.py list     # the queue: what is done
    .venv/bin/python studies/trained_agents/study.py collect  # results/, from what is done
    .venv/bin/python studies/trained_agents/draw.py           # tables and figures, from results/

Kill it and start it at will. Cells are kept in out/trained_agents, of the folder that it is started
in; results/ beside this file has what tables and figures need, as tidy tables.
"""

import argparse
import csv
import io
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from cells import CostCell, ModesCell, Run, SpreadCell, UsageCell
from noise import DOSES, PARTS, dose_name

from estimators import Moments, Report
from estimators.files import write_atomically
from nabla.runs.landscape import Landscape
from nabla.sweep.cells import ProbeCell
from nabla.sweep.command import identity, run_cells
from nabla.sweep.store import Store

OUT, RESULTS = Path("out/trained_agents"), Path(__file__).parent / "results"
TASKS = {
    "PointMass": 10_000,
    "TwoWay": 10_000,
    "ThreeWay": 10_000,
    "FourWay": 10_000,
    "Uneven": 10_000,
    "Pendulum-v1": 10_000,
    "InvertedDoublePendulum-v5": 15_000,
    "Reacher-v5": 20_000,
    "Pusher-v5": 50_000,
    "Hopper-v5": 100_000,
    "Walker2d-v5": 100_000,
    "HalfCheetah-v5": 100_000,
    "Ant-v5": 100_000,
    "EitherWay": 100_000,
    "dm_control/cheetah-run-v0": 100_000,
    "dm_control/ball_in_cup-catch-v0": 100_000,
    "dm_control/walker-walk-v0": 100_000,
    "dm_control/humanoid-run-v0": 100_000,
}
PENDULUM, DOUBLE, REACHER = "Pendulum-v1", "InvertedDoublePendulum-v5", "Reacher-v5"
HOPPER, WALKER, CHEETAH = "Hopper-v5", "Walker2d-v5", "HalfCheetah-v5"
CHEAP = (PENDULUM, DOUBLE, REACHER)
CONTROL = (
    "dm_control/cheetah-run-v0",
    "dm_control/ball_in_cup-catch-v0",
    "dm_control/walker-walk-v0",
)
HUMANOID = "dm_control/humanoid-run-v0"
LOOKED_AT = [task for task in TASKS if task not in (CONTROL[2], HUMANOID)]
MIXED = ("FourWay", "PointMass")  # and, by the rule of design.md, the most and the least multimodal

SMALL = {"hidden": 64, "batch": 128, "lr": 1e-3}
FULL = {"hidden": 256, "batch": 256, "lr": 3e-4}
LEAVE = "score_function_leave_one_out"


def mixture(components: int, estimator: str, n: int = 1) -> dict[str, Any]:
    return {"policy": "mixture", "components": components, "estimator": estimator, "n": n}


# An arm: what it changes of a base run.
ARMS: dict[str, dict[str, Any]] = {
    "base": {},
    "K = 2, marginalized": mixture(2, "marginalized"),
    "K = 4, marginalized": mixture(4, "marginalized"),
    "K = 8, marginalized": mixture(8, "marginalized"),
    "K = 4, implicit": mixture(4, "implicit_reparameterization"),
    "K = 4, leave-one-out": mixture(4, LEAVE, 4),
    "sticking_the_landing": {"estimator": "sticking_the_landing"},
    f"{LEAVE}, n = 2": {"estimator": LEAVE, "n": 2},
    f"{LEAVE}, n = 8": {"estimator": LEAVE, "n": 8},
    "measure_valued": {"estimator": "measure_valued"},
    "score_function": {"estimator": "score_function"},
    **{dose_name(s): {"estimator": dose_name(s)} for s in DOSES},
    **{f"first_{b}": {"estimator": f"first_{b}", "batch": 256} for b in PARTS},
    "first_256": {"batch": 256},
    "all 3e-4": {"lr": 3e-4},
    "critic 1e-3": {"lr": 3e-4, "lr_critic": 1e-3},
    "TD3": {"version": "td3"},
    "4 environments": {"envs": 4},
    "DDPG": {"version": "ddpg"},
    "alpha = 0.2": {"alpha": 0.2},
    "full size, base": FULL,
    "full size, K = 4, marginalized": FULL | mixture(4, "marginalized"),
    "full size, sticking_the_landing": FULL | {"estimator": "sticking_the_landing"},
    f"full size, {LEAVE}, n = 8": FULL | {"estimator": LEAVE, "n": 8},
}
MIXTURES = [arm for arm in ARMS if arm.startswith("K = ")]
ESTIMATORS = ["sticking_the_landing", f"{LEAVE}, n = 2", f"{LEAVE}, n = 8", "measure_valued"]
NOISES = [*map(dose_name, DOSES), *(f"first_{b}" for b in PARTS), "first_256", "score_function"]


PROBED = ("reparameterization", "sticking_the_landing", "score_function", LEAVE, "measure_valued")


def run(task: str, arm: str, seed: int) -> Run:
    steps = TASKS[task]
    return Run(
        task=task,
        seed=seed,
        steps=steps,
        eval_every=steps // 20,
        checkpoint_every=5000,
        keep_every=steps // 4,
        replay=100_000,
        threads=1,
        compile=True,
        **SMALL | ARMS[arm],
    )


def look(at: Run, kind: Any, quarter: int, **settings: Any) -> Any:
    """A look at a run's checkpoint; the run's folder is its cell's."""
    folder = str(OUT / "cells" / identity(at))
    return kind(run=folder, at=quarter * at.keep_every, seed=at.seed, **settings)


Question = Callable[[int], Iterator[Any]]  # the cells of one seed, in the order in which they run


def trained(tasks: Iterable[str], arms: Iterable[str]) -> Question:
    """All arms on all tasks, beside the base runs; and looks at how mixtures use themselves."""

    def cells(seed: int) -> Iterator[Any]:
        for task, arm in itertools.product(tasks, arms):
            yield (cell := run(task, arm, seed))
            if cell.policy == "mixture":
                yield from (look(cell, UsageCell, quarter) for quarter in (1, 2, 3, 4))

    return cells


def modes(seed: int) -> Iterator[Any]:
    for task in LOOKED_AT:
        yield (base := run(task, "base", seed))
        yield from (look(base, ModesCell, quarter, states=32) for quarter in (2, 4))


def probes(seed: int) -> Iterator[Any]:
    """Estimators as they are in the catalogue, and leave-one-out of 8."""
    where = {"states": 8, "through": 30, "estimates": 1000}
    for task in (*CHEAP, CHEETAH):
        yield (base := run(task, "base", seed))
        for quarter in (1, 2, 3, 4):
            yield look(base, ProbeCell, quarter, **where, estimators=PROBED)
            yield look(base, ProbeCell, quarter, **where, estimators=(LEAVE,), n=8)
            yield look(base, SpreadCell, quarter)


def costs(seed: int) -> Iterator[Any]:
    """Seconds of an update, in turns: of mixtures and of estimators."""
    for task, arms in ((CHEETAH, ["base", *MIXTURES]), (REACHER, ["base", *ESTIMATORS])):
        yield CostCell(cells=tuple(run(task, arm, seed).to_json() for arm in arms), seed=seed)


NEAR = (*CHEAP, HOPPER, CHEETAH)
OTHERS = ["base", "TD3", "4 environments"]
QUESTIONS: dict[str, Question] = {
    "1 modes": modes,
    "2 mixtures": trained(MIXED, ["base", *MIXTURES]),
    "2 mixtures, HalfCheetah": trained([CHEETAH], ["base", *MIXTURES]),
    "2 mixtures, Walker2d": trained([WALKER], ["base", *MIXTURES]),
    "2 mixtures, full size": trained(
        [CHEETAH, WALKER], ["full size, base", "full size, K = 4, marginalized"]
    ),
    "2 and 3 costs": costs,
    "3 estimators": trained(CHEAP, ["base", *ESTIMATORS, "K = 4, marginalized"]),
    "3 estimators, HalfCheetah": trained([CHEETAH], ["base", *ESTIMATORS]),
    "3 estimators, full size": trained(
        [CHEETAH], ["full size, sticking_the_landing", f"full size, {LEAVE}, n = 8"]
    ),
    "3 and 4 probes": probes,
    "4 noise": trained(CHEAP, ["base", *NOISES]),
    "5 rates": trained(NEAR, ["base", "all 3e-4", "critic 1e-3"]),
    "5 TD3, environments": trained(NEAR, OTHERS),
    "5 TD3, environments, Walker2d": trained([WALKER], OTHERS),
    "5 DDPG, temperature": trained(CONTROL, ["base", "DDPG", "alpha = 0.2"]),
    "5 DDPG, temperature, humanoid": trained([HUMANOID], ["base", "DDPG", "alpha = 0.2"]),
}
# Rounds of (question, seed): design.md says what stands after each.
ROUNDS: list[list[tuple[str, int]]] = [
    [
        ("1 modes", 0), ("2 mixtures", 0), ("3 estimators", 0), ("4 noise", 0),
        ("2 mixtures, HalfCheetah", 0), ("3 estimators", 1), ("4 noise", 1),
        ("5 rates", 0), ("5 TD3, environments", 0),
    ],
    [
        ("1 modes", 1), ("2 mixtures", 1), ("2 mixtures, Walker2d", 0), ("2 and 3 costs", 0),
        ("3 and 4 probes", 0), ("3 estimators, HalfCheetah", 0), ("5 DDPG, temperature", 0),
        ("1 modes", 2), ("2 mixtures, HalfCheetah", 1), ("3 estimators", 2), ("4 noise", 2),
        ("5 rates", 1), ("5 TD3, environments", 1),
    ],
    [
        ("2 mixtures", 2), ("2 mixtures, HalfCheetah", 2), ("2 mixtures, Walker2d", 1),
        ("3 estimators, HalfCheetah", 1), ("3 and 4 probes", 1), ("5 DDPG, temperature", 1),
        ("2 mixtures, Walker2d", 2), ("2 mixtures, full size", 0),
        ("3 estimators", 3), ("3 estimators", 4), ("4 noise", 3), ("4 noise", 4),
        ("5 rates", 2), ("5 TD3, environments", 2), ("5 DDPG, temperature", 2),
        ("3 estimators, HalfCheetah", 2), ("3 and 4 probes", 2),
        ("5 TD3, environments, Walker2d", 0),
    ],
    [
        ("2 mixtures", 3), ("2 mixtures", 4),
        ("2 mixtures, HalfCheetah", 3), ("2 mixtures, HalfCheetah", 4),
        ("2 mixtures, full size", 1), ("2 mixtures, full size", 2),
        ("5 rates", 3), ("5 rates", 4), ("5 TD3, environments", 3), ("5 TD3, environments", 4),
        ("3 estimators, HalfCheetah", 3), ("3 estimators, HalfCheetah", 4),
        ("2 mixtures, Walker2d", 3), ("2 mixtures, Walker2d", 4),
        *(("5 TD3, environments, Walker2d", seed) for seed in range(1, 5)),
        *(("3 estimators", seed) for seed in range(5, 10)),
        *(("5 DDPG, temperature, humanoid", seed) for seed in range(3)),
        *(("3 estimators, full size", seed) for seed in range(3)),
    ],
]  # fmt: skip
QUEUE = list(itertools.chain.from_iterable(ROUNDS))


def queue() -> dict[str, Any]:
    """All cells by their identity, each once, in order."""
    cells = itertools.chain.from_iterable(QUESTIONS[name](seed) for name, seed in QUEUE)
    return {identity(cell): cell for cell in cells}


# Tables: rows of the cells that are done.


def of_runs(store: Store) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """What names a run, and its row in the store."""
    names = {
        identity(run(task, arm, seed)): {"task": task, "arm": arm, "seed": seed}
        for task, arm, seed in itertools.product(TASKS, ARMS, range(10))
    }
    for row in store.rows():
        config = row["config"]
        key = Path(config["run"]).name if "run" in config else row["hash"]
        if key in names:
            yield names[key], row


def results(store: Store, command: str) -> Iterator[tuple[dict[str, Any], dict[str, Any], Any]]:
    """Of the cells of one command that succeeded: the run's name, the settings, the result."""
    for name, row in of_runs(store):
        if row["config"]["command"] == command and row["error"] is None:
            yield name, row["config"], row["result"]


def run_rows(store: Store) -> Iterator[dict[str, Any]]:
    for name, row in of_runs(store):
        if row["config"]["command"] == "run":
            yield name | {k: row[k] for k in ("seconds", "error", "finished")}


def curve_rows(store: Store) -> Iterator[dict[str, Any]]:
    columns = ("step", "return", "return_std", "train_return", "entropy", "alpha")
    for name, _, result in results(store, "run"):
        yield from (name | {k: point[k] for k in columns} for point in result["metrics"])


def mode_rows(store: Store) -> Iterator[dict[str, Any]]:
    for name, config, result in results(store, "modes"):
        for i, state in enumerate(result["states"]):
            both = {"kl": None, "plane": None} | state
            yield name | {"step": config["at"], "state": i, "alpha": result["alpha"], **both}


def look_rows(store: Store, command: str) -> Iterator[dict[str, Any]]:
    for name, config, result in results(store, command):
        yield name | {"step": config["at"], **result}


def probe_rows(store: Store) -> Iterator[dict[str, Any]]:
    """A row for each state and estimator."""
    for name, config, result in results(store, "probe"):
        seen_by = Landscape.from_lists(result["landscape"])
        for entry in result["estimators"]:
            report, inside = Report.from_lists(entry["report"]), entry["in_the_actor"]
            n = config["n"] or {LEAVE: 2}.get(report.estimator, 1)
            predicted = seen_by.predicted(max(n, 2)).get(report.estimator)
            for state in range(config["states"]):
                yield name | {
                    "step": config["at"],
                    "state": state,
                    "estimator": report.estimator,
                    "n": n,
                    "q_evaluations": report.q_evaluations,
                    "variance_mu": float(report.variance["mu"][state].sum()),
                    "variance_mu_sem": float(report.variance_sem["mu"][state].norm()),
                    "variance": float(sum(v[state].sum() for v in report.variance.values())),
                    "predicted_mu": None if predicted is None else float(predicted[state]),
                    "in_the_actor": float(Moments.from_lists(inside).mean),
                    "in_the_actor_sem": float(Moments.from_lists(inside).sem),
                    "tau": float(np.median(seen_by.tau[state])),
                    "curvature": float(np.median(seen_by.curvature[state])),
                    "sigma": float(np.median(seen_by.sigma[state])),
                    "alpha": seen_by.alpha,
                }


def cost_rows(store: Store) -> Iterator[dict[str, Any]]:
    for row in store.rows():
        if row["config"]["command"] == "cost" and row["error"] is None:
            yield from row["result"]


def save(name: str, rows: Iterable[dict[str, Any]], digits: int = 5) -> None:
    """A table, numbers to `digits` significant digits, rows in order; none if nothing is done."""
    table = [
        {k: f"{v:.{digits}g}" if isinstance(v, float) else v for k, v in row.items()}
        for row in rows
    ]
    if not table:
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, table[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(table, key=lambda row: [str(v).zfill(6) for v in row.values()][:6]))
    write_atomically(RESULTS / name, text.getvalue())


def collect(store: Store) -> None:
    save("runs.csv", run_rows(store))
    save("curves.csv", curve_rows(store))
    save("modes.csv", mode_rows(store), 4)
    save("usage.csv", look_rows(store, "usage"))
    save("spread.csv", look_rows(store, "spread"))
    save("probes.csv", probe_rows(store))
    save("cost.csv", cost_rows(store))


def show(store: Store) -> None:
    """The queue, and how far it is."""
    known = store.done()
    seconds = {row["hash"]: row["seconds"] or 0.0 for row in store.rows()}
    print(f"{len(known)} of {len(queue())} cells, {sum(seconds.values()) / 3600:.1f} hours")
    for i, part in enumerate(ROUNDS):
        print(f"round {i + 1}")
        for name, seed in part:
            keys = {identity(cell) for cell in QUESTIONS[name](seed)}
            failed = sum(known.get(key) is not None for key in keys)
            word = f", {failed} failed" * bool(failed)
            hours = sum(seconds.get(key, 0.0) for key in keys) / 3600
            print(f"  {name}, seed {seed}: {len(keys & set(known))} of {len(keys)}"
                  f"{word}, {hours:.2f} h")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("do", nargs="?", choices=["run", "collect", "list"], default="run")
    parser.add_argument("--engine", default="serial", help="serial, loky:WORKERS or dask:ADDRESS")
    parser.add_argument("--retry-failed", action="store_true")
    given = parser.parse_args()
    if given.do == "run":
        for name, seed in QUEUE:
            print(f"{name}, seed {seed}", flush=True)
            cells = list(QUESTIONS[name](seed))
            # many workers: runs first, or a look at a run would be at work beside it
            runs = [c for c in cells if isinstance(c, Run)] if given.engine != "serial" else []
            for part in (runs, cells):
                run_cells(part, OUT, given.engine, given.retry_failed).close()
        return
    if not (OUT / "cells.sqlite").exists():
        parser.error(f"nothing has been run: there is no {OUT}/cells.sqlite here")
    store = Store(OUT / "cells.sqlite")
    show(store) if given.do == "list" else collect(store)


if __name__ == "__main__":
    main()
