"""Everyday losses run for many rows at once: the same law as calling them one by one."""

import random

import numpy as np
import pytest
import torch
from support import t
from torch.distributions import Beta, Categorical, Dirichlet, Normal
from torch.nn.functional import one_hot

from estimators import Categorical as Choice
from estimators import Gaussian, Noise, Objective, check
from estimators.checking.subjects import one_by_one
from estimators.checking.vectorised import NotVectorised, vectorised

REWARD = t(1.0, 3.0, -2.0)
TABLE = torch.linspace(-1, 2, 9, dtype=torch.float64).view(3, 3)
LOG = []


def drawn(p):
    pi = Categorical(logits=p["logits"])
    a = pi.sample()
    return pi, a, pi.log_prob(a)


def by_index(p):
    _, a, log_prob = drawn(p)
    return REWARD[a] * log_prob


def by_item(p):
    _, a, log_prob = drawn(p)
    return REWARD[a.item()] * log_prob


def by_list(p):
    _, a, log_prob = drawn(p)
    return [1.0, 3.0, -2.0][a] * log_prob


def by_branch(p):
    _, a, log_prob = drawn(p)
    if a == 1:
        return 3.0 * log_prob
    return (1.0 if int(a) == 0 else -2.0) * log_prob


def by_multinomial(p):
    prob = p["logits"].softmax(-1)
    a = torch.multinomial(prob.detach(), 1)[0]
    return REWARD[a] * prob.log()[a]


def by_one_hot(p):
    a = torch.multinomial(p["logits"].softmax(-1).detach(), 1)[0]
    return REWARD[a] * (one_hot(a, 3) * p["logits"].log_softmax(-1)).sum()


def by_numpy(p):
    prob = p["logits"].softmax(-1)
    a = np.random.choice(3, p=prob.detach().numpy())
    return REWARD[a] * torch.log(prob[a])


def with_a_log(p):
    pi, a, log_prob = drawn(p)
    LOG[:] = [pi.entropy().item(), (log_prob * torch.randn(())).item()]
    return REWARD[a] * log_prob


SAME = [
    by_index,
    by_item,
    by_list,
    by_branch,
    by_multinomial,
    by_one_hot,
    by_numpy,
    with_a_log,
]
CHOICE = Choice(t(0.3, -0.2, 0.5))


@pytest.mark.parametrize("loss", SAME)
def test_a_score_function_however_it_is_written(loss):
    """E[r(a) log π(a)]'s gradient is Σ π(a) r(a) ∇log π(a); 6 standard errors: P = 2e-9 each."""
    g = vectorised(loss, CHOICE, 2**14, Noise(1))["logits"]
    pi = CHOICE.logits.softmax(-1)
    exact = pi * (REWARD - pi @ REWARD)
    z = (g.mean(0) - exact) / (g.std(0) / len(g) ** 0.5)
    assert bool((z.abs() < 6).all()), z
    assert len(g.unique(dim=0)) == 3  # as many as there are actions


@pytest.mark.parametrize(
    "pick",
    [
        lambda a, b: TABLE[a, b],
        lambda a, b: TABLE[a][b],
        lambda a, b: TABLE[..., b][a],
        lambda a, b: TABLE[a, :][b],
        lambda a, b: TABLE[None, ..., a, 0:3][0, b],
        lambda a, b: TABLE[:, b][a],
        lambda a, b: TABLE[a - 3, b - 3],
        lambda a, b: TABLE[a, torch.arange(3)][b],
        lambda a, b: TABLE[None, a, ..., b][0],
    ],
)
def test_an_index_without_dimensions_picks_what_it_picks(pick):
    """The gradient of p·(chosen number) tells the number: all nine pairs, bit for bit."""

    def loss(p):
        a, b = torch.randint(3, ()), torch.randint(3, ())
        return p["mu"][0] * pick(a, b) + p["mu"][1] * (3 * a + b)

    policy = Gaussian(t(0.0, 0.0), t(0.0, 0.0))
    mu = vectorised(loss, policy, 256, Noise(2))["mu"]
    assert torch.equal(mu[:, 0], TABLE.flatten()[mu[:, 1].long()])
    assert len(mu[:, 1].unique()) == 9


def path_of(distribution):
    def loss(p):
        return (distribution(p).rsample() ** 2).sum()

    return loss


def numpy_noise(p):
    return ((p["mu"] + p["log_std"].exp() * torch.as_tensor(np.random.normal(size=2))) ** 2).sum()


def python_noise(p):
    eps = torch.stack([torch.as_tensor(random.gauss(0, 1)) for _ in range(2)])
    return ((p["mu"] + p["log_std"].exp() * eps) ** 2).sum()


def drawn_again(p):
    z = torch.randn((), dtype=torch.float64)
    while abs(z) > 1.5:
        z = torch.randn((), dtype=torch.float64)
    return z * p["mu"].sum() + z**2 * p["log_std"].sum()


@pytest.mark.parametrize(
    "loss",
    [
        path_of(lambda p: Normal(p["mu"], p["log_std"].exp())),
        path_of(lambda p: Beta(p["mu"].exp(), p["log_std"].exp())),
        path_of(lambda p: Dirichlet(torch.stack([p["mu"], p["log_std"]], -1).exp())),
        numpy_noise,
        python_noise,
        drawn_again,
        lambda p: np.random.uniform() * p["mu"].sum() + np.random.rand(2)[0] * p["log_std"].sum(),
        lambda p: random.random() * p["mu"].sum() + random.randint(0, 3) * p["log_std"].sum(),
    ],
)
def test_the_mean_and_the_spread_are_those_of_calls(loss):
    """Two samples, 2¹⁴ and 2¹¹: the means to 6 standard errors, and so the means of squares."""
    policy = Gaussian(t(0.3, -0.4), t(-0.2, 0.5))
    many = vectorised(loss, policy, 2**14, Noise(3))
    few = one_by_one(loss, policy, 2**11, Noise(4))
    for name in many:
        for f in (lambda x: x, torch.square):
            m, o = f(many[name]), f(few[name])
            se = (m.var(0) / len(m) + o.var(0) / len(o)).sqrt()
            assert bool(((m.mean(0) - o.mean(0)).abs() <= 6 * se + 1e-12).all())


def test_rows_are_independent_on_every_way_through_a_branch():
    def loss(p):
        first = torch.randn((), dtype=torch.float64)
        second = torch.randn((), dtype=torch.float64) if first > 0 else first
        return (first * p["mu"] + second * p["log_std"]).sum()

    g = vectorised(loss, Gaussian(t(0.0), t(0.0)), 2**12, Noise(5))
    up = g["mu"][:, 0] > 0
    assert torch.equal(g["log_std"][~up], g["mu"][~up])
    assert len(g["log_std"][up].unique()) == int(up.sum())
    correlation = torch.corrcoef(torch.stack([g["mu"][up, 0], g["log_std"][up, 0]]))[0, 1]
    assert abs(float(correlation)) < 6 / int(up.sum()) ** 0.5


def test_numbers_that_matter_and_differ_in_every_row_are_refused():
    with pytest.raises(NotVectorised, match="compute with the tensors"):
        vectorised(lambda p: torch.randn(()).item() * p["mu"].sum(), POLICY, 256, Noise(0))


POLICY = Gaussian(t(0.3), t(-0.4))


def test_the_report_says_why_it_was_slow():
    own = np.random.default_rng(0)

    def loss(p):
        own.normal()
        a = p["mu"] + p["log_std"].exp() * float(torch.randn(()))
        return -torch.cos(a).sum()

    verdict = check(loss, POLICY, Objective(lambda a: torch.cos(a).sum(-1), 0.0), budget=2**12)
    said = next(e.text for e in verdict.evidence if e.rung == "speed")
    assert "takes its own call" in said
    assert "compute with the tensors" in said
