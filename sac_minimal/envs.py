"""Tasks: gymnasium's, and two tiny ones of our own. Actions are rescaled to [−1, 1]^d here."""

import json
from typing import Any, Protocol

import numpy as np

from sac_minimal.sac import Space


class Simulator(Protocol):
    """What a task does: reset, step, and give or take its full state (arrays and JSON)."""

    space: Space

    def reset(self, seed: int | None = None) -> np.ndarray: ...
    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool]: ...
    def state(self) -> dict[str, Any]: ...
    def restore(self, state: dict[str, Any]) -> None: ...


class Goal:
    """A point in the plane that actions push; the reward is 1 near a goal, less far from it.

    PointMass has one goal. FourWay has four alike, so its optimal policy is multimodal: from the
    centre one action mean cannot point to all of them.
    """

    LIMIT, SPEED, STEPS = 1.5, 0.25, 20

    def __init__(self, goals: list[list[float]], start: float) -> None:
        self.goals, self.start = np.array(goals), start
        self.space = Space(2, 2, discrete=False)
        self.rng = np.random.default_rng(0)
        self.place, self.time = np.zeros(2), 0

    def reset(self, seed: int | None = None) -> np.ndarray:
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.place, self.time = self.rng.uniform(-self.start, self.start, 2), 0
        return self.place.astype(np.float32)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool]:
        self.place = np.clip(self.place + self.SPEED * action, -self.LIMIT, self.LIMIT)
        self.time += 1
        distance = np.linalg.norm(self.goals - self.place, axis=1).min()
        reward = float(np.exp(-4 * distance**2))
        return self.place.astype(np.float32), reward, False, self.time >= self.STEPS

    def state(self) -> dict[str, Any]:
        return {
            "place": self.place,
            "time": self.time,
            "rng": json.dumps(self.rng.bit_generator.state),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.place, self.time = np.array(state["place"]), int(state["time"])
        self.rng.bit_generator.state = json.loads(str(state["rng"]))


OWN = {
    "PointMass": lambda: Goal([[0.8, 0.5]], start=1.0),
    "FourWay": lambda: Goal([[1, 0], [-1, 0], [0, 1], [0, -1]], start=0.05),
}


class Gym:
    """A gymnasium environment with a flat observation and Box or Discrete actions."""

    def __init__(self, task: str, render: bool = False) -> None:
        try:
            import gymnasium
        except ModuleNotFoundError:
            raise ValueError(
                f"{task} needs gymnasium: python3 bootstrap.py mujoco "
                f"(without it there are {', '.join(OWN)})"
            ) from None
        try:
            self.env: Any = gymnasium.make(task, render_mode="rgb_array" if render else None)
        except gymnasium.error.DependencyNotInstalled as error:
            raise ValueError(f"{task} needs a package: {error}") from None
        except gymnasium.error.Error as error:
            raise ValueError(f"unknown task {task!r}: {error}") from None
        seen, does = self.env.observation_space, self.env.action_space
        if not (isinstance(seen, gymnasium.spaces.Box) and len(seen.shape) == 1):
            raise ValueError(f"{task}: observations must be a flat Box, got {seen}")
        if isinstance(does, gymnasium.spaces.Discrete):
            self.space = Space(seen.shape[0], int(does.n), discrete=True)
        elif isinstance(does, gymnasium.spaces.Box) and len(does.shape) == 1:
            if not (np.isfinite(does.low).all() and np.isfinite(does.high).all()):
                raise ValueError(f"{task}: the action Box must be bounded, got {does}")
            self.space = Space(seen.shape[0], does.shape[0], discrete=False)
            self.low, self.high = does.low, does.high
        else:
            raise ValueError(f"{task}: actions must be Discrete or a flat Box, got {does}")
        self.task = task

    def reset(self, seed: int | None = None) -> np.ndarray:
        return self._checked(self.env.reset(seed=seed)[0])

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool]:
        if self.space.discrete:
            given: Any = int(action)
        else:
            given = self.low + (np.clip(action, -1, 1) + 1) / 2 * (self.high - self.low)
        obs, reward, terminated, truncated, _ = self.env.step(given)
        return self._checked(obs), float(reward), bool(terminated), bool(truncated)

    def _checked(self, obs: np.ndarray) -> np.ndarray:
        if not np.isfinite(obs).all():
            raise ValueError(f"{self.task} returned an observation that is not finite")
        return np.asarray(obs, np.float32)

    def state(self) -> dict[str, Any]:
        raw = self.env.unwrapped
        state: dict[str, Any] = {"rng": json.dumps(_plain(raw.np_random.bit_generator.state))}
        wrapper = self.env
        while wrapper is not raw:
            if hasattr(wrapper, "_elapsed_steps"):
                state["elapsed"] = wrapper._elapsed_steps
            wrapper = wrapper.env
        if hasattr(raw, "model") and hasattr(raw, "data"):
            state["simulator"] = _mujoco_state(raw)
        else:
            state["simulator"] = np.array(raw.state, np.float64)
        return state

    def restore(self, state: dict[str, Any]) -> None:
        raw = self.env.unwrapped
        self.env.reset()
        raw.np_random.bit_generator.state = json.loads(str(state["rng"]))
        wrapper = self.env
        while wrapper is not raw:
            if hasattr(wrapper, "_elapsed_steps"):
                wrapper._elapsed_steps = int(state["elapsed"])
            wrapper = wrapper.env
        simulator = np.array(state["simulator"], np.float64)
        if hasattr(raw, "model") and hasattr(raw, "data"):
            _set_mujoco_state(raw, simulator)
        else:
            raw.state = simulator


def _mujoco_state(raw: Any) -> np.ndarray:
    import mujoco

    what = mujoco.mjtState.mjSTATE_INTEGRATION
    state = np.empty(mujoco.mj_stateSize(raw.model, what))
    mujoco.mj_getState(raw.model, raw.data, state, what)
    return state


def _set_mujoco_state(raw: Any, state: np.ndarray) -> None:
    import mujoco

    what = mujoco.mjtState.mjSTATE_INTEGRATION
    if len(state) != mujoco.mj_stateSize(raw.model, what):
        raise ValueError("the checkpoint's simulator state belongs to another model")
    mujoco.mj_setState(raw.model, raw.data, state, what)
    mujoco.mj_forward(raw.model, raw.data)  # positions of bodies, which some rewards read
    mujoco.mj_setState(raw.model, raw.data, state, what)  # forward moved the warm start


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def make(task: str) -> Simulator:
    """The task of that name; ValueError if there is none or its spaces do not fit."""
    return OWN[task]() if task in OWN else Gym(task)
