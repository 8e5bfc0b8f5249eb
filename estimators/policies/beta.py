"""Independent Beta distributions on (−1, 1)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from estimators.noise import Noise
from estimators.policies.hermite import MAX_NODES
from estimators.policies.incomplete_beta import attached, log_beta, quantile
from estimators.policies.policy import (
    Policy,
    TooManyNodes,
    at_least_one,
    require_floating,
    wrong_shapes,
)


@dataclass(frozen=True, eq=False)
class Beta(Policy):
    """a = 2x − 1 ∈ (−1, 1)^d, x_i ~ Beta(exp log_a, exp log_b): nothing to squash.

    log_a, log_b: [*batch, d]. An action is tanh(s/2), s = logit x. Near ±1 floating-point numbers
    are too few to tell actions apart: those that are drawn carry their s, `log_odds`, by which
    `log_prob` knows them. Of others, ±1 stands for what is rounded to it.
    """

    log_a: Tensor
    log_b: Tensor

    bounded = True
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "log_a": (-3.0, 9.0),
        "log_b": (-3.0, 9.0),
    }
    usual: ClassVar[Mapping[str, tuple[float, float]]] = {
        "log_a": (-0.3, 1.5),
        "log_b": (-0.3, 1.5),
    }

    def __post_init__(self) -> None:
        require_floating(self)
        if self.log_a.ndim < 1 or self.log_a.shape[-1] < 1 or self.log_a.shape != self.log_b.shape:
            wrong_shapes(self, "log_a and log_b must both be [*batch, d] with d ≥ 1")

    @property
    def batch(self) -> torch.Size:
        return self.log_a.shape[:-1]

    @property
    def action(self) -> torch.Size:
        return self.log_a.shape[-1:]

    @property
    def edges(self) -> tuple[float, float]:
        return -1.0, 1.0

    def sample(self, n: int, rng: Noise) -> Tensor:
        return _action(self._logits(n, rng))

    def rsample(self, n: int, rng: Noise) -> Tensor:
        """a = tanh(s/2), I_σ(s)(A, B) = Φ(ε), ε ~ N(0, 1), differentiated implicitly."""
        return _action(attached(self._logits(n, rng), self.log_a.exp(), self.log_b.exp()))

    def log_prob(self, a: Tensor) -> Tensor:
        """Σ_i (A − 1) log x_i + (B − 1) log(1 − x_i) − log 2B(A, B), x = (1 + a)/2, A = e^log_a."""
        A, B = self.log_a.exp(), self.log_b.exp()
        log_x, log_rest = _logs(a)
        norm = log_beta(A, B) + math.log(2)
        return ((A - 1) * log_x + (B - 1) * log_rest - norm.to(A)).sum(-1)

    def entropy(self) -> Tensor:
        """H(π) = Σ_i log 2B(A, B) − (A − 1)ψ(A) − (B − 1)ψ(B) + (A + B − 2)ψ(A + B), [*batch]."""
        A, B = self.log_a.double().exp(), self.log_b.double().exp()
        psi = torch.digamma
        pull = (A - 1) * (psi(A) - psi(A + B)) + (B - 1) * (psi(B) - psi(A + B))
        return (log_beta(A, B) + math.log(2) - pull).to(self.log_a).sum(-1)

    def central(self) -> Tensor:
        """The mean, (A − B)/(A + B): the mode may lie on the edge."""
        return torch.tanh((self.log_a - self.log_b) / 2)

    def nodes(self, order: int | None = None) -> tuple[Tensor, Tensor]:
        """Gauss–Jacobi, of weight (1 + a)^(A−1) (1 − a)^(B−1): exact for polynomials of degree
        < 2·order. Attached to the parameters by their weights and places."""
        d = self.log_a.shape[-1]
        order = max(2, int(64 ** (1 / d) + 1e-9)) if order is None else order
        if order < 1:
            raise ValueError(f"the quadrature order must be ≥ 1, got {order}")
        if order**d > MAX_NODES:
            raise TooManyNodes(f"{order}^{d} quadrature nodes are more than {MAX_NODES:,}")
        a, w = _gauss_jacobi(self.log_a.exp(), self.log_b.exp(), order)  # [*batch, d, order]
        index = torch.cartesian_prod(*[torch.arange(order)] * d).view(-1, d)  # [m, d]
        pick = [(x[..., i, :][..., index[:, i]]).movedim(-1, 0) for x in (a, w) for i in range(d)]
        return torch.stack(pick[:d], -1), torch.stack(pick[d:], -1).prod(-1)

    def _logits(self, n: int, rng: Noise) -> Tensor:
        eps = rng.normal((at_least_one(n), *self.log_a.shape), self.log_a)
        return quantile(eps, self.log_a.detach().exp(), self.log_b.detach().exp())


def _action(s: Tensor) -> Tensor:
    a = torch.tanh(s / 2)
    a.log_odds = s  # type: ignore[attr-defined]
    return a


def _logs(a: Tensor) -> tuple[Tensor, Tensor]:
    """log x and log(1 − x), x = (1 + a)/2."""
    s = getattr(a, "log_odds", None)
    if s is not None:
        return logsigmoid(s), logsigmoid(-s)
    least = torch.finfo(a.dtype).eps / 8  # in the middle of what ±1 stands for
    x, rest = (1 + a) / 2, (1 - a) / 2
    return torch.where(x == 0, least, x).log(), torch.where(rest == 0, least, rest).log()


def _gauss_jacobi(A: Tensor, B: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """Nodes on (−1, 1) and weights that sum to 1, [*batch, d, order]: the eigenvalues of the
    recurrence's matrix, and the first entries of its eigenvectors, squared.

    Reference: Golub and Welsch 1969.
    """
    p, q = B.double() - 1, A.double() - 1  # Jacobi's exponents, of 1 − a and of 1 + a
    i = torch.arange(order, device=A.device).to(p)
    p, q = p[..., None], q[..., None]
    total = 2 * i + p + q
    first = (q - p) / (p + q + 2)
    rest = (q**2 - p**2) / (total * (total + 2))
    diagonal = torch.where(i == 0, first, rest)
    k = i[1:]
    total = 2 * k + p + q
    square = 4 * k * (k + p) * (k + q) * (k + p + q) / (total**2 * (total + 1) * (total - 1))
    one = 4 * (1 + p) * (1 + q) / ((2 + p + q) ** 2 * (3 + p + q))
    side = torch.where(k == 1, one, square).sqrt()
    matrix = torch.diag_embed(diagonal) + torch.diag_embed(side, 1) + torch.diag_embed(side, -1)
    nodes, vectors = torch.linalg.eigh(matrix)
    return nodes.to(A), (vectors[..., 0, :] ** 2).to(A)
