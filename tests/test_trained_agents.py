"""What studies/trained_agents measures with, against answers that are known."""

import csv
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
MODULES = ("study", "cells", "noise", "effects", "tables", "draw")
POLICY = Gaussian(torch.tensor([0.3], dtype=FLOAT), torch.tensor([-0.4], dtype=FLOAT))
OBJECTIVE = Objective(lambda a: torch.cos(2 * a).sum(-1) + (a**3).sum(-1) / 5, 0.3)


@pytest.fixture(scope="module", autouse=True)
def study():
    """Its modules; the catalogue and the tasks without its rows afterwards."""
    from estimators import CATALOGUE
    from sac_minimal.envs import TASKS

    before = dict(TASKS)
    for name in MODULES:  # another study may have some of these names
        sys.modules.pop(name, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        patch.setitem(CATALOGUE, Gaussian, dict(CATALOGUE[Gaussian]))
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


def write(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_results_become_scores_tables_and_figures(tmp_path, monkeypatch):
    """The score is the mean of the last four evaluations; a run that failed counts as the start."""
    import draw
    from tables import Scores, mode_shares, read

    def curve(task, arm, seed, height):
        name = {"task": task, "arm": arm, "seed": seed, "return_std": 0, "train_return": ""}
        return [
            name | {"step": 100 * i, "return": height * min(i, 5) / 5, "entropy": "", "alpha": 1}
            for i in range(10)
        ]

    curves = [
        point
        for task in ("Pendulum-v1", "Reacher-v5")
        for arm, height in (("base", 10), ("sticking_the_landing", 9), ("dose_0.0625", 10))
        for seed in range(4)
        for point in curve(task, arm, seed, height + seed / 100)
    ]
    write(tmp_path / "curves.csv", curves)
    named = {"task": "Pendulum-v1", "seconds": "", "finished": ""}
    diverged = {"arm": "sticking_the_landing", "seed": 4, "error": "Diverged: at step 3"}
    write(
        tmp_path / "runs.csv", [named | diverged, named | {"arm": "base", "seed": 0, "error": ""}]
    )
    state = {"task": "FourWay", "arm": "base", "alpha": 0.1, "plane": "", "distance": 3.0}
    write(
        tmp_path / "modes.csv",
        [
            state
            | {
                "seed": seed,
                "step": step,
                "state": i,
                "kl": 0.1,
                "drop": 0.2,
                "depth": 2.0,
                "mass": 0.4,
            }
            | {f"modes_{d}": 1 + (i < 3 and step == 20) for d in ("0.1", "0.5", "1")}
            for seed in (0, 1)
            for step in (10, 20)
            for i in range(4)
        ],
    )
    scores = Scores(read(tmp_path / "curves.csv"), read(tmp_path / "runs.csv"))
    assert scores.start == {"Pendulum-v1": 0, "Reacher-v5": 0}
    np.testing.assert_allclose(scores.of["base"]["Reacher-v5"], [10, 10.01, 10.02, 10.03])
    np.testing.assert_allclose(
        scores.of["sticking_the_landing"]["Pendulum-v1"], [9, 9.01, 9.02, 9.03, 0]
    )
    effect = scores.compared("estimators")["sticking_the_landing"]["Reacher-v5"]
    assert effect.value == pytest.approx(-1 / 10.015)
    assert mode_shares(read(tmp_path / "modes.csv")) == {"FourWay": [0.75, 0.75]}
    assert mode_shares(read(tmp_path / "modes.csv"), last=False) == {"FourWay": [0, 0]}

    given = ["draw.py", "--results", str(tmp_path), "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", given)
    draw.main()
    assert "| FourWay | 75%" in (tmp_path / "numbers.md").read_text()
    names = {path.name for path in tmp_path.glob("*.png")}
    assert names == {"agents-modes.png", "agents-estimators.png", "agents-doses.png"}


def test_goals_of_unequal_worth():
    """At a goal the reward is its worth; elsewhere the best goal's, worth·exp(−4 distance²)."""
    from sac_minimal.envs import make

    task = make("Uneven")
    task.reset(0)
    for place, reward in (([1, 0], 1.0), ([0, -1], 0.7), ([0, 1.5], 0.8 * math.exp(-1))):
        task.place = np.array(place, float)
        assert task.step(np.zeros(2))[1] == pytest.approx(reward)


def test_either_way_pays_for_both():
    """HalfCheetah's own reward where it moves forwards, its speed's sign turned where backwards."""
    pytest.importorskip("gymnasium")
    from sac_minimal.envs import make

    ours, theirs = make("EitherWay"), make("HalfCheetah-v5")
    ours.reset(0), theirs.reset(0)
    signs = set()
    for action in np.random.default_rng(0).uniform(-1, 1, (40, 6)):
        _, gain, _, _ = ours.step(action)
        _, reward, _, _ = theirs.step(action)
        control = -0.1 * float((action.astype(np.float32) ** 2).sum())
        signs.add(reward - control > 0)
        assert gain == pytest.approx(abs(reward - control) + control, abs=1e-6)
    assert signs == {True, False}
