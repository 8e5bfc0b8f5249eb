"""What a command is about: ranges, policies by name, settings of a Q, in every command."""

import json
import math
import sys
from dataclasses import fields, replace

import pytest
import torch
from support import FLOAT, gap, t
from test_command import run

from estimators import Categorical, Gaussian, Mixture, Noise, Objective, Report, exact_gradient
from nabla.family import load_family, load_problem
from nabla.sweep.cells import CompareCell, MapCell
from nabla.sweep.command import identity
from nabla.target import Target
from toy_problems import Problem

OWN = """
import torch
from dataclasses import dataclass
from estimators import Gaussian, Objective, Policy
from toy_problems import Problem

def Q(a, k=2.0):
    return torch.cos(k * a).sum(-1) - 0.3 * (a**2).sum(-1)

def torque(a, k=3.0):
    return torch.cos(k * a).sum(-1)

def rewards(a, best=1.0):
    return torch.tensor([best, 0.0, 0.5]).double()[a]

zero = torch.zeros(1, dtype=torch.float64)
problem = Problem("mine", Gaussian(zero, zero), Objective(Q, 0.3))

@dataclass(frozen=True, eq=False)
class Laplace(Policy):
    centre: torch.Tensor
    log_scale: torch.Tensor

    @property
    def batch(self):
        return self.centre.shape[:-1]

    def sample(self, n, rng):
        u = rng.uniform((n, *self.centre.shape), self.centre) - 0.5
        draw = self.centre - self.log_scale.exp() * u.sign() * torch.log1p(-2 * u.abs())
        return draw.detach()

    def log_prob(self, a):
        z = (a - self.centre).abs() / self.log_scale.exp()
        return (-z - self.log_scale - 0.6931471805599453).sum(-1)

class Other:
    pass
"""


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    (tmp_path / "own_target.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("own_target", None)


LOW, HIGH, ALPHA = (-1.0, -1.25), (2.0, -0.75), 0.4
RANGE = ["--low", "-1", "-1.25", "--high", "2", "-0.75"]


def by_hand(policy, k=3.0):
    """E_u[α(log π(u) − Σ log(h_i (1 − tanh² u_i))) − Q(c + h tanh u)], written out."""

    def Q(u):
        c, h = t(0.5, -1.0), t(1.5, 0.25)
        density = (h * (1 - torch.tanh(u) ** 2)).log().sum(-1)
        return torch.cos(k * (c + h * torch.tanh(u))).sum(-1) + ALPHA * density

    return Problem("by hand", policy, Objective(Q, ALPHA))


def test_a_range_is_the_squashed_and_scaled_q():
    """Costs of actions, one by one, and the exact gradient; α log π is of the action Q sees."""
    given = {"mu": (0.3, -0.2), "log_std": (-0.5,), "alpha": ALPHA}
    mine = load_problem(Target("own_target:torque", low=LOW, high=HIGH, **given))
    hand = by_hand(mine.policy)
    u = t([0.1, -2.0], [1.3, 0.4], [-0.7, 0.0])
    costs = [p.objective.cost(mine.policy, u) for p in (mine, hand)]
    torch.testing.assert_close(*costs, rtol=1e-13, atol=1e-13)
    assert gap(mine.gradient(), exact_gradient(hand.policy, hand.objective)) < 1e-10


def test_one_number_is_the_end_of_every_coordinate():
    many = {"low": (-2.0, -2.0, -2.0), "high": (2.0, 2.0, 2.0)}
    target = Target("own_target:Q", mu=(0.3, 0.1, 0.2), low=(-2.0,), high=(2.0,))
    one, three = load_problem(target), load_problem(replace(target, **many))
    u = torch.linspace(-1, 1, 12, dtype=FLOAT).view(4, 3)
    assert torch.equal(*(p.objective.cost(p.policy, u) for p in (one, three)))
    assert target.sees == "Q sees a in [-2, 2]"
    assert replace(target, **many).sees == "Q sees a in [-2, 2] × [-2, 2] × [-2, 2]"


def test_the_range_minus_one_to_one_is_tanh():
    target = Target("own_target:Q", mu=(0.3,), alpha=0.2)
    ranged = load_problem(replace(target, low=(-1.0,), high=(1.0,)))
    for squashed in (replace(target, squash=True), replace(target, low=(-1.0,), high=(1.0,))):
        assert gap(load_problem(squashed).gradient(), ranged.gradient()) == 0
    both = replace(target, squash=True, low=(-1.0,), high=(1.0,))
    assert gap(load_problem(both).gradient(), ranged.gradient()) == 0


def test_every_command_takes_a_range(capsys, tmp_path):
    own = ["own_target:torque", "--mu", "0.3", "-0.2", "--log-std", "-0.5", "--alpha", "0.4"]
    head = "Q sees a in [-1, 2] × [-1.25, -0.75]"
    compared = ["--estimators", "reparameterization", "--estimates", "500", "--out", "c"]
    code, out, err = run(capsys, "compare", *own, *RANGE, *compared)
    assert (code, err) == (0, "")
    assert out.splitlines()[0].endswith(head)
    seen = Report.load(tmp_path / "c/compare-own_target.torque/reports/reparameterization.json")
    hand = by_hand(Gaussian(t(0.3, -0.2), t(-0.5, -0.5))).gradient()
    assert torch.allclose(seen.exact, torch.cat(list(hand.values())), rtol=1e-9, atol=1e-10)
    code, out, err = run(capsys, "check", "reparameterization", *own, *RANGE)
    assert (code, err) == (0, "")
    assert out.splitlines()[1].endswith(head)
    counted = ["--gradient-cost", "1", "--estimates", "1000"]
    code, out, err = run(capsys, "advise", *own, *RANGE, *counted)
    assert (code, err) == (0, "")
    assert out.splitlines()[0].endswith(head)
    axes = ["--x", "k=1:3", "--y", "log_std=-1:0", "--grid", "3", "--out", "m"]
    code, out, err = run(capsys, "map", *own, *RANGE, *axes)
    assert (code, err) == (0, "")
    assert "exact" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report"], "Q sees a"),
        (["report", "--squash"], "Q sees tanh u"),
        (["squashed"], "Q sees tanh u"),
        (["report", "--low", "-2", "--high", "2", "--squash"], "Q sees a in [-2, 2]"),
    ],
)
def test_a_report_says_what_q_is_given(capsys, arguments, words):
    chosen = ["--estimators", "reparameterization", "--estimates", "100"]
    _, out, _ = run(capsys, "compare", *arguments, *chosen)
    assert out.splitlines()[0].endswith(f"; {words}")
    _, out, _ = run(capsys, "check", "reparameterization", *arguments, "--budget", "256")
    assert out.splitlines()[1].endswith(f"; {words}")
    _, out, _ = run(capsys, "check", "reparameterization", *arguments, "--budget", "256", "--json")
    assert json.loads(out)["used"]["sees"] == words
    counted = ["--gradient-cost", "1", "--estimates", "1000"]
    _, out, _ = run(capsys, "advise", *arguments, *counted)
    assert out.splitlines()[0].endswith(f"; {words}")


@pytest.mark.parametrize(
    ("given", "kind", "shapes"),
    [
        ({"mu": (0.1,)}, Gaussian, {"mu": (1,), "log_std": (1,)}),
        ({"mu": (0.1, 1.0), "log_std": (-1.0,)}, Gaussian, {"mu": (2,), "log_std": (2,)}),
        ({"mu": (0.0, 1.0, 2.0, 3.0), "logits": (0.0, 0.5)}, Mixture, {"mu": (2, 2)}),
        ({"logits": (0.0, 0.5, 1.0)}, Categorical, {"logits": (3,)}),
        ({"policy": "gaussian", "params": ("mu=1,2",)}, Gaussian, {"log_std": (2,)}),
        ({"policy": "gaussian", "params": ("log_std=-1,0,1",)}, Gaussian, {"mu": (3,)}),
        ({"policy": "mixture", "params": ("logits=0,1", "mu=1,2,3,4")}, Mixture, {"mu": (2, 2)}),
        ({"policy": "mixture", "params": ("mu=1,2,3",)}, Mixture, {"mu": (1, 3), "logits": (1,)}),
        ({"policy": "mixture", "params": ("logits=0,1", "mu=1")}, Mixture, {"mu": (2, 1)}),
        ({"policy": "mixture", "logits": (0.0, 1.0), "mu": (1.0, 2.0)}, Mixture, {"mu": (2, 1)}),
        ({"policy": "categorical", "params": ("logits=1,2",)}, Categorical, {"logits": (2,)}),
    ],
)
def test_the_smallest_policy_with_these_numbers(given, kind, shapes):
    policy = load_problem(Target("own_target:Q", **given)).policy
    assert type(policy) is kind
    found = {name: tuple(p.shape) for name, p in policy.parameters().items()}
    assert shapes.items() <= found.items()


def test_parameters_by_name_are_those_of_the_short_way():
    short = Target("own_target:Q", mu=(0.0, 1.0), log_std=(-1.0,), logits=(0.2, 0.3))
    named = ("mu=0,1", "log_std=-1", "logits=0.2,0.3")
    for policy in ("", "mixture"):
        long = Target("own_target:Q", policy=policy, params=named)
        one, two = (load_problem(target).policy.parameters() for target in (short, long))
        assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_policy_of_one_s_own(capsys):
    policy = ["--policy", "own_target:Laplace", "--params", "centre=0.3,0.1", "log_scale=-1"]
    target = Target("own_target:Q", policy=policy[1], params=tuple(policy[3:]))
    parameters = load_problem(target).policy.parameters()
    assert parameters["centre"].tolist() == [0.3, 0.1]
    assert parameters["log_scale"].tolist() == [-1, -1]
    chosen = ["--estimators", "score_function", "--estimates", "1000"]
    code, out, err = run(capsys, "compare", "own_target:Q", *policy, *chosen)
    assert (code, err) == (0, "")
    assert "centre[1]" in out
    assert out.startswith("own_target:Q (centre = 0.3 0.1, log_scale = -1): ")
    code, out, err = run(capsys, "compare", "own_target:Q", *policy, "--estimates", "200")
    assert (code, err) == (0, "")
    assert "\nvargrad " in out
    assert "left out reparameterization: a Laplace policy has no pathwise gradient" in out
    code, out, err = run(capsys, "advise", "own_target:Q", *policy, "--estimates", "1000")
    assert (code, err) == (0, "")
    assert "left out reparameterization: a Laplace policy has no pathwise gradient" in out
    code, out, err = run(capsys, "check", "score_function", "own_target:Q", *policy)
    assert (code, err) == (0, "")
    assert "Laplace, centre = [0.3, 0.1], log_scale = [-1.0, -1.0]" in out


def test_params_change_the_policy_of_a_problem(capsys):
    code, out, _ = run(
        capsys, "compare", "report_mixture", "--params", "logits=1", "mu=-2,2", "--estimators",
        "marginalized", "--estimates", "100",
    )  # fmt: skip
    assert code == 0
    assert "(logits = 1, mu = -2 2)" in out
    policy = load_problem(Target("report", params=("log_std=-1",))).policy
    assert policy.log_std.tolist() == [-1]
    policy = load_problem(Target("own_target:problem", params=("mu=2",))).policy
    assert policy.mu.tolist() == [2]


def test_set_reaches_a_q_of_one_s_own_in_every_command(capsys, tmp_path):
    """k = 3 is another Q: its exact gradient, its variance."""
    own = ["own_target:Q", "--mu", "0.4", "--alpha", "0.2", "--set", "k=3"]
    problem = load_problem(Target("own_target:Q", ("k=3",), mu=(0.4,), alpha=0.2))
    at = torch.linspace(-1, 1, 5, dtype=FLOAT)[:, None]
    assert torch.equal(problem.objective.Q(at), (torch.cos(3 * at) - 0.3 * at**2).sum(-1))
    exact = problem.gradient()
    code, _, err = run(
        capsys, "compare", *own, "--estimators", "vargrad", "--estimates", "100", "--out", "c"
    )
    assert (code, err) == (0, "")
    saved = Report.load(tmp_path / "c/compare-own_target.Q/reports/vargrad.json")
    assert saved.exact.tolist() == torch.cat(list(exact.values())).tolist()
    code, out, _ = run(capsys, "check", "reparameterization", *own, "--json")
    assert code == 0
    assert json.loads(out)["used"]["alpha"] == 0.2
    counted = ["--gradient-cost", "1", "--estimates", "1000"]
    outputs = [run(capsys, "advise", *own[:-1], f"k={k}", *counted)[1] for k in (1, 3)]
    assert outputs[0] != outputs[1]
    axes = ["--x", "mu=-1:1", "--y", "log_std=-1:0", "--grid", "2"]
    outputs = [run(capsys, "map", *own[:1], "--mu", "0", "--set", f"k={k}", *axes) for k in (1, 3)]
    assert [code for code, *_ in outputs] == [0, 0]
    assert outputs[0][1] != outputs[1][1]
    for command in (["compare"], ["check", "reparameterization"], ["advise"], ["map", *axes]):
        code, _, err = run(capsys, *command, *own[:-1], "v=3")
        assert code == 2
        assert err == (
            "nabla: --set: own_target:Q has no setting 'v'; it has alpha, k, mu, log_std\n"
        )


def test_an_entry_of_a_map_is_any_parameter(capsys):
    policy = ["--policy", "mixture", "--params", "mu=-1,1", "logits=0"]
    axes = ["--x", "k=1:3", "--y", "alpha=0.1:1", "--grid", "2"]
    code, out, _ = run(capsys, "map", "own_target:Q", *policy, *axes, "--entry", "logits")
    assert code == 0
    assert "least variance, logits" in out
    code, _, err = run(capsys, "map", "own_target:Q", *policy, *axes, "--entry", "centre")
    assert (code, err) == (2, "nabla: --entry centre: the policy has logits, mu, log_std\n")


Q = "own_target:Q"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([Q, "--mu", "0", "--low", "-1"], "--low and --high need each other"),
        ([Q, "--mu", "0", "--high", "1"], "--low and --high need each other"),
        ([Q, "--mu", "0", "--low", "1", "--high", "1"], "--low must be less than --high, got 1"),
        ([Q, "--mu", "0", "--low", "-inf", "--high", "1"], "must be less than"),
        ([Q, "--mu", "0", "1", "--low", "0", "0", "0", "--high", "1"], "1 or 2 numbers, got 3"),
        ([Q, "--mu", "0", "--low", "0", "0", "--high", "1", "1", "1"], "2 numbers, --high 3"),
        (["bandit", "--low", "0", "--high", "1"], "--low is for continuous actions"),
        (["squashed", "--low", "0", "--high", "1"], "squashed already"),
        ([Q, "--policy", "gamma", "--params", "a=1"], "unknown policy 'gamma'; known: gaussian"),
        ([Q, "--policy", "gaussian"], "give --params, numbers for mu, log_std"),
        ([Q, "--policy", "own_target:Other", "--params", "a=1"], "is not a class of"),
        ([Q, "--policy", "own_target:Gone", "--params", "a=1"], "no attribute 'Gone'"),
        ([Q, "--policy", "gaussian", "--params", "logits=1"], "--logits: a Gaussian has mu, log"),
        ([Q, "--policy", "own_target:Laplace", "--params", "scale=1"], "has centre, log_scale"),
        ([Q, "--policy", "own_target:Laplace", "--params", "centre=0,1", "log_scale=1,2,3"],
         "--params log_scale takes 1 or 2 numbers to match --params centre, got 3"),
        ([Q, "--params", "mu=x"], "--params takes name=number or name=number,number,…"),
        ([Q, "--params", "mu=1", "--mu", "2"], "--mu and --params mu=… say the same"),
        ([Q, "--mu", "0", "--set", "k=1,2"], "--set takes name=number, got 'k=1,2'"),
        (["report", "--policy", "gaussian", "--params", "mu=1"], "for a Q of your own"),
        (["report", "--params", "centre=1"], "--params centre: a Gaussian has mu, log_std"),
        (["own_target:problem", "--set", "k=1"], "--set: own_target:problem is one problem"),
    ],
)  # fmt: skip
def test_bad_targets_get_one_sentence(capsys, arguments, words):
    code, _, err = run(capsys, "compare", *arguments)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1


def test_commands_that_know_one_dtype_or_device_say_so(capsys):
    for command, given, words in (
        ("map", ["--dtype", "float32"], "map works with --dtype float64 alone, got float32"),
        ("map", ["--device", "cuda"], "map works with --device cpu alone, got cuda"),
        ("advise", ["--device", "cuda"], "advise works with --device cpu alone, got cuda"),
    ):
        assert run(capsys, command, *given) == (2, "", f"nabla: {words}\n")


def test_a_family_s_problems_have_the_range():
    given = {"low": (-2.0,), "high": (1.0,), "alpha": 0.3}
    family = load_family(Target("own_target:Q", mu=(0.1,), **given))
    for k in (1.0, 2.5):
        one = load_problem(Target("own_target:Q", (f"k={k}",), mu=(0.1,), **given))
        assert gap(family.at(k=k).gradient(), one.gradient()) == 0
    policy, objective = family.batch({"k": t(1.0, 2.5)}, 2)
    a = policy.sample(3, Noise(0))
    second = family.at(k=2.5)
    alone = second.objective.cost(second.policy, a[:, 1])
    torch.testing.assert_close(objective.cost(policy, a)[:, 1], alone, rtol=1e-12, atol=1e-12)


def test_cells_hold_a_target_and_stay_who_they_are():
    """Hashes of cells as the version before had them: what was run is not run again."""
    assert identity(CompareCell(n=4)) == "3dc393b9c811636c20d146b8"
    before = CompareCell(
        "own_target:Q", {"m": 1.5}, (0.3,), (-1.0,), alpha=0.2, squash=True, estimates=500,
        estimator="vargrad", noise="sobol", seed=3,
    )  # fmt: skip
    assert identity(before) == HASHES["compare"]
    before = MapCell(
        "quadratic", {"d": 11}, x="condition=1:9", y="sigma=0.3:0.9", grid=3, estimates=20,
        estimators=("score_function", "vargrad"), by="q", entry="mu", logits=(1.0,), alpha=2.0,
    )  # fmt: skip
    assert identity(before) == HASHES["map"]
    for kind in (CompareCell, MapCell):
        assert {f.name for f in fields(Target)} <= {f.name for f in fields(kind)}
    assert before.target.settings == {"d": 11.0}


HASHES = {"compare": "26ef428fa1c8fbe1d24b0bbc", "map": "299c2f022786dbd8102afd0b"}


def test_a_cell_takes_a_range_and_a_policy_by_name(tmp_path):
    cell = CompareCell(
        "own_target:torque", {"k": 2.0}, policy="gaussian", params=("mu=0.3,-0.2", "log_std=-0.5"),
        low=LOW, high=HIGH, alpha=ALPHA, estimates=200,
    )  # fmt: skip
    cell.check()
    report = Report.from_lists(cell.compute(tmp_path))
    hand = by_hand(Gaussian(t(0.3, -0.2), t(-0.5, -0.5)), k=2.0).gradient()
    assert torch.allclose(report.exact, torch.cat(list(hand.values())), rtol=1e-9, atol=1e-10)
    assert math.isfinite(report.total_variance)
