"""Soft Actor-Critic (Haarnoja et al. 2018b, algorithm 1). One `update` is four steps.

The soft value is minus the cost, V(s) = −E_π[α log π(a|s) − Q(s, a)], so the critics' target and
the actor's loss share one definition: the objective of state s.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from estimators import CATALOGUE, Noise, Objective, Policy, log_det_tanh, squash
from sac_minimal.config import KINDS, Config
from sac_minimal.networks import Network, forward, make_network, make_policy, outputs, q_values


class Batch(NamedTuple):
    """Transitions: obs, next_obs [B, o]; action [B, d] (indices [B] if discrete); rest [B]."""

    obs: Tensor
    action: Tensor
    reward: Tensor
    next_obs: Tensor
    terminated: Tensor  # 1 where s' has no value; a time limit is not such a case


@dataclass(frozen=True)
class Space:
    """What the networks need to know of a task: actions counts dimensions, or choices."""

    observations: int
    actions: int
    discrete: bool


class SAC:
    """Networks, optimisers and noise. All randomness comes from `rng`."""

    def __init__(self, config: Config, space: Space) -> None:
        self.config, self.space, self.rng = config, space, Noise(config.seed)
        self.kind, name = config.resolve(space.discrete)
        self.estimator = CATALOGUE[KINDS[self.kind]][name]
        self.squash = config.squash and not space.discrete
        hidden, generator = [config.hidden] * 2, self.rng.generator
        inputs = space.observations + (0 if space.discrete else space.actions)
        heads = outputs(self.kind, space.actions, config.components)
        self.actor = make_network([space.observations, *hidden, heads], generator)
        choices = space.actions if space.discrete else 1
        self.critics = make_network([inputs, *hidden, choices], generator, copies=(2,))
        self.targets = [p.detach().clone() for p in self.critics]
        self.log_alpha = torch.tensor(math.log(config.alpha) if config.alpha else 0.0)
        self.log_alpha.requires_grad_()
        entropy = 0.98 * math.log(space.actions) if space.discrete else -space.actions
        self.target_entropy = entropy if config.target_entropy is None else config.target_entropy
        given = {"critics": config.lr_critic, "log_alpha": config.lr_alpha}
        rates = {name: rate for name, rate in given.items() if rate is not None}
        self.optimisers = {
            name: torch.optim.Adam(parameters, lr=rates.get(name, config.lr))
            for name, parameters in self.parameters().items()
        }

    def parameters(self) -> dict[str, Network]:
        return {"actor": self.actor, "critics": self.critics, "log_alpha": [self.log_alpha]}

    @property
    def alpha(self) -> float | Tensor:
        return self.log_alpha.exp().detach() if self.config.alpha is None else self.config.alpha

    def policy(self, obs: Tensor) -> Policy:
        """π(·|s) for each state: [B, o] -> a batch of B policies (in u-space if squashed)."""
        return make_policy(self.kind, forward(self.actor, obs), self.space.actions)

    def objective(self, critics: Network, obs: Tensor) -> Objective:
        """α log π(a) − min_i Q_i(s, a), for each state."""
        discrete = self.space.discrete
        plain = Objective(lambda a: q_values(critics, obs, a, discrete).amin(0), self.alpha)
        return squash(plain) if self.squash else plain

    def act(self, obs: Tensor) -> Tensor:
        """One action for each state, as the environment and the critics see it."""
        u = self.policy(obs).sample(1, self.rng)[0]
        return torch.tanh(u) if self.squash else u

    def soft_value(self, critics: Network, obs: Tensor) -> Tensor:
        """V(s) = E_π[min_i Q_i(s, a) − α log π(a|s)]: exact if discrete, else from one a ~ π."""
        policy, objective = self.policy(obs), self.objective(critics, obs)
        if self.space.discrete:
            a, w = policy.nodes()
            return -(w * objective.cost(policy, a)).sum(0)
        return -objective.cost(policy, policy.sample(1, self.rng))[0]

    def critic_step(self, batch: Batch) -> Tensor:
        """J_Q = Σ_i ½ E[(Q_i(s, a) − y)²],  y = r + γ(1 − terminated) V̄(s′)."""
        with torch.no_grad():
            value = self.soft_value(self.targets, batch.next_obs)
            y = batch.reward + self.config.gamma * (1 - batch.terminated) * value
        q = q_values(self.critics, batch.obs, batch.action, self.space.discrete)  # [2, B]
        loss = ((q - y) ** 2).mean(-1).sum() / 2
        return self._descend("critics", loss)

    def actor_step(self, batch: Batch) -> Tensor:
        """∇̂J_π: the estimator, averaged over the states of the batch."""
        policy, objective = self.policy(batch.obs), self.objective(self.critics, batch.obs)
        return self._descend(
            "actor", self.estimator(policy, objective, self.rng, n=self.config.n).mean()
        )

    def temperature_step(self, batch: Batch) -> Tensor:
        """J(α) = E_π[−α (log π(a|s) + H̄)]; returns the entropy."""
        with torch.no_grad():
            policy = self.policy(batch.obs)
            if self.space.discrete:
                entropy = policy.entropy().mean()  # type: ignore[attr-defined]
            else:
                u = policy.sample(1, self.rng)[0]
                log_det = log_det_tanh(u) if self.squash else torch.zeros(())
                entropy = (log_det - policy.log_prob(u[None])[0]).mean()
        if self.config.alpha is None:
            self._descend("log_alpha", self.log_alpha.exp() * (entropy - self.target_entropy))
        return entropy

    def target_step(self) -> None:
        """θ̄ ← (1 − τ) θ̄ + τ θ."""
        torch._foreach_lerp_(self.targets, [p.detach() for p in self.critics], self.config.tau)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """One gradient step of everything: losses and entropy before it."""
        seen = {"critic_loss": self.critic_step(batch)}
        self.actor_step(batch)
        seen["entropy"] = self.temperature_step(batch)
        self.target_step()
        return seen

    def _descend(self, name: str, loss: Tensor) -> Tensor:
        parameters, optimiser = self.parameters()[name], self.optimisers[name]
        optimiser.zero_grad()
        loss.backward(inputs=parameters)
        optimiser.step()
        return loss.detach()
