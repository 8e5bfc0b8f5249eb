"""Soft Actor-Critic (Haarnoja et al. 2018b, algorithm 1). One `update` is four steps.

The soft value is minus the cost, V(s) = −E_π[α log π(a|s) − Q(s, a)], so the critics' target and
the actor's loss share one definition: the objective of state s.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from estimators import POLICIES, Noise, Objective, Policy, log_det_tanh, squash
from sac_minimal.adam import Adam
from sac_minimal.config import Config, driver
from sac_minimal.entropy import default_target
from sac_minimal.envs import Space
from sac_minimal.networks import Forward, Network, build, make_policy, outputs, q_values
from sac_minimal.replay import Batch


class SAC:
    """Networks, optimisers and the steps of an update. All randomness comes from `rng`."""

    CRITICS = 2
    TARGETS: tuple[str, ...] = ("critics",)  # networks that a slow copy follows
    ALPHA: float | None = None  # the temperature, unless it is given; None: tuned

    def __init__(self, config: Config, space: Space, rng: Noise) -> None:
        self.config, self.space = config, space
        self.kind, name = config.resolve(space.discrete)
        self.estimator = driver(self.kind, name, config.n)
        self.bounded = POLICIES[self.kind].bounded
        self.squash = config.squash and not (space.discrete or self.bounded)
        self.forward: dict[str, Forward] = {}
        self.trained = self.networks(rng.generator)
        self.targets = {k: [p.detach().clone() for p in self.trained[k]] for k in self.TARGETS}
        entropy = default_target(space.actions, space.discrete)
        self.target_entropy = entropy if config.target_entropy is None else config.target_entropy
        self.fixed_alpha = self.ALPHA if config.alpha is None else config.alpha
        rates = {"critics": config.lr_critic, "log_alpha": config.lr_alpha}
        lr = {k: rate for k, rate in rates.items() if rate is not None}
        self.optimisers = {k: Adam(p, lr.get(k, config.lr)) for k, p in self.trained.items()}

    def networks(self, generator: torch.Generator) -> dict[str, Network]:
        space, hidden = self.space, self.config.layers
        heads = outputs(self.kind, space.actions, self.config.components)
        inputs, choices = space.observations + space.actions, 1
        if space.discrete:
            inputs, choices = space.observations, space.actions
        make = partial(self.network, generator)
        return {
            "actor": make("actor", [space.observations, *hidden, heads]),
            "critics": make("critics", [inputs, *hidden, choices], (self.CRITICS,)),
            "log_alpha": [torch.zeros((), requires_grad=True)],
        }

    def network(self, generator: torch.Generator, name: str, *shape: Any) -> Network:
        """Its parameters; its forward pass is kept under its name."""
        network, self.forward[name] = build(self.config, generator, *shape)
        return network

    @property
    def alpha(self) -> float | Tensor:
        if self.fixed_alpha is None:
            return self.trained["log_alpha"][0].detach().exp()
        return self.fixed_alpha

    def policy(self, obs: Tensor) -> Policy:
        """π(·|s) for each state: [B, o] -> a batch of B policies (in u-space if squashed)."""
        out = self.forward["actor"](self.trained["actor"], obs)
        return make_policy(self.kind, out, self.space.actions, self.config.components)

    def q(self, critics: Network, obs: Tensor, a: Tensor) -> Tensor:
        """Q_i(s, a): [B, o], [*n, B, d] (or indices [*n, B]) -> [critics, *n, B]."""
        return q_values(self.forward["critics"], critics, obs, a, self.space.discrete)

    def objective(self, critics: Network, obs: Tensor) -> Objective:
        """α log π(a) − min_i Q_i(s, a), for each state."""
        plain = Objective(lambda a: self.q(critics, obs, a).amin(0), self.alpha)
        return squash(plain) if self.squash else plain

    def act(self, obs: Tensor, rng: Noise) -> Tensor:
        """One action for each state, as the environment and the critics see it."""
        u = self.policy(obs).sample(1, rng)[0]
        return torch.tanh(u) if self.squash else u

    def central(self, obs: Tensor) -> Tensor:
        """The action to evaluate: tanh of the policy's central one, or the likeliest choice."""
        u = self.policy(obs).central()
        return torch.tanh(u) if self.squash else u

    def soft_value(self, critics: Network, obs: Tensor, rng: Noise) -> Tensor:
        """V(s) = E_π[min_i Q_i(s, a) − α log π(a|s)]: exact if discrete, else from one a ~ π."""
        policy, objective = self.policy(obs), self.objective(critics, obs)
        a, w = policy.nodes() if self.space.discrete else (policy.sample(1, rng), 1.0)
        return -(w * objective.cost(policy, a)).sum(0)

    def next_value(self, batch: Batch, rng: Noise) -> Tensor:
        """V̄(s′), from the target critics."""
        return self.soft_value(self.targets["critics"], batch.next_obs, rng)

    def critic_step(self, batch: Batch, rng: Noise) -> Tensor:
        """J_Q = Σ_i ½ E[(Q_i(s, a) − y)²],  y = r + γ(1 − terminated) V̄(s′)."""
        with torch.no_grad():
            value = self.next_value(batch, rng)
            y = batch.reward + self.config.gamma * (1 - batch.terminated) * value
        q = self.q(self.trained["critics"], batch.obs, batch.action)  # [critics, B]
        return self.descend("critics", ((q - y) ** 2).mean(-1).sum() / 2)

    def actor_step(self, policy: Policy, obs: Tensor, rng: Noise) -> Tensor:
        """∇̂J_π: the estimator, averaged over the states of the batch."""
        objective = self.objective(self.trained["critics"], obs)
        return self.descend("actor", self.estimator(policy, objective, rng).mean())

    def temperature_step(self, policy: Policy, rng: Noise) -> Tensor:
        """J(α) = E_π[−α (log π(a|s) + H̄)]; returns the entropy."""
        if self.space.discrete:
            entropy = policy.entropy().mean()
        else:
            u = policy.sample(1, rng)  # [1, B, d]
            log_det = log_det_tanh(u) if self.squash else torch.zeros(())
            entropy = (log_det - policy.log_prob(u)).mean()
        if self.fixed_alpha is None:
            alpha = self.trained["log_alpha"][0].exp()
            self.descend("log_alpha", alpha * (entropy - self.target_entropy))
        return entropy

    def target_step(self) -> None:
        """θ̄ ← (1 − τ) θ̄ + τ θ."""
        for name, slow in self.targets.items():
            fast = [p.detach() for p in self.trained[name]]
            torch._foreach_lerp_(slow, fast, self.config.tau)

    def update(self, batch: Batch, actor: bool, rng: Noise) -> dict[str, Tensor]:
        """One gradient step of everything (without `actor`, of the critics): what it saw."""
        seen = {"critic_loss": self.critic_step(batch, rng)}
        if actor:
            policy = self.policy(batch.obs)
            self.actor_step(policy, batch.obs, rng)
            seen["entropy"] = self.temperature_step(policy.detach(), rng)
        self.target_step()
        return seen

    def descend(self, name: str, loss: Tensor) -> Tensor:
        """One step of Adam on that network alone; returns the loss before it."""
        gradients = torch.autograd.grad(loss, self.trained[name])
        self.optimisers[name].step(gradients)
        return loss.detach()
