"""Networks as lists of tensors. Leading axes of weights are networks evaluated side by side."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from estimators import Categorical, Gaussian, Mixture, Policy

Network = list[Tensor]  # w [*copies, in, out], b [*copies, 1, out], w, b, …

LOG_STD_RANGE = (-20.0, 2.0)  # of the actor's output, as in the published implementation


def make_network(
    sizes: Sequence[int], generator: torch.Generator, copies: tuple[int, ...] = ()
) -> Network:
    """Weights and biases uniform in ±1/√(fan in), PyTorch's default for linear layers."""
    network = []
    for fan_in, out in zip(sizes[:-1], sizes[1:], strict=True):  # noqa: RUF007
        for rows in (fan_in, 1):
            u = torch.rand(*copies, rows, out, generator=generator)
            network.append(((2 * u - 1) / math.sqrt(fan_in)).requires_grad_())
    return network


def forward(network: Network, x: Tensor) -> Tensor:
    """ReLU network: [B, in] -> [*copies, B, out]."""
    x = x.expand(*network[0].shape[:-2], *x.shape[-2:])
    for i in range(0, len(network), 2):
        w, b = network[i], network[i + 1]
        x = torch.baddbmm(b, x, w) if x.ndim == 3 else torch.addmm(b, x, w)
        x = x.relu() if i + 2 < len(network) else x
    return x


def outputs(policy: str, actions: int, components: int) -> int:
    """How many numbers the actor puts out for a state."""
    return {
        "gaussian": 2 * actions,
        "mixture": components * (1 + 2 * actions),
        "categorical": actions,
    }[policy]


def make_policy(kind: str, out: Tensor, actions: int) -> Policy:
    """The policies that the actor's outputs [B, …] stand for."""
    if kind == "categorical":
        return Categorical(out)
    if kind == "gaussian":
        mu, log_std = out.chunk(2, -1)
        return Gaussian(mu, log_std.clamp(*LOG_STD_RANGE))
    components = out.shape[-1] // (1 + 2 * actions)
    logits, rest = out.split([components, 2 * components * actions], -1)
    mu, log_std = rest.unflatten(-1, (2, components, actions)).unbind(-3)
    return Mixture(logits, mu, log_std.clamp(*LOG_STD_RANGE))


def q_values(critics: Network, obs: Tensor, a: Tensor, discrete: bool) -> Tensor:
    """Q_i(s, a) of each critic: obs [B, o], a [*n, B, d] or indices [*n, B] -> [2, *n, B]."""
    if discrete:
        table = forward(critics, obs)  # [2, B, A]
        index = a.expand(len(table), *a.shape).unsqueeze(-1)
        return (
            table.view(len(table), *(1,) * (a.ndim - 1), *table.shape[1:])
            .expand(*index.shape[:-1], -1)
            .gather(-1, index)[..., 0]
        )
    x = torch.cat([obs.expand(*a.shape[:-1], -1), a], -1)
    return forward(critics, x.flatten(0, -2))[..., 0].unflatten(-1, a.shape[:-1])
