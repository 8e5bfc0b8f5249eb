import math

import numpy as np
import torch
from torch.nn.functional import softplus

from estimators import log_det_tanh

LN2 = math.log(2)


def _softplus(u):
    return 2 * (LN2 - u - softplus(-2 * u, threshold=50))


def _logaddexp(u):
    return 2 * LN2 - 2 * torch.logaddexp(u, -u)


def _logsigmoid(u):
    """1 − tanh² u = 4 s(2u) s(−2u)."""
    return (
        torch.log(torch.tensor(4.0, dtype=u.dtype))
        - softplus(2 * u, 1, 60)
        - softplus(-2 * u, 1, 60)
    )


def _cost_by_package(log_prob, u, Q, alpha):
    return alpha * log_prob - alpha * log_det_tanh(u[:, None]) - Q(u.tanh())


def _cost_by_energy(log_prob, u, Q, alpha):
    """Q̃(u) = Q(tanh u) + α log(1 − tanh² u)."""
    energy = Q(torch.tanh(u)) + alpha * _logaddexp(u)
    return alpha * log_prob - energy


def _cost(det=_logaddexp, sign=-1, squeeze=torch.tanh, on_det=None, on_both=None, q=-1):
    def answer(log_prob, u, Q, alpha):
        a = alpha if on_both is None else on_both
        b = a if on_det is None else on_det
        return a * log_prob + b * sign * det(u) + q * Q(squeeze(u))

    return answer


def _entropy_by_log_prob(mu, sigma, eps, w):
    log_normal = -(eps**2) / 2 - math.log(sigma) - math.log(2 * math.pi) / 2
    log_pi = log_normal - _logaddexp(torch.tensor(mu + sigma * eps)).numpy()
    return -np.sum(w * log_pi)


def _entropy_by_torch(mu, sigma, eps, w):
    normal = torch.distributions.Normal(
        torch.tensor(mu, dtype=torch.float64), torch.tensor(sigma, dtype=torch.float64)
    )
    u = torch.tensor(mu + sigma * eps)
    return normal.entropy() + (torch.tensor(w) * _softplus(u)).sum()


def _h(mu, sigma, eps, w, det=1, at=None, gauss=None):
    u = torch.tensor(mu + sigma * eps) if at is None else torch.tensor(at + 0 * eps)
    gauss = 0.5 * math.log(2 * math.pi * math.e * sigma**2) if gauss is None else gauss
    return gauss + det * float((w * _softplus(u).numpy()).sum())


def _slope_by_autograd(r, alpha, target):
    x = torch.tensor(alpha, dtype=torch.float64, requires_grad=True)
    g = x * (torch.tensor(r) / x).logsumexp(0) - x * target
    g.backward()
    return x.grad


def _slope_by_torch(r, alpha, target):
    return torch.distributions.Categorical(logits=torch.tensor(r / alpha)).entropy() - target


def _soft(r, alpha):
    e = np.exp(r / alpha)
    return e / e.sum()


def _with(f):
    def answer(r, alpha, target):
        p = _soft(r, alpha)
        return f(r, alpha, target, p, -(p * np.log(p)).sum())

    return answer


def _probs(policy):
    return policy.logits.softmax(-1), policy.logits.log_softmax(-1)


def _every_q(policy, objective):
    a, _ = policy.nodes()
    return objective.Q(a).movedim(0, -1)


def _inner_product(policy, objective, rng):
    p, log_p = _probs(policy)
    return (p * (objective.alpha * log_p - _every_q(policy, objective))).sum(-1)


def _by_entropy(policy, objective, rng):
    p, _ = _probs(policy)
    return -(p * _every_q(policy, objective)).sum(-1) - objective.alpha * policy.entropy()


def _held_cost(policy, objective, rng):
    """Σ π stop(α log π − Q): what is missing has sum zero."""
    a, p = policy.nodes()
    return (p * objective.cost(policy, a).detach()).sum(0)


def _loss(w="p", alpha=None, q=-1.0, total="sum", sign=1.0, entropy=1.0):
    def answer(policy, objective, rng):
        p, log_p = _probs(policy)
        weight = {"p": p, "held": p.detach(), "one": torch.ones_like(p)}[w]
        a = objective.alpha if alpha is None else alpha
        inside = entropy * a * log_p + q * _every_q(policy, objective)
        return sign * getattr(weight * inside, total)(-1)

    return answer


def _draw(policy, objective, rng):
    a = policy.sample(1, rng)
    return (objective.cost(policy, a).detach() * policy.log_prob(a)).mean(0)


def _draw_q(policy, objective, rng):
    a = policy.sample(1, rng)
    score = -objective.Q(a) * policy.log_prob(a)
    return score.mean(0) - objective.alpha * policy.entropy()


RIGHT = {
    "log_det": [_softplus, _logaddexp, _logsigmoid],
    "squashed_cost": [_cost_by_package, _cost_by_energy],
    "squashed_entropy": [_entropy_by_log_prob, _entropy_by_torch],
    "temperature_slope": [_slope_by_autograd, _slope_by_torch],
    "discrete_loss": [_inner_product, _by_entropy, _held_cost],
}

WRONG = {
    "log_det": [
        (lambda u: (1 - u.tanh().square()).log(), "value", "as_written"),
        (lambda u: torch.log(1 - u.tanh() ** 2 + 1e-6), "value", "epsilon"),
        (lambda u: torch.log(torch.clamp(1 - u.tanh() ** 2, 1e-6)), "value", "clamped"),
        (lambda u: 2 * (LN2 - (u.exp() + (-u).exp()).log()), "value", "overflow"),
        (lambda u: 2 * LN2 - 2 * u, "value", "one_side"),
        (lambda u: LN2 - torch.logaddexp(u, -u), "value", "half"),
        (lambda u: LN2 - 2 * torch.logaddexp(u, -u), "value", "log_two_once"),
        (lambda u: -_softplus(u), "value", "sign"),
        (lambda u: torch.log1p(-(u.tanh() ** 2) + 1e-8), "value", "smaller_epsilon"),
        (lambda u: _softplus(u).sum(), "shape", "summed"),
    ],
    "squashed_cost": [
        (_cost(det=torch.zeros_like), "value", "log_det_forgotten"),
        (_cost(sign=1), "value", "log_det_sign"),
        (_cost(squeeze=lambda u: u), "value", "q_of_u"),
        (_cost(on_det=1.0), "value", "alpha_on_the_density_only"),
        (_cost(det=lambda u: _softplus(u.tanh())), "value", "log_det_of_a"),
        (_cost(det=lambda u: (1 - u.tanh() ** 2 + 1e-6).log()), "value", "epsilon"),
        (_cost(on_both=1.0), "value", "alpha_forgotten"),
        (_cost(q=1), "value", "sign_of_q"),
        (_cost(det=lambda u: (1 - u.tanh() ** 2).log()), "value", "as_written"),
        (lambda log_prob, u, Q, alpha: Q(u.tanh()).mean(), "shape", None),
    ],
    "squashed_entropy": [
        (lambda *x: _h(*x, det=0), "value", "of_u"),
        (lambda *x: _h(*x, det=-1), "value", "sign"),
        (lambda mu, s, e, w: _h(mu, s, e, w, at=mu), "value", "at_the_mean"),
        (
            lambda mu, s, e, w: _h(mu, s, e, w, gauss=math.log(2 * math.pi * s**2) / 2),
            "value",
            "half_missing",
        ),
        (
            lambda mu, s, e, w: _h(mu, s, e, w, gauss=math.log(2 * math.pi * math.e) / 2),
            "value",
            "sigma_missing",
        ),
        (
            lambda mu, s, e, w: _h(mu, s, e, w) + math.log(s),
            "value",
            "two_log_sigma",
        ),
        (lambda *x: -_h(*x), "value", "log_probability"),
        (lambda mu, s, e, w: _h(mu, s, e, 0 * w + 1 / len(w)), "value", "plain_mean"),
        (lambda mu, s, e, w: w * e, "shape", None),
    ],
    "temperature_slope": [
        (_with(lambda r, a, t, p, H: t - H), "value", "sign"),
        (_with(lambda r, a, t, p, H: H), "value", "target_forgotten"),
        (_with(lambda r, a, t, p, H: -H - t), "value", "negative_entropy"),
        (
            lambda r, a, t: _with(lambda r, a, t, p, H: H - t)(r, 1.0, t),
            "value",
            "temperature_forgotten",
        ),
        (
            lambda r, a, t: _with(lambda r, a, t, p, H: H - t)(r, 1 / a, t),
            "value",
            "inverse_temperature",
        ),
        (_with(lambda r, a, t, p, H: a * (H - t)), "value", "times_alpha"),
        (
            _with(lambda r, a, t, p, H: a * (np.log(np.exp(r / a).sum()) - t)),
            "value",
            "dual_itself",
        ),
        (_with(lambda r, a, t, p, H: np.log(np.exp(r / a).sum()) - t), "value", "partial"),
        (_with(lambda r, a, t, p, H: p @ r + a * (H - t)), "value", "dual_itself"),
        (_with(lambda r, a, t, p, H: p), "shape", None),
    ],
    "discrete_loss": [
        (_loss(total="mean"), "bias", "averaged"),
        (_loss(w="one"), "bias", "unweighted"),
        (_loss(w="held"), "bias", "frozen_probabilities"),
        (_loss(alpha=1.0), "bias", "alpha_forgotten"),
        (_loss(q=1.0), "bias", "sign_of_q"),
        (_loss(entropy=0.0), "bias", "missing_entropy"),
        (_loss(sign=-1.0), "bias", "sign"),
        (_draw, "variance", "score_function"),
        (_draw_q, "variance", "analytic_entropy"),
        (
            lambda policy, objective, rng: _loss()(policy, objective, rng).mean(),
            "shape",
            "batch_averaged",
        ),
    ],
}
