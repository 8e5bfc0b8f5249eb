"""One file and one row: what nobody in the repository has heard of goes through all of it.

A continuous policy, a discrete one, an estimator, problems and a task are defined here, registered
by their rows, and sent through exact answers, measure, check, the commands and a training. Whoever
adds one for real does no more than this.
"""

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from support import FLOAT, gap, t, z_test
from torch.distributions import Beta, Categorical, Independent, MultivariateNormal

from estimators import (
    CATALOGUE,
    POLICIES,
    Entry,
    Gaussian,
    Noise,
    Objective,
    Policy,
    TooManyNodes,
    applicable,
    check,
    exact_gradient,
    exact_moments,
    from_distribution,
    measure,
    score_function,
    sticking_the_landing,
)
from estimators.catalogue import GENERAL
from estimators.quadrature.by_nodes import node_gradient
from estimators.testing import of_kind
from nabla.cli import main
from nabla.figures import FAMILIES, UNKNOWN, style
from sac_minimal.envs import TASKS, Space
from toy_problems import PROBLEMS, Problem


# A continuous policy: parameters with names of its own, nodes, a pathwise draw.
@dataclass(frozen=True, eq=False)
class Logistic(Policy):
    """Π_i sech²((a_i − c_i)/2s_i)/4s_i, s = exp(log_width). centre, log_width: [*batch, d]."""

    centre: torch.Tensor
    log_width: torch.Tensor

    usual: ClassVar[Mapping[str, tuple[float, float]]] = {"log_width": (-1.5, 0.0)}

    @property
    def batch(self):
        return self.centre.shape[:-1]

    def sample(self, n, rng):
        return self.detach().rsample(n, rng)

    def rsample(self, n, rng):
        """a = c + s log(u/(1 − u))."""
        u = rng.uniform((n, *self.centre.shape), self.centre)
        return self.centre + self.log_width.exp() * torch.logit(u)

    def log_prob(self, a):
        z = (a - self.centre) * torch.exp(-self.log_width)
        softplus = torch.nn.functional.softplus
        return (-softplus(-z) - softplus(z) - self.log_width).sum(-1)

    def nodes(self, order=None):
        """Trapezoid sums over |z| ≤ 40: they converge geometrically."""
        count, d = 32 * (order or 8) + 1, self.centre.shape[-1]
        if count**d > 10**6:
            raise TooManyNodes(f"{count}^{d} nodes")
        line = torch.linspace(-40, 40, count, dtype=self.centre.dtype)
        z = torch.cartesian_prod(*[line] * d).view(-1, d)
        w = torch.exp(-(z.abs() + 2 * torch.log1p(torch.exp(-z.abs())))).prod(-1)
        ones = (1,) * len(self.batch)
        a = self.centre + self.log_width.exp() * z.view(-1, *ones, d)
        return a, (w / w.sum()).view(-1, *ones).expand(-1, *self.batch)


# A discrete one.
@dataclass(frozen=True, eq=False)
class Boltzmann(Policy):
    """P(a) ∝ exp(−energy_a): [*batch, A]."""

    energy: torch.Tensor

    discrete = True

    @property
    def batch(self):
        return self.energy.shape[:-1]

    def sample(self, n, rng):
        return rng.categorical((-self.energy).detach().softmax(-1), (n, *self.batch))

    def log_prob(self, a):
        log_p = (-self.energy).log_softmax(-1)
        return log_p.expand(*a.shape, -1).gather(-1, a[..., None])[..., 0]

    def nodes(self, order=None):
        a = torch.arange(self.energy.shape[-1]).view(-1, *(1,) * len(self.batch))
        return a.expand(-1, *self.batch), (-self.energy).softmax(-1).movedim(-1, 0)


# An estimator.
def about_the_centre(policy, objective, rng, n=1):
    """∇̂J = (α log π(a) − Q(a) − c(a₀)) ∇_θ log π_θ(a),  c(a₀) the cost of the central action.

    Reference: this test.
    Unbiased for any Q with a finite mean.
    """
    still = policy.detach()
    with torch.no_grad():
        here = objective.cost(still, still.central()[None])[0]
    return score_function(policy, objective, rng, n, lambda cost: here.expand_as(cost))


# Problems, for both policies.
def bowl(sharp: float = 0.8, centre: float = 0.3, log_width: float = -0.7, alpha: float = 0.2):
    """Q = cos 2a − sharp·a²/2, a logistic policy."""
    c, s = (torch.as_tensor(x, dtype=FLOAT)[..., None] for x in (centre, log_width))
    c, s = (x.clone() for x in torch.broadcast_tensors(c, s))
    k = sharp if not isinstance(sharp, torch.Tensor) else sharp[..., None]
    Q = lambda a: (torch.cos(2 * a) - k * a**2 / 2).sum(-1)  # noqa: E731
    return Problem("bowl", Logistic(c, s), Objective(Q, alpha))


def menu(last: float = 1.0, alpha: float = 0.3):
    """Rewards (0.5, −1, last), energies of one's own."""
    r = torch.tensor([0.5, -1.0, last], dtype=FLOAT)
    return Problem("menu", Boltzmann(t(0.2, -0.4, 0.9)), Objective(lambda a: r[a], alpha))


# Tasks.
class Line:
    """A point on a line is paid for being near 0.5; continuous pushes, or three discrete ones."""

    def __init__(self, discrete):
        self.space = Space(1, 3 if discrete else 1, discrete=discrete)
        self.x, self.time, self.rng = np.zeros(1), 0, np.random.default_rng(0)

    def reset(self, seed=None):
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.x, self.time = self.rng.uniform(-1, 1, 1), 0
        return self.x.astype(np.float32)

    def step(self, action):
        push = int(action) - 1 if self.space.discrete else float(action[0])
        self.x, self.time = np.clip(self.x + 0.2 * push, -1, 1), self.time + 1
        return self.x.astype(np.float32), -float(abs(self.x[0] - 0.5)), False, self.time >= 10

    def state(self):
        return {"x": self.x, "time": self.time, "rng": json.dumps(self.rng.bit_generator.state)}

    def restore(self, state):
        self.x, self.time = np.array(state["x"]), int(state["time"])
        self.rng.bit_generator.state = json.loads(str(state["rng"]))


@pytest.fixture
def house(monkeypatch, tmp_path):
    """Everything registered: a row each. Commands write into a folder of their own."""
    monkeypatch.setitem(POLICIES, "logistic", Logistic)
    monkeypatch.setitem(POLICIES, "boltzmann", Boltzmann)
    mine = Entry(about_the_centre, "score function")
    monkeypatch.setitem(GENERAL, "about_the_centre", mine)
    monkeypatch.setitem(CATALOGUE[Gaussian], "about_the_centre", mine)
    for make in (bowl, menu):
        monkeypatch.setitem(PROBLEMS, make.__name__, make)
    monkeypatch.setitem(TASKS, "Line", lambda: Line(discrete=False))
    monkeypatch.setitem(TASKS, "Steps", lambda: Line(discrete=True))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *arguments):
    """What a command prints, and its status."""
    with pytest.raises(SystemExit) as exit_:
        main([str(a) for a in arguments])
    out = capsys.readouterr()
    return out.out + out.err, exit_.value.code


def by_grid(problem):
    """∇J of the logistic problem by a trapezoid sum and autograd: no code of ours but log π."""
    leaf = problem.policy.map(lambda p: p.detach().clone().requires_grad_())
    a = torch.linspace(-40, 40, 400_001, dtype=FLOAT)[:, None]
    pi = leaf.log_prob(a).exp()
    J = (pi * (problem.objective.alpha * leaf.log_prob(a) - problem.objective.Q(a))).sum()
    grads = torch.autograd.grad(J * (80 / 400_000), list(leaf.parameters().values()))
    return dict(zip(leaf.parameters(), grads, strict=True))


def enumerated(problem):
    leaf = problem.policy.map(lambda p: p.detach().clone().requires_grad_())
    log_p = (-leaf.energy).log_softmax(-1)
    r = problem.objective.Q(torch.arange(len(log_p)))
    J = (log_p.exp() * (problem.objective.alpha * log_p - r)).sum()
    return {"energy": torch.autograd.grad(J, leaf.energy)[0]}


PAIRS = [(bowl, by_grid), (menu, enumerated)]


@pytest.mark.parametrize(("make", "oracle"), PAIRS)
def test_the_exact_gradient_is_the_oracles(make, oracle):
    p = make()
    exact = exact_gradient(p.policy, p.objective)
    assert gap(exact, oracle(p)) < 1e-9
    assert exact.error < 1e-8


@pytest.mark.parametrize(("make", "oracle"), PAIRS)
def test_the_policys_own_nodes_give_the_same(make, oracle):
    p = make()
    assert gap(node_gradient(p.policy, p.objective), oracle(p)) < 1e-9


def test_without_enough_nodes_it_is_refused():
    """Four coordinates are four uniform draws, too many to replace, and 65⁴ nodes."""
    policy = Logistic(torch.zeros(4).double(), torch.full((4,), -1.0).double())
    with pytest.raises(TooManyNodes):
        exact_gradient(policy, Objective(lambda a: a.sum(-1), 0.1))


@pytest.mark.parametrize("make", [bowl, menu])
def test_every_row_that_applies_has_the_mean_it_says(house, make):
    """Exactly where nodes reach, by a z-test elsewhere; the biased are known to be."""
    p = make()
    exact = exact_gradient(p.policy, p.objective)
    rows, left_out = applicable(p.policy)
    assert "about_the_centre" in rows
    assert set(rows) | set(left_out) == set(GENERAL)
    assert all(left_out.values())
    for name, entry in rows.items():
        once = entry.prepared(p.policy, p.objective)  # a baseline by nodes is worked out once
        try:
            mean, _ = exact_moments(once, p.policy, p.objective)
            off = gap(mean, exact) > 1e-7
        except TooManyNodes:
            off = bool(entry.bias)
            if not off:
                z_test(entry, p.policy, p.objective, exact)
        assert off == bool(entry.bias), name


def test_what_a_policy_lacks_leaves_estimators_out_with_the_reason():
    rows, left_out = applicable(menu().policy)
    assert {"exact", "score_function", "score_function_value"} <= set(rows)
    assert "discrete" in left_out["reparameterization"]
    rows, left_out = applicable(bowl().policy)
    assert {"reparameterization", "sticking_the_landing"} <= set(rows)
    assert "cannot be listed" in left_out["exact"]
    assert "entropy" in left_out["score_function_analytic_entropy"]


@pytest.mark.parametrize("make", [bowl, menu])
def test_check_tells_right_from_wrong(make):
    p = make()
    assert check(score_function, p.policy, p.objective).status == "unbiased"
    wrong = check(lambda p, o, rng: 0.9 * score_function(p, o, rng), p.policy, p.objective)
    assert wrong.status == "biased"


def test_a_subclass_keeps_the_rows_of_its_parent_while_it_keeps_its_law():
    class Mine(Gaussian):
        """Another name, the same law."""

    class Shifted(Gaussian):
        """Draws are one to the right of μ: closed forms for a Gaussian are wrong here."""

        def rsample(self, n, rng):
            return super().rsample(n, rng) + 1

        def log_prob(self, a):
            return super().log_prob(a - 1)

    assert list(applicable(Mine(t(0.3), t(-0.4)))[0]) == list(CATALOGUE[Gaussian])
    objective = Objective(lambda a: torch.cos(2 * a).sum(-1), 0.2)
    shifted = Shifted(t(0.3), t(-0.4))
    rows, _ = applicable(shifted)
    assert "measure_valued" not in rows
    assert "reparameterization" in rows
    there = exact_gradient(Gaussian(t(1.3), t(-0.4)), objective)
    assert gap(exact_gradient(shifted, objective), there) < 1e-9
    for policy in (Mine(t(0.3), t(-0.4)), shifted):
        assert check(sticking_the_landing, policy, objective).status == "unbiased"


def distributions():
    beta = from_distribution(
        lambda p: Independent(Beta(p["a"].exp(), p["b"].exp()), 1), a=t(0.47), b=t(0.83)
    )
    full = from_distribution(
        lambda p: MultivariateNormal(p["loc"], scale_tril=p["scale_tril"]),
        loc=t(0.3, -0.2),
        scale_tril=torch.tensor([[0.7, 0.0], [0.5, 1.2]], dtype=FLOAT),
    )
    index = from_distribution(lambda p: Categorical(logits=p["logits"]), logits=t(0.2, -0.5, 0.6))
    return {"beta": beta, "full": full, "index": index}


@pytest.mark.parametrize("name", ["beta", "full", "index"])
def test_a_torch_distribution_is_a_policy_like_any_other(name):
    """Parameters of any name; exact where torch lists its actions, else the stated refusal."""
    policy = distributions()[name]
    if name == "index":
        r = t(0.3, -0.2, 0.9)
        objective = Objective(lambda a: r[a], 0.3)
        log_p = policy.parameters()["logits"].clone().requires_grad_()
        J = (log_p.softmax(-1) * (0.3 * log_p.log_softmax(-1) - r)).sum()
        (known,) = torch.autograd.grad(J, log_p)
        exact = exact_gradient(policy, objective)
        assert float((exact["logits"] - known).abs().max()) < 1e-14
    else:
        objective = Objective(lambda a: torch.sin(3 * a).sum(-1) - (a**2).sum(-1), 0.3)
        for refused in (exact_gradient, lambda p, o: exact_moments(score_function, p, o)):
            with pytest.raises(TooManyNodes):
                refused(policy, objective)
    rows, left_out = applicable(policy)
    assert ("exact" in rows) == ("reparameterization" in left_out) == (name == "index")
    report = measure(rows["score_function"], policy, objective, estimates=2000, rng=Noise(0))
    assert (report.exact is None) == (name != "index")
    assert check(rows["score_function"], policy, objective, delta=0.05).status == "unbiased"


def test_made_from_numbers_as_an_actor_puts_them_out():
    policy = Logistic.from_numbers(torch.arange(12.0).view(2, 6), 3)
    assert policy.centre.tolist() == [[0, 1, 2], [6, 7, 8]]
    assert policy.log_width.tolist() == [[3, 4, 5], [9, 10, 11]]
    assert (policy.dim, policy.action, policy.batch) == (3, torch.Size([3]), torch.Size([2]))
    discrete = Boltzmann.from_numbers(torch.zeros(4), 4)
    assert (discrete.dim, discrete.action) == (1, torch.Size([]))
    assert discrete.entropy().item() == pytest.approx(math.log(4))


def test_hypothesis_draws_it():
    from hypothesis import find

    found = find(of_kind(Logistic), lambda p: float(p.log_width.min()) < -0.7)
    assert (found.log_width >= -1.5).all()
    assert find(of_kind(Boltzmann), lambda p: p.energy.numel() == 3).batch == torch.Size([])


@pytest.mark.parametrize("name", ["bowl", "menu"])
def test_commands_take_it(house, capsys, name):
    """compare, check and advise: every row that applies, the others by name and reason."""
    out, status = run(capsys, "compare", name, "--estimates", 3000, "--out", house / "out")
    rows, left_out = applicable(PROBLEMS[name]().policy)
    assert status == 0
    assert all(f"\n{row} " in out for row in rows)
    assert all(f"left out {row}: " in out for row in left_out)
    assert "BIASED" not in out
    assert list((house / "out").rglob("figure.png"))
    out, status = run(capsys, "check", "about_the_centre", name)
    assert (status, "UNBIASED" in out) == (0, True)
    out, status = run(capsys, "check", "score_function_batch_mean", name)
    assert status == 1
    out, status = run(capsys, "advise", name, "--estimates", 3000)
    assert status == 0
    assert "about_the_centre" in out
    assert "Use " in out


MINE = """
import torch
from torch.distributions import Beta, Categorical, Independent
from estimators import Entry, Objective, from_distribution, score_function
from toy_problems import Problem

a, b = torch.tensor([0.4, 0.8]).double(), torch.tensor([0.7, 0.2]).double()
TABLE = torch.tensor([[1.0, -0.4, 0.3], [0.2, 0.9, -1.0]]).double()

def beta():
    make = lambda p: Independent(Beta(p["a"].exp(), p["b"].exp()), 1)
    return Problem("beta", from_distribution(make, a=a, b=b), Objective(lambda x: x.sum(-1), 0.1))

def pair():
    make = lambda p: Independent(Categorical(logits=p["logits"]), 1)
    logits = torch.tensor([[0.2, -0.5, 0.1], [0.4, 0.3, -0.9]]).double()
    Q = lambda k: TABLE[0, k[..., 0]] * TABLE[1, k[..., 1]]
    return Problem("pair", from_distribution(make, logits=logits), Objective(Q, 0.3))

row = Entry(score_function, "measure-valued")
half = lambda policy, objective, rng, n=1: 0.5 * score_function(policy, objective, rng, n)
"""


@pytest.mark.parametrize(("name", "lacks"), [("beta", "exact"), ("pair", "reparameterization")])
def test_commands_take_a_problem_from_a_file(house, capsys, name, lacks):
    """A policy with parameters of any name; two categorical actions at once are enumerated."""
    (house / f"mine_{name}.py").write_text(MINE)
    problem, small = f"mine_{name}:{name}", ["--estimates", 1000]
    mine = f"mine_{name}:row"
    out, status = run(capsys, "compare", problem, *small, "--out", house / "out")
    assert status == 0
    assert f"left out {lacks}: " in out
    assert "BIASED" not in out
    assert ("no exact gradient within reach" in out) == (name == "beta")
    named = ["--estimators", mine, "score_function"]
    out, status = run(capsys, "compare", problem, *small, *named, "--out", house / "out")
    assert status == 0
    saved = json.loads(next((house / "out").rglob(f"mine_{name}.row.json")).read_text())
    assert saved["family"] == "measure-valued"
    quick = ["--delta", 0.1, "--budget", 50_000]
    assert run(capsys, "check", mine, problem, *quick)[1] == 0
    assert run(capsys, "check", f"mine_{name}:half", problem, *quick)[1] == 1
    out, status = run(capsys, "advise", problem, *small)
    assert (status, "Use " in out) == (0, True)


def test_map_takes_it(house, capsys):
    axes = ["--x", "sharp=0.3:2", "--y", "log_width=-1.5:-0.3", "--grid", 5]
    out, status = run(capsys, "map", "bowl", *axes, "--out", house / "out")
    assert status == 0
    assert "25 cells" in out
    assert "; Q sees a\n" in out
    assert "sticking_the_landing" in out
    mine = ["--estimators", "about_the_centre", "reparameterization"]
    out, status = run(capsys, "map", "bowl", *axes, *mine, "--out", house / "out")
    assert status == 0
    assert "about_the_centre" in out


def test_its_rows_family_is_its_colour_everywhere(house):
    assert style("about_the_centre") == FAMILIES["score function"]
    assert style("about_the_centre, n = 8") == FAMILIES["score function"]
    assert style("nobody_s_estimator") == UNKNOWN
    assert style("mine:f", "marginalized") == FAMILIES["marginalized"]


@pytest.mark.parametrize(
    ("task", "policy", "estimator"),
    [
        ("Line", "logistic", ""),
        ("Line", "logistic", "about_the_centre"),
        ("Line", "gaussian", "about_the_centre"),
        ("Steps", "boltzmann", ""),
        ("Steps", "boltzmann", "about_the_centre"),
    ],
)
def test_it_trains(house, capsys, task, policy, estimator):
    options = ["--task", task, "--policy", policy, "--run", house / "run", "--hidden", 16]
    options += ["--steps", 120, "--warmup", 50, "--batch", 16, "--eval-every", 60]
    chosen = ["--estimator", estimator] if estimator else []
    out, status = run(capsys, "train", *options, *chosen, "--checkpoint-every", 50)
    assert not status, out
    assert f"{task}: return" in out
    out, status = run(capsys, "evaluate", house / "run", "--episodes", 2)
    assert not status
    assert "return" in out
    drawn = (house / "run" / "metrics.csv").read_text().splitlines()
    assert len(drawn) == 3
    assert all(math.isfinite(float(x)) for x in drawn[-1].split(",") if x != "nan")


def test_nothing_else_knows_their_names():
    from pathlib import Path

    root = Path(__file__).parent.parent
    folders = ("estimators", "toy_problems", "sac_minimal", "nabla")
    files = itertools.chain.from_iterable((root / f).rglob("*.py") for f in folders)
    names = ("Logistic(", "Boltzmann(", "about_the_centre", "log_width")
    assert not [str(f) for f in files if any(n in f.read_text() for n in names)]
