"""What this study runs beside training: looks at a run's checkpoints. And its own task."""

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from noise import DOSES  # noqa: F401 — its estimators, for whoever unpickles a run
from torch import Tensor

from estimators import Gaussian, Mixture, Noise, reparameterization, sticking_the_landing
from nabla.options import Probing
from nabla.runs.modes import (
    Modes,
    by_ascent,
    grid_values,
    on_grid,
    random_plane,
    starting_points,
)
from nabla.runs.probing import Situation, situation
from nabla.sweep.cells import TrainCell
from sac_minimal.config import Config
from sac_minimal.envs import TASKS, Gym
from sac_minimal.replay import Batch
from sac_minimal.train import Loop

GRIDS = {1: torch.linspace(-5, 5, 2001), 2: torch.linspace(-5, 5, 201)}
PLANE = torch.linspace(-4, 4, 41)  # σ
TURNS, UPDATES = 9, 50
DEEP, NEAR = (0.1, 0.5, 1.0), 5.0  # nats: how deep a mode is, and how near the highest


def either_way() -> Gym:
    """HalfCheetah-v5 paid for its speed forwards or backwards alike."""
    from gymnasium import Wrapper

    class Speed(Wrapper[Any, Any, Any, Any]):
        def step(self, action: Any) -> Any:
            obs, _, terminated, truncated, info = self.env.step(action)
            reward = abs(info["reward_forward"]) + info["reward_ctrl"]
            return obs, reward, terminated, truncated, info

    task = Gym("HalfCheetah-v5")
    task.env = Speed(task.env)
    return task


TASKS["EitherWay"] = either_way  # type: ignore[assignment]


@dataclass(frozen=True)
class Run(TrainCell):
    """A training run. A class of this module, so that a worker which gets one knows the study's
    task and estimators."""


@dataclass(frozen=True)
class Look(Probing):
    """At one checkpoint of a run."""

    run: str = ""

    def check(self) -> None:
        """The run may not be there yet."""

    def compute(self, folder: Path) -> Any:
        return self.seen(situation(Path(self.run), self))

    def seen(self, where: Situation) -> Any:
        raise NotImplementedError


@dataclass(frozen=True)
class ModesCell(Look):
    """The modes of exp(Q̃/α) at each state, [{…}]."""

    def seen(self, where: Situation) -> Any:
        policy, objective = where.policy, where.objective
        assert isinstance(policy, Gaussian)
        alpha, rng = float(where.agent.alpha), Noise(self.seed)
        mu, sigma = policy.mu, policy.log_std.exp()

        def f(u: Tensor) -> Tensor:
            return objective.Q(u) / alpha

        if mu.shape[-1] in GRIDS:
            axis = GRIDS[mu.shape[-1]]
            values = grid_values(f, axis, mu)
            log_pi = grid_values(policy.log_prob, axis, mu)
            found = [on_grid(v, axis.double().numpy()) for v in values]
            rest = [
                {"kl": divergence(p, v, float(axis[1] - axis[0]))}
                for p, v in zip(log_pi, values, strict=True)
            ]
        else:
            found = by_ascent(f, sigma, starting_points(mu, sigma, rng, where.agent.squash))
            best = torch.from_numpy(np.stack([m.at[0] for m in found])).to(mu)
            planes = random_plane(f, best, sigma, rng, PLANE)
            rest = [{"plane": int(m.counting(DEEP[1], NEAR).sum())} for m in planes]
        return {
            "alpha": alpha,
            "states": [described(m, sigma[i].numpy()) | rest[i] for i, m in enumerate(found)],
        }


def described(modes: Modes, sigma: np.ndarray) -> dict[str, Any]:
    """How many count at each depth; of the deepest but the highest that counts, how it lies."""
    counts = {f"modes_{d:g}": int(modes.counting(d, NEAR).sum()) for d in DEEP}
    second = np.flatnonzero(modes.counting(DEEP[0], NEAR))[1:]
    if not len(second):
        return counts | {"drop": None, "depth": None, "distance": None, "mass": None}
    i = second[modes.depth[second].argmax()]
    apart = np.linalg.norm((modes.at[i] - modes.at[0]) / sigma)
    mass = 1 - modes.mass[0]
    return counts | {
        "drop": float(modes.drop[i]),
        "depth": float(modes.depth[i]),
        "distance": float(apart),
        "mass": None if np.isnan(mass) else float(mass),
    }


def divergence(log_pi: np.ndarray, values: np.ndarray, step: float) -> float:
    """KL(π ‖ exp f/Z) by sums on a grid."""
    cell = values.ndim * np.log(step)
    log_p = values - values.max()
    log_p -= np.log(np.exp(log_p).sum()) + cell
    return float((np.exp(log_pi + cell) * (log_pi - log_p)).sum())


@dataclass(frozen=True)
class UsageCell(Look):
    """How a mixture actor uses its components, over states."""

    states: int = 256

    def seen(self, where: Situation) -> Any:
        policy = where.policy
        assert isinstance(policy, Mixture)
        return usage(policy)


def usage(policy: Mixture) -> dict[str, float]:
    """effective: exp H(w(s)), mean over states; marginal: exp H of the mean weights; collapsed:
    share of states where one weight is over 0.95; distance: Σ_jk w_j w_k |μ_j − μ_k|/σ_jk over
    Σ_{j≠k} w_j w_k, mean over states, σ_jk the root mean square of the two (per coordinate).
    """
    w = policy.logits.softmax(-1)  # [B, K]
    mean = w.mean(0)
    mu, var = policy.mu, (2 * policy.log_std).exp()  # [B, K, d]
    gap = mu[:, :, None] - mu[:, None]  # [B, K, K, d]
    apart = (gap**2 / ((var[:, :, None] + var[:, None]) / 2)).sum(-1).sqrt()
    pair = w[:, :, None] * w[:, None] * (1 - torch.eye(w.shape[-1]))
    return {
        "effective": float(torch.special.entr(w).sum(-1).exp().mean()),
        "marginal": float(torch.special.entr(mean).sum().exp()),
        "collapsed": float((w.amax(-1) > 0.95).float().mean()),
        "distance": float(((pair * apart).sum((1, 2)) / pair.sum((1, 2))).mean()),
    }


@dataclass(frozen=True)
class SpreadCell(Look):
    """The law of total variance of one state's gradient in the actor's parameters, Eq. 13:
    E[Var(g | s)] and Var(E[g | s]), traces."""

    states: int = 64

    def seen(self, where: Situation) -> Any:
        return spread(where, self.seed)


def spread(where: Situation, seed: int, draws: int = 64, singles: int = 16) -> dict[str, float]:
    """within: from `singles` single draws of Eq. 13 a state; between: the cross product of two
    independent estimates of each state's mean gradient, of `draws` draws by STL. Both unbiased.
    """
    agent, rng = where.agent, Noise(seed)
    within, means = 0.0, []
    for s in range(len(where.obs)):
        obs = where.obs[s : s + 1]
        objective = agent.objective([p.detach() for p in agent.trained["critics"]], obs)

        def gradient(
            estimator: Any, n: int, obs: Tensor = obs, objective: Any = objective
        ) -> Tensor:
            loss = estimator(agent.policy(obs), objective, rng, n=n).sum()
            parts = torch.autograd.grad(loss, agent.trained["actor"])
            return torch.cat([g.flatten() for g in parts])

        means.append([gradient(sticking_the_landing, draws) for _ in range(2)])
        alone = torch.stack([gradient(reparameterization, 1) for _ in range(singles)])
        within += float(alone.var(0).sum()) / len(where.obs)
    a, b = (torch.stack(half) for half in zip(*means, strict=True))  # [S, P]
    between = float(((a - a.mean(0)) * (b - b.mean(0))).sum() / (len(a) - 1))
    return {"within": within, "between": between}


@dataclass(frozen=True)
class CostCell:
    """Seconds of one compiled update of each run, in turns, on this machine; a JSON of each."""

    cells: tuple[str, ...] = ()
    seed: int = 0

    def compute(self, folder: Path) -> Any:
        loops = [Loop(Config.from_json(text), folder) for text in self.cells]
        seconds: list[list[float]] = [[] for _ in loops]
        for turn in range(TURNS + 1):
            for loop, mine in zip(loops, seconds, strict=True):
                batch = random_batch(loop)
                start = time.process_time()
                for _ in range(UPDATES):
                    loop._update(batch, True)
                if turn:  # the first compiles
                    mine.append((time.process_time() - start) / UPDATES)
        return [
            {
                "task": loop.config.task,
                "policy": loop.config.policy or "gaussian",
                "components": loop.config.components if loop.config.policy else 1,
                "estimator": loop.config.estimator or "reparameterization",
                "n": loop.config.n,
                "update_seconds": statistics.median(mine),
            }
            for loop, mine in zip(loops, seconds, strict=True)
        ]


def random_batch(loop: Loop) -> Batch:
    space, rows = loop.envs[0].space, loop.config.batch
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(rows, *shape, generator=generator)

    action = random(space.actions).tanh()
    obs, after = random(space.observations), random(space.observations)
    return Batch(obs, action, random(), after, torch.zeros(rows))
