"""`nabla advise`: numbers against theory, what it leaves out, which differences it calls real."""

import math
import sys

import pytest
from scipy.stats import binom, norm
from support import FALSE_ALARM
from test_command import run

from estimators import (
    CATALOGUE,
    Gaussian,
    Noise,
    measure,
    reparameterization,
    sticking_the_landing,
)
from nabla.advise.advising import candidates_for
from nabla.advise.candidates import LEVEL, Candidate, Wants, lead, terms_of
from toy_problems import build, theory

COUNTED = ["--gradient-cost", "1", "--estimates", "1000"]


def test_variance_and_cost_are_theory_s():
    """Four estimators with a closed form; cost in evaluations of Q, gradients at 3 each."""
    p = build("sac_quadratic", tau=1.3, distance=0.4)
    forms = theory.quadratic_critic(0.4 * 0.7, 0.7, 1.3 * 0.5 / 0.49, 0.5)
    ranked, left_out = candidates_for(p, Wants(gradient_cost=3.0, budget=1e3), 20_000, 0)
    assert not left_out
    assert [c.work for c in ranked] == sorted(c.work for c in ranked)
    found = {c.name: c for c in ranked}
    for name, form in forms.items():
        report = found[name].report
        z = abs(report.total_variance - form["total"]) / report.total_variance_sem
        assert z < norm.isf(FALSE_ALARM / 2), name
    costs = {name: (c.report.q_evaluations, c.gradients, c.cost) for name, c in found.items()}
    assert costs["reparameterization"] == (1, 1, 4)
    assert costs["score_function_leave_one_out"] == (2, 0, 2)
    assert costs["vargrad, n = 8"] == (8, 0, 8)
    assert costs["measure_valued"] == (4, 0, 4)
    assert costs["score_function_value"] == (65, 0, 65)


def test_terms_of_the_variance():
    """Eq. 13's entropy part is the constant −α; STL's is α(−ε/σ, −ε²), of variance
    α²(1/σ² + 2). z-test: 8th moments of ε give the standard error."""
    p = build("sac_quadratic", tau=1.3, distance=0.4)
    critic, entropy, both = terms_of(reparameterization, p, 4096, 0)
    assert entropy < 1e-20
    assert abs(both) < 1e-9 * critic
    same, entropy, both = terms_of(sticking_the_landing, p, 4096, 0)
    assert same == critic
    sigma, alpha = 0.7, 0.5
    expected = alpha**2 * (1 / sigma**2 + 2)
    eps, w = (
        x[..., 0] if x.ndim > 1 else x for x in build("cosine", mu=0.0, sigma=1.0).policy.nodes(12)
    )
    squares = alpha**2 * (eps**2 / sigma**2 + (eps**2 - 1) ** 2)
    sem = math.sqrt(float((w * squares**2).sum() - (w * squares).sum() ** 2) / 4096)
    assert abs(entropy - expected) < norm.isf(FALSE_ALARM / 2) * sem
    total = sum((critic, entropy, both))
    report = measure(sticking_the_landing, p.policy, p.objective, estimates=4096, rng=Noise(1))
    assert abs(total - report.total_variance) < norm.isf(FALSE_ALARM / 2) * math.sqrt(2) * (
        report.total_variance_sem
    )


def test_intervals_cover():
    """The interval of STL's work over Eq. 13's holds the true ratio as often as it says: binomial,
    false alarm 1e-5 (40 rounds; it would notice a coverage below 0.7)."""
    p = build("sac_quadratic", tau=0.8, distance=0.4)
    forms = theory.quadratic_critic(0.4 * 0.7, 0.7, 0.8 * 0.5 / 0.49, 0.5)
    truth = forms["reparameterization"]["total"] / forms["sticking_the_landing"]["total"]
    problem, held, rounds = (p.policy, p.objective), 0, 40
    for seed in range(rounds):
        pair = [
            Candidate(
                "",
                measure(e, *problem, estimates=2000, rng=Noise(seed + 100 * i), exact=None),
                1.0, 2.0, 0.0, (0.0, 0.0, 0.0),
            )
            for i, e in enumerate((sticking_the_landing, reparameterization))
        ]  # fmt: skip
        ratio, low, high = lead(*pair, 2)
        assert low < ratio < high
        held += low <= truth <= high
    assert held >= binom.ppf(1e-5, rounds, 1 - LEVEL)


def test_pathwise_estimators_are_left_out_where_q_jumps(capsys):
    code, out, err = run(capsys, "advise", "step", *COUNTED)
    assert (code, err) == (0, "")
    for name in ("reparameterization", "sticking_the_landing", "convex_combination"):
        assert f"left out {name}: its mean is" in out
    assert out.splitlines()[-1].startswith("Use measure_valued")


def test_no_exact_gradient_is_needed_to_see_a_jump():
    """d = 8, beyond nodes: the score function is the witness."""

    def Q(a):
        return (a[..., 0] > 0.2).to(a) + 0 * a.sum(-1) - (a**2).sum(-1)

    p = build("cosine", d=8, frequency=1.0)
    jumps = type(p)("jumps", p.policy, type(p.objective)(Q, 0.1))
    assert jumps.gradient() is None
    ranked, left_out = candidates_for(jumps, Wants(gradient_cost=1.0, budget=8.0), 4000, 0)
    assert "standard errors off" in left_out["reparameterization"]
    assert "score_function" in {c.name for c in ranked}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["sac_quadratic", "--set", "tau=1", "distance=0", "--gradient-cost", "0.5"],
            "standard deviation 0",
        ),
        (["report"], "or reparameterization_eq13: the difference is not significant"),
        (["bandit"], "Use exact: it has no variance"),
        (["cosine", "--set", "frequency=6"], "Use score_function_analytic_entropy"),
        (["cosine", "--set", "frequency=1", "--no-several", "--budget", "3"], "; 1 estimate has"),
    ],
)
def test_the_last_line_is_what_to_do(capsys, arguments, line):
    cost = [] if "--gradient-cost" in arguments else COUNTED[:2]
    code, out, err = run(capsys, "advise", *cost, *COUNTED[2:], *arguments)
    assert (code, err) == (0, "")
    assert line in out.splitlines()[-1]


@pytest.mark.parametrize(
    ("wants", "kept"),
    [
        (Wants(differentiable=False, gradient_cost=1.0), lambda c: c.gradients == 0),
        (Wants(several=False, gradient_cost=1.0), lambda c: c.report.q_evaluations == 1),
        (Wants(gradient_cost=1.0, budget=2.0), lambda c: c.cost <= 2),
    ],
)
def test_what_is_not_available_is_left_out(wants, kept):
    everything, _ = candidates_for(build("report"), Wants(gradient_cost=1.0), 1000, 0)
    ranked, left_out = candidates_for(build("report"), wants, 1000, 0)
    assert {c.name for c in ranked} == {c.name for c in everything if kept(c)}
    assert {*left_out} > {c.name for c in everything if not kept(c)}
    assert ranked


TASKS = """
import numpy as np
import torch
from estimators import Gaussian, Mixture, Objective
from toy_problems import Problem

def Q(a):
    return torch.cos(5 * a[..., 0]) - (a**2).sum(-1)

def made(w=3.0):
    mu = torch.zeros(2, dtype=torch.float64)
    objective = Objective(lambda a: torch.sin(w * a).sum(-1), 0.1)
    return Problem("made", Gaussian(mu, mu - 0.7), objective)

fixed = made()

def number(w=3.0):
    return w

def whole(m=2):
    return made(m)

def critic(a):
    return (a @ torch.ones(1, 3)).sin().sum(-1)  # float32, as a module of torch.nn

def nan(a):
    return a[..., 0] / 0 - a[..., 0] / 0

def simulator(a):
    return torch.from_numpy(10 * np.cos(4 * a.detach().numpy()).sum(-1))
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_advice.py").write_text(TASKS)
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("own_advice", None)


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    "arguments",
    [
        ["own_advice:Q", "--mu", "0.1", "1"],
        ["own_advice:Q", "--mu", "-1", "1", "--logits", "0", "0.5"],
        ["own_advice:made", "--set", "w=5"],
        ["own_advice:critic", "--mu", "0.1", "--dtype", "float32"],
        ["own_advice:fixed", "--no-differentiable"],
    ],
)
def test_problems_of_one_s_own(capsys, arguments):
    code, out, err = run(capsys, "advise", *arguments, *COUNTED)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith("Use ")


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("how", [[], ["--no-differentiable"]])
def test_a_q_outside_the_graph_is_not_differentiated(capsys, how):
    """With a baseline by nodes the score function sees Q where actions carry gradient: no harm."""
    arguments = ["own_advice:simulator", "--mu", "0.2", *how, "--budget", "100"]
    code, out, err = run(capsys, "advise", *arguments, *COUNTED)
    assert (code, err) == (0, "")
    pathwise = "reparameterization", "sticking_the_landing", "reparameterization_taylor"
    for name in (*pathwise, "reparameterization_eq13", "convex_combination"):
        assert f"left out {name}: Q is not differentiable" in out
    kept = out.split("\n\n")[1]
    assert "\nscore_function_value " in kept
    names = [line.split(",")[0].split()[0] for line in kept.split("\n")[2:]]
    assert not any(CATALOGUE[Gaussian][name].misses_jumps for name in names)


def test_an_event_too_rare_to_be_drawn_is_no_bias(capsys):
    """P(a > 3.5) = 6e-6: of 1000 draws none, and nothing can be said of any mean."""
    rare = ["step", "--set", "threshold=3.5", "mu=0", "--alpha", "0", *COUNTED]
    code, _, err = run(capsys, "advise", *rare)
    assert code == 2
    assert "score_function: what decides its mean happens in too few of its draws" in err
    assert "standard errors off" not in err


def test_measured_time_is_a_cost_too(capsys):
    code, out, err = run(capsys, "advise", "cosine", "--estimates", "1000", "--budget", "1e6")
    assert (code, err) == (0, "")
    assert "cost in µs" in out


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "unknown problem"),
        (["cosine", "--budget", "0"], "budget"),
        (["cosine", "--budget", "nan"], "budget"),
        (["cosine", "--gradient-cost", "-1"], "gradient-cost"),
        (["cosine", "--gradient-cost", "inf"], "gradient-cost"),
        (["cosine", "--estimates", "10"], "estimates"),
        (["cosine", "--seed", "-1"], "seed"),
        (["cosine", "--set", "speed=1"], "no setting 'speed'"),
        (["cosine", "--gradient-cost", "1", "--budget", "0.5"], "no unbiased estimator"),
        (["own_advice:Q"], "needs a policy"),
        (["own_advice:Q", "--mu", "0", "--set", "w=1"], "--set"),
        (["own_advice:made", "--set", "v=1"], "'v'"),
        (["own_advice:number"], "must return"),
        (["own_advice:critic", "--mu", "0"], "give --dtype float32"),
        (["own_advice:whole", "--set", "m=2.7"], "m must be a whole number, got 2.7"),
        (["own_advice:nan", "--mu", "0"], "not finite"),
        (["own_advice:absent"], "no attribute"),
    ],
)
def test_bad_input_is_one_sentence(capsys, arguments, said):
    code, _, err = run(capsys, "advise", *arguments)
    assert code == 2
    assert said in err
    assert len(err.splitlines()) == 1
