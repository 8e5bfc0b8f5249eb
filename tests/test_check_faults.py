"""What people hand to `check`, beyond clean estimators: the verdict and the words each gets."""

import json
import sys

import pytest
import torch
from support import t
from torch.distributions import Normal

from estimators import (
    Gaussian,
    Objective,
    check,
    reparameterization,
    sticking_the_landing,
)
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


OWN = """
import sys
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
    (tmp_path / "own_faults.py").write_text(OWN)
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
    code, out = run(*COMMAND, "--log-std", "-0.4", "--alpha", "0.4", "--json")
    used = json.loads(out)["used"]
    assert (used["log_std"], used["alpha"], used["defaults"]) == ([-0.4, -0.4], 0.4, [])
    assert "default" not in run("reparameterization", "report")[1]
