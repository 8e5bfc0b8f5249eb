"""`nabla watch`: a run's last checkpoint, as a film."""

import io
import os
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from matplotlib.figure import Figure
from PIL import Image

from estimators import Noise
from nabla.runs.train import saved_agent
from sac_minimal.envs import TASKS, Goal, Gym, headless

FPS = 30


def watch(
    run: Annotated[Path, tyro.conf.Positional],
    *,
    out: Path | None = None,
    steps: int = 300,
    stochastic: bool = False,
    seed: int = 10_000,
) -> None:
    """Film an episode of a run's last checkpoint; works without a display where MuJoCo can.

    Args:
        run: folder of the run.
        out: a .gif or .mp4 file; by default RUN/watch.gif.
        steps: at most so many steps.
        stochastic: sample actions, in place of the policy's central one.
        seed: of the episode.
    """
    path = out or run / "watch.gif"
    if path.suffix not in (".gif", ".mp4"):
        raise ValueError(f"a film ends in .gif or .mp4, got {path.name}")
    if steps < 1:
        raise ValueError(f"steps must be ≥ 1, got {steps}")
    headless()
    agent = saved_agent(run)
    frames, total = film(agent, agent.config.task, steps, stochastic, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_film(frames, path)
    print(f"return {total:.1f} in {len(frames)} steps; {path}")


def film(
    agent: Any, task: str, steps: int, stochastic: bool, seed: int
) -> tuple[list[np.ndarray], float]:
    """Frames [height, width, 3] of one episode, and its return."""
    env: Any = TASKS[task]() if task in TASKS else with_camera(task)
    frames: list[np.ndarray] = []
    total, done, rng = 0.0, False, Noise(seed)
    obs = env.reset(seed)
    while not done and len(frames) < steps:
        x = torch.from_numpy(obs)[None]
        with torch.no_grad():
            action = agent.act(x, rng)[0] if stochastic else agent.central(x)[0]
        obs, reward, terminated, truncated = env.step(action.numpy())
        total, done = total + reward, terminated or truncated
        frames.append(draw(env) if isinstance(env, Goal) else np.asarray(env.env.render()))
    if isinstance(env, Gym):
        env.env.close()
    return frames, total


def with_camera(task: str) -> Gym:
    try:
        env = Gym(task, render=True)
        env.reset()
        env.env.render()
    except Exception as error:  # of whatever graphics library is or is not there
        why = str(error).strip().split("\n")[0] or type(error).__name__
        raise ValueError(
            f"cannot render {task} here ({why}); it may need python3 bootstrap.py watch, or a "
            "graphics library: set MUJOCO_GL to egl or osmesa"
        ) from None
    return env


def draw(env: Goal) -> np.ndarray:
    """The plane of one of our own tasks: its goals and the point."""
    figure = Figure(figsize=(3, 3), dpi=80)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-env.LIMIT, env.LIMIT), ylim=(-env.LIMIT, env.LIMIT), xticks=[], yticks=[])
    ax.plot(*env.goals.T, "*", ms=16, color="#E69F00")
    ax.plot(*env.place[:, None], "o", ms=8, color="#0072B2")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=80)
    return np.asarray(Image.open(picture).convert("RGB"))


def save_film(frames: list[np.ndarray], path: Path) -> None:
    """Whole or not at all."""
    part = path.with_name(f".{path.name}.part{path.suffix}")
    if path.suffix == ".gif":
        first, *rest = [Image.fromarray(f).quantize(64) for f in frames]
        first.save(part, save_all=True, append_images=rest, duration=1000 // FPS, loop=0)
    else:
        try:
            from imageio_ffmpeg import write_frames
        except ModuleNotFoundError:
            raise ValueError(
                "an .mp4 needs python3 bootstrap.py watch; .gif needs nothing"
            ) from None
        height, width = frames[0].shape[:2]
        writer = write_frames(str(part), (width, height), fps=FPS, macro_block_size=2)
        writer.send(None)
        for frame in frames:
            writer.send(np.ascontiguousarray(frame))
        writer.close()
    os.replace(part, path)
