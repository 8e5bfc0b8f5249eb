"""The check of an estimator: right ones pass, wrong ones are told why, no guesses are made."""

import json
import math
import sys
from functools import partial

import numpy as np
import pytest
import torch
from support import FLOAT, t
from torch.distributions import Beta, Independent, Normal

from estimators import (
    BIASED,
    CATALOGUE,
    Categorical,
    Gaussian,
    Mixture,
    Noise,
    Objective,
    Sobol,
    assert_unbiased,
    check,
    from_distribution,
    leave_one_out,
    linear,
    reparameterization,
    score_function,
    squash,
    sticking_the_landing,
)
from estimators.checking.field import NoField, field
from estimators.checking.sequential import quantile, sequential
from nabla.cli import main
from toy_problems import build
from toy_problems.identities import random_problem

ALPHA = 0.3
POLICY = Gaussian(t(0.3, -0.5), t(-0.4, 0.2))


def Q(a):
    return torch.cos(3 * a + 0.4).sum(-1) + a[..., 0] * a[..., 1]


SQUASHED = squash(Objective(Q, ALPHA))
DEAR = {"convex_combination", "score_function_value", "score_function_optimal"}
PROBLEMS = ["report", "report_mixture", "quartic", "squashed", "bandit", "quadratic"]
ENTRIES = [
    (problem, name)
    for problem in PROBLEMS
    for name in CATALOGUE[type(build(problem).policy)]
    if name not in DEAR or problem in ("report", "bandit")
]


@pytest.mark.parametrize(("problem", "name"), ENTRIES)
def test_catalogue_is_unbiased_to_delta_or_a_known_exhibit(problem, name):
    """With the default budget: false alarm 1e-6 each, a bias of 0.01 deviations would be seen."""
    p = build(problem)
    verdict = check(CATALOGUE[type(p.policy)][name], p.policy, p.objective)
    if name in BIASED:
        assert verdict.status in ("biased", "unbiased", "undecided"), str(verdict)
        if name == "score_function_batch_mean":
            assert verdict.diagnosis == "factor_1-1/n", str(verdict)
    else:
        assert verdict.status == "unbiased", str(verdict)
        assert verdict.diagnosis is None


@pytest.mark.parametrize("seed", range(4))
def test_random_problems_in_four_dimensions(seed):
    policy, objective = random_problem(seed, None if seed % 2 else 2)
    policy = policy.map(lambda p: p[0])
    for estimator in (reparameterization, partial(score_function, n=3, baseline=leave_one_out)):
        verdict = check(estimator, policy, objective, budget=2**17)
        assert verdict.status in ("unbiased", "undecided"), str(verdict)
    wrong = check(lambda p, o, rng: 1.1 * reparameterization(p, o, rng), policy, objective)
    assert wrong.status == "biased", str(wrong)


def test_batches_float32_and_other_noise_sources():
    policy, objective = random_problem(3)
    assert check(sticking_the_landing, policy, objective, budget=2**15).status != "biased"
    p = build("report")
    single = p.policy.map(lambda x: x.float())
    verdict = check(reparameterization, single, p.objective)
    assert verdict.status == "unbiased"
    assert verdict.numbers("monte carlo")["estimates"] > 2**15  # nodes do not speak for float32
    loo = partial(score_function, n=4, baseline=leave_one_out)
    assert check(loo, p.policy, p.objective, rng=Sobol(3)).status == "unbiased"


def test_no_variance_is_no_trouble():
    """Sticking the landing at its optimum, where every estimate is zero to rounding."""
    p = build("gaussian_target", m=0.5, s=0.8, mu=0.5, log_std=math.log(0.8))
    assert check(sticking_the_landing, p.policy, p.objective).status == "unbiased"
    bandit = build("bandit")
    assert check(CATALOGUE[Categorical]["exact"], bandit.policy, bandit.objective).status == (
        "unbiased"
    )

    def constant(policy, objective, rng, n=1):
        return linear(policy, mu=policy.mu * 0 + 0.1, log_std=policy.log_std * 0)

    assert check(constant, p.policy, p.objective).status == "biased"


@pytest.mark.parametrize("seed", range(12))
def test_rounding_is_no_bias(seed):
    """A small difference of large numbers: exact to 1e-18, says the enumeration, but not rounded
    to that."""
    rng = torch.Generator().manual_seed(seed)
    policy = Categorical(2 * torch.rand(2, generator=rng, dtype=FLOAT))
    rewards = policy.logits * 1.5 + 1e-3 * torch.rand(2, generator=rng, dtype=FLOAT)
    objective = Objective(lambda a: rewards[a], 1.5)
    for name in ("vargrad", "score_function_leave_one_out"):
        verdict = check(CATALOGUE[Categorical][name], policy, objective)
        assert verdict.status == "unbiased", str(verdict)


def test_the_same_noise_gives_the_same_verdict_and_global_seeds_are_untouched():
    p = build("report")
    numpy_before = np.random.get_state()[1].copy()
    for subject, policy, objective in (
        (actor_loss, POLICY, SQUASHED),
        (score_function, p.policy, p.objective),
    ):
        one, two = (check(subject, policy, objective, rng=Noise(4), budget=2**16) for _ in "ab")
        assert str(one) == str(two)  # sums differ in their last digit with where memory lies
    assert (np.random.get_state()[1] == numpy_before).all()


def actor_loss(params):
    """Somebody's SAC actor loss, as it is."""
    pi = Normal(params["mu"], params["log_std"].exp())
    u = pi.rsample((4,))
    log_prob = pi.log_prob(u) - torch.log(1 - torch.tanh(u) ** 2 + 1e-6)
    return (ALPHA * log_prob.sum(-1) - Q(torch.tanh(u))).mean()


def test_a_plain_loss_is_checked_as_it_is():
    assert check(actor_loss, POLICY, SQUASHED, delta=0.02).status == "unbiased"

    def per_sample(params):
        pi = Normal(params["mu"], params["log_std"].exp())
        u = pi.rsample((8,))
        return ALPHA * pi.log_prob(u).sum(-1) - Q(torch.tanh(u))

    verdict = check(per_sample, POLICY, SQUASHED)
    assert (verdict.status, verdict.diagnosis) == ("biased", "log_det_forgotten"), str(verdict)


def test_a_loss_over_a_batch_of_states_is_their_mean():
    policy = Gaussian(t(0.3, -0.5, 1.0)[:, None], t(-0.4, 0.2, 0.0)[:, None])
    objective = Objective(lambda a: torch.sin(2 * a).sum(-1), ALPHA)

    def loss(params, reduce):
        pi = Normal(params["mu"], params["log_std"].exp())
        a = pi.rsample()
        return reduce(ALPHA * pi.log_prob(a).sum(-1) - torch.sin(2 * a).sum(-1))

    for reduce in (torch.mean, lambda each: each):
        assert check(partial(loss, reduce=reduce), policy, objective, delta=0.03).status == (
            "unbiased"
        )
    summed = check(partial(loss, reduce=torch.sum), policy, objective)
    assert (summed.status, summed.diagnosis) == ("biased", "factor_n")


def test_a_loss_that_vmap_cannot_run_is_called_one_by_one():
    def loss(params):
        u = params["mu"] + params["log_std"].exp() * torch.as_tensor(np.random.randn(2))
        return -(u**2).sum() * (1.0 if float(u.detach().sum()) < 99 else 0.0)

    objective = Objective(lambda a: (a**2).sum(-1), 0.0)
    assert check(loss, POLICY, objective, delta=0.2).status == "unbiased"
    assert check(loss, POLICY, Objective(lambda a: (a**2).sum(-1), 1.0)).diagnosis == (
        "missing_entropy"
    )


def gradients(params, seed, wrong=1.0):
    eps = np.random.default_rng(seed).standard_normal((1000, 2))
    sigma = np.exp(params["log_std"])
    slope = -2 * (params["mu"] + sigma * eps)
    return {"mu": slope, "log_std": wrong * slope * sigma * eps}


def test_a_function_that_returns_gradients():
    objective = Objective(lambda a: (a**2).sum(-1), 0.0)
    assert check(gradients, POLICY, objective).status == "unbiased"
    wrong = partial(gradients, wrong=-1.0)
    assert check(wrong, POLICY, objective).status == "biased"
    both = check(lambda p, seed: tuple(-g for g in gradients(p, seed).values()), POLICY, objective)
    assert (both.status, both.diagnosis) == ("biased", "sign")


def test_any_torch_distribution_against_its_density():
    policy = from_distribution(
        lambda p: Independent(Beta(p["a"].exp(), p["b"].exp()), 1), a=t(0.3), b=t(0.5)
    )
    objective = Objective(lambda a: torch.cos(3 * a).sum(-1), 0.2)
    right = check(score_function, policy, objective, delta=0.05)
    assert right.status == "unbiased"
    assert right.numbers("monte carlo")["estimates"] >= 2**15

    def twice(policy, objective, rng, n=1):
        return 2 * score_function(policy, objective, rng, n)

    assert check(twice, policy, objective).status == "biased"


def test_without_an_exact_gradient_the_score_function_is_the_reference():
    d = 9
    policy = Gaussian(torch.linspace(-0.5, 0.5, d, dtype=FLOAT), torch.full((d,), -0.5).double())
    objective = Objective(lambda a: a.sum(-1).abs() + torch.cos(a).sum(-1), 0.2)
    right = check(reparameterization, policy, objective, delta=0.05)
    assert right.status == "unbiased", str(right)
    assert right.numbers("reference")
    wrong = Objective(objective.Q, 0.1)
    off = check(lambda p, o, rng: reparameterization(p, wrong, rng), policy, objective, delta=0.05)
    assert off.status == "biased", str(off)


def test_heavy_tails_withhold_the_verdict_but_kurtosis_does_not():
    p = build("quartic")
    raw = check(partial(score_function, n=1), p.policy, p.objective)
    assert raw.status == "unbiased", str(raw)

    def cauchy(policy, objective, rng, n=1):
        noise = torch.tan(math.pi * (rng.uniform((n, *policy.mu.shape), policy.mu) - 0.5)).mean(0)
        return reparameterization(policy, objective, rng, n) + linear(
            policy, mu=noise, log_std=noise
        )

    def stable(policy, objective, rng, n=1):
        """Tail index 4/3: the variance is infinite, the mean is right."""
        u = rng.uniform((n, *policy.mu.shape), policy.mu)
        noise = (u ** (-3 / 4) - 4.0).mean(0)
        return reparameterization(policy, objective, rng, n) + linear(
            policy, mu=noise, log_std=noise
        )

    for wild in (cauchy, stable):
        verdict = check(wild, p.policy, p.objective, budget=2**20)
        assert verdict.status == "undecided", str(verdict)
        assert "heavy" in str(verdict) or "skewed" in str(verdict)


def test_rare_categories_are_not_guessed():
    """An arm of probability 1e-6 that holds most of the gradient is not seen by 32,000 draws."""
    policy = Categorical(t(0.0, -13.8, 1.0))
    objective = Objective(lambda a: t(0.0, 3e5, 0.1)[a], 0.0)
    loo = partial(score_function, n=12, baseline=leave_one_out)
    assert check(loo, policy, objective, budget=2**15).status == "undecided"
    assert check(score_function, policy, objective).status == "unbiased"  # nodes see it


def test_undecided_tells_how_many_more():
    verdict = check(actor_loss, POLICY, SQUASHED, budget=2**14)
    assert verdict.status == "undecided"
    more = verdict.numbers("monte carlo")["more"]
    assert 8e5 < more < 2e6
    assert f"{more:,} more estimates" in str(verdict)


def test_a_bound_gives_limits_without_a_central_limit_theorem():
    p = build("bandit")
    loo = partial(score_function, n=9, baseline=leave_one_out)
    verdict = check(loo, p.policy, p.objective, bound=50.0, budget=2**17)
    limits = verdict.numbers("monte carlo")
    assert all(b > 4 * se for b, se in zip(limits["bernstein"], limits["standard_error"], strict=1))
    with pytest.raises(ValueError, match=r"exceeds the bound 0\.01"):
        check(loo, p.policy, p.objective, bound=0.01)


def test_field_finds_marginal_distribution_functions():
    from test_mutants import COUPLED, marginal_in_place_of_conditional

    assert field(reparameterization, COUPLED, Noise(0)).worst[1] < 1e-6
    assert field(marginal_in_place_of_conditional, COUPLED, Noise(0)).worst[1] > 0.1
    with pytest.raises(NoField):
        field(score_function, COUPLED, Noise(0))
    lucky = Objective(lambda a: a[..., 0], 0.0)  # its own marginal is all that this Q sees
    verdict = check(marginal_in_place_of_conditional, COUPLED, lucky)
    assert verdict.status == "biased"
    assert "continuity" in str(verdict)


def normal_rows(mean, sd=1.0, seed=0):
    rng = torch.Generator().manual_seed(seed)

    def draw(count):
        x = mean + sd * torch.randn(count, 1, generator=rng, dtype=FLOAT)
        return x, x, x

    return draw


OPTIONS = {"slack": t(0.0), "delta": 0.05, "miss": 1e-6, "budget": 2**20, "chunk": 2**12}


def test_sequential_false_alarms_stay_below_the_stated_rate():
    """At a rate of 0.1 in 300 runs more than 50 would have probability < 1e-4; and it sees δ."""
    alarms = sum(
        sequential(normal_rows(0.0, seed=i), false_alarm=0.1, first=256, **OPTIONS).verdict
        == "biased"
        for i in range(300)
    )
    assert alarms <= 50
    seen = [
        sequential(normal_rows(0.05, seed=i), false_alarm=1e-6, first=256, **OPTIONS).verdict
        for i in range(30)
    ]
    assert seen == ["biased"] * 30
    assert quantile(0.025) == pytest.approx(1.959964, abs=1e-6)


def test_more_than_the_budget_is_drawn_only_where_that_settles_it():
    """δ = 0.05 is excluded by about ((z + 4.75)/0.05)² = 45,000 rows."""
    options = {**OPTIONS, "false_alarm": 1e-6, "first": 2**10, "budget": 2**14}
    looks = {m: sequential(normal_rows(0.0), **options, most=m) for m in (0, 2**15, 2**17)}
    assert [look.verdict for look in looks.values()] == ["undecided", "undecided", "unbiased"]
    assert [looks[m].n for m in (0, 2**15)] == [2**14] * 2
    assert 2**15 < looks[2**17].n < 2**16


def bad(body):
    def estimator(policy, objective, rng, n=1):
        return body(policy, objective, rng)

    return estimator


def global_seed(policy, objective, rng):
    noise = torch.randn_like(policy.mu)
    return objective.cost(policy, (policy.mu + noise)[None]).mean(0)


def own_generator(policy, objective, rng):
    own = torch.Generator()
    own.seed()
    noise = torch.randn(policy.mu.shape, generator=own, dtype=FLOAT)
    return objective.cost(policy, (policy.mu + policy.log_std.exp() * noise)[None]).mean(0)


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (bad(lambda p, o, rng: 1 / 0), "it raises ZeroDivisionError: division by zero"),
        (bad(lambda p, o, rng: o.cost(p, p.rsample(2, rng))), "the policy's batch shape"),
        (bad(lambda p, o, rng: o.cost(p, p.rsample(1, rng)).mean(0).float()), "float32"),
        (bad(lambda p, o, rng: (p.mu * math.nan + p.log_std).sum(-1)), "mu is not finite"),
        (bad(lambda p, o, rng: p.mu.detach().sum(-1)), "no gradient for any"),
        (bad(lambda p, o, rng: p.mu.sum(-1)), "log_std gets no gradient"),
        (bad(lambda p, o, rng: "nothing"), "must return a tensor"),
        (bad(global_seed), "global generator of torch"),
        (bad(own_generator), "not deterministic"),
        (bad(lambda p, o, rng: p.components), "no attribute 'components'"),
        (CATALOGUE[Mixture]["marginalized"], "a Gaussian policy has no components to sum over"),
        (bad(lambda p, o, rng: reparameterization(p, o, rng).flip(0)), "rows are not independent"),
        (lambda params: 1 / 0, "it raises ZeroDivisionError"),
        (lambda params: params["mu"], "gets no gradient"),
        (lambda params: params["loc"], "it was called as <lambda>(params), params = {mu, log_std}"),
        (lambda obs, params: params["mu"], "it was called as <lambda>(params, seed)"),
        (lambda params: params["mu"] * params["log_std"][:, None], "the loss must be a scalar"),
        (lambda params: torch.zeros(()), "does not depend on the parameters"),
        (lambda params, seed: {"mu": np.zeros(2)}, "log_std gets no gradient"),
        (lambda params, seed: (np.zeros(3), np.zeros(2)), "must be [2] or"),
        (lambda params, seed: None, "a dict or a tuple"),
    ],
)
def test_a_broken_contract_gets_one_sentence(estimator, words):
    verdict = check(estimator, POLICY, SQUASHED)
    assert verdict.status == "broken", str(verdict)
    assert words in verdict.headline
    with pytest.raises(AssertionError) as raised:
        assert_unbiased(estimator, POLICY, SQUASHED)
    assert words in str(raised.value)


def test_q_that_cannot_be_differentiated():
    from_numpy = Objective(lambda a: torch.as_tensor(np.cos(a.detach().numpy())).sum(-1), 0.2)
    verdict = check(reparameterization, POLICY, from_numpy)
    assert (verdict.status, verdict.diagnosis) == ("broken", "discontinuous_q")
    assert "not differentiable" in verdict.headline
    assert check(score_function, POLICY, from_numpy).status == "unbiased"
    stairs = Objective(lambda a: torch.round(a).sum(-1), 0.2)
    assert "piecewise constant" in check(reparameterization, POLICY, stairs).headline
    assert check(CATALOGUE[Gaussian]["score_function_value"], build("step").policy, stairs)


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((3, POLICY, SQUASHED), {}, "no function but int"),
        ((lambda a, b, c, d: 0, POLICY, SQUASHED), {}, "takes 4 required arguments"),
        ((score_function, "policy", SQUASHED), {}, "must be a Policy, got str"),
        ((score_function, Gaussian(t(math.nan), t(0.0)), SQUASHED), {}, "mu is not finite"),
        ((score_function, POLICY, SQUASHED), {"budget": 1}, "must be ≥ 2"),
        ((score_function, POLICY, SQUASHED), {"delta": 0.0}, "delta must lie in"),
        ((score_function, POLICY, SQUASHED), {"false_alarm": 1.0}, "false_alarm must lie in"),
        ((score_function, POLICY, SQUASHED), {"bound": -1.0}, "bound must be positive"),
    ],
)
def test_bad_arguments_raise_one_sentence(arguments, options, words):
    with pytest.raises((TypeError, ValueError), match=words):
        check(*arguments, **options)


TASKS = """
import torch
from torch.distributions import Normal

def Q(a):
    return torch.cos(3 * a).sum(-1)

def loss(params):
    pi = Normal(params["mu"], params["log_std"].exp())
    u = pi.rsample()
    return (0.2 * pi.log_prob(u).sum(-1) - Q(torch.tanh(u))).mean()

def wrong(policy, objective, rng, n=1):
    a = policy.sample(n, rng)
    return (objective.cost(policy, a) * policy.log_prob(a)).mean(0)
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    (tmp_path / "own_loss.py").write_text(TASKS)
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("own_loss", None)

    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main(["check", *arguments])
        captured = capsys.readouterr()
        return exit_.value.code, captured.out, captured.err

    return run


def test_command_reports_and_exits_for_scripts(run):
    code, out, err = run("reparameterization")
    assert (code, err) == (0, "")
    assert "reparameterization on report: UNBIASED" in out
    code, out, _ = run("own_loss:wrong")
    assert code == 1
    assert "It looks like this slip: the cost is left attached" in out
    policy = ["--mu", "0.3", "0.1", "--log-std", "-0.4", "--alpha", "0.2", "--squash"]
    code, out, _ = run("own_loss:loss", "own_loss:Q", *policy)
    assert code == 1
    assert "the log-determinant of tanh is forgotten" in out
    assert run("reparameterization", "step")[0] == 2
    assert run("own_loss:loss", "squashed", "--budget", "1000")[0] == 2


def test_command_prints_json(run):
    code, out, _ = run("gumbel_softmax", "report_mixture", "--json")
    found = json.loads(out)
    assert (code, found["status"], found["problem"]) == (1, "biased", "report_mixture")
    assert found["evidence"][-1]["rung"] == "diagnosis"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "unknown estimator 'nowhere'; known:"),
        (["reparameterization", "nowhere"], "unknown problem"),
        (["reparameterization", "--budget", "1"], "must be ≥ 2"),
        (["reparameterization", "--delta", "2"], "delta must lie in"),
        (["reparameterization", "--seed", "-1"], "seed must lie in"),
        (["own_loss:gone"], "no attribute 'gone'"),
    ],
)
def test_command_gets_one_sentence_for_bad_input(run, arguments, words):
    code, _, err = run(*arguments)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1
