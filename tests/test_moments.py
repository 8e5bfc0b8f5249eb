"""Moments are a monoid; a report is what was measured, saved and reloaded to the last digit."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, poisson
from support import FLOAT, gap, gaussian, t, z_test

from estimators import (
    Gaussian,
    Moments,
    Noise,
    Objective,
    Report,
    exact_gradient,
    exact_moments,
    measure,
    reparameterization,
    score_function,
    sticking_the_landing,
)
from toy_problems import build

numbers = st.lists(st.floats(-1e3, 1e3), min_size=0, max_size=20)


def of(values):
    return Moments.of(torch.tensor(values, dtype=FLOAT)[:, None])


def same(one, two):
    assert one.n == two.n
    torch.testing.assert_close(one.mean, two.mean, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(one.m2, two.m2, rtol=1e-9, atol=1e-6)


@given(a=numbers, b=numbers, c=numbers)
def test_moments_are_a_commutative_monoid(a, b, c):
    same(of(a) + of(b), of(b) + of(a))
    same((of(a) + of(b)) + of(c), of(a) + (of(b) + of(c)))
    same(of(a) + of([]), of(a))
    same(of(a) + of(b), of(a + b))


@given(a=numbers)
def test_moments_survive_json(a):
    again = Moments.from_lists(json.loads(json.dumps(of(a).to_lists())))
    assert again.n == len(a)
    assert torch.equal(again.mean, of(a).mean)
    assert torch.equal(again.m2, of(a).m2)


def test_moments_far_from_zero_keep_their_digits():
    """E[x²] − E[x]² would have none left."""
    x = torch.randn(1000, 1, dtype=FLOAT, generator=torch.Generator().manual_seed(0))
    merged = Moments.of(x[:300] + 1e9) + Moments.of(x[300:] + 1e9)
    torch.testing.assert_close(merged.variance, x.var(0), rtol=1e-6, atol=0)


@pytest.mark.parametrize("estimator", [reparameterization, score_function])
def test_measured_mean_and_variance_agree_with_exact_ones(estimator):
    """|z| < 5.7 for each entry: false alarm 1e-8; detects 2.5 % of a variance here."""
    policy, objective = gaussian(), Objective(lambda a: torch.sin(2 * a).sum(-1), 0.5)
    report = z_test(estimator, policy, objective, estimates=100_000)
    _, variance = exact_moments(estimator, policy, objective)
    for k, v in variance.items():
        assert float(((report.variance[k] - v) / report.variance_sem[k]).abs().max()) < 5.7
    total = float(sum(v.sum() for v in variance.values()))
    assert abs(report.total_variance - total) < 5.7 * report.total_variance_sem


def test_intervals_of_the_variance_cover():
    """400 measurements; the 95 % interval covers the exact variance 92–98 % of the time
    (outside with probability < 5e-3 if the coverage is right)."""
    policy, objective = gaussian(), Objective(lambda a: torch.sin(2 * a).sum(-1), 0.5)
    _, variance = exact_moments(reparameterization, policy, objective)
    hits = 0
    for seed in range(400):
        report = measure(
            reparameterization,
            policy,
            objective,
            estimates=2000,
            rng=Noise(seed),
            exact={"mu": t(0.0), "log_std": t(0.0)},
        )
        gaps = (report.variance["mu"] - variance["mu"]).abs()
        hits += bool(gaps < 1.96 * report.variance_sem["mu"])
    assert 0.92 * 400 <= hits <= 0.98 * 400


def test_heavy_tails_are_told():
    """The score function of a cubic cost: 1.96 ± covers 80 % at 1,000 estimates, and 200 draws do
    not carry the variance. A bounded gradient: they do."""
    cubic, wave = (
        Objective(Q, 0.0) for Q in (lambda a: (a**3).sum(-1), lambda a: torch.cos(3 * a).sum(-1))
    )
    for seed in range(20):
        heavy = measure(score_function, gaussian(), cubic, estimates=1000, rng=Noise(seed))
        assert heavy.heavy
        light = measure(reparameterization, gaussian(), wave, estimates=4000, rng=Noise(seed))
        assert not light.heavy
    constant = measure(
        lambda p, o, rng, n=1: p.mu.sum(-1), gaussian(), wave, estimates=1000, rng=Noise(0)
    )
    assert not constant.heavy  # nothing varies, nothing to cover


def test_bias_does_not_leak_into_the_variance():
    """A constant error of 1000 standard deviations: the variance and its interval stay right."""
    policy, objective = gaussian(), Objective(lambda a: torch.sin(2 * a).sum(-1), 0.5)

    def shifted(policy, objective, rng, n=1):
        return reparameterization(policy, objective, rng, n) + 1000 * policy.mu.sum(-1)

    wrong = measure(shifted, policy, objective, estimates=20_000, rng=Noise(0))
    right = measure(reparameterization, policy, objective, estimates=20_000, rng=Noise(0))
    assert abs(float(wrong.bias["mu"]) - 1000) < 1
    torch.testing.assert_close(wrong.variance["mu"], right.variance["mu"], rtol=1e-6, atol=0)
    torch.testing.assert_close(
        wrong.variance_sem["mu"], right.variance_sem["mu"], rtol=1e-4, atol=0
    )


def test_zero_variance_has_a_finite_verdict():
    p = build("gaussian_target")
    best = gaussian((1.0,), (float(t(0.8).log()),))
    report = measure(sticking_the_landing, best, p.objective, estimates=1000, rng=Noise(0))
    assert report.total_variance < 1e-28
    assert report.worst_z < 1


def test_rare_events_are_no_bias():
    """An estimate is 1 with a probability λ/n, else 0; the exact gradient is known. The number k of
    ones is Poisson: the probability of a verdict "off" is at most what z asks for, whatever λ."""
    n, level = 10**6, 1e-4
    limit = float(norm.isf(level / 2))
    k = np.arange(1500)

    def off(seen, rate):
        share = torch.full((3,), seen / n, dtype=FLOAT)
        moments = Moments(n, share, share * (1 - share) * n)
        report = Report("", "", {"mu": (1,)}, moments, t(0.0), t(rate / n), 0.0, 1e-14, 1.0, 0.0)
        return bool((report.z > limit + report.explained(limit)).any())

    for rate in (0.01, 1.0, 10.0, 30.0, 100.0, 1000.0):
        near = k[np.abs(k - rate) < 15 * np.sqrt(rate + 4)]
        assert poisson.pmf([s for s in near if off(s, rate)], rate).sum() <= level
    assert off(10, 60.0)  # and yet


def test_q_evaluations_are_counted():
    p = build("report_mixture")
    from estimators import CATALOGUE, Mixture

    counts = {
        name: measure(
            CATALOGUE[Mixture][name], p.policy, p.objective, estimates=2, rng=Noise(0)
        ).q_evaluations
        for name in ("score_function", "marginalized", "vargrad", "score_function_value")
    }
    assert counts == {
        "score_function": 1,
        "marginalized": 2,
        "vargrad": 2,
        "score_function_value": 1 + 128,
    }


def test_batches_count_per_state():
    policy = Gaussian(torch.zeros(4, 2, dtype=FLOAT), torch.zeros(4, 2, dtype=FLOAT))
    objective = Objective(lambda a: -(a**2).sum(-1))
    report = measure(reparameterization, policy, objective, estimates=10, rng=Noise(0))
    assert report.q_evaluations == 1
    assert report.labels[:3] == ["mu[0][0]", "mu[0][1]", "mu[1][0]"]
    assert gap(report.mean, {k: m for k, m in report.mean.items()}) == 0
    assert report.mean["mu"].shape == (4, 2)


def test_chunks_do_not_change_the_noise_law(monkeypatch):
    """Many small chunks or one: both agree with the exact gradient."""
    from estimators import measurement

    p = build("cosine")
    monkeypatch.setattr(measurement, "CHUNK_NUMBERS", 64)
    z_test(reparameterization, p.policy, p.objective, p.gradient(), estimates=5_000)


def test_reports_survive_a_round_trip(tmp_path):
    p = build("report")
    report = measure(
        score_function, p.policy, p.objective, estimates=100, rng=Noise(0), name="score_function"
    )
    report.save(tmp_path / "r.json")
    again = Report.load(tmp_path / "r.json")
    assert torch.equal(again.moments.m2, report.moments.m2)
    assert torch.equal(again.exact, report.exact)
    assert again.shapes == report.shapes
    assert again.labels == ["mu[0]", "log_std[0]"]
    assert (again.seconds, again.estimator) == (report.seconds, "score_function")
    for text in ("", "{}", "[1]", '{"moments": 3}', "\x80pickle"):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(ValueError, match="not a saved report"):
            Report.load(tmp_path / "bad.json")


def nan_beyond(a):
    return torch.where(a.sum(-1) > 1, torch.nan, a.sum(-1))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"estimates": 1}, "estimates must be ≥ 2"),
        ({"policy": gaussian((float("nan"),))}, "Gaussian.mu is not finite"),
        ({"objective": Objective(nan_beyond)}, "Q is not finite at the action"),
        ({"objective": Objective(lambda a: a)}, "to values [1, 256], got [1, 256, 1]"),
        ({"objective": Objective(lambda a: 1.0)}, "got float"),
        ({"estimator": lambda p, o, rng, n=1: p.mu.sum()}, "batch shape [256]"),
        ({"estimator": lambda p, o, rng, n=1: rng.normal((256,), p.mu)}, "does not depend"),
    ],
)
def test_bad_input_is_named(call, words):
    arguments = {
        "estimator": reparameterization,
        "policy": gaussian(),
        "objective": Objective(lambda a: a.sum(-1)),
        "estimates": 10,
        "rng": Noise(0),
        "exact": exact_gradient(gaussian(), Objective(lambda a: a.sum(-1))),
        **call,
    }
    with pytest.raises(ValueError) as caught:
        measure(
            arguments.pop("estimator"),
            arguments.pop("policy"),
            arguments.pop("objective"),
            **arguments,
        )
    assert words in str(caught.value)


def test_nothing_has_moments_of_the_right_shape():
    none = Moments.of(torch.zeros(0, 3))
    assert (none.n, none.mean.tolist(), none.m2.tolist()) == (0, [0.0] * 3, [0.0] * 3)


def test_the_sizes_of_chunks_are_not_kept():
    """A million million of them take no memory; a few sum to what is asked."""
    from itertools import islice

    from estimators.measurement import _chunks

    assert list(islice(_chunks(10**18, 7), 3)) == [7, 7, 7]
    assert list(_chunks(23, 7)) == [7, 7, 7, 2]
    assert list(_chunks(21, 7)) == [7, 7, 7]
