"""An episode as a film: frames of the task's own camera, or of our planes."""

import io
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from estimators import Noise
from estimators.files import whole
from nabla.foreign import attempt
from sac_minimal.envs import TASKS, Goal, Gym
from sac_minimal.train import play

FPS = 30


def film(
    agent: Any, task: str, steps: int, stochastic: bool, seed: int
) -> tuple[list[np.ndarray], float]:
    """Frames [height, width, 3] of one episode, and its return."""
    env: Any = TASKS[task]() if task in TASKS else with_camera(task, agent.config.env_kwargs)
    frames: list[np.ndarray] = []
    total = 0.0
    for reward in islice(play(agent, env, seed, Noise(seed), stochastic), steps):
        total += reward
        frames.append(draw(env) if isinstance(env, Goal) else np.asarray(env.env.render()))
    if isinstance(env, Gym):
        env.env.close()
    return frames, total


def with_camera(task: str, settings: Sequence[str] = ()) -> Gym:
    env = attempt(_rendering, task, settings)  # whatever graphics library is or is not there
    if isinstance(env, Exception):
        why = str(env).strip().split("\n")[0] or type(env).__name__
        raise ValueError(
            f"cannot render {task} here ({why}); it may need python3 bootstrap.py watch, or a "
            "graphics library: set MUJOCO_GL to egl or osmesa"
        )
    return env


def _rendering(task: str, settings: Sequence[str]) -> Gym:
    env = Gym(task, settings, render=True)
    env.reset()
    env.env.render()
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
    """Whole or not at all; the formats are said, as a part's name does not tell them."""
    with whole(path) as part:
        if path.suffix == ".gif":
            first, *rest = [Image.fromarray(f).quantize(64) for f in frames]
            pace = 1000 // FPS
            first.save(part, "GIF", save_all=True, append_images=rest, duration=pace, loop=0)
            return
        try:
            from imageio_ffmpeg import write_frames
        except ModuleNotFoundError:
            raise ValueError(
                "an .mp4 needs python3 bootstrap.py watch; .gif needs nothing"
            ) from None
        size, mp4 = frames[0].shape[1::-1], ["-f", "mp4"]
        writer = write_frames(str(part), size, fps=FPS, macro_block_size=2, output_params=mp4)
        writer.send(None)
        for frame in frames:
            writer.send(np.ascontiguousarray(frame))
        writer.close()
