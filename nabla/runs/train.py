"""`nabla train`, `nabla evaluate`, `nabla plot`: Soft Actor-Critic runs."""

import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from nabla.options import at_least
from nabla.table import with_error
from sac_minimal.config import Config

WORTH = 10_000  # updates, of two layers of 256 and batches of 256
FIGURES = (".pdf", ".svg", ".png")


def train(
    settings: Annotated[Config, tyro.conf.arg(name="")] = Config(),
    *,
    config: Path | None = None,
    run: Path | None = None,
    resume: Path | None = None,
    tensorboard: bool = False,
    callback: tuple[str, ...] = (),
    vector: Literal["turn", "sync", "async"] = "turn",
) -> None:
    """Train Soft Actor-Critic, its actor driven by any estimator of the catalogue.

    The run's folder holds the configuration, metrics.csv, a checkpoint and the replay. Killed at
    any moment, `nabla train --resume RUN` goes on, and ends as if nothing had happened.

    Args:
        settings: of the agent and its task.
        config: a TOML file of settings; what is given here comes before what it says.
        run: folder of the run; by default out/<task>-<estimator>-<seed>.
        resume: folder of a run to go on with, as it is configured: no other settings.
        tensorboard: write the metrics for TensorBoard too, into RUN/tensorboard.
        callback: functions of yours, module:function, called after every evaluation with the
            metrics (a dict), the agent and the run's folder: a tracker, a picture, a stop.
        vector: how --envs are stepped: in turn, or by gymnasium's vector API, sync in this process
            or async in one each. The bits are the same.
    """
    from tqdm import tqdm

    from nabla.runs.saved import saved_config, what_drives
    from sac_minimal.train import Row
    from sac_minimal.train import train as train_agent

    callbacks = [called(name) for name in callback]
    if tensorboard:
        callbacks.append(tensorboard_callback())
    if resume is not None:
        if settings != Config() or run is not None:
            raise ValueError(f"--resume goes on with what {resume}/config.json says: no settings")
        settings, folder = saved_config(resume), resume
    else:
        folder = run or Path("out") / f"{settings.task}-{what_drives(settings)}-{settings.seed}"
        if (folder / "checkpoint.npz").exists():
            raise ValueError(f"{folder} holds a run: use --resume {folder}, or another --run")
    updates = (settings.steps - settings.warmup) * settings.updates_per_step
    if settings.compile and updates < WORTH:
        warnings.warn(
            f"--compile will not pay: it takes about 15 s, which is won back after some {WORTH:,} "
            f"updates, and this run makes {max(updates, 0):,}",
            stacklevel=2,
        )
    start, steps = time.perf_counter(), [0, 0]  # at the first and at the last call
    with tqdm(total=settings.steps, unit="step", disable=None) as bar:

        def progress(step: int, row: Row) -> None:
            bar.update(step - bar.n)
            steps[:] = steps[0] or step, step
            if row and row["step"] == step:
                shown = {k: f"{row[k]:.3g}" for k in ("return", "entropy", "alpha")}
                bar.set_postfix(shown)

        with together(settings, vector) as world:
            metrics = train_agent(settings, folder, progress, callbacks, world)
    if not metrics:
        raise ValueError(f"{folder} is complete, but holds no evaluation: not a run of ours")
    last, speed = metrics[-1], (steps[1] - steps[0]) / (time.perf_counter() - start)
    print(
        f"{settings.task}: return {last['return']:.1f} after {last['step']:,.0f} steps "
        f"({speed:.0f} steps/s in this session); {folder}"
    )


@contextmanager
def together(settings: Config, how: Literal["turn", "sync", "async"]) -> Iterator[Any]:
    """The environments behind gymnasium's vector API, or None: in turn."""
    if how == "turn":
        yield None
        return
    from nabla.runs.vector import Vectored

    world = Vectored(settings, how)
    try:
        yield world
    except (EOFError, ConnectionError) as error:
        raise ValueError(f"an environment's process ended: {type(error).__name__}") from None
    finally:
        world.close()


def called(name: str) -> Any:
    from estimators.foreign import load_object

    function = load_object(name)
    if not callable(function):
        raise ValueError(f"--callback: {name} is not a function but {type(function).__name__}")
    return function


def tensorboard_callback() -> Any:
    """As anybody's tracker would be."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError:
        raise ValueError("--tensorboard needs python3 bootstrap.py tensorboard") from None

    writer_of = cache(SummaryWriter)  # one for the run, made when there is something to write

    def write(row: dict[str, float], agent: Any, run: Path) -> None:
        writer = writer_of(run / "tensorboard")
        for name, value in row.items():
            writer.add_scalar(name, value, row["step"])
        writer.flush()

    return write


def evaluate(
    run: Annotated[Path, tyro.conf.Positional],
    *,
    episodes: int = 10,
    stochastic: bool = False,
    best: bool = False,
    seed: int = 10_000,
) -> None:
    """Evaluate a run's last checkpoint.

    Args:
        run: folder of the run.
        episodes: whole episodes to play.
        stochastic: sample actions, in place of the policy's central one.
        best: the checkpoint of the evaluation with the highest return, in place of the last.
        seed: of the first episode; the next ones follow.
    """
    at_least(1, episodes=episodes)
    import numpy as np

    from nabla.runs.saved import saved_agent
    from sac_minimal.train import evaluate as evaluate_agent

    agent = saved_agent(run, best=best)
    returns = evaluate_agent(agent, agent.config.task, episodes, stochastic, seed)
    error = float(np.std(returns, ddof=1) / np.sqrt(episodes)) if episodes > 1 else float("nan")
    over = f"{episodes} episode{'s' * (episodes > 1)}"
    print(f"return {with_error(float(np.mean(returns)), error)} over {over}")


def plot(
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional],
    *,
    out: Path = Path("out/learning-curves"),
) -> None:
    """Draw the learning curves of runs: one line for runs that differ in their seed alone.

    Args:
        runs: folders of runs.
        out: the figure, without its suffix (.pdf, .svg and .png are written).
    """
    if not runs:
        raise ValueError("plot needs at least one run")
    if twice := [str(run) for run, count in Counter(runs).items() if count > 1]:
        raise ValueError(f"{', '.join(twice)} given more than once: each seed counts once")
    import numpy as np

    from nabla.figures import learning_curves
    from nabla.output import command_line, require_folder, save_figure
    from nabla.runs.saved import labels, saved_config, saved_curve

    require_folder(out.parent)
    curves: dict[str, list[np.ndarray]] = {}
    for run, label in zip(runs, labels([saved_config(run) for run in runs]), strict=True):
        curves.setdefault(label, []).append(saved_curve(run))
    if out.suffix in FIGURES:
        out = out.with_suffix("")
    for path in save_figure(learning_curves(curves), out, command_line()):
        print(path)
