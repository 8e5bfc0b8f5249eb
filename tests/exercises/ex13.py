import math

import numpy as np
import torch
from scipy.special import log_softmax, logsumexp, softmax
from scipy.stats import multivariate_normal
from torch.distributions import Normal

from estimators import Gaussian, score_function


def _by_gradient(k, alpha, d):
    """Zeros of −weight + kσ² by bisection."""

    def root(weight):
        low, high = 0.0, 100.0
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if k * middle**2 < weight else (low, middle)
        return low

    return root(alpha), root(1.0), root(alpha / d)


def _by_temperature(k, alpha, d):
    return tuple((t / k) ** 0.5 for t in (alpha, 1, alpha / d))


def _sigmas(right=None, forgotten=None, summed=None):
    def answer(k, alpha, d):
        c = (alpha / k) ** 0.5
        return (
            c if right is None else right(k, alpha, d),
            k**-0.5 if forgotten is None else forgotten(k, alpha, d),
            c / d**0.5 if summed is None else summed(k, alpha, d),
        )

    return answer


def _by_scipy(sigma):
    pi = multivariate_normal(np.zeros(len(sigma)), np.diag(sigma**2))
    return pi.entropy(), -pi.logpdf(np.zeros(len(sigma)))


def _by_torch(sigma):
    pi = Normal(torch.zeros(len(sigma), dtype=torch.float64), torch.tensor(sigma))
    return pi.entropy().sum(), -pi.log_prob(pi.mean).sum()


def _entropies(per=0.5, two_pi=True, sign=1, mean=False, power=1.0):
    def answer(sigma):
        one = power * np.log(sigma) + (math.log(2 * math.pi) / 2 if two_pi else 0)
        add = np.mean if mean else np.sum
        return sign * add(one + per), sign * add(one)

    return answer


def _cost(draw="rsample", log_prob="sum", q="one", scale="sigma", sign_q=-1.0, alpha=None, hold=""):
    """The actor loss, coordinate by coordinate, with something done differently."""

    def answer(policy, objective, rng):
        eps = rng.normal(tuple(policy.mu.shape), policy.mu)
        a = policy.mu + policy.log_std.exp() * eps
        a = a.detach() if draw == "sample" else a
        mu, log_std = policy.mu, policy.log_std
        if hold == "policy":
            mu, log_std = mu.detach(), log_std.detach()
        s = log_std.exp() if scale == "sigma" else log_std
        each = -(((a - mu) / s) ** 2) / 2 - s.abs().log()
        weight = objective.alpha if alpha is None else alpha
        value = sign_q * objective.Q(a)
        if log_prob == "sum":
            return weight * each.sum(-1) + value
        both = weight * each + value.unsqueeze(-1)
        return both.mean(-1) if log_prob == "mean" else both.sum(-1)

    return answer


def _by_normal(policy, objective, rng):
    a = policy.rsample(1, rng)
    log_prob = Normal(policy.mu, policy.log_std.exp()).log_prob(a).sum(-1)
    return (objective.alpha * log_prob - objective.Q(a))[0]


def _shorter(policy, objective, rng):
    """log π(f(ε)) = −Σ log σ + what does not depend on θ."""
    return -objective.alpha * policy.log_std.sum(-1) - objective.Q(policy.rsample(1, rng))[0]


def _as_found(policy, objective, rng):
    a = policy.sample(1, rng)
    log_prob = Normal(policy.mu, policy.log_std).log_prob(a)
    return (objective.alpha * log_prob - objective.Q(a)[..., None]).mean(-1)[0]


RIGHT = {
    "final_sigma": [_by_gradient, _by_temperature],
    "entropy_seen": [_by_scipy, _by_torch],
    "mixture_log_prob": [
        lambda logits, lp: logsumexp(log_softmax(logits) + lp),
        lambda logits, lp: math.log((softmax(logits) * np.exp(lp)).sum()),
    ],
    "reviewed": [
        _by_normal,
        _shorter,
        lambda p, o, r: o.cost(Gaussian(p.mu, p.log_std), p.rsample(1, r)).mean(0),
    ],
}

WRONG = {
    "final_sigma": [
        (lambda k, a, d: (a / k, 1 / k, a / d / k), "value", "variances"),
        (lambda k, a, d: ((k / a) ** 0.5, k**0.5, (k * d / a) ** 0.5), "value", "inverted"),
        (_sigmas(summed=lambda k, a, d: (a * d / k) ** 0.5), "value", "sum_widens"),
        (_sigmas(summed=lambda k, a, d: (a / k) ** 0.5), "value", "q_divided"),
        (lambda k, a, d: tuple(2**0.5 * x for x in _sigmas()(k, a, d)), "value", "factor_two"),
        (lambda k, a, d: _sigmas()(k, a, d)[::-1], "value", "order"),
        (_sigmas(forgotten=lambda k, a, d: 0.0), "value", "no_temperature"),
        (lambda k, a, d: (a / k) ** 0.5, "shape", None),
    ],
    "entropy_seen": [
        (_entropies(per=0.0), "value", None),
        (_entropies(sign=-1), "value", "log_prob"),
        (_entropies(two_pi=False), "value", "only_log_sigma"),
        (_entropies(mean=True), "value", "mean_over_coordinates"),
        (_entropies(per=-0.5), "value", "wrong_way"),
        (_entropies(power=2.0), "value", "variance"),
        (lambda s: (_by_scipy(s)[1] + 0.5, _by_scipy(s)[1]), "value", "half_once"),
        (lambda s: _by_scipy(s)[::-1], "value", "order"),
        (lambda s: (np.log(s), np.log(s)), "shape", None),
    ],
    "mixture_log_prob": [
        (lambda logits, lp: logsumexp(logits + lp), "value", "not_normalised"),
        (lambda logits, lp: (softmax(logits) * lp).sum(), "value", "mean_of_logs"),
        (lambda logits, lp: (softmax(logits) * np.exp(lp)).sum(), "value", "density"),
        (lambda logits, lp: logsumexp(softmax(logits) + lp), "value", "weights_for_logs"),
        (lambda logits, lp: math.log(np.exp(lp).mean()), "value", "unweighted"),
        (lambda logits, lp: (log_softmax(logits) + lp).max(), "value", "likeliest"),
        (lambda logits, lp: -logsumexp(log_softmax(logits) + lp), "value", "sign"),
        (lambda logits, lp: log_softmax(logits) + lp, "shape", "not_summed"),
        (lambda logits, lp: logsumexp(log_softmax(logits)), "value", None),
    ],
    "reviewed": [
        (_as_found, "shape", None),
        (_cost(log_prob="mean"), "bias", "mean_over_coordinates"),
        (_cost(log_prob="both"), "bias", "q_for_each"),
        (_cost(scale="log"), "bias", "log_std_in_density"),
        (_cost(draw="sample"), "bias", "detached_cost"),
        (_cost(sign_q=1.0), "bias", "sign_of_q"),
        (_cost(alpha=1.0), "bias", "alpha_forgotten"),
        (_cost(alpha=0.0), "bias", "missing_entropy"),
        (_cost(hold="policy"), "variance", "sticking_the_landing"),
        (lambda p, o, r: score_function(p, o, r), "variance", "score_function"),
        (lambda p, o, r: _cost()(p, o, r).mean(), "shape", "batch_averaged"),
        (lambda p, o, r: _cost()(p.detach(), o, r), "graph", "missing_gradient"),
    ],
}
