"""Policies: densities that integrate to one, laws of batches, and gradients of samples."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from support import FLOAT, gap, gaussian, mixture, t

from estimators import (
    POLICIES,
    Categorical,
    Gaussian,
    Mixture,
    Noise,
    Objective,
    exact_moments,
    log_det_tanh,
    score_function,
)
from estimators.gradients import row_gradients, rows
from estimators.quadrature import exact_mean
from estimators.testing import of_kind
from toy_problems.identities import leaves, random_problem

seeds = st.integers(0, 10**6)


def random_policy(kind, seed):
    if kind is Categorical:
        rng = torch.Generator().manual_seed(seed)
        return Categorical(torch.randn(3, 4, generator=rng, dtype=FLOAT))
    return random_problem(seed, None if kind is Gaussian else 3)[0]


KINDS = [Gaussian, Mixture, Categorical]


@given(seed=seeds)
def test_log_prob_is_that_of_torch_distributions(seed):
    D = torch.distributions
    g, m, c = (random_policy(kind, seed) for kind in KINDS)
    a = g.sample(5, Noise(seed))
    theirs = D.Independent(D.Normal(g.mu, g.log_std.exp()), 1)
    torch.testing.assert_close(g.log_prob(a), theirs.log_prob(a))
    torch.testing.assert_close(g.entropy(), theirs.entropy())
    parts = D.Independent(D.Normal(m.mu, m.log_std.exp()), 1)
    theirs = D.MixtureSameFamily(D.Categorical(logits=m.logits), parts)
    a = m.sample(5, Noise(seed))
    torch.testing.assert_close(m.log_prob(a), theirs.log_prob(a))
    theirs = D.Categorical(logits=c.logits)
    a = c.sample(5, Noise(seed))
    torch.testing.assert_close(c.log_prob(a), theirs.log_prob(a))
    torch.testing.assert_close(c.entropy(), theirs.entropy())


@pytest.mark.parametrize("policy", [gaussian(), mixture()])
def test_density_integrates_to_one(policy):
    """Trapezoid on a line: exact to rounding for a sum of Gaussians."""
    x = torch.linspace(-15, 15, 20_001, dtype=FLOAT)[:, None]
    assert abs(float(torch.trapezoid(policy.log_prob(x).exp(), x[:, 0])) - 1) < 1e-12


@pytest.mark.parametrize("kind", KINDS)
@given(seed=seeds)
def test_nodes_are_a_probability_and_give_the_moments(kind, seed):
    policy = random_policy(kind, seed)
    a, w = policy.nodes(5)
    torch.testing.assert_close(w.sum(0), torch.ones(3, dtype=FLOAT))
    if kind is Mixture:
        p = policy.logits.softmax(-1)[..., None]
        second = (p * (policy.mu**2 + torch.exp(2 * policy.log_std))).sum(-2)
        torch.testing.assert_close((w[..., None] * a**2).sum(0), second)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=seeds)
def test_map_detach_and_batch_laws(kind, seed):
    policy = leaves(random_policy(kind, seed))
    assert gap(policy.map(lambda p: p).parameters(), policy.parameters()) == 0
    assert not any(p.requires_grad for p in policy.detach().parameters().values())
    a = policy.detach().sample(4, Noise(seed))
    whole = policy.log_prob(a)
    for i in range(3):
        one = policy.map(lambda p, i=i: p[i])
        torch.testing.assert_close(one.log_prob(a[:, i]), whole[:, i])
    two = policy.map(lambda p: p.expand(2, *p.shape))
    assert two.batch == (2, 3)
    assert two.log_prob(a[:, None].expand(4, 2, *a.shape[1:])).shape == (4, 2, 3)
    assert two.sample(4, Noise(seed)).shape == (4, 2, *a.shape[1:])


@given(seed=seeds)
def test_components_can_be_permuted(seed):
    m = random_policy(Mixture, seed)
    order = torch.tensor([2, 0, 1])
    permuted = Mixture(m.logits[..., order], m.mu[..., order, :], m.log_std[..., order, :])
    a = m.sample(4, Noise(seed))
    torch.testing.assert_close(m.log_prob(a), permuted.log_prob(a))


@pytest.mark.parametrize("kind", [Gaussian, Mixture])
@given(seed=seeds, shift=st.floats(-5, 5), log_scale=st.floats(-1, 1))
def test_translation_and_scale_equivariance(kind, seed, shift, log_scale):
    policy = random_policy(kind, seed)
    factor = np.exp(log_scale)
    change = {
        "mu": lambda p: factor * p + shift,
        "log_std": lambda p: p + log_scale,
        "logits": lambda p: p,
    }
    moved = kind(**{k: change[k](p) for k, p in policy.parameters().items()})
    a = policy.sample(4, Noise(seed))
    torch.testing.assert_close(moved.sample(4, Noise(seed)), factor * a + shift)
    d = a.shape[-1]
    there = moved.log_prob(factor * a + shift) + d * log_scale
    torch.testing.assert_close(there, policy.log_prob(a))


def test_samples_have_the_law():
    """Kolmogorov–Smirnov at false-alarm rate 1e-6; 20,000 draws notice a distance of 0.02."""
    a = gaussian().sample(20_000, Noise(1))[:, 0]
    assert stats.kstest(a.numpy(), stats.norm(0.3, np.exp(-0.4)).cdf).pvalue > 1e-6
    m = mixture()
    w = m.logits.softmax(-1).numpy()

    def cdf(x):
        parts = [stats.norm(c, np.exp(s)).cdf(x) for c, s in ((-1.0, -0.3), (0.8, 0.1))]
        return w[0] * parts[0] + w[1] * parts[1]

    assert stats.kstest(m.sample(20_000, Noise(2))[:, 0].numpy(), cdf).pvalue > 1e-6
    c = Categorical(t(0.3, -1.0, 0.9))
    counts = torch.bincount(c.sample(20_000, Noise(3)), minlength=3).numpy()
    expected = 20_000 * c.logits.softmax(-1).numpy()
    assert stats.chisquare(counts, expected).pvalue > 1e-6


class Given(Noise):
    """Puts the sample at u: component k, then ε such that μ_k + σ_k ε = u."""

    def __init__(self, eps, k):
        self.eps, self.k = eps, k

    def normal(self, shape, like):
        return self.eps.to(like).expand(shape)

    def categorical(self, weights, shape):
        return torch.full(shape, self.k)


@pytest.mark.parametrize("u", [-12.0, -3.0, 0.0, 3.0, 12.0])
@pytest.mark.parametrize("k", [0, 1])
def test_implicit_gradient_is_finite_and_right_in_float32_far_out(u, k):
    """Against float64, to float32's digits: densities there are e^−72 and below."""
    m = Mixture(t(0.4, -0.3), t([-1.0, 0.2], [1.5, -0.5]), t([-0.2, 0.1], [0.1, -0.1]))
    eps = (u - m.mu[k]) * torch.exp(-m.log_std[k])
    gradients = []
    for dtype in (torch.float32, FLOAT):
        leaf = leaves(m.map(lambda p, dtype=dtype: p.to(dtype)))
        a = leaf.rsample(1, Given(eps, k))
        assert float((a - u).detach().abs().max()) < 1e-5
        gradients.append(row_gradients((a * torch.tensor([1.0, 2.0]).to(a)).sum(), leaf))
    single, double = gradients
    for name in double:
        assert single[name].isfinite().all()
        torch.testing.assert_close(single[name].double(), double[name], rtol=1e-3, atol=1e-4)


def test_implicit_gradient_of_the_mean_is_the_gradient_of_the_mean():
    """E[∂a/∂θ] = ∂E[a]/∂θ, by nodes, in two coupled dimensions."""
    m = Mixture(t(0.4, -0.3), t([-1.0, 0.2], [1.5, -0.5]), t([-0.2, 0.1], [0.1, -0.1]))
    objective = Objective(lambda a: a[..., 0] * a[..., 1] + a[..., 0] ** 2, 0.0)

    def surrogate(policy, objective, rng, n=1):
        return -objective.Q(policy.rsample(n, rng)).mean(0)

    mean, _ = exact_moments(surrogate, m, objective)
    leaf = leaves(m)
    w = leaf.logits.softmax(-1)
    exact = row_gradients(
        -(w * (leaf.mu.prod(-1) + leaf.mu[:, 0] ** 2 + torch.exp(2 * leaf.log_std[:, 0]))).sum(),
        leaf,
    )
    assert gap(mean, exact) < 1e-9


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Gaussian(t(0.0), t(0.0, 1.0)), "[*batch, d]"),
        (lambda: Gaussian(torch.tensor(0.0), torch.tensor(0.0)), "d ≥ 1"),
        (lambda: Gaussian(torch.tensor([1]), torch.tensor([1])), "floating-point"),
        (lambda: Gaussian([0.0], [0.0]), "tensor, got list"),
        (lambda: Gaussian(t(0.0), torch.zeros(1)), "share a dtype"),
        (lambda: Mixture(torch.zeros(0), torch.zeros(0, 1), torch.zeros(0, 1)), "K ≥ 1"),
        (lambda: Mixture(t(0.0, 0.0), t([0.0]), t([0.0])), "logits [2], mu [1, 1]"),
        (lambda: Categorical(torch.zeros(0)), "A ≥ 1"),
        (lambda: gaussian().sample(0, Noise()), "n, the actions averaged"),
        (lambda: gaussian((0.0,) * 9, (0.0,) * 9).nodes(6), "1·6^9"),
        (lambda: gaussian().nodes(0), "order must be ≥ 1"),
        (lambda: Categorical(t(0.0, 1.0)).rsample(1, Noise()), "discrete"),
    ],
)
def test_bad_input_is_named(make, words):
    with pytest.raises((ValueError, TypeError)) as caught:
        make()
    assert words in str(caught.value)


def test_a_million_nodes_are_allowed_and_one_more_is_not():
    """10⁶ is the limit itself: logarithms, rounded, took it for more."""
    six = gaussian((0.1,) * 6, (0.0,) * 6)
    actions, weights = six.nodes(10)
    assert actions.shape == (10**6, 6)
    assert float(weights.sum()) == pytest.approx(1, abs=1e-12)
    with pytest.raises(ValueError, match="more than 1,000,000"):
        six.nodes(11)


def test_a_single_action_is_certain():
    one = Categorical(t([0.3], [-2.0]))
    assert torch.equal(one.log_prob(one.sample(4, Noise(0))), torch.zeros(4, 2, dtype=FLOAT))
    assert torch.equal(one.entropy(), torch.zeros(2, dtype=FLOAT))


def zeros(*shape):
    return torch.zeros(shape, dtype=FLOAT)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda: Gaussian(zeros(2, 3), zeros(3)),
            "Gaussian: mu and log_std must both be [*batch, d] with d ≥ 1; "
            "got mu [2, 3], log_std [3]",
        ),
        (
            lambda: Gaussian(zeros(2, 0), zeros(2, 0)),
            "Gaussian: mu and log_std must both be [*batch, d] with d ≥ 1; "
            "got mu [2, 0], log_std [2, 0]",
        ),
        (
            lambda: Mixture(zeros(2), zeros(3, 1), zeros(3, 1)),
            "Mixture: logits must be [*batch, K], mu and log_std [*batch, K, d], with K ≥ 1 and "
            "d ≥ 1; got logits [2], mu [3, 1], log_std [3, 1]",
        ),
        (
            lambda: Categorical(zeros(2, 0)),
            "Categorical: logits must be [*batch, A] with A ≥ 1; got logits [2, 0]",
        ),
    ],
)
def test_wrong_shapes_are_told_with_the_rule(make, says):
    """The whole sentence."""
    with pytest.raises(ValueError) as told:
        make()
    assert str(told.value) == says


@pytest.mark.parametrize(("d", "order"), [(1, 64), (2, 8), (3, 4), (4, 2), (6, 2)])
def test_nodes_without_an_order_are_at_most_64_but_two_a_dimension(d, order):
    a, w = Gaussian(zeros(d), zeros(d)).nodes()
    assert a.shape == (order**d, d)
    assert w.shape == (order**d,)


def test_without_an_order_ten_dimensions_are_the_last():
    ten, eleven = (Gaussian(zeros(d), zeros(d)) for d in (10, 11))
    assert len(ten.nodes()[0]) == 2**10
    assert len(eleven.nodes(1)[0]) == 1
    with pytest.raises(ValueError, match=r"d = 11 needs 2\^11 quadrature nodes"):
        eleven.nodes()


def test_nodes_of_a_mixture_are_those_of_its_components():
    policy = Mixture(zeros(3, 2), zeros(3, 2, 2), zeros(3, 2, 2))
    a, w = policy.nodes(5)
    assert a.shape == (2 * 5**2, 3, 2)
    assert w.shape == (2 * 5**2, 3)
    four = Mixture(zeros(4), zeros(4, 6), zeros(4, 6))
    with pytest.raises(ValueError, match=r"order 10 in d = 6 with 4 component\(s\) needs 4·10\^6"):
        four.nodes(10)


def test_the_log_determinant_of_tanh_is_that_of_cosh():
    """log(1 − tanh² u) = −2 log cosh u, also where softplus is nearly linear."""
    u = torch.tensor([-300.0, -25.0, -15.0, -11.0, -0.4, 0.0, 3.0, 12.0, 300.0], dtype=FLOAT)
    known = [-2 * np.log(np.cosh(x)) for x in u.tolist()]
    for x, value in zip(u, known, strict=True):
        assert float(log_det_tanh(x[None])) == pytest.approx(value, rel=1e-14, abs=1e-14)


def test_a_batch_may_be_empty():
    none = Mixture(zeros(0, 2), zeros(0, 2, 1), zeros(0, 2, 1))
    assert none.log_prob(zeros(3, 0, 1)).shape == (3, 0)
    assert Gaussian(zeros(0, 1), zeros(0, 1)).sample(3, Noise(0)).shape == (3, 0, 1)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda: Gaussian(torch.tensor([1]), torch.tensor([1])),
            "Gaussian.mu must be a floating-point tensor, got a torch.int64 tensor",
        ),
        (lambda: Gaussian([0.0], [0.0]), "Gaussian.mu must be a floating-point tensor, got list"),
        (
            lambda: Gaussian(t(0.0), torch.zeros(1)),
            "Gaussian parameters must share a dtype and a device; "
            "mu: torch.float64 on cpu, log_std: torch.float32 on cpu",
        ),
    ],
)
def test_wrong_types_are_told_with_what_was_given(make, says):
    with pytest.raises(TypeError) as told:
        make()
    assert str(told.value) == says


@pytest.mark.parametrize("kind", POLICIES.values(), ids=list(POLICIES))
@settings(max_examples=8)
@given(data=st.data())
def test_every_policy_of_the_table_keeps_the_contract(kind, data):
    """Shapes; nodes whose weights sum to one; E ∇log π = 0; numbers in, the same policy out."""
    policy = data.draw(of_kind(kind, max_dim=1))
    a = policy.sample(5, Noise(0))
    assert a.shape == (5, *policy.batch, *policy.action)
    assert policy.log_prob(a).shape == (5, *policy.batch)
    assert policy.central().shape == (*policy.batch, *policy.action)
    assert policy.dim == a[0].numel()
    copies = rows(policy, 3)
    assert copies.sample(2, Noise(0)).shape == (2, 3, *policy.action)
    a, w = policy.nodes(40)
    assert float(w.sum()) == pytest.approx(1, abs=1e-12)
    one = Objective(lambda x: torch.ones(x.shape[: x.ndim - len(policy.action)]).double(), 0.0)
    score = exact_mean(score_function, policy, one)
    assert max(float(s.abs().max()) for s in score.values()) < 1e-8
    shapes = {k: tuple(p.shape) for k, p in policy.parameters().items()}
    choices = len(a) if policy.discrete else policy.dim
    components = data.draw(st.integers(1, 3))
    fitting = [k for k in (1, 2, 3) if kind.shapes(choices, k) == shapes]
    assert fitting
    numbers = torch.cat([p.flatten() for p in policy.parameters().values()])
    again = kind.from_numbers(numbers, choices, fitting[0])
    assert all(torch.equal(p, again.parameters()[k]) for k, p in policy.parameters().items())
    assert set(kind.limits) | set(kind.usual) <= set(kind.shapes(choices, components))
