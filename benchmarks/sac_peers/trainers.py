"""SAC by others, each with the settings it publishes: Stable-Baselines3, SBX, CleanRL.

    train(task, seed, steps, warmup, hook)

`hook(step, act)` is called after every environment step; act(obs) is the deterministic action. All
are given the same number of random actions to begin with; nothing else differs from their defaults.
"""

import runpy
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

Act = Callable[[np.ndarray], np.ndarray]
Hook = Callable[[int, Act], None]


def sb3(task: str, seed: int, steps: int, warmup: int, hook: Hook) -> None:
    from stable_baselines3 import SAC

    learn(SAC("MlpPolicy", task, learning_starts=warmup, seed=seed, device="cpu"), steps, hook)


def sbx(task: str, seed: int, steps: int, warmup: int, hook: Hook) -> None:
    from sbx import SAC

    learn(SAC("MlpPolicy", task, learning_starts=warmup, seed=seed), steps, hook)


def learn(model: Any, steps: int, hook: Hook) -> None:
    from stable_baselines3.common.callbacks import BaseCallback

    class Hooked(BaseCallback):
        def _on_step(self) -> bool:
            hook(self.num_timesteps, lambda obs: model.predict(obs, deterministic=True)[0])
            return True

    model.learn(steps, callback=Hooked())


def cleanrl(task: str, seed: int, steps: int, warmup: int, hook: Hook) -> None:
    import stable_baselines3.common.buffers  # noqa: F401 — before it can see the stand-in for gym
    import torch
    from cleanrl_gym import make_gym

    done = 0

    def after_step() -> None:
        nonlocal done
        done += 1
        script = sys._getframe(2).f_globals  # the published file's own names

        def act(obs: np.ndarray) -> np.ndarray:
            actor = script["actor"]
            with torch.no_grad():  # not by its get_action: that one draws noise as well
                mean = torch.tanh(actor(torch.Tensor(obs[None]))[0])
                return (mean * actor.action_scale + actor.action_bias)[0].numpy()

        hook(done, act)

    sys.modules["gym"] = make_gym(after_step)  # type: ignore[assignment]
    options = {"env-id": task, "seed": seed, "total-timesteps": steps, "learning-starts": warmup}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    sys.argv = ["sac_continuous_action.py", *words, "--cuda", "False"]
    runpy.run_module("cleanrl.sac_continuous_action", run_name="__main__")


TRAINERS = {"sb3": sb3, "sbx": sbx, "cleanrl": cleanrl}


def versions() -> dict[str, str]:
    from importlib.metadata import version

    names = {"sb3": "stable-baselines3", "sbx": "sbx-rl", "cleanrl": "cleanrl"}
    found = {name: version(package) for name, package in names.items()}
    return found | {package: version(package) for package in ("torch", "jax", "gymnasium")}
