"""Exact answers against closed forms, against oracles of other making, and every estimator of the
catalogue against them on every toy problem."""

from functools import lru_cache, partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import FLOAT, gap, gaussian, scale, t, z_test

from estimators import (
    CATALOGUE,
    Categorical,
    Gaussian,
    Mixture,
    Objective,
    TooManyNodes,
    exact_gradient,
    exact_moments,
    finite_difference,
    leave_one_out,
    reparameterization,
    score_function,
    squash,
    sticking_the_landing,
)
from toy_problems import PROBLEMS, build, finite_difference_gradient, quad_gradient
from toy_problems.identities import random_problem

OF_ROWS = [name for name in PROBLEMS if type(build(name).policy) in CATALOGUE]


@lru_cache
def cached(name):
    problem = build(name)
    return problem, problem.gradient()


@pytest.mark.parametrize("name", PROBLEMS)
def test_exact_gradient_is_the_closed_form(name):
    problem, known = cached(name)
    nodes = exact_gradient(problem.policy, problem.objective)
    assert nodes.error < 1e-9
    assert gap(nodes, known) <= nodes.error + known.error


@pytest.mark.parametrize("name", OF_ROWS)
def test_exact_gradient_agrees_with_an_independent_oracle(name):
    """scipy's quadrature of the score integral in 1-D, extrapolated differences of J elsewhere."""
    problem, known = cached(name)
    policy = problem.policy
    if not isinstance(policy, Categorical) and policy.mu.shape[-1] == 1:
        oracle = quad_gradient(policy, problem.objective, (0.5,) if name == "step" else ())
        assert gap(oracle, known) < 1e-9
    else:
        oracle = finite_difference_gradient(policy, problem.objective)
        assert gap(oracle, known) < 1e-8


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10**6),
    threshold=st.floats(-2, 2),
    kink=st.floats(-2, 2),
    components=st.sampled_from([None, 1, 3]),
)
def test_exact_gradient_finds_jumps_and_kinks(seed, threshold, kink, components):
    """Q with a jump and a kink, where the oracle is told and ours is not."""
    rng = torch.Generator().manual_seed(seed)
    shape = (1,) if components is None else (components, 1)
    mu, log_std = torch.randn(2, *shape, generator=rng, dtype=FLOAT) * 0.6
    policy = (
        Gaussian(mu, log_std)
        if components is None
        else Mixture(torch.randn(components, generator=rng, dtype=FLOAT), mu, log_std)
    )

    def Q(a):
        return ((a > threshold) * 1.3 + 0.7 * (a - kink).abs() + torch.sin(a)).sum(-1)

    objective = Objective(Q, 0.3)
    ours = exact_gradient(policy, objective)
    assert ours.error < 1e-8
    oracle = quad_gradient(policy, objective, (threshold, kink))
    assert gap(ours, oracle) < 1e-8 * (1 + scale(oracle)) + ours.error


def test_exact_gradient_in_many_dimensions_or_a_refusal():
    problem = build("quadratic", d=6)
    nodes = exact_gradient(problem.policy, problem.objective)
    known = problem.gradient()
    assert gap(nodes, known) < 1e-9 * scale(known)
    big = build("quadratic", d=25)
    with pytest.raises(TooManyNodes, match=r"d = 25.*nodes"):
        exact_gradient(big.policy, big.objective)


def test_exact_gradient_of_a_batch_is_that_of_its_members():
    policy, objective = gaussian(), Objective(lambda a: torch.cos(3 * a).sum(-1), 0.4)
    batch = Gaussian(t([0.3], [-1.0], [2.0]), t([-0.4], [0.2], [-2.0]))
    whole = exact_gradient(batch, objective)
    for i in range(3):
        one = exact_gradient(batch.map(lambda p, i=i: p[i]), objective)
        assert gap({k: g[i] for k, g in whole.items()}, one) < 1e-12
    assert gap(exact_gradient(policy, objective), {k: g[0] for k, g in whole.items()}) < 1e-12


def test_exact_refuses_what_it_cannot_do():
    with pytest.raises(TooManyNodes, match="still disagree"):
        exact_gradient(gaussian(), Objective(lambda a: torch.exp(a**2).sum(-1)))
    loo = partial(score_function, n=5, baseline=leave_one_out)
    with pytest.raises(TooManyNodes, match="5 scalar"):
        exact_moments(loo, gaussian(), Objective(lambda a: a.sum(-1)))
    jump = Objective(lambda a: (a > 0.1).double().sum(-1))
    three = partial(score_function, n=3, baseline=leave_one_out)
    with pytest.raises(TooManyNodes, match="narrower than a grid"):
        exact_moments(three, gaussian(), jump)


def test_float32_answers_are_those_of_float64():
    policy, objective = gaussian(), Objective(lambda a: torch.sin(2 * a).sum(-1), 0.5)
    single = exact_gradient(policy.map(lambda p: p.float()), objective)
    double = exact_gradient(policy, objective)
    assert gap(single, double) < 1e-6  # the rounding of the parameters


PAIRS = [(problem, name) for problem in OF_ROWS for name in CATALOGUE[type(build(problem).policy)]]


@pytest.mark.parametrize(("problem", "name"), PAIRS)
def test_mean_is_the_gradient(problem, name):
    """By nodes where they reach, to within their own error; else by a z-test (see support)."""
    p, exact = cached(problem)
    if problem == "mlp":  # in one dimension here: 64 nodes a row on a 2-D grid take a minute
        p = build("mlp", d=1, width=8)
        exact = p.gradient()
    estimator = CATALOGUE[type(p.policy)][name]
    if estimator.bias or (estimator.misses_jumps and not p.smooth):
        return  # their bias is the subject of the tests below
    try:
        mean, _ = exact_moments(estimator, p.policy, p.objective)
    except TooManyNodes:
        z_test(estimator, p.policy, p.objective, exact)
        return
    assert gap(mean, exact) <= 10 * (mean.error + exact.error)


@pytest.mark.parametrize("problem", OF_ROWS)
def test_in_sample_baseline_scales_the_gradient(problem):
    """E = (1 − 1/n)∇J exactly; at n = 2, half."""
    p, exact = cached(problem)
    estimator = CATALOGUE[type(p.policy)]["score_function_batch_mean"]
    halved = {k: g / 2 for k, g in exact.items()}
    try:
        mean, _ = exact_moments(estimator, p.policy, p.objective)
        assert gap(mean, halved) <= 10 * (mean.error + exact.error)
    except TooManyNodes:
        z_test(estimator, p.policy, p.objective, halved)
        with pytest.raises(AssertionError, match="bias"):
            z_test(estimator, p.policy, p.objective, exact, estimates=200_000)


def test_finite_difference_is_off_by_the_third_derivative():
    """E[ĝ] = (J(θ + h) − J(θ − h))/2h: bias h²J‴/6, so a half of h leaves a quarter of it."""
    p, exact = cached("cosine")
    bias = []
    for step in (0.2, 0.1):
        mean, _ = exact_moments(partial(finite_difference, step=step), p.policy, p.objective)
        moved = [p.policy.mu + step, p.policy.mu - step]
        up, down = (p.value(Gaussian(m, p.policy.log_std)) for m in moved)
        assert abs(float(mean["mu"] - (up - down) / (2 * step))) < 1e-12
        bias.append(float((mean["mu"] - exact["mu"]).abs()))
    assert 3.6 < bias[0] / bias[1] < 4.0


@pytest.mark.parametrize("name", ["gumbel_softmax", "straight_through"])
@pytest.mark.parametrize("problem", ["bandit", "report_mixture"])
def test_relaxations_are_biased(problem, name):
    p, exact = cached(problem)
    with pytest.raises(AssertionError, match="bias"):
        z_test(CATALOGUE[type(p.policy)][name], p.policy, p.objective, exact, estimates=200_000)


def test_pathwise_estimators_miss_a_jump():
    """On 1[a > c] reparameterization sees the entropy term alone: ∇_log σ J = −α, ∇_μ J = 0."""
    p, exact = cached("step")
    mean, _ = exact_moments(reparameterization, p.policy, p.objective)
    assert gap(mean, {"mu": t(0.0), "log_std": t(-0.2)}) < 1e-12
    assert gap(mean, exact) > 0.1


def test_moments_of_a_mixture_with_two_actions():
    """Two categories and two scalars at once; the variance halves when n doubles."""
    p, _ = cached("report_mixture")
    _, one = exact_moments(score_function, p.policy, p.objective)
    _, two = exact_moments(partial(score_function, n=2), p.policy, p.objective)
    assert gap(one, {k: 2 * v for k, v in two.items()}) <= 10 * (one.error + 2 * two.error)


def test_zero_variance_is_zero():
    """Sticking-the-landing at the optimum, squashing included."""
    p = build("gaussian_target")
    best = gaussian((1.0,), (float(torch.tensor(0.8, dtype=FLOAT).log()),))
    mean, variance = exact_moments(sticking_the_landing, best, p.objective)
    assert scale(mean) < 1e-14
    assert scale(variance) < 1e-28


def test_moments_agree_with_monte_carlo():
    p = build("squashed", d=2)
    report = z_test(reparameterization, p.policy, p.objective)
    _, variance = exact_moments(reparameterization, p.policy, p.objective)
    for k, v in variance.items():
        z = (report.variance[k] - v) / report.variance_sem[k]
        assert float(z.abs().max()) < 5.7  # false alarm 1e-8 an entry


def test_squash_is_the_tanh_policy():
    """∇E[α log π(a) − Q(a)] with π = tanh-Normal from torch.distributions, by a z-test-free
    route: J by nodes in u, its density from the library."""
    D = torch.distributions
    policy, alpha = gaussian(), 0.7
    u, w = policy.nodes(100)
    base = D.Independent(D.Normal(policy.mu, policy.log_std.exp()), 1)
    theirs = D.TransformedDistribution(base, D.TanhTransform(cache_size=1))
    a = theirs.transforms[0](u)
    cost = alpha * theirs.log_prob(a) - torch.cos(4 * a).sum(-1)
    ours = squash(Objective(lambda a: torch.cos(4 * a).sum(-1), alpha)).cost(policy, u)
    inside = u[:, 0].abs() < 6
    torch.testing.assert_close(ours[inside], cost[inside], rtol=1e-7, atol=1e-7)
    assert w.sum() == pytest.approx(1)


@pytest.mark.parametrize("components", [1, 2, 3])
def test_squashed_mixtures(components):
    """squash works for K = 1 … n: score function and implicit pathwise have the same mean."""
    policy, objective = random_problem(4, components)
    first = policy.map(lambda p: p[0])
    one = Mixture(first.logits, first.mu[:, :1], first.log_std[:, :1])
    objective = squash(Objective(lambda a: torch.sin(3 * a + 1).sum(-1), objective.alpha))
    pathwise, _ = exact_moments(reparameterization, one, objective)
    score, _ = exact_moments(score_function, one, objective)
    assert gap(pathwise, score) < 1e-9
    assert scale(score) > 1e-3


@pytest.mark.parametrize(
    ("Q", "mu", "exact"),
    [
        (lambda a: ((a > 2.0252) & (a < 2.1739)).double().sum(-1), 0.0, -0.01376),
        (lambda a: 100 * torch.exp(-(((a - 2.0996) / 0.005) ** 2) / 2).sum(-1), 0.0, -0.1158),
        (lambda a: ((a > 0.53) & (a < 0.56)).double().sum(-1), 0.0, None),
    ],
)
def test_narrow_features_are_seen(Q, mu, exact):
    """Windows of 0.15 and 0.03 and a spike of width 0.005, against scipy told where to look."""
    policy, objective = gaussian((mu,), (0.0,)), Objective(Q, 0.0)
    breaks = (0.53, 0.56, 2.0252, 2.07, 2.0996, 2.12, 2.1739)
    ours, oracle = exact_gradient(policy, objective), quad_gradient(policy, objective, breaks)
    assert gap(ours, oracle) < 1e-8
    if exact is not None:
        assert float(ours["mu"]) == pytest.approx(exact, rel=1e-3)


def test_a_narrow_component_is_seen():
    policy = Mixture(t(0.0, 0.0), t([2.0996], [0.0]), t([-6.9], [0.0]))
    objective = Objective(lambda a: torch.sin(3 * a).sum(-1), 0.5)
    breaks = tuple(2.0996 + c * 0.001 for c in (-8, -2, 0, 2, 8))
    ours, oracle = exact_gradient(policy, objective), quad_gradient(policy, objective, breaks)
    assert gap(ours, oracle) < 1e-8


def test_a_window_in_two_dimensions_is_not_a_zero():
    """Along an axis, ∂J/∂μ₁ = φ(r) − φ(l) and ∂J/∂log σ₁ = rφ(r) − lφ(l)."""
    left, right = t(1.811), t(2.154)
    objective = Objective(lambda a: ((a[..., 0] > left) & (a[..., 0] < right)).double(), 0.0)
    exact = exact_gradient(gaussian((0.0, 0.0), (0.0, 0.0)), objective)
    at_left, at_right = (torch.exp(-(x**2) / 2) / (2 * torch.pi) ** 0.5 for x in (left, right))
    assert abs(float(exact["mu"][0] - (at_right - at_left))) <= exact.error < 1e-7
    slope = right * at_right - left * at_left
    assert abs(float(exact["log_std"][0] - slope)) <= exact.error


@pytest.mark.parametrize(
    "Q", [lambda a: (a[..., 0] > 2.5).double(), lambda a: (a[..., 0].abs() < 0.6).double()]
)
def test_jumps_in_many_dimensions_are_refused(Q):
    policy = gaussian((0.0,) * 4, (0.0,) * 4)
    with pytest.raises(TooManyNodes, match=r"not there|contradict"):
        exact_gradient(policy, Objective(Q, 0.2))


@pytest.mark.parametrize("threshold", [-1.0, 1.5])
def test_differences_across_jumps_see_the_window(threshold):
    """1/2h on a window of the width of the step 2h and zero elsewhere: E ĝ_μ = (Φ(u + h) − Φ(u −
    h))/2h with u = μ − c, and the variance is E ĝ/2h − (E ĝ)²."""
    p, h = build("step", alpha=0.0, threshold=threshold), 1e-3
    mean, variance = exact_moments(finite_difference, p.policy, p.objective)
    mu, sigma = p.policy.mu.double(), p.policy.log_std.double().exp()
    up, down = (torch.special.ndtr((mu + s * h - threshold) / sigma) for s in (1, -1))
    expected = -(up - down) / (2 * h)
    assert abs(float(mean["mu"] - expected)) <= mean.error + 1e-13  # of the difference of two Φ
    expected = expected.abs() / (2 * h) - expected**2
    assert abs(float(variance["mu"] - expected)) <= variance.error + 1e-10


def test_differences_of_categories_are_refused():
    p = build("bandit")
    with pytest.raises(TooManyNodes, match="common random numbers"):
        exact_moments(finite_difference, p.policy, p.objective)


def test_a_narrow_feature_of_an_estimator_is_refused():
    """Q is smooth; the estimator adds 100 on a window of 0.002: random draws vary more."""

    def wrong(policy, objective, rng, n=1):
        a = policy.sample(n, rng)  # [n, *batch, d]
        inside = ((a[..., 0] - 0.9137).abs() < 1e-3).double()
        return (
            objective.cost(policy, policy.detach().rsample(n, rng))
            + inside * 100 * policy.mu[..., 0]
        ).mean(0)

    with pytest.raises(TooManyNodes, match="vary more"):
        exact_moments(wrong, gaussian(), Objective(lambda a: torch.sin(a).sum(-1), 0.5))


def test_float32_policies_are_integrated_in_float64():
    policy = Gaussian(torch.tensor([3.0]), torch.tensor([-14.0]))
    exact = exact_gradient(policy, Objective(lambda a: torch.cos(a).sum(-1), 0.2))
    assert float(exact["mu"]) == pytest.approx(0.14112, rel=1e-4)
    assert float(exact["log_std"]) == pytest.approx(-0.2, rel=1e-4)
    layer = torch.tensor([[0.7]])
    net = Objective(lambda a: torch.tanh(a @ layer)[..., 0], 0.2)  # takes float32 alone
    both = exact_gradient(gaussian().map(torch.Tensor.float), net)
    wide = Objective(lambda a: torch.tanh(a @ layer.double())[..., 0], 0.2)
    assert gap(both, exact_gradient(gaussian(), wide)) < 1e-6


def test_three_components_in_three_dimensions():
    """To 1e-4, what the oracle reaches with 32 points a dimension."""
    p = build("report_mixture", d=3, components=3)
    exact = exact_gradient(p.policy, p.objective, tolerance=1e-7)
    assert gap(exact, finite_difference_gradient(p.policy, p.objective, 32)) < 1e-4


def test_parameters_must_be_finite():
    with pytest.raises(ValueError, match=r"Gaussian\.mu is not finite"):
        exact_gradient(gaussian((float("nan"),)), Objective(lambda a: a.sum(-1)))


def test_wrapped_estimators_keep_their_own_n():
    from estimators import convex_combination, with_control_variate

    p = build("cosine")
    loo = partial(score_function, n=2, baseline=leave_one_out)
    _, one = exact_moments(with_control_variate(reparameterization), p.policy, p.objective)
    two = with_control_variate(partial(reparameterization, n=2))
    _, half = exact_moments(two, p.policy, p.objective)
    assert gap(one, {k: 2 * v for k, v in half.items()}) < 1e-9
    z_test(with_control_variate(loo), p.policy, p.objective, estimates=2000)
    z_test(partial(convex_combination, second=loo), p.policy, p.objective, estimates=2000)
