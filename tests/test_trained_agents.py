"""What studies/trained_agents measures with, against answers that are known."""

import math
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm
from support import FLOAT

from estimators import (
    Gaussian,
    Mixture,
    Noise,
    Objective,
    exact_gradient,
    exact_moments,
    per_sample_gradients,
    reparameterization,
    sticking_the_landing,
)

FOLDER = Path(__file__).parent.parent / "studies/trained_agents"
MODULES = ("study", "cells", "noise", "effects", "draw")
POLICY = Gaussian(torch.tensor([0.3], dtype=FLOAT), torch.tensor([-0.4], dtype=FLOAT))
OBJECTIVE = Objective(lambda a: torch.cos(2 * a).sum(-1) + (a**3).sum(-1) / 5, 0.3)


@pytest.fixture(autouse=True)
def study(monkeypatch):
    """Its modules, and a catalogue without its rows afterwards."""
    from estimators import CATALOGUE
    from sac_minimal.envs import TASKS

    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setitem(CATALOGUE, Gaussian, dict(CATALOGUE[Gaussian]))
    before = dict(TASKS)
    for name in MODULES:
        sys.modules.pop(name, None)
    import study

    yield study
    TASKS.clear()
    TASKS.update(before)
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("base", "dose"), [(reparameterization, 100.0), (sticking_the_landing, 2.5)]
)
def test_a_dose_has_the_gradient_s_mean_and_s_times_the_variance(base, dose):
    """By nodes in place of noise: three normal draws, of an estimate with m = 1."""
    from noise import dosed

    estimator = partial(dosed, dose=dose, draws=1, base=base)
    mean, variance = exact_moments(estimator, POLICY, OBJECTIVE)
    _, single = exact_moments(base, POLICY, OBJECTIVE)
    for name, gradient in exact_gradient(POLICY, OBJECTIVE).items():
        torch.testing.assert_close(mean[name], gradient, rtol=0, atol=1e-6)
        torch.testing.assert_close(variance[name], dose * single[name], rtol=1e-6, atol=0)


def test_doses_of_many_draws_have_s_times_the_covariance():
    """5·10⁴ estimates each: means within 4.5 standard errors, variances and the covariance of mu
    with log σ within 8 % (their standard error is about 1 %)."""
    from noise import DOSES, dosed

    def moments(estimator, seed):
        g = per_sample_gradients(estimator, POLICY, OBJECTIVE, 50_000, Noise(seed))
        g = torch.cat([g["mu"], g["log_std"]], -1)
        return g.mean(0), torch.cov(g.T)

    _, single = moments(reparameterization, 0)
    exact = exact_gradient(POLICY, OBJECTIVE)
    truth = torch.cat([exact["mu"], exact["log_std"]])
    for dose in (DOSES[0], 1.0, 10.0):
        mean, covariance = moments(partial(dosed, dose=dose), 1)
        assert ((mean - truth).abs() < 4.5 * (covariance.diag() / 50_000).sqrt()).all()
        torch.testing.assert_close(covariance, dose * single, rtol=0.08, atol=0.03 * dose)


def test_less_than_the_mean_s_own_noise_cannot_be_had():
    from noise import dosed

    with pytest.raises(ValueError, match="needs at least 100 draws, got 16"):
        dosed(POLICY, OBJECTIVE, Noise(), dose=0.01)


def test_the_first_rows_alone_make_the_gradient_of_the_mean():
    from noise import first_rows

    mu = torch.linspace(-1, 1, 6, dtype=FLOAT)[:, None].requires_grad_()
    policy = Gaussian(mu, torch.zeros_like(mu))
    loss = first_rows(policy, OBJECTIVE, Noise(0), rows=2).mean()
    (part,) = torch.autograd.grad(loss, mu)
    few = reparameterization(policy, OBJECTIVE, Noise(0))[:2].mean()
    (expected,) = torch.autograd.grad(few, mu)
    torch.testing.assert_close(part, expected)
    assert (part[2:] == 0).all()
    assert (part[:2] != 0).all()


def test_the_divergence_on_a_grid_is_the_gaussians():
    """KL(N(m, s²) ‖ N(0, 1)) = −log s + (s² + m² − 1)/2, however f is shifted."""
    from cells import divergence

    x = np.linspace(-8, 8, 3201)
    m, s = 0.7, 0.5
    expected = -math.log(s) + (s**2 + m**2 - 1) / 2
    found = divergence(norm.logpdf(x, m, s), norm.logpdf(x) + 3, x[1] - x[0])
    assert found == pytest.approx(expected, abs=1e-9)
    x = np.linspace(-8, 8, 801)
    log_pi = norm.logpdf(x, m, s)[:, None] + norm.logpdf(x, m, s)
    log_p = norm.logpdf(x)[:, None] + norm.logpdf(x)
    assert divergence(log_pi, log_p, x[1] - x[0]) == pytest.approx(2 * expected, abs=1e-9)


def test_usage_of_a_mixture():
    """Two states: one with equal weights, one that has collapsed; σ = 2, means 6 apart."""
    from cells import usage

    logits = torch.tensor([[0.0, 0.0], [math.log(99.0), 0.0]], dtype=FLOAT)
    mu = torch.tensor([[[0.0], [6.0]]] * 2, dtype=FLOAT)
    found = usage(Mixture(logits, mu, torch.full_like(mu, math.log(2.0))))
    entropy = -(0.99 * math.log(0.99) + 0.01 * math.log(0.01))
    mean = np.array([0.745, 0.255])
    expected = {
        "effective": (2 + math.exp(entropy)) / 2,
        "marginal": math.exp(-(mean * np.log(mean)).sum()),
        "collapsed": 0.5,
        "distance": 3.0,
    }
    assert found == pytest.approx(expected, rel=1e-9)


def test_within_and_between_states_are_those_of_the_gradient():
    """Against means of 40,000 draws of Eq. 13 for each of 8 states, and 200 single ones about them.
    The standard errors of the two ways together are some 5 %; 25 % is allowed."""
    from cells import spread

    from nabla.runs.probing import Situation
    from sac_minimal.config import Config
    from sac_minimal.envs import Space
    from sac_minimal.lineage import make_agent

    agent = make_agent(Config(hidden=8, alpha=0.3), Space(3, 1, discrete=False), Noise(0))
    obs = 3 * torch.randn(8, 3, generator=torch.Generator().manual_seed(1))
    found = spread(Situation.of(agent, obs), seed=0, draws=4000, singles=200)

    rng, within, means = Noise(5), 0.0, []
    for s in range(8):
        here = obs[s : s + 1]
        objective = agent.objective([p.detach() for p in agent.trained["critics"]], here)

        def gradient(n, here=here, objective=objective):
            loss = reparameterization(agent.policy(here), objective, rng, n)[0]
            parts = torch.autograd.grad(loss, agent.trained["actor"])
            return torch.cat([g.flatten() for g in parts])

        means.append(gradient(40_000))
        square = sum((gradient(1) - means[-1]).square().sum() for _ in range(200))
        within += float(square) / 200 / 8
    assert found["within"] == pytest.approx(within, rel=0.25)
    assert found["between"] == pytest.approx(float(torch.stack(means).var(0).sum()), rel=0.25)


def test_the_queue_names_every_run_once(study):
    """Every cell belongs to a run of the tables, and base runs are shared by the questions."""
    from cells import Run

    cells = study.queue()
    runs = [cell for cell in cells.values() if isinstance(cell, Run)]
    known = {
        study.identity(study.run(task, arm, seed))
        for task in study.TASKS
        for arm in study.ARMS
        for seed in range(10)
    }
    assert {study.identity(cell) for cell in runs} <= known
    assert {Path(c.run).name for c in cells.values() if hasattr(c, "run")} <= known
    assert len(known) == len(study.TASKS) * len(study.ARMS) * 10
    assert set(study.ROUNDS[0]) < set(study.QUEUE)
    assert len(set(study.QUEUE)) == len(study.QUEUE)


def test_an_effect_is_a_share_of_what_there_is_to_learn():
    """IQM of five is the mean of the middle three; a task that was not learned is left out."""
    from effects import effects, improvement

    base = {"a": np.array([90.0, 100, 100, 100, 110]), "b": np.array([-50.0] * 5), "c": np.zeros(5)}
    arm = {"a": base["a"] - 40, "b": np.array([-40.0] * 5), "c": np.ones(5)}
    found = effects(arm, base, {"a": -100.0, "b": -150.0, "c": 0.0})
    assert found["a"].value == pytest.approx(-0.2)
    assert found["a"].word == "worse"
    assert found["b"].value == pytest.approx(0.1)
    assert found["b"].low == found["b"].high
    assert set(found) == {"a", "b", ""}
    assert found[""].value == pytest.approx(-0.05)
    assert improvement(arm, base).value == pytest.approx((0 + 1 + 1) / 3)
    assert improvement(base, base).value == pytest.approx(0.5)


def test_words_follow_the_interval():
    from effects import Effect

    words = [
        Effect(value, low, high, seeds).word
        for value, low, high, seeds in (
            (0.0, -0.05, 0.05, 5),
            (0.05, 0.01, 0.09, 5),
            (0.2, 0.05, 0.3, 5),
            (-0.2, -0.3, -0.01, 5),
            (0.0, -0.2, 0.05, 5),
            (0.5, 0.4, 0.6, 3),
        )
    ]
    assert words == ["equivalent", "equivalent", "better", "worse", "undecided", "too few seeds"]


def test_intervals_cover(monkeypatch):
    """Normal runs, ten seeds, no difference: a nominal 95 % interval holds 0 in more than 80 % of
    300 studies (percentile bootstraps of so few are too narrow), and not in all."""
    import effects as module
    from effects import effects

    monkeypatch.setattr(module, "RESAMPLES", 500)
    rng, inside = np.random.default_rng(0), 0
    for i in range(300):
        arm, base = ({"a": rng.normal(100, 10, 10)} for _ in range(2))
        found = effects(arm, base, {"a": 0.0}, seed=i)["a"]
        inside += found.low <= 0 <= found.high
    assert 0.8 < inside / 300 < 1
