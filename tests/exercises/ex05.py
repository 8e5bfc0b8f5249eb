import torch

from estimators import Gaussian, reparameterization_eq13, score_function_full


def _autograd_score(mu, log_std, eps):
    mu, log_std = (p.clone().requires_grad_() for p in (mu, log_std))
    a = (mu + log_std.exp() * eps).detach()
    log_prob = Gaussian(mu[:, None], log_std[:, None]).log_prob(a[:, None])
    return torch.autograd.grad(log_prob.sum(), [mu, log_std])


def _score_from_action(mu, log_std, eps):
    sigma = torch.exp(log_std)
    a = mu + sigma * eps
    return (a - mu) / sigma**2, ((a - mu) / sigma) ** 2 - 1


def _score_times(c, d):
    def answer(mu, log_std, eps):
        sigma = log_std.exp()
        return c * eps / sigma, d * (eps**2 - 1)

    return answer


def _eq13_simplified(mu, sigma, eps, grad_Q, alpha):
    return -grad_Q, -alpha - grad_Q * sigma * eps


def _eq13_by_terms(mu, sigma, eps, grad_Q, alpha):
    a = mu + sigma * eps
    by_mu = alpha * (a - mu) / sigma**2 - alpha * (a - mu) / sigma**2 - grad_Q
    by_log_std = alpha * (eps**2 - 1) - (alpha * eps / sigma + grad_Q) * (sigma * eps)
    return by_mu, by_log_std


def _eq13(score=1.0, entropy=1.0, value=1.0, alpha_is_one=False, path=None):
    def answer(mu, sigma, eps, grad_Q, alpha):
        alpha = 1.0 if alpha_is_one else alpha
        s = eps / sigma, eps**2 - 1
        f = s if path == "score" else (1, eps) if path == "sigma" else (1, sigma * eps)
        bracket = -entropy * alpha * eps / sigma - value * grad_Q
        return tuple(score * alpha * x + bracket * y for x, y in zip(s, f, strict=True))

    return answer


def _by_hand(policy, objective, rng):
    eps = rng.normal((1, *policy.mu.shape), policy.mu)
    a = policy.mu + policy.log_std.exp() * eps
    cost = objective.alpha * policy.log_prob(a) - objective.Q(a)
    return cost[0]


def _substituted(policy, objective, rng):
    """log π_θ(f_θ(ε)) = −ε²/2 − log σ − …"""
    eps = rng.normal(tuple(policy.mu.shape), policy.mu)
    a = policy.mu + policy.log_std.exp() * eps
    return -objective.alpha * policy.log_std.sum(-1) - objective.Q(a)


def _cost(draw="rsample", log_prob="policy", sign_q=-1.0, sign=1.0, alpha=None, n=1, total="mean"):
    """The actor loss, with something done differently."""

    def answer(policy, objective, rng):
        a = getattr(policy, draw)(n, rng)
        density = policy.detach() if log_prob == "frozen" else policy
        weight = objective.alpha if alpha is None else alpha
        lp = density.log_prob(a.detach() if log_prob == "held" else a)
        lp = lp.detach() if log_prob == "number" else lp
        cost = sign * weight * lp + sign_q * objective.Q(a)
        return cost.mean(0) if total == "mean" else cost.sum(0) if total == "sum" else cost.mean()

    return answer


def _reinforce(policy, objective, rng):
    a = policy.sample(1, rng)
    return (objective.cost(policy, a).detach() * policy.log_prob(a)).mean(0)


def _attached(policy, objective, rng):
    a = policy.rsample(1, rng)
    return (objective.cost(policy, a).detach() * policy.log_prob(a)).mean(0)


def _no_grad(policy, objective, rng):
    with torch.no_grad():
        a = policy.rsample(1, rng)
        return objective.cost(policy, a).mean(0)


def _global(policy, objective, rng):
    a = policy.mu + policy.log_std.exp() * torch.randn_like(policy.mu)
    return objective.cost(policy, a)


def _all_detached(policy, objective, rng):
    frozen = policy.detach()
    return objective.cost(frozen, frozen.rsample(1, rng)).mean(0)


def _stuck_by_hand(policy, objective, rng):
    eps = rng.normal((1, *policy.mu.shape), policy.mu)
    mu, log_std = policy.mu, policy.log_std
    a = mu + log_std.exp() * eps
    z = (a - mu.detach()) / log_std.detach().exp()
    return (-objective.alpha * z**2 / 2).sum(-1).mean(0) - objective.Q(a).mean(0)


def _minus_score(policy, objective, rng):
    """Eq. 13 with its first term taken away again."""
    a = policy.rsample(1, rng)
    score = objective.alpha * policy.log_prob(a.detach())
    return (objective.cost(policy, a) - score).mean(0)


def _variances_expanded(k, sigma, alpha):
    return k**2 * sigma**2, k**2 * sigma**2 - 2 * k * alpha + (alpha / sigma) ** 2


def _variances_by_tau(k, sigma, alpha):
    tau = k * sigma**2 / alpha
    return (k * sigma) ** 2, (k * sigma) ** 2 * (1 - 1 / tau) ** 2


def _even_by_root(k, sigma):
    """Both deviations are the same: α/σ − kσ = kσ."""
    deviation = k * sigma
    return sigma * (deviation + deviation)


def _even_by_tau(k, sigma):
    return k * sigma**2 / 0.5


def _term(border=0.5, n=lambda budget: budget, flipped=False):
    def answer(k, sigma, alpha, budget):
        without = (k * sigma**2 / alpha > border) != flipped
        return ("sticking" if without else "eq13"), n(budget)

    return answer


def _term_by_gap(k, sigma, alpha, budget):
    gap = (k * sigma - alpha / sigma) ** 2 - (k * sigma) ** 2
    return ["sticking", "eq13"][int(gap > 0)], budget


RIGHT = {
    "score_term": [_autograd_score, _score_from_action],
    "eq13": [_eq13_simplified, _eq13_by_terms],
    "actor_loss": [
        _by_hand,
        _substituted,
        lambda policy, objective, rng: reparameterization_eq13(policy, objective, rng),
    ],
    "sticking": [_stuck_by_hand, _minus_score, _cost(log_prob="frozen")],
    "variances": [_variances_expanded, _variances_by_tau],
    "break_even": [_even_by_root, _even_by_tau],
    "choose_term": [_term(), _term_by_gap],
}

WRONG = {
    "score_term": [
        (lambda m, s, e: (0 * e, 0 * e - 1), "value", "total_derivative"),
        (lambda m, s, e: (-e / s.exp(), -e * e), "value", "path"),
        (lambda m, s, e: (e / s.exp(), (e * e - 1) / s.exp()), "value", "by_sigma"),
        (lambda m, s, e: (e / s.exp(), e * e), "value", "normaliser"),
        (lambda m, s, e: (e, e * e - 1), "value", "missing_sigma"),
        (lambda m, s, e: (e * e - 1, e / s.exp()), "value", "order"),
        (_score_times(-1, -1), "value", "sign"),
        (_score_times(1, -1), "value", "sign"),
        (_score_times(2, 2), "value", "factor"),
        (lambda m, s, e: e / s.exp(), "shape", None),
        (lambda m, s, e: ((e / s.exp()).sum(), (e * e - 1).sum()), "shape", "summed"),
        (lambda m, s: m, "shape", None),
    ],
    "eq13": [
        (_eq13(path="score"), "bias", "score_for_path"),
        (_eq13(path="sigma"), "bias", "path_by_sigma"),
        (lambda m, s, e, g, alpha: (-g, -alpha - g * e), "bias", "value_by_sigma"),
        (_eq13(entropy=0.0), "bias", "path_of_entropy_missing"),
        (_eq13(score=0.0, entropy=0.0), "bias", "value_only"),
        (_eq13(value=-1.0), "bias", "sign_of_q"),
        (_eq13(entropy=-1.0), "bias", "sign_of_entropy"),
        (_eq13(alpha_is_one=True), "bias", "alpha_forgotten"),
        (_eq13(value=0.0), "bias", "detached_cost"),
        (_eq13(score=0.0), "variance", "sticking_the_landing"),
        (_eq13(score=2.0), "variance", "doubled_score"),
        (_eq13(score=-1.0), "variance", "sign_of_score"),
        (lambda *x: _eq13_simplified(*x)[0], "shape", None),
        (lambda *x: tuple(p.sum() for p in _eq13_simplified(*x)), "shape", None),
    ],
    "actor_loss": [
        (_cost(draw="sample"), "bias", "detached_cost"),
        (_cost(log_prob="number"), "bias", "missing_entropy"),
        (_cost(log_prob="held"), "bias", "missing_entropy"),
        (_cost(sign_q=1.0), "bias", "sign_of_q"),
        (_cost(sign_q=1.0, sign=-1.0), "bias", "sign"),
        (_cost(sign=-1.0), "bias", "sign_of_entropy"),
        (_cost(alpha=1.0), "bias", "alpha_forgotten"),
        (_cost(n=2, total="sum"), "bias", "factor_n"),
        (_cost(n=2), "variance", "averaged"),
        (_cost(total="batch"), "shape", "batch_averaged"),
        (_cost(log_prob="frozen"), "variance", "sticking_the_landing"),
        (_reinforce, "variance", "score_function"),
        (lambda p, o, r: score_function_full(p, o, r), "variance", "score_function_full"),
        (_attached, "bias", "attached_action"),
        (_no_grad, "graph", "missing_gradient"),
        (_global, "graph", "not_from_rng"),
    ],
    "sticking": [
        (_cost(), "variance", "eq13"),
        (_cost(log_prob="number"), "bias", "missing_entropy"),
        (_cost(log_prob="held"), "bias", "missing_entropy"),
        (_cost(draw="sample"), "bias", "detached_cost"),
        (_cost(log_prob="frozen", sign_q=1.0), "bias", "sign_of_q"),
        (_cost(log_prob="frozen", alpha=1.0), "bias", "alpha_forgotten"),
        (_all_detached, "graph", "missing_gradient"),
        (_reinforce, "variance", "score_function"),
        (_cost(log_prob="frozen", total="batch"), "shape", "batch_averaged"),
    ],
    "variances": [
        (lambda k, s, a: ((k * s - a / s) ** 2, (k * s) ** 2), "value", "order"),
        (lambda k, s, a: (k * s, abs(k * s - a / s)), "value", "standard_deviations"),
        (lambda k, s, a: (k * s, k * s - a / s), "value", "factors"),
        (lambda k, s, a: ((k * s) ** 2, (k * s) ** 2 + (a / s) ** 2), "value", "terms_added"),
        (lambda k, s, a: ((k * s) ** 2, (k * s + a / s) ** 2), "value", "sign_inside"),
        (lambda k, s, a: ((k * s) ** 2, (k * s - 1 / s) ** 2), "value", "alpha_forgotten"),
        (lambda k, s, a: ((k * s) ** 2, (k * s * s - a) ** 2), "value", "units"),
        (lambda k, s, a: (k * s, 0.0), "value", "standard_deviations"),
        (lambda k, s, a: (k * s) ** 2, "shape", None),
        (lambda k, s, a: ((k * s) ** 2, float("nan")), "value", None),
    ],
    "break_even": [
        (lambda k, sigma: sigma**2 * k, "value", "no_variance"),
        (lambda k, sigma: k * sigma * sigma / 2, "value", "half"),
        (lambda k, sigma: 0, "value", "no_entropy"),
        (lambda k, sigma: k * sigma + k * sigma, "value", "one_sigma"),
        (lambda k, sigma: 1 / 2, "value", "of_tau"),
        (lambda k, sigma: -2 * k * sigma**2, "value", "sign"),
        (lambda k, sigma: k + sigma**2, "value", None),
    ],
    "choose_term": [
        (_term(0.0), "choice", "always_sticking"),
        (_term(99.0), "choice", "always_eq13"),
        (_term(1.0), "choice", "tau_one"),
        (_term(flipped=True), "choice", "upside_down"),
        (_term(n=lambda budget: 1), "choice", "one_draw"),
        (_term(n=lambda budget: budget + 1), "budget", "over_budget"),
        (_term(n=lambda budget: budget - 1), "choice", None),
        (_term(n=lambda budget: budget / 2), "shape", None),
        (lambda *x: "sticking", "shape", None),
        (lambda *x: ("reinforce", 1), "shape", None),
    ],
}
