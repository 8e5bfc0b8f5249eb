"""Which slip a wrong loss is told to be: the known ones by name, never one that is not there."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from slip_losses import (
    atanh_of_clamp,
    chosen,
    clamped_probability,
    log_lost,
    noise_density,
    over_deviation,
    pathwise,
    random_choice,
    random_gaussian,
    replayed,
    right,
    scored,
    tanh_twice,
    tanh_twice_in_action,
)
from support import FLOAT, t
from torch.distributions import Independent, MultivariateNormal, Normal

from estimators import (
    Categorical,
    Gaussian,
    Mixture,
    Noise,
    Objective,
    check,
    exact_gradient,
    from_distribution,
    leave_one_out,
    log_det_tanh,
    reparameterization,
    score_function,
    squash,
)
from estimators.checking.diagnosis import Diagnosis, scores_of
from estimators.checking.fitted import of_n
from estimators.checking.known_slips import is_squashed, slips
from estimators.checking.meanings import MEANINGS
from estimators.checking.means import ROWS, mean_of
from estimators.checking.measured import FITS, Measured, plus_minus
from estimators.checking.slips import SLIPS
from estimators.checking.suspects import Suspect
from estimators.gradients import flat
from estimators.quadrature import exact_mean

BUDGET = 2**16


def judged(loss, setting, seed=0, budget=BUDGET):
    return check(loss, setting.policy, setting.objective, rng=Noise(seed), budget=budget)


def named(verdict):
    """The keys of all slips that the diagnosis names."""
    said = [e for e in verdict.evidence if e.rung == "diagnosis"]
    return list(said[0].numbers.get("slips", [])) if said else []


def text(verdict):
    return next(e.text for e in verdict.evidence if e.rung == "diagnosis")


PEAKED = Categorical(t(3.2, 0.3, -2.0, -0.5))  # .92, .05, .005, .023
KINDS = {
    "tanh_twice": (partial(random_gaussian, squashed=True), tanh_twice),
    "tanh_twice_in_action": (partial(random_gaussian, squashed=True), tanh_twice_in_action),
    "noise_density": (partial(random_gaussian, squashed=True), noise_density),
    "log_lost": (random_choice, log_lost),
    "advantage_over_deviation": (random_choice, partial(over_deviation, n=5)),
    "atanh_of_clamp": (
        partial(random_gaussian, d=2, squashed=True, mu=(3.0, 6.0)),
        partial(atanh_of_clamp, margin=1e-4),
    ),
}


@pytest.mark.parametrize("states", [0, 3])
@pytest.mark.parametrize("key", KINDS)
def test_losses_as_people_write_them_are_told_their_slip(key, states):
    setting, slip = KINDS[key]
    for seed in (1, 2):
        made = setting(seed, states=states)
        verdict = judged(slip(made), made, seed)
        assert (verdict.status, verdict.diagnosis) == ("biased", key), str(verdict)


def test_the_same_losses_without_the_slip_are_not_accused():
    gaussian, choice = random_gaussian(1, states=3, squashed=True), random_choice(1)
    for loss, made in (
        (pathwise(gaussian, right(gaussian)), gaussian),
        (scored(choice, chosen, leave_out, 5), choice),
    ):
        verdict = check(loss, made.policy, made.objective, delta=0.05, budget=2**18)
        assert verdict.status == "unbiased", str(verdict)


def leave_out(cost):
    return cost - leave_one_out(cost)


# --- entries without gradient -------------------------------------------------------------------

PLANE = Gaussian(t(0.3, -0.5, 0.2), t(1.2, -0.3, 0.1))


@pytest.mark.parametrize(
    ("options", "entries", "words"),
    [
        ({"sigma": lambda x: x.exp().clamp(-5, 2)}, "log_std[0] gets", ".clamp( to a maximum"),
        ({"log_std": torch.relu}, "log_std[1] gets", "a ReLU or .clamp( to a minimum"),
        ({"log_std": lambda x: x.clamp(0, 1)}, "log_std[0], log_std[1] get", ".clamp(, a ReLU"),
    ],
)
def test_an_entry_that_gets_no_gradient_is_told_with_where_to_look(options, entries, words):
    """Not guessed: the gradient is zero in every draw, and should not be."""
    made = random_gaussian(3, d=3)
    loss = pathwise(made, right(made), **options)
    verdict = check(loss, PLANE, made.objective, budget=BUDGET)
    assert (verdict.status, verdict.diagnosis) == ("biased", "no_gradient"), str(verdict)
    assert f"{entries} no gradient: look for {words}" in text(verdict)


def test_a_policy_that_is_clamped_itself_has_no_gradient_and_rightly_so():
    made = random_gaussian(3, d=2)

    def clamped(p):
        return Independent(Normal(p["mu"], p["log_std"].clamp(-20, 2).exp()), 1)

    policy = from_distribution(clamped, mu=t(0.3, 1.0), log_std=t(2.5, 2.2))
    objective = Objective(lambda a: -0.02 * (a**2).sum(-1), 0.4)
    loss = pathwise(
        replace(made, Q=objective.Q, alpha=0.4), right(made), log_std=lambda x: x.clamp(-20, 2)
    )
    assert check(loss, policy, objective, delta=0.1, budget=BUDGET).status == "unbiased"
    plain = Gaussian(t(0.3, 1.0), t(2.5, 2.2))
    assert check(loss, plain, objective, budget=BUDGET).diagnosis == "no_gradient"


# --- probabilities ------------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "high"), [(1e-2, 0.9), (1e-2, None), (None, 0.9)])
def test_clamped_probabilities(low, high):
    made = replace(random_choice(1, actions=4), policy=PEAKED)
    verdict = judged(clamped_probability(made, low, high), made, budget=2**19)
    assert verdict.diagnosis == "clamped_probability", str(verdict)


def test_logits_for_their_log_softmax():
    made = random_choice(2, states=3)

    def loss(p):
        prob, q = p["logits"].softmax(-1), made.Q(torch.arange(p["logits"].shape[-1]))
        return (prob * (made.alpha * p["logits"] - q)).sum(-1).mean()

    assert judged(loss, made).diagnosis == "unnormalised"


# --- replayed actions ----------------------------------------------------------------------------


@pytest.mark.parametrize("make", [random_gaussian, random_choice])
def test_actions_of_an_older_policy_need_weights(make):
    made = make(6)
    old = made.policy.map(lambda p: p + torch.linspace(0.3, -0.2, p.shape[-1]).to(p))
    verdict = judged(replayed(made, old), made)
    assert (verdict.status, verdict.diagnosis) == ("biased", "off_policy"), str(verdict)
    weighted = replayed(made, old, weighted=True)
    assert judged(weighted, made, budget=2**13).status != "biased"
    halved = judged(lambda p: replayed(made, made.policy)(p) / 2, made)
    assert halved.diagnosis == "factor", str(halved)  # of the policy itself: nothing is replayed


def test_an_estimator_with_actions_of_another_policy():
    made = random_gaussian(6, d=2)

    def older(policy, objective, rng, n=1):
        a = policy.map(lambda p: p + 0.2).sample(n, rng)
        return (objective.cost(policy, a).detach() * policy.log_prob(a)).mean(0)

    verdict = judged(older, made)
    assert (verdict.status, verdict.diagnosis) == ("biased", "off_policy"), str(verdict)


# --- weights of the entropy term, and what they may mean ----------------------------------------


def full(d):
    corner = torch.tril(torch.full((d, d), 0.3, dtype=FLOAT), -1)

    def make(p):
        return MultivariateNormal(
            p["mu"], scale_tril=torch.diag_embed(p["log_diag"].exp()) + corner
        )

    rng = torch.Generator().manual_seed(d)
    mu, log_diag = 0.4 * torch.randn(2, d, generator=rng).double()
    return make, from_distribution(make, mu=mu, log_diag=log_diag)


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_half_a_log_determinant_is_told_from_a_mean_over_entries_where_numbers_can(d):
    """log det L for log det Σ = 2 log det L: half of the entropy term, which at d = 2 is also what
    a mean over the entries leaves, and at d = 1 no mean at all."""
    make, policy = full(d)

    def loss(p):
        a = make(p).rsample((16,))
        return -0.2 * p["log_diag"].sum(-1) + ((a - 0.3) ** 2).sum(-1) / 2

    objective = Objective(lambda a: -((a - 0.3) ** 2).sum(-1) / 2, 0.4)
    verdict = check(loss, policy, objective, budget=2**17)
    assert verdict.status == "biased"
    if d > 1:  # by one entry alone anything can be half
        assert "half_log_det" in named(verdict), str(verdict)
        assert "entropy coefficient 0." in text(verdict)
        numbers = verdict.numbers("diagnosis")
        for share, error in zip(numbers["share"], numbers["standard_error"], strict=True):
            assert abs(share - 1) <= 4 * error
    assert ("entropy_per_dimension" in named(verdict)) == (d == 2), str(verdict)


@pytest.mark.parametrize(
    ("axes", "key"), [((0,), "entropy_per_action"), ((1,), "entropy_per_state")]
)
def test_log_prob_averaged_over_what(axes, key):
    """In a score function the mean of log π over N actions holds 1/N of each one's own."""
    made = random_choice(5, states=3)
    verdict = judged(averaged(made, axes), made)
    assert named(verdict) == [key], str(verdict)


def averaged(made, axes, n=4):
    def loss(p):
        pi = torch.distributions.Categorical(logits=p["logits"])
        a = pi.sample((n,))  # [n, states]
        log_prob = pi.log_prob(a)
        cost = made.alpha * log_prob.mean(axes, keepdim=True) - made.Q(a)
        return (cost.detach() * log_prob).mean()

    return loss


@pytest.mark.parametrize("factor", [1.1, 1.3])
@pytest.mark.parametrize("d", [1, 2])
def test_without_entropy_there_is_no_slip_of_it(factor, d):
    """α = 0, and a σ that is wrong in its last entry."""
    made = random_gaussian(7, d=d, alpha=0.0)
    wrong = torch.ones(d, dtype=FLOAT)
    wrong[-1] = factor
    verdict = judged(pathwise(made, right(made), sigma=lambda x: x.exp() * wrong), made)
    assert verdict.status == "biased"
    assert not [key for key in named(verdict) if "entropy" in key or "alpha" in key], str(verdict)
    assert "entropy" not in text(verdict)


def test_without_entropy_none_is_forgotten_but_there_may_be_too_much():
    made = random_gaussian(7, d=2, alpha=0.0)
    verdict = judged(pathwise(replace(made, alpha=1.0), right(made)), made)
    assert named(verdict) == ["entropy_weight"], str(verdict)
    assert "α is 0)" in text(verdict)


# --- what is not there is not named -------------------------------------------------------------


def test_a_factor_is_named_only_if_all_entries_have_it():
    G, error = t(1.0, -0.5, 0.8), torch.full((3,), 1e-4, dtype=FLOAT)
    shared = Measured(-G / 4, error, G, n=4)
    (slip,) = [s for s in of_n(shared, set()) if shared.misfit(s) < torch.inf]
    assert slip.key == "factor_1-1/n"
    across = t(0.005, 0.01, 0.0)  # G · across = 0: the factor that fits best is the same
    apart = Measured(-G / 4 + across, error, G, n=4)
    assert not [s for s in of_n(apart, set()) if apart.misfit(s) < torch.inf]


@given(st.floats(1.0, 1e4), st.integers(1, 5))
def test_a_slip_is_sure_only_if_a_neighbour_would_be_out(precision, entries):
    """One entry must be known 256 times better than its bias, two 32 times each, …"""
    G = torch.ones(entries, dtype=FLOAT)
    measured = Measured(-2 * G, 2 * G / precision, G)
    scores = torch.eye(entries, dtype=FLOAT)
    room = FITS / precision
    assert measured.sure(Suspect("sign", -1.0), scores) == (room**-entries >= 64 or room < 1e-300)
    fitted = Suspect("factor", -1.0, free=1)
    assert measured.sure(fitted, scores) == (entries > 1 and room ** -(entries - 1) >= 64)


def test_entries_that_hang_together_count_once():
    """Two logits are one number: a factor explains every bias of theirs, so it explains none."""
    two, three = (Categorical(torch.linspace(0, 1, k).double()) for k in (2, 3))
    assert [int(torch.linalg.matrix_rank(scores_of(p))) for p in (two, three)] == [1, 2]
    states = Categorical(torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).double())
    assert int(torch.linalg.matrix_rank(scores_of(states))) == 9
    mixture = Mixture(t(0.3, -0.2), t([-1.0], [0.8]), t([-0.3], [0.1]))
    assert int(torch.linalg.matrix_rank(scores_of(mixture))) == 5
    objective = Objective(lambda a: t(0.3, -1.0, 2.0)[a], 0.3)
    for policy, key in ((two, None), (three, "factor")):
        odd = check(lambda p, o, rng: 0.93 * score_function(p, o, rng), policy, objective)
        assert (odd.status, odd.diagnosis) == ("biased", key), str(odd)


@pytest.mark.parametrize("seed", range(6))
def test_a_random_bias_is_no_slip(seed):
    """A factor for each entry, from slight to gross. `make trust` counts many more."""
    made = random_gaussian(seed, squashed=bool(seed % 2)) if seed % 3 else random_choice(seed)
    rng = torch.Generator().manual_seed(seed)
    names = made.policy.parameters()
    off = {
        k: 1 + 10.0**-seed * torch.randn(p.shape, generator=rng).double() for k, p in names.items()
    }

    def corrupted(policy, objective, rng, n=1):
        scaled = policy.map(torch.clone)
        moved = type(policy)(
            **{k: p.detach() + off[k] * (p - p.detach()) for k, p in scaled.parameters().items()}
        )
        return score_function(moved, objective, rng, n)

    verdict = check(corrupted, made.policy, made.objective, budget=BUDGET)
    assert verdict.diagnosis is None, str(verdict)


def test_actions_that_are_whole_numbers_meet_no_tanh():
    """And a policy that does not say that it is discrete is not taken to be continuous."""
    made = random_choice(3)
    assert not is_squashed(made.policy, made.objective)
    assert {s.suspect.key for s in slips(made.policy, made.objective, 1)}.isdisjoint(
        {"tanh_twice", "noise_density", "half_log_det", "log_det_forgotten"}
    )


def test_a_tanh_is_known_by_its_values_far_out():
    gaussian = random_gaussian(2, d=2)
    assert not is_squashed(gaussian.policy, gaussian.objective)
    assert is_squashed(gaussian.policy, squash(gaussian.objective))
    by_hand = Objective(
        lambda u: gaussian.Q(torch.tanh(u)) + gaussian.alpha * log_det_tanh(u), gaussian.alpha
    )
    assert is_squashed(gaussian.policy, by_hand)
    picky = Objective(lambda a: t(1.0, 2.0)[a.long()].sum(-1), 0.1)
    assert not is_squashed(gaussian.policy, picky)


def test_a_squashed_problem_asks_in_which_units_q_takes_its_actions():
    made = random_gaussian(4, d=2, squashed=True)
    loss = pathwise(made, right(made), action=lambda u: 2 * torch.tanh(u) + 0.5)
    verdict = judged(loss, made)
    assert (verdict.status, verdict.diagnosis) == ("biased", None)
    assert "--low, --high" in text(verdict)


# --- the means ----------------------------------------------------------------------------------


@given(st.integers(0, 10**6))
@settings(max_examples=8, deadline=None)
def test_means_by_sobol_points_are_the_means_by_nodes(seed):
    """To 6 of their errors, in every entry of every surrogate that nodes reach."""
    made = random_gaussian(seed, d=1, squashed=bool(seed % 2))
    for estimator in (reparameterization, score_function, *SLIPS["score_in_place_of_path"][1]):
        mean, error = mean_of(estimator, made.policy, made.objective, 2**9)
        exact = flat(exact_mean(estimator, made.policy, made.objective))
        assert ((mean - exact).abs() <= 6 * error + 1e-9).all()
        assert (error <= 0.05 * (1 + exact.abs())).all()


def test_suspects_with_the_mean_of_the_truth_are_never_named():
    """At μ far from saturation a clamped action changes nothing."""
    made = random_gaussian(1, d=1, squashed=True)
    G = flat(exact_gradient(made.policy, made.objective))
    measured = Measured(torch.full_like(G, 1e-3), torch.full_like(G, 1e-2), G)
    assert not Diagnosis(made.policy, made.objective).of(measured).slips


def test_every_slip_has_words_and_numbers_have_errors():
    made = random_gaussian(0, d=2, squashed=True)
    for problem in (made, random_choice(0)):
        for slip in slips(problem.policy, problem.objective, 4):
            assert slip.suspect.key in MEANINGS
    assert plus_minus(0.50321, 0.0213) == "0.50 ± 0.02"
    assert plus_minus(0.5, 1e-12) == "0.5"
    assert ROWS >= 32  # a spread of fewer has tails
