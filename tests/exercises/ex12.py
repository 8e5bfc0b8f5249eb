import math

import torch
from scipy.stats import norm
from torch.distributions import Normal
from torch.nn.functional import softplus

from estimators import log_det_tanh, score_function


def _loss(
    log_det=1.0, at="u", q="tanh", alpha_is_one=False, epsilon=None, sign=1.0, sign_q=-1.0, cut=None
):
    """The loss of a tanh-Gaussian, with something done differently."""

    def answer(mu, log_std, eps, Q, alpha):
        u = mu + torch.exp(log_std) * eps
        if cut == "all":
            u = u.detach()
        a = torch.tanh(u)
        log_prob = Normal(mu, log_std.exp()).log_prob(a if at == "a" else u)
        log_prob = log_prob - log_det * (
            2 * (math.log(2) - u - softplus(-2 * u))
            if epsilon is None
            else torch.log(1 - a**2 + epsilon)
        )
        value = Q(a.detach() if cut == "Q" else a if q == "tanh" else u)
        weight = 1.0 if alpha_is_one else alpha
        return sign * weight * log_prob.sum(-1) + sign_q * value

    return answer


def _by_square(mu, log_std, eps, Q, alpha):
    """log π(u) = −ε²/2 − log σ − …, in closed form."""
    u = mu + log_std.exp() * eps
    log_prob = (-(eps**2) / 2 - log_std - math.log(2 * math.pi) / 2).sum(-1)
    return alpha * (log_prob - log_det_tanh(u)) - Q(u.tanh())


def _by_cosh(mu, log_std, eps, Q, alpha):
    """1 − tanh² = 1/cosh²."""
    u = mu + log_std.exp() * eps
    log_prob = (-log_std + 2 * torch.log(torch.cosh(u))).sum(-1)
    return alpha * log_prob - Q(torch.tanh(u))


def _needed_by_scipy(delta, false_alarm, miss, entries):
    return (norm.ppf(1 - false_alarm / 2 / entries) + norm.ppf(1 - miss)) ** 2 / delta**2


def _needed_by_survival(delta, false_alarm, miss, entries):
    root = (norm.isf(false_alarm / (2 * entries)) - norm.ppf(miss)) / delta
    return root * root


def _needed(tails=2, share=True, power=True, square=True):
    def answer(delta, false_alarm, miss, entries):
        z = norm.isf(false_alarm / tails / (entries if share else 1))
        z += norm.isf(miss) if power else 0
        return (z / delta) ** 2 if square else z / delta

    return answer


def _es(policy, objective, rng):
    """Evolution strategies' form: half the difference for μ, half the sum for log σ."""
    eps = rng.normal(tuple(policy.mu.shape), policy.mu)
    mu, sigma = policy.mu.detach(), policy.log_std.detach().exp()
    plus, minus = (objective.cost(policy.detach(), mu + s * sigma * eps) for s in (1, -1))
    for_mu = ((plus - minus) / 2).unsqueeze(-1) * eps / sigma
    for_log_std = ((plus + minus) / 2).unsqueeze(-1) * (eps**2 - 1)
    return (for_mu * policy.mu + for_log_std * policy.log_std).sum(-1)


def _actions(policy, rng):
    eps = rng.normal(tuple(policy.mu.shape), policy.mu)
    sigma = policy.log_std.exp()
    return policy.mu + sigma * eps, policy.mu - sigma * eps


def _halves(policy, objective, rng, detach=True, weight=0.5, only_plus=False):
    total = 0
    for a in _actions(policy, rng)[: 1 if only_plus else 2]:
        a = a.detach() if detach else a
        total = total + weight * objective.cost(policy, a).detach() * policy.log_prob(a)
    return total


def _with(**options):
    return lambda policy, objective, rng: _halves(policy, objective, rng, **options)


def _without_entropy(policy, objective, rng):
    return sum(
        -0.5 * objective.Q(a.detach()) * policy.log_prob(a.detach()) for a in _actions(policy, rng)
    )


def _pathwise(policy, objective, rng):
    return sum(objective.cost(policy, a) / 2 for a in _actions(policy, rng))


def _difference(policy, objective, rng):
    plus, minus = (a.detach() for a in _actions(policy, rng))
    half = (objective.cost(policy, plus) - objective.cost(policy, minus)).detach() / 2
    return half * policy.log_prob(plus)


def _independent(policy, objective, rng):
    return sum(score_function(policy, objective, rng) for _ in range(2)) / 2


def _whole(variance, cost, budget):
    m = int(budget // cost)
    return variance * m / m**2


def _pair_by_sum(variance, covariance):
    """Var[(x + y)/2], and half of one draw's."""
    return (2 * variance + 2 * covariance) / 4 / (variance / 2)


def _bought(pair=lambda v, c: (v + c) / 2, seen=("independent", "pairs", "pathwise"), spare=0):
    def answer(variance, covariance, pathwise, price, budget):
        costs = {"independent": 1, "pairs": 2, "pathwise": 1 + price}
        one = {"independent": variance, "pairs": pair(variance, covariance), "pathwise": pathwise}
        buys = {name: int(budget / costs[name]) for name in seen}
        best = min(buys, key=lambda name: one[name] / buys[name])
        return best, buys[best] + spare

    return answer


def _by_work(variance, covariance, pathwise, price, budget):
    work = [variance, variance + covariance, pathwise * (1 + price)]
    i = work.index(min(work))
    return ("independent", "pairs", "pathwise")[i], int(budget / (1, 2, 1 + price)[i])


RIGHT = {
    "my_loss": [_by_square, _by_cosh, _loss()],
    "estimates_needed": [_needed_by_scipy, _needed_by_survival],
    "antithetic": [_es, _with()],
    "variance_within": [_whole, lambda v, c, b: v / int(b / c)],
    "pair_against_two": [_pair_by_sum, lambda v, c: (v + c) / v],
    "pairs_or_not": [_bought(), _by_work],
}

WRONG = {
    "my_loss": [
        (_loss(log_det=0.0), "bias", "log_det_forgotten"),
        (_loss(log_det=2.0), "bias", "log_det_twice"),
        (_loss(log_det=-1.0), "bias", "log_det_sign"),
        (_loss(epsilon=1e-3), "bias", "log_det_epsilon"),
        (_loss(at="a"), "bias", "density_at_action"),
        (_loss(q="u"), "bias", "q_unsquashed"),
        (_loss(q="u", log_det=0.0), "bias", "not_squashed"),
        (_loss(alpha_is_one=True), "bias", "alpha_forgotten"),
        (_loss(sign=-1.0), "bias", "sign_of_entropy"),
        (_loss(sign_q=1.0), "bias", "sign_of_q"),
        (_loss(cut="Q"), "bias", "detached_cost"),
        (lambda m, s, e, Q, a: _loss()(m, s, e, Q, a).mean(), "shape", "batch_averaged"),
        (lambda m, s, e, Q, a: a * Normal(m, s.exp()).log_prob(m + e), "shape", "coordinates_kept"),
        (_loss(cut="all"), "bias", "detached_cost"),
        (
            lambda m, s, e, Q, a: _loss()(m.detach(), s.detach(), e, Q, a),
            "graph",
            "missing_gradient",
        ),
    ],
    "estimates_needed": [
        (_needed(tails=1), "value", "one_sided"),
        (_needed(share=False), "value", "no_bonferroni"),
        (_needed(power=False), "value", "even_odds"),
        (_needed(square=False), "value", "not_squared"),
        (
            lambda d, f, m, p: ((norm.isf(f / 2 / p) + norm.ppf(m)) / d) ** 2,
            "value",
            "wrong_tail",
        ),
        (lambda d, f, m, p: 1 / d**2, "value", None),
        (lambda d, f, m: 1.0, "shape", None),
        (
            lambda d, f, m, p: 2 * ((norm.isf(f / 2 / p) + norm.isf(m)) / d) ** 2,
            "value",
            "factor",
        ),
    ],
    "antithetic": [
        (_with(weight=1.0), "bias", "factor_n"),
        (_with(detach=False), "bias", "attached_action"),
        (_with(only_plus=True, weight=1.0), "variance", "one_action"),
        (_with(weight=-0.5), "bias", "sign"),
        (_independent, "variance", "two_draws"),
        (_pathwise, "variance", "antithetic_path"),
        (_difference, "bias", "difference_only"),
        (_without_entropy, "bias", "missing_entropy"),
        (lambda p, o, r: _halves(p, o, r).mean(), "shape", "batch_averaged"),
        (lambda p, o, r: _halves(p.detach(), o, r), "graph", "missing_gradient"),
    ],
    "variance_within": [
        (lambda v, c, b: v * c / b, "value", "not_whole"),
        (lambda v, c, b: v / (b // c + 1), "value", "rounded_up"),
        (lambda v, c, b: (v / (b // c)) ** 0.5, "value", "standard_deviation"),
        (lambda v, c, b: v * (b // c), "value", "of_the_sum"),
        (lambda v, c, b: v / (b // c) ** 2, "value", "squared"),
        (lambda v, c, b: c * v, "value", "inverted"),
        (lambda v, c, b: b // c, "value", None),
        (lambda v, c, b: (v, b // c), "shape", None),
    ],
    "pair_against_two": [
        (lambda v, c: (v - c) / v, "value", "sign"),
        (lambda v, c: (v + 2 * c) / v, "value", "twice"),
        (lambda v, c: (v + c) / v / 2, "value", "against_one"),
        (lambda v, c: (v + c) / 2, "value", "against_two_of_one"),
        (lambda v, c: v / (v + c), "value", "upside_down"),
        (lambda v, c: 1 - c**2 / v**2, "value", "correlation_squared"),
        (lambda v, c: v + c, "value", None),
        (lambda v, c: c / v, "value", None),
    ],
    "pairs_or_not": [
        (_bought(seen=("pairs",)), "choice", "always_pairs"),
        (_bought(seen=("independent",)), "choice", "always_independent"),
        (_bought(seen=("pathwise",)), "choice", "always_pathwise"),
        (_bought(spare=1), "budget", "over_budget"),
        (_bought(spare=-1), "choice", None),
        (lambda v, c, p, price, b: ("pairs", b), "budget", "over_budget"),
        (lambda v, c, p, price, b: ("antithetic", 1), "shape", None),
        (_bought(pair=lambda v, c: v), "choice", None),
    ],
}
