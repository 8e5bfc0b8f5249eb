"""`nabla train`, `nabla evaluate`, `nabla plot`: Soft Actor-Critic runs."""

import shlex
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from tqdm import tqdm

from estimators import Noise
from nabla.figures import learning_curves, save_figure
from nabla.table import with_error
from sac_minimal.checkpoint import load
from sac_minimal.config import Config
from sac_minimal.envs import make
from sac_minimal.lineage import make_agent
from sac_minimal.sac import SAC
from sac_minimal.train import Row, kept
from sac_minimal.train import evaluate as evaluate_agent
from sac_minimal.train import train as train_agent


def train(
    config: Annotated[Config, tyro.conf.arg(name="")] = Config(),  # noqa: B008 — it is frozen
    *,
    run: Path | None = None,
    resume: Path | None = None,
    tensorboard: bool = False,
) -> None:
    """Train Soft Actor-Critic, its actor driven by any estimator of the catalogue.

    The run's folder holds the configuration, metrics.csv, a checkpoint and the replay. Killed at
    any moment, `nabla train --resume RUN` goes on, and ends as if nothing had happened.

    Args:
        config: the settings.
        run: folder of the run; by default out/<task>-<estimator>-<seed>.
        resume: folder of a run to go on with; its own configuration counts, not the flags.
        tensorboard: write the metrics for TensorBoard too, into RUN/tensorboard.
    """
    writer_type = summary_writer() if tensorboard else None
    if resume is not None:
        config, folder = saved_config(resume), resume
    else:
        folder = run or Path("out") / f"{config.task}-{what_drives(config)}-{config.seed}"
        if (folder / "checkpoint.npz").exists():
            raise ValueError(f"{folder} holds a run: use --resume {folder}, or another --run")
    start, done = time.perf_counter(), [0]
    writer = writer_type(folder / "tensorboard") if writer_type else None
    with tqdm(total=config.steps, unit="step", disable=None) as bar:

        def progress(step: int, row: Row) -> None:
            bar.update(step - bar.n)
            if row and row["step"] == step:
                shown = {k: f"{row[k]:.3g}" for k in ("return", "entropy", "alpha")}
                bar.set_postfix(shown)
                if writer:
                    for name in row:
                        writer.add_scalar(name, row[name], step)
            done[0] += 1

        metrics = train_agent(config, folder, progress)
    if writer:
        writer.close()
    last, seconds = metrics[-1], time.perf_counter() - start
    print(
        f"{config.task}: return {last['return']:.1f} after {config.steps:,} steps "
        f"({done[0] / seconds:.0f} steps/s in this session); {folder}"
    )


def summary_writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError:
        raise ValueError("--tensorboard needs python3 bootstrap.py tensorboard") from None
    return SummaryWriter


def evaluate(
    run: Annotated[Path, tyro.conf.Positional],
    *,
    episodes: int = 10,
    stochastic: bool = False,
    seed: int = 10_000,
) -> None:
    """Evaluate a run's last checkpoint.

    Args:
        run: folder of the run.
        episodes: whole episodes to play.
        stochastic: sample actions, in place of the policy's central one.
        seed: of the first episode; the next ones follow.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be ≥ 1, got {episodes}")
    agent = saved_agent(run)
    returns = evaluate_agent(agent, agent.config.task, episodes, stochastic, seed)
    error = float(np.std(returns, ddof=1) / np.sqrt(episodes)) if episodes > 1 else float("nan")
    print(f"return {with_error(float(np.mean(returns)), error)} over {episodes} episodes")


def plot(
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional],
    *,
    out: Path = Path("out/learning-curves"),
) -> None:
    """Draw the learning curves of runs: one line a task and estimator, seeds shown.

    Args:
        runs: folders of runs.
        out: the figure, without its suffix (.pdf, .svg and .png are written).
    """
    if not runs:
        raise ValueError("plot needs at least one run")
    curves: dict[str, list[np.ndarray]] = {}
    for run in runs:
        config = saved_config(run)
        curves.setdefault(f"{config.task}, {what_drives(config)}", []).append(saved_curve(run))
    for path in save_figure(learning_curves(curves), out, shlex.join(["nabla", *sys.argv[1:]])):
        print(path)


def what_drives(config: Config) -> str:
    """The actor's estimator, with the version of SAC if it is not the third; or ddpg, td3."""
    if config.version in ("ddpg", "td3"):
        return config.version
    estimator = config.resolve(make(config.task).space.discrete)[1]
    return estimator if config.version == "3" else f"v{config.version}-{estimator}"


def saved_config(run: Path) -> Config:
    path = run / "config.json"
    if not path.exists():
        raise ValueError(f"{run} is not a run: it has no config.json")
    try:
        return Config.from_json(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not a run's configuration: {error}") from None


def saved_agent(run: Path, at: int = 0) -> SAC:
    """As it was after step `at` (0: at the last checkpoint)."""
    config = saved_config(run)
    torch.set_num_threads(config.threads)
    agent = make_agent(config, make(config.task).space, Noise(config.seed))
    load(saved_checkpoint(run, at), agent)
    return agent


def saved_checkpoint(run: Path, at: int = 0) -> Path:
    path = kept(run, at) if at else run / "checkpoint.npz"
    if not path.exists():
        steps = sorted(int(p.stem.split("-")[1]) for p in run.glob("checkpoint-*.npz"))
        there = f"; it kept those of {', '.join(map(str, steps))} (--keep-every)" if at else " yet"
        raise ValueError(f"{run} has no checkpoint{f' of step {at}' if at else ''}{there}")
    return path


def saved_curve(run: Path) -> np.ndarray:
    """[evaluations, 2]: step and return."""
    path = run / "metrics.csv"
    if not path.exists():
        raise ValueError(f"{run} has no metrics yet")
    try:
        return np.loadtxt(path, delimiter=",", skiprows=1, usecols=(0, 1), ndmin=2)
    except (ValueError, IndexError):
        raise ValueError(f"{path} is not a run's metrics") from None
