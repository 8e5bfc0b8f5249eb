"""What `nabla probe` measures: estimators at an actor's outputs, and in its parameters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from tqdm import tqdm

from estimators import (
    Estimator,
    Gaussian,
    Moments,
    Noise,
    Objective,
    Policy,
    Report,
    exact_gradient,
)
from nabla.catalogue import pick_estimators
from nabla.compare.measuring import averaged, measured, noise, single_samples
from nabla.figures import Z95, bars, label_of
from nabla.options import Probing, Sampling
from nabla.output import command_line, save_csv, save_figure
from nabla.runs.landscape import Landscape
from nabla.runs.saved import saved_agent, saved_checkpoint
from nabla.table import render, with_error
from sac_minimal.checkpoint import load
from sac_minimal.replay import Replay
from sac_minimal.sac import SAC
from toy_problems import Problem

SAMPLES = 300  # for the violins


def actor_table(seen: Sequence[tuple[Report, Moments]], states: int) -> str:
    rows = [
        [
            label_of(r.estimator),
            with_error(r.total_variance / states, r.total_variance_sem / states),
            with_error(float(inside.mean), float(inside.sem)),
            f"{r.q_evaluations:g}",
            "–" if r.exact is None else f"{r.worst_z:.1f}",
        ]
        for r, inside in seen
    ]
    header = ["estimator", "variance a state", "variance in the actor", "Q evals", "|bias|/se"]
    return render(header, rows)


def save_actor(inside: dict[str, Moments], title: str, folder: Path) -> list[Path]:
    """The variances in the actor's parameters: a table, and bars with 95 % intervals."""
    rows = [[name, float(m.mean), float(m.sem), m.n] for name, m in inside.items()]
    table = folder / "actor.csv"
    save_csv(table, ["estimator", "variance", "variance_sem", "draws"], rows)
    figure = Figure(figsize=(7, 1.2 + 0.26 * len(inside)), layout="constrained")
    best = sorted(inside.items(), key=lambda pair: float(pair[1].mean))
    bars(ax := figure.subplots(), {k: (float(m.mean), Z95 * float(m.sem)) for k, m in best})
    ax.set_xlabel("total variance of the mean loss's gradient in the actor")
    ax.set_title(title)
    return [table, *save_figure(figure, folder / "actor", command_line())]


@dataclass(frozen=True, eq=False)
class Situation:
    """An agent as it was, at states that it had seen."""

    agent: SAC
    obs: torch.Tensor
    policy: Policy
    objective: Objective

    def landscape(self, seed: int) -> Landscape | None:
        """None unless the policy is Gaussian."""
        if not isinstance(self.policy, Gaussian) or not float(self.agent.alpha):
            return None
        return Landscape.sampled(self.policy, self.objective, Noise(seed + 2))

    def parameter_variance(self, estimator: Estimator, draws: int, seed: int) -> Moments:
        """Moments of ‖g − ḡ‖²·draws/(draws − 1), g the gradient of the mean loss in the actor."""
        rng, actor, rows = Noise(seed), self.agent.trained["actor"], []
        for _ in range(draws):
            loss = estimator(self.agent.policy(self.obs), self.objective, rng).mean()
            parts = torch.autograd.grad(loss, actor, materialize_grads=True)
            rows.append(torch.cat([g.flatten() for g in parts]))
        gradients = torch.stack(rows)
        squares = ((gradients - gradients.mean(0)) ** 2).sum(1) * draws / (draws - 1)
        return Moments.of(squares)

    @classmethod
    def of(cls, agent: SAC, obs: torch.Tensor) -> "Situation":
        objective = agent.objective([p.detach() for p in agent.trained["critics"]], obs)
        return cls(agent, obs, agent.policy(obs).detach(), objective)


def situation(run: Path, how: Probing) -> Situation:
    agent = saved_agent(run, how.at)
    if "actor" not in agent.trained:
        raise ValueError(f"{run}: version {agent.config.version} has no actor to probe")
    return Situation.of(agent, replayed_states(run, agent, how))


def probed(where: Situation, how: Probing) -> Iterator[tuple[Report, Moments, np.ndarray]]:
    """For each estimator: at the actor's outputs, in its parameters, and a few single samples.

    Estimators that do not apply are left out with a word, unless they were named.
    """
    agent, policy, objective = where.agent, where.policy, where.objective
    # A ReLU critic has too many kinks for nodes; over discrete actions the sum is exact anyway.
    exact = exact_gradient(policy, objective) if agent.space.discrete else None
    of = f"{agent.config.task}, sum over {len(where.obs)} states"
    problem, draw = Problem(of, policy, objective), Sampling(how.estimates, how.n, how.seed)
    chosen = pick_estimators(policy, how.estimators)
    for name, base in tqdm(chosen.items(), leave=False, disable=None):
        try:
            report = measured(name, base, problem, exact, draw)
        except (ValueError, TypeError) as error:
            if how.estimators:
                raise
            print(f"left out {name}: {error}")
            continue
        estimator = averaged(base, draw)
        inside = where.parameter_variance(estimator, how.through, how.seed)
        yield report, inside, single_samples(estimator, problem, noise(problem, draw, 1), SAMPLES)


def replayed_states(run: Path, agent: SAC, how: Probing) -> torch.Tensor:
    """[states, observations], uniformly from what the run had stored at that checkpoint."""
    slack = agent.config.checkpoint_every + 2 * agent.config.envs
    replay = Replay(run / "replay.f32", agent.space, agent.config.replay, slack)
    path = saved_checkpoint(run, how.at)
    written = load(path, agent).get("written")
    if not isinstance(written, int):
        raise ValueError(f"{path} does not say how much its run had seen")
    replay.count = written
    if how.states > (there := min(replay.count, replay.capacity)):
        raise ValueError(f"states must be ≤ {there:,}, what the run had stored; got {how.states:,}")
    return replay.sample(how.states, torch.Generator().manual_seed(how.seed)).obs
