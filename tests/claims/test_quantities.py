"""Every quantity by a second route that shares no code with the first: mpmath or scipy
quadrature of the definition, a closed form, brute-force minimisation, or a difference quotient."""

import math

import mpmath as mp
import numpy as np
import pytest
import torch
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.special import gammaincinv, ive, ndtr

from toy_problems.quantities import QUANTITIES, numbers

ROOT_2PI = math.sqrt(2 * math.pi)


def phi(z, mu=0.0, sigma=1.0):
    return math.exp(-(((z - mu) / sigma) ** 2) / 2) / (sigma * ROOT_2PI)


def E(f, mu=0.0, sigma=1.0, breaks=()):
    """E[f(a)], a ~ N(μ, σ²), by scipy's adaptive quadrature."""
    ends = sorted({mu - 13 * sigma, mu, mu + 13 * sigma, *breaks})
    pieces = zip(ends[:-1], ends[1:], strict=True)  # noqa: RUF007
    return math.fsum(
        quad(lambda a: f(a) * phi(a, mu, sigma), a, b, epsabs=1e-12, epsrel=1e-12, limit=400)[0]
        for a, b in pieces
    )


def variance(f, mu=0.0, sigma=1.0, breaks=()):
    return E(lambda a: f(a) ** 2, mu, sigma, breaks) - E(f, mu, sigma, breaks) ** 2


def best_score(cost, mu, sigma, weight):
    """Var[(cost − b)·score] at its minimum over b: brute force on the parabola's own formula."""
    s2 = E(lambda a: weight(a) ** 2, mu, sigma)
    b = E(lambda a: cost(a) * weight(a) ** 2, mu, sigma) / s2
    return variance(lambda a: (cost(a) - b) * weight(a), mu, sigma)


def h(a, m=2.0):
    return (phi(a, -m) + phi(a, m)) / 2


def slope_h(a, m=2.0):
    return (-(a + m) * phi(a, -m) - (a - m) * phi(a, m)) / (2 * h(a, m))


def kl(mu, sigma=1.0, m=2.0):
    return E(lambda a: math.log(phi(a, mu, sigma) / h(a, m)), mu, sigma)


def panels(count=48, order=16, reach=12.0):
    """Nodes and weights for N(0, 1): Gauss–Legendre on equal panels."""
    t, w = np.polynomial.legendre.leggauss(order)
    half = reach / count
    e = (np.linspace(-reach, reach, count + 1)[:-1, None] + half * (t + 1)).ravel()
    return e, np.tile(w * half, count) * np.exp(-(e**2) / 2) / ROOT_2PI


EPS, WEIGHT = panels()


def kl_grid(mu, sigma, m):
    """KL(N(μ, σ²) ‖ h_m), the density of h summed as it stands."""
    a = mu + sigma * EPS
    log_h = np.logaddexp(-((a - m) ** 2) / 2, -((a + m) ** 2) / 2) - math.log(2 * ROOT_2PI)
    return float(-math.log(sigma) - 0.5 - math.log(ROOT_2PI) - WEIGHT @ log_h)


def pull(mu, sigma, m):
    """−(log h)′ at each node: a weighted mean of the distances to the two modes."""
    a = mu + sigma * EPS
    return a + m - 2 * m / (1 + np.exp(-2 * m * a))


def fold():
    """The smallest m on the curve of stationary points with μ > 0, followed by μ: for each μ the
    m whose best σ leaves no slope in μ."""

    def m_at(mu):
        def sigma_at(m):
            return brentq(lambda s: WEIGHT @ (EPS * pull(mu, s, m)) - 1 / s, 0.9, 2, xtol=1e-15)

        return brentq(lambda m: WEIGHT @ pull(mu, sigma_at(m), m), 2.3, 2.7, xtol=1e-15)

    return minimize_scalar(m_at, bounds=(2.0, 2.3), method="bounded", options={"xatol": 1e-7}).fun


def parabola_terms():
    k, delta, sigma, alpha = 1.7, -0.8, 0.7, 1.0
    return -k * sigma**2, -k * sigma**2 + alpha, -k * delta * sigma, sigma


def second_term():
    """Q = sin 1.3a at N(0.3, 0.7²): Q′ alone and with log π′ = −ε/σ; E over ε."""

    def q(e):
        return 1.3 * math.cos(1.3 * (0.3 + 0.7 * e))

    eq13 = [variance(lambda e: -q(e)), variance(lambda e: -1 - q(e) * 0.7 * e)]
    rest = [
        variance(lambda e: -e / 0.7 - q(e)),
        variance(lambda e: (-e / 0.7 - q(e)) * 0.7 * e),
    ]
    return eq13 + rest


def squashed_cosine():
    """Q̃(u) = cos(4 tanh u) + 0.2 log(1 − tanh² u), slope by hand; log π(u) in the cost."""

    def slope(u):
        t = math.tanh(u)
        return -4 * math.sin(4 * t) * (1 - t * t) - 0.4 * t

    def cost(u):
        energy = math.cos(4 * math.tanh(u)) - 0.4 * math.log(math.cosh(u))
        return 0.2 * math.log(phi(u)) - energy

    return [variance(slope), best_score(cost, 0.0, 1.0, lambda u: u)]


def report_score_on_q(f):
    return best_score(lambda e: -math.log(h(f + e)), 0.0, 1.0, lambda e: e)


def entropy_sigma(low, high):
    def gap(s):
        det = E(lambda e: -2 * math.log(math.cosh(s * e)))
        return math.log(s * ROOT_2PI) + 0.5 + det + 1

    return brentq(gap, low, high, xtol=1e-14)


def temperature():
    """The entropy-constrained optimum by bisection on the probabilities, not on the dual."""

    def entropy_at(x):  # π ∝ (1, x, x²), x = e^{−1/(2α)}
        p = np.array([1, x, x * x]) / (1 + x + x * x)
        return float(-(p * np.log(p)).sum()) - 0.98 * math.log(3)

    return -0.5 / math.log(brentq(entropy_at, 0.3, 0.999, xtol=1e-16))


def gamma_quantile_slope():
    """d/d(shape) of the quantile at fixed probability, by Richardson-extrapolated differences."""
    u = stats.gamma(2.3).cdf(1.7)

    def difference(step):
        return (gammaincinv(2.3 + step, u) - gammaincinv(2.3 - step, u)) / (2 * step)

    a, b, c = (difference(0.02 / 2**i) for i in range(3))
    ab, bc = (4 * b - a) / 3, (4 * c - b) / 3
    return (16 * bc - ab) / 15


def marginal_weights():
    """The same expectation over z itself, by a product rule on each component."""
    x, w, total = EPS, WEIGHT, 0.0
    means, weights = np.array([[-1.0, -1.0], [2.0, 1.0]]), (0.35, 0.65)
    for mean, share in zip(means, weights, strict=True):
        z = [mean[i] + 0.6 * x for i in (0, 1)]
        drift = []
        for i in (0, 1):
            below = ndtr((z[i] - means[0, i]) / 0.6) - ndtr((z[i] - means[1, i]) / 0.6)
            q = sum(
                s * np.exp(-(((z[i] - c[i]) / 0.6) ** 2) / 2) / (0.6 * ROOT_2PI)
                for c, s in zip(means, weights, strict=True)
            )
            drift.append(-below / q)
        total += share * float((w * drift[0]).sum() * (w * z[1]).sum())
        total += share * float((w * drift[1]).sum() * (w * z[0]).sum())
    return [(-1.0) * (-1) - 2 * 1, total]


def mixture_weight():
    with mp.workdps(30):

        def q(z):
            return (mp.npdf(z, -3) + mp.npdf(z, 3)) / 2

        def drift(z):
            z = -abs(z)
            return mp.ncdf(z + 3) - mp.ncdf(z - 3)

        second = mp.quad(lambda z: (1 - z) ** 2 * drift(z) ** 2 / q(z), [-16, -3, 0, 3, 16])
        return float(second - 36)  # fmt: skip


def td_by_hand(rate):
    """The four episodes written out, in order."""
    v = {s: 0.0 for s in "123456"}
    for step in ("13", "33", "36", "24", "46", "25", "56", "25", "55", "56"):
        v[step[0]] += rate * (-1 + v[step[1]] - v[step[0]])
    return [v[s] for s in "12345"]


DP = [-34 / 15, -2.2, -5 / 3, -1.0, -1.25]


def rmse(rate):
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(td_by_hand(rate), DP, strict=True)) / 5)


def rare():
    """−p log p = c: p = −c/W₋₁(−c), Lambert's function."""
    c = -mp.mpf("0.95") * mp.log(mp.mpf("0.95"))
    return float(-c / mp.lambertw(-c, -1).real)


def brackets():
    """Gaussian moments by hand: E[Q″] = −k, E[Q′] = −k(μ − m)."""
    k, m, alpha, mu, sigma = 1.7, 1.1, 0.2, 0.3, 0.7
    return [k, 0.0, -k * (mu - m), alpha - k * sigma**2], [alpha / sigma**2 - k, 0.0]


A, B, U, S = parabola_terms()
Z = 0.25  # (0.5 − 0.3)/0.8
PHI_STAR = minimize_scalar(
    lambda p: kl_grid(p, 1.0, 2.0), bounds=(1, 3), method="bounded", options={"xatol": 1e-9}
).x
C_ABS = math.sqrt(2 / math.pi)

SECOND_ROUTE = {
    # ∫exp(−(a²−1)²)da = e^{−1} (π/2) e^{1/2} [I_{1/4}(½) + I_{−1/4}(½)]
    "R03.log_Z": lambda: math.log(
        math.pi / 2 * (ive(0.25, 0.5) + ive(-0.25, 0.5))
    ),
    "R07.kl": lambda: sum(
        E(lambda a, s=s: math.log(phi(a, 0, s) / phi(a, 0, math.sqrt(s))), 0, s) for s in (0.5, 2)
    ),
    "R10.value": lambda: E(lambda a: math.cos(2 * a) + 0.3 * a * a, -0.3, 0.6),
    "R12.true": lambda: phi(Z) / 0.8,
    "R12.score_variance": lambda: (Z * phi(Z) + ndtr(-Z)) / 0.64 - (phi(Z) / 0.8) ** 2,
    "R15.ratio": lambda: float(
        mp.limit(lambda d: 0.81 * (mp.expm1(d) - d) / d**2, 0)
    ),
    "R21.eq13": lambda: [
        -1.3 * math.cos(1.3 * 0.93), -1 - 1.3 * math.cos(1.3 * 0.93) * 0.63
    ],
    "R22.eq13_variance": lambda: [A**2 / S**2, U**2 + 2 * A**2],
    "R22.stl_variance": lambda: [B**2 / S**2, U**2 + 2 * B**2],
    "R22.score_optimal_variance": lambda: [(2 * U**2 + 1.5 * B**2) / S**2, 10 * U**2 + 6 * B**2],
    "R24.kl": lambda: E(lambda a: math.log(h(a) / phi(a)), 2.0),
    "R25.phi_star": lambda: brentq(
        lambda p: E(lambda a: slope_h(a), p), 1.0, 3.0, xtol=1e-14
    ),
    "R25.kl_star": lambda: kl(PHI_STAR),
    # ∂²/∂φ² E[−log h(φ + ε)] = −E[(log h)″] = −E[log h · (ε² − 1)]
    "R25.curvature_0": lambda: -E(lambda e: math.log(h(e)) * (e * e - 1)),
    "R25.sigma_free": lambda: brentq(
        lambda s: -1 / s - E(lambda e: slope_h(s * e) * e), 1.5, 2.5, xtol=1e-14
    ),
    "R25.m_critical": lambda: brentq(
        lambda m: E(lambda e: math.log(h(e, m)) * (e * e - 1)), 1.2, 1.8, xtol=1e-14
    ),
    "R25.m_side": fold,
    "R25.m_win": lambda: brentq(
        lambda m: best_kl(m, side=True) - best_kl(m, side=False), 2.7, 2.9, xtol=1e-13
    ),
    "R29.gradient": lambda: E(
        lambda a: (math.log(phi(a, 0.7) / h(a))) * (a - 0.7), 0.7
    ),
    "R30.variances": lambda: [
        variance(lambda e, b=b: (math.log(phi(e) / h(e)) + b) * e) for b in (0, 1)
    ],
    "R33.integer": lambda: [
        E(lambda a: (4 * a**3 - 22 * a) ** 2), E(lambda a: ((a * a - 2) * (a * a - 9) * a) ** 2)
    ],
    "R33.report_eq13": lambda: variance(slope_h),
    "R33.report_stl": lambda: variance(lambda e: -e - slope_h(e)),
    "R33.report_score_optimal": lambda: report_score_on_q(0.0),
    "R33.report_boundary": lambda: brentq(
        lambda f: report_score_on_q(f) - variance(lambda e: slope_h(f + e)), 1.5, 2.0, xtol=1e-13
    ),
    "R33.cos_boundary": lambda: brentq(
        lambda w: variance(lambda e: math.cos(w * e) * e) - variance(lambda e: w * math.sin(w * e)),
        0.5, 1.5, xtol=1e-13,
    ),
    "R33.abs_boundary": lambda: brentq(
        lambda m: best_score(lambda a: (abs(a) - m) ** 2 / 2, 0.0, 1.0, lambda a: a)
        - (1 - 2 * m * C_ABS + m * m), 0.5, 1.5, xtol=1e-13,
    ),
    "R33.quartic": lambda: (15 - math.sqrt(105)) / 8,
    "R33.worst": lambda: 4.5,  # (2n + 1)²/(n(n + 1)) at n = 1
    "Q04.variances": second_term,
    # log π(f) = −ε²/2 − log σ(t) − …; naive: −(ε/σ)(μ′ + σ′ε)
    "Q10.naive": lambda: [
        -0.3, -0.9 / math.exp(-0.29) * (0.4 + math.cos(0.7)) - 0.81 * 0.3
    ],
    "S04.probability": lambda: [1 / (1 + math.e), 4 / (4 + math.e)],
    "S12.log_prob": lambda: float(
        sum(
            stats.norm(m, s).logpdf(u) + 2 * math.log(math.cosh(u))
            for u, m, s in ((0.3, 0.1, 0.6), (-1.2, -0.4, 1.1))
        )
    ),
    "S15.exact": lambda: float(-2 * mp.log(mp.cosh(10))),
    "S18.moment": lambda: E(lambda u: math.tanh(u) ** 2, 0.4, 0.9),
    "S20.variances": squashed_cosine,
    # max + min of the two minima: 2 E min₂ = E max − E max₄
    "S23.min": lambda: 6 * math.atan(math.sqrt(2)) / math.pi**1.5 - 2 / math.sqrt(math.pi),
    "S28.alpha": temperature,
    "S29.sigmas": lambda: [entropy_sigma(0.05, 0.2), entropy_sigma(2, 4)],
    "S30.best": lambda: float(
        mp.findroot(
            lambda p: -p * mp.log(p) - (1 - p) * mp.log((1 - p) / 17)
            - mp.mpf("0.98") * mp.log(18), 0.15,
        )
    ),
    "S31.variance": lambda: [
        variance(math.cos, 0.4, 0.1),
        best_score(math.sin, 0.4, 0.1, lambda a: (a - 0.4) / 0.01),
    ],
    "S32.parameters": lambda: [
        float(sum(torch.nn.Linear(a, b, device="meta").weight.numel() + b for a, b in shape))
        for shape in ([(17, 256), (256, 12)], [(17, 256), (256, 256), (256, 12)])
    ],
    "M07.gamma": gamma_quantile_slope,
    "M12.weight": marginal_weights,
    "M15.variance": mixture_weight,
    "B06.dp": lambda: DP,
    "B12.mc": lambda: [-3, (-2 - 2 - 3) / 3, -2, -1, (-1 - 2) / 2],
    "B13.every": lambda: [-3, (-2 - 2 - 3) / 3, (-2 - 1) / 2, -1, (-1 - 2 - 1) / 3],
    "B17.td": lambda: td_by_hand(0.5),
    "B18.wrong_cells": lambda: 2,  # V(s1) by DP lost its sign and a digit, V(s3) by MC is −2
    "B19.rmse": lambda: [rmse(0.5), rmse(0.8)],
    "B28.gradients": lambda: [0.5 * (1 - 0.5), 0.0],
    "B36.p": rare,
    "B38.entropies": lambda: [float(stats.entropy([0.95, 0.05])), math.log(2)],
    "B47.bracket": lambda: brackets()[0],
    "B48.bracket": lambda: brackets()[1],
}  # fmt: skip


def best_kl(m, side):
    """The least KL(N(μ, σ²) ‖ h_m) found from the side, or from the middle."""
    start = [m, 0.05] if side else [0.0, 0.7]
    return minimize(
        lambda x: kl_grid(x[0], math.exp(x[1]), m), start, method="BFGS", options={"gtol": 1e-8}
    ).fun


def test_every_quantity_has_a_second_route():
    assert sorted(SECOND_ROUTE) == sorted(QUANTITIES)
    assert len(QUANTITIES) == 56


@pytest.mark.parametrize("name", SECOND_ROUTE)
def test_two_routes_agree(name):
    """To ten digits of each number; what is 0, to 1e-10."""
    first, second = np.array(numbers(name)), np.atleast_1d(SECOND_ROUTE[name]())
    assert first.shape == second.shape
    assert (np.abs(first - second) <= 1e-10 * np.where(second == 0, 1.0, np.abs(second))).all()
