"""SAC's ancestors and its limits without entropy: what differs from `sac.py`, and nothing else."""

import math

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from estimators import Categorical, Gaussian, Noise, Policy
from sac_minimal.config import Config
from sac_minimal.envs import Space
from sac_minimal.networks import Network
from sac_minimal.replay import Batch
from sac_minimal.sac import SAC


class ValueSAC(SAC):
    """Version 2 (Haarnoja et al. 2018a, second edition): a network for V, and twin critics."""

    TARGETS, ALPHA = ("value",), 0.2

    def networks(self, generator: torch.Generator) -> dict[str, Network]:
        sizes = [self.space.observations, *self.config.layers, 1]
        return {**super().networks(generator), "value": self.network(generator, "value", sizes)}

    def next_value(self, batch: Batch, rng: Noise) -> Tensor:
        """V̄(s′), from the target value network."""
        return self.forward["value"](self.targets["value"], batch.next_obs)[..., 0]

    def critic_step(self, batch: Batch, rng: Noise) -> Tensor:
        """J_V = ½ E[(V(s) − E_π[min_i Q_i(s, a) − α log π(a|s)])²], then J_Q."""
        with torch.no_grad():
            target = self.soft_value(self.trained["critics"], batch.obs, rng)
        v = self.forward["value"](self.trained["value"], batch.obs)[..., 0]
        self.descend("value", ((v - target) ** 2).mean() / 2)
        return super().critic_step(batch, rng)


class FirstSAC(ValueSAC):
    """Version 1 (Haarnoja et al. 2018a, first edition): one critic."""

    CRITICS = 1


class Limit(SAC):
    """The limit α → 0, in which nothing is left to choose about the policy."""

    ALPHA = 0.0
    EXPLORATION = 0.1
    DISCRETE: bool

    def __init__(self, config: Config, space: Space, rng: Noise) -> None:
        usual = "categorical" if self.DISCRETE else "gaussian"
        chosen = config.policy not in ("", usual) or config.estimator
        if chosen or space.discrete != self.DISCRETE:
            has = "no actor: discrete" if self.DISCRETE else "a deterministic actor: continuous"
            raise ValueError(
                f"version {config.version} has {has} actions, no policy or estimator to choose"
            )
        if config.n != 1 or config.alpha is not None:
            raise ValueError(f"version {config.version} has neither n nor a temperature alpha")
        super().__init__(config, space, rng)


class DDPG(Limit):
    """With σ → 0 (Lillicrap et al. 2016): a = tanh μ(s), explored with noise."""

    CRITICS, TARGETS, DISCRETE = 1, ("critics", "actor"), False

    def networks(self, generator: torch.Generator) -> dict[str, Network]:
        sizes = [self.space.observations, *self.config.layers, self.space.actions]
        actor = self.network(generator, "actor", sizes)
        return {**super().networks(generator), "actor": actor}

    def policy(self, obs: Tensor) -> Policy:
        mu = self.forward["actor"](self.trained["actor"], obs)
        return Gaussian(mu, torch.full_like(mu, math.log(self.EXPLORATION)))

    def action(self, actor: Network, obs: Tensor) -> Tensor:
        mu = self.forward["actor"](actor, obs)
        return torch.tanh(mu) if self.squash else mu

    def act(self, obs: Tensor, rng: Noise) -> Tensor:
        a = self.action(self.trained["actor"], obs)
        return (a + self.EXPLORATION * rng.normal((1, *a.shape), a)[0]).clamp(-1, 1)

    def next_value(self, batch: Batch, rng: Noise) -> Tensor:
        """min_i Q̄_i(s′, μ̄(s′))."""
        a = self.action(self.targets["actor"], batch.next_obs)
        return self.q(self.targets["critics"], batch.next_obs, a).amin(0)

    def actor_step(self, policy: Policy, obs: Tensor, rng: Noise) -> Tensor:
        """J = −E[Q_1(s, tanh μ(s))]."""
        u = policy.parameters()["mu"]
        q = self.q(self.trained["critics"], obs, torch.tanh(u) if self.squash else u)
        return self.descend("actor", -q[0].mean())

    def update(self, batch: Batch, actor: bool, rng: Noise) -> dict[str, Tensor]:
        """No temperature; the targets move together with the actor."""
        seen = {"critic_loss": self.critic_step(batch, rng)}
        if actor:
            self.actor_step(self.policy(batch.obs), batch.obs, rng)
            self.target_step()
        return seen


class TD3(DDPG):
    """Twin critics, smoothed target actions, a delayed actor (Fujimoto et al. 2018)."""

    CRITICS = 2
    SMOOTHING, CLIP = 0.2, 0.5

    def next_value(self, batch: Batch, rng: Noise) -> Tensor:
        """min_i Q̄_i(s′, μ̄(s′) + clip(ε)),  ε ~ N(0, 0.2²)."""
        a = self.action(self.targets["actor"], batch.next_obs)
        noise = self.SMOOTHING * rng.normal((1, *a.shape), a)[0]
        a = (a + noise.clamp(-self.CLIP, self.CLIP)).clamp(-1, 1)
        return self.q(self.targets["critics"], batch.next_obs, a).amin(0)


class DQN(Limit):
    """Of discrete actions (Mnih et al. 2015): V(s) = max_a Q(s, a), and no actor.

    ε-greedy: π(a|s) = (1 − ε) 1[a = argmax Q(s, ·)] + ε/|A|.
    """

    CRITICS, DISCRETE = 1, True

    def networks(self, generator: torch.Generator) -> dict[str, Network]:
        return {k: v for k, v in super().networks(generator).items() if k != "actor"}

    def policy(self, obs: Tensor) -> Policy:
        (q,) = self.forward["critics"](self.trained["critics"], obs)  # [B, A]
        greedy = one_hot(q.argmax(-1), q.shape[-1]).to(q)
        return Categorical(((1 - self.EXPLORATION) * greedy + self.EXPLORATION / q.shape[-1]).log())

    def next_value(self, batch: Batch, rng: Noise) -> Tensor:
        """max_a Q̄(s′, a)."""
        (q,) = self.forward["critics"](self.targets["critics"], batch.next_obs)
        return q.amax(-1)

    def update(self, batch: Batch, actor: bool, rng: Noise) -> dict[str, Tensor]:
        seen = {"critic_loss": self.critic_step(batch, rng)}
        self.target_step()
        return seen


VERSIONS = {"1": FirstSAC, "2": ValueSAC, "3": SAC, "ddpg": DDPG, "td3": TD3, "dqn": DQN}


def make_agent(config: Config, space: Space, rng: Noise) -> SAC:
    """The agent of `config.version`."""
    return VERSIONS[config.version](config, space, rng)
