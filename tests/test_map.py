"""`nabla map`: batched moments against exact_moments, winners against theory, one sentence for bad
input."""

import itertools
import math
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_command import run

from estimators import (
    CATALOGUE,
    Gaussian,
    Mixture,
    TooManyNodes,
    exact_moments,
    leave_one_out,
    marginalized,
    measure_valued,
    reparameterization,
    score_function,
    sticking_the_landing,
)
from estimators.quadrature.batched import batched_moments
from nabla.family import load_family
from nabla.map.grid import evaluate, spot_check
from nabla.map.mapping import mapped
from nabla.options import Ask
from nabla.target import Target
from toy_problems import PROBLEMS, build, theory

FLOAT = torch.float64


def random_settings(name, count, seed=0):
    """Every setting that is a real number, moved a little."""
    rng = np.random.default_rng(seed)
    defaults = load_family(Target(name)).known
    return {
        k: torch.tensor((0.1 + abs(v)) * rng.uniform(0.5, 1.2, count))
        if k != "weight"
        else torch.tensor(rng.uniform(0.2, 0.8, count))
        for k, v in defaults.items()
        if isinstance(v, float)
    }


@pytest.mark.parametrize(
    "name", sorted({*PROBLEMS} - {"bandit", "landscape", "joint_table", "hybrid"})
)
def test_a_batch_of_problems_is_its_problems(name):
    settings = random_settings(name, 3)
    family = load_family(Target(name))
    assert family.can_batch({k: v.numpy() for k, v in settings.items()})
    many = build(name, **settings)
    if many.value is not None:
        for i, value in enumerate(many.value(many.policy)):
            one = build(name, **{k: float(v[i]) for k, v in settings.items()})
            assert abs(float(value - one.value(one.policy))) < 1e-12 * (1 + abs(float(value)))


@pytest.mark.parametrize(
    ("name", "estimator"),
    [
        *itertools.product(
            ("report", "cosine", "bump", "squashed", "gaussian_target"),
            (reparameterization, sticking_the_landing, score_function),
        ),
        ("cosine", measure_valued),
        ("report_mixture", reparameterization),
        ("report_mixture", marginalized),
        ("report_mixture", score_function),
    ],
)
def test_batched_moments_are_exact_moments(name, estimator):
    settings = random_settings(name, 4, seed=1)

    def cells(i):
        problem = build(name, **{k: v[i] for k, v in settings.items()})
        return estimator, problem.policy, problem.objective

    mean, variance, error, _ = batched_moments(cells, 4)
    for i in (0, 3):
        one = build(name, **{k: float(v[i]) for k, v in settings.items()})
        for got, exact in zip(
            (mean, variance), exact_moments(estimator, one.policy, one.objective), strict=True
        ):
            for k in exact:
                gap = (got[k][i] - exact[k]).abs().max()
                assert gap <= 1e-9 * (1 + exact[k].abs().max()) + exact.error + error[i].max()
    two_draws = estimator in (measure_valued, marginalized)  # coarser; and there is a sign(ε)
    assert error.max() < (0.1 if two_draws else 1e-8)


def test_batched_moments_tell_their_error_at_a_jump_and_refuse_many_draws():
    def cells(i):
        problem = build("step", mu=torch.linspace(-1, 1, 5, dtype=FLOAT)[i])
        return score_function, problem.policy, problem.objective

    mean, variance, error, _ = batched_moments(cells, 5)
    for i in range(5):
        problem = build("step", mu=float(torch.linspace(-1, 1, 5, dtype=FLOAT)[i]))
        exact, spread = exact_moments(score_function, problem.policy, problem.objective)
        gap = max(
            abs(float(mean["mu"][i] - exact["mu"])), abs(float(variance["mu"][i] - spread["mu"]))
        )
        assert 1e-6 < gap < 6 * float(error[i].max())

    def three(i):
        problem = build("quadratic", d=3, alpha=torch.ones(2, dtype=FLOAT)[i])
        return score_function, problem.policy.map(lambda p: p.expand(len(i), 3)), problem.objective

    with pytest.raises(TooManyNodes, match="3 scalar"):
        batched_moments(three, 2)


@pytest.mark.parametrize("estimator", [reparameterization, score_function])
def test_no_wave_deceives_the_nodes(estimator):
    """σω up to 29: the first rule and its half repeat at multiples of 20.1 and 10.05."""
    frequency, sigma, mu, alpha = torch.linspace(2, 42, 61, dtype=FLOAT), 0.7, 0.4, 0.2

    def cells(i):
        w = frequency[i]
        here = build("cosine", frequency=w, mu=0 * w + mu, sigma=sigma, alpha=alpha)
        return estimator, here.policy, here.objective

    _, variance, error, _ = batched_moments(cells, len(frequency))
    known = theory.cosine_variances(frequency.numpy(), mu, sigma, alpha)[estimator.__name__]
    gap = (variance["mu"][:, 0] - torch.as_tensor(known)).abs()
    assert (gap <= 1e-9 * (1 + torch.as_tensor(known)) + 6 * error[:, 1]).all()
    assert (error[:, 1] < 1e-6).all()


def test_spikes_between_the_nodes_are_seen():
    """e^{−ka²} is a hundredth of σ wide at k = 10⁴: every rule of the first level is blind."""
    k = torch.logspace(0, 4, 9, dtype=FLOAT)
    for mu in (0.0, 0.1):

        def cells(i, mu=mu):
            here = build("bump", k=k[i], mu=0 * k[i] + mu, alpha=0.0)
            return reparameterization, here.policy, here.objective

        _, variance, error, _ = batched_moments(cells, len(k))
        for i in (0, 4, 8):
            problem = build("bump", k=float(k[i]), mu=mu, alpha=0.0)
            _, exact = exact_moments(reparameterization, problem.policy, problem.objective)
            assert abs(float(variance["mu"][i] - exact["mu"])) <= 1e-9 * (1 + float(exact["mu"]))
            assert error[i].max() < 1e-4


def test_a_spike_narrower_than_every_rule_is_not_called_exact():
    """A thousandth of σ wide, wherever the nodes are: it counts by its area, k^½ for all of μ."""
    mu = torch.linspace(-0.5, 0.5, 20, dtype=FLOAT)

    def cells(i):
        here = build("bump", k=1e6, mu=mu[i], alpha=0.0)
        return reparameterization, here.policy, here.objective

    _, variance, error, _ = batched_moments(cells, len(mu))
    flat = Gaussian(torch.zeros(1, dtype=FLOAT), torch.full((1,), 0.7, dtype=FLOAT).log())
    known = 1e3 * math.sqrt(math.pi / 8) * flat.log_prob(mu[:, None]).exp()  # ∫ (Q′)² π, π constant
    assert ((variance["mu"][:, 0] - known).abs() < 0.01 * known + 6 * error[:, 1]).all()


def test_a_wrong_sheet_is_caught_by_the_spot_check():
    family, axes = load_family(Target("cosine")), {"sigma": np.ones(2), "mu": np.ones(2)}
    names = {"reparameterization": reparameterization}
    sheet = evaluate(family, axes, reparameterization, "mu", 2, 0)
    deviation, wrong = spot_check(family, axes, {"reparameterization": sheet}, names, "mu", 0)
    assert deviation < 1e-12
    assert not wrong
    off = {"reparameterization": replace(sheet, variance=1.1 * sheet.variance)}
    assert spot_check(family, axes, off, names, "mu", 0)[1]


@pytest.mark.parametrize("entry", ["mu", "log_std", "total"])
def test_winners_on_the_quadratic_critic_are_theory_s(capsys, tmp_path, entry):
    code, _, err = run(
        capsys, "map", "--x", "tau=0.3:3:log", "--y", "distance=0:1", "--grid", "12",
        "--entry", entry, "--set", "d=2", "--out", str(tmp_path),
    )  # fmt: skip
    assert (code, err) == (0, "")
    folder = tmp_path / "map-sac_quadratic-tau-distance"
    with np.load(folder / "map.npz", allow_pickle=False) as file:
        data = dict(file)
    ratio, tau = np.meshgrid(data["axis_distance"], data["axis_tau"], indexing="ij")
    alpha, sigma = 0.5, 0.7
    forms = theory.quadratic_critic(ratio * sigma, sigma, tau * alpha / sigma**2, alpha, 2)
    names = [str(n) for n in data["names"]]
    for name in names:
        assert np.allclose(data[f"variance_{name}"], forms[name][entry], rtol=1e-9, atol=1e-12)
    winner = np.argmin([forms[n][entry] for n in names], 0)
    assert (winner == data["winner"])[data["decided"]].all()
    assert data["decided"].mean() > 0.9
    assert (folder / "figure.png").stat().st_size > 10_000
    assert (folder / "figure.pdf").read_bytes().startswith(b"%PDF")
    assert not list(folder.rglob("*.part"))


def test_every_closed_form_on_a_map_is_the_map_s():
    from toy_problems.theory.maps import CLOSED_FORMS, closed_forms

    for name in CLOSED_FORMS:
        family = load_family(Target(name))
        settings = {k: v.numpy() for k, v in random_settings(name, 4, seed=2).items()}
        forms = closed_forms(name, {**family.known, **settings})
        for i in (0, 3):
            mine = load_family(Target(name, tuple(f"{k}={v[i]}" for k, v in settings.items())))
            x, y = list(settings)[:2]
            grid = {k: settings[k][i : i + 1] for k in (x, y)}
            for estimator, entries in forms.items():
                for entry, form in entries.items():
                    own = CATALOGUE[Gaussian][estimator]
                    sheet = evaluate(mine, grid, own, entry, 2, 0)
                    assert abs(sheet.variance[0, 0] - form[i]) < 1e-9 * (1 + form[i]), estimator


TASKS = """
import math, torch
from estimators import Gaussian, Objective
from toy_problems import Problem

def Q(a, w=2.0):
    return torch.cos(w * a[..., 0]) - a[..., 0] ** 2

def wave(a, w=3.0, unit=1.0):
    return unit * torch.cos(w * a).sum(-1)

def jumps(a, at=0.0, times=1):
    return times * (a[..., 0] > at).double()

def critic(a):
    return (a @ torch.ones(1, 3)).sin().sum(-1)  # float32, as a module of torch.nn

def made(frequency=2.0, sigma=0.5):
    mu = torch.zeros(1, dtype=torch.float64)
    Q = lambda a: torch.sin(frequency * a).sum(-1)
    return Problem("made", Gaussian(mu, mu + math.log(sigma)), Objective(Q, 0.1))

def wrong(frequency=2.0, sigma=1.0):
    return frequency

def needs(a, w):
    return a.sum(-1)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_maps.py").write_text(TASKS)
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("own_maps", None)


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["own_maps:Q", "--x", "w=1:4", "--y", "mu=-1:1", "--mu", "0"], "exact"),
        (["own_maps:Q", "--x", "w=1:4", "--y", "alpha=0.1:1", "--mu", "0", "1"], "exact"),
        (["own_maps:made", "--x", "frequency=1:4", "--y", "sigma=0.1:1:log"], "exact"),
        (["own_maps:jumps", "--x", "at=-1:1", "--y", "mu=-1:1", "--mu", "0"], "left out reparam"),
        (["own_maps:Q", "--x", "w=1:3", "--y", "alpha=.1:1", "--mu", "-1", "1", "--logits", "0",
          "0"], "marginalized"),
        (["quadratic", "--x", "d=2:4", "--y", "condition=1:9", "--estimates", "200"], "measured"),
        (["quadratic", "--x", "d=10:11", "--y", "condition=1:9", "--estimates", "100"],
         "score_function_leave_one_out"),
        (["own_maps:jumps", "--x", "at=-.1:.1", "--y", "alpha=.01:.1", "--mu", *["0"] * 11,
          "--estimates", "500"], "left out reparameterization: its mean is not the gradient"),
        (["quadratic", "--x", "d=2:2.3", "--y", "condition=1:100:log", "--entry", "mu", "--set",
          "sigma=0.3"], "exact"),
        (["bandit", "--x", "alpha=0.1:1", "--y", "arms=2:4"], "exact"),
        (["cosine", "--x", "sigma=0.3:1", "--y", "mu=0:1", "--by", "q"], "Q evaluations"),
        (["cosine", "--x", "sigma=0.3:1", "--y", "mu=0:1", "--by", "seconds"], "time"),
        (["cosine", "--x", "sigma=0.3:1", "--y", "mu=0:1", "--estimators", "score_function",
          "reparameterization", "score_function_batch_mean"], "cells (the gradient times 1 − 1/n)"),
        (["squashed", "--x", "sigma=0.3:1", "--y", "frequency=1:3", "--set", "mu=1"], "exact"),
        (["cosine", "--x", "sigma=0.3:1", "--y", "mu=0:1", "--squash"], "exact"),
    ],
)  # fmt: skip
def test_maps_of_other_problems(capsys, tmp_path, arguments, said):
    code, out, err = run(capsys, "map", *arguments, "--grid", "4", "--out", str(tmp_path))
    assert (code, err) == (0, "")
    assert said in out
    assert next(tmp_path.glob("map-*/figure.png")).stat().st_size > 10_000


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "unknown problem"),
        (["cosine", "--x", "speed=0:1"], "no setting 'speed'"),
        (["cosine", "--x", "sigma=1", "--y", "mu=0:1"], "name=low:high"),
        (["cosine", "--x", "sigma=a:b", "--y", "mu=0:1"], "name=low:high"),
        (["cosine", "--x", "sigma=1:2:lin", "--y", "mu=0:1"], "name=low:high"),
        (["cosine", "--x", "sigma=0.3:1", "--y", "sigma=0.3:1"], "differ"),
        (["cosine", "--x", "sigma=1:0.3", "--y", "mu=0:1"], "low to high"),
        (["cosine", "--x", "sigma=0:1:log", "--y", "mu=0:1"], "above 0"),
        (["cosine", "--x", "sigma=-1:1", "--y", "mu=0:1"], "sigma must be positive"),
        (["cosine", "--x", "sigma=nan:1", "--y", "mu=0:1"], "low to high"),
        (["cosine", "--x", "sigma=.1:1", "--y", "mu=0:1", "--entry", "logits"], "the policy has"),
        (["cosine", "--x", "sigma=.1:1", "--y", "mu=0:1", "--grid", "1"], "grid"),
        (["cosine", "--x", "sigma=.1:1", "--y", "mu=0:1", "--estimates", "1"], "estimates"),
        (["cosine", "--x", "sigma=.1:1", "--y", "mu=0:1", "--seed", "-1"], "seed"),
        (["cosine", "--x", "sigma=.1:1", "--y", "mu=0:1", "--set", "z=1"], "no setting 'z'"),
        (["cosine", "--x", "sigma=.1:1", "--y", "mu=0:1", "--set", "sigma=1"], "sigma is an axis"),
        (["cosine", "--x", "sigma=.1:1", "--y", "alpha=.1:1", "--alpha", "1"], "alpha is an axis"),
        (["cosine", "--x", "sigma=.1:1", "--y", "mu=0:1", "--mu", "1"], "--set"),
        (["cosine", "--x", "sigma=.1:1", "--y", "mu=0:1", "--estimators", "exact"], "two"),
        (
            [
                "step",
                "--x",
                "mu=-1:1",
                "--y",
                "alpha=.1:1",
                "--grid",
                "4",
                "--estimators",
                "reparameterization",
                "sticking_the_landing",
            ],
            "landing: its mean is not the gradient",
        ),
        (["squashed", "--x", "sigma=.3:1", "--y", "mu=0:1", "--squash"], "squashed already"),
        (["own_maps:Q", "--x", "w=1:4", "--y", "alpha=0.1:1"], "needs a policy"),
        (["own_maps:Q", "--x", "w=1:4", "--y", "alpha=0.1:1", "--mu", "0", "--set", "v=1"], "'v'"),
        (
            [
                "own_maps:jumps",
                "--x",
                "at=-1:1",
                "--y",
                "mu=-1:1",
                "--mu",
                "0",
                "--set",
                "times=2.7",
            ],
            "times must be a whole number, got 2.7",
        ),
        (
            ["own_maps:critic", "--x", "mu=-1:1", "--y", "log_std=-1:1", "--mu", "0"],
            "float32 actions alone",
        ),
        (["own_maps:wrong", "--x", "frequency=1:4", "--y", "sigma=0.1:1"], "must return"),
        (["own_maps:made", "--x", "frequency=1:4", "--y", "sigma=.1:1", "--mu", "0"], "its own"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(capsys, tmp_path, arguments, said):
    out = tmp_path / "out"
    code, _, err = run(capsys, "map", *arguments, "--out", str(out))
    assert code == 2
    assert said in err
    assert len(err.splitlines()) == 1
    assert not out.exists()


@pytest.mark.usefixtures("own")
def test_the_unit_of_q_decides_nothing():
    """Q → cQ and α → cα multiply every variance by c²."""

    def winners(unit):
        target = Target("own_maps:wave", (f"unit={unit}",), mu=(0.2,), alpha=0.0)
        ask = Ask("w=1:8", "log_std=-1:0", by="q", grid=4, estimates=2)
        return mapped(target, ask).result

    one, tiny = winners(1.0), winners(1e-11)
    assert tiny.names == one.names
    assert np.allclose(tiny.scores, 1e-22 * one.scores, rtol=1e-6, atol=0)
    assert (tiny.winner == one.winner).all()
    assert (tiny.decided == one.decided).all()


@pytest.mark.usefixtures("own")
def test_a_number_moves_every_coordinate_whatever_their_mean_was():
    given = {"mu": (-1.0, 1.0), "log_std": (-0.5, 0.5)}
    assert load_family(Target("own_maps:Q", **given)).at().policy.mu.tolist() == [-1, 1]
    for number in (0.0, 0.3):
        moved = load_family(Target("own_maps:Q", (f"mu={number}", f"log_std={number}"), **given))
        assert moved.at().policy.mu.tolist() == [number] * 2
        assert moved.at().policy.log_std.tolist() == [number] * 2


def test_leave_one_out_and_mixtures_take_two_dimensions_of_nodes():
    mixture = Mixture(*(torch.zeros(2, *s, dtype=FLOAT) for s in ((2,), (2, 1), (2, 1))))
    objective = build("cosine").objective

    def cells(i):
        def loo(policy, objective, rng, n=2):
            return score_function(policy, objective, rng, n, leave_one_out)

        return loo, mixture.map(lambda p: p[i]), objective

    _, variance, *_ = batched_moments(cells, 2)
    _, exact = exact_moments(cells(torch.tensor([0]))[0], mixture.map(lambda p: p[0]), objective)
    assert (variance["mu"][0] - exact["mu"]).abs().max() < 1e-7
