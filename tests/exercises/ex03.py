import math

import numpy as np


def _soft(sign=1.0, on_q=False, weigh=True, log=np.log):
    def answer(pi, Q, alpha):
        H = sum(-p * log(p) if weigh else -log(p) for p in pi)
        return sum(pi * Q) * (alpha if on_q else 1) + sign * H * (1 if on_q else alpha)

    return answer


def _softmax(scale=lambda Q, alpha: Q / alpha, stable=True):
    def answer(Q, alpha):
        x = scale(Q, alpha)
        x = x - max(x) if stable else x
        with np.errstate(over="ignore", invalid="ignore"):
            return np.exp(x) / np.exp(x).sum()

    return answer


def _by_log_sum_exp(Q, alpha):
    top = Q.max()
    log_Z = top / alpha + math.log(sum(math.exp((q - top) / alpha) for q in Q))
    return [math.exp(q / alpha - log_Z) for q in Q]


def _by_nodes(mu, sigma, k, m, alpha):
    eps, w = np.polynomial.hermite_e.hermegauss(10)
    w = w / w.sum()
    a = mu + sigma * eps
    log_pi = -(eps**2) / 2 - math.log(sigma) - math.log(2 * math.pi) / 2
    return w @ (alpha * log_pi + k * (a - m) ** 2 / 2)


HALF_LOG_2PIE = math.log(2 * math.pi * math.e) / 2


def _loss(spread=1, alpha_sign=1, q=1, constant=HALF_LOG_2PIE, power=2):
    def answer(mu, sigma, k, m, alpha):
        H = math.log(sigma) + constant
        return q * 0.5 * k * ((mu - m) ** 2 + spread * sigma**power) - alpha_sign * alpha * H

    return answer


def _moments(m, w):
    centres, weights = np.array([-m, m]), np.array([w, 1 - w])
    mean = weights @ centres
    return mean, np.sqrt(weights @ (1 + centres**2) - mean**2)


def _by_grid(m, w):
    a = np.linspace(-m - 12, m + 12, 20001)
    h = w * np.exp(-((a + m) ** 2) / 2) + (1 - w) * np.exp(-((a - m) ** 2) / 2)
    h = h / h.sum()
    return h @ a, math.sqrt(h @ a**2 - (h @ a) ** 2)


def _slope_by_ratio(m, phi, eps, w):
    """From the two components themselves."""
    a = phi + eps
    left, right = np.exp(-((a + m) ** 2) / 2), np.exp(-((a - m) ** 2) / 2)
    score = (-(a + m) * left - (a - m) * right) / (left + right)
    return -(w @ score)


def _slope_loop(m, phi, eps, w):
    return sum(
        wi * ((phi + e) - m * math.tanh(m * (phi + e))) for e, wi in zip(eps, w, strict=True)
    )


RIGHT = {
    "soft_objective": [_soft(), lambda pi, Q, alpha: pi @ (Q - alpha * np.log(pi))],
    "boltzmann": [_softmax(), _by_log_sum_exp],
    "gaussian_loss": [_by_nodes, _loss()],
    "forward_fit": [_moments, _by_grid],
    "reverse_slope": [_slope_by_ratio, _slope_loop],
}

WRONG = {
    "soft_objective": [
        (_soft(sign=-1.0), "value", "entropy_subtracted"),
        (lambda pi, Q, alpha: pi @ (Q - np.log(pi)), "value", "alpha_forgotten"),
        (_soft(on_q=True), "value", "alpha_on_q"),
        (_soft(weigh=False), "value", "unweighted_entropy"),
        (lambda pi, Q, alpha: np.dot(pi, Q), "value", "no_entropy"),
        (_soft(log=np.log2), "value", "base_two"),
        (lambda pi, Q, alpha: pi @ (alpha * np.log(pi) - Q), "value", "loss"),
        (lambda pi, Q, alpha: pi * (Q - alpha * np.log(pi)), "shape", None),
        (lambda pi, Q, alpha: pi @ Q + alpha, "value", None),
    ],
    "boltzmann": [
        (_softmax(stable=False), "value", "overflow"),
        (_softmax(lambda Q, alpha: Q), "value", "alpha_forgotten"),
        (_softmax(lambda Q, alpha: Q * alpha), "value", "alpha_times"),
        (_softmax(lambda Q, alpha: -Q / alpha), "value", "lowest"),
        (lambda Q, alpha: 1.0 * (max(Q) == Q), "value", "greedy"),
        (lambda Q, alpha: np.exp((Q - max(Q)) / alpha), "value", "not_normalised"),
        (_softmax(lambda Q, alpha: Q / alpha**2), "value", "squared"),
        (lambda Q, alpha: Q.max(), "shape", None),
    ],
    "gaussian_loss": [
        (_loss(spread=0), "value", "no_spread"),
        (_loss(alpha_sign=-1), "value", "entropy_sign"),
        (_loss(q=-1), "value", "q_sign"),
        (lambda mu, s, k, m, alpha: _loss()(mu, s, k, m, 1), "value", "alpha_forgotten"),
        (_loss(q=2), "value", "half_forgotten"),
        (_loss(constant=math.log(2 * math.pi) / 2), "value", "entropy_without_e"),
        (_loss(constant=0.0), "value", "density_at_mean"),
        (_loss(power=1), "value", "variance_linear"),
        (lambda *x: -_by_nodes(*x), "value", "sign"),
        (lambda mu, s, k, m, alpha: k * (mu - m) ** 2, "value", None),
    ],
    "forward_fit": [
        (lambda m, w: (_moments(m, w)[0], _moments(m, w)[1] ** 2), "value", "variance"),
        (
            lambda m, w: (_moments(m, w)[0], (_moments(m, w)[1] ** 2 - 1) ** 0.5),
            "value",
            "no_own_spread",
        ),
        (lambda m, w: (_moments(m, w)[0], 1), "value", "unit"),
        (lambda m, w: (_moments(m, w)[0], (m * m + 1) ** 0.5), "value", "about_zero"),
        (lambda m, w: _moments(m, 1 - w), "value", "weights_swapped"),
        (lambda m, w: (m, 1), "value", "one_mode"),
        (lambda m, w: (0.0, 1.0), "value", "zero"),
        (lambda m, w: _moments(m, w)[0], "shape", None),
    ],
    "reverse_slope": [
        (lambda m, phi, eps, w: phi, "value", "forward"),
        (lambda m, phi, eps, w: phi - m * math.tanh(m * phi), "value", "at_the_mean"),
        (lambda m, phi, eps, w: phi - m * (w * np.tanh(phi + eps)).sum(), "value", "m_inside"),
        (lambda m, phi, eps, w: phi - (w * np.tanh(m * (phi + eps))).sum(), "value", "m_outside"),
        (
            lambda m, phi, eps, w: np.mean(phi + eps - m * np.tanh(m * (phi + eps))),
            "value",
            "unweighted",
        ),
        (lambda *x: -_slope_loop(*x), "value", "sign"),
        (lambda m, phi, eps, w: _slope_loop(m, phi, eps, w) - phi, "value", "tanh_only"),
        (lambda m, phi, eps, w: phi + eps - m * np.tanh(m * (phi + eps)), "shape", None),
        (lambda m, phi, eps, w: phi - m, "value", None),
    ],
}
