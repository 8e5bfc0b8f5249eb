"""What a run left behind: its settings, its agent, its curve, and how it is named beside others."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from estimators import Noise
from sac_minimal.checkpoint import load
from sac_minimal.config import Config
from sac_minimal.envs import make
from sac_minimal.lineage import make_agent
from sac_minimal.sac import SAC
from sac_minimal.train import kept

BOOKKEEPING = {"seed", "steps", "threads", "estimator", "task", "drives"}
BOOKKEEPING |= {"eval_every", "eval_episodes", "checkpoint_every", "keep_every"}


def labels(configs: Sequence[Config]) -> list[str]:
    """ "task, name=value, …, estimator", with the settings in which runs of the same task and
    estimator differ, except those of bookkeeping."""
    named = [
        {**asdict(config), "policy": config.policy or None, "drives": what_drives(config)}
        for config in configs
    ]

    def told(mine: dict[str, Any]) -> Iterator[str]:
        alike = [x for x in named if (x["task"], x["drives"]) == (mine["task"], mine["drives"])]
        for name, value in mine.items():
            if name not in BOOKKEEPING and len({x[name] for x in alike}) > 1:
                yield f"{name}={'default' if value is None else value}"

    return [", ".join([mine["task"], *told(mine), mine["drives"]]) for mine in named]


def what_drives(config: Config) -> str:
    """The actor's estimator, with the version of SAC if it is not the third; or ddpg, td3, dqn."""
    if config.version in ("ddpg", "td3", "dqn"):
        return config.version
    estimator = config.resolve(make(config.task, config.env_kwargs).space.discrete)[1]
    return estimator if config.version == "3" else f"v{config.version}-{estimator}"


def saved_config(run: Path) -> Config:
    path = run / "config.json"
    if not path.exists():
        raise ValueError(f"{run} is not a run: it has no config.json")
    try:
        return Config.from_json(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not a run's configuration: {error}") from None


def saved_agent(run: Path, at: int = 0, best: bool = False) -> SAC:
    """As it was after step `at` (0: at the last checkpoint), or at its best evaluation."""
    config = saved_config(run)
    torch.set_num_threads(config.threads)
    agent = make_agent(config, make(config.task, config.env_kwargs).space, Noise(config.seed))
    load(saved_best(run) if best else saved_checkpoint(run, at), agent)
    return agent


def saved_checkpoint(run: Path, at: int = 0) -> Path:
    path = kept(run, at) if at else run / "checkpoint.npz"
    if not path.exists():
        steps = sorted(int(p.stem.split("-")[1]) for p in run.glob("checkpoint-*.npz"))
        those = f"those of {', '.join(map(str, steps))}" if steps else "none"
        there = f"; it kept {those} (--keep-every)" if at else " yet"
        raise ValueError(f"{run} has no checkpoint{f' of step {at}' if at else ''}{there}")
    return path


def saved_best(run: Path) -> Path:
    path = run / "best.npz"
    if not path.exists():
        raise ValueError(f"{run} has no best.npz: it was not evaluated yet")
    return path


def saved_curve(run: Path) -> np.ndarray:
    """[evaluations, 2]: step and return."""
    path = run / "metrics.csv"
    if not path.exists():
        raise ValueError(f"{run} has no metrics yet")
    rows = path.read_text().splitlines()[1:]
    try:
        curve = np.array([[float(x) for x in row.split(",")[:2]] for row in rows])
    except ValueError:
        curve = np.zeros(0)
    if curve.ndim != 2 or curve.shape[1] != 2:
        raise ValueError(f"{path} does not hold a run's metrics")
    return curve
