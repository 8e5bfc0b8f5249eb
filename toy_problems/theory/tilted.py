"""Closed forms for exp(−ka²) and cos ka under N(μ, 1): Mohamed et al. 2020, figure 3.

Everything is E[p(ε) exp(−cε² + zε)] with a polynomial p and a complex z: a Gaussian again, tilted.
"""

import itertools
from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(12)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
Polynomial = Callable[[np.ndarray], np.ndarray]


def tilted(p: Polynomial, c: float = 0.0, z: complex = 0.0) -> complex:
    """E[p(ε) exp(−cε² + zε)] = (1 + 2c)^{−½} exp(z²/(2(1 + 2c))) E[p(η)], exact to degree 23.

    η ~ N(z/(1 + 2c), 1/(1 + 2c)), its mean complex if z is.
    """
    wide = 1 + 2 * c
    eta = z / wide + NODES / np.sqrt(wide)
    return complex(np.exp(z**2 / (2 * wide)) / np.sqrt(wide) * (WEIGHTS * p(eta)).sum())


def bump(p: Polynomial, k: float, mu: float) -> float:
    """E[p(ε) exp(−k(μ + ε)²)]."""
    return float((np.exp(-k * mu**2) * tilted(p, k, -2 * k * mu)).real)


def wave(p: Polynomial, w: float, mu: float) -> float:
    """E[p(ε) cos(w(μ + ε))]."""
    return float((np.exp(1j * w * mu) * tilted(p, 0.0, 1j * w)).real)


def variances(cost: str, k: float, mu: float = 1.0) -> dict[str, dict[str, float]]:
    """{estimator: {"mu", "sigma"}} under N(μ, 1), cost "exp" for exp(−kx²) or "cos" for cos kx.

    PW: E[(f′ ∂a)²]; SF: E[(f − b)² s²] with b = 0, E f, E[f s²]/E[s²]; all less the mean squared.
    """

    def f(p: Polynomial) -> float:
        return bump(p, k, mu) if cost == "exp" else wave(p, k, mu)

    def f2(p: Polynomial) -> float:
        """f² = exp(−2kx²), or (1 + cos 2kx)/2."""
        if cost == "exp":
            return bump(p, 2 * k, mu)
        return (tilted(p).real + wave(p, 2 * k, mu)) / 2

    def slope2(p: Polynomial) -> float:
        """f′² = 4k²x² exp(−2kx²), or k²(1 − cos 2kx)/2."""
        if cost == "exp":
            return bump(lambda e: 4 * k**2 * (mu + e) ** 2 * p(e), 2 * k, mu)
        return k**2 * (tilted(p).real - wave(p, 2 * k, mu)) / 2

    out: dict[str, dict[str, float]] = {}
    paths: dict[str, Polynomial] = {"mu": lambda e: e**0, "sigma": lambda e: e}
    scores: dict[str, Polynomial] = {"mu": lambda e: e, "sigma": lambda e: e**2 - 1}
    for entry, s in scores.items():
        mean, level = f(s), f(lambda e: e**0)
        size = tilted(lambda e, s=s: s(e) ** 2).real  # type: ignore[misc]
        square, cross = f2(lambda e, s=s: s(e) ** 2), f(lambda e, s=s: s(e) ** 2)  # type: ignore[misc]
        path = slope2(lambda e, p=paths[entry]: p(e) ** 2)  # type: ignore[misc]
        found = {"reparameterization": path - mean**2}
        for name, b in baselines(level, cross / size).items():
            found[name] = square - 2 * b * cross + b**2 * size - mean**2
        for name, v in found.items():
            out.setdefault(name, {})[entry] = v
    return out


def crossings(cost: str, k: np.ndarray, entry: str) -> dict[tuple[str, str], list[float]]:
    """{(one, two): the k at which two of `variances` cross}, by sign changes along k. Computed."""

    def gap(x: float, one: str, two: str) -> float:
        found = variances(cost, x)
        return found[one][entry] - found[two][entry]

    out: dict[tuple[str, str], list[float]] = {}
    names = (
        "reparameterization",
        "score_function",
        "score_function_value",
        "score_function_optimal",
    )
    for one, two in itertools.combinations(names, 2):
        signs = np.sign([gap(float(x), one, two) for x in k])
        for i in np.flatnonzero(signs[1:] * signs[:-1] < 0):
            at = float(brentq(gap, k[i], k[i + 1], args=(one, two), xtol=1e-13))
            out.setdefault((one, two), []).append(at)
    return out


def baselines(level: float, best: float) -> dict[str, float]:
    return {
        "score_function": 0.0,
        "score_function_value": level,
        "score_function_optimal": best,
    }


def constants(cost: str, k: float, entry: str, mu: float = 1.0) -> dict[str, float]:
    """The baselines of `variances` for one entry: {estimator: b}."""
    f = bump if cost == "exp" else wave
    s: Polynomial = (lambda e: e**2) if entry == "mu" else (lambda e: (e**2 - 1) ** 2)
    size = 1.0 if entry == "mu" else 2.0
    return baselines(f(lambda e: e**0, k, mu), f(s, k, mu) / size)
