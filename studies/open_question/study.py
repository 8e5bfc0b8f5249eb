"""The open question inside real SAC runs: what is run, and the command that runs it.

    .venv/bin/python studies/open_question/study.py            # hours; kill and start it at will
    .venv/bin/python studies/open_question/draw.py             # figures and numbers, from results/

1. Probes: SAC (reparameterization, the settings of Haarnoja et al. 2018b) on five tasks; at
   checkpoints along training, on replayed states, every applicable estimator's variance at the
   actor's outputs and in its parameters, and how the critic curves there.
2. Training: the actor driven by each of six estimators on four tasks, everything else equal.
   Networks of 64 units and batches of 128: as much as two cores do in an hour.
3. Cost: seconds of one update by each of the six, in turns, on one thread.

Cells are kept in out/open_question; results/ has what the figures need, as small tidy tables.
"""

import argparse
import csv
import io
import json
import platform
import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from estimators import Report
from estimators.files import write_atomically
from estimators.moments import Moments
from estimators.watching import Watched
from nabla.runs.landscape import Landscape
from nabla.sweep.cells import ProbeCell, TrainCell
from nabla.sweep.command import identity, run_cells
from nabla.sweep.store import Store
from sac_minimal.replay import Batch
from sac_minimal.train import Loop

OUT, RESULTS = Path("out/open_question"), Path(__file__).parent / "results"
SEEDS = (0, 1, 2)
PROBED = {
    "Pendulum-v1": 3000,
    "InvertedDoublePendulum-v5": 4000,
    "Reacher-v5": 4000,
    "Hopper-v5": 5000,
    "HalfCheetah-v5": 5000,
}
STATES = 8
ARMS: dict[str, tuple[str, int]] = {
    "reparameterization": ("reparameterization", 1),
    "sticking_the_landing": ("sticking_the_landing", 1),
    "score_function_value": ("score_function_value", 1),
    "score_function_leave_one_out, n = 2": ("score_function_leave_one_out", 2),
    "score_function_leave_one_out, n = 8": ("score_function_leave_one_out", 8),
    "score_function_leave_one_out, n = 32": ("score_function_leave_one_out", 32),
}
TRAINED = {
    "Pendulum-v1": 6000,
    "InvertedDoublePendulum-v5": 8000,
    "Reacher-v5": 5000,
    "Hopper-v5": 6000,
}
SMALL: dict[str, Any] = {"hidden": 64, "batch": 128, "threads": 1}


def probed_runs() -> Iterator[TrainCell]:
    for seed in SEEDS:
        for task, steps in PROBED.items():
            yield TrainCell(
                task=task,
                seed=seed,
                steps=steps,
                keep_every=steps // 4,
                replay=20_000,
                threads=1,
            )


def probes() -> Iterator[tuple[TrainCell, ProbeCell]]:
    """Every estimator as it is in the catalogue, and leave-one-out of 8 and of 32."""
    for run in probed_runs():
        folder = str(OUT / "runs" / "cells" / identity(run))
        for at in range(run.keep_every, run.steps + 1, run.keep_every):
            yield run, ProbeCell(run=folder, at=at, states=STATES, through=30)
            for n in (8, 32):
                name = ("score_function_leave_one_out",)
                cell = ProbeCell(run=folder, at=at, states=STATES, through=30, n=n, estimators=name)
                yield run, cell


def training() -> Iterator[tuple[str, TrainCell]]:
    for seed in SEEDS:
        for task, steps in TRAINED.items():
            for arm, (estimator, n) in ARMS.items():
                yield (
                    arm,
                    TrainCell(
                        task=task,
                        seed=seed,
                        steps=steps,
                        estimator=estimator,
                        n=n,
                        replay=20_000,
                        eval_every=500,
                        **SMALL,
                    ),
                )


def probe_rows(store: Store) -> Iterator[dict[str, Any]]:
    """A row for each state and estimator."""
    runs = {cell.run: run for run, cell in probes()}
    for row in store.rows():
        if row["error"] is not None:
            continue
        config, result = row["config"], row["result"]
        run = runs[config["run"]]
        seen_by = Landscape.from_lists(result["landscape"])
        for entry in result["estimators"]:
            report = Report.from_lists(entry["report"])
            inside = Moments.from_lists(entry["in_the_actor"])
            n = config["n"] or {"score_function_leave_one_out": 2}.get(report.estimator, 1)
            predicted = seen_by.predicted(max(n, 2)).get(report.estimator)
            variance, error = report.variance, report.variance_sem
            for state in range(STATES):
                yield {
                    "task": run.task,
                    "seed": run.seed,
                    "step": config["at"],
                    "state": state,
                    "estimator": report.estimator,
                    "n": n,
                    "q_evaluations": report.q_evaluations / STATES,
                    "variance_mu": float(variance["mu"][state].sum()),
                    "variance_mu_sem": float(error["mu"][state].norm()),
                    "variance": float(sum(v[state].sum() for v in variance.values())),
                    "predicted_mu": None if predicted is None else float(predicted[state]),
                    "in_the_actor": float(inside.mean),
                    "in_the_actor_sem": float(inside.sem),
                    "tau": float(np.median(seen_by.tau[state])),
                    "curvature": float(np.median(seen_by.curvature[state])),
                    "sigma": float(np.median(seen_by.sigma[state])),
                    "alpha": seen_by.alpha,
                }


def training_rows(store: Store) -> Iterator[dict[str, Any]]:
    arms = {identity(cell): arm for arm, cell in training()}
    for row in store.rows():
        if row["error"] is None and row["hash"] in arms:
            for point in row["result"]["metrics"]:
                yield {
                    "task": row["config"]["task"],
                    "arm": arms[row["hash"]],
                    "seed": row["config"]["seed"],
                    **{k: point[k] for k in ("step", "return", "entropy", "alpha")},
                }


def cost_rows(rounds: int = 9, updates: int = 10) -> Iterator[dict[str, Any]]:
    """Seconds of an update and Q evaluations of one actor step, all arms in turns."""
    for task in TRAINED:
        loops = {}
        for arm, cell in training():
            if cell.task == task and cell.seed == 0:
                loops[arm] = Loop(cell, OUT / "cost")
        space = next(iter(loops.values())).envs[0].space
        generator = torch.Generator().manual_seed(0)

        def random(*shape: int, generator: torch.Generator = generator) -> torch.Tensor:
            return torch.randn(SMALL["batch"], *shape, generator=generator)

        obs, action = random(space.observations), random(space.actions).tanh()
        batch = Batch(obs, action, random(), random(space.observations), torch.zeros(len(obs)))
        seconds: dict[str, list[float]] = {arm: [] for arm in loops}
        for _ in range(rounds):
            for arm, loop in loops.items():
                start = time.process_time()
                for _ in range(updates):
                    loop.agent.update(batch, True, loop.rng)
                seconds[arm].append((time.process_time() - start) / updates)
        for arm, loop in loops.items():
            yield {
                "task": task,
                "arm": arm,
                "update_seconds": statistics.median(seconds[arm][1:]),
                "q_evaluations": q_evaluations(loop, obs),
            }


def q_evaluations(loop: Loop, obs: torch.Tensor) -> float:
    """Actions at which the critics are evaluated in one actor step, per state."""
    agent = loop.agent
    objective = agent.objective(agent.trained["critics"], obs)
    Q = Watched(objective.Q)
    agent.estimator(agent.policy(obs), replace(objective, Q=Q), loop.rng)
    return Q.evaluations / len(obs)


def save(name: str, rows: Iterable[dict[str, Any]], digits: int = 5) -> None:
    """A table, numbers to `digits` significant digits, rows in order."""
    table = [
        {k: f"{v:.{digits}g}" if isinstance(v, float) else v for k, v in row.items()}
        for row in rows
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, table[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(table, key=lambda row: [str(v).zfill(6) for v in row.values()][:6]))
    write_atomically(RESULTS / name, text.getvalue())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--engine", default="loky")
    engine = parser.parse_args().engine
    torch.set_num_threads(1)
    print("runs to probe")
    run_cells(list(probed_runs()), OUT / "runs", engine)
    print("probes")
    save("probes.csv", probe_rows(run_cells([c for _, c in probes()], OUT / "probes", engine)))
    print("training by each estimator")
    trained = run_cells([cell for _, cell in training()], OUT / "training", engine)
    save("training.csv", training_rows(trained))
    save("cost.csv", cost_rows())
    about = {
        "date": date.today().isoformat(),
        "code": version("nabla-workbench"),
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "probed_runs": {"tasks": PROBED, "seeds": SEEDS, "states": STATES},
        "training": {"tasks": TRAINED, "seeds": SEEDS, **SMALL},
    }
    write_atomically(RESULTS / "about.json", json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main()
