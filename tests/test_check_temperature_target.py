"""The check of temperature losses and critic targets: right ones in several styles pass, each
planted slip is found and named, and it is said where nothing can be."""

import json
import math
import sys
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate
from scipy.stats import binom
from support import t
from torch.distributions import Categorical as TorchCategorical
from torch.distributions import Independent, Normal, Uniform

from estimators import (
    Categorical,
    Gaussian,
    Mixture,
    Noise,
    check_target,
    check_temperature,
    from_distribution,
    log_det_tanh,
)
from estimators.checking.acting import Acting, expectation
from estimators.testing import categoricals, gaussians, mixtures, tensors
from nabla.cli import main
from sac_minimal.config import Config
from sac_minimal.envs import Space
from sac_minimal.lineage import make_agent
from sac_minimal.replay import Batch

POLICY = Gaussian(t(0.3, -0.2), t(-0.4, 0.1))
LINE = Gaussian(t(0.3), t(-0.4))
BANDIT = Categorical(t(0.2, -0.5, 1.1))
TANH = (-1.0, 1.0)
ENTROPY = -2.0
GAMMA, ALPHA = 0.97, 0.2
temperature = partial(check_temperature, target_entropy=ENTROPY, box=TANH)


# Temperature losses, as they are written elsewhere.


def cleanrl(log_alpha, log_prob):
    return (-log_alpha.exp() * (log_prob + ENTROPY)).mean()


def stable_baselines(log_alpha, log_prob):
    return -(log_alpha * (log_prob.reshape(-1, 1) + ENTROPY).detach()).mean()


def logging(log_alpha, log_prob):  # vmap refuses to take the number out
    alpha = log_alpha.exp()
    assert alpha.item() > 0
    return -(alpha * (log_prob + ENTROPY)).mean()


def told_the_target(log_alpha, log_prob, target_entropy):
    return -(log_alpha * (log_prob + target_entropy)).mean()


def not_reduced(log_alpha, log_prob):
    return -(log_alpha * (log_prob + ENTROPY))


def house(log_alpha, policy, rng):
    u = policy.sample(1, rng)
    return -(log_alpha.exp() * (policy.log_prob(u) - log_det_tanh(u) + ENTROPY)).mean()


def squashed(params):
    pi = Normal(params["mu"], params["log_std"].exp())
    u = pi.sample()
    return torch.tanh(u), pi.log_prob(u), log_det_tanh(u)


def own_draws(params):
    _, log_prob, log_det = squashed(params)
    return -(params["log_alpha"] * (log_prob.sum(-1) - log_det + ENTROPY)).mean()


RIGHT_LOSSES = {
    cleanrl: "α(H − H̄), as of α",
    stable_baselines: "H − H̄, as of log α",
    logging: "α(H − H̄), as of α",
    told_the_target: "H − H̄, as of log α",
    not_reduced: "H − H̄, as of log α",
    house: "α(H − H̄), as of α",
    own_draws: "H − H̄, as of log α",
}


@pytest.mark.parametrize("loss", RIGHT_LOSSES, ids=lambda f: f.__name__)
def test_right_temperature_losses_and_which_form_they_have(loss):
    """At α = 1 the two forms agree: the second temperature tells them apart."""
    for alpha in (0.2, 1.0):
        delta = 0.05 if loss is own_draws else 0.01
        verdict = temperature(loss, POLICY, alpha=alpha, delta=delta)
        assert verdict.status == "unbiased", str(verdict)
        assert verdict.numbers("monte carlo")["forms"] == [RIGHT_LOSSES[loss]]


def own(change):
    """A loss with draws of its own, and with `change` in the place of log π + H̄."""

    def loss(params):
        _, log_prob, log_det = squashed(params)
        return -(params["log_alpha"].exp() * change(log_prob, log_det)).mean()

    return loss


WRONG_LOSSES = {
    "sign": lambda log_alpha, log_prob: (log_alpha * (log_prob + ENTROPY)).mean(),
    "sign_of_target": lambda log_alpha, log_prob: -(log_alpha * (log_prob - ENTROPY)).mean(),
    "sign_of_entropy": lambda log_alpha, log_prob: (log_alpha.exp() * (log_prob - ENTROPY)).mean(),
    "target_forgotten": lambda log_alpha, log_prob: -(log_alpha.exp() * log_prob).mean(),
    "missing_entropy": lambda log_alpha, log_prob: -log_alpha * ENTROPY,
    "factor_n": lambda log_alpha, log_prob: -(log_alpha * (log_prob + ENTROPY)).sum(),
    "target_per_dimension": lambda log_alpha, log_prob: -log_alpha * (log_prob - 1).mean(),
    "log_det_forgotten": own(lambda log_prob, log_det: log_prob.sum(-1) + ENTROPY),
    "sign_of_log_det": own(lambda log_prob, log_det: log_prob.sum(-1) + log_det + ENTROPY),
    "log_det_twice": own(lambda log_prob, log_det: log_prob.sum(-1) - 2 * log_det + ENTROPY),
    "entropy_per_dimension": own(
        lambda log_prob, log_det: (log_prob.sum(-1) - log_det) / 2 + ENTROPY
    ),
}


@pytest.mark.parametrize("slip", WRONG_LOSSES)
def test_each_slip_of_a_temperature_loss_is_named(slip):
    verdict = temperature(WRONG_LOSSES[slip], POLICY)
    assert (verdict.status, verdict.diagnosis) == ("biased", slip), str(verdict)


def test_one_more_slip_of_an_action_in_its_range_and_one_of_discrete_actions():
    """CleanRL's discrete loss is a mean over actions: E[.]/|A|, of the right sign."""

    def of_tanh(params):
        _, log_prob, log_det = squashed(params)
        return -(params["log_alpha"] * (log_prob.sum(-1) - log_det + ENTROPY)).mean()

    verdict = temperature(of_tanh, POLICY, box=(-2.0, 2.0))
    assert verdict.diagnosis == "range_forgotten", str(verdict)

    def over_actions(params):
        p, log_p = params["logits"].softmax(-1), params["logits"].log_softmax(-1)
        return (p * -params["log_alpha"] * (log_p + 0.8)).mean()

    verdict = check_temperature(over_actions, BANDIT, target_entropy=0.8)
    assert verdict.diagnosis == "factor_1/n", str(verdict)
    summed = check_temperature(lambda params: 3 * over_actions(params), BANDIT, target_entropy=0.8)
    assert summed.status == "unbiased", str(summed)


def test_what_two_numbers_explain_is_no_diagnosis():
    """Of one policy the mean is one number: a factor, or another target, has it as well."""
    verdict = temperature(lambda log_alpha, log_prob: -1.3 * log_alpha * (log_prob - 2), POLICY)
    assert (verdict.status, verdict.diagnosis) == ("biased", None)
    said = verdict.evidence[-1].text
    assert "1.3" in said
    assert "the target entropy is taken as" in said


@pytest.mark.parametrize(
    ("policy", "box"),
    [
        (Gaussian(torch.zeros(6).double(), torch.full((6,), -0.5).double()), TANH),  # no nodes
        (Gaussian(t([0.1], [0.5], [-1.0]), t([0.0], [-1.0], [-0.3])), (-2.0, 1.0)),  # states
        (Mixture(t(0.3, -0.2), t([-1.0], [0.8]), t([-0.3], [0.1])), None),
        (LINE.map(torch.Tensor.float), TANH),
        (from_distribution(lambda p: TorchCategorical(logits=p["l"]), l=t(0.3, -0.2, 1.0)), None),
    ],
)
def test_any_policy_has_an_entropy(policy, box):
    for target in (-0.7, 0.4) if not policy.discrete else (0.4,):
        asked = partial(check_temperature, policy=policy, target_entropy=target, box=box)
        assert asked(told_the_target).status == "unbiased"
        wrong = asked(lambda log_alpha, log_prob, target_entropy: log_alpha * log_prob.mean())
        assert wrong.status == "biased", str(wrong)


def test_a_sign_cannot_be_seen_where_the_entropy_is_the_target():
    entropy = float(LINE.entropy())
    for sign in (1, -1):
        verdict = check_temperature(
            lambda log_alpha, log_prob, sign=sign: sign * log_alpha * (-log_prob - entropy),
            LINE,
            target_entropy=entropy,
        )
        assert verdict.status == "undecided"
        assert "is the target" in verdict.headline


@pytest.mark.parametrize(
    ("policy", "box", "highest"),
    [
        (BANDIT, None, math.log(3)),
        (POLICY, TANH, 2 * math.log(2)),
        (POLICY, ([-1.0, 0.0], [2.0, 0.5]), math.log(3) + math.log(0.5)),
        (LINE, None, math.inf),
    ],
)
def test_a_target_that_no_policy_reaches_is_the_problems_fault(policy, box, highest):
    assert Acting.of(policy, box).highest_entropy == pytest.approx(highest)
    if highest < math.inf:
        asked = partial(check_temperature, told_the_target, policy, box=box)
        verdict = asked(target_entropy=highest + 1e-3)
        assert (verdict.status, verdict.diagnosis) == ("broken", "target_out_of_reach")
        assert [e.rung for e in verdict.evidence] == ["problem"]
        assert asked(target_entropy=highest - 1e-3).status == "unbiased"


def test_a_discrete_target_below_zero_and_a_box_of_the_support():
    verdict = check_temperature(told_the_target, BANDIT, target_entropy=-3.0)
    assert "with discrete actions none is negative" in verdict.headline
    uniform = from_distribution(lambda p: Independent(Uniform(p["low"], 2.0), 1), low=t(-1.0, 0.5))
    assert Acting.of(uniform, None).highest_entropy == math.inf  # each coordinate has its own


@pytest.mark.parametrize(
    ("loss", "why"),
    [
        (lambda log_alpha, log_prob: -(log_alpha.detach() * log_prob).mean(), "does not reach"),
        (lambda params: -(params["log_alpha"].detach() * params["mu"]).mean(), "does not reach"),
        (lambda log_alpha, log_prob: 1.0, "must return a tensor"),
        (lambda log_alpha, log_prob: log_alpha * log_prob[:, 0], "called as"),
        (lambda log_alpha, log_prob: log_alpha * torch.rand(()), "not deterministic"),
        (lambda log_alpha, log_prob: log_alpha * math.inf, "not finite"),
    ],
)
def test_a_temperature_loss_that_breaks_its_contract(loss, why):
    verdict = temperature(loss, POLICY)
    assert verdict.status == "broken", str(verdict)
    assert why in verdict.headline


# Critic targets.


def Q1(a):
    return torch.cos(2 * a).sum(-1) + 2 + a[..., 0]


def Q2(a):
    return torch.sin(2 * a).sum(-1) + 2.3


target = partial(check_target, critics=(Q1, Q2), gamma=GAMMA, alpha=ALPHA, box=TANH)


def soft(q1, q2, log_prob):
    return torch.min(q1, q2) - ALPHA * log_prob


def right(reward, terminated, truncated, q1, q2, log_prob):
    return reward + GAMMA * (1 - terminated) * soft(q1, q2, log_prob)


def columns(reward, terminated, q, log_prob, alpha, gamma):  # [batch, 1], as in SB3
    value = (q - alpha * log_prob)[:, None]
    return reward[:, None] + (1 - terminated[:, None]) * gamma * value


def own_target(params, reward, terminated):
    a, log_prob, log_det = squashed(params)
    return reward + GAMMA * (1 - terminated) * soft(Q1(a), Q2(a), log_prob.sum(-1) - log_det)


def house_target(policy, rng, reward, terminated):
    u = policy.sample(1, rng)[0]
    a, log_prob = torch.tanh(u), policy.log_prob(u) - log_det_tanh(u)
    return reward + GAMMA * (1 - terminated) * soft(Q1(a), Q2(a), log_prob)


@pytest.mark.parametrize("policy", [LINE, POLICY])
@pytest.mark.parametrize("f", [right, columns, own_target, house_target])
def test_right_targets(f, policy):
    """In d = 1 against nodes, in d = 2, where the minimum's kink is beyond them, against draws."""
    verdict = target(f, policy, delta=0.05)
    assert verdict.status == "unbiased", str(verdict)
    rung = "reference" if policy is POLICY else "monte carlo"
    assert verdict.numbers(rung)["entries"][:4] == ["ordinary", "truncated", "terminated", "both"]


def test_a_critic_that_returns_a_tuple_is_both_and_one_gets_a_twin():
    both = target(right, LINE, critics=lambda a: (Q1(a), Q2(a)))
    assert both.numbers("nodes") == target(right, LINE).numbers("nodes")
    for wrong in (torch.max, lambda q1, q2: q1, lambda q1, q2: (q1 + q2) / 2):
        verdict = target(
            lambda reward, terminated, q1, q2, log_prob, wrong=wrong: (
                reward + GAMMA * (1 - terminated) * (wrong(q1, q2) - ALPHA * log_prob)
            ),
            LINE,
            critics=Q1,
        )
        assert verdict.status == "biased"
        assert verdict.diagnosis in ("maximum", "one_critic_1", "mean_of_critics")


def given_value(value):
    """A target with another value of the next state."""

    def wrong(reward, terminated, q1, q2, log_prob):
        return reward + GAMMA * (1 - terminated) * value(q1, q2, log_prob)

    return wrong


def summed(combine):
    """A target of its parts, put together in another way: r, terminated, truncated, V, −α log π."""

    def wrong(reward, terminated, truncated, q1, q2, log_prob):
        entropy = -ALPHA * log_prob
        return combine(reward, terminated, truncated, torch.min(q1, q2) + entropy, entropy)

    return wrong


G = GAMMA
WRONG_TARGETS = {
    "truncation_as_termination": summed(lambda r, d, c, v, h: r + G * (1 - d) * (1 - c) * v),
    "termination_forgotten": summed(lambda r, d, c, v, h: r + G * v),
    "truncation_for_termination": summed(lambda r, d, c, v, h: r + G * (1 - c) * v),
    "sign_of_termination": summed(lambda r, d, c, v, h: r + G * d * v),
    "termination_of_reward": summed(lambda r, d, c, v, h: (1 - d) * r + G * v),
    "termination_of_all": summed(lambda r, d, c, v, h: (1 - d) * (r + G * v)),
    "entropy_after_the_end": summed(lambda r, d, c, v, h: r + G * ((1 - d) * (v - h) + h)),
    "entropy_undiscounted": summed(lambda r, d, c, v, h: r + G * (1 - d) * (v - h) + h),
    "gamma_forgotten": summed(lambda r, d, c, v, h: r + (1 - d) * v),
    "gamma_twice": summed(lambda r, d, c, v, h: r + G * G * (1 - d) * v),
    "gamma_of_reward": summed(lambda r, d, c, v, h: G * (r + (1 - d) * v)),
    "reward_forgotten": summed(lambda r, d, c, v, h: G * (1 - d) * v),
    "sign_of_reward": summed(lambda r, d, c, v, h: -r + G * (1 - d) * v),
    "reward_clipped": summed(lambda r, d, c, v, h: r.clamp(-1, 1) + G * (1 - d) * v),
    "reward_scaled": summed(lambda r, d, c, v, h: 5 * r + G * (1 - d) * v),
    "sign_of_value": summed(lambda r, d, c, v, h: r - G * (1 - d) * v),
    "another_gamma": summed(lambda r, d, c, v, h: r + 0.9 * (1 - d) * v),
    "missing_entropy": given_value(lambda q1, q2, log_prob: torch.min(q1, q2)),
    "sign_of_entropy": given_value(lambda q1, q2, log_prob: torch.min(q1, q2) + ALPHA * log_prob),
    "alpha_forgotten": given_value(lambda q1, q2, log_prob: torch.min(q1, q2) - log_prob),
    "entropy_weight": given_value(lambda q1, q2, log_prob: torch.min(q1, q2) - 0.1 * log_prob),
    "maximum": given_value(lambda q1, q2, log_prob: torch.max(q1, q2) - ALPHA * log_prob),
    "mean_of_critics": given_value(lambda q1, q2, log_prob: (q1 + q2) / 2 - ALPHA * log_prob),
    "one_critic_1": given_value(lambda q1, q2, log_prob: q1 - ALPHA * log_prob),
    "one_critic_2": given_value(lambda q1, q2, log_prob: q2 - ALPHA * log_prob),
}


@pytest.mark.parametrize("slip", WRONG_TARGETS)
def test_each_slip_of_a_target_is_named(slip):
    for policy in (LINE, POLICY):
        verdict = target(WRONG_TARGETS[slip], policy)
        assert (verdict.status, verdict.diagnosis) == ("biased", slip), str(verdict)


@pytest.mark.parametrize(
    ("slip", "log_prob_of"),
    [
        ("log_det_forgotten", lambda log_prob, log_det: log_prob.sum(-1)),
        ("sign_of_log_det", lambda log_prob, log_det: log_prob.sum(-1) + log_det),
        ("log_det_twice", lambda log_prob, log_det: log_prob.sum(-1) - 2 * log_det),
        ("entropy_per_dimension", lambda log_prob, log_det: (log_prob.sum(-1) - log_det) / 2),
    ],
)
def test_each_slip_of_a_target_with_draws_of_its_own_is_named(slip, log_prob_of):
    policy = Gaussian(t(0.9, -0.2), t(-1.4, -1.1))

    def wrong(params, reward, terminated):
        a, log_prob, log_det = squashed(params)
        value = soft(Q1(a), Q2(a), log_prob_of(log_prob, log_det))
        return reward + GAMMA * (1 - terminated) * value

    verdict = target(wrong, policy)
    assert (verdict.status, verdict.diagnosis) == ("biased", slip), str(verdict)


def test_states_of_a_batch_and_the_sum_over_discrete_actions():
    """Four next states with a table each: the sum over actions has no variance."""
    rng = torch.Generator().manual_seed(0)
    logits, q1, q2 = torch.randn(3, 4, 3, generator=rng, dtype=torch.float64)

    def critics(a):
        return tuple(q.expand(*a.shape, 3).gather(-1, a[..., None])[..., 0] for q in (q1, q2))

    def exactly(params, reward, terminated, wrong=0.0):
        p, log_p = params["logits"].softmax(-1), params["logits"].log_softmax(-1)
        times = len(reward) // 4
        least = torch.min(q1, q2).repeat(times, 1)
        value = (p * (least - ALPHA * log_p)).sum(1) + wrong
        return reward + GAMMA * (1 - terminated) * value

    asked = partial(
        check_target, policy=Categorical(logits), critics=critics, gamma=GAMMA, alpha=ALPHA
    )
    verdict = asked(exactly)
    assert verdict.status == "unbiased", str(verdict)
    assert "draw by draw" in verdict.headline
    assert asked(partial(exactly, wrong=1e-6)).status == "biased"
    with pytest.raises(ValueError, match="kinds of transitions"):
        asked(exactly, policy=Categorical(logits[:2]))


@pytest.mark.parametrize(
    ("f", "why"),
    [
        (lambda reward, q1: reward[:, None] + q1, "broadcast"),
        (lambda reward, q1: reward.mean(), "a number for each"),
        (lambda reward, terminated: reward * (~terminated), "called as"),
        (lambda reward, q1: reward + torch.rand(()), "not deterministic"),
        (lambda reward, terminated: reward / (1 - terminated), "not finite"),
        (lambda reward: reward.tolist(), "must be a tensor"),
    ],
)
def test_a_target_that_breaks_its_contract(f, why):
    verdict = target(f, LINE)
    assert verdict.status == "broken", str(verdict)
    assert why in verdict.headline


def test_whose_fault_it_is_and_what_cannot_be_seen():
    random = target(right, LINE, critics=lambda a: Q1(a) + torch.rand(a.shape[:-1]))
    assert random.headline.startswith("right: BROKEN — Q is random"), random.headline
    nothing = target(own_target, LINE, gamma=0.0)
    assert nothing.status == "biased"  # it has a γ of its own
    blind = target(lambda reward, terminated: reward, LINE, gamma=0.0)
    assert blind.status == "undecided"
    assert "next to nothing" in blind.headline


def test_a_rare_next_action_is_waited_for():
    """P(a = 1) = 4.5e-5, and it alone is worth something: a target that never sees it is not called
    broken or unbiased by its first draws, and one that is told all actions is decided by nodes."""
    rare, worth = Categorical(t(10.0, 0.0)), t(0.0, 1e4)

    def blind(policy, rng, reward, terminated):
        policy.sample(1, rng)
        return reward + GAMMA * (1 - terminated) * -ALPHA * policy.log_prob(0 * reward.long())

    asked = partial(check_target, policy=rare, critics=lambda a: worth[a], gamma=GAMMA, alpha=ALPHA)
    assert asked(blind, budget=2**16).status == "undecided"
    assert asked(right).status == "unbiased"


def test_no_bad_luck_with_a_critic_that_is_flat_where_actions_are_common():
    """P(a > 4) = 3e-5: a right target has seen the slope once, or not at all, in its first 32,768
    draws. It is biased in none of ten seeds; one that knows the flat part alone is not unbiased."""

    def relu(a):
        return 100 * torch.relu(a[..., 0] - 4) + 3

    def sampled(policy, rng, reward, terminated):
        return reward + GAMMA * (1 - terminated) * relu(policy.sample(1, rng)[0])

    def flat(policy, rng, reward, terminated):
        return reward + GAMMA * (1 - terminated) * 3

    policy = Gaussian(t(0.0), t(0.0))
    asked = partial(check_target, policy=policy, critics=relu, gamma=GAMMA, alpha=0.0)
    for seed in range(10):
        for f in (sampled, flat):
            verdict = asked(f, rng=Noise(seed), budget=2**16)
            assert verdict.status == "undecided", str(verdict)


# Random problems.


@st.composite
def soft_problems(draw):
    """A policy, a box or none, twin critics, α and γ."""
    policy = draw(st.one_of(gaussians(), mixtures(), categoricals()))  # draws that cost little
    box = None if policy.discrete else draw(st.sampled_from([None, TANH, (-0.5, 2.0)]))
    if policy.discrete:
        tables = draw(tensors((2, len(policy.nodes()[0])), -2, 2))
        critics = [lambda a, table=table: table[a] for table in tables]
    else:
        waves = draw(tensors((2, policy.dim), 0.5, 3))
        critics = [lambda a, w=w: torch.cos(w * a + w).sum(-1) + w.sum() for w in waves]
    alpha = draw(st.sampled_from([0.05, 0.2, 1.0, 2.0]))
    gamma = draw(st.sampled_from([0.5, 0.9, 0.99, 1.0]))
    return policy, box, critics, alpha, gamma


@settings(max_examples=12, deadline=None)
@given(soft_problems(), st.sampled_from(sorted(WRONG_TARGETS)))
def test_random_problems_right_targets_and_slips(problem, slip):
    """A right target is never called biased, and what is planted is named, or nothing is: α and γ
    of the wrong targets are not the problem's, which makes other slips of some of them."""
    policy, box, critics, alpha, gamma = problem
    asked = partial(check_target, policy=policy, critics=critics, box=box)

    def told(reward, terminated, truncated, q1, q2, log_prob, alpha, gamma):
        return reward + gamma * (1 - terminated) * (torch.min(q1, q2) - alpha * log_prob)

    verdict = asked(told, alpha=alpha, gamma=gamma)
    assert verdict.status == "unbiased", str(verdict)
    wrong = asked(WRONG_TARGETS[slip], alpha=ALPHA, gamma=GAMMA)
    assert wrong.status == "biased" or _alike(critics, policy, box), str(wrong)
    assert wrong.diagnosis in (slip, None), str(wrong)


def _alike(critics, policy, box):
    """Whether one critic is the least at all actions, so that one slip is no slip."""
    a = Acting.of(policy, box).action(policy.sample(2**12, Noise(3)))
    below = critics[0](a) <= critics[1](a)
    return bool(below.all() or not below.any() or (critics[0](a) == critics[1](a)).all())


@settings(max_examples=12, deadline=None)
@given(soft_problems(), st.floats(-3, 0.1), st.sampled_from([1.0, -1.0]))
def test_random_problems_temperature_losses(problem, below, sign):
    policy, box, _, alpha, _ = problem
    entropy = abs(below) / 10 if policy.discrete else below
    acting = Acting.of(policy, box)
    if entropy > acting.highest_entropy:
        return

    def loss(log_alpha, log_prob):
        return -sign * (log_alpha.exp() * (log_prob + entropy)).mean()

    verdict = check_temperature(loss, policy, target_entropy=entropy, alpha=alpha, box=box)
    if verdict.status == "undecided":
        assert "is the target" in verdict.headline
    else:
        assert verdict.status == ("unbiased" if sign > 0 else "biased"), str(verdict)
        assert verdict.diagnosis in ("sign", None)


def test_entropies_by_nodes_are_those_of_the_density():
    """−∫ p log p of a = tanh u in [−2, 1], by scipy over a: another route than nodes over u."""
    acting = Acting.of(LINE, (-2.0, 1.0))
    value, error = expectation(LINE, lambda u: -acting.log_prob(u)[..., None])
    mu, sigma = 0.3, math.exp(-0.4)

    def integrand(a):
        x = (a + 0.5) / 1.5
        u = math.atanh(x)
        z = (u - mu) / sigma
        log_p = (
            -0.5 * z * z - math.log(sigma * math.sqrt(2 * math.pi)) - math.log(1.5 * (1 - x * x))
        )
        return -math.exp(log_p) * log_p

    by_density, _ = integrate.quad(integrand, -2 + 1e-12, 1 - 1e-12, epsabs=1e-11, limit=200)
    assert float(value[0]) == pytest.approx(by_density, abs=1e-8)
    assert float(error[0]) < 1e-10


def test_false_alarms_are_as_rare_as_they_are_said_to_be():
    """Right ones with draws of their own, in 40 runs at a rate of 5 % (half of it for the test):
    more than `most` are biased with probability 1e-5 even at the whole rate."""
    runs = 40
    most = int(binom.isf(1e-5, runs, 0.05))
    biased = [0, 0]
    for seed in range(runs):
        surely = {"rng": Noise(seed), "budget": 2**12, "false_alarm": 0.05}
        biased[0] += target(house_target, LINE, **surely).status == "biased"
        biased[1] += temperature(own_draws, LINE, **surely).status == "biased"
    assert max(biased) <= most, biased


# SAC as it is here.


def agent_of(version, space, **settings):
    config = Config(version=version, hidden=8, task="a test", **settings)
    agent = make_agent(config, space, Noise(0))
    for networks in (agent.trained, agent.targets):
        for name, network in networks.items():
            networks[name] = [p.detach().double().requires_grad_(p.requires_grad) for p in network]
    return agent


def target_of(agent, name, obs, sees):
    """What the loss that `sees(agent, batch, rng)` makes of the network pulls its values to: y from
    ½ Σ (q − y)²/B and its gradient in q."""

    def f(reward, terminated, rng):
        times = len(reward) // len(obs)
        states, seen = obs.repeat(times, 1), {}
        action = torch.zeros(len(reward), agent.space.actions).to(obs)
        if agent.space.discrete:
            action = torch.zeros(len(reward), dtype=torch.long)
        plain = agent.forward

        def forward(network, x, *, of):
            out = plain[of](network, x)
            if network is agent.trained[name] and torch.is_grad_enabled():
                out = seen["q"] = out.detach().requires_grad_()
            return out

        def descend(of, loss):
            seen.setdefault(of, loss)
            return loss

        agent.forward = {of: partial(forward, of=of) for of in plain}
        agent.descend = descend
        with torch.enable_grad():
            sees(agent, Batch(states, action, reward, states, terminated), rng)
            (slope,) = torch.autograd.grad(seen[name], seen["q"])
        agent.forward = plain
        y = (seen["q"].detach() - len(reward) * slope).reshape(-1, len(reward), slope.shape[-1])
        return y[0, :, 0]

    return f


def problem_of(agent, critics, obs):
    """The policy at the states, and what those critics say there."""

    def values(a):
        return tuple(agent.q(critics, obs, a).unbind(0))

    return agent.policy(obs).detach(), values


CONTINUOUS, DISCRETE = Space(3, 1, discrete=False), Space(3, 4, discrete=True)
OBS = torch.randn(4, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize(
    ("space", "settings"),
    [(CONTINUOUS, {}), (CONTINUOUS, {"squash": False}), (DISCRETE, {})],
)
def test_critic_target_of_sac_minimal(space, settings):
    agent = agent_of("3", space, alpha=0.3, **settings)
    f = target_of(agent, "critics", OBS, lambda agent, batch, rng: agent.critic_step(batch, rng))
    policy, critics = problem_of(agent, agent.targets["critics"], OBS)
    box = TANH if agent.squash else None
    verdict = check_target(f, policy, critics, gamma=0.99, alpha=0.3, box=box, delta=0.05)
    assert verdict.status == "unbiased", str(verdict)


@pytest.mark.parametrize("version", ["1", "2"])
def test_value_target_of_sac_minimals_ancestors(version):
    """V is fitted to E[min Q − α log π]: the target without a reward, γ = 1 and no end."""
    agent = agent_of(version, CONTINUOUS)
    value = target_of(agent, "value", OBS, lambda agent, batch, rng: agent.critic_step(batch, rng))
    policy, critics = problem_of(agent, agent.trained["critics"], OBS)

    def f(reward, terminated, rng):
        return reward + (1 - terminated) * value(reward, terminated, rng)

    asked = partial(check_target, f, policy, critics, alpha=0.2, box=TANH, delta=0.05)
    verdict = asked(gamma=1.0)
    assert verdict.status == "unbiased", str(verdict)
    assert asked(gamma=0.9).status == "biased"


@pytest.mark.parametrize("space", [CONTINUOUS, DISCRETE])
def test_temperature_loss_of_sac_minimal(space):
    agent = agent_of("3", space)
    losses = []
    agent.descend = lambda name, loss: losses.append(loss)

    def f(log_alpha, policy, rng):
        agent.trained["log_alpha"] = [log_alpha]
        agent.temperature_step(policy, rng)
        return losses.pop()

    policy = agent.policy(OBS).detach()
    asked = partial(check_temperature, f, policy, box=None if space.discrete else TANH)
    verdict = asked(target_entropy=agent.target_entropy)
    assert verdict.status == "unbiased", str(verdict)
    assert verdict.numbers("monte carlo")["forms"] == ["α(H − H̄), as of α"]
    assert asked(target_entropy=agent.target_entropy / 2).status == "biased"


# From the command line.

MINE = """
import torch

def temperature(log_alpha, log_prob):
    return -(log_alpha * (log_prob - 2)).mean()

def upside_down(log_alpha, log_prob):
    return (log_alpha * (log_prob - 2)).mean()

def critics(a):
    return torch.cos(2 * a).sum(-1) + 2, torch.sin(2 * a).sum(-1) + 2.3

def target(reward, terminated, q1, q2, log_prob):
    return reward + 0.99 * (1 - terminated) * (torch.min(q1, q2) - 0.2 * log_prob)

def done(reward, terminated, truncated, q1, q2, log_prob):
    return target(reward, terminated.maximum(truncated), q1, q2, log_prob)

def by_other_names(la, lp):
    return la
"""
POLICY_OPTIONS = ["--mu", "0.3", "-0.2", "--log-std", "-0.4"]
PROBLEM = ["critics", *POLICY_OPTIONS, "--alpha", "0.2", "--squash"]


@pytest.fixture
def mine(tmp_path, monkeypatch):
    path = tmp_path / "whole_sac.py"
    path.write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "whole_sac", raising=False)

    def run(function, problem, *options):
        names = [f"{path}:{function}", f"{path}:{problem}"]
        with pytest.raises(SystemExit) as left:
            main(["check", *names, *options])
        return left.value.code

    return run


@pytest.mark.parametrize(
    ("function", "what", "options", "status", "said"),
    [
        ("temperature", "temperature", [], 0, "target_entropy = -2 (the default: none was given)"),
        ("temperature", "temperature", ["--target-entropy", "-2"], 0, "log π is that of tanh u"),
        ("upside_down", "temperature", [], 1, "the gradient has the wrong sign"),
        ("temperature", "temperature", ["--target-entropy", "2"], 2, "no policy has the target"),
        ("target", "target", [], 0, "gamma = 0.99 (the default: none was given); Q sees tanh u"),
        ("target", "target", ["--gamma", "0.9"], 1, "γ is taken as 0.99"),
        ("done", "target", [], 1, "truncation is treated as termination"),
    ],
)
def test_command(mine, capsys, function, what, options, status, said):
    assert mine(function, *PROBLEM, "--what", what, *options) == status
    assert said in capsys.readouterr().out


def test_command_says_it_all_in_json(mine, capsys):
    assert mine("done", *PROBLEM, "--what", "target", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["diagnosis"] == "truncation_as_termination"
    assert found["used"]["gamma"] == 0.99
    assert found["used"]["defaults"] == ["gamma"]
    assert len(found["evidence"][-2]["numbers"]["bias"]) == 12


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["by_other_names", *PROBLEM, "--what", "temperature"], "found by name, among log_alpha"),
        (["target", *PROBLEM, "--what", "target", "--gamma", "2"], "gamma must lie in [0, 1]"),
        (["target", *PROBLEM, "--gamma", "0.9"], "--gamma is for --what target, not for actor"),
        (["temperature", *PROBLEM, "--target-entropy", "1"], "--target-entropy is for --what temp"),
    ],
)
def test_command_answers_bad_input_in_one_sentence(mine, capsys, arguments, said):
    assert mine(*arguments) == 2
    out, error = capsys.readouterr()
    assert not out
    assert said in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["PointMass", "--target-entropy", "1.4"], "above the log of the actions' volume, 1.386"),
        (["CartPole-v1", "--target-entropy", "0.7"], "none is above log |A|, 0.6931"),
        (["CartPole-v1", "--target-entropy", "-1"], "with discrete actions none is negative"),
    ],
)
def test_train_refuses_a_target_entropy_out_of_reach(tmp_path, capsys, arguments, said):
    run = ["--run", str(tmp_path / "run"), "--steps", "8", "--warmup", "4"]
    with pytest.raises(SystemExit) as left:
        main(["train", "--task", *arguments, *run])
    assert left.value.code == 2
    assert said in capsys.readouterr().err
    fixed = [*arguments, "--alpha", "0.2", "--hidden", "8", "--eval-episodes", "1"]
    with pytest.raises(SystemExit) as left:
        main(["train", "--task", *fixed, *run])
    assert not left.value.code
