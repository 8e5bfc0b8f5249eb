"""The `gym` of 2022 that CleanRL 1.2.0 imports, over gymnasium: as much of it as SAC uses.

The file that CleanRL published then runs unchanged, on today's tasks. Its one environment is
stepped here, so this is also where the caller's hook is called.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector.utils import batch_space


class Seeded(gymnasium.Wrapper):
    """Seeds are given by env.seed(…) and used at the first reset."""

    def seed(self, seed: int) -> None:
        self.given: int | None = seed

    def reset(self, **kwargs: Any) -> Any:
        seed, self.given = self.given, None
        return self.env.reset(seed=seed, **kwargs)


def make_gym(after_step: Callable[[], None]) -> SimpleNamespace:
    """A stand-in for the module; `after_step()` is called after every step of the environment."""

    class SyncVectorEnv:
        """One environment; `infos` as old gym gave it, truncation by TimeLimit.truncated."""

        num_envs = 1

        def __init__(self, makers: list[Callable[[], gymnasium.Env]]) -> None:
            (self.env,) = (make() for make in makers)
            self.single_observation_space = self.env.observation_space
            self.single_action_space = self.env.action_space
            self.action_space = batch_space(self.env.action_space, 1)

        def reset(self) -> np.ndarray:
            return self.env.reset()[0][None]

        def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, list]:
            obs, reward, terminated, truncated, info = self.env.step(actions[0])
            if done := terminated or truncated:
                info |= {"terminal_observation": obs, "TimeLimit.truncated": not terminated}
                obs = self.env.reset()[0]
            after_step()
            return obs[None], np.array([reward]), np.array([done]), [info]

        def close(self) -> None:
            self.env.close()

    statistics = gymnasium.wrappers.RecordEpisodeStatistics
    return SimpleNamespace(
        make=gymnasium.make,
        spaces=gymnasium.spaces,
        vector=SimpleNamespace(SyncVectorEnv=SyncVectorEnv),
        wrappers=SimpleNamespace(RecordEpisodeStatistics=lambda env: Seeded(statistics(env))),
    )
