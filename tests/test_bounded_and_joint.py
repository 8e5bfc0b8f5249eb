"""Beta, FullGaussian, StudentT and Product against torch.distributions, scipy, mpmath and sums."""

import math
from itertools import product

import mpmath
import pytest
import scipy.special
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import FLOAT, t
from support import gap as gap_of
from torch.distributions import Beta as TorchBeta
from torch.distributions import Independent, MultivariateNormal
from torch.distributions import StudentT as TorchStudentT

from estimators import (
    Beta,
    Categorical,
    FullGaussian,
    Gaussian,
    Noise,
    Objective,
    Product,
    StudentT,
    TooManyNodes,
    applicable,
    check,
    exact_gradient,
    exact_moments,
    reparameterization,
    score_function,
)
from estimators.policies.incomplete_beta import attached, quantile
from estimators.quadrature.by_nodes import node_gradient

SHAPES = (0.05, 1.0, 7.0, 300.0, 1e4)
EPS = (-6.0, -1.3, 0.4, 3.0)


def gap(x, y):
    """The largest difference of tensors, or of gradients."""
    return gap_of(x, y) if isinstance(x, dict) else float((x - y).detach().abs().max())


def leaf(policy):
    return policy.map(lambda p: p.detach().clone().requires_grad_())


def tail_slope(s, a, b):
    """∂s/∂a at a fixed probability, by the smaller tail in 30 digits."""
    s, a, b = map(mpmath.mpf, (s, a, b))
    left = s < mpmath.log(a / b)
    end = -1 if left else 1
    with mpmath.workdps(30):
        log_p = lambda t: -a * mpmath.log1p(mpmath.exp(-t)) - b * mpmath.log1p(mpmath.exp(t))  # noqa: E731
        mean = mpmath.digamma(a) - mpmath.digamma(a + b)  # of log x
        moved = lambda t: mpmath.exp(log_p(t) - log_p(s)) * (-mpmath.log1p(mpmath.exp(-t)) - mean)  # noqa: E731
        reach = mpmath.sqrt((a + b) / (a * b)) + 1 / (a if left else b)
        points = [s + end * reach * k for k in (0, 0.02, 0.1, 0.5, 1, 2, 4, 8, 16, 40, 90)]
        integral = mpmath.quad(moved, sorted(points))
    return float(-integral if left else integral)


@pytest.mark.parametrize("a", SHAPES)
def test_quantiles_of_beta_and_what_moves_them(a):
    """σ(s) is scipy's quantile, and ∂s/∂a mpmath's integral, to 1e-9 of their size."""
    for b, eps in product(SHAPES, EPS):
        s = quantile(t(eps), t(a), t(b))
        x = scipy.special.betaincinv(a, b, scipy.special.ndtr(eps))
        if 1e-290 < x < 0.99:
            assert float(torch.sigmoid(s)) == pytest.approx(x, rel=1e-9), (a, b, eps)
        flipped = quantile(t(-eps), t(b), t(a))
        assert float(s) == pytest.approx(-float(flipped), rel=1e-9, abs=1e-10)
        one = t(a).requires_grad_()
        (slope,) = torch.autograd.grad(attached(s, one, t(b)).sum(), one)
        assert float(slope) == pytest.approx(tail_slope(float(s), a, b), rel=1e-9), (a, b, eps)


def test_beta_is_torch_s_beta_on_another_interval():
    policy = Beta(t(0.4, -0.9, 1.7), t(-0.3, 0.8, 2.0))
    one = TorchBeta(policy.log_a.exp(), policy.log_b.exp())
    a = policy.sample(50, Noise(0))
    assert gap(policy.log_prob(a), (one.log_prob((1 + a) / 2) - math.log(2)).sum(-1)) < 1e-9
    assert gap(policy.log_prob(a.clone()), policy.log_prob(a)) < 1e-9  # which has lost its logits
    assert gap(policy.entropy(), (one.entropy() + math.log(2)).sum(-1)) < 1e-12
    assert gap(policy.central(), 2 * one.mean - 1) < 1e-15
    assert policy.edges == (-1.0, 1.0)


@pytest.mark.parametrize("dtype", [torch.float32, FLOAT])
def test_actions_at_the_edge_keep_their_density(dtype):
    """At concentrations of 0.05 half of the draws are ±1 in float32. Their log-density is finite,
    and that of float64 within its rounding; so is that of a ±1 that comes from elsewhere."""
    policy = Beta(*(torch.full((2,), math.log(0.05), dtype=dtype),) * 2)
    leaf_policy = leaf(policy)
    a = leaf_policy.rsample(4000, Noise(1))
    assert (a.abs() == 1).float().mean() > 0.1
    log_prob = leaf_policy.log_prob(a)
    assert log_prob.isfinite().all()
    grads = torch.autograd.grad(log_prob.sum(), list(leaf_policy.parameters().values()))
    assert all(g.isfinite().all() for g in grads)
    exact = Beta(*(p.double() for p in policy.parameters().values()))
    again = a.double().detach()
    again.log_odds = a.log_odds.double().detach()
    right = exact.log_prob(again)
    assert float(((log_prob.detach() - right).abs() / (1 + right.abs())).max()) < 1e-5
    assert policy.log_prob(torch.tensor([1.0, -1.0], dtype=dtype)).isfinite()


@given(st.floats(-2.0, 3.0), st.floats(-2.0, 3.0), st.integers(1, 12))
def test_beta_s_nodes_are_exact_for_polynomials(log_a, log_b, order):
    """Gauss–Jacobi: E[(1 + a)^k/2^k] = Π_{i<k} (A + i)/(A + B + i) for k < 2·order."""
    policy = Beta(t(log_a), t(log_b))
    a, w = policy.nodes(order)
    A, B = math.exp(log_a), math.exp(log_b)
    moment = 1.0
    for k in range(2 * order):
        assert float((w * ((1 + a[:, 0]) / 2) ** k).sum()) == pytest.approx(moment, abs=1e-11)
        moment *= (A + k) / (A + B + k)


def test_student_t_is_torch_s():
    policy = StudentT(t(0.3, -1.0), t(-0.4, 0.7), t(0.2, 2.5))
    torch_s = TorchStudentT(policy.log_df.exp(), policy.mu, policy.log_std.exp())
    a = policy.sample(40, Noise(0))
    assert gap(policy.log_prob(a), torch_s.log_prob(a).sum(-1)) < 1e-12
    assert gap(policy.entropy(), torch_s.entropy().sum(-1)) < 1e-12


def test_student_t_s_draws_are_quantiles_and_move_with_the_degrees_of_freedom():
    """a = μ + σ t_ν(Φ(ε)); ∂a/∂ν by central differences of scipy's quantiles, to 1e-6."""
    policy = leaf(StudentT(t(0.3), t(-0.4), t(1.1)))
    eps = Noise(7).normal((20, 1), policy.mu).detach().numpy()
    a = policy.rsample(20, Noise(7))
    of = lambda df: 0.3 + math.exp(-0.4) * scipy.stats.t.ppf(scipy.special.ndtr(eps), df)  # noqa: E731
    assert gap(a.detach(), torch.as_tensor(of(math.exp(1.1)))) < 1e-10
    slopes = torch.as_tensor((of(math.exp(1.1 + 1e-5)) - of(math.exp(1.1 - 1e-5))) / 2e-5)
    for i in range(20):
        (moved,) = torch.autograd.grad(a[i, 0], policy.log_df, retain_graph=True)
        assert float(moved) == pytest.approx(float(slopes[i]), rel=1e-6, abs=1e-9)


def full():
    return FullGaussian(t(0.3, -0.2), t(-0.4, 0.1), t([9.0, 9.0], [0.5, 9.0]))


def test_full_gaussian_is_torch_s_and_only_the_triangle_counts():
    policy = full()
    root = t([math.exp(-0.4), 0.0], [0.5, math.exp(0.1)])
    one = MultivariateNormal(policy.mu, scale_tril=root)
    a = policy.sample(30, Noise(0))
    assert gap(policy.log_prob(a), one.log_prob(a)) < 1e-13
    assert gap(policy.entropy(), one.entropy()) < 1e-13
    assert gap(policy.root, root) == 0
    plain = FullGaussian(policy.mu, policy.log_std, torch.zeros(2, 2).double())
    diagonal = Gaussian(policy.mu, policy.log_std)
    assert gap(plain.sample(9, Noise(1)), diagonal.sample(9, Noise(1))) < 1e-15
    assert gap(plain.log_prob(a), diagonal.log_prob(a)) < 1e-14


def test_nodes_are_those_of_the_law():
    """Σ w (a − μ)(a − μ)ᵀ = LLᵀ; for Student's t, E of a bump by scipy's density, to 1e-6."""
    policy = full()
    a, w = policy.nodes(6)
    off = a - policy.mu
    square = (w[:, None, None] * off[:, :, None] * off[:, None]).sum(0)
    assert gap(square, policy.root @ policy.root.mT) < 1e-13
    student = StudentT(t(0.3), t(-0.4), t(1.5))
    a, w = student.nodes(60)
    line = torch.linspace(-60, 60, 120_001, dtype=FLOAT)
    density = scipy.stats.t.pdf(line, math.exp(1.5), 0.3, math.exp(-0.4))
    bump = lambda x: torch.exp(-((x - 0.1) ** 2) / 4)  # noqa: E731
    expected = float((torch.as_tensor(density) * bump(line)).sum()) * 1e-3
    assert float((w * bump(a[:, 0])).sum()) == pytest.approx(expected, abs=1e-6)


TABLE = t([1.0, -0.4, 0.3], [0.2, 0.9, -1.0])
REWARD = t(0.2, -0.3, 0.6)
MULTI = (
    Product(one=Categorical(t(0.2, -0.5)), two=Categorical(t(0.1, 0.4, -0.3))),
    Objective(lambda a: TABLE[a[..., 0], a[..., 1]], 0.4),
)
HYBRID = (
    Product(gear=Categorical(t(0.1, 0.5, -0.4)), push=Gaussian(t(0.3), t(-0.3))),
    Objective(lambda a: REWARD[a[..., 0].long()] + torch.sin((1 + a[..., 0]) * a[..., 1]), 0.4),
)
WAVE = Objective(lambda a: (torch.cos(2 * a) - 0.3 * a**2 + 0.2 * a).sum(-1), 0.4)
COUPLED = Objective(lambda a: (torch.cos(a) + 0.2 * a).sum(-1) + a.prod(-1) / 3, 0.4)
PROBLEMS = {
    "beta": (Beta(t(0.4), t(0.9)), WAVE),
    "student": (StudentT(t(0.3), t(-0.4), t(3.0)), WAVE),
    "full": (full(), COUPLED),
    "multi-discrete": MULTI,
    "hybrid": HYBRID,
    "hybrid, bounded": (
        Product(gear=HYBRID[0].parts["gear"], push=Beta(t(0.3), t(0.6))),
        HYBRID[1],
    ),
}


def by_sum(policy, objective, points):
    """∇J of Σ_a π(a) (α log π(a) − Q(a)) Δ over given points, by autograd."""
    moving = leaf(policy)
    log_prob = moving.log_prob(points[0])
    J = (log_prob.exp() * (objective.alpha * log_prob - objective.Q(points[0]))).sum() * points[1]
    grads = torch.autograd.grad(J, list(moving.parameters().values()))
    return dict(zip(moving.parameters(), grads, strict=True))


def grids():
    line = torch.linspace(-14, 14, 28_001, dtype=FLOAT)
    gear = torch.arange(3, dtype=FLOAT)
    yield "multi-discrete", (torch.cartesian_prod(torch.arange(2), torch.arange(3)), 1.0)
    yield "hybrid", (torch.cartesian_prod(gear, line), 1e-3)
    yield "student", (line[:, None] * 20, 20e-3)


@pytest.mark.parametrize(("name", "points"), list(grids()))
def test_exact_gradients_are_those_of_sums(name, points):
    policy, objective = PROBLEMS[name]
    if name == "student":  # a cost whose part beyond the grid is nothing
        objective = Objective(lambda a: torch.exp(-(a**2)).sum(-1), 0.0)
    exact = exact_gradient(policy, objective)
    assert gap(exact, by_sum(policy, objective, points)) < 1e-8
    assert exact.error < 1e-9


def test_beta_s_exact_gradient_is_that_of_a_sum_over_log_odds():
    policy, objective = PROBLEMS["beta"]
    moving = leaf(policy)
    s = torch.linspace(-60, 60, 24_001, dtype=FLOAT)[:, None]
    a = torch.tanh(s / 2)
    a.log_odds = s
    log_prob = moving.log_prob(a)
    weight = torch.exp(log_prob) / (2 * torch.cosh(s[:, 0] / 2) ** 2)  # |da/ds|
    J = (weight * (objective.alpha * log_prob - objective.Q(a))).sum() * 5e-3
    grads = torch.autograd.grad(J, list(moving.parameters().values()))
    exact = exact_gradient(policy, objective)
    assert gap(exact, dict(zip(moving.parameters(), grads, strict=True))) < 1e-10


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_row_has_the_mean_it_says(name):
    """Exactly; the three that need no second action are enough where draws are dear."""
    policy, objective = PROBLEMS[name]
    exact = exact_gradient(policy, objective)
    rows, left_out = applicable(policy)
    assert all(left_out.values())
    dear = {"reparameterization", "marginalized", "score_function"}
    seen = 0
    for key, entry in rows.items():
        if ("beta" in name or "student" in name or "bounded" in name) and key not in dear:
            continue
        try:
            mean, _ = exact_moments(entry.prepared(policy, objective), policy, objective)
        except TooManyNodes:
            continue
        assert (gap(mean, exact) > 1e-9) == bool(entry.bias), key
        seen += 1
    assert seen >= 2, seen


def test_the_bridge_over_the_discrete_part_has_less_variance():
    """Given the same draws of the rest, the sum over gears is the mean of what one gear gives."""
    policy, objective = HYBRID
    total = {
        key: sum(float(v.sum()) for v in exact_moments(entry, policy, objective)[1].values())
        for key, entry in applicable(policy)[0].items()
        if key in ("marginalized", "score_function", "score_function_leave_one_out")
    }
    assert total["marginalized"] < total["score_function_leave_one_out"] < total["score_function"]
    assert "discrete" in applicable(policy)[1]["reparameterization"]


def test_a_product_of_one_kind_is_that_kind():
    """Two Gaussians in one dimension are one in two: densities, nodes' answers, draws."""
    two = Product(x=Gaussian(t(0.3), t(-0.4)), y=Gaussian(t(-0.2), t(0.1)))
    one = Gaussian(t(0.3, -0.2), t(-0.4, 0.1))
    a = one.sample(20, Noise(0))
    assert gap(two.log_prob(a), one.log_prob(a)) < 1e-15
    assert gap(two.entropy(), one.entropy()) < 1e-15
    there, here = exact_gradient(two, COUPLED), exact_gradient(one, COUPLED)
    assert gap(torch.cat([there["x.mu"], there["y.mu"]]), here["mu"]) < 1e-12
    assert gap(node_gradient(two, COUPLED)["y.log_std"], here["log_std"][1:]) < 1e-9
    with pytest.raises(TypeError, match="no components to sum over"):
        two.strata(1, Noise(0))


def test_a_product_says_what_is_wrong_with_its_parts():
    with pytest.raises(ValueError, match="at least one part"):
        Product()
    with pytest.raises(TypeError, match="gear must be a policy, got Tensor"):
        Product(gear=t(0.1))
    with pytest.raises(ValueError, match=r"must be of one batch; got x \[\], y \[2\]"):
        Product(x=Gaussian(t(0.0), t(0.0)), y=Categorical(torch.zeros(2, 3).double()))


def test_batches_of_products_are_batches_of_their_parts():
    policy = Product(
        gear=Categorical(torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).double()),
        push=Gaussian(torch.zeros(4, 2).double(), torch.zeros(4, 2).double()),
    )
    a = policy.sample(5, Noise(0))
    assert a.shape == (5, 4, 3)
    assert policy.log_prob(a).shape == (5, 4)
    assert policy.central().shape == (4, 3)
    actions, w = policy.strata(2, Noise(0))
    assert actions.shape == (3, 2, 4, 3)
    assert gap(w.sum(0), torch.ones(1, 4).double()) < 1e-15


def half_attached(policy, objective, rng, n=1):
    """A slip: the action does not move with log_b."""
    still = Beta(policy.log_a, policy.log_b.detach())
    return objective.cost(policy, still.rsample(n, rng)).mean(0)


def test_check_tells_right_from_wrong():
    beta, wave = PROBLEMS["beta"]
    assert check(reparameterization, beta, wave, budget=2**12).status == "unbiased"
    wrong, _ = exact_moments(half_attached, beta, wave)
    assert gap(wrong, exact_gradient(beta, wave)) > 0.1
    for problem in (MULTI, HYBRID):
        assert check(score_function, *problem).status == "unbiased"
    policy, objective = HYBRID

    def mean_of_parts(policy, objective, rng, n=1):
        """log π averaged over the parts, not summed: a common slip."""
        half = Objective(lambda a: 2 * objective.Q(a), objective.alpha)
        return score_function(policy, half, rng, n) / 2

    assert check(mean_of_parts, policy, objective).status == "biased"


def test_torch_s_independent_categoricals_are_a_product():
    """from_distribution and Product give the same exact gradient of the same joint table."""
    from estimators import from_distribution

    logits = t([0.2, -0.5, 0.6], [0.1, 0.4, -0.3])
    table = Objective(lambda a: TABLE[a[..., 0].long() % 2, a[..., 1].long()], 0.4)
    theirs = from_distribution(
        lambda p: Independent(torch.distributions.Categorical(logits=p["logits"]), 1), logits=logits
    )
    ours = Product(one=Categorical(logits[0]), two=Categorical(logits[1]))
    said = exact_gradient(ours, table)
    joined = torch.stack([said["one.logits"], said["two.logits"]])
    assert gap(exact_gradient(theirs, table)["logits"], joined) < 1e-12
