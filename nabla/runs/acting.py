"""A trained policy, to act with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from estimators import Noise
from nabla.runs.saved import saved_agent
from sac_minimal.envs import Gym, Simulator, make
from sac_minimal.sac import SAC


@dataclass(frozen=True, eq=False)
class Acting:
    """action = act(obs), both as the task's environment has them; sampled from π if `stochastic`,
    else its central action."""

    agent: SAC
    task: Simulator
    rng: Noise

    def __call__(self, obs: Any, stochastic: bool = False) -> Any:
        gym = self.task if isinstance(self.task, Gym) else None
        x = torch.from_numpy(gym.seen(obs) if gym else np.asarray(obs, np.float32))[None]
        with torch.no_grad():
            a = self.agent.act(x, self.rng) if stochastic else self.agent.central(x)
        return gym.given(a[0].numpy()) if gym else a[0].numpy()


def acting(run: Path, best: bool, seed: int) -> Acting:
    agent = saved_agent(run, best=best)
    config = agent.config
    return Acting(agent, make(config.task, config.env_kwargs), Noise(seed))
