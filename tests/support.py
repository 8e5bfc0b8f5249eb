"""What several tests say: agreement within a stated error, agreement within standard errors."""

import torch
from scipy.stats import norm

from estimators import Gaussian, Mixture, Noise, Report, measure

FLOAT = torch.float64
FALSE_ALARM = 1e-7  # of one z-test, all its entries together


def t(*numbers):
    return torch.tensor(numbers, dtype=FLOAT)


def gaussian(mu=(0.3,), log_std=(-0.4,)):
    return Gaussian(t(*mu), t(*log_std))


def mixture():
    return Mixture(t(0.3, -0.2), t([-1.0], [0.8]), t([-0.3], [0.1]))


def gap(one, two):
    """Largest absolute difference of two gradients."""
    assert one.keys() == two.keys()
    return max(float((one[k] - two[k]).detach().abs().max()) for k in one)


def scale(gradient):
    return max(float(g.abs().max()) for g in gradient.values())


def z_test(estimator, policy, objective, exact="find", estimates=40_000, seed=0) -> Report:
    """Measure; reject at FALSE_ALARM. Detects, with probability 0.999, a bias of
    (z + 3.1)·se ≈ 0.045 standard deviations of one estimate at 40,000 estimates."""
    report = measure(
        estimator, policy, objective, estimates=estimates, rng=Noise(seed), exact=exact
    )
    limit = norm.isf(FALSE_ALARM / 2 / report.size)
    assert report.worst_z < limit, f"bias of {report.worst_z:.1f} standard errors"
    return report
