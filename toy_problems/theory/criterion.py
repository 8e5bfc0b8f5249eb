"""Score function against reparameterization, for any integrand: the criterion, the spectrum, the
degree theorem (B.1–B.3 of docs/open-question.md).

a = μ + σε with ε ~ N(0, I_D), and F(ε) the integrand, a fixed function: with a temperature, the
cost at a frozen density, so that "reparameterization" here is sticking-the-landing. All are second
moments, for μ and times σ², summed over the D coordinates. Both estimators have the same mean, so
the order of second moments is the order of variances.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import eigh
from torch import Tensor

from estimators import Gaussian

__all__ = [
    "Integrand", "bound", "eigenvalue", "expectations", "log_std_forms", "mu_forms", "ratios",
    "sector", "smallest_log_std_ratio", "smallest_ratio", "worst_integrand",
]  # fmt: skip

Numbers = np.ndarray


@dataclass(frozen=True)
class Integrand:
    """Five expectations under ε ~ N(0, I_D) that settle which estimator wins for μ."""

    D: int
    value: float  # E F
    square: float  # E F²
    slope: float  # E|∇F|²
    laplacian: float  # E ΔF
    curvature: float  # E F ΔF

    @property
    def pathwise(self) -> float:
        """E|∇F|²."""
        return self.slope

    @property
    def score(self) -> float:
        """E[F²|ε|²] = D·E F² + 2 E|∇F|² + 2 E[F ΔF]: Stein's lemma, E[ε·G] = E[div G], twice."""
        return self.D * self.square + 2 * self.slope + 2 * self.curvature

    @property
    def baseline(self) -> float:
        """b* = E[F|ε|²]/D = E F + E[ΔF]/D."""
        return self.value + self.laplacian / self.D

    @property
    def score_optimal(self) -> float:
        """E[(F − b*)²|ε|²] = E[F²|ε|²] − D·b*²."""
        return self.score - self.D * self.baseline**2


def expectations(F: Callable[[Tensor], Tensor], D: int, order: int = 60) -> Integrand:
    """The expectations of F: [m, D] -> [m], by Gauss–Hermite nodes and autograd."""
    zero = torch.zeros(D, dtype=torch.float64)
    eps, w = Gaussian(zero, zero).nodes(order)  # [m, D], [m]
    x = eps.detach().requires_grad_()
    f = F(x)
    (grad,) = torch.autograd.grad(f.sum(), x, create_graph=True)  # [m, D]
    laplacian = torch.zeros_like(f)
    for i in range(D if grad.requires_grad else 0):  # F linear: no curvature
        laplacian = laplacian + torch.autograd.grad(grad[:, i].sum(), x, retain_graph=True)[0][:, i]
    integrands = (f, f**2, (grad**2).sum(-1), laplacian, f * laplacian)
    return Integrand(D, *(float((w * v.detach()).sum()) for v in integrands))


def eigenvalue(n: int, D: int) -> float:
    """(2n + D)²/(n(n + D)), n ≥ 1: the eigenvalues above 4 of the ratio SF*/PW.

    Proved: on a spherical harmonic of degree ℓ times Laguerre functions, |ε|² − λ·(number
    operator) is the Jacobi matrix of the Meixner polynomials with β = ℓ + D/2 and
    λ = (1 + √c)²/√c; it is singular where √c = n/(n + D), n = ℓ + 2j. For λ < 4 the matrix is
    that of Meixner–Pollaczek polynomials: continuous spectrum [0, 4].
    """
    return (2 * n + D) ** 2 / (n * (n + D))


def bound(D: int) -> float:
    """(D + 2)²/(D + 1): SF*'s second moment is never more than this times PW's. 9/2 at D = 1."""
    return eigenvalue(1, D)


def worst_integrand(D: int) -> Callable[[Tensor], Tensor]:
    """F = ε₁ exp(|ε|²/(2(D + 2))), for which SF*/PW is `bound(D)`: the Meixner eigenvector, summed
    by the generating function of the Laguerre polynomials."""
    return lambda eps: eps[..., 0] * torch.exp((eps**2).sum(-1) / (2 * (D + 2)))


def sector(D: int, ell: int, size: int) -> tuple[Numbers, Numbers]:
    """SF and PW as matrices on Y_ℓ(ε) L_k^{(ℓ + D/2 − 1)}(|ε|²/2), k < size, normalised.

    |ε|² is tridiagonal: 2(2k + β) on the diagonal, −2√((k + 1)(k + β)) beside it, β = ℓ + D/2; the
    number operator is 2k + ℓ.
    """
    k = np.arange(size)
    beta = ell + D / 2
    beside = -2 * np.sqrt((k[:-1] + 1) * (k[:-1] + beta))
    score = np.diag(2 * (2 * k + beta)) + np.diag(beside, 1) + np.diag(beside, -1)
    return score, np.diag(2.0 * k + ell)


def ratios(D: int, ell: int, size: int) -> Numbers:
    """The ratios SF*/PW on the span of one `sector`, ascending.

    In sector 0 the constant is the baseline's: it is minimised over (a Schur complement).
    """
    score, pathwise = sector(D, ell, size)
    if ell == 0:
        score = score[1:, 1:] - np.outer(score[1:, 0], score[0, 1:]) / score[0, 0]
        pathwise = pathwise[1:, 1:]
    return eigh(score, pathwise, eigvals_only=True)


def smallest_ratio(degree: int, D: int = 1) -> float:
    """The least SF*/PW for μ among polynomials of that degree or less in D variables.

    ≥ 1 for degree ≤ 3: no such polynomial lets the score function win. As a ratio to PW's second
    moment, by eigenvalues; the sign at degree 3 and 4 is proved by exact minors in the tests.
    """
    if degree < 1:
        raise ValueError(f"a polynomial with a gradient has degree ≥ 1, got {degree}")
    sectors = range(min(degree, 1 if D == 1 else degree) + 1)
    sizes = {ell: (degree - ell) // 2 + 1 for ell in sectors}
    return min(ratios(D, ell, n)[0] for ell, n in sizes.items() if n > (ell == 0))


def log_std_forms(degree: int) -> tuple[list[list[int]], list[list[int]], list[int]]:
    """SF, PW and the baseline's functional for log σ on He_1 … He_degree, D = 1, in whole numbers.

    SF_ij = E[He_i He_j (ε² − 1)²], PW_ij = E[ε² He_i′ He_j′], v_i = E[He_i (ε² − 1)²]; the optimal
    baseline takes v vᵀ/2 off SF.
    """

    def times(p: dict[int, int]) -> dict[int, int]:
        """ε·p, by ε He_i = He_{i+1} + i He_{i−1}."""
        out: dict[int, int] = {}
        for i, c in p.items():
            out[i + 1] = out.get(i + 1, 0) + c
            if i:
                out[i - 1] = out.get(i - 1, 0) + c * i
        return out

    def scored(p: dict[int, int]) -> dict[int, int]:
        out = times(times(p))
        return {i: out.get(i, 0) - p.get(i, 0) for i in {*out, *p}}

    def inner(p: dict[int, int], q: dict[int, int]) -> int:
        return sum(c * q[i] * math.factorial(i) for i, c in p.items() if i in q)

    one = scored({0: 1})
    score = [scored({i: 1}) for i in range(1, degree + 1)]
    path = [times({i - 1: i}) for i in range(1, degree + 1)]
    return (
        [[inner(p, q) for q in score] for p in score],
        [[inner(p, q) for q in path] for p in path],
        [inner(p, one) for p in score],
    )


def mu_forms(degree: int) -> tuple[list[list[int]], list[list[int]], list[int]]:
    """The same for μ: SF_ij = E[He_i He_j ε²], PW_ij = i²(i − 1)! δ_ij, v = E[He_i ε²] = 2 δ_i2;
    the optimal baseline takes v vᵀ off SF."""
    fac = math.factorial
    n = range(1, degree + 1)
    score = [
        [
            fac(i + 1) + i * i * fac(i - 1) if i == j else fac(max(i, j)) * (abs(i - j) == 2)
            for j in n
        ]
        for i in n
    ]
    path = [[i * i * fac(i - 1) * (i == j) for j in n] for i in n]
    return score, path, [2 * (i == 2) for i in n]


def smallest_log_std_ratio(degree: int) -> float:
    """The least SF*/PW for log σ among polynomials of that degree or less, D = 1: ≥ 1 up to 5."""
    score, path, v = (np.array(m, dtype=float) for m in log_std_forms(degree))
    unit = np.sqrt([float(math.factorial(i)) for i in range(1, degree + 1)])
    score, path, v = score / np.outer(unit, unit), path / np.outer(unit, unit), v / unit
    return float(eigh(score - np.outer(v, v) / 2, path, eigvals_only=True)[0])
