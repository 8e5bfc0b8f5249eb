"""Environments behind gymnasium's vector API: in this process, or in a process each."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from sac_minimal.config import Config
from sac_minimal.envs import InTurn, Stepped, go_on, make


class Simulated(gymnasium.Env[np.ndarray, np.ndarray]):
    """One of our simulators as gymnasium sees it; it knows which one it is."""

    def __init__(self, config: Config, index: int) -> None:
        self.task, self.index = make(config.task, config.env_kwargs), index
        space = self.task.space
        self.observation_space = Box(-np.inf, np.inf, (space.observations,), np.float32)
        one = Discrete(space.actions) if space.discrete else Box(-1, 1, (space.actions,))
        self.action_space: Any = one

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, Any]:
        return self.task.reset(seed), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, Any]:
        return *self.task.step(action), {}

    def saved(self) -> dict[str, Any]:
        return self.task.state()

    def go_on(self, states: Sequence[dict[str, Any]], seeds: Sequence[int]) -> np.ndarray | None:
        return go_on(self.task, states[self.index], seeds[self.index])


class Vectored(InTurn):
    """What `InTurn` does, with the same bits; async: in a process each."""

    def __init__(self, config: Config, how: Literal["sync", "async"]) -> None:
        makers = [partial(Simulated, config, i) for i in range(config.envs)]
        ends = AutoresetMode.SAME_STEP
        self.env: Any = (
            SyncVectorEnv(makers, autoreset_mode=ends)
            if how == "sync"
            else AsyncVectorEnv(makers, autoreset_mode=ends, context="spawn")
        )

    def reset(self, seeds: list[int]) -> np.ndarray:
        return self.env.reset(seed=seeds)[0]

    def step(self, actions: np.ndarray) -> Stepped:
        start, reward, terminated, truncated, info = self.env.step(actions)
        obs = start.copy()
        for i in np.flatnonzero(terminated | truncated):
            obs[i] = info["final_obs"][i]
        return obs, reward, terminated, truncated, start

    def states(self) -> list[dict[str, Any]]:
        return list(self.env.call("saved"))

    def go_on(self, states: list[dict[str, Any]], seeds: list[int]) -> list[np.ndarray | None]:
        self.env.reset()
        return list(self.env.call("go_on", states, seeds))

    def close(self) -> None:
        self.env.close()
