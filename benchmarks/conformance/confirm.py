"""Pyro's mixtures by another route: closed form against a plain average. JSON lines; see run.py.

For a mixture of diagonal Gaussians J = E cos(.7x + .7y) = Σ_k w_k c_k,
c_k = exp(−.49 (σ_x² + σ_y²)/2) cos(.7 (μ_x + μ_y)), so ∂J/∂logit_k = w_k (c_k − J). Pyro's gradient
is averaged over one batch of parameters, with nothing of ours in between.
"""

import json
import math

import numpy as np
import pyro.distributions as pyro
import torch

N = 2**20
LOGITS, MU = np.array([0.3, 0.0]), np.array([[-1.0, 0.0], [1.0, 0.5]])
SHARED = np.array([0.2, -0.1])


def closed_form(log_std) -> np.ndarray:
    w = np.exp(LOGITS) / np.exp(LOGITS).sum()
    c = np.exp(-0.49 * np.exp(2 * log_std).sum(-1) / 2) * np.cos(0.7 * MU.sum(-1))
    return w * (c - (w * c).sum())


def plain_average(make, log_std) -> tuple[np.ndarray, np.ndarray]:
    torch.manual_seed(0)
    leaves = [
        torch.tensor(x).expand(N, *x.shape).clone().requires_grad_() for x in (MU, log_std, LOGITS)
    ]
    pi = make(leaves[0], leaves[1].exp(), leaves[2])
    torch.cos(0.7 * pi.rsample().sum(-1)).sum().backward()
    g = leaves[2].grad.numpy()
    return g.mean(0), g.std(0) / math.sqrt(N)


if __name__ == "__main__":
    for make, log_std in (
        (pyro.MixtureOfDiagNormals, np.zeros((2, 2))),
        (pyro.MixtureOfDiagNormalsSharedCovariance, SHARED),
    ):
        exact, (mean, error) = closed_form(log_std), plain_average(make, log_std)
        row = {"name": make.__name__, "exact": exact[0], "mean": mean[0], "error": error[0]}
        print(json.dumps(row | {"draws": N}), flush=True)
