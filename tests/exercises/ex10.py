import math

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm


def _by_loop(reward, terminated, q1, q2, log_prob, alpha, gamma):
    out = np.array(reward)
    for i, over in enumerate(terminated):
        if not over:
            out[i] += gamma * (min(q1[i], q2[i]) - alpha * log_prob[i])
    return out


def _by_stack(reward, terminated, q1, q2, log_prob, alpha, gamma):
    entropy = -alpha * log_prob
    return reward + np.where(terminated > 0, 0, gamma * (np.stack([q1, q2]).min(0) + entropy))


def _target(
    choose=np.minimum, entropy=-1.0, alpha_is_one=False, mask="value", outside=None, gamma_r=False
):
    def answer(reward, terminated, q1, q2, log_prob, alpha, gamma):
        alive = {"value": 1 - terminated, "none": 1, "inverted": terminated}[mask]
        bonus = entropy * (1 if alpha_is_one else alpha) * log_prob
        if outside == "all":
            return reward + gamma * alive * choose(q1, q2) + bonus
        if outside == "mask":
            return reward + gamma * (alive * choose(q1, q2) + bonus)
        return (gamma if gamma_r else 1) * reward + gamma * alive * (choose(q1, q2) + bonus)

    return answer


def _twin_by_folded_normal(s, rho):
    """−½ E|x|, x ~ N(0, 2s²(1 − ρ))."""
    d = math.sqrt(2 * s * s - 2 * rho * s * s)
    return -d * norm.pdf(0)


def _twin(factor=1.0, unit=1, rho_sign=-1):
    return lambda s, rho: -factor * s**unit * math.sqrt((1 + rho_sign * rho) / math.pi)


def _entropy(k, alpha):
    return norm(scale=math.sqrt(alpha / k)).entropy()


def _dual_by_root(k, target):
    def short(log_alpha):
        return _entropy(k, math.exp(log_alpha)) - target

    return math.exp(brentq(short, -15, 15, xtol=1e-13, rtol=1e-14))


def _dual_by_sigma(k, target):
    sigma = math.exp(target - 0.5 - 0.5 * math.log(2 * math.pi))
    return k * sigma * sigma


RIGHT = {
    "soft_target": [_by_loop, _by_stack, _target()],
    "twin_bias": [_twin_by_folded_normal, _twin()],
    "half_life": [
        lambda tau: math.log(0.5) / math.log(1 - tau),
        lambda tau: brentq(lambda n: (1 - tau) ** n - 0.5, 0, 1e4, xtol=1e-12, rtol=1e-14),
    ],
    "dual_temperature": [_dual_by_root, _dual_by_sigma],
}

WRONG = {
    "soft_target": [
        (_target(entropy=0.0), "value", "entropy_missing"),
        (_target(entropy=1.0), "value", "entropy_sign"),
        (_target(alpha_is_one=True), "value", "alpha_forgotten"),
        (_target(mask="none"), "value", "termination_ignored"),
        (_target(mask="inverted"), "value", "inverted_mask"),
        (_target(outside="all"), "value", "entropy_not_discounted"),
        (_target(outside="mask"), "value", "entropy_after_the_end"),
        (_target(choose=np.maximum), "value", "maximum"),
        (_target(choose=lambda a, b: (a + b) / 2), "value", "mean"),
        (_target(choose=lambda a, b: a), "value", "one_critic"),
        (_target(choose=lambda a, b: b), "value", "other_critic"),
        (lambda *x: -_target()(*x), "value", "sign"),
        (lambda *x: _target()(*x).mean(), "shape", None),
    ],
    "twin_bias": [
        (_twin(factor=-1), "value", "sign"),
        (_twin(factor=2), "value", "whole_gap"),
        (_twin(unit=2), "value", "variance"),
        (_twin(rho_sign=1), "value", "rho_sign"),
        (_twin(rho_sign=0), "value", "independent"),
        (_twin(factor=0.5**0.5), "value", "no_root_of_two"),
        (lambda s, rho: 0.0, "value", None),
        (lambda s, rho: (s, rho), "shape", None),
    ],
    "half_life": [
        (lambda tau: 1 / tau, "value", "mean_lag"),
        (lambda tau: 1 / tau - 1, "value", "mean_lag_exact"),
        (lambda tau: math.log(2) / tau, "value", "small_tau"),
        (lambda tau: math.log(2) / math.log(1 - tau), "value", "sign"),
        (lambda tau: -math.log(2) / math.log(tau), "value", "of_tau"),
        (lambda tau: -1 / math.log(1 - tau), "value", "one_over_e"),
        (lambda tau: 0.5 / tau, "value", "half_of_the_lag"),
    ],
    "dual_temperature": [
        (lambda k, h: math.exp(2 * h) / (2 * math.pi * math.e) / k, "value", "inverted"),
        (lambda k, h: _dual_by_sigma(k, h) / k, "value", "sigma_only"),
        (lambda k, h: _dual_by_sigma(k, -h), "value", "sign_of_target"),
        (lambda k, h: math.e * _dual_by_sigma(k, h), "value", "without_e"),
        (lambda k, h: k * (_dual_by_sigma(k, h) / k) ** 0.5, "value", "no_square"),
        (lambda k, h: math.log(_dual_by_sigma(k, h)), "value", "log"),
        (lambda k, h: 2 * _dual_by_sigma(k, h), "value", "factor"),
        (lambda k, h: _dual_by_sigma(k, h + 1) - 1, "value", None),
    ],
}
