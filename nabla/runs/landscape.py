"""What a policy sees of its critic: slopes and curvatures under its own actions, by sampling."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from estimators import Gaussian, Noise, Objective
from toy_problems.theory.local import local_variances


@dataclass(frozen=True, eq=False)
class Landscape:
    """For each state, of Q as the policy's actions see it (with the log-det of tanh, if squashed).

    sigma, gradient E[∂Q/∂a]: [states, d]; hessian E[∂²Q/∂a∂a']: [states, d, d]; alpha: a number.
    """

    sigma: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    alpha: float

    @property
    def curvature(self) -> np.ndarray:
        """k_i = −E[∂²Q/∂a_i²], [states, d]."""
        return -np.diagonal(self.hessian, axis1=-2, axis2=-1)

    @property
    def tau(self) -> np.ndarray:
        """τ = kσ²/α, [states, d]: 1 where the policy is as wide as the critic asks for."""
        return self.curvature * self.sigma**2 / self.alpha

    def predicted(self, n: int = 2) -> dict[str, np.ndarray]:
        """{estimator: variance for μ, summed over its entries, [states]}; leave-one-out of n."""
        found = local_variances(self.gradient, self.hessian, self.sigma, self.alpha, n)
        return {name: value.sum(-1) for name, value in found.items()}

    def __str__(self) -> str:
        low, middle, high = np.quantile(self.tau, [0.1, 0.5, 0.9])
        return (
            f"τ = kσ²/α over states and actions: median {middle:.2g} (10–90 %: {low:.2g} to "
            f"{high:.2g}); α = {self.alpha:.3g}, median σ = {np.median(self.sigma):.2g}"
        )

    def to_lists(self) -> dict[str, Any]:
        parts = {name: getattr(self, name) for name in ("sigma", "gradient", "hessian", "tau")}
        return {name: value.tolist() for name, value in parts.items()} | {"alpha": self.alpha}

    @classmethod
    def sampled(
        cls, policy: Gaussian, objective: Objective, rng: Noise, draws: int = 4096, chunk: int = 256
    ) -> "Landscape":
        """E[∇∇Q] = E[∇Q ε'] Σ^{-1/2} (Stein's lemma): it is there even where Q has kinks, as a ReLU
        network does, and ∇∇Q itself is zero almost everywhere."""
        sigma = policy.log_std.detach().exp()
        mu, d = policy.mu.detach(), sigma.shape[-1]
        slope, bend = torch.zeros_like(mu), torch.zeros(*mu.shape, d).to(mu)
        centre = torch.zeros_like(mu)  # of the noise: takes the slope's own noise off the bend
        for start in range(0, draws, chunk):
            eps = rng.normal((min(chunk, draws - start), *mu.shape), like=mu)
            a = (mu + sigma * eps).requires_grad_()
            (g,) = torch.autograd.grad(objective.Q(a).sum(), a)
            slope, centre = slope + g.sum(0) / draws, centre + (eps / sigma).sum(0) / draws
            bend += torch.einsum("mbi,mbj->bij", g, eps / sigma) / draws
        bend -= torch.einsum("bi,bj->bij", slope, centre)
        hessian = (bend + bend.mT) / 2
        alpha = float(torch.as_tensor(objective.alpha).detach())
        return cls(sigma.numpy(), slope.numpy(), hessian.numpy(), alpha)

    @classmethod
    def from_lists(cls, lists: dict[str, Any]) -> "Landscape":
        """What `to_lists` made."""
        names = ("sigma", "gradient", "hessian")
        return cls(**{n: np.asarray(lists[n]) for n in names}, alpha=lists["alpha"])
