import math

import numpy as np
import torch
from scipy import stats

from estimators import Gaussian


def _path(scale=np.exp, by=np.exp, eps_of=lambda eps: eps):
    def answer(mu, log_std, eps):
        eps = eps_of(eps)
        return mu + scale(log_std) * eps, 1 + 0 * eps, by(log_std) * eps

    return answer


def _path_by_autograd(mu, log_std, eps):
    mu, log_std = (torch.tensor(x, requires_grad=True) for x in (mu, log_std))
    a = mu + log_std.exp() * torch.tensor(eps)
    return a, *torch.autograd.grad(a.sum(), [mu, log_std])


def _path_by_rows(mu, log_std, eps):
    a = np.array([m + math.exp(s) * e for m, s, e in zip(mu, log_std, eps, strict=True)])
    return a, [1.0] * 3, a - mu


def _implicit(rate, a):
    """−∂F/∂λ over the density, F = 1 − e^{−λa}."""
    return -(a * math.exp(-rate * a)) / (rate * math.exp(-rate * a))


def _from_noise(rate, a):
    u = 1 - math.exp(-rate * a)
    return math.log(1 - u) / rate**2


def _missing(density=None, height=1, second=lambda mu, s, c: c - mu):
    def answer(mu, s, c, jump):
        p = density(mu, s, c) if density else stats.norm.pdf(c, mu, s)
        jump = jump if height else 1
        return jump * p, jump * p * second(mu, s, c)

    return answer


def _missing_by_autograd(mu, s, c, jump):
    t = torch.tensor([mu, math.log(s)], dtype=torch.float64, requires_grad=True)
    value = jump * torch.special.ndtr((t[0] - c) * torch.exp(-t[1]))
    g = torch.autograd.grad(value, t)[0]
    return g[0], g[1]


def _by_hand(scale=torch.exp, shape=None, sign=-1.0, detach=False, n=1, total="mean"):
    def answer(policy, objective, rng):
        mu, log_std = policy.mu, policy.log_std
        eps = rng.normal((n, *(shape(mu.shape) if shape else mu.shape)), mu)
        a = mu + scale(log_std) * eps
        terms = sign * objective.Q(a.detach() if detach else a)
        return {"mean": terms.mean(0), "all": terms.mean(), "sum": terms.sum(0)}[total]

    return answer


def _mu_only(policy, objective, rng):
    eps = rng.normal((1, *policy.mu.shape), policy.mu)
    return -objective.Q(policy.mu + policy.log_std.detach().exp() * eps)[0]


def _sampled(policy, objective, rng):
    return -objective.Q(policy.sample(1, rng))[0] + 0 * policy.log_prob(policy.mu)


def _scored(policy, objective, rng):
    a = policy.sample(1, rng)
    return -(objective.Q(a) * policy.log_prob(a))[0]


def _both(policy, objective, rng):
    a = policy.rsample(1, rng)
    return -(objective.Q(a) * policy.log_prob(a))[0]


def _rsample(policy, objective, rng):
    return -objective.Q(policy.rsample(1, rng)).squeeze(0)


def _standard_normal(policy, objective, rng):
    eps = Gaussian(torch.zeros_like(policy.mu), torch.zeros_like(policy.mu)).sample(1, rng)
    return objective.cost(policy, policy.mu + torch.exp(policy.log_std) * eps).mean(0)


RIGHT = {
    "gaussian_path": [_path(), _path_by_autograd, _path_by_rows],
    "exponential_path": [_implicit, _from_noise, lambda rate, a: -(a / rate)],
    "missing_part": [_missing(), _missing_by_autograd],
    "pathwise": [_by_hand(), _rsample, _standard_normal],
}

WRONG = {
    "gaussian_path": [
        (_path(by=lambda s: 1), "value", "by_sigma"),
        (_path(scale=lambda s: s, by=lambda s: 1), "value", "log_std_for_sigma"),
        (_path(scale=lambda s: s, by=lambda s: s), "value", "log_std_throughout"),
        (_path(lambda s: np.exp(s / 2), lambda s: np.exp(s / 2)), "value", "log_variance"),
        (_path(lambda s: np.exp(2 * s), lambda s: np.exp(2 * s)), "value", "variance_for_sigma"),
        (_path(eps_of=lambda eps: eps[0] * np.ones(3)), "value", "one_noise"),
        (_path(by=lambda s: np.exp(s) ** 2), "value", "exponential_twice"),
        (lambda *x: tuple(_path()(*x)[i] for i in (1, 2, 0)), "value", "order"),
        (lambda *x: (_path()(*x)[0], 0 * x[0], _path()(*x)[2]), "value", None),
        (lambda *x: (_path()(*x)[0], 1.0, _path()(*x)[2].sum()), "shape", "summed"),
        (lambda *x: _path()(*x)[0], "shape", None),
    ],
    "exponential_path": [
        (lambda rate, a: a / rate, "value", "sign"),
        (lambda rate, a: -(rate**-2), "value", "of_the_mean"),
        (lambda rate, a: -a / rate / rate, "value", "noise_for_action"),
        (lambda rate, a: 1 / rate - a, "value", "score"),
        (lambda rate, a: np.exp(-rate * a) * rate, "value", "density"),
        (lambda rate, a: a * np.exp(-rate * a), "value", "of_the_cdf"),
        (lambda rate, a: -a, "value", "forgotten"),
        (lambda rate, a: np.log1p(-np.exp(-a * rate)) / rate**2, "value", "uniform_for_its_rest"),
        (lambda rate, a: (a, rate), "shape", None),
    ],
    "missing_part": [
        (lambda *x: (0.0, 0.0), "value", "zero"),
        (lambda *x: tuple(-p for p in _missing()(*x)), "value", "sign"),
        (_missing(lambda mu, s, c: stats.norm.sf(c, mu, s)), "value", "probability"),
        (_missing(lambda mu, s, c: stats.norm.pdf((c - mu) / s)), "value", "unit_density"),
        (_missing(second=lambda mu, s, c: (c - mu) / s), "value", "by_sigma"),
        (_missing(second=lambda mu, s, c: 1), "value", "same_for_both"),
        (_missing(second=lambda mu, s, c: mu - c), "value", "sign_of_distance"),
        (_missing(height=0), "value", "no_height"),
        (_missing(second=lambda mu, s, c: (c - mu) ** 2), "value", None),
        (lambda *x: _missing()(*x)[0], "shape", None),
    ],
    "pathwise": [
        (_by_hand(shape=lambda s: (*s[:-1], 1)), "bias", "one_noise"),
        (_by_hand(scale=lambda s: torch.exp(s) ** 2), "bias", "variance_for_sigma"),
        (_by_hand(scale=lambda s: s), "bias", "log_std_for_sigma"),
        (_by_hand(sign=1.0), "bias", "sign"),
        (_by_hand(detach=True), "graph", "missing_gradient"),
        (_mu_only, "graph", "missing_gradient"),
        (_sampled, "bias", "detached_cost"),
        (_scored, "variance", "score_function"),
        (_both, "bias", "attached_action"),
        (_by_hand(n=2), "variance", "averaged"),
        (_by_hand(total="all"), "shape", "batch_averaged"),
    ],
}
