"""Networks as lists of tensors. Leading axes of weights are networks evaluated side by side."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from estimators import POLICIES, Policy
from estimators.foreign import load_object
from sac_minimal.config import Config

Network = list[Tensor]  # w [*copies, in, out], b [*copies, 1, out], w, b, …
Forward = Callable[[Network, Tensor], Tensor]  # x [B, in] -> [*copies, B, out]


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


def build(
    config: Config, generator: torch.Generator, sizes: Sequence[int], copies: tuple[int, ...] = ()
) -> tuple[Network, Forward]:
    """Parameters and forward pass: of make_network, or of a network of somebody's own."""
    if not config.network:
        hidden = torch.bfloat16 if config.bf16 else None
        return make_network(sizes, generator, copies), partial(forward, hidden=hidden)
    pairs = [_own(config.network, sizes, generator) for _ in range(math.prod(copies))]
    one = pairs[0][1]
    if not copies:
        return [p.requires_grad_() for p in pairs[0][0]], one
    same = zip(*(parameters for parameters, _ in pairs), strict=True)

    def beside(network: Network, x: Tensor) -> Tensor:
        return torch.stack([one([p[i] for p in network], x) for i in range(copies[0])])

    return [torch.stack(ps).requires_grad_() for ps in same], beside


def _own(name: str, sizes: Sequence[int], generator: torch.Generator) -> tuple[Network, Forward]:
    """`module:function`, from sizes [in, *hidden, out] to the parameters and a forward pass
    (parameters, x [B, in]) -> [B, out], or to a torch.nn.Module.

    What it draws from torch's global generator is a function of ours, and leaves it as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        answer = load_object(name)(list(sizes))
    pair = _functional(answer) if isinstance(answer, torch.nn.Module) else answer
    if not (isinstance(pair, tuple) and len(pair) == 2 and callable(pair[1])):
        wanted = "(parameters, forward pass) or a torch.nn.Module"
        raise ValueError(f"{name} must return {wanted}, got {type(answer).__name__}")
    parameters = [p.detach().clone() for p in pair[0]]
    shape = list(pair[1](parameters, torch.zeros(2, sizes[0])).shape)
    if shape != [2, sizes[-1]]:
        wanted = f"[2, {sizes[0]}] to [2, {sizes[-1]}]"
        raise ValueError(f"{name}({list(sizes)}) must map {wanted}, it gives {shape}")
    return parameters, pair[1]


def _functional(module: torch.nn.Module) -> tuple[Network, Forward]:
    """Its parameters, and its forward pass as a function of them."""
    if list(module.buffers()):
        raise ValueError(f"{type(module).__name__} has buffers, which no checkpoint would keep")
    names = [name for name, _ in module.named_parameters()]

    def forward(parameters: Network, x: Tensor) -> Tensor:
        return torch.func.functional_call(module, dict(zip(names, parameters, strict=True)), (x,))

    return list(module.parameters()), forward


def outputs(policy: str, actions: int, components: int) -> int:
    """How many numbers the actor puts out for a state."""
    return sum(map(math.prod, POLICIES[policy].shapes(actions, components).values()))


def make_policy(policy: str, out: Tensor, actions: int, components: int = 1) -> Policy:
    """The policies that the actor's outputs [B, …] stand for, kept within the policy's limits."""
    kind = POLICIES[policy]
    free = kind.from_numbers(out, actions, components).parameters()
    return kind(**{k: p.clamp(*kind.limits[k]) if k in kind.limits else p for k, p in free.items()})


def q_values(forward: Forward, critics: Network, obs: Tensor, a: Tensor, discrete: bool) -> Tensor:
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
