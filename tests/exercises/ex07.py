import math

import numpy as np
import torch


def _by_hand(g, exact):
    N = len(g)
    s = [(float(x) - exact) ** 2 for x in g]
    mean = sum(s) / N
    spread = sum((x - mean) ** 2 for x in s) / (N - 1)
    return mean, math.sqrt(spread / N)


def _with_numpy(g, exact):
    s = np.square(g.numpy() - exact)
    return np.mean(s), np.std(s, ddof=1) / np.sqrt(s.size)


def _squares(f):
    return lambda g, exact: f((g - exact) ** 2, len(g))


def _shopping(variance, cost, budget):
    n, left = 0, budget
    while left >= cost:
        left, n = left - cost, n + 1
    return n, variance / n


def _moments_by_numpy(w, F, dF, ddF):
    def E(x):
        return np.average(x, weights=w)

    SF = E(F**2) + 2 * E(dF**2) + 2 * E(F * ddF)
    return E(dF**2), SF, SF - (E(F) + E(ddF)) ** 2


def _moments_completed(w, F, dF, ddF):
    """E[(F + F″)²] + 2 E F′² − E F″²."""
    G = torch.tensor(F + ddF)
    weights = torch.tensor(w)
    path = weights @ torch.tensor(dF) ** 2
    score = weights @ G**2 + 2 * path - weights @ torch.tensor(ddF) ** 2
    return path, score, score - (weights @ G) ** 2


def _stein(a=1.0, b=2.0, c=2.0, d=1.0):
    def answer(w, F, dF, ddF):
        SF = (w * (a * F * F + b * dF * dF + c * F * ddF)).sum()
        return (w * dF * dF).sum(), SF, SF - ((w * F).sum() + d * (w * ddF).sum()) ** 2

    return answer


def _variances(w, F, dF, ddF):
    path, score, best = _moments_by_numpy(w, F, dF, ddF)
    mean = (w * dF).sum()
    return path - mean**2, score - mean**2, best - mean**2


def _by_tau(k, delta, sigma, alpha):
    tau, r = k * sigma**2 / alpha, delta / sigma
    scale = (alpha / sigma) ** 2
    u2, B2 = (tau * r) ** 2, (tau - 1) ** 2
    return scale * (2 * u2 + 5 / 2 * B2), scale * (2 * u2 + 3 / 2 * B2)


def _by_nodes(k, delta, sigma, alpha):
    e, w = np.polynomial.hermite_e.hermegauss(8)
    w = w / w.sum()
    cost = -alpha * e**2 / 2 + k * (delta + sigma * e) ** 2 / 2
    out = []
    for b in (w @ cost, w @ (cost * e**2)):
        g = (cost - b) * e / sigma
        out.append(w @ g**2 - (w @ g) ** 2)
    return tuple(out)


def _nabla_log(linear, with_v, with_best, curvature=lambda k, s, a: k * s**2 - a, length=2):
    def answer(k, delta, sigma, alpha):
        u, B = k * delta * sigma, curvature(k, sigma, alpha)
        return tuple((linear * u**2 + c * B**2) / sigma**length for c in (with_v, with_best))

    return answer


def _fair_by_variances(tau):
    k, sigma, alpha = tau, 1.0, 1.0
    return 1.5 * (k * sigma**2 - alpha) ** 2 / sigma**2 / (k * sigma) ** 2


def _fair_expanded(tau):
    return 1.5 - 3 / tau + 1.5 / tau**2


def _planned(others=1.0, price_seen=True, own=1.0):
    """By both variances; `others`, `own`: how much of the parts of leave-one-out's."""

    def answer(k, delta, sigma, alpha, price, budget):
        u, B = k * delta * sigma, k * sigma**2 - alpha
        first = own * (2 * u * u + 5 / 2 * B * B) / sigma**2
        second = others * (2 * u * u + B * B / 2) / sigma**2
        n = int(budget // (1 + price))
        loo = first / budget + second / budget / (budget - 1)
        eq13 = (k * sigma) ** 2 / (n if price_seen else budget)
        return ("leave_one_out", budget) if loo < eq13 else ("eq13", n)

    return answer


def _named(name, n):
    return lambda *x: (name, n(x[-2], x[-1]))


RIGHT = {
    "variance_with_error": [_by_hand, _with_numpy],
    "what_a_budget_buys": [
        _shopping,
        lambda variance, cost, budget: (budget // cost, variance / (budget // cost)),
    ],
    "second_moments": [_moments_by_numpy, _moments_completed],
    "nabla_log_variances": [_by_tau, _by_nodes],
    "fair_price": [_fair_by_variances, _fair_expanded],
    "plan": [_planned(), _planned(others=0.9)],
}

WRONG = {
    "variance_with_error": [
        (
            lambda g, e: (torch.var(g), torch.std((g - g.mean()) ** 2) / len(g) ** 0.5),
            "value",
            "about_their_own_mean",
        ),
        (
            lambda g, e: (((g - e) ** 2).mean(), torch.std(g) * len(g) ** -0.5),
            "value",
            "error_of_the_mean",
        ),
        (_squares(lambda s, N: (s.mean(), s.mean() * (2 / N) ** 0.5)), "value", "normal_theory"),
        (_squares(lambda s, N: (s.sum() / N, s.std())), "value", "spread_of_one"),
        (_squares(lambda s, N: (s.sum() / N, s.std() / N)), "value", "divided_by_n"),
        (
            _squares(lambda s, N: (s.mean(), np.std(s.numpy()) / N**0.5)),
            "value",
            "n_in_the_denominator",
        ),
        (
            lambda g, e: ((g * g).mean() - e * e, torch.std(g * g) / len(g) ** 0.5),
            "value",
            "difference_of_moments",
        ),
        (
            _squares(lambda s, N: (s.mean() ** 0.5, s.std() / N**0.5)),
            "value",
            "deviation",
        ),
        (_squares(lambda s, N: (s.std() / N**0.5, s.mean())), "value", "order"),
        (_squares(lambda s, N: s.mean()), "shape", None),
        (_squares(lambda s, N: (s.sum() / (N - 1), s.var())), "value", "fitted_mean"),
    ],
    "what_a_budget_buys": [
        (lambda v, c, b: (b / c, v / (b / c)), "value", "parts_of_an_estimate"),
        (lambda v, c, b: (-(-b // c), v / -(-b // c)), "value", "rounded_up"),
        (lambda v, c, b: (b // 1, v / (b // 1)), "value", "cost_forgotten"),
        (lambda v, c, b: (b // c, v), "value", "no_gain"),
        (lambda v, c, b: (b // c, v * (b // c)), "value", "sum"),
        (lambda v, c, b: (b // c, v / (b // c) ** 0.5), "value", "root_n"),
        (lambda v, c, b: (b // c, (v / (b // c)) ** 0.5), "value", "deviation"),
        (lambda v, c, b: (v / (b // c), b // c), "value", "order"),
        (lambda v, c, b: (b // c, v * c), "value", None),
        (lambda v, c, b: v * c / b, "shape", None),
    ],
    "second_moments": [
        (_stein(c=1), "value", "cross_term_once"),
        (_stein(c=0), "value", "cross_term_missing"),
        (_stein(c=-2), "value", "cross_term_sign"),
        (_stein(b=1), "value", "slopes_once"),
        (_stein(a=0), "value", "square_missing"),
        (_stein(d=0), "value", "value_as_baseline"),
        (_stein(d=-1), "value", "baseline_sign"),
        (_variances, "value", "variances"),
        (
            lambda w, F, dF, ddF: _stein()(np.ones(len(w)) / len(w), F, dF, ddF),
            "value",
            "weights_ignored",
        ),
        (_stein(b=3), "value", None),
        (lambda w, F, dF, ddF: (w * dF**2, w * F**2, w * F), "shape", None),
    ],
    "nabla_log_variances": [
        (_nabla_log(3, 2.5, 1.5), "value", "second_moments"),
        (_nabla_log(2, 15 / 4, 15 / 4), "value", "no_baseline"),
        (_nabla_log(2, 2.5, 2.5), "value", "value_twice"),
        (_nabla_log(2, 1.5, 1.5), "value", "best_twice"),
        (_nabla_log(2, 2.5, 1.5, lambda k, s, a: k * s**2 + a), "value", "sign_inside"),
        (_nabla_log(2, 2.5, 1.5, lambda k, s, a: k * s**2), "value", "alpha_forgotten"),
        (_nabla_log(2, 2.5, 1.5, length=0), "value", "units"),
        (_nabla_log(2, 1.5, 2.5), "value", "order"),
        (_nabla_log(2, 2.5, 1.5, lambda k, s, a: k * s - a / s), "value", None),
        (_nabla_log(4, 5, 3), "value", "factor"),
    ],
    "fair_price": [
        (lambda tau: 2 / 3 * (tau / (tau - 1)) ** 2, "value", "upside_down"),
        (lambda tau: 5 / 2 * (1 - 1 / tau) ** 2, "value", "value_for_best"),
        (lambda tau: 15 / 4 * (1 - 1 / tau) ** 2, "value", "without_baseline"),
        (lambda tau: 3 / 2 * (1 - tau) ** 2, "value", "alpha_for_k"),
        (lambda tau: 1.5**0.5 * abs(tau - 1) / tau, "value", "root"),
        (lambda tau: (tau - 1) ** 2 / tau**2, "value", "sticking"),
        (lambda tau: 1.5 * (1 + 1 / tau) ** 2, "value", "turned"),
        (lambda tau: 1.5, "value", None),
    ],
    "plan": [
        (_named("eq13", lambda p, b: int(b / (1 + p))), "choice", "always_eq13"),
        (_named("leave_one_out", lambda p, b: b), "choice", "always_leave_one_out"),
        (_planned(0.0, price_seen=False), "choice", "price_ignored"),
        (_named("eq13", lambda p, b: b), "budget", "over_budget"),
        (_named("leave_one_out", lambda p, b: b + 1), "budget", "over_budget"),
        (_named("leave_one_out", lambda p, b: 1), "shape", None),
        (_named("leave_one_out", lambda p, b: 2), "choice", None),
    ],
}
