"""Whose fault it is: Q, the policy, floats, or the estimator; and that bad luck is nobody's."""

import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import FLOAT, t
from torch.distributions import (
    Beta,
    Dirichlet,
    Gamma,
    Independent,
    Laplace,
    MultivariateNormal,
    Normal,
    OneHotCategorical,
    StudentT,
    TransformedDistribution,
)
from torch.distributions import Categorical as TorchCategorical
from torch.distributions.transforms import AffineTransform, TanhTransform

from estimators import (
    CATALOGUE,
    Categorical,
    Gaussian,
    Noise,
    Objective,
    check,
    from_distribution,
    reparameterization,
    score_function,
)
from estimators.checking.activity import activity
from estimators.checking.density import wrong_density
from estimators.checking.jumps import jump
from nabla.compare.measuring import look
from nabla.compare.table import verdict
from nabla.options import Sampling
from toy_problems import Problem

POLICY = Gaussian(t(0.3, -0.7), t(-0.4, -0.9))
RANDOM = settings(max_examples=12, deadline=None)


def Q(a):
    return torch.sin(1.3 * a).sum(-1) - 0.3 * (a**2).sum(-1)


def right_loss(p):
    pi = Normal(p["mu"], p["log_std"].exp())
    a = pi.rsample()
    return 0.4 * pi.log_prob(a).sum(-1) - Q(a)


# Q


def of_the_batch(kind):
    """Critics whose value of one action depends on the others."""
    weights = torch.randn(2, 8, dtype=FLOAT, generator=torch.Generator().manual_seed(0))

    def batch_norm(a):
        h = a @ weights
        flat = torch.nn.functional.batch_norm(h.flatten(0, -2), None, None, training=True)
        return flat.tanh().sum(-1).view(h.shape[:-1])

    return {
        "batch norm": batch_norm,
        "centred": lambda a: Q(a) - Q(a).mean(),
        "scaled": lambda a: Q(a) / Q(a).abs().max(),
        "ranked": lambda a: Q(a).flatten().argsort().argsort().view(Q(a).shape).to(a),
        "of the neighbour": lambda a: Q(a) + 1e-6 * Q(a).roll(1, -1 if a.ndim < 3 else 1),
    }[kind]


@pytest.mark.parametrize("kind", ["batch norm", "centred", "scaled", "ranked", "of the neighbour"])
@pytest.mark.parametrize("thing", [reparameterization, right_loss])
def test_a_value_that_depends_on_other_actions_is_no_fault_of_the_estimator(kind, thing):
    verdict = check(thing, POLICY, Objective(of_the_batch(kind), 0.4))
    assert (verdict.status, verdict.diagnosis) == ("broken", "q_of_the_batch"), str(verdict)


def test_states_of_a_batch_may_have_critics_of_their_own():
    shift = t(0.0, 100.0, -3.0)
    policy = Gaussian(torch.zeros(3, 2, dtype=FLOAT), torch.zeros(3, 2, dtype=FLOAT))
    assert check(reparameterization, policy, Objective(lambda a: Q(a) + shift)).status == "unbiased"

    def mixed(a):  # a state sees the actions of the next
        return Q(a) + 0.01 * Q(a).roll(1, -1)

    assert check(reparameterization, policy, Objective(mixed)).diagnosis == "q_of_the_batch"


@pytest.mark.parametrize(
    "noisy",
    [
        lambda a: torch.nn.functional.dropout(Q(a), 0.01),
        lambda a: Q(a) + 1e-9 * torch.randn(a.shape[:-1], dtype=a.dtype),
    ],
)
def test_a_random_q_is_named_however_small_the_noise(noisy):
    verdict = check(score_function, POLICY, Objective(noisy, 0.4))
    assert "Q is random" in verdict.headline


@pytest.mark.parametrize("offset", [1e2, 1e4, 1e7])
@pytest.mark.parametrize("name", ["exact", "score_function", "gumbel_softmax"])
def test_rounding_is_judged_by_what_is_summed(offset, name):
    """Critics of everyday size are no fault of anybody's."""
    objective = Objective(lambda a: t(1.0, -0.4, 0.3)[a] + offset, 0.4)
    entry = CATALOGUE[Categorical].get(name)
    if entry is None:
        pytest.skip(f"no {name}")
    verdict = check(entry, Categorical(t(0.2, -0.5, 0.9)), objective)
    assert verdict.status in (("biased",) if entry.bias else ("unbiased", "undecided")), verdict
    assert "rows are not independent" not in str(verdict)


# The policy


def made(make, **parameters):
    return from_distribution(
        make, **{k: torch.as_tensor(v, dtype=FLOAT) for k, v in parameters.items()}
    )


RIGHT = {
    "normal": (lambda p: Independent(Normal(p["x"], p["y"].exp()), 1), 2),
    "beta": (lambda p: Independent(Beta(p["x"].exp() + 0.5, p["y"].exp() + 0.5), 1), 2),
    "student": (lambda p: Independent(StudentT(3.0, p["x"], p["y"].exp()), 1), 1),
    "gamma": (lambda p: Independent(Gamma(p["x"].exp() + 1, p["y"].exp()), 1), 1),
    "laplace": (lambda p: Independent(Laplace(p["x"], p["y"].exp()), 1), 2),
    "tanh": (
        lambda p: Independent(
            TransformedDistribution(
                Normal(p["x"], (p["y"] - 1).exp()), [TanhTransform(), AffineTransform(0.3, 2.0)]
            ),
            1,
        ),
        2,
    ),
    "correlated": (
        lambda p: MultivariateNormal(
            p["x"], scale_tril=torch.diag_embed(p["y"].exp()) + 0.5 * torch.ones(3, 3).tril(-1)
        ),
        3,
    ),
    "choice": (lambda p: TorchCategorical(logits=p["x"] + 2 * p["y"]), 4),
    "choices": (lambda p: Independent(TorchCategorical(logits=p["x"][..., None] * t(1, 2, 0)
                                      + p["y"][..., None] * t(0, 1, 3)), 1), 2),
    "one hot": (lambda p: OneHotCategorical(logits=p["x"] + 2 * p["y"]), 3),
    "simplex": (lambda p: Dirichlet(p["x"].exp() + p["y"].exp()), 3),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**20))
def test_a_right_density_passes_for_random_parameters(name, seed):
    """False-alarm rate of each: 1e-6."""
    make, d = RIGHT[name]
    g = torch.Generator().manual_seed(seed)
    x, y = 2 * torch.rand(2, d, generator=g, dtype=FLOAT) - 1
    assert wrong_density(made(make, x=x, y=y), Noise(seed), 1e-6) is None


class NoNormaliser(Normal):
    def log_prob(self, a):
        return super().log_prob(a) + self.scale.log()


class OffByAConstant(Normal):
    """Nothing that a gradient in the parameters sees."""

    def log_prob(self, a):
        return super().log_prob(a) + 0.2


class WrongDeterminant(TanhTransform):
    def log_abs_det_jacobian(self, u, a):
        return -super().log_abs_det_jacobian(u, a)


class Deaf(Normal):
    """Its log_prob does not see the parameters that its samples come from."""

    def log_prob(self, a):
        return Normal(self.loc.detach() + 0 * self.loc, self.scale).log_prob(a)


class WiderThanItSays(Normal):
    def sample(self, shape=()):
        return self.loc + 1.2 * (super().sample(shape) - self.loc)


WRONG = {
    "no normaliser": lambda p: Independent(NoNormaliser(p["x"], p["y"].exp()), 1),
    "off by a constant": lambda p: Independent(OffByAConstant(p["x"], p["y"].exp()), 1),
    "sign of the determinant": lambda p: Independent(
        TransformedDistribution(Normal(p["x"], (p["y"] - 0.5).exp()), [WrongDeterminant()]), 1
    ),
    "determinant of half the entries": lambda p: Independent(
        TransformedDistribution(Normal(p["x"], (p["y"] - 0.5).exp()), [TanhTransform()]), 1
    ),
    "wider than it says": lambda p: Independent(WiderThanItSays(p["x"], p["y"].exp()), 1),
}


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("name", WRONG)
def test_a_log_prob_that_is_not_the_density_is_named(name, d):
    x, y = torch.linspace(-0.4, 0.5, d, dtype=FLOAT), torch.linspace(-0.3, 0.1, d, dtype=FLOAT)
    policy = made(WRONG[name], x=x, y=y)
    if name == "determinant of half the entries":
        policy = halved(policy)
    verdict = check(lambda p: -Q(p["x"] + torch.randn(d)), policy, Objective(Q, 0.3))
    assert (verdict.status, verdict.diagnosis) == ("broken", "not_the_density"), str(verdict)


def halved(policy):
    """log_prob with half of what the determinant of tanh is."""

    class Halved(type(policy)):
        def log_prob(self, a):
            return super().log_prob(a) + 0.5 * torch.log1p(-(a**2)).sum(-1)

    return Halved(**policy.parameters())


def test_parameters_that_only_the_sampler_sees_are_found_by_moving_them():
    policy = made(lambda p: Independent(Deaf(p["x"], p["y"].exp()), 1), x=[0.3], y=[-0.2])

    class Blind(type(policy)):
        def log_prob(self, a):
            return Normal(0.3 + 0 * self.x, self.y.exp()).log_prob(a).sum(-1)

    found = wrong_density(Blind(x=t(0.3), y=t(-0.2)), Noise(0), 1e-6)
    assert found is not None
    assert "only one of" in found


def test_actions_at_the_edge_of_what_floats_resolve_are_said_to_be_there():
    make = RIGHT_EDGE
    for dtype, name in ((torch.float32, "float32"), (FLOAT, "float64")):
        small = from_distribution(make, x=torch.tensor([-3.0], dtype=dtype))
        verdict = check(lambda p: make(p).rsample().sum(), small, Objective(lambda a: a.sum(-1)))
        assert verdict.status == "undecided"
        assert f"at the edge of what {name} resolves" in verdict.headline
    fine = from_distribution(make, x=t(0.7))
    assert "edge" not in str(check(score_function, fine, Objective(Q, 0.3), delta=0.1))


def RIGHT_EDGE(p):
    return Independent(Beta(p["x"].exp(), p["x"].exp(), validate_args=False), 1)


# Luck


@RANDOM
@given(
    rare=st.floats(-5.0, -0.7),
    actions=st.integers(2, 4),
    seed=st.integers(0, 2**20),
)
def test_a_rare_action_that_alone_has_a_reward_is_no_fault(rare, actions, seed):
    """P(action 0) = 10^rare: right losses are never biased or broken, in whatever form."""
    p = 10.0**rare
    logits = torch.full((actions,), math.log((1 - p) / (actions - 1) / p), dtype=FLOAT)
    logits[0] = 0.0
    reward = torch.zeros(actions, dtype=FLOAT)
    reward[0] = 2.0
    objective = Objective(lambda a: reward[a], 0.0)

    def loss(params):
        pi = TorchCategorical(logits=params["logits"])
        a = pi.sample()
        return -reward[a] * pi.log_prob(a)

    def branching(params):
        pi = TorchCategorical(logits=params["logits"])
        a = pi.sample()
        return -2.0 * pi.log_prob(a) if a == 0 else torch.zeros((), dtype=FLOAT)

    for thing in (loss, branching, score_function):
        verdict = check(thing, Categorical(logits), objective, rng=Noise(seed), budget=2**15)
        assert verdict.status in ("unbiased", "undecided"), str(verdict)


SHAPES = {
    "relu": torch.relu,
    "ramp": lambda x: (300 * x).clamp(0, 1),
    "steep ramp": lambda x: (900 * x).clamp(0, 1),
    "sigmoid": lambda x: torch.sigmoid(100 * x),
}


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=4, deadline=None)
@given(
    knot=st.floats(0.5, 4.5),
    alpha=st.sampled_from([0.0, 0.3]),
    d=st.integers(1, 2),
    seed=st.integers(0, 2**20),
)
@example(knot=4.241, alpha=0.3, d=1, seed=37)
@example(knot=3.4655, alpha=0.0, d=1, seed=164)
@example(knot=3.832, alpha=0.3, d=2, seed=112)
def test_a_critic_that_is_flat_where_actions_are_common_is_no_fault(shape, knot, alpha, d, seed):
    objective = Objective(lambda a: SHAPES[shape](a - knot).sum(-1), alpha)
    policy = Gaussian(torch.zeros(d, dtype=FLOAT), torch.zeros(d, dtype=FLOAT))

    def loss(p):
        pi = Normal(p["mu"], p["log_std"].exp())
        a = pi.rsample()
        return alpha * pi.log_prob(a).sum(-1) - objective.Q(a)

    for thing in (loss, reparameterization):
        verdict = check(thing, policy, objective, rng=Noise(seed), budget=2**16)
        assert verdict.status in ("unbiased", "undecided"), str(verdict)


def test_zero_in_n_draws_is_said_to_be_that():
    objective = Objective(lambda a: torch.relu(a - 5.5).sum(-1), 0.0)

    def loss(p):
        return -objective.Q(Normal(p["mu"], p["log_std"].exp()).rsample())

    verdict = check(loss, Gaussian(t(0.0), t(0.0)), objective, budget=2**16)
    assert verdict.status == "undecided"
    assert "mu[0] is 0, log_std[0] is 0 in each of 65,536 estimates" in verdict.headline
    # ln(1/α_k)/n: what is likelier would have been drawn
    assert "an event of probability 2" in verdict.headline


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_an_entry_that_never_varies_though_it_should_is_biased(value):
    """The other parameters are right; so is Q, everywhere."""

    def loss(p):
        std = p["log_std"].detach().exp()
        a = Normal(p["mu"], std).rsample()
        return -Q(a) + value * p["log_std"].sum() - 0.4 * p["log_std"].sum()

    verdict = check(loss, POLICY, Objective(Q, 0.4))
    assert verdict.status == "biased", str(verdict)
    assert "log_std" in verdict.headline


def test_a_bias_without_noise_is_found_however_rare_the_reward():
    """exact, and 1.1 times it: nothing is drawn, so nothing is luck."""
    logits = t(math.log(1e-4), 0.0)
    objective = Objective(lambda a: t(1.0, 0.0)[a], 0.0)
    exact = CATALOGUE[Categorical]["exact"]
    assert check(exact, Categorical(logits), objective).status == "unbiased"
    off = check(lambda p, o, rng: 1.1 * exact(p, o, rng), Categorical(logits), objective)
    assert off.status == "biased"

    def loss(p):
        return -1.1 * p["logits"].softmax(-1)[0]

    assert check(loss, Categorical(logits), objective).status == "biased"


@RANDOM
@given(weight=st.floats(0.02, 0.98), seed=st.integers(0, 2**20))
def test_draws_that_come_out_alike_by_chance_are_no_ignored_seed(weight, seed):
    logits = t(math.log(weight), math.log(1 - weight))
    objective = Objective(lambda a: t(1.0, 0.4)[a], 0.0)

    def loss(p):
        pi = TorchCategorical(logits=p["logits"])
        a = pi.sample()
        return -t(1.0, 0.4)[a] * pi.log_prob(a)

    verdict = check(loss, Categorical(logits), objective, rng=Noise(seed), budget=2**13)
    assert verdict.status in ("unbiased", "undecided"), str(verdict)


def test_jumps_are_told_from_steep_slopes():
    a = torch.linspace(-2, 2, 64, dtype=FLOAT).view(1, 64, 1)
    assert jump(lambda a: torch.round(3 * a).sum(-1), a) == pytest.approx(1.0)
    assert jump(lambda a: (a > 0.4).to(a).sum(-1) + a.sum(-1), a) == pytest.approx(1.0)
    assert jump(lambda a: torch.clamp(1e6 * a, 0, 1).sum(-1), a) == 0.0
    assert jump(lambda a: torch.relu(a - 0.3).sum(-1), a) == 0.0
    bumps = torch.rand(1, 64, 2, generator=torch.Generator().manual_seed(0), dtype=FLOAT)
    assert jump(lambda a: torch.sigmoid(2000 * (a - 0.5)).sum(-1), bumps) == 0.0  # up and down
    assert jump(lambda a: torch.round(a.float()).to(a).sum(-1), a.float()) == pytest.approx(1.0)


def test_activity_is_the_share_of_draws_in_which_a_right_estimate_varies():
    flat = Objective(lambda a: torch.relu(a - 1.0).sum(-1), 0.0)
    share = activity(Gaussian(t(0.0), t(0.0)), flat)
    due = float(torch.special.ndtr(t(-1.0)))  # where the slope is not zero
    assert bool((share < due).all())
    assert bool((share > 0.8 * due).all())
    assert bool((activity(POLICY, Objective(Q, 0.4)) > 0.9).all())


@pytest.mark.parametrize(
    ("q", "found"),
    [
        (lambda a: (2000 * (a - 0.5)).clamp(0, 1).sum(-1), "unknown"),  # a ramp of 0.0005
        (lambda a: (a > 0.5).to(a).sum(-1), "BIASED"),
    ],
)
def test_compare_tells_a_jump_from_a_ramp_that_no_draw_has_met(q, found):
    objective = Objective(q, 0.0)
    policy = Gaussian(t(0.0), t(0.0))
    problem = Problem("own", policy, objective, smooth=False)
    estimator = CATALOGUE[Gaussian]["reparameterization"]
    seen = look("reparameterization", estimator, problem, problem.gradient(), Sampling(512), iter)
    assert bool(seen.report.alike.all())
    assert verdict(seen.report, 6.0, seen.blind) == found
