"""The training loop: act, store, update; evaluate, checkpoint, resume."""

import copy
import csv
import hashlib
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from estimators import Noise
from estimators.checking.acting import out_of_reach
from estimators.compiled import Compiled
from estimators.files import write_atomically
from estimators.processor import require_bfloat16
from sac_minimal import checkpoint
from sac_minimal.config import Config
from sac_minimal.entropy import highest_entropy
from sac_minimal.envs import InTurn, Simulator, make
from sac_minimal.lineage import make_agent
from sac_minimal.replay import Batch, Replay
from sac_minimal.sac import SAC

COLUMNS = ["step", "return", "return_std", "train_return", "entropy", "alpha", "critic_loss"]
Row = dict[str, float]
Callback = Callable[[Row, SAC, Path], object]  # what it returns is not looked at


class Diverged(ValueError):
    """A loss or a parameter is no longer finite."""


def train(
    config: Config,
    run: Path,
    progress: Callable[[int, Row], None],
    callbacks: Sequence[Callback] = (),
    world: InTurn | None = None,
) -> list[Row]:
    """Trains in folder `run`, going on from its checkpoint if there is one; returns the metrics.

    `progress(step, last metrics)` is called after every environment step, each callback(metrics,
    agent, run) after every evaluation. The run is a function of the configuration: killed and
    resumed, it ends with the same parameters, bit for bit. best.npz is the agent of the evaluation
    with the highest return. world: its environments, if they are not to be stepped in turn.
    """
    torch.set_num_threads(config.threads)
    loop = Loop(config, run, callbacks, world)
    with checkpoint.locked(run):
        saved = run / "config.json"
        if not loop.path.exists():  # nothing is lost: what failed before leaves only its name
            write_atomically(saved, config.to_json())
        elif Config.from_json(saved.read_text()) != config:
            raise ValueError(f"{run} holds a run with another configuration: --resume it, or move")
        return loop.run(progress)


class Loop:
    """Environments, agent, replay and where the run stands."""

    def __init__(
        self,
        config: Config,
        run: Path,
        callbacks: Sequence[Callback] = (),
        world: InTurn | None = None,
    ) -> None:
        self.callbacks = callbacks
        self.config, self.folder, self.path = config, run, run / "checkpoint.npz"
        here = 1 if world else config.envs  # one, which tells the space
        self.envs = [make(config.task, config.env_kwargs) for _ in range(here)]
        self.world = world or InTurn(self.envs)
        if config.bf16:
            require_bfloat16()
        self.rng = Noise(config.seed)
        self.agent = make_agent(config, self.envs[0].space, self.rng)
        self.compiled = Compiled(
            lambda rng, batch, actor: self.agent.update(batch, actor, rng), torch.zeros(())
        )
        self.step = self.updates = 0
        self.metrics: list[Row] = []
        self.last_return, self.returns = float("nan"), np.zeros(config.envs)
        if not self.path.exists():
            self._require_reach()

    def run(self, progress: Callable[[int, Row], None]) -> list[Row]:
        config, seen = self.config, dict[str, torch.Tensor]()
        slack = config.checkpoint_every + 2 * config.envs
        path, new = self.folder / "replay.f32", not self.path.exists()
        room = config.steps + config.envs
        self.replay = Replay(path, self.envs[0].space, config.replay, slack, new, room)
        if new:
            self.obs = self.world.reset([config.seed + i for i in range(config.envs)])
            # What does not fit together is told now: an update of a copy, a state to be saved.
            blank = self.replay.batch(torch.zeros(2, self.replay.table.shape[1]))
            self._rehearse(blank, True, Noise(0))
            if not self.world.states()[0]:
                warnings.warn(
                    f"the state of {config.task} cannot be saved: a run that is resumed goes on "
                    "with a new episode",
                    stacklevel=3,
                )
        else:
            self._restore()
        while self.step < config.steps:
            before = self.step
            self._interact()
            if self.step > config.warmup:
                for _ in range(config.updates_per_step * config.envs):
                    batch = self.replay.sample(config.batch, self.rng.generator)
                    self.updates += 1
                    seen |= self._update(batch, self.updates % config.delay == 0)
            last, keep = self.step >= config.steps, self._passed(config.keep_every, before)
            if last or self._passed(config.eval_every, before):
                self._evaluate(seen)
            progress(self.step, self.metrics[-1] if self.metrics else {})
            if last or keep or self._passed(config.checkpoint_every, before):
                self._check(seen)
                self._save([kept(self.folder, self.step)] if keep else [])
        return self.metrics

    def _require_reach(self) -> None:
        """ValueError if the temperature is tuned to an entropy that no policy has."""
        agent, space = self.agent, self.agent.space
        highest = highest_entropy(space.actions, space.discrete, agent.squash or agent.bounded)
        why = out_of_reach(agent.target_entropy, highest, space.discrete)
        if why and agent.fixed_alpha is None:
            raise ValueError(f"{why}; give another --target-entropy, or an --alpha")

    def _rehearse(self, batch: Batch, actor: bool, rng: Noise) -> None:
        copy.deepcopy(self.agent).update(batch, actor, rng)

    def _passed(self, every: int, before: int) -> bool:
        """Whether the last step passed a multiple of `every` (0: never)."""
        return every > 0 and self.step // every > before // every

    def _update(self, batch: Batch, actor: bool) -> dict[str, torch.Tensor]:
        if self.config.compile:
            rehearse = partial(self._rehearse, batch, actor)
            return self.compiled(self.rng, batch, actor, key=actor, rehearse=rehearse)
        return self.agent.update(batch, actor, self.rng)

    def _interact(self) -> None:
        """One step of every environment."""
        if self.step < self.config.warmup:
            actions = self._random_actions()
        else:
            with torch.no_grad():
                actions = self.agent.act(torch.from_numpy(self.obs), self.rng).numpy()
            if not np.isfinite(actions).all():
                raise self._diverged("the action")
        obs, reward, terminated, truncated, start = self.world.step(actions)
        for i in range(self.config.envs):
            self.replay.add(self.obs[i], actions[i], reward[i], obs[i], terminated[i])
            self.returns[i] += reward[i]
            if terminated[i] or truncated[i]:
                self.last_return, self.returns[i] = float(self.returns[i]), 0.0
            self.step += 1
        self.obs = start

    def _random_actions(self) -> np.ndarray:
        space, generator = self.envs[0].space, self.rng.generator
        if space.discrete:
            return torch.randint(space.actions, (self.config.envs,), generator=generator).numpy()
        shape = (self.config.envs, space.actions)
        return (2 * torch.rand(shape, generator=generator) - 1).numpy()

    def _evaluate(self, seen: dict[str, torch.Tensor]) -> None:
        self._check(seen)
        returns = evaluate(self.agent, self.config.task, self.config.eval_episodes)
        nan = torch.tensor(float("nan"))
        row = {
            "step": self.step,
            "return": float(np.mean(returns)),
            "return_std": float(np.std(returns)),
            "train_return": self.last_return,
            "entropy": float(seen.get("entropy", nan)),
            "alpha": float(self.agent.alpha),
            "critic_loss": float(seen.get("critic_loss", nan)),
        }
        self.metrics.append(row)
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.metrics)
        write_atomically(self.folder / "metrics.csv", text.getvalue())
        if row["return"] >= max(other["return"] for other in self.metrics):
            checkpoint.save(self.folder / "best.npz", self.agent, {"step": self.step})
        for callback in self.callbacks:
            callback(row, self.agent, self.folder)

    def _check(self, seen: dict[str, torch.Tensor]) -> None:
        numbers = {**self.agent.trained, **{name: [x] for name, x in seen.items()}}
        for name, tensors in numbers.items():
            if not all(x.isfinite().all() for x in tensors):
                raise self._diverged(name)

    def _diverged(self, name: str) -> Diverged:
        kept = "the last good checkpoint is kept" if self.path.exists() else "no checkpoint yet"
        return Diverged(
            f"diverged by step {self.step}: {name} is no longer finite; {kept} in {self.folder}"
        )

    def _save(self, others: Sequence[Path]) -> None:
        rest: dict[str, Any] = {
            "step": self.step,
            "updates": self.updates,
            "generator": self.rng.generator.get_state().numpy(),
            "metrics": self.metrics,
            "last_return": self.last_return,
            "written": self.replay.count,
            "obs": self.obs,
            "returns": self.returns,
        }
        for i, state in enumerate(self.world.states()):
            rest |= {f"env{i}.{key}": value for key, value in state.items()}
        self.replay.array.flush()
        for path in [*others, self.path]:
            checkpoint.save(path, self.agent, rest)

    def _restore(self) -> None:
        rest = checkpoint.load(self.path, self.agent)
        try:
            self.step, self.metrics = int(rest["step"]), list(rest["metrics"])
            self.last_return, self.replay.count = float(rest["last_return"]), int(rest["written"])
            self.obs, self.returns = rest["obs"], rest["returns"]
            self.updates = int(rest["updates"])
            self.rng.generator.set_state(torch.from_numpy(rest["generator"]))
            names = [f"env{i}." for i in range(self.config.envs)]
            states = [
                {k.removeprefix(n): v for k, v in rest.items() if k.startswith(n)} for n in names
            ]
            seeds = [self.config.seed + self.step + i for i in range(self.config.envs)]
            for i, obs in enumerate(self.world.go_on(states, seeds)):
                if obs is not None:
                    self.obs[i], self.returns[i] = obs, 0.0
        except KeyError as error:
            raise ValueError(f"{self.path} lacks {error}: not a checkpoint of this task") from None
        except (TypeError, RuntimeError) as error:
            raise ValueError(f"{self.path} is not a checkpoint of this task: {error}") from None


def kept(run: Path, step: int) -> Path:
    """A checkpoint that stays."""
    return run / f"checkpoint-{step}.npz"


def evaluate(
    agent: SAC, task: str, episodes: int, stochastic: bool = False, seed: int = 10_000
) -> list[float]:
    """Returns of whole episodes, by the policy's mode-like action or by sampling.

    The deterministic action is tanh(μ), of the likeliest component of a mixture, or the likeliest
    choice. Evaluation has its own environment and noise: training does not notice it.
    """
    env, rng = make(task, agent.config.env_kwargs), Noise(seed)
    returns = [0.0] * episodes
    for i in range(episodes):
        for reward in play(agent, env, seed + i, rng, stochastic):
            returns[i] += reward
    return returns


def play(
    agent: SAC, env: Simulator, seed: int, rng: Noise, stochastic: bool = False
) -> Iterator[float]:
    """The rewards of one episode, step by step."""
    obs, done = env.reset(seed), False
    while not done:
        with torch.no_grad():
            x = torch.from_numpy(obs)[None]
            action = agent.act(x, rng)[0] if stochastic else agent.central(x)[0]
        obs, reward, terminated, truncated = env.step(action.numpy())
        done = terminated or truncated
        yield reward


def fingerprint(agent: SAC) -> str:
    """A hash of all parameters and targets."""
    hashed = hashlib.sha256()
    for tensors in [*agent.trained.values(), *agent.targets.values()]:
        for tensor in tensors:
            hashed.update(tensor.detach().numpy().tobytes())
    return hashed.hexdigest()
