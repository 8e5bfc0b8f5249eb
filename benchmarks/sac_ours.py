"""Our SAC behind the interface of sac_peers/trainers.py: train(task, seed, steps, warmup, hook)."""

import tempfile
import warnings
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch

import sac_minimal.train as training
from sac_minimal.config import Config
from sac_minimal.sac import SAC

NEVER = 2 * 10**6  # as the interval of evaluations and checkpoints
VARIANTS: dict[str, dict[str, Any]] = {
    "eager": {},
    "compiled": {"compile": True},
    "compiled, bf16": {"compile": True, "bf16": True},
    # CleanRL's rates, to compare the implementations and not the settings
    "compiled, 1e-3": {"compile": True, "lr_critic": 1e-3, "lr_alpha": 1e-3},
}


def train(variant: str, task: str, seed: int, steps: int, warmup: int, hook: Any) -> None:
    if missing := set(VARIANTS[variant]) - {f.name for f in fields(Config)}:
        raise ValueError(f"this version has no setting {', '.join(sorted(missing))}")
    config = Config(
        **VARIANTS[variant],
        task=task,
        seed=seed,
        steps=steps,
        warmup=warmup,
        threads=torch.get_num_threads(),
        eval_every=NEVER,
        eval_episodes=1,
        checkpoint_every=NEVER,
    )
    warnings.filterwarnings("error", message="cannot compile")  # eager would pass for compiled
    env = gymnasium.make(task)
    with tempfile.TemporaryDirectory() as folder:
        loop = training.Loop(config, Path(folder))
        act = partial(action, loop.agent, env.action_space)
        loop.run(lambda step, metrics: hook(step, act))


def action(agent: SAC, space: Any, obs: np.ndarray) -> np.ndarray:
    """The deterministic action, as the environment takes it."""
    with torch.no_grad():
        a = agent.central(torch.from_numpy(obs.astype(np.float32))[None])[0].numpy()
    return space.low + (a + 1) / 2 * (space.high - space.low)


TRAINERS = {name: partial(train, name) for name in VARIANTS}
