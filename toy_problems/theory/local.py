"""What the first two moments of a critic say of the estimators' variances, for any critic (B.6).

With a = μ + σε, keep of F(ε) its Hermite expansion up to degree two,
F ≈ E F + b·ε + ½(ε'Hε − tr H),  b = E[∇F],  H = E[∇∇F] = E[∇F ε'] (Stein): exact for a quadratic F.
"""

import numpy as np

Array = np.ndarray


def local_variances(
    gradient: Array, hessian: Array, sigma: Array, alpha: Array | float, n: int = 2
) -> dict[str, Array]:
    """Variances for μ, [..., D], of what a critic with these moments would give.

    gradient: E[∂Q/∂a], [..., D]; hessian: E[∂²Q/∂a∂a'], [..., D, D]; sigma: [..., D]; alpha: [...].
    With g, A those of −Q in ε, B = A − αI those of F = α log π − Q, v = |g|² + ½ tr B² = Var F:
    × σ_i²:  Eq. 13 (A²)_ii;  STL (B²)_ii;  nabla-log with baseline V  v + g_i² + 2(B²)_ii;
    leave-one-out of n: that /n, plus (v + g_i²)/(n(n − 1)) (Kool et al. 2019).
    Reference: Gaussian moments (Wick). Compare `theory.quadratic_critic`, H = −kI.
    """
    sigma = np.asarray(sigma, dtype=float)
    g = -sigma * gradient
    A = -sigma[..., :, None] * hessian * sigma[..., None, :]
    B = A - np.asarray(alpha)[..., None, None] * np.eye(sigma.shape[-1])
    A2, B2 = (np.einsum("...ij,...ij->...i", M, M) for M in (A, B))  # diagonals of A², B²
    v = ((g**2).sum(-1) + B2.sum(-1) / 2)[..., None]
    score = v + g**2 + 2 * B2
    pairs = (v + g**2) / (n * (n - 1)) if n > 1 else np.full_like(g, np.inf)
    found = {
        "reparameterization": A2,
        "sticking_the_landing": B2,
        "score_function_value": score,
        "score_function_leave_one_out": score / n + pairs,
    }
    return {name: value / sigma**2 for name, value in found.items()}
