"""Ten updates by Stable-Baselines3's own SAC.train, on given batches with given noise.

    PYTHON_OF_PEERS sb3_side.py INPUTS.npz RESULTS.npz DTYPE LOG_DET TEMPERATURE

Run by run.py. Nothing in SB3 is edited. What is replaced from outside is what it draws (batches and
the noise of Normal.rsample), the cast of observations to float32, and if asked for:

LOG_DET      the ε of its log(1 − a² + ε); `stable` puts our formula in that term's place, since
             float32 rounds 1 − a² where a² is near 1
TEMPERATURE  `log_alpha` is its own loss, −log α·(…); `alpha` multiplies its gradient by α, which
             makes it that of −α·(…)

Weights, gradients and parameters are written in our layout, so that both sides name them alike.
"""

import math
import sys
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3 import SAC
from stable_baselines3.common import policies
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from torch import Tensor, nn

Get = Callable[[nn.Parameter], Tensor]


class Spaces(gymnasium.Env):
    """Only the spaces of a task: SB3 wants an environment to read them from."""

    def __init__(self, observations: int, actions: int) -> None:
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (observations,), np.float64)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (actions,), np.float32)


def linears(modules: Iterable[nn.Module]) -> list[nn.Linear]:
    return [m for module in modules for m in module.modules() if isinstance(m, nn.Linear)]


def actor_tensors(actor: nn.Module, get: Get) -> list[Tensor]:
    """w [in, out], b [1, out], …; the last layer puts out μ and log σ side by side."""
    *hidden, mu, log_std = linears([actor.latent_pi, actor.mu, actor.log_std])
    pairs = [(get(m.weight).T, get(m.bias)[None]) for m in (*hidden, mu, log_std)]
    heads = tuple(torch.cat([a, b], -1) for a, b in zip(*pairs[-2:], strict=True))
    return [tensor for pair in (*pairs[:-2], heads) for tensor in pair]


def critic_tensors(critic: nn.Module, get: Get) -> list[Tensor]:
    """w [2, in, out], b [2, 1, out], …"""
    twins = [linears([q]) for q in critic.q_networks]
    layers = list(zip(*twins, strict=True))
    kinds: list[Get] = [lambda m: get(m.weight).T, lambda m: get(m.bias)[None]]
    return [torch.stack([kind(m) for m in layer]) for layer in layers for kind in kinds]


class Record(dict[str, np.ndarray]):
    """What happened, as arrays by name."""

    def keep(self, name: str, *tensors: Tensor) -> None:
        for i, tensor in enumerate(tensors):
            self[f"{name}.{i}"] = tensor.detach().numpy().copy()

    def everything(self, when: str, model: SAC) -> None:
        self.keep(f"{when}.actor", *actor_tensors(model.actor, lambda p: p.data))
        self.keep(f"{when}.critics", *critic_tensors(model.critic, lambda p: p.data))
        self.keep(f"{when}.targets", *critic_tensors(model.critic_target, lambda p: p.data))
        self.keep(f"{when}.log_alpha", model.log_ent_coef[0])


def make_model(observations: int, actions: int, hidden: int, dtype: torch.dtype) -> SAC:
    policies.preprocess_obs = lambda obs, *_, **__: obs  # its .float() would undo float64
    kwargs = {"net_arch": [hidden, hidden]}
    env = Spaces(observations, actions)
    model = SAC("MlpPolicy", env, seed=0, buffer_size=1, device="cpu", policy_kwargs=kwargs)
    model.policy.to(dtype)
    model.log_ent_coef.data = model.log_ent_coef.data.to(dtype)
    model.set_logger(Logger(None, []))
    return model


def before_step(optimizer: torch.optim.Optimizer, record: Callable[[], None]) -> None:
    step = optimizer.step

    def recorded(*args: Any) -> Any:
        record()
        return step(*args)

    optimizer.step = recorded  # type: ignore[method-assign]


def record_gradients(model: SAC, record: Record, when: list[str]) -> None:
    def gradient(p: nn.Parameter) -> Tensor:
        assert p.grad is not None
        return p.grad

    def keep(name: str, tensors: Callable[[], list[Tensor]]) -> Callable[[], None]:
        return lambda: record.keep(f"{when[0]}.gradient.{name}", *tensors())

    actor = keep("actor", lambda: actor_tensors(model.actor, gradient))
    critics = keep("critics", lambda: critic_tensors(model.critic, gradient))
    log_alpha = keep("log_alpha", lambda: [gradient(model.log_ent_coef)[0]])
    before_step(model.actor.optimizer, actor)
    before_step(model.critic.optimizer, critics)
    before_step(model.ent_coef_optimizer, log_alpha)


def record_entropy(model: SAC, record: Record, when: list[str]) -> None:
    """Minus the mean of log π(a|s), from the first of the two draws of an update."""
    original = model.actor.action_log_prob

    def recorded(obs: Tensor) -> tuple[Tensor, Tensor]:
        actions, log_prob = original(obs)
        if f"{when[0]}.loss.entropy.0" not in record:
            record.keep(f"{when[0]}.loss.entropy", -log_prob.mean())
        return actions, log_prob

    model.actor.action_log_prob = recorded


def replace_log_det(model: SAC, log_det: str) -> None:
    dist = model.actor.action_dist
    if log_det != "stable":
        dist.epsilon = float(log_det)
        return

    def log_prob(actions: Tensor, u: Tensor) -> Tensor:
        log_det = 2 * (math.log(2) - u - nn.functional.softplus(-2 * u, threshold=40.0))
        return dist.distribution.log_prob(u).sum(1) - log_det.sum(1)

    dist.log_prob = log_prob  # type: ignore[method-assign]


def feed_noise(draws: list[Tensor]) -> None:
    def rsample(self: torch.distributions.Normal, shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        return self.loc + draws.pop(0) * self.scale

    torch.distributions.Normal.rsample = rsample  # type: ignore[method-assign]


def main(inputs: dict[str, np.ndarray], dtype: torch.dtype, log_det: str, loss: str) -> Record:
    given = {name: torch.from_numpy(x).to(dtype) for name, x in inputs.items() if x.ndim}
    sizes = given["obs"].shape[-1], given["action"].shape[-1], int(inputs["hidden"])
    model, record, when = make_model(*sizes, dtype), Record(), [""]
    replace_log_det(model, log_det)
    if loss == "alpha":
        model.log_ent_coef.register_hook(lambda g: g * model.log_ent_coef.detach().exp())
    record.everything("initial", model)
    record_gradients(model, record, when)
    record_entropy(model, record, when)
    for i in range(len(given["obs"])):
        when[0] = str(i)
        feed_noise([given["eps_actor"][i], given["eps_next"][i]])  # SB3's order
        batch = ReplayBufferSamples(
            given["obs"][i],
            given["action"][i],
            given["next_obs"][i],
            given["terminated"][i, :, None],
            given["reward"][i, :, None],
        )
        model.replay_buffer = SimpleNamespace(sample=lambda size, env, b=batch: b)
        model.train(gradient_steps=1, batch_size=len(batch.rewards))
        for name in ("critic_loss", "actor_loss"):
            value = model.logger.name_to_value[f"train/{name}"]
            record.keep(f"{i}.loss.{name}", torch.tensor(value, dtype=torch.float64))
        record.everything(f"{i}.after", model)
    return record


if __name__ == "__main__":
    source, target, kind, *ways = sys.argv[1:]
    with np.load(source) as file:
        result = main(dict(file), getattr(torch, kind), *ways)
    np.savez(target, **result)
