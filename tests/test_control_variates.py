"""Control variates: the Taylor variate is the cost where the cost is a parabola, and the rest."""

from functools import partial

import pytest
import torch
from support import gap, t

from estimators import (
    Gaussian,
    Noise,
    Objective,
    convex_combination,
    exact_gradient,
    exact_moments,
    per_sample_gradients,
    reparameterization,
    score_function,
    sticking_the_landing,
    taylor,
    with_control_variate,
)

POLICY = Gaussian(t([0.3, -0.8], [-0.5, 0.4]), t([-0.4, 0.2], [0.1, -0.3]))  # two of them, d = 2
CURVED = t([1.0, 0.7], [0.7, -0.4])
PARABOLA = Objective(lambda a: (a @ CURVED * a).sum(-1) + 0.9 * a[..., 0] - 0.2, 0.6)
WAVE = Objective(lambda a: torch.cos(1.3 * a[..., 0] - 0.4 * a[..., 1]), 0.6)
A = Noise(1).normal((7, 2, 2), like=t(0.0))


def test_a_parabola_is_its_own_expansion():
    h, expected = taylor(POLICY, PARABOLA)
    torch.testing.assert_close(h(A), PARABOLA.cost(POLICY, A), rtol=1e-12, atol=1e-12)
    a, w = POLICY.nodes(3)
    known = (w * PARABOLA.cost(POLICY, a)).sum(0)
    torch.testing.assert_close(expected, known, rtol=1e-12, atol=1e-12)


def test_the_expectation_is_attached():
    """∇E_θ[h] = E[h ∇ log π] = ∇J where h is the cost."""
    leaf = POLICY.map(lambda p: p.clone().requires_grad_())
    mu, log_std = torch.autograd.grad(taylor(leaf, PARABOLA)[1].sum(), [leaf.mu, leaf.log_std])
    exact = exact_gradient(POLICY, PARABOLA)
    torch.testing.assert_close(mu, exact["mu"], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(log_std, exact["log_std"], rtol=1e-10, atol=1e-10)


def test_the_expansion_touches_the_cost_to_second_order():
    h, _ = taylor(POLICY, WAVE)
    for size, error in ((1e-2, 1e-6), (1e-3, 1e-9)):
        gap = h(POLICY.mu + size * A) - WAVE.cost(POLICY, POLICY.mu + size * A)
        assert float(gap.abs().max()) < 10 * error


@pytest.mark.parametrize("estimator", [sticking_the_landing, score_function])
def test_nothing_is_left_to_chance_on_a_parabola(estimator):
    """cost − h is zero, and so is what they make of it; reparameterization keeps α ∇ log π."""
    drawn = per_sample_gradients(with_control_variate(estimator), POLICY, PARABOLA, 50, Noise(2))
    exact = exact_gradient(POLICY, PARABOLA)
    for k, g in drawn.items():
        torch.testing.assert_close(g, exact[k].expand_as(g), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("estimator", [reparameterization, score_function])
def test_the_mean_stays_and_n_divides_the_variance(estimator):
    policy = POLICY.map(lambda p: p[:1])
    one = exact_moments(with_control_variate(estimator), policy, WAVE)
    assert gap(one[0], exact_gradient(policy, WAVE)) < 1e-8
    wide = partial(with_control_variate(estimator), n=4)
    narrow = with_control_variate(partial(estimator, n=4))
    drawn = [per_sample_gradients(e, policy, WAVE, 5, Noise(3)) for e in (wide, narrow)]
    assert all(torch.equal(drawn[0][k], drawn[1][k]) for k in drawn[0])
    plain = per_sample_gradients(with_control_variate(estimator), policy, WAVE, 5, Noise(3))
    assert not torch.equal(plain["mu"], drawn[0]["mu"])


def test_it_says_what_it_is():
    assert "E[cost − h]" in with_control_variate(reparameterization).__doc__


def spread(estimator, draws, rng):
    """Variance over `draws`, summed over all parameters of each policy of the batch."""
    drawn = per_sample_gradients(estimator, POLICY, WAVE, draws, rng)
    return sum(g.var(0).sum(-1) for g in drawn.values())


@pytest.mark.parametrize("pilot", [2, 5, None])
def test_convex_weights_are_inverse_variances_of_the_pilot(pilot):
    """λ = V₂/(V₁ + V₂), V of 16 draws unless it says otherwise, drawn before the rest."""
    given = {} if pilot is None else {"pilot": pilot}
    leaf = POLICY.map(lambda p: p.clone().requires_grad_())
    seen = convex_combination(leaf, WAVE, Noise(6), **given)
    rng = Noise(6)
    v1, v2 = (spread(e, pilot or 16, rng) for e in (reparameterization, score_function))
    one, two = (e(leaf, WAVE, rng) for e in (reparameterization, score_function))
    known = (v2 * one + v1 * two) / (v1 + v2)
    torch.testing.assert_close(seen, known, rtol=1e-12, atol=1e-12)


def test_convex_weights_without_variance():
    """All weight on the first where it has none, whether the second has or not."""
    still = Objective(lambda a: 0 * a.sum(-1) + 0.7, 0.0)
    for second in (score_function, reparameterization):
        both = partial(convex_combination, second=second)
        drawn = per_sample_gradients(both, POLICY, still, 5, Noise(6))
        assert all(torch.equal(g, torch.zeros_like(g)) for g in drawn.values())
    with pytest.raises(ValueError, match="needs at least 2 draws to see a variance, got 1"):
        convex_combination(POLICY, WAVE, Noise(0), pilot=1)
