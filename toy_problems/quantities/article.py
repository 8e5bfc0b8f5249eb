"""Numbers for the article on implicit reparameterization: dz/dθ = −(∂F/∂θ)/q."""

import math
from collections.abc import Callable

from scipy.integrate import quad
from scipy.special import digamma, gamma, gammainc, ndtr


def gamma_implicit(shape: float = 2.3, z: float = 1.7) -> float:
    """dz/d(shape) = −(∂F/∂shape)/q for Gamma(shape, 1).

    ∂F/∂shape = (∫_0^z t^{shape−1} log t e^{−t} dt)/Γ(shape) − ψ(shape) F(z).
    """

    def integrand(x: float) -> float:  # t = eˣ: no singularity at 0
        return x * math.exp(shape * x - math.exp(x))

    integral = quad(integrand, -60, math.log(z), epsabs=1e-13, epsrel=1e-12, limit=500)[0]
    slope = integral / gamma(shape) - digamma(shape) * gammainc(shape, z)
    return -slope / (z ** (shape - 1) * math.exp(-z) / gamma(shape))


def normal(z: float, mu: float = 0.0, sigma: float = 1.0) -> float:
    return math.exp(-(((z - mu) / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))


def marginal_weight_gradients(
    w: float = 0.35, first: tuple[float, float] = (-1, -1), second: tuple[float, float] = (2, 1)
) -> list[float]:
    """d/dw₁ E[z₁z₂] for w₁N(first, 0.36 I) + (1 − w₁)N(second, 0.36 I), w₂ = 1 − w₁: the truth
    (a difference of two means), and what E[Σ_i ∂_i f · (−∂F_i/q_i)] gives with marginal F_i.

    Coordinate i contributes −∫ ΔF_i(z) E[z_j | z_i = z] dz: the density cancels.
    """
    sigma = 0.6
    truth = math.prod(first) - math.prod(second)

    def term(i: int) -> float:
        j = 1 - i

        def integrand(z: float) -> float:
            a, b = w * normal(z, first[i], sigma), (1 - w) * normal(z, second[i], sigma)
            other = (a * first[j] + b * second[j]) / (a + b)
            return -float(ndtr((z - first[i]) / sigma) - ndtr((z - second[i]) / sigma)) * other

        return float(quad(integrand, -8, 9, epsabs=1e-12, epsrel=1e-12, limit=400)[0])

    return [float(truth), term(0) + term(1)]


def mixture_weight_variance(m: float = 3.0) -> float:
    """Variance of f′(z) dz/dw, dz/dw = −(Φ(z + m) − Φ(z − m))/q(z), f = −(z − 1)²/2.

    The mean is E f under the first component minus that under the second.
    """

    def integrand(z: float) -> float:
        q = (normal(z, -m) + normal(z, m)) / 2
        tail = -abs(z)  # Φ(z + m) − Φ(z − m) is even: take the side that does not cancel
        return (1 - z) ** 2 * float(ndtr(tail + m) - ndtr(tail - m)) ** 2 / q

    reach = m + 12
    second = quad(
        integrand, -reach, reach, epsabs=1e-12, epsrel=1e-13, limit=800, points=[-m, 0, m]
    )
    mean = (-((-m - 1) ** 2) + (m - 1) ** 2) / 2
    return float(second[0]) - mean**2


QUANTITIES: dict[str, Callable[[], float | list[float]]] = {
    "M07.gamma": gamma_implicit,
    "M12.weight": marginal_weight_gradients,
    "M15.variance": mixture_weight_variance,
}
