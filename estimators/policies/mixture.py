"""The mixture of diagonal Gaussians."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from estimators.noise import Noise
from estimators.policies.gaussian import LIMITS, USUAL, Gaussian
from estimators.policies.hermite import gauss_hermite, log_normal
from estimators.policies.policy import Policy, at_least_one, require_floating, wrong_shapes

WIDE = 0.25  # a component narrower than this, in the deviations of another, is a spike there


@dataclass(frozen=True, eq=False)
class Mixture(Policy):
    """Σ_k w_k N(μ_k, diag σ_k²), w = softmax(logits). logits: [*batch, K]; rest: [*batch, K, d]."""

    logits: Tensor
    mu: Tensor
    log_std: Tensor

    limits = LIMITS
    usual: ClassVar[Mapping[str, tuple[float, float]]] = {"logits": (-1.5, 1.5), **USUAL}

    def __post_init__(self) -> None:
        require_floating(self)
        shape = self.mu.shape
        alike = shape == self.log_std.shape and shape[:-1] == self.logits.shape
        if not alike or len(shape) < 2 or min(shape[-2:]) < 1:
            rule = "logits must be [*batch, K], mu and log_std [*batch, K, d], with K ≥ 1 and d ≥ 1"
            wrong_shapes(self, rule)

    @property
    def batch(self) -> torch.Size:
        return self.logits.shape[:-1]

    @property
    def action(self) -> torch.Size:
        return self.mu.shape[-1:]

    @classmethod
    def shapes(cls, dim: int, components: int = 1) -> dict[str, tuple[int, ...]]:
        each = (components, dim)
        return {"logits": (components,), "mu": each, "log_std": each}

    @property
    def components(self) -> Gaussian:
        """The K Gaussians, as one batch [*batch, K]."""
        return Gaussian(self.mu, self.log_std)

    def sample(self, n: int, rng: Noise) -> Tensor:
        """Draw ε, draw a component k, return μ_k + σ_k ε."""
        eps = rng.normal((at_least_one(n), *self.batch, self.mu.shape[-1]), self.mu)
        k = rng.categorical(self.logits.detach().softmax(-1), (n, *self.batch))
        mu, sigma = (pick(p.detach(), k) for p in (self.mu, self.log_std.exp()))
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
            log_joint = w + log_normal(a, m, s)
            log_q = log_joint.logsumexp(-1, keepdim=True)  # [n, *batch, 1]
            below, above = (w + torch.special.log_ndtr(side * eps) for side in (1, -1))
            left = below.logsumexp(-1, keepdim=True) < above.logsumexp(-1, keepdim=True)
            cdf_over_q = torch.where(left, (below - log_q).exp(), -(above - log_q).exp())
            path = (log_joint - log_q).exp() * (mu + log_std.exp() * eps) - cdf_over_q * log_w
            path = path.sum(-1)  # [n, *batch]
            done.append(sample[..., i] + (path - path.detach()))
            log_w = (log_w + log_normal(done[-1][..., None], mu, log_std)).log_softmax(-1)
        return torch.stack(done, -1)

    def strata(self, n: int, rng: Noise) -> tuple[Tensor, Tensor]:
        """a_k = μ_k + σ_k ε_k of every component, and w_k."""
        a = self.components.rsample(n, rng).movedim(-2, 0)  # [K, n, *batch, d]
        return a, self.logits.softmax(-1).movedim(-1, 0).unsqueeze(1)

    def log_prob(self, a: Tensor) -> Tensor:
        """log Σ_k w_k N(a; μ_k, σ_k²)."""
        log_w = self.logits.log_softmax(-1)
        return (log_w + self.components.log_prob(a.unsqueeze(-2))).logsumexp(-1)

    def central(self) -> Tensor:
        """μ of the likeliest component."""
        k = self.logits.argmax(-1)[..., None, None]
        return self.mu.gather(-2, k.expand(*k.shape[:-1], self.dim))[..., 0, :]

    @property
    def rarest(self) -> float:
        return float(self.logits.detach().softmax(-1).min())

    def spikes(self) -> Tensor | None:
        """Where components less than WIDE times as wide as another lie in the ε of that: spikes of
        log π, on which nodes laid for the wide one may not stand, [breaks, d]."""
        mu, sigma = self.mu.detach(), self.log_std.detach().exp()  # [*batch, K, d]
        narrow = (sigma[..., None, :, :] < WIDE * sigma[..., :, None, :]).any(-1)  # [*batch, K, K]
        reach = torch.tensor([-8.0, -2.0, 0.0, 2.0, 8.0]).to(mu)
        there = mu[..., None, :] + sigma[..., None, :] * reach[:, None]  # [*batch, K, 5, d]
        apart = there[..., None, :, :, :] - mu[..., :, None, None, :]
        eps = (apart / sigma[..., :, None, None, :])[narrow]  # [pairs, 5, d]
        near = (eps[:, 2].abs() < 8 + 8 * WIDE).all(-1)
        return eps[near].flatten(0, 1) if near.any() else None

    def nodes(self, order: int | None = None) -> tuple[Tensor, Tensor]:
        k, d = self.mu.shape[-2:]
        gauss_hermite(order, d, k, self.mu)
        a, w = self.components.nodes(order)  # [m, *batch, K, d], [m, *batch, K]
        w = w * self.logits.softmax(-1)
        return a.movedim(-2, 0).flatten(0, 1), w.movedim(-1, 0).flatten(0, 1)  # [K·m, *batch, …]


def pick(p: Tensor, k: Tensor) -> Tensor:
    """p: [*batch, K, d], k: [n, *batch] -> p[k]: [n, *batch, d]."""
    index = k[..., None, None].expand(*k.shape, 1, p.shape[-1])
    return p.expand(len(k), *p.shape).gather(-2, index).squeeze(-2)
