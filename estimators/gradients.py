"""Rows: every draw of an estimate gets its own copy of the parameters.

    surrogate = estimator(policy, objective, rng, n=1)        # [*batch] -> [*batch]

The gradient of surrogate i with respect to row i's own parameters is one draw of the estimate
of ∇J(θ_i). So one ordinary backward pass of the sum gives every per-sample gradient.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Policy

Gradient = dict[str, Tensor]


class Estimator(Protocol):
    """Maps a batch of policies to a batch of surrogates, from n actions for each.

    policy: Any, because an estimator may be for one kind of policy only; it says so by TypeError.
    """

    def __call__(
        self, policy: Any, objective: Objective, rng: Noise, /, *, n: int = 1
    ) -> Tensor: ...


def leaves(policy: Policy) -> Policy:
    """A copy of the policy whose parameters are leaves."""
    return policy.map(lambda p: p.detach().clone().requires_grad_())


def rows(policy: Policy, count: int) -> Policy:
    """`count` independent copies of the policy, as leaves: [*batch, …] -> [count, *batch, …]."""
    return policy.map(lambda p: p.detach().expand(count, *p.shape).clone().requires_grad_())


def row_gradients(surrogate: Tensor, policy: Policy) -> Gradient:
    """∂(surrogate of row i)/∂(parameters of row i), for all rows at once."""
    if surrogate.shape != policy.batch:
        raise ValueError(
            f"the surrogate must have the policy's batch shape {list(policy.batch)}, "
            f"got {list(surrogate.shape)}"
        )
    if not surrogate.requires_grad:
        raise ValueError("the surrogate does not depend on the policy's parameters")
    return gradients_of(surrogate.sum(), policy.parameters())


def gradients_of(
    total: Tensor, parameters: Mapping[str, Tensor], materialize: bool = True, retain: bool = False
) -> dict[str, Any]:
    """{name: ∂total/∂parameter}; zero where total does not reach it, None unless `materialize`."""
    grads = torch.autograd.grad(
        total,
        list(parameters.values()),
        retain_graph=retain,
        allow_unused=True,
        materialize_grads=materialize,
    )
    return dict(zip(parameters, grads, strict=True))


def per_sample_gradients(
    estimator: Estimator, policy: Policy, objective: Objective, estimates: int, rng: Noise
) -> Gradient:
    """`estimates` independent draws of the estimate of ∇J(θ): {name: [estimates, *parameter]}.

    A parameter that the surrogate does not reach has gradient zero. Raises ValueError on
    estimates < 1 or a surrogate of the wrong shape.
    """
    if estimates < 1:
        raise ValueError(f"estimates must be ≥ 1, got {estimates}")
    copies = rows(policy, estimates)
    rng.begin()
    with torch.enable_grad():
        return row_gradients(estimator(copies, objective, rng), copies)


def flat(gradient: Gradient) -> Tensor:
    """Its entries one after the other, [p]: float64, on the CPU, without a graph."""
    return torch.cat([g.detach().flatten() for g in gradient.values()]).double().cpu()


def unflatten(flat: Tensor, shapes: Mapping[str, tuple[int, ...]]) -> Gradient:
    """[..., p] -> {name: [..., *shape]}: what `flat` put one after the other, apart again."""
    parts = flat.split([math.prod(shape) for shape in shapes.values()], -1)
    named = zip(shapes.items(), parts, strict=True)
    return {name: part.reshape(*part.shape[:-1], *shape) for (name, shape), part in named}


def labels(gradient: Gradient) -> list[str]:
    """mu[0], mu[1], log_std[0], …: names for what `flat` gives."""
    return [
        name + "".join(f"[{i}]" for i in index)
        for name, g in gradient.items()
        for index in np.ndindex(*g.shape)
    ]


def flat_rows(gradients: Gradient) -> Tensor:
    """{name: [rows, …]} -> [rows, p]: float64, where they are, without a graph."""
    return torch.cat([g.detach().flatten(1) for g in gradients.values()], 1).double()


def linear(policy: Policy, **g: Tensor) -> Tensor:
    """Σ ⟨stop_gradient(g), θ⟩: the surrogate whose gradient is g. g: like the parameters."""
    parameters = policy.parameters()
    b = len(policy.batch)
    terms = [(grad.detach() * parameters[name]).flatten(b).sum(-1) for name, grad in g.items()]
    return torch.stack(terms).sum(0)  # [*batch]


def grad_a(f: Callable[[Tensor], Tensor], a: Tensor) -> Tensor:
    """∇_a f(a) for each action: [..., *batch, d] -> [..., *batch, d].

    Raises ValueError when f does not depend differentiably on a.
    """
    with torch.enable_grad():
        a = a.detach().requires_grad_()
        value = f(a)
        if not value.requires_grad:
            raise ValueError("Q has no gradient with respect to the action: not differentiable")
        return torch.autograd.grad(value.sum(), a)[0]
