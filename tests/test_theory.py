"""Closed forms of variances, against exact_moments. One-sample estimates, α = 1 unless named."""

import math
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import FLOAT, gaussian, t

from estimators import (
    Gaussian,
    Objective,
    batch_mean,
    constant,
    exact_gradient,
    exact_moments,
    leave_one_out,
    measure_valued,
    optimal,
    reparameterization,
    score_function,
    score_function_analytic_entropy,
    score_function_full,
    sticking_the_landing,
    value,
)
from toy_problems import build

few = settings(max_examples=8)
real = partial(st.floats, allow_nan=False)


def variances(estimator, policy, objective):
    mean, variance = exact_moments(estimator, policy, objective)
    assert variance.error < 1e-8 * (1 + max(float(v.max()) for v in variance.values()))
    return {k: float(v.sum()) for k, v in variance.items()}, {
        k: float((v**2).sum()) for k, v in mean.items()
    }


def with_baseline(policy, objective, parameter):
    return partial(score_function, baseline=optimal(policy, objective, parameter))


def close(a, b, tolerance=1e-9):
    assert abs(a - b) <= tolerance * (1 + abs(b)), (a, b)


def test_mohamed_2020_quadratic():
    """(x − k)² under N(1, 1): the curves of figure 2, for μ and for σ (σ = 1: d/dσ = d/dlog σ)."""
    for k in (-3.0, 0.5, 1.0, 2.7):
        d = 1 - k
        policy, objective = (
            gaussian((1.0,), (0.0,)),
            Objective(lambda x, k=k: -((x - k) ** 2).sum(-1), 0.0),
        )
        expected = {
            score_function: (d**4 + 14 * d**2 + 15, 2 * d**4 + 60 * d**2 + 74),
            partial(score_function, baseline=value(policy, objective)): (
                8 * d**2 + 10,
                40 * d**2 + 56,
            ),
            reparameterization: (4, 4 * (d**2 + 2)),
            measure_valued: (d**2 * (16 / math.pi - 4), 4 * d**2 + 4),
        }
        for estimator, (mu, sigma) in expected.items():
            got, _ = variances(estimator, policy, objective)
            close(got["mu"], mu)
            close(got["log_std"], sigma)
        for name, v in (("mu", 8 * d**2 + 6), ("log_std", 40 * d**2 + 24)):
            got, _ = variances(with_baseline(policy, objective, name), policy, objective)
            close(got[name], v)


def integrands():
    """F with its gradient's square and Laplacian, in D = 1 and 2, without symmetry."""

    def one(a):
        return (0.3 * a**3 + a**2 / 2 + torch.cos(2 * a + 1)).sum(-1)

    def two(a):
        return torch.sin(a[..., 0] + 0.5 * a[..., 1] + 1) * (1 + a[..., 0])

    return [(1, one), (2, two)]


@pytest.mark.parametrize(("D", "F"), integrands())
@pytest.mark.parametrize("sigma", [0.6, 1.3])
def test_b1_score_minus_pathwise(D, F, sigma):
    """SF − PW = D·E F² + E|∇F|² + 2E[F ΔF] (second moments × σ², derivatives in ε), and the
    optimal baseline b* = E F + E[ΔF]/D takes D·b*² off."""
    policy = gaussian((0.3,) * D, (math.log(sigma),) * D)
    objective = Objective(lambda a: -F(a), 0.0)
    eps, w = Gaussian(torch.zeros(D, dtype=FLOAT), torch.zeros(D, dtype=FLOAT)).nodes(60)
    x = eps.requires_grad_()
    f = F(policy.mu + sigma * x)
    (grad,) = torch.autograd.grad(f.sum(), x, create_graph=True)
    laplace = sum(
        torch.autograd.grad(grad[:, i].sum(), x, retain_graph=True)[0][:, i] for i in range(D)
    )
    f, grad = f.detach(), grad.detach()

    def E(v):
        return float((w * v).sum())

    moments = {}
    for name, estimator in (
        ("sf", score_function),
        ("pw", reparameterization),
        ("sf*", with_baseline(policy, objective, "mu")),
    ):
        variance, square = variances(estimator, policy, objective)
        moments[name] = sigma**2 * (variance["mu"] + square["mu"])
    pathwise = E((grad**2).sum(-1))
    close(moments["pw"], pathwise, 1e-8)
    close(moments["sf"] - moments["pw"], D * E(f**2) + pathwise + 2 * E(f * laplace), 1e-8)
    b = E(f) + E(laplace) / D
    close(float(optimal(policy, objective, "mu", order=60)(t(0.0, 0.0))), b, 1e-8)
    close(moments["sf"] - moments["sf*"], D * b**2, 1e-8)


def test_b3_integer_example():
    """Q = (a² − 2)(a² − 9) at N(0, 1): for μ the score function beats reparameterization."""
    p = build("quartic")
    pathwise, _ = variances(reparameterization, p.policy, p.objective)
    score, _ = variances(score_function, p.policy, p.objective)
    close(pathwise["mu"], 16 * 15 - 2 * 88 * 3 + 22**2)  # E(4a³ − 22a)²
    close(
        score["mu"],
        sum(c * m for c, m in zip((324, -396, 157, -22, 1), (1, 3, 15, 105, 945), strict=True)),
    )
    assert score["mu"] < pathwise["mu"]


@pytest.mark.parametrize("psi", [math.pi / 4, 0.0, 1.0])
@pytest.mark.parametrize("omega", [0.7, 0.98, 1.02, 1.6])
def test_b4_cosine_boundary(psi, omega):
    """SF beats PW for μ iff ω²(1 + 3q) > 1 + q, q = e^{−2ω²} cos 2ψ; at ψ = π/4 iff ω > 1."""
    sigma = 0.8
    w = omega / sigma
    p = build("cosine", frequency=w, mu=psi / w, sigma=sigma, alpha=0.0)
    pathwise, _ = variances(reparameterization, p.policy, p.objective)
    score, _ = variances(score_function, p.policy, p.objective)
    q = math.exp(-2 * omega**2) * math.cos(2 * psi)
    assert (score["mu"] < pathwise["mu"]) == (omega**2 * (1 + 3 * q) > 1 + q)
    if psi == math.pi / 4:
        assert (score["mu"] < pathwise["mu"]) == (omega > 1)


@few
@given(rate=real(-0.9, 0.9), sigma=real(0.3, 1.2))
def test_b5_pathwise_wins_on_exponentials(rate, sigma):
    """exp(ta): PW's second moment is t²σ² E e^{2ta}, SF's (1 + 4t²σ²) E e^{2ta}."""
    policy, objective = (
        gaussian((0.2,), (math.log(sigma),)),
        Objective(lambda a: -torch.exp(rate * a).sum(-1), 0.0),
    )
    moments = {}
    for estimator in (reparameterization, score_function):
        variance, square = variances(estimator, policy, objective)
        moments[estimator] = sigma**2 * (variance["mu"] + square["mu"])
    level = math.exp(2 * rate * 0.2 + 2 * rate**2 * sigma**2)
    close(moments[reparameterization], rate**2 * sigma**2 * level, 1e-8)
    close(moments[score_function], (1 + 4 * rate**2 * sigma**2) * level, 1e-8)


@few
@given(k=real(0.2, 3), m=real(-1, 1), mu=real(-1, 1), sigma=real(0.3, 1.5), alpha=real(0.1, 2))
def test_b6_full_sac_loss_on_a_quadratic(k, m, mu, sigma, alpha):
    """Eq. 13: A²/σ², u² + 2A². STL: B²/σ², u² + 2B². SF*: (2u² + 3B²/2)/σ², 10u² + 6B².
    A = −kσ², B = A + α, u = −k(μ − m)σ; for (μ, log σ)."""
    policy = gaussian((mu,), (math.log(sigma),))
    objective = Objective(lambda a: -k * ((a - m) ** 2).sum(-1) / 2, alpha)
    A, u = -k * sigma**2, -k * (mu - m) * sigma
    B = A + alpha
    for estimator, for_mu, for_log_std in (
        (reparameterization, A**2 / sigma**2, u**2 + 2 * A**2),
        (sticking_the_landing, B**2 / sigma**2, u**2 + 2 * B**2),
    ):
        got, _ = variances(estimator, policy, objective)
        close(got["mu"], for_mu)
        close(got["log_std"], for_log_std)
    for name, expected in (
        ("mu", (2 * u**2 + 1.5 * B**2) / sigma**2),
        ("log_std", 10 * u**2 + 6 * B**2),
    ):
        got, _ = variances(with_baseline(policy, objective, name), policy, objective)
        close(got[name], expected)


def test_b6_at_the_optimum_only_eq13_keeps_variance():
    """δ = 0, τ = 1: STL and SF* have none, Eq. 13 keeps kα and 2α²."""
    k, alpha = 1.7, 0.6
    policy = gaussian((0.4,), (math.log(math.sqrt(alpha / k)),))
    objective = Objective(lambda a: -k * ((a - 0.4) ** 2).sum(-1) / 2, alpha)
    eq13, _ = variances(reparameterization, policy, objective)
    close(eq13["mu"], k * alpha)
    close(eq13["log_std"], 2 * alpha**2)
    for estimator in (
        sticking_the_landing,
        partial(score_function, baseline=value(policy, objective)),
    ):
        got, _ = variances(estimator, policy, objective)
        assert max(got.values()) < 1e-24


@few
@given(mu=real(-1, 1), sigma=real(0.3, 1.5), alpha=real(0.1, 2))
def test_b7_dropping_the_first_term_changes_the_variance_by_the_curvature(mu, sigma, alpha):
    """Var_STL − Var_Eq13 = α²/σ² + 2α E[Q″] for μ, for any Q."""
    policy = gaussian((mu,), (math.log(sigma),))
    objective = Objective(lambda a: (torch.sin(2 * a) + a**3 / 5).sum(-1), alpha)
    stl, _ = variances(sticking_the_landing, policy, objective)
    eq13, _ = variances(reparameterization, policy, objective)
    curvature = -4 * math.sin(2 * mu) * math.exp(-2 * sigma**2) + 6 * mu / 5
    close(stl["mu"] - eq13["mu"], alpha**2 / sigma**2 + 2 * alpha * curvature, 1e-8)


def test_b9_the_report_s_example_at_zero():
    """φ = 0 is a local maximum of KL(π‖h). There nabla-log on Q alone with its optimal baseline
    beats Eq. 13 for μ by a factor of six; on the full cost it does not (1.75 against 0.62)."""
    slopes = {phi: exact_gradient(*_report(phi))["mu"].item() for phi in (-0.1, 0.0, 0.1)}
    assert slopes[-0.1] > 1e-3
    assert abs(slopes[0.0]) < 1e-12
    assert slopes[0.1] < -1e-3
    policy, objective = _report(0.0)
    eq13, _ = variances(reparameterization, policy, objective)
    on_q = Objective(objective.Q, 0.0)
    split = partial(score_function_analytic_entropy, baseline=optimal(policy, on_q, "mu"))
    on_q_alone, _ = variances(split, policy, objective)
    full, _ = variances(with_baseline(policy, objective, "mu"), policy, objective)
    assert 5.9 < eq13["mu"] / on_q_alone["mu"] < 6.6
    assert round(eq13["mu"], 2) == 0.62
    assert round(full["mu"], 2) == 1.75


def _report(phi):
    p = build("report", phi=phi)
    return p.policy, p.objective


def test_r30_first_expectation_changes_the_variance_not_the_mean():
    p = build("report", phi=0.0)
    without, mean = variances(score_function, p.policy, p.objective)
    with_it, same = variances(score_function_full, p.policy, p.objective)
    close(mean["mu"], same["mu"])
    assert abs(without["mu"] - with_it["mu"]) > 0.03


def test_leave_one_out_against_n():
    """Var_N = Var[(f − V)s]/N + (Var f Var s + Cov(f, s)²)/(N(N − 1)), at N = 2 and 3."""
    p = build("report")
    eps = torch.linspace(-9, 9, 2001, dtype=FLOAT)[:, None]  # trapezoid: exact to rounding
    w = torch.exp(-(eps[:, 0] ** 2) / 2)
    w = w / w.sum()
    f = p.objective.cost(p.policy, p.policy.mu + p.policy.log_std.exp() * eps)
    s = eps[:, 0] * torch.exp(-p.policy.log_std)
    centred = partial(score_function, baseline=constant((w * f).sum()))
    alone, square = variances(centred, p.policy, p.objective)
    var_f = float((w * f**2).sum() - (w * f).sum() ** 2)
    var_s = float((w * s**2).sum())
    for n in (2, 3):
        loo = partial(score_function, n=n, baseline=leave_one_out)
        _, got = exact_moments(loo, p.policy, p.objective)
        rest = (var_f * var_s + square["mu"]) / (n * (n - 1))
        assert got.error < 1e-6
        assert abs(float(got["mu"]) - alone["mu"] / n - rest) < 1e-12 + got.error


def test_in_sample_mean_scales_the_variance_too():
    """The gradient times 1 − 1/n, so the variance times (1 − 1/n)²."""
    p = build("report")
    loo, _ = variances(partial(score_function, n=2, baseline=leave_one_out), p.policy, p.objective)
    mean, _ = variances(partial(score_function, n=2, baseline=batch_mean), p.policy, p.objective)
    close(mean["mu"], loo["mu"] / 4)


def test_averaging_n_actions_divides_the_variance():
    p = build("cosine")
    one, _ = variances(reparameterization, p.policy, p.objective)
    three, _ = variances(partial(reparameterization, n=3), p.policy, p.objective)
    close(three["mu"], one["mu"] / 3)
