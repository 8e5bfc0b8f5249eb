import numpy as np
import torch


def _score(weigh, draw="sample", n=1, detach=True, extra=0.0, total="mean", factor=1.0):
    """weigh(log_prob, q, alpha) · log π."""

    def answer(policy, objective, rng):
        a = getattr(policy, draw)(n, rng)
        log_prob = policy.log_prob(a)
        cost = weigh(log_prob, objective.Q(a), objective.alpha)
        cost = cost.detach() if detach else cost
        whole = factor * (cost + extra * objective.alpha) * log_prob
        return whole.mean(0) if total == "mean" else whole.mean()

    return answer


def _right(log_prob, q, alpha):
    return alpha * log_prob - q


def _no_grad(policy, objective, rng):
    a = policy.sample(1, rng)
    with torch.no_grad():
        cost = objective.cost(policy, a)
    return (cost * policy.log_prob(a))[0]


def _by_hand(policy, objective, rng):
    """The linear surrogate of (c·ε/σ, c·(ε² − 1))."""
    mu, log_std = policy.mu.detach(), policy.log_std.detach()
    eps = rng.normal(tuple(mu.shape), mu)
    c = objective.cost(policy, mu + log_std.exp() * eps).detach()[..., None]
    score = eps / log_std.exp() * policy.mu + (eps**2 - 1) * policy.log_std
    return (c * score).sum(-1)


def _all_detached(policy, objective, rng):
    a = policy.sample(1, rng)
    return (objective.cost(policy, a) * policy.log_prob(a)).detach().mean(0)


def _frozen_action(policy, objective, rng):
    a = policy.rsample(1, rng).detach()
    return (objective.cost(policy, a).detach() * policy.log_prob(a)).mean(0)


def _cost_only(policy, objective, rng):
    return objective.cost(policy, policy.sample(1, rng)).mean(0)


def _rsampled(policy, objective, rng):
    return objective.cost(policy, policy.rsample(1, rng)).mean(0)


def _pair(baseline, factor=1.0, detach=True):
    """Two actions, (c − baseline(c)) · log π."""

    def answer(policy, objective, rng):
        a = policy.sample(2, rng)
        cost = objective.cost(policy, a)
        cost = cost.detach() if detach else cost
        weight = cost - baseline(cost).detach()
        return factor * (weight * policy.log_prob(a)).mean(0)

    return answer


def _difference(policy, objective, rng):
    """½ (c₁ − c₂)(log π₁ − log π₂)."""
    a = policy.sample(2, rng)
    cost, log_prob = objective.cost(policy, a).detach(), policy.log_prob(a)
    return (cost[0] - cost[1]) * (log_prob[0] - log_prob[1]) / 2


def _loop(cost):
    return [np.delete(cost, i).mean() for i in range(len(cost))]


def _least_squares(cost, score):
    """argmin_b ‖c s − b s‖²."""
    return np.linalg.lstsq(score[:, None], cost * score, rcond=None)[0][0]


RIGHT = {
    "nabla_log": [_score(_right), _no_grad, _by_hand, _frozen_action],
    "best_constant": [
        lambda c, s: np.average(c, weights=s**2),
        lambda c, s: sum(c * s * s) / sum(s * s),
        _least_squares,
    ],
    "others": [_loop, lambda c: c + len(c) / (len(c) - 1) * (c.mean() - c)],
    "repaired": [_pair(lambda c: c.flip(0)), _difference, _pair(lambda c: c.mean(0), factor=2.0)],
}

WRONG = {
    "nabla_log": [
        (_score(_right, detach=False), "bias", "attached_cost"),
        (_score(_right, draw="rsample"), "bias", "attached_action"),
        (_score(lambda lp, q, alpha: -q), "bias", "missing_entropy"),
        (_score(lambda lp, q, alpha: alpha * lp + q), "bias", "sign_of_q"),
        (_score(lambda lp, q, alpha: -alpha * lp - q), "bias", "sign_of_entropy"),
        (_score(lambda lp, q, alpha: q - alpha * lp), "bias", "sign"),
        (_score(lambda lp, q, alpha: lp - q), "bias", "alpha_forgotten"),
        (_score(_right, extra=1.0), "variance", "first_term_kept"),
        (_score(_right, n=2), "variance", "averaged"),
        (_score(_right, total="batch"), "shape", "batch_averaged"),
        (_rsampled, "variance", "reparameterization"),
        (_cost_only, "bias", "detached_cost"),
        (_all_detached, "graph", "missing_gradient"),
    ],
    "best_constant": [
        (lambda c, s: np.mean(c), "value", "mean_cost"),
        (lambda c, s: np.average(c, weights=abs(s)), "value", "absolute_score"),
        (lambda c, s: (c * s).mean() / s.mean(), "value", "score_not_squared"),
        (lambda c, s: np.mean(c * s * s), "value", "no_division"),
        (lambda c, s: (c * s).mean() / (s * s).mean(), "value", "regression"),
        (lambda c, s: (c * s * s).mean() / s.mean() ** 2, "value", "mean_of_ratio"),
        (lambda c, s: np.median(c), "value", None),
        (lambda c, s: c, "shape", None),
    ],
    "others": [
        (lambda c: np.mean(c) * np.ones(len(c)), "value", "batch_mean"),
        (lambda c: np.mean(c), "shape", "batch_mean_number"),
        (lambda c: (sum(c) - c) / len(c), "value", "divided_by_n"),
        (lambda c: 0 * c + sum(c) / (len(c) - 1), "value", "own_kept"),
        (lambda c: c - np.array(_loop(c)), "value", "advantage"),
        (lambda c: c[[-1, *range(len(c) - 1)]], "value", "neighbour"),
        (lambda c: c - np.mean(c), "value", None),
        (lambda c: [x for x in _loop(c)][:-1], "shape", None),
    ],
    "repaired": [
        (_pair(lambda c: c.mean(0)), "bias", "not_repaired"),
        (_pair(lambda c: c.mean(0), factor=0.5), "bias", "twice_wrong"),
        (_pair(lambda c: c.mean(0), factor=1.5), "bias", "three_halves"),
        (_pair(lambda c: c.mean(0), factor=-2.0), "bias", "sign"),
        (_pair(lambda c: c.mean(0), factor=2.0, detach=False), "bias", "attached_cost"),
        (_pair(lambda c: 0 * c), "variance", "no_baseline"),
        (_score(_right), "variance", "one_action"),
        (_pair(lambda c: c), "bias", "detached_cost"),
        (_score(_right, n=2, total="batch"), "shape", "batch_averaged"),
    ],
}
