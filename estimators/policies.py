"""Policies: frozen dataclasses of tensors with any batch shape. An action is [*batch, d].

Every method takes leading axes: actions [..., *batch, d] give log-probabilities [..., *batch].
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch
from torch import Tensor

from estimators.noise import Noise

LOG_2PI = math.log(2 * math.pi)
MAX_NODES = 10**6


class Policy(ABC):
    """What every policy has: parameters by name, and a copy with a function applied to each."""

    def parameters(self) -> dict[str, Tensor]:
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

    def map(self, f: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(**{name: f(p) for name, p in self.parameters().items()})

    def detach(self) -> Self:
        return self.map(torch.Tensor.detach)

    @property
    @abstractmethod
    def batch(self) -> torch.Size:
        """Shape of the batch of policies: that of one action's log-probability."""

    @abstractmethod
    def sample(self, n: int, rng: Noise) -> Tensor:
        """n actions a ~ π, cut off from the parameters: [n, *batch, d]."""

    @abstractmethod
    def rsample(self, n: int, rng: Noise) -> Tensor:
        """n actions a = f_θ(ε) ~ π with ∇_θ f attached: [n, *batch, d]."""

    @abstractmethod
    def log_prob(self, a: Tensor) -> Tensor:
        """log π(a): [..., *batch, d] -> [..., *batch]."""

    @abstractmethod
    def nodes(self, order: int | None = None) -> tuple[Tensor, Tensor]:
        """Actions [m, *batch, d] and weights [m, *batch] with Σ w·F(a) ≈ E_π[F(a)].

        Gauss–Hermite of that order in every dimension (by default the largest with at most
        64 nodes a component, at least 2). Both stay attached to the parameters. Raises
        ValueError beyond 10⁶ nodes.
        """


@dataclass(frozen=True, eq=False)
class Gaussian(Policy):
    """N(μ, diag σ²), σ = exp(log_std). mu, log_std: [*batch, d]."""

    mu: Tensor
    log_std: Tensor

    def __post_init__(self) -> None:
        _floating(self)
        if self.mu.ndim < 1 or self.mu.shape[-1] < 1 or self.mu.shape != self.log_std.shape:
            _wrong_shapes(self, "mu and log_std must both be [*batch, d] with d ≥ 1")

    @property
    def batch(self) -> torch.Size:
        return self.mu.shape[:-1]

    def sample(self, n: int, rng: Noise) -> Tensor:
        return self.detach().rsample(n, rng)

    def rsample(self, n: int, rng: Noise) -> Tensor:
        """a = μ + σε, ε ~ N(0, 1) (SAC Eq. 11)."""
        eps = rng.normal((at_least_one(n), *self.mu.shape), self.mu)
        return self.mu + self.log_std.exp() * eps  # [n, *batch, d]

    def log_prob(self, a: Tensor) -> Tensor:
        """Σ_i −½((a_i − μ_i)/σ_i)² − log σ_i − ½ log 2π."""
        return _log_normal(a, self.mu, self.log_std).sum(-1)

    def entropy(self) -> Tensor:
        """H(π) = Σ_i log σ_i + ½ log 2πe, [*batch]."""
        return (self.log_std + (LOG_2PI + 1) / 2).sum(-1)

    def nodes(self, order: int | None = None) -> tuple[Tensor, Tensor]:
        eps, w = _gauss_hermite(order, self.mu.shape[-1], 1, self.mu)  # [m, d], [m]
        ones = (1,) * len(self.batch)
        a = self.mu + self.log_std.exp() * eps.view(-1, *ones, eps.shape[-1])
        return a, w.view(-1, *ones).expand(-1, *self.batch)


@dataclass(frozen=True, eq=False)
class Mixture(Policy):
    """Σ_k w_k N(μ_k, diag σ_k²), w = softmax(logits). logits: [*batch, K]; rest: [*batch, K, d]."""

    logits: Tensor
    mu: Tensor
    log_std: Tensor

    def __post_init__(self) -> None:
        _floating(self)
        shape = self.mu.shape
        if (
            self.mu.ndim < 2
            or min(shape[-2:]) < 1
            or shape != self.log_std.shape
            or shape[:-1] != self.logits.shape
        ):
            _wrong_shapes(
                self,
                "logits must be [*batch, K], mu and log_std [*batch, K, d], with K ≥ 1 and d ≥ 1",
            )

    @property
    def batch(self) -> torch.Size:
        return self.logits.shape[:-1]

    @property
    def components(self) -> Gaussian:
        """The K Gaussians, as one batch [*batch, K]."""
        return Gaussian(self.mu, self.log_std)

    def sample(self, n: int, rng: Noise) -> Tensor:
        """Draw ε, draw a component k, return μ_k + σ_k ε."""
        eps = rng.normal((at_least_one(n), *self.batch, self.mu.shape[-1]), self.mu)
        k = rng.categorical(self.logits.detach().softmax(-1), (n, *self.batch))
        mu, sigma = (_pick(p.detach(), k) for p in (self.mu, self.log_std.exp()))
        return mu + sigma * eps  # [n, *batch, d]

    def rsample(self, n: int, rng: Noise) -> Tensor:
        """∂a_i/∂θ = −∂_θ F_i(a_i | a_<i) / q_i(a_i | a_<i): implicit reparameterization.

        F_i is the conditional distribution function of coordinate i and q_i its density. With
        r_k = w_k N_k/q_i (the responsibilities) and eps_k = (a_i − μ_k)/σ_k held fixed,
        ∂a_i = Σ_k r_k ∂(μ_k + σ_k eps_k) − Σ_k ∂log w_k · w_k Φ(eps_k)/q_i, where w are the
        weights given a_<i. Since Σ_k ∂w_k = 0, Φ − 1 serves as well as Φ: above the median it
        is the one that does not cancel. All ratios are differences of logarithms.
        Reference: Figurnov, Mohamed and Mnih 2018, §4; Graves 2016 (conditional CDFs).
        """
        sample = self.sample(n, rng)
        done: list[Tensor] = []
        log_w = self.logits.log_softmax(-1)  # [*batch, K], then [n, *batch, K] given a_<i
        for i in range(self.mu.shape[-1]):
            mu, log_std = self.mu[..., i], self.log_std[..., i]  # [*batch, K]
            a = sample[..., i, None]  # [n, *batch, 1]
            w, m, s = log_w.detach(), mu.detach(), log_std.detach()
            eps = (a - m) * torch.exp(-s)  # [n, *batch, K]
            log_joint = w + _log_normal(a, m, s)
            log_q = log_joint.logsumexp(-1, keepdim=True)  # [n, *batch, 1]
            below, above = (w + torch.special.log_ndtr(side * eps) for side in (1, -1))
            left = below.logsumexp(-1, keepdim=True) < above.logsumexp(-1, keepdim=True)
            cdf_over_q = torch.where(left, (below - log_q).exp(), -(above - log_q).exp())
            path = (log_joint - log_q).exp() * (mu + log_std.exp() * eps) - cdf_over_q * log_w
            path = path.sum(-1)  # [n, *batch]
            done.append(sample[..., i] + (path - path.detach()))
            log_w = (log_w + _log_normal(done[-1][..., None], mu, log_std)).log_softmax(-1)
        return torch.stack(done, -1)

    def log_prob(self, a: Tensor) -> Tensor:
        """log Σ_k w_k N(a; μ_k, σ_k²)."""
        log_w = self.logits.log_softmax(-1)
        return (log_w + self.components.log_prob(a.unsqueeze(-2))).logsumexp(-1)

    def nodes(self, order: int | None = None) -> tuple[Tensor, Tensor]:
        k, d = self.mu.shape[-2:]
        _gauss_hermite(order, d, k, self.mu)
        a, w = self.components.nodes(order)  # [m, *batch, K, d], [m, *batch, K]
        w = w * self.logits.softmax(-1)
        return a.movedim(-2, 0).flatten(0, 1), w.movedim(-1, 0).flatten(0, 1)  # [K·m, *batch, …]


@dataclass(frozen=True, eq=False)
class Categorical(Policy):
    """P(a) = softmax(logits)_a. logits: [*batch, A]; actions are indices [n, *batch]."""

    logits: Tensor

    def __post_init__(self) -> None:
        _floating(self)
        if self.logits.ndim < 1 or self.logits.shape[-1] < 1:
            _wrong_shapes(self, "logits must be [*batch, A] with A ≥ 1")

    @property
    def batch(self) -> torch.Size:
        return self.logits.shape[:-1]

    def sample(self, n: int, rng: Noise) -> Tensor:
        return rng.categorical(self.logits.detach().softmax(-1), (at_least_one(n), *self.batch))

    def rsample(self, n: int, rng: Noise) -> Tensor:
        raise TypeError(
            "a Categorical policy has no pathwise gradient (its actions are discrete): "
            "use the score function, exact enumeration or a relaxation"
        )

    def log_prob(self, a: Tensor) -> Tensor:
        log_p = self.logits.log_softmax(-1)
        return log_p.expand(*a.shape, -1).gather(-1, a[..., None])[..., 0]

    def entropy(self) -> Tensor:
        """H(π) = −Σ_a P(a) log P(a), [*batch]."""
        log_p = self.logits.log_softmax(-1)
        return -(log_p.exp() * log_p).sum(-1)

    def nodes(self, order: int | None = None) -> tuple[Tensor, Tensor]:
        """All actions with their probabilities, whatever the order."""
        count = self.logits.shape[-1]
        a = torch.arange(count, device=self.logits.device)
        a = a.view(-1, *(1,) * len(self.batch)).expand(-1, *self.batch)
        return a, self.logits.softmax(-1).movedim(-1, 0)  # [A, *batch] both


def require_finite(policy: Policy) -> None:
    """ValueError, with the name of the parameter, unless all parameters are finite."""
    for name, p in policy.parameters().items():
        if not p.isfinite().all():
            raise ValueError(f"{type(policy).__name__}.{name} is not finite: {p.tolist()}")


def at_least_one(n: int) -> int:
    if n < 1:
        raise ValueError(f"n, the actions averaged inside one estimate, must be ≥ 1; got {n}")
    return n


def _log_normal(a: Tensor, mu: Tensor, log_std: Tensor) -> Tensor:
    return -(((a - mu) * torch.exp(-log_std)) ** 2) / 2 - log_std - LOG_2PI / 2


def _pick(p: Tensor, k: Tensor) -> Tensor:
    """p: [*batch, K, d], k: [n, *batch] -> p[k]: [n, *batch, d]."""
    index = k[..., None, None].expand(*k.shape, 1, p.shape[-1])
    return p.expand(len(k), *p.shape).gather(-2, index).squeeze(-2)


def _gauss_hermite(order: int | None, d: int, copies: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Product rule for N(0, I_d): nodes [order^d, d], weights [order^d]."""
    if order is None:
        order = max(2, int(64 ** (1 / d) + 1e-9))
        if d > 10:
            raise ValueError(
                f"d = {d} needs {order}^{d} quadrature nodes for each row: state an order if you "
                "want them, or use an estimator without nodes"
            )
    if order < 1:
        raise ValueError(f"the quadrature order must be ≥ 1, got {order}")
    if copies * order**d > MAX_NODES:
        raise ValueError(
            f"order {order} in d = {d} with {copies} component(s) needs {copies}·{order}^{d} "
            f"quadrature nodes, more than {MAX_NODES:,}: lower the order or the dimension"
        )
    x, w = np.polynomial.hermite_e.hermegauss(order)
    w = w / w.sum()
    x_all = np.stack(np.meshgrid(*[x] * d, indexing="ij"), -1).reshape(-1, d)
    w_all = np.stack(np.meshgrid(*[w] * d, indexing="ij"), -1).reshape(-1, d).prod(-1)
    return torch.as_tensor(x_all).to(like), torch.as_tensor(w_all).to(like)


def _floating(policy: Policy) -> None:
    parameters = policy.parameters()
    for name, p in parameters.items():
        if not isinstance(p, Tensor) or not p.is_floating_point():
            kind = f"a {p.dtype} tensor" if isinstance(p, Tensor) else f"{type(p).__name__}"
            raise TypeError(
                f"{type(policy).__name__}.{name} must be a floating-point tensor, got {kind}"
            )
    if len({(p.dtype, p.device) for p in parameters.values()}) > 1:
        given = ", ".join(f"{k}: {p.dtype} on {p.device}" for k, p in parameters.items())
        raise TypeError(
            f"{type(policy).__name__} parameters must share a dtype and a device; {given}"
        )


def _wrong_shapes(policy: Policy, rule: str) -> None:
    given = ", ".join(f"{name} {list(p.shape)}" for name, p in policy.parameters().items())
    raise ValueError(f"{type(policy).__name__}: {rule}; got {given}")
