"""What people hand to `check`, beyond clean estimators: the verdict and the words each gets."""

import json
import re
import sys
from functools import partial

import numpy as np
import pytest
import torch
from support import FLOAT, t
from torch.distributions import Normal

from estimators import (
    CATALOGUE,
    Categorical,
    Gaussian,
    Objective,
    Policy,
    assert_unbiased,
    check,
    reparameterization,
    score_function,
    squash,
    sticking_the_landing,
)
from estimators.checking.tails import Tails
from nabla.cli import main

ALPHA = 0.4
POLICY = Gaussian(t(0.3, -0.7), t(-0.4, -0.9))


def Q(a):
    return torch.sin(1.3 * a).sum(-1) - 0.3 * (a**2).sum(-1)


OBJECTIVE = Objective(Q, ALPHA)


def right_loss(params):
    pi = Normal(params["mu"], params["log_std"].exp())
    u = pi.rsample()
    return ALPHA * pi.log_prob(u).sum(-1) - Q(u)


def single(policy, objective, rng, n=1):
    """In single precision whatever it is given."""
    return reparameterization(policy.map(torch.Tensor.float), objective, rng, n).double()


def critic(seed=0):
    rng = torch.Generator().manual_seed(seed)
    w, v = torch.randn(2, 16, generator=rng), torch.randn(16, generator=rng)
    return lambda a: (torch.tanh(a.float() @ w) @ v).to(a.dtype)


@pytest.mark.parametrize(
    ("estimator", "objective"),
    [
        (reparameterization, Objective(critic(), ALPHA)),
        (sticking_the_landing, Objective(critic(), ALPHA)),
        (single, OBJECTIVE),
    ],
)
def test_single_precision_inside_is_no_dependence_between_rows(estimator, objective):
    assert check(estimator, POLICY, objective).status == "unbiased"
    off = check(lambda p, o, rng: 1.001 * estimator(p, o, rng), POLICY, objective)
    assert off.status == "biased", str(off)

    def batch_baseline(policy, objective, rng):
        a = policy.sample(1, rng)
        cost = objective.cost(policy, a).detach()
        return ((cost - 0.01 * cost.mean()) * policy.log_prob(a)).mean(0)

    dependent = check(batch_baseline, POLICY, Objective(critic(), ALPHA))
    assert dependent.status == "broken"
    assert "rows are not independent" in dependent.headline


def test_in_double_precision_a_slight_dependence_between_rows_is_found():
    def slight(policy, objective, rng):
        own = reparameterization(policy, objective, rng)
        return own + 1e-9 * own.sum()

    assert "rows are not independent" in check(slight, POLICY, OBJECTIVE).headline


TASKS = """
import sys
from functools import partial
import torch
from torch.distributions import Normal

def Q(a):
    return torch.sin(1.3 * a).sum(-1) - 0.3 * (a**2).sum(-1)

def loss(p):
    pi = Normal(p["mu"], p["log_std"].exp())
    u = pi.rsample()
    return 0.4 * pi.log_prob(u).sum(-1) - Q(u)
"""
COMMAND = ["own_faults:loss", "own_faults:Q", "--mu", "0.3", "-0.7", "--budget", "40000"]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    (tmp_path / "own_faults.py").write_text(TASKS)
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("own_faults", None)

    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main(["check", *arguments])
        return exit_.value.code, capsys.readouterr().out

    return run


def test_command_says_which_policy_and_temperature_it_assumed(run):
    code, out = run(*COMMAND)
    assert code == 1
    assert "mu = [0.3, -0.7], log_std = [0.0, 0.0] (the default: none was given)" in out
    assert "alpha = 1.0 (the default: none was given)" in out
    assert "It looks like this slip: the weight of the entropy term is not α (0." in out
    assert ", α is 1)" in out
    code, out = run(*COMMAND, "--log-std", "-0.4", "--alpha", "0.4", "--json")
    used = json.loads(out)["used"]
    assert (used["log_std"], used["alpha"], used["defaults"]) == ([-0.4, -0.4], 0.4, [])
    assert "default" not in run("reparameterization", "report")[1]


def noted(verdict):
    return next(e.text for e in verdict.evidence if e.rung == "diagnosis")


@pytest.mark.parametrize("alpha", [1.0, 0.0])
def test_another_entropy_weight_is_measured(alpha):
    verdict = check(right_loss, POLICY, Objective(Q, alpha), budget=2**15)
    assert verdict.diagnosis == "entropy_weight", str(verdict)
    said = re.search(r"term is not α \((\S+) ± (\S+), α is (\S+)\)", noted(verdict))
    weight, error, told = map(float, said.groups())
    assert abs(weight - 0.4) <= 4 * error <= 0.03
    assert told == alpha


def test_diagnosis_by_a_measured_reference():
    d, rng = 20, torch.Generator().manual_seed(0)
    w, v = torch.randn(d, 32, generator=rng) / 4, torch.randn(32, generator=rng)
    policy = Gaussian(torch.linspace(-0.5, 0.5, d).double(), torch.full((d,), -0.5).double())
    objective = Objective(lambda a: (a @ w.to(a)).relu() @ v.to(a), ALPHA)

    def other_weight(policy, objective, rng):
        return reparameterization(policy, Objective(objective.Q, 0.0), rng)

    for key, slip in {
        "sign": lambda p, o, rng: -reparameterization(p, o, rng),
        "missing_entropy": other_weight,
    }.items():
        verdict = check(slip, policy, objective, budget=2**15)
        assert (verdict.status, verdict.diagnosis) == ("biased", key), str(verdict)
        assert "by a measured reference" in noted(verdict)


def test_of_the_slips_that_fit_the_best_is_named():
    """32,768 draws cannot tell a cost left attached from a forgotten α: more can, unless both are
    the same."""
    rewards = t(0.3, -1, 2, 0.7, -0.2)
    policy = Categorical(t(0.1, 0.7, -0.5, 0, 1))

    def attached(params, alpha):
        pi = torch.distributions.Categorical(logits=params["logits"])
        a = pi.sample((1,))
        return (alpha * pi.log_prob(a) - rewards[a]) * pi.log_prob(a)

    verdict = check(partial(attached, alpha=0.6), policy, Objective(lambda a: rewards[a], 0.6))
    assert verdict.diagnosis == "attached_cost", str(verdict)
    assert "or" not in noted(verdict).split()


def test_slips_with_one_mean_are_all_named():
    def attached(policy, objective, rng):
        a = policy.sample(1, rng)
        return (objective.cost(policy, a) * policy.log_prob(a)).mean(0)

    policy = Categorical(t(0.1, 0.7, -0.5))
    verdict = check(attached, policy, Objective(lambda a: t(0.3, -1, 2)[a], 0.5))
    assert "α is forgotten (taken as 1), or the cost is left attached" in noted(verdict)

    def half_of_two(params):
        pi = Normal(params["mu"], params["log_std"].exp())
        u = pi.rsample((2,))
        return (ALPHA * pi.log_prob(u).sum(-1) - Q(u)).mean() / 2

    half = check(half_of_two, POLICY, OBJECTIVE, budget=2**15)
    assert "a baseline that sees its own action (n = 2" in noted(half)
    assert "or the gradient divided by n once too often (n = 2" in noted(half)


@pytest.mark.parametrize("policy", [POLICY, Gaussian(t(0.3), t(-0.4))])
@pytest.mark.parametrize("squashed", [False, True])
def test_a_pathwise_loss_whose_q_jumps(policy, squashed):
    def stairs(a):
        return torch.round(3 * a).sum(-1)

    def loss(params):
        pi = Normal(params["mu"], params["log_std"].exp())
        u = pi.rsample()
        log_prob, a = pi.log_prob(u), u
        if squashed:
            a = torch.tanh(u)
            log_prob = log_prob - torch.log(1 - a**2 + 1e-6)
        return ALPHA * log_prob.sum(-1) - stairs(a)

    objective = Objective(stairs, ALPHA)
    verdict = check(loss, policy, squash(objective) if squashed else objective, budget=2**15)
    assert verdict.status == "biased"
    assert verdict.diagnosis == "discontinuous_q", str(verdict)


def sometimes(does):
    """A right loss that misbehaves once in a hundred calls."""

    def loss(params):
        if torch.rand(()).item() < 0.01:
            does()
        return right_loss(params)

    return loss


def crash():
    raise RuntimeError("simulator crashed")


def later(of_later):
    """A right gradient, but for what becomes of some of them."""

    def gradients(params, seed):
        eps = np.random.default_rng(seed).normal(size=2)
        sigma = np.exp(params["log_std"])
        slope = -1.3 * np.cos(1.3 * (params["mu"] + sigma * eps))
        slope += 0.6 * (params["mu"] + sigma * eps)
        right = {"mu": slope, "log_std": slope * sigma * eps - ALPHA}
        return of_later(right) if seed % 97 == 0 else right

    return gradients


def q_fails(a):
    raise RuntimeError("critic is down")


def varying(policy, objective, rng):
    """Draws again until all are within 3 standard deviations: right but for that."""
    z = rng.normal((1, *policy.mu.shape), policy.mu)
    while bool((z.abs() > 3).any()):
        z = torch.where(z.abs() > 3, rng.normal(z.shape, policy.mu), z)
    return objective.cost(policy, policy.mu + policy.log_std.exp() * z).mean(0)


def none(params, seed):
    return {"mu": np.zeros((0, 2)), "log_std": np.zeros((0, 2))}


@pytest.mark.parametrize(
    ("thing", "objective", "words"),
    [
        (sometimes(crash), OBJECTIVE, "it raises RuntimeError: simulator crashed"),
        (sometimes(lambda: sys.exit(0)), OBJECTIVE, "it raises SystemExit: 0"),
        (lambda params: sys.exit(0), OBJECTIVE, "it raises SystemExit: 0"),
        (later(lambda g: 1 / 0), OBJECTIVE, "it raises ZeroDivisionError"),
        (later(lambda g: {**g, "mu": g["mu"][:1]}), OBJECTIVE, "must be [2] or"),
        (right_loss, Objective(q_fails, ALPHA), "Q raises RuntimeError: critic is down"),
        (right_loss, Objective(lambda a: torch.log(a + 2).sum(-1), ALPHA), "Q is not finite in"),
        (
            reparameterization,
            Objective(lambda a: torch.log(a + 2).sum(-1), ALPHA),
            "Q is not finite in",
        ),
        (right_loss, Objective(lambda a: a, ALPHA), "BROKEN — Q must map actions"),
        (none, OBJECTIVE, "0 estimates"),
    ],
)
def test_what_goes_wrong_after_the_contract_is_a_finding(thing, objective, words):
    verdict = check(thing, POLICY, objective, budget=2**13)
    assert verdict.status == "broken", str(verdict)
    assert words in verdict.headline
    with pytest.raises(AssertionError, match="BROKEN"):
        assert_unbiased(thing, POLICY, objective, budget=2**13)


def test_a_varying_number_of_draws_is_measured():
    verdict = check(varying, POLICY, OBJECTIVE, budget=2**13)
    assert verdict.status in ("biased", "undecided"), str(verdict)
    assert [e.outcome for e in verdict.evidence if e.rung == "nodes"] == ["skipped"]


def test_command_calls_an_exit_a_finding(run, tmp_path):
    (tmp_path / "exits.py").write_text("import sys\ndef loss(params):\n    sys.exit(0)\n")
    code, out = run("exits:loss", "report", "--json")
    assert code == 2
    assert json.loads(out)["status"] == "broken"
    (tmp_path / "gone.py").write_text("raise SystemExit(0)\n")
    assert run("gone:loss", "report")[0] == 2


def test_a_bounded_estimate_has_no_heavy_tails():
    """It is tiny but for one draw in 20,000: rare, and no infinite variance."""
    tanh = Objective(lambda a: torch.tanh(a).sum(-1), 0.0)
    verdict = check(CATALOGUE[Gaussian]["measure_valued"], Gaussian(t(0.3), t(5.0)), tanh)
    assert "heavy" not in str(verdict)
    u = torch.rand(2**17, 1, generator=torch.Generator().manual_seed(0), dtype=FLOAT)
    tails = Tails()
    tails.add(1 / u)
    assert tails.heavy()


def fixed_seed(params, seed):
    eps = np.random.default_rng(0).normal(size=(4096, 2))
    sigma = np.exp(params["log_std"])
    slope = -2 * (params["mu"] + sigma * eps)
    return {"mu": slope, "log_std": slope * sigma * eps}


def reseeding(params):
    torch.manual_seed(0)
    return right_loss(params)


def dropout(a):
    return torch.nn.functional.dropout(a, 0.5).sum(-1)


class Loss(torch.nn.Module):
    def forward(self, params):
        return right_loss(params)


@pytest.mark.parametrize(
    ("thing", "objective", "words"),
    [
        (fixed_seed, Objective(lambda a: (a**2).sum(-1), 0.0), "different seeds give the same"),
        (reseeding, OBJECTIVE, "it reseeds the global generator of torch"),
        (lambda p: (right_loss(p), {}), OBJECTIVE, "must return a tensor, got tuple"),
        (lambda p: {"loss": right_loss(p)}, OBJECTIVE, "must return a tensor, got dict"),
        (lambda p: right_loss(p).item(), OBJECTIVE, "must return a tensor, got float"),
        (lambda p: None, OBJECTIVE, "must return a tensor, got NoneType"),
        (reparameterization, Objective(dropout, ALPHA), "Q is random"),
        (right_loss, Objective(dropout, ALPHA), "Q is random"),
    ],
)
def test_the_sentence_says_whose_fault_it_is(thing, objective, words):
    verdict = check(thing, POLICY, objective, budget=2**13)
    assert verdict.status == "broken", str(verdict)
    assert words in verdict.headline


def test_modules_and_functions_of_any_arguments_are_tried_as_losses():
    for loss in (Loss(), lambda *args: right_loss(*args)):
        verdict = check(loss, POLICY, OBJECTIVE, delta=0.1, budget=2**15)
        assert verdict.status == "unbiased", str(verdict)
    with pytest.raises(TypeError, match="wrap it in a lambda"):
        check(lambda: 0, POLICY, OBJECTIVE)


def test_undecided_says_what_these_draws_can_decide():
    verdict = check(right_loss, POLICY, OBJECTIVE, budget=2**13)
    assert verdict.status == "undecided"
    delta = verdict.numbers("monte carlo")["decidable"]
    assert f"or δ = {delta:.2g}, which these can decide" in verdict.headline
    assert check(right_loss, POLICY, OBJECTIVE, budget=2**13, delta=delta).status == "unbiased"


def test_the_headline_is_the_rung_that_decided():
    d = 7
    policy = Gaussian(torch.zeros(d, dtype=FLOAT), torch.zeros(d, dtype=FLOAT))
    objective = Objective(lambda a: a.sum(-1).abs(), ALPHA)
    verdict = check(reparameterization, policy, objective, delta=0.2, budget=2**15)
    assert [e.outcome for e in verdict.evidence if e.rung == "field"] == ["passed"]
    assert "agrees with the score function" in verdict.headline


def test_a_closed_pipe_is_no_answer(monkeypatch):
    def closed(*_, **__):
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", closed)
    monkeypatch.setattr("os.dup2", lambda *_: None)
    with pytest.raises(SystemExit) as exit_:
        main(["check", "reparameterization"])
    assert exit_.value.code not in (0, 1, 2)


def test_help_names_what_it_takes(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        main(["check", "--help"])
    out = capsys.readouterr().out
    for words in ("ESTIMATOR|LOSS", "PROBLEM|Q", "nabla check mine:loss mine:Q", "K·d numbers"):
        assert words in out


def test_draws_whose_number_depends_on_the_parameters_of_others():
    def one_or_two(policy, objective, rng):
        for _ in range(1 + int((policy.mu > -0.69).all(-1).any())):
            a = policy.sample(1, rng)
        return (objective.cost(policy, a).detach() * policy.log_prob(a)).mean(0)

    verdict = check(one_or_two, POLICY, OBJECTIVE)
    assert verdict.status == "broken", str(verdict)
    assert "the number of draws varies" in verdict.headline


def test_draws_made_again_until_they_are_accepted():
    """Their number varies from call to call; they are no draws of the policy."""

    def restricted(policy, objective, rng):
        a = policy.sample(1, rng)
        while bool((a.sum(-1) < -1).any()):
            a = torch.where(a.sum(-1, keepdim=True) < -1, policy.sample(1, rng), a)
        return (objective.cost(policy, a).detach() * policy.log_prob(a)).mean(0)

    assert check(restricted, POLICY, OBJECTIVE, budget=2**15).status == "biased"


class Dice(Policy):
    """One of three indices as an action with one axis, and no word that it is discrete."""

    def __init__(self, logits):
        self.logits = logits

    def parameters(self):
        return {"logits": self.logits}

    @property
    def batch(self):
        return self.logits.shape[:-1]

    def sample(self, n, rng):
        return rng.categorical(self.logits.detach().softmax(-1), (n, *self.batch))[..., None]

    def log_prob(self, a):
        log_p = self.logits.log_softmax(-1)
        return log_p.expand(*a.shape[:-1], -1).gather(-1, a)[..., 0]


def test_what_does_not_apply_to_a_policy_is_no_suspect_and_no_fault_of_q():
    """Whole numbers cannot be squashed."""
    reward = t(0.3, -0.9, 1.1)
    objective = Objective(lambda a: reward[a[..., 0]], 0.2)
    half = lambda p, o, rng: 0.5 * score_function(p, o, rng)  # noqa: E731
    verdict = check(half, Dice(t(0.1, 0.4, -0.3)), objective)
    assert (verdict.status, verdict.diagnosis) == ("biased", "factor"), str(verdict)
    assert "Q raises" not in str(verdict)


def test_a_diagnosis_that_crashes_leaves_the_verdict(monkeypatch):
    def crash(*_):
        raise NotImplementedError

    monkeypatch.setattr("estimators.checking.naming.Diagnosis", crash)
    verdict = check(lambda p: right_loss(p) / 2, POLICY, OBJECTIVE, budget=2**15)
    assert (verdict.status, verdict.diagnosis) == ("biased", None)
    assert "NotImplementedError" in verdict.evidence[-1].text
