"""The same updates by our SAC: the weights that SB3 began with, its batches, its noise."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from estimators import Noise, Replay
from sac_minimal.config import Config
from sac_minimal.envs import Space
from sac_minimal.replay import Batch
from sac_minimal.sac import SAC

Arrays = dict[str, np.ndarray]


class Recorded(SAC):
    """Keeps the loss and the gradient of every step of an update."""

    def descend(self, name: str, loss: Tensor) -> Tensor:
        gradients = torch.autograd.grad(loss, self.trained[name], retain_graph=True)
        self.seen = getattr(self, "seen", {}) | {name: (loss.detach(), gradients)}
        return super().descend(name, loss)


def updates(inputs: Arrays, initial: Arrays, dtype: torch.dtype) -> Arrays:
    """The arrays of sb3_side.py, under the same names."""
    given = {name: torch.from_numpy(x).to(dtype) for name, x in inputs.items() if x.ndim}
    agent = make_agent(given, int(inputs["hidden"]), dtype)
    put(agent, initial)
    record: Arrays = {}
    for i in range(len(given["obs"])):
        eps_next, eps = given["eps_next"][i][None], given["eps_actor"][i][None]  # [1, B, d]
        rng = Replay([eps_next, eps, eps.clone()], {})
        batch = Batch(*(given[name][i] for name in Batch._fields))
        seen = agent.update(batch=batch, actor=True, rng=rng)
        losses = {"critic_loss": seen["critic_loss"], "entropy": seen["entropy"]}
        losses["actor_loss"] = agent.seen["actor"][0]
        for name, value in losses.items():
            record[f"{i}.loss.{name}.0"] = value.detach().double().numpy()
        for name, (_, gradients) in agent.seen.items():
            keep(record, f"{i}.gradient.{name}", gradients)
        for name, tensors in networks(agent).items():
            keep(record, f"{i}.after.{name}", tensors)
    return record


def make_agent(given: dict[str, Tensor], hidden: int, dtype: torch.dtype) -> Recorded:
    config = Config(hidden=hidden, batch=given["obs"].shape[1])
    space = Space(given["obs"].shape[-1], given["action"].shape[-1], discrete=False)
    usual = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        return Recorded(config, space, Noise(0))
    finally:
        torch.set_default_dtype(usual)


def networks(agent: SAC) -> dict[str, Any]:
    return {**agent.trained, "targets": agent.targets["critics"]}


def put(agent: SAC, initial: Arrays) -> None:
    with torch.no_grad():
        for name, tensors in networks(agent).items():
            for i, tensor in enumerate(tensors):
                tensor.copy_(torch.from_numpy(initial[f"initial.{name}.{i}"]))


def keep(record: Arrays, name: str, tensors: Any) -> None:
    for i, tensor in enumerate(tensors):
        record[f"{name}.{i}"] = tensor.detach().numpy().copy()
