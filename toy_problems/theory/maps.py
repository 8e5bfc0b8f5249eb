"""Closed-form variances of catalogue problems by their settings, for the boundaries on maps."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from toy_problems.theory.families import cosine_variances
from toy_problems.theory.sac import quadratic_critic

Numbers = float | np.ndarray
Variances = dict[str, dict[str, Numbers]]  # {estimator: {"mu", "log_std", "total": …}}


def closed_forms(problem: str, settings: Mapping[str, Any]) -> Variances | None:
    """Of every estimator that has one, settings being all of the problem's; None if none has."""
    return CLOSED_FORMS[problem](settings) if problem in CLOSED_FORMS else None


def _cosine(s: Mapping[str, Any]) -> Variances | None:
    if s["d"] != 1:
        return None
    mu = cosine_variances(s["frequency"], s["mu"], s["sigma"], s["alpha"])
    return {name: {"mu": v} for name, v in mu.items()}


def _sac_quadratic(s: Mapping[str, Any]) -> Variances:
    sigma = np.asarray(s["sigma"])
    k = s["tau"] * s["alpha"] / sigma**2
    return quadratic_critic(s["distance"] * sigma, sigma, k, s["alpha"], s["d"])


def _gaussian_target(s: Mapping[str, Any]) -> Variances:
    delta = np.abs(s["mu"] - s["m"]) * np.sqrt(s["d"])
    k = 1 / np.square(s["s"])
    return quadratic_critic(delta, np.exp(s["log_std"]), k, s["alpha"], s["d"])


def _quadratic(s: Mapping[str, Any]) -> Variances:
    """∇_a cost = σHε + const − α(ε/σ if π is held fixed): Σλ²σ² and Σ(σ²λ − α)²/σ² for μ."""
    d, condition = np.broadcast_arrays(s["d"], np.asarray(s["condition"]))
    first, second = np.zeros(d.shape), np.zeros(d.shape)
    for i in np.ndindex(d.shape):
        eigenvalues = condition[i] ** np.linspace(0, 1, d[i])  # as in problems.quadratic
        first[i], second[i] = eigenvalues.sum(), (eigenvalues**2).sum()
    sigma2, alpha = np.square(s["sigma"]), np.asarray(s["alpha"])
    eq13 = second * sigma2
    stl = eq13 - 2 * alpha * first + d * alpha**2 / sigma2
    return {"reparameterization": {"mu": eq13}, "sticking_the_landing": {"mu": stl}}


CLOSED_FORMS: dict[str, Callable[[Mapping[str, Any]], Variances | None]] = {
    "cosine": _cosine,
    "sac_quadratic": _sac_quadratic,
    "gaussian_target": _gaussian_target,
    "quadratic": _quadratic,
}
