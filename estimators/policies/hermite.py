"""The normal distribution: its density, and its Gauss–Hermite nodes."""

import math

import numpy as np
import torch
from torch import Tensor

from estimators.policies.policy import TooManyNodes

LOG_2PI = math.log(2 * math.pi)
MAX_NODES = 10**6


def log_normal(a: Tensor, mu: Tensor, log_std: Tensor) -> Tensor:
    return -(((a - mu) * torch.exp(-log_std)) ** 2) / 2 - log_std - LOG_2PI / 2


def gauss_hermite(order: int | None, d: int, copies: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Product rule for N(0, I_d): nodes [order^d, d], weights [order^d]."""
    if order is None:
        order = max(2, int(64 ** (1 / d) + 1e-9))
        if d > 10:
            raise TooManyNodes(
                f"d = {d} needs {order}^{d} quadrature nodes for each row: state an order if you "
                "want them, or use an estimator without nodes"
            )
    if order < 1:
        raise ValueError(f"the quadrature order must be ≥ 1, got {order}")
    if copies * order**d > MAX_NODES:
        raise TooManyNodes(
            f"order {order} in d = {d} with {copies} component(s) needs {copies}·{order}^{d} "
            f"quadrature nodes, more than {MAX_NODES:,}: lower the order or the dimension"
        )
    x, w = np.polynomial.hermite_e.hermegauss(order)
    w = w / w.sum()
    x_all = np.stack(np.meshgrid(*[x] * d, indexing="ij"), -1).reshape(-1, d)
    w_all = np.stack(np.meshgrid(*[w] * d, indexing="ij"), -1).reshape(-1, d).prod(-1)
    return torch.as_tensor(x_all).to(like), torch.as_tensor(w_all).to(like)


def normal_nodes(order: int | None, mean: Tensor) -> tuple[Tensor, Tensor]:
    """For ε ~ N(0, I), a batch of means [*batch, d]: ε [m, *1, d] and weights [m, *batch]."""
    *batch, d = mean.shape
    eps, w = gauss_hermite(order, d, 1, mean)
    ones = (1,) * len(batch)
    return eps.view(-1, *ones, d), w.view(-1, *ones).expand(-1, *batch)
