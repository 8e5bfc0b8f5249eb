"""The grids under the two figures of the book that move without Python."""

import json
from typing import Any

import numpy as np

from toy_problems.theory.sac import quadratic_critic

DIMENSIONS = [1, 2, 3, 4, 6, 8, 12, 16]
ESTIMATORS = ("reparameterization", "sticking_the_landing", "score_function_optimal")


def kl_landscape() -> dict[str, Any]:
    """KL(N(φ, σ²) ‖ ½N(−m, 1) + ½N(m, 1)) as `theory.report_kl`, for all of a grid at once:
    kl[m][σ][φ]."""
    m, phi, sigma = np.linspace(0, 4, 17), np.linspace(-4, 4, 65), np.linspace(0.3, 3, 37)
    eps = np.linspace(-9, 9, 181)
    w = np.exp(-(eps**2) / 2)
    w /= w.sum()
    a = phi[None, :, None] + sigma[:, None, None] * eps  # [σ, φ, ε]
    second = phi[None, :] ** 2 + sigma[:, None] ** 2  # E a²
    grid = []
    for separation in m:
        log_cosh = np.logaddexp(separation * a, -separation * a) - np.log(2)
        kl = -np.log(sigma)[:, None] - 0.5 + (second + separation**2) / 2 - log_cosh @ w
        grid.append(rounded(kl))
    axes = {"m": rounded(m), "phi": rounded(phi), "sigma": rounded(sigma)}
    return {**axes, "kl": grid, "start": {"m": 2.0, "phi": 0.75, "sigma": 1.05}}


def variance_map() -> dict[str, Any]:
    """Variances of ∂J/∂μ × σ²/α², summed over coordinates: variances[D][τ][ratio][estimator]."""
    ratio, tau = np.linspace(0, 2, 61), np.linspace(0.1, 3, 59)
    grid = []
    for D in DIMENSIONS:
        forms = quadratic_critic(ratio[None, :], 1.0, tau[:, None], 1.0, D)
        shape = (len(tau), len(ratio))
        stack = [np.broadcast_to(np.asarray(forms[e]["mu"]), shape) for e in ESTIMATORS]
        grid.append(rounded(np.stack(stack, -1)))
    axes = {"ratio": rounded(ratio), "tau": rounded(tau), "D": DIMENSIONS, "sticking": [0, 1]}
    start = {"ratio": 0.2, "tau": 1.3, "D": 1, "sticking": 0}
    return {**axes, "variances": grid, "start": start}


def rounded(x: np.ndarray) -> Any:
    return np.round(x, 3).tolist()


def script() -> str:
    """heroes-data.js."""
    data = {"kl": kl_landscape(), "map": variance_map()}
    return f"window.NABLA_HEROES = {json.dumps(data, separators=(',', ':'))};\n"
