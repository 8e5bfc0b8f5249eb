"""The training loop: act, store, update; evaluate, checkpoint, resume."""

import csv
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from estimators.report import write_atomically
from sac_minimal import checkpoint
from sac_minimal.config import Config
from sac_minimal.envs import Simulator, make
from sac_minimal.replay import Replay
from sac_minimal.sac import SAC

COLUMNS = ["step", "return", "return_std", "train_return", "entropy", "alpha", "critic_loss"]
Row = dict[str, float]


class Diverged(ValueError):
    """A loss or a parameter is no longer finite."""


def train(config: Config, run: Path, progress: Callable[[int, Row], None]) -> list[Row]:
    """Trains in folder `run`, going on from its checkpoint if there is one; returns the metrics.

    `progress(step, last metrics)` is called after every environment step. The run is a function
    of the configuration: killed and resumed, it ends with the same parameters, bit for bit.
    """
    torch.set_num_threads(config.threads)
    envs = [make(config.task) for _ in range(config.envs)]
    agent = SAC(config, envs[0].space)
    with checkpoint.locked(run):
        saved = run / "config.json"
        if saved.exists() and Config.from_json(saved.read_text()) != config:
            raise ValueError(f"{run} holds a run with another configuration: --resume it, or move")
        if not saved.exists():
            write_atomically(saved, config.to_json())
        slack = config.checkpoint_every + 2 * config.envs
        replay = Replay(run / "replay.f32", envs[0].space, config.replay, slack)
        return _Loop(config, run, envs, agent, replay).run(progress)


class _Loop:
    def __init__(
        self, config: Config, run: Path, envs: list[Simulator], agent: SAC, replay: Replay
    ) -> None:
        self.config, self.folder, self.envs, self.agent, self.replay = (
            config,
            run,
            envs,
            agent,
            replay,
        )
        self.step, self.metrics = 0, list[Row]()
        self.last_return, self.returns = float("nan"), np.zeros(len(envs))
        self.path = run / "checkpoint.npz"
        if self.path.exists():
            self._restore()
        else:
            self.obs = np.stack([e.reset(config.seed + i) for i, e in enumerate(envs)])

    def run(self, progress: Callable[[int, Row], None]) -> list[Row]:
        config, seen = self.config, dict[str, torch.Tensor]()
        while self.step < config.steps:
            before = self.step
            self._interact()
            if self.step > config.warmup:
                for _ in range(config.updates_per_step * len(self.envs)):
                    batch = self.replay.sample(config.batch, self.agent.rng.generator)
                    seen = self.agent.update(batch)
            last = self.step >= config.steps
            if last or self.step // config.eval_every > before // config.eval_every:
                self._evaluate(seen)
            progress(self.step, self.metrics[-1] if self.metrics else {})
            if last or self.step // config.checkpoint_every > before // config.checkpoint_every:
                self._check(seen)
                self._save()
        return self.metrics

    def _interact(self) -> None:
        """One step of every environment."""
        if self.step < self.config.warmup:
            actions = self._random_actions()
        else:
            with torch.no_grad():
                actions = self.agent.act(torch.from_numpy(self.obs)).numpy()
        for i, env in enumerate(self.envs):
            obs, reward, terminated, truncated = env.step(actions[i])
            self.replay.add(self.obs[i], actions[i], reward, obs, terminated)
            self.returns[i] += reward
            if terminated or truncated:
                self.last_return, self.returns[i] = float(self.returns[i]), 0.0
                obs = env.reset()
            self.obs[i] = obs
            self.step += 1

    def _random_actions(self) -> np.ndarray:
        space, generator = self.envs[0].space, self.agent.rng.generator
        if space.discrete:
            choices = torch.randint(space.actions, (len(self.envs),), generator=generator)
            return choices.numpy()
        shape = (len(self.envs), space.actions)
        return (2 * torch.rand(shape, generator=generator) - 1).numpy()

    def _evaluate(self, seen: dict[str, torch.Tensor]) -> None:
        self._check(seen)
        returns = evaluate(self.agent, self.config.task, self.config.eval_episodes)
        nan = torch.tensor(float("nan"))
        self.metrics.append(
            {
                "step": self.step,
                "return": float(np.mean(returns)),
                "return_std": float(np.std(returns)),
                "train_return": self.last_return,
                "entropy": float(seen.get("entropy", nan)),
                "alpha": float(self.agent.alpha),
                "critic_loss": float(seen.get("critic_loss", nan)),
            }
        )
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.metrics)
        write_atomically(self.folder / "metrics.csv", text.getvalue())

    def _check(self, seen: dict[str, torch.Tensor]) -> None:
        numbers = {**self.agent.parameters(), **{name: [x] for name, x in seen.items()}}
        for name, tensors in numbers.items():
            if not all(x.isfinite().all() for x in tensors):
                raise Diverged(
                    f"diverged by step {self.step}: {name} is no longer finite; "
                    f"the last good checkpoint is kept in {self.folder}"
                )

    def _save(self) -> None:
        rest: dict[str, Any] = {
            "step": self.step,
            "metrics": self.metrics,
            "last_return": self.last_return,
            "written": self.replay.count,
            "obs": self.obs,
            "returns": self.returns,
        }
        for i, env in enumerate(self.envs):
            for key, value in env.state().items():
                rest[f"env{i}.{key}"] = value
        self.replay.array.flush()
        checkpoint.save(self.path, self.agent, rest)

    def _restore(self) -> None:
        rest = checkpoint.load(self.path, self.agent)
        try:
            self.step, self.metrics = int(rest["step"]), list(rest["metrics"])
            self.last_return, self.replay.count = float(rest["last_return"]), int(rest["written"])
            self.obs, self.returns = rest["obs"], rest["returns"]
            for i, env in enumerate(self.envs):
                prefix = f"env{i}."
                env.restore(
                    {k.removeprefix(prefix): v for k, v in rest.items() if k.startswith(prefix)}
                )
        except KeyError as error:
            raise ValueError(f"{self.path} lacks {error}: not a checkpoint of this task") from None


def evaluate(
    agent: SAC, task: str, episodes: int, stochastic: bool = False, seed: int = 10_000
) -> list[float]:
    """Returns of whole episodes, by the policy's mode-like action or by sampling.

    The deterministic action is tanh(μ), of the likeliest component of a mixture, or the likeliest
    choice. Evaluation has its own environment and noise: training does not notice it.
    """
    env, returns = make(task), []
    rng = type(agent.rng)(seed)
    for episode in range(episodes):
        obs, total, done = env.reset(seed + episode), 0.0, False
        while not done:
            with torch.no_grad():
                policy = agent.policy(torch.from_numpy(obs)[None])
                u = policy.sample(1, rng)[0, 0] if stochastic else _mode(policy)[0]
            action = torch.tanh(u) if agent.squash else u
            obs, reward, terminated, truncated = env.step(action.numpy())
            total, done = total + reward, terminated or truncated
        returns.append(total)
    return returns


def _mode(policy: Any) -> torch.Tensor:
    p = policy.parameters()
    if "mu" not in p:
        return p["logits"].argmax(-1)
    if "logits" not in p:
        return p["mu"]
    k = p["logits"].argmax(-1)
    return p["mu"].gather(-2, k[..., None, None].expand(*k.shape, 1, p["mu"].shape[-1]))[..., 0, :]


def fingerprint(agent: SAC) -> str:
    """A hash of all parameters and targets."""
    hashed = hashlib.sha256()
    for tensors in [*agent.parameters().values(), agent.targets]:
        for tensor in tensors:
            hashed.update(tensor.detach().numpy().tobytes())
    return hashed.hexdigest()
