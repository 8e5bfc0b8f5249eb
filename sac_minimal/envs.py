"""Tasks: gymnasium's, anybody's, and tiny ones of our own. Actions are in [−1, 1]^d here."""

import json
import os
import sys
from collections.abc import Sequence
from ctypes.util import find_library
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class Space:
    """What the networks need to know of a task: actions counts dimensions, or choices."""

    observations: int
    actions: int
    discrete: bool


class Simulator(Protocol):
    """What a task does: reset, step, and give or take its full state (arrays and JSON values;
    nothing if it cannot be saved)."""

    space: Space

    def reset(self, seed: int | None = None) -> np.ndarray: ...
    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool]: ...
    def state(self) -> dict[str, Any]: ...
    def restore(self, state: dict[str, Any]) -> None: ...


class Goal:
    """A point in the plane that actions push; the reward is a goal's worth there, less far from it.

    PointMass has one goal. FourWay has four alike, so its optimal policy is multimodal: from the
    centre one action mean cannot point to all of them. Of Uneven's four one is worth the most.
    """

    LIMIT, SPEED, STEPS = 1.5, 0.25, 20

    def __init__(
        self, goals: list[list[float]], start: float, worth: tuple[float, ...] = (1.0,)
    ) -> None:
        self.goals, self.start, self.worth = np.array(goals), start, np.array(worth)
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
        distance = np.linalg.norm(self.goals - self.place, axis=1)
        reward = float((self.worth * np.exp(-4 * distance**2)).max())
        return self.place.astype(np.float32), reward, False, self.time >= self.STEPS

    def state(self) -> dict[str, Any]:
        rng = json.dumps(self.rng.bit_generator.state)
        return {"place": self.place, "time": self.time, "rng": rng}

    def restore(self, state: dict[str, Any]) -> None:
        self.place, self.time = np.array(state["place"]), int(state["time"])
        self.rng.bit_generator.state = json.loads(str(state["rng"]))


WAYS: list[list[float]] = [[1, 0], [-1, 0], [0, 1], [0, -1]]
TASKS = {
    "PointMass": lambda: Goal([[0.8, 0.5]], start=1.0),
    "TwoWay": lambda: Goal(WAYS[:2], start=0.05),
    "ThreeWay": lambda: Goal(WAYS[:3], start=0.05),
    "FourWay": lambda: Goal(WAYS, start=0.05),
    "Uneven": lambda: Goal(WAYS, start=0.05, worth=(1.0, 0.9, 0.8, 0.7)),
}
UNREPEATABLE = "dm_control/lqr-"


def headless() -> None:
    """Without a display MuJoCo is to render off-screen, if the graphics library is there."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("MUJOCO_GL")):
        os.environ["MUJOCO_GL"] = "egl" if find_library("EGL") else "disabled"


def _gymnasium(task: str) -> Any:
    """The package, with DeepMind Control's tasks registered if `task` is one of them."""
    dm = task.startswith("dm_control/")
    try:
        import gymnasium

        if dm:
            headless()  # or it warns that there is no display
            import dm_control  # noqa: F401 — shimmy says nothing if it is missing
            import shimmy

            gymnasium.register_envs(shimmy)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{task} needs a package ({error}): python3 bootstrap.py {'dm' if dm else 'mujoco'} "
            f"(without it there are {', '.join(TASKS)})"
        ) from None
    return gymnasium


def _make(task: str, settings: Sequence[str], render: bool) -> Any:
    """The environment, and gymnasium's spaces."""
    gymnasium, (module, _, name) = _gymnasium(task), task.rpartition(":")
    given: dict[str, Any] = {"render_mode": "rgb_array"} if render else {}
    loaded = None
    if module or settings:
        from estimators.foreign import keywords, load_module

        given |= keywords("--env-kwargs", settings)
        loaded = load_module(module) if module else None
    try:
        own = name.isidentifier() and hasattr(loaded, name)
        env = getattr(loaded, name)(**given) if own else gymnasium.make(name, **given)
    except gymnasium.error.DependencyNotInstalled as error:
        advice = ": python3 bootstrap.py mujoco" if "mujoco" in str(error).lower() else ""
        raise ValueError(f"{task} needs a package ({error}){advice}") from None
    except (ImportError, gymnasium.error.Error) as error:
        raise ValueError(f"unknown task {task!r}: {error}") from None
    except TypeError as error:
        raise ValueError(f"{task} cannot be made with {given}: {error}") from None
    if not isinstance(env, gymnasium.Env):
        raise ValueError(f"{task} must make a gymnasium.Env, it made a {type(env).__name__}")
    return env, gymnasium.spaces


class Gym:
    """A gymnasium environment with Box or Discrete actions; observations are flattened, what is
    discrete in them one-hot. An id, somebody's `module:Class` (or a function that makes one,
    wrapped as they like), or `module:id`, which that module registers. Names that begin with
    dm_control/ are DeepMind Control's, through shimmy."""

    env: Any

    def __init__(self, task: str, settings: Sequence[str] = (), render: bool = False) -> None:
        if task.startswith(UNREPEATABLE):
            raise ValueError(f"{task} draws its model anew in each process: no run could go on")
        try:
            self.env, spaces = _make(task, settings, render)
        except (AttributeError, RuntimeError) as error:  # of the graphics library MuJoCo loads
            chosen = os.environ.get("MUJOCO_GL")
            advice = f": unset MUJOCO_GL={chosen}, or install that library" if chosen else ""
            raise ValueError(f"cannot make {task} ({error}){advice}") from None
        seen, does = self.env.observation_space, self.env.action_space
        if not seen.is_np_flattenable:
            raise ValueError(f"{task}: observations must be numbers, got {seen}")
        plain = isinstance(seen, spaces.Box) and len(seen.shape) == 1
        self.flat = np.asarray if plain else partial(spaces.flatten, seen)
        observations = spaces.flatdim(seen)
        if isinstance(does, spaces.Discrete):
            self.space, self.first = Space(observations, int(does.n), discrete=True), does.start
        elif isinstance(does, spaces.Box) and len(does.shape) == 1:
            if not (np.isfinite(does.low).all() and np.isfinite(does.high).all()):
                raise ValueError(f"{task}: the action Box must be bounded, got {does}")
            self.space = Space(observations, does.shape[0], discrete=False)
            self.low, self.high = does.low, does.high
        else:
            raise ValueError(f"{task}: actions must be Discrete or a flat Box, got {does}")
        self.task = task

    def reset(self, seed: int | None = None) -> np.ndarray:
        obs, _ = self._answer("reset", self.env.reset(seed=seed), 2)
        return self.seen(obs)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool]:
        answer = self.env.step(self.given(action))
        obs, reward, terminated, truncated, _ = self._answer("step", answer, 5)
        if not np.isfinite(reward):
            raise ValueError(f"{self.task} returned a reward that is not finite")
        return self.seen(obs), float(reward), bool(terminated), bool(truncated)

    def given(self, action: np.ndarray) -> Any:
        """An action in [−1, 1]^d, or a choice, as the environment takes it."""
        if self.space.discrete:
            return self.first + int(action)
        return self.low + (np.clip(action, -1, 1) + 1) / 2 * (self.high - self.low)

    def _answer(self, asked: str, answer: Any, parts: int) -> Any:
        if not isinstance(answer, tuple) or len(answer) != parts:
            kind = f"{len(answer)} values" if isinstance(answer, tuple) else type(answer).__name__
            raise ValueError(f"{self.task}: {asked} must return {parts} values, got {kind}")
        return answer

    def seen(self, obs: Any) -> np.ndarray:
        """An observation of the environment, as the networks take it."""
        obs = np.asarray(self.flat(obs), np.float32)
        if obs.shape != (wanted := (self.space.observations,)):
            raise ValueError(f"{self.task} returned an observation {obs.shape}, not {wanted}")
        if not np.isfinite(obs).all():
            raise ValueError(f"{self.task} returned an observation that is not finite")
        return obs

    def state(self) -> dict[str, Any]:
        """Of somebody's own class no attribute is known to be all of it: its methods `state()` and
        `restore(state)`, where it has them, say what is."""
        state = {f"count{i}": getattr(*where) for i, where in enumerate(self._counters())}
        state["rng"] = json.dumps(_plain(self._bits().state))
        (model, data), raw = self._mujoco(), self.env.unwrapped
        if self._keeps_itself():
            for name, value in dict(raw.state()).items():
                array = isinstance(value, np.ndarray)
                state[f"own.{name}"] = value if array else json.dumps(_plain(value))
            return state
        if ":" in self.task or (model is None and not hasattr(raw, "state")):
            return {}
        return state | {"simulator": np.array(raw.state) if model is None else _get(model, data)}

    def restore(self, state: dict[str, Any]) -> None:
        self.env.reset()
        for i, where in enumerate(self._counters()):
            setattr(*where, int(state[f"count{i}"]))
        self._bits().state = json.loads(str(state["rng"]))
        model, data = self._mujoco()
        if self._keeps_itself():
            own = {k.removeprefix("own."): v for k, v in state.items() if k.startswith("own.")}
            plain = {k: json.loads(v) for k, v in own.items() if isinstance(v, str)}
            self.env.unwrapped.restore(own | plain)
        elif model is None:
            self.env.unwrapped.state = np.array(state["simulator"])
        else:
            _set(model, data, np.array(state["simulator"]))

    def _keeps_itself(self) -> bool:
        return all(callable(getattr(self.env.unwrapped, n, None)) for n in ("state", "restore"))

    def _bits(self) -> Any:
        """The bit generator of the environment (DeepMind Control has a legacy RandomState)."""
        rng = self.env.unwrapped.np_random
        return rng._bit_generator if isinstance(rng, np.random.RandomState) else rng.bit_generator

    def _mujoco(self) -> tuple[Any, Any]:
        raw = self.env.unwrapped
        if hasattr(raw, "_env"):
            return raw._env.physics.model.ptr, raw._env.physics.data.ptr
        return getattr(raw, "model", None), getattr(raw, "data", None)

    def _counters(self) -> list[tuple[Any, str]]:
        """Where the steps of an episode are counted."""
        wrapper, found = self.env, []
        while wrapper is not None:
            names = ("_elapsed_steps", "_step_count")
            found += [(wrapper, name) for name in names if name in vars(wrapper)]
            wrapper = vars(wrapper).get("env", vars(wrapper).get("_env"))
        return found


def _get(model: Any, data: Any) -> np.ndarray:
    import mujoco

    what = mujoco.mjtState.mjSTATE_INTEGRATION
    state = np.empty(mujoco.mj_stateSize(model, what))
    mujoco.mj_getState(model, data, state, what)
    return np.concatenate([state, *(x.ravel() for x in _beside(model, data))])


def _set(model: Any, data: Any, saved: np.ndarray) -> None:
    import mujoco

    what = mujoco.mjtState.mjSTATE_INTEGRATION
    sizes = [mujoco.mj_stateSize(model, what), *(x.size for x in _beside(model, data))]
    if len(saved) != sum(sizes):
        raise ValueError("the checkpoint's simulator state belongs to another model")
    state, *beside = np.split(saved, np.cumsum(sizes)[:-1])

    def put() -> None:
        mujoco.mj_setState(model, data, state, what)
        for x, value in zip(_beside(model, data), beside, strict=True):
            x[:] = value.reshape(x.shape)

    put()
    mujoco.mj_forward(model, data)
    put()  # forward moved the warm start and the positions


def _beside(model: Any, data: Any) -> list[np.ndarray]:
    """Beside the state: positions that lag one substep behind it, which rewards read, and what a
    reset draws: places, a terrain, the directions of actuators."""
    drawn = [model.body_pos, model.body_quat, model.geom_pos, model.site_pos, model.light_pos]
    return [data.xpos, data.xipos, *drawn, model.wrap_prm, model.hfield_data]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def make(task: str, settings: Sequence[str] = ()) -> Simulator:
    """The task of that name; ValueError if there is none or its spaces do not fit."""
    if task not in TASKS:
        return Gym(task, settings)
    if settings:
        raise ValueError(f"{task} is one of ours and has no --env-kwargs")
    return TASKS[task]()


Stepped = tuple[np.ndarray, ...]  # s′, reward, terminated, truncated, where the next actions are


class InTurn:
    """Environments stepped one after the other; where an episode ends the next one begins."""

    def __init__(self, envs: Sequence[Simulator]) -> None:
        self.envs = envs

    def reset(self, seeds: list[int]) -> np.ndarray:
        return np.stack([e.reset(seed) for e, seed in zip(self.envs, seeds, strict=True)])

    def step(self, actions: np.ndarray) -> Stepped:
        rows = []
        for env, action in zip(self.envs, actions, strict=True):
            obs, reward, terminated, truncated = env.step(action)
            start = env.reset() if terminated or truncated else obs
            rows.append((obs, reward, terminated, truncated, start))
        return tuple(map(np.array, zip(*rows, strict=True)))

    def states(self) -> list[dict[str, Any]]:
        return [env.state() for env in self.envs]

    def go_on(self, states: list[dict[str, Any]], seeds: list[int]) -> list[np.ndarray | None]:
        return list(map(go_on, self.envs, states, seeds))


def go_on(env: Simulator, state: dict[str, Any], seed: int) -> np.ndarray | None:
    """From its state; if that could not be saved, the first observation of a new episode."""
    if not state:
        return env.reset(seed)
    env.restore(state)
    return None
