"""Claims M01–M15: the article on implicit reparameterization, in its order."""

import math

import numpy as np
import torch
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import gammaincinv, ndtr
from scipy.stats import gamma, weibull_min

from estimators import (
    Gaussian,
    Mixture,
    Noise,
    Objective,
    Replay,
    eq13_terms,
    per_sample_gradients,
    reparameterization,
    score_function,
    score_function_full,
    sticking_the_landing,
)
from estimators.gradients import row_gradients
from nabla.claims.ledger import (
    CONDITION,
    HOLDS,
    RESULT,
    SLIP,
    WRONG,
    below,
    claim,
    equal,
    fact,
    unequal,
)
from toy_problems import build
from toy_problems.identities import implicit_is_inverse_cdf, leaves, one_component_is_gaussian
from toy_problems.problems import FLOAT
from toy_problems.quantities import numbers
from toy_problems.quantities import report as q
from toy_problems.quantities.article import mixture_weight_variance
from toy_problems.theory.squashed import expectation

from .evidence import exact, flat, mean, normal_pdf, one_draw

# The article's list of resources, in order; its brackets count from 1.
RESOURCES = (
    "OpenAI Spinning Up",
    "Soft Actor-Critic Demystified",
    "The Generalized Reparameterization Gradient",
    "Implicit Differentiation",
    "Leibniz Integral Rule",
    "Implicit Reparameterization Gradient",
    "Pathwise Derivatives Beyond the Reparameterization Trick",
    "Soft Actor Critic — Deep Reinforcement Learning with Real-World Robots",
)
SAC_PAPER = "Soft Actor-Critic: Off-Policy Maximum Entropy Deep Reinforcement Learning"


def integral(f, low=-14.0, high=14.0):
    return quad(f, low, high, epsabs=1e-12, epsrel=1e-12, limit=400)[0]


@claim(
    "M01",
    where="first displays, ∇L for L = E_{q_θ}[f_θ]",
    says="∇L = E[∇f] + ∫f ∇q dz.",
    verdict=HOLDS,
)
def test_m01(e):
    p = build("cosine", alpha=0.5)
    both = mean(score_function_full, p.policy, p.objective)  # α∇log π + cost·∇log π
    e.printed("f = 0.5 log q − cos 3z", equal(both, exact(p.policy, p.objective)))

    def L(theta):
        return expectation(lambda z: np.sin(theta * z), theta, 1.0)

    inside = expectation(lambda z: z * np.cos(0.6 * z), 0.6, 1.0)
    through_q = expectation(lambda z: np.sin(0.6 * z) * (z - 0.6), 0.6, 1.0)
    slope = (L(0.6001) - L(0.5999)) / 2e-4
    e.printed("f = sin θz, q = N(θ, 1), θ = 0.6", equal(inside + through_q, slope, 1e-7))


@claim(
    "M02",
    where="“the gradients of the distribution is intractable”",
    says="∇_θ q_θ(z) is intractable.",
    verdict=WRONG,
    correction="∇q is available in closed form (q∇log q). What ∫f∇q lacks is the form of an "
    "expectation under q that one could sample; the two methods give it that form.",
)
def test_m02(e):
    def density(theta):
        return float(normal_pdf(0.4, theta, 0.8))

    slope = (density(0.3001) - density(0.2999)) / 2e-4
    closed = density(0.3) * (0.4 - 0.3) / 0.64
    e.printed(
        "for a Gaussian there is no formula",
        fact(f"q∇log q = {closed:.5f}", not math.isfinite(closed)),
    )
    e.corrected("it is the derivative of q", equal(closed, slope, 1e-7))


@claim(
    "M03",
    where="“typically yield lower variance”",
    says="Reparameterization typically has lower variance than the score function.",
    verdict=CONDITION,
    correction="Where f is smooth on the scale of q; not where it oscillates or has steep walls, "
    "and a baseline changes the comparison.",
)
def test_m03(e):
    pathwise, score = numbers("S31.variance")
    e.printed("f = sin z, narrow q", below(pathwise, score))
    p = build("quadratic", d=1, alpha=0.0)
    one, two = (
        q.variances(x, p.policy, p.objective)[0] for x in (reparameterization, score_function)
    )
    e.printed("f quadratic", below(one, two))
    pathwise, score = numbers("R33.integer")
    e.printed("f = (z² − 2)(z² − 9), q = N(0, 1)", below(pathwise, score))


@claim(
    "M04",
    where="“replace q_θ with a fixed distribution that does not depend on θ”",
    says="The trick takes the expectation over a fixed distribution instead.",
    verdict=HOLDS,
)
def test_m04(e):
    for mu, sigma in ((0.4, 0.9), (-1.0, 0.3)):
        over_z = integral(lambda z, m=mu, s=sigma: math.cos(z) * float(normal_pdf(z, m, s)))
        over_eps = integral(
            lambda x, m=mu, s=sigma: math.cos(m + s * x) * float(normal_pdf(x, 0, 1))
        )
        e.printed(f"E cos z, N({mu}, {sigma}²), from one N(0, 1)", equal(over_eps, over_z))


@claim(
    "M05",
    where="“another one is born: computing inverse CDF”",
    says="Reparameterizing needs the inverse of the distribution function.",
    verdict=WRONG,
    correction="Only if one starts from a uniform number. A location-scale family needs none, and "
    "implicit differentiation needs F itself, not its inverse.",
)
def test_m05(e):
    p = build("report_mixture")
    a = leaves(p.policy).rsample(1, Noise(0))
    e.printed(
        "a mixture, whose F has no inverse in closed form, has no such draw",
        fact("it has", not a.requires_grad),
    )
    e.corrected(
        "its mean gradient without F⁻¹",
        equal(mean(reparameterization, p.policy, p.objective), exact(p.policy, p.objective), 1e-8),
    )
    quantile = brentq(lambda z: ndtr((z - 0.3) / 0.7) - ndtr(0.9), -5, 5, xtol=1e-14)
    e.corrected("μ + σε is F⁻¹(Φ(ε)), never computed", equal(0.3 + 0.7 * 0.9, quantile))


@claim(
    "M06",
    where="golden equation, Gaussian",
    says="dz/dθ = −(∂F/∂θ)/q is the explicit derivative for a Gaussian.",
    verdict=HOLDS,
)
def test_m06(e):
    z, mu, sigma = 0.93, 0.3, 0.7
    density = float(normal_pdf(z, mu, sigma))
    step = 1e-5

    def F(mu, sigma):
        return float(ndtr((z - mu) / sigma))

    by_mu = -(F(mu + step, sigma) - F(mu - step, sigma)) / (2 * step) / density
    by_sigma = -(F(mu, sigma + step) - F(mu, sigma - step)) / (2 * step) / density
    e.printed("dz/dμ and dz/dσ are 1 and ε", equal([by_mu, by_sigma], [1.0, 0.9], 1e-8))
    e.printed(
        "one component: largest deviation",
        equal(max(map(one_component_is_gaussian, range(10))), 0.0),
    )


@claim(
    "M07",
    where="golden equation",
    says="It holds for other families in one dimension.",
    verdict=HOLDS,
)
def test_m07(e):
    u, step = gamma(2.3).cdf(1.7), 1e-3
    ends = [gammaincinv(2.3 + k * step, u) for k in (-2, -1, 1, 2)]
    slope = (ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / (12 * step)
    e.printed(
        "Gamma(2.3, 1) at 1.7: slope of the quantile", equal(numbers("M07.gamma")[0], slope, 1e-8)
    )
    shape, z = 1.4, 0.8  # Weibull: F = 1 − exp(−z^k), ∂F/∂k = z^k log z exp(−z^k)
    implicit = -(z**shape * math.log(z) * math.exp(-(z**shape))) / weibull_min(shape).pdf(z)
    u = weibull_min(shape).cdf(z)
    slope = (weibull_min(shape + 1e-5).ppf(u) - weibull_min(shape - 1e-5).ppf(u)) / 2e-5
    e.printed("Weibull(1.4) at 0.8", equal(implicit, slope, 1e-8))


@claim(
    "M08",
    where="steps (2)–(8), “we can drop the boundary term at infinity”",
    says="∫f ∇q dz = −∫f′ ∂F/∂θ dz.",
    verdict=CONDITION,
    correction="Where f ∂F/∂θ vanishes at both ends of the support, at finite ends too, and f is "
    "absolutely continuous (no jumps).",
)
def test_m08(e):
    def gradient_q(z):
        return float(normal_pdf(z, 0.3, 0.7)) * (z - 0.3) / 0.49

    left = integral(lambda z: math.sin(z) * gradient_q(z))
    right = integral(lambda z: math.cos(z) * float(normal_pdf(z, 0.3, 0.7)))  # ∂F/∂μ = −q
    e.printed("Gaussian, f = sin z", equal(left, right))
    theta = 1.7  # U(0, θ), f = z: ∇q = −1/θ², ∂F/∂θ = −z/θ²
    left, right = (quad(lambda z, s=s: s * z / theta**2, 0, theta)[0] for s in (-1, 1))
    e.printed("uniform on (0, θ), f = z: a boundary that moves", equal(left, right))
    jump = integral(lambda z: (z > 0.5) * gradient_q(z), -8, 0.5) + integral(gradient_q, 0.5, 9)
    e.printed("Gaussian, f = 1[z > 0.5], f′ = 0", equal(jump, 0.0))
    e.corrected(
        "uniform: with the boundary's f·q the right side is d/dθ E[z] = ½", equal(left + 1.0, 0.5)
    )


@claim(
    "M09",
    where="final formula and its comparison with Eq. 13",
    says="E[∇_θ f] is the mean of Eq. 13's first term, E[∇_z f ∇_θ z] that of its second.",
    verdict=HOLDS,
)
def test_m09(e):
    policy, objective = q.sine()
    draw = torch.full((1, 1), 0.9, dtype=FLOAT)
    terms = eq13_terms(policy, objective, Replay([draw], {1: 1}))
    first = [float(terms["score"][k].sum()) for k in ("mu", "log_std")]
    total = one_draw(reparameterization, policy, objective)
    second = one_draw(sticking_the_landing, policy, objective)  # f with its own θ held fixed
    e.printed(
        "draw by draw: ∇_θ f alone is the first term", equal(np.subtract(total, second), first)
    )
    e.printed(
        "the second has the gradient as its mean",
        equal(mean(sticking_the_landing, policy, objective), exact(policy, objective)),
    )


@claim(
    "M10",
    where="“in Eq. 13 [8]”",
    says="Reference [8] contains Eq. 13.",
    verdict=WRONG,
    correction="[8] in the list is the blog post on real-world robots; Eq. 13 is in Haarnoja et "
    "al. 2018 (arXiv 1801.01290), which the list lacks. (Wording.)",
    matters=SLIP,
)
def test_m10(e):
    e.printed(
        "[8] is SAC's paper", fact(f"it is “{RESOURCES[7]}”", RESOURCES[7].startswith(SAC_PAPER))
    )
    listed = [r for r in RESOURCES if r.startswith(SAC_PAPER)]
    e.corrected("the paper on the list", equal(len(listed), 0))


@claim(
    "M11",
    where="“unbiased gradient estimator”",
    says="The estimator is unbiased (for f regular enough, as the article assumes).",
    verdict=HOLDS,
)
def test_m11(e):
    for name in ("bump", "gaussian_target", "report_mixture"):
        p = build(name)
        e.printed(
            f"{name}: mean against ∇L",
            equal(
                mean(reparameterization, p.policy, p.objective), exact(p.policy, p.objective), 1e-8
            ),
        )


@claim(
    "M12",
    where="the formula applied to vectors",
    says="For a vector z, dz_i/dθ = −(∂F_i/∂θ)/q_i coordinate by coordinate.",
    verdict=CONDITION,
    correction="Where the coordinates are independent, as in SAC's diagonal Gaussian; otherwise "
    "with the distribution functions of z_i given z_1 … z_{i−1}.",
    matters=RESULT,
)
def test_m12(e):
    truth, marginal = numbers("M12.weight")
    policy = Gaussian(
        torch.tensor([0.3, -0.5], dtype=FLOAT), torch.tensor([-0.3, 0.1], dtype=FLOAT)
    )
    product = Objective(lambda z: z.prod(-1), 0.0)
    e.printed(
        "diagonal Gaussian, f = z₁z₂",
        equal(mean(reparameterization, policy, product), exact(policy, product)),
    )
    e.printed("two components, f = z₁z₂, d/dw₁ from marginal F_i", equal(marginal, truth))
    logits = torch.tensor([math.log(0.35), math.log(0.65)], dtype=FLOAT)
    centres = torch.tensor([[-1.0, -1.0], [2.0, 1.0]], dtype=FLOAT)
    two = Mixture(logits, centres, torch.full((2, 2), math.log(0.6), dtype=FLOAT))
    draws = per_sample_gradients(reparameterization, two, product, 100_000, Noise(0))["logits"]
    slope = -float(draws[:, 0].mean()) / (0.35 * 0.65)  # ∂w₁/∂logit₁ = w₁w₂
    e.corrected("from conditional F_i, 100,000 draws", equal(slope, truth, 0.03))
    e.corrected(
        "conditional F_i written out: largest deviation",
        equal(max(map(implicit_is_inverse_cdf, range(10))), 0.0),
    )


@claim(
    "M13",
    where="implicit differentiation",
    says="dz/dθ is determined in one dimension (and not in more).",
    verdict=HOLDS,
)
def test_m13(e):
    plane = Gaussian(torch.tensor([0.3, -0.5], dtype=FLOAT), torch.zeros(2, dtype=FLOAT))
    z, w = plane.nodes(30)
    z = z.requires_grad_()
    f = torch.sin(z[:, 0] + 0.5 * z[:, 1] + 1) * (1 + z[:, 0])
    (slope,) = torch.autograd.grad(f.sum(), z)
    step = (z - plane.mu).detach()
    turn = torch.stack([-step[:, 1], step[:, 0]], -1)  # a rotation leaves the density as it is
    shift = torch.tensor([1.0, 0.0], dtype=FLOAT)
    one, two = (
        float((w * (slope * v).sum(-1)).sum()) for v in (shift + 0 * turn, shift + 2 * turn)
    )
    e.printed("plane: dz/dμ₁, and the same plus a rotation", equal(one, two))
    e.printed("though they differ", below(1.0, float((2 * turn).norm(dim=-1).max())))
    extra = integral(lambda z: 1 / math.cosh(z) ** 2, -20, 20)
    e.printed(
        "line: the only freedom, c/q, adds c(f(∞) − f(−∞)) ≠ 0 for f = tanh", unequal(extra, 0.0)
    )


@claim(
    "M14",
    where="implicit gradients and quantiles",
    says="The implicit gradient is the derivative of the quantile function at fixed probability.",
    verdict=HOLDS,
)
def test_m14(e):
    centres, eps = torch.tensor([[-1.0], [1.5]], dtype=FLOAT), torch.tensor([[[0.4]]], dtype=FLOAT)
    policy = Mixture(torch.zeros(2, dtype=FLOAT), centres, torch.zeros(2, 1, dtype=FLOAT))
    leaf = leaves(policy)
    z = leaf.rsample(1, Replay([eps[0], torch.tensor([[0.2]], dtype=FLOAT)], {1: 1}))
    gradient = flat(row_gradients(z[0, 0], leaf))[2]
    at, step = float(z.detach()), 1e-4

    def cdf(z, first):
        return (ndtr(z - first) + ndtr(z - 1.5)) / 2

    def quantile(first):
        return brentq(lambda z: cdf(z, first) - cdf(at, -1.0), -9, 9, xtol=1e-14)

    slope = (quantile(-1 + step) - quantile(-1 - step)) / (2 * step)
    e.printed("mixture, d/dμ₁ of the quantile", equal(gradient, slope, 1e-7))


@claim(
    "M15",
    where="the use of implicit gradients",
    says="Implicit gradients have low variance.",
    verdict=CONDITION,
    correction="Where components overlap. Across a gap of the density, 1/q makes the weight's "
    "gradient huge: like e^{m²/2} for modes at ±m.",
    matters=RESULT,
)
def test_m15(e):
    def score_variance(m):
        """Nabla-log for w₁, with its best constant baseline, f = −(z − 1)²/2."""

        def E(g):
            return integral(
                lambda z: g(z) * float(normal_pdf(z, -m, 1) + normal_pdf(z, m, 1)) / 2,
                -m - 12,
                m + 12,
            )

        def s(z):  # (N₁ − N₂)/q = −2 tanh mz
            return -2 * math.tanh(m * z)

        b = E(lambda z: -((z - 1) ** 2) / 2 * s(z) ** 2) / E(lambda z: s(z) ** 2)
        return (
            E(lambda z: ((-((z - 1) ** 2) / 2 - b) * s(z)) ** 2)
            - E(lambda z: -((z - 1) ** 2) / 2 * s(z)) ** 2
        )

    for m in (0.5, 3.0):
        e.printed(
            f"modes ±{m:g}: lower than nabla-log's",
            below(mixture_weight_variance(m), score_variance(m)),
        )
    growth = mixture_weight_variance(4.0) / numbers("M15.variance")[0]
    e.corrected("from m = 3 to 4 it grows by more than e^{3.5}/2", below(math.exp(3.5) / 2, growth))
