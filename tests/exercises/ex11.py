import numpy as np
from scipy.stats import gmean


def _tau_by_k(grad_Q, eps, sigma, alpha):
    k = -np.mean(grad_Q * eps) / sigma
    return k * sigma**2 / alpha


def _tau_by_dot(grad_Q, eps, sigma, alpha):
    return -(grad_Q @ eps) * sigma / (len(eps) * alpha)


def _tau(sign=-1, power=1, divide=True, how="mean"):
    def answer(grad_Q, eps, sigma, alpha):
        product = {
            "mean": np.mean(grad_Q * eps),
            "sum": np.sum(grad_Q * eps),
            "means": grad_Q.mean() * eps.mean(),
        }[how]
        return sign * sigma**power * product / (alpha if divide else 1)

    return answer


def _ratio_by_gmean(one, other):
    return gmean(np.median(one / other, -1))


def _ratio_by_loop(one, other):
    product = 1.0
    for a, b in zip(one, other, strict=True):
        x = sorted(a / b)
        product *= (x[3] + x[4]) / 2
    return product ** (1 / len(one))


def _by_solve(v2, v8, n):
    a, b = np.linalg.solve([[1 / 2, 1 / 2], [1 / 8, 1 / 56]], [v2, v8])
    return a / n + b / n / (n - 1)


def _by_weights(v2, v8, n):
    """Linear in both: the weights of v2 and v8 by Cramer."""
    d = 1 / 112 - 1 / 16
    one, two = 1 / n, 1 / (n * (n - 1))
    return v2 * (one / 56 - two / 8) / d + v8 * (two / 2 - one / 2) / d


def _squares(v2, v8, n):
    a, b = np.linalg.solve([[1 / 2, 1 / 4], [1 / 8, 1 / 64]], [v2, v8])
    return a / n + b / n**2


def _first(v2, v8, n):
    return np.linalg.solve([[1 / 2, 1 / 2], [1 / 8, 1 / 56]], [v2, v8])[0] / n


def _spent(loo_at=lambda v2, v8, n: None, n_of=lambda budget: budget):
    def answer(eq13, v2, v8, price, budget):
        n, m = int(budget // (1 + price)), n_of(budget)
        return ("leave_one_out", m) if loo_at(v2, v8, m) < eq13 / n else ("eq13", n)

    return answer


def _loo_solved(v2, v8, n):
    A, B = np.linalg.solve([[1 / 2, 1 / 2], [1 / 8, 1 / 56]], [v2, v8])
    return A / n + B / n / (n - 1)


def _loo_by_steps(v2, v8, n):
    B = (56 * v8 - 14 * v2) / -6
    return (2 * v2 - B) / n + B / (n * n - n)


RIGHT = {
    "tau_by_stein": [_tau_by_k, _tau_by_dot, _tau()],
    "typical_ratio": [_ratio_by_gmean, _ratio_by_loop],
    "leave_one_out_at": [_by_solve, _by_weights],
    "without_first_term": [lambda tau: ((tau - 1) / tau) ** 2, lambda tau: 1 - 2 / tau + tau**-2],
    "spend": [_spent(_loo_solved), _spent(_loo_by_steps)],
}

WRONG = {
    "tau_by_stein": [
        (_tau(sign=1), "value", "sign"),
        (_tau(power=-1, divide=False), "value", "curvature"),
        (_tau(power=-1), "value", "k_over_alpha"),
        (_tau(power=3), "value", "stein_upside_down"),
        (_tau(divide=False), "value", "alpha_forgotten"),
        (_tau(how="means"), "value", "means_multiplied"),
        (_tau(how="sum"), "value", "summed"),
        (_tau(power=2), "value", "one_sigma_too_many"),
        (lambda g, e, s, a: -s * g * e / a, "shape", "not_averaged"),
    ],
    "typical_ratio": [
        (lambda a, b: gmean(np.median(a, 1) / np.median(b, 1)), "value", "ratio_of_medians"),
        (lambda a, b: np.median(a / b, 1).mean(), "value", "plain_mean"),
        (lambda a, b: gmean(np.median(a / b, 0)), "value", "seeds_for_states"),
        (lambda a, b: gmean(np.median(b / a, 1)), "value", "swapped"),
        (lambda a, b: 1 / gmean(np.median(a / b, 1)), "value", "upside_down"),
        (lambda a, b: gmean((a / b).mean(1)), "value", "mean_over_states"),
        (lambda a, b: np.median(a / b), "value", "all_at_once"),
        (lambda a, b: np.log(np.median(a / b, 1)).mean(), "value", "logarithm"),
        (lambda a, b: a / b, "shape", None),
    ],
    "leave_one_out_at": [
        (lambda v2, v8, n: v8 * 8 / n, "value", "one_over_n"),
        (lambda v2, v8, n: v2 * 2 / n, "value", "one_over_n_from_2"),
        (_squares, "value", "n_squared"),
        (lambda v2, v8, n: np.interp(n, [2, 8], [v2, v8]), "value", None),
        (lambda v2, v8, n: v2 + (v8 - v2) * (n - 2) / 6, "value", "line"),
        (_first, "value", "first_part"),
        (lambda v2, v8, n: n * _by_solve(v2, v8, n), "value", "not_divided"),
        (lambda v2, v8, n: (v2, v8), "shape", None),
    ],
    "without_first_term": [
        (lambda tau: abs(tau - 1) / tau, "value", "not_squared"),
        (lambda tau: (tau / (tau - 1)) ** 2, "value", "upside_down"),
        (lambda tau: (1 - tau) ** 2, "value", "by_alpha"),
        (lambda tau: 1 + tau**-2, "value", "terms_added"),
        (lambda tau: (1 + 1 / tau) ** 2, "value", "sign"),
        (lambda tau: 1 - 1 / tau, "value", None),
        (lambda tau: tau, "value", None),
    ],
    "spend": [
        (lambda e, v2, v8, p, b: ("eq13", int(b / (1 + p))), "choice", "always_eq13"),
        (lambda e, v2, v8, p, b: ("leave_one_out", b), "choice", "always_leave_one_out"),
        (_spent(lambda v2, v8, n: 2 * v2 / n), "choice", "one_over_n"),
        (lambda e, v2, v8, p, b: ("eq13", b), "budget", "over_budget"),
        (_spent(_loo_solved, lambda budget: 2 * budget), "budget", "over_budget"),
        (lambda e, v2, v8, p, b: ("leave_one_out", 1), "shape", None),
        (_spent(_loo_solved, lambda budget: 2), "choice", "always_eq13"),
    ],
}
