import math

import numpy as np
import torch

from estimators import Mixture, marginalized


def _by_autograd(w, values):
    logits = torch.tensor(np.log(w), requires_grad=True)
    (logits.softmax(0) * torch.tensor(values)).sum().backward()
    return logits.grad


def _by_jacobian(w, values):
    return (np.diag(w) - np.outer(w, w)) @ values


def _normal(a, mu, sigma):
    return np.exp(-(((a - mu) / sigma) ** 2) / 2) / sigma / math.sqrt(2 * math.pi)


def _cdf(a, mu, sigma):
    return np.array([(1 + math.erf(x)) / 2 for x in (a - mu) / sigma / math.sqrt(2)])


def _path_by_autograd(w, mu, sigma, a, dtype=torch.float64):
    p = [torch.tensor(x, requires_grad=True) for x in (np.log(w), mu, np.log(sigma))]
    logits, m, s = p
    x = torch.tensor(a, dtype=dtype)
    F = (logits.softmax(0) * torch.special.ndtr((x - m) / s.exp())).sum()
    dF = torch.autograd.grad(F, p)
    q = (w * _normal(a, mu, sigma)).sum()
    return -dF[1] / q, -dF[2] / q, -dF[0] / q


def _path_by_rsample(w, mu, sigma, a):
    """The package's own rsample, at a draw that is a."""
    p = [torch.tensor(x) for x in (np.log(w), mu[:, None], np.log(sigma)[:, None])]
    policy = Mixture(*(x.requires_grad_() for x in p))

    class Here:
        def normal(self, shape, like):
            return torch.full(shape, (a - mu[0]) / sigma[0], dtype=like.dtype)

        def categorical(self, weights, shape):
            return torch.zeros(shape, dtype=torch.long)

    policy.rsample(1, Here()).sum().backward()
    return policy.mu.grad[:, 0], policy.log_std.grad[:, 0], policy.logits.grad


def _implicit(sign=(1, 1, 1), divide=True, log_sigma=True, logits=True, share="at a"):
    def answer(w, mu, sigma, a):
        joint = w * _normal(a, mu, sigma)
        q = joint.sum()
        r = joint / q if share == "at a" else w
        Phi = _cdf(a, mu, sigma)
        third = (w * (Phi - (w * Phi).sum()) if logits else Phi) / q
        out = r, r * (a - mu) / (1 if log_sigma else sigma), -third
        return tuple(s * x * (1 if divide else q) for s, x in zip(sign, out, strict=True))

    return answer


def _likeliest(w, mu, sigma, a):
    k = np.argmax(w * _normal(a, mu, sigma))
    e = np.zeros(3)
    e[k] = 1
    return e, e * (a - mu), np.zeros(3)


def _bayes_in_logs(w, mu, sigma, a):
    logs = np.log(w) - ((a - mu) / sigma) ** 2 / 2 - np.log(sigma)
    p = np.exp(logs - logs.max())
    return p / p.sum()


def _bayes_by_softmax(w, mu, sigma, a):
    m, s = torch.tensor(mu), torch.tensor(sigma)
    log_prob = torch.distributions.Normal(m, s).log_prob(torch.tensor(a, dtype=torch.float64))
    return (torch.tensor(w).log() + log_prob).softmax(0)


def _shares(p):
    return p / p.sum()


def _loop(policy, objective, rng):
    total = 0
    w = policy.logits.softmax(-1)
    for k in range(policy.logits.shape[-1]):
        mu, sigma = policy.mu[..., k, :], policy.log_std[..., k, :].exp()
        a = mu + sigma * rng.normal((1, *mu.shape), mu)
        total = total + w[..., k] * objective.cost(policy, a)[0]
    return total


def _spelt_out(policy, objective, rng):
    a = policy.components.rsample(1, rng)[0].movedim(-2, 0)  # [K, *batch, d]
    cost = objective.alpha * policy.log_prob(a) - objective.Q(a)
    return torch.einsum("k...,...k->...", cost, policy.logits.softmax(-1))


def _drawn(policy, objective, rng):
    k = rng.categorical(policy.logits.detach().softmax(-1), (1, *policy.batch))
    eps = rng.normal((1, *policy.batch, policy.mu.shape[-1]), policy.mu)
    at = k[..., None, None].expand(*k.shape, 1, policy.mu.shape[-1])
    mu = policy.mu.expand(1, *policy.mu.shape).gather(-2, at)[..., 0, :]
    s = policy.log_std.expand(1, *policy.mu.shape).gather(-2, at)[..., 0, :]
    return objective.cost(policy, mu + s.exp() * eps)[0]


def _summed(weigh=lambda x: x.softmax(-1), density="mixture", draw="rsample", q=-1, noise=None):
    def answer(policy, objective, rng):
        parts = policy.components
        if noise == "shared":
            eps = rng.normal((*policy.batch, 1, policy.mu.shape[-1]), policy.mu)
            a = policy.mu + policy.log_std.exp() * eps
        else:
            a = getattr(parts, draw)(1, rng)[0]  # [*batch, K, d]
        stacked = a.movedim(-2, 0)
        if density == "own":
            log_prob = parts.log_prob(a).movedim(-1, 0)
        else:
            pi = policy.detach() if density == "frozen" else policy
            log_prob = pi.log_prob(stacked)
        cost = objective.alpha * log_prob + q * objective.Q(stacked)
        return (weigh(policy.logits).movedim(-1, 0) * cost).sum(0)

    return answer


def _implicit_loss(policy, objective, rng):
    return objective.cost(policy, policy.rsample(1, rng)).mean(0)


def _reinforce(policy, objective, rng):
    a = policy.sample(1, rng)
    return (objective.cost(policy, a).detach() * policy.log_prob(a)).mean(0)


def _rayleigh(f, mu, sigma, u):
    r = sigma * (2 * math.log(1 / u)) ** 0.5
    return (2 * math.pi) ** -0.5 / sigma * (f(mu + r) - f(mu - r))


def _by_half_masses(f, mu, sigma, u):
    mass = 1 / math.sqrt(2 * math.pi)  # of either half of z φ(z)
    right, left = (f(mu + s * sigma * math.sqrt(math.log(u**-2))) for s in (1, -1))
    return mass * right / sigma - mass * left / sigma


def _wrong_weak(step, over, plus=False):
    def answer(f, mu, sigma, u):
        s = step(sigma, u)
        other = f(mu + s) + f(mu - s) if plus else f(mu + s) - f(mu - s)
        return other / over(sigma, s)

    return answer


def _W(sigma, u):
    return sigma * math.sqrt(-2 * math.log(u))


def _c(sigma, s):
    return sigma * math.sqrt(2 * math.pi)


def _noise_by_vector(w, sigma):
    before = w[0] * (np.array([1.0, 0.0]) - w)  # of a₁ and of a₂
    return before**2 @ sigma**2


def _noise_by_jacobian(w, sigma):
    row = (np.diag(w) - np.outer(w, w))[0]
    return float(sum((r * s) ** 2 for r, s in zip(row, sigma, strict=True)))


def _noise(factor, variance=lambda s: s[0] ** 2 + s[1] ** 2):
    return lambda w, sigma: factor(w) * variance(sigma)


RIGHT = {
    "mixture_weight_gradient": [_by_autograd, _by_jacobian],
    "implicit_path": [_path_by_autograd, _path_by_rsample, _implicit()],
    "weights_given": [_bayes_in_logs, _bayes_by_softmax],
    "marginal_loss": [
        _loop,
        _spelt_out,
        lambda policy, objective, rng: marginalized(policy, objective, rng),
    ],
    "weak_derivative": [_rayleigh, _by_half_masses],
    "noise_of_weights": [_noise_by_vector, _noise_by_jacobian],
}

WRONG = {
    "mixture_weight_gradient": [
        (lambda w, v: v, "value", "by_the_weights"),
        (lambda w, v: v * w, "value", "sum_forgotten"),
        (lambda w, v: v * (w - w**2), "value", "diagonal"),
        (lambda w, v: w * v - w * np.mean(v), "value", "plain_mean"),
        (lambda w, v: v - np.sum(v * w), "value", "log_weights"),
        (lambda w, v: np.sum(v * w), "shape", "expected_value"),
        (lambda w, v: w * (w @ v - v), "value", "sign"),
        (lambda w, v: w * (v - w @ v) ** 2, "value", None),
        (lambda w, v: np.diag(w) - np.outer(w, w), "shape", None),
    ],
    "implicit_path": [
        (_implicit(sign=(-1, -1, -1)), "value", "sign"),
        (_implicit(sign=(1, 1, -1)), "value", "sign_of_weights"),
        (_implicit(divide=False), "value", "density_forgotten"),
        (_implicit(logits=False), "value", "by_weights"),
        (_likeliest, "value", "drawn_component"),
        (_implicit(log_sigma=False), "value", "by_sigma"),
        (_implicit(share="prior"), "value", "weights_for_shares"),
        (_implicit(sign=(1, -1, 1)), "value", "sign"),  # of the part that is wrong
        (lambda w, mu, sigma, a: _implicit()(w, mu, sigma, a)[::-1], "value", "order"),
        (lambda *x: _path_by_autograd(*x, dtype=torch.float32), "value", "digits"),
        (lambda w, mu, sigma, a: 1.0, "shape", None),
    ],
    "weights_given": [
        (lambda w, mu, sigma, a: w + 0.0, "value", "unchanged"),
        (lambda w, mu, sigma, a: _shares(_normal(a, mu, sigma)), "value", "likelihood_only"),
        (
            lambda w, mu, sigma, a: _shares(w * sigma * _normal(a, mu, sigma)),
            "value",
            "sigma_forgotten",
        ),
        (lambda w, mu, sigma, a: w * _normal(a, mu, sigma), "value", "not_normalised"),
        (
            lambda w, mu, sigma, a: _shares(w * _cdf(a, mu, sigma)),
            "value",
            "distribution_functions",
        ),
        (
            lambda w, mu, sigma, a: _shares(w * np.exp(-(((a - mu) / sigma) ** 2)) / sigma),
            "value",
            "half_missing",
        ),
        (lambda w, mu, sigma, a: (w * _normal(a, mu, sigma)).sum(), "shape", None),
        (lambda w, mu, sigma, a: _shares(_shares(_normal(a, mu, sigma)) + w), "value", None),
    ],
    "marginal_loss": [
        (_drawn, "bias", "drawn_component"),
        (_summed(lambda x: x.detach().softmax(-1)), "bias", "frozen_weights"),
        (_summed(density="own"), "bias", "own_density"),
        (_summed(lambda x: torch.full_like(x, 0.5)), "bias", "unweighted_mean"),
        (_summed(torch.ones_like), "bias", "unweighted_sum"),
        (_summed(q=1), "bias", "sign_of_q"),
        (_implicit_loss, "variance", "implicit"),
        (_summed(density="frozen"), "variance", "marginalized_stl"),
        (_summed(noise="shared"), "variance", "shared_noise"),
        (_reinforce, "variance", "score_function"),
        (_summed(torch.sigmoid), "bias", None),
        (
            lambda policy, objective, rng: _loop(policy, objective, rng).mean(),
            "shape",
            "batch_averaged",
        ),
    ],
    "weak_derivative": [
        (_wrong_weak(_W, lambda sigma, s: math.sqrt(2 * math.pi)), "value", "sigma_missing"),
        (_wrong_weak(_W, lambda sigma, s: sigma), "value", "constant_missing"),
        (_wrong_weak(lambda sigma, u: _W(1.0, u), _c), "value", "step_not_scaled"),
        (
            _wrong_weak(lambda sigma, u: sigma * math.sqrt(-math.log(u)), _c),
            "value",
            "log_without_two",
        ),
        (_wrong_weak(lambda sigma, u: -2 * sigma * math.log(u), _c), "value", "root_missing"),
        (_wrong_weak(_W, _c, plus=True), "value", "added"),
        (_wrong_weak(_W, lambda sigma, s: 2 * s), "value", "finite_difference"),
        (_wrong_weak(lambda sigma, u: -_W(sigma, u), _c), "value", "sign"),
        (_wrong_weak(lambda sigma, u: sigma * u, _c), "value", None),
        (lambda f, mu, sigma, u: (f(mu + sigma), f(mu - sigma)), "shape", None),
    ],
    "noise_of_weights": [
        (_noise(lambda w: w[0] * w[1]), "value", "weights_not_squared"),
        (_noise(lambda w: 1), "value", "weights_forgotten"),
        (_noise(lambda w: np.prod(w) ** 2, lambda s: s[0] ** 2), "value", "own_only"),
        (
            _noise(lambda w: np.prod(w) ** 2, lambda s: s[0] ** 2 - s[1] ** 2),
            "value",
            "subtracted",
        ),
        (_noise(lambda w: np.prod(w) ** 2, lambda s: (s[0] + s[1]) ** 2), "value", "deviations"),
        (
            lambda w, s: w[0] ** 2 * (w[0] ** 2 * s[0] ** 2 + w[1] ** 2 * s[1] ** 2),
            "value",
            "simple_weights",
        ),
        (_noise(lambda w: np.prod(w) ** 2, lambda s: 2 * s[0] * s[1]), "value", None),
        (lambda w, s: (np.prod(w) * s) ** 2, "shape", None),
    ],
}
