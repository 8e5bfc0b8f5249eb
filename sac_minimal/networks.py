"""Networks as lists of tensors. Leading axes of weights are networks evaluated side by side."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from estimators import POLICIES, Policy

Network = list[Tensor]  # w [*copies, in, out], b [*copies, 1, out], w, b, …


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


def forward(network: Network, x: Tensor, hidden: torch.dtype | None = None) -> Tensor:
    """ReLU network: [B, in] -> [*copies, B, out].

    hidden: dtype of the products between hidden layers, where nearly all the arithmetic is.
    """
    x = x.expand(*network[0].shape[:-2], *x.shape[-2:])
    last = len(network) - 2
    for i in range(0, last + 2, 2):
        w, b = network[i], network[i + 1]
        affine = torch.baddbmm if x.ndim == 3 else torch.addmm
        if w.shape[-1] == 1:  # libraries of matrix products are slow on a single column
            x = (x * w.mT).sum(-1, keepdim=True) + b
        elif hidden and 0 < i < last:
            x = affine(b.to(hidden), x.to(hidden), w.to(hidden)).to(x)
        else:
            x = affine(b, x, w)
        x = x.relu() if i < last else x
    return x


def outputs(policy: str, actions: int, components: int) -> int:
    """How many numbers the actor puts out for a state."""
    return sum(map(math.prod, POLICIES[policy].shapes(actions, components).values()))


def make_policy(policy: str, out: Tensor, actions: int, components: int = 1) -> Policy:
    """The policies that the actor's outputs [B, …] stand for, kept within the policy's limits."""
    kind = POLICIES[policy]
    free = kind.from_numbers(out, actions, components).parameters()
    return kind(**{k: p.clamp(*kind.limits[k]) if k in kind.limits else p for k, p in free.items()})


def q_values(
    forward: Callable[[Network, Tensor], Tensor],
    critics: Network,
    obs: Tensor,
    a: Tensor,
    discrete: bool,
) -> Tensor:
    """Q_i(s, a) of each critic: obs [B, o], a [*n, B, d] or indices [*n, B] -> [critics, *n, B]."""
    if discrete:
        table = forward(critics, obs)  # [critics, B, A]
        index = a.expand(len(table), *a.shape).unsqueeze(-1)
        return (
            table.view(len(table), *(1,) * (a.ndim - 1), *table.shape[1:])
            .expand(*index.shape[:-1], -1)
            .gather(-1, index)[..., 0]
        )
    x = torch.cat([obs.expand(*a.shape[:-1], -1), a], -1)
    return forward(critics, x.flatten(0, -2))[..., 0].unflatten(-1, a.shape[:-1])
