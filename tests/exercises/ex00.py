import math

import numpy as np
from scipy.stats import norm, sem


def _cost(half=0.5, log_sigma=1.0, constant=1.0, sign=1.0, sign_q=-1.0, power=2):
    def answer(a, mu, sigma, q, alpha):
        log_prob = -half * ((a - mu) / sigma) ** power
        log_prob -= log_sigma * np.log(sigma) + constant * np.log(2 * np.pi) / 2
        return sign * alpha * log_prob + sign_q * q

    return answer


RIGHT = {
    "cost": [
        lambda a, mu, sigma, q, alpha: alpha * norm.logpdf(a, mu, sigma) - q,
        lambda a, mu, sigma, q, alpha: alpha * math.log(norm.pdf(a, mu, sigma)) - q,
        _cost(),
    ],
    "mean_and_error": [
        lambda x: (sum(x) / len(x), float(sem(x))),
        lambda x: (np.mean(x), np.sqrt(((x - np.mean(x)) ** 2).sum() / (len(x) ** 2 - len(x)))),
    ],
    "draws_needed": [
        lambda v, g, f: (math.sqrt(v) / (f * abs(g))) ** 2,
        lambda v, g, f: v / g**2 / f**2,
    ],
}

WRONG = {
    "cost": [
        (_cost(log_sigma=0.0), "value", "normaliser"),
        (_cost(constant=0.0), "value", "constant"),
        (_cost(constant=0.0, log_sigma=0.0), "value", "not_normalised"),
        (_cost(half=1.0), "value", "half"),
        (_cost(sign_q=1.0), "value", "sign_of_q"),
        (_cost(sign=-1.0), "value", "sign_of_entropy"),
        (_cost(sign=-1.0, sign_q=1.0), "value", "sign"),
        (_cost(power=3), "value", None),
        (lambda a, m, s, q, alpha: alpha * norm.pdf(a, m, s) - q, "value", "density"),
        (lambda a, m, s, q, alpha: norm.logpdf(a, m, s) - q, "value", "alpha_forgotten"),
        (
            lambda a, m, s, q, alpha: alpha * norm.logpdf(a, m, np.sqrt(s)) - q,
            "value",
            "variance_for_sigma",
        ),
        (lambda a, m, s, q, alpha: (alpha, q), "shape", None),
    ],
    "mean_and_error": [
        (lambda x: (x.mean(), np.std(x, ddof=1)), "value", "standard_deviation"),
        (lambda x: (x.mean(), np.std(x)), "value", "standard_deviation_over_n"),
        (lambda x: (x.mean(), float(sem(x)) ** 2), "value", "variance"),
        (lambda x: (x.mean(), np.std(x, ddof=1) / len(x)), "value", "over_n"),
        (lambda x: (x.mean(), np.std(x) / len(x) ** 0.5), "value", "population"),
        (lambda x: (x.mean(), 1.96 * sem(x)), "value", "interval"),
        (lambda x: (sem(x), x.mean()), "value", "order"),
        (lambda x: (np.median(x), sem(x)), "value", None),
        (lambda x: x.mean(), "shape", None),
        (lambda x: (x, sem(x)), "shape", None),
    ],
    "draws_needed": [
        (lambda v, g, f: v / (f * g), "value", "not_squared"),
        (lambda v, g, f: v**0.5 / (f * g), "value", "root"),
        (lambda v, g, f: v / f**2, "value", "absolute"),
        (lambda v, g, f: v / (f * g * g), "value", "fraction_not_squared"),
        (lambda v, g, f: f * f * g * g / v, "value", "upside_down"),
        (lambda v, g, f: 1.96**2 * v / (f * g) ** 2, "value", "factor"),
        (lambda v, g, f: v - f * g, "value", None),
        (lambda v, g, f: [v, g], "shape", None),
    ],
}
