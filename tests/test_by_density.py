"""Exact gradients from a density alone, against derivatives of sums and grids written here."""

import math

import pytest
import torch
from scipy import integrate
from support import FLOAT, gap, t
from torch.distributions import (
    Beta,
    Cauchy,
    Distribution,
    Independent,
    Laplace,
    MultivariateNormal,
    Normal,
    StudentT,
    TransformedDistribution,
    constraints,
)
from torch.distributions.transforms import TanhTransform

from estimators import Gaussian, Objective, TooManyNodes, exact_gradient, from_distribution
from estimators.quadrature.by_density import density_gradient

ALPHA = 0.3


def Q(a):
    return torch.sin(2 * a).sum(-1) - 0.2 * torch.tanh(a).prod(-1)


def calm(a):
    return torch.tanh(2 * a).sum(-1) + torch.exp(-(a**2)).prod(-1)


def independent(make):
    return lambda p: Independent(make(p), 1)


ONE_DIMENSIONAL = {
    "beta": (lambda p: Beta(p["x"].exp(), p["y"].exp(), validate_args=False), 0.4, 0.8, (0, 1)),
    "student": (lambda p: StudentT(3.0, p["x"], p["y"].exp()), 0.2, -0.4, (-math.inf, math.inf)),
    "cauchy": (lambda p: Cauchy(p["x"], p["y"].exp()), 0.2, -0.4, (-math.inf, math.inf)),
    "tanh": (
        lambda p: TransformedDistribution(Normal(p["x"], p["y"].exp()), TanhTransform()),
        0.6,
        -0.2,
        (-1, 1),
    ),
}


@pytest.mark.parametrize("name", ONE_DIMENSIONAL)
def test_one_dimension_against_scipys_quadrature(name):
    """∂/∂x E[cost] by a central difference of scipy's adaptive integral: to 3e-6."""
    make, x, y, edges = ONE_DIMENSIONAL[name]
    policy = from_distribution(independent(make), x=t(x), y=t(y))
    objective = Objective(calm, ALPHA)  # of heavy tails nobody integrates sines
    exact = density_gradient(policy, objective, tolerance=1e-9)

    def J(x, y):
        pi = make({"x": t(x), "y": t(y)})

        def integrand(a):
            log_prob = pi.log_prob(t(a))
            return float(log_prob.exp() * (ALPHA * log_prob - calm(t(a)[:, None])))

        middle = 0.5 if edges[0] == 0 else 0.2
        halves = ((edges[0], middle), (middle, edges[1]))
        return sum(
            integrate.quad(integrand, *half, limit=400, epsabs=1e-12, epsrel=1e-11)[0]
            for half in halves
        )

    h = 1e-4
    due = {"x": (J(x + h, y) - J(x - h, y)) / (2 * h), "y": (J(x, y + h) - J(x, y - h)) / (2 * h)}
    for k, value in due.items():
        assert float(exact[k]) == pytest.approx(value, abs=exact.error + 3e-6)


def test_a_gaussian_is_what_its_own_nodes_say():
    policy = Gaussian(t(0.3, -0.7), t(-0.4, 0.2))
    objective = Objective(Q, ALPHA)
    own, here = (
        exact_gradient(policy, objective),
        density_gradient(policy, objective, tolerance=1e-10),
    )
    assert gap(own, here) <= own.error + here.error + 1e-11


def test_states_of_a_batch_lie_where_they_lie():
    policy = Gaussian(t([0.3], [50.0], [-7.0]), t([-0.4], [1.5], [-6.0]))
    objective = Objective(lambda a: torch.tanh(a).sum(-1), ALPHA)
    own, here = (
        exact_gradient(policy, objective),
        density_gradient(policy, objective, tolerance=1e-10),
    )
    assert gap(own, here) <= own.error + here.error + 1e-11


def test_a_correlated_gaussian_in_closed_form():
    """Q = −½ aᵀHa: ∇_μ J = Hμ, ∇_L J = HL − α diag(1/L_ii)."""
    L, mu, H = t([0.9, 0.0], [0.6, 0.4]), t(0.3, -0.5), t([1.0, 0.4], [0.4, 2.0])
    policy = from_distribution(
        lambda p: MultivariateNormal(p["mu"], scale_tril=p["L"].tril()), mu=mu, L=L
    )
    objective = Objective(lambda a: -(a * (a @ H)).sum(-1) / 2, ALPHA)
    exact = density_gradient(policy, objective, tolerance=1e-10)
    due = {"mu": H @ mu, "L": (H @ L - ALPHA * torch.diag(1 / L.diagonal())).tril()}
    assert gap(exact, due) <= exact.error + 1e-10


class Hybrid(Distribution):
    """(k, u): k ~ softmax(logits), u ~ N(mu_k, 1)."""

    arg_constraints, support = {}, constraints.real_vector

    def __init__(self, logits, mu):
        self.logits, self.mu = logits.log_softmax(-1), mu
        super().__init__(logits.shape[:-1], torch.Size([2]), validate_args=False)

    def sample(self, shape=()):
        k = torch.multinomial(self.logits.exp().reshape(-1, 3), math.prod(shape), True)
        k = k.T.reshape(*shape, *self.batch_shape)
        mu = self.mu.expand(*shape, *self.mu.shape).gather(-1, k[..., None])[..., 0]
        return torch.stack([k.to(mu), mu + torch.randn_like(mu)], -1)

    def log_prob(self, a):
        k = a[..., :1].long()
        each = self.logits + Normal(self.mu, 1.0).log_prob(a[..., 1:])
        return each.gather(-1, k)[..., 0]


def test_a_hybrid_policy_is_a_sum_of_integrals():
    """Σ_k π_k E[α log π_k + α log N − Q(k, u)], with Gauss–Hermite nodes in u."""
    logits, mu = t(0.1, 0.5, -0.4), t(0.3, -0.2, 0.6)
    reward = t(0.2, -0.3, 0.6)

    def value(a):
        return reward[a[..., 0].long()] + torch.sin((1 + a[..., 0]) * a[..., 1])

    policy = from_distribution(lambda p: Hybrid(**p), logits=logits, mu=mu)
    exact = density_gradient(policy, Objective(value, ALPHA), tolerance=1e-10)
    p = {"logits": logits.clone().requires_grad_(), "mu": mu.clone().requires_grad_()}
    z = torch.linspace(-10, 10, 2001, dtype=FLOAT)[:, None]
    w = torch.softmax(-(z**2) / 2, 0)
    k, u = torch.arange(3, dtype=FLOAT), p["mu"] + z
    log_prob = p["logits"].log_softmax(-1) + Normal(p["mu"], 1.0).log_prob(u)
    cost = ALPHA * log_prob - value(torch.stack([k.expand_as(u), u], -1))
    J = (p["logits"].softmax(-1) * (w * cost).sum(0)).sum()
    due = dict(zip(p, torch.autograd.grad(J, list(p.values())), strict=True))
    assert gap(exact, due) <= exact.error + 1e-10


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: Independent(Unnormalised(p["x"], p["y"].exp()), 1), "integrates to 1 ±"),
        (lambda p: Independent(Normal(p["x"].expand(3), p["y"].exp()), 1), "too many"),
        (lambda p: Independent(Laplace(p["x"], p["y"].exp()), 1), "still disagree"),
        (lambda p: Independent(edgy(0.6, 0.4, p), 1), "measure it instead"),
        (lambda p: Independent(Spiked(p["x"], p["y"].exp()), 1), "measure it instead"),
    ],
)
def test_what_is_not_within_reach_is_refused(make, words):
    policy = from_distribution(make, x=t(0.2), y=t(-0.3))
    with pytest.raises(TooManyNodes, match=words):
        density_gradient(policy, Objective(Q, ALPHA), tolerance=1e-9)


def edgy(a, b, p):
    """Its mass within the last float below 1 is 4e-7."""
    return Beta(a * torch.exp(p["x"] - 0.2), b * torch.exp(p["y"] + 0.3), validate_args=False)


class Unnormalised(Normal):
    def log_prob(self, a):
        return super().log_prob(a) + 0.01


class Spiked(Normal):
    """Half of it lies in a needle that the grid cannot see."""

    def sample(self, shape=()):
        broad, needle = super().sample(shape), 0.1234 + 1e-9 * super().sample(shape)
        return torch.where(torch.rand(broad.shape) < 0.5, broad, needle)

    def log_prob(self, a):
        needle = Normal(0.1234 + 1e-9 * self.loc, 1e-9 * self.scale).log_prob(a)
        return torch.logaddexp(super().log_prob(a), needle) - math.log(2)
