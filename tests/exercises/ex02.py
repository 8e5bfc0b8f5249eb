import itertools

import numpy as np
import torch


def _p(theta):
    e = np.exp(theta - np.max(theta))
    return e / e.sum()


def _score_by_autograd(theta, a):
    t = torch.tensor(theta, requires_grad=True)
    return torch.autograd.grad(torch.log_softmax(t, -1)[a], t)[0]


def _score_by_parts(theta, a):
    g = -_p(theta)
    g[a] += 1
    return g


def _score_differences(theta, a):
    h, g = 1e-6, []
    for e in np.eye(len(theta)):
        up, down = (np.log(_p(theta + s * h * e)[a]) for s in (1, -1))
        g.append((up - down) / (2 * h))
    return g


def _steps(weight=lambda w, p: w, normaliser=True, add=True):
    def answer(theta, states, actions, weights):
        g = np.zeros((3, 2))
        for s, a, w in zip(states, actions, weights, strict=True):
            p = _p(theta[s])
            g[s] = g[s] * add + weight(w, p[a]) * (np.eye(2)[a] - normaliser * p)
        return g

    return answer


def _by_autograd(theta, states, actions, weights):
    t = torch.tensor(theta, requires_grad=True)
    log_pi = torch.log_softmax(t, -1)[states, actions]
    return torch.autograd.grad((torch.tensor(np.array(weights)) * log_pi).sum(), t)[0]


def _all_weights(theta, states, actions, weights):
    return _steps()(theta, states, actions, [sum(weights)] * len(states))


def _parabola(pi, Q):
    """The minimum of a parabola through three points."""
    s = np.eye(len(pi)) - pi

    def at(b):
        return sum(p * (q - b) ** 2 * (x @ x) for p, q, x in zip(pi, Q, s, strict=True))

    left, middle, right = at(-1), at(0), at(1)
    return (left - right) / (left + right - 2 * middle) / 2


def _by_formula(power=2, with_pi=True):
    def answer(pi, Q):
        size = (1 - 2 * pi + (pi**2).sum()) ** (power / 2)
        w = size * pi if with_pi else size
        return (w * Q).sum() / w.sum()

    return answer


def _draw(weight, density=lambda lp: lp, sign=-1.0, n=1, total="mean"):
    def answer(policy, objective, rng):
        a = policy.sample(n, rng)
        every, p = policy.nodes()
        V = (p * objective.Q(every)).sum(0)
        terms = sign * weight(objective.Q(a), V) * density(policy.log_prob(a))
        return {"mean": terms.mean(0), "sum": terms.sum(0), "all": terms.mean()}[total]

    return answer


def _by_logits(policy, objective, rng):
    """The same with softmax written out."""
    p = policy.logits.softmax(-1)
    a = rng.categorical(p.detach(), (1, *policy.logits.shape[:-1]))
    every = torch.arange(p.shape[-1])
    advantage = objective.Q(a) - (p * objective.Q(every)).sum(-1)
    log_p = torch.log_softmax(policy.logits, -1)
    log_p = torch.take_along_dim(log_p.unsqueeze(0), a[..., None], -1)[..., 0]
    return (-advantage.detach() * log_p)[0]


def _from_cost(policy, objective, rng):
    a = policy.sample(1, rng)
    every, p = policy.detach().nodes()
    V = (p * objective.cost(policy.detach(), every)).sum(0)
    return ((objective.cost(policy, a) - V).detach() * policy.log_prob(a)).mean(0)


def _everything(policy, objective, rng):
    every, p = policy.nodes()
    return -(p * objective.Q(every)).sum(0)


RIGHT = {
    "softmax_score": [_score_by_autograd, _score_by_parts, _score_differences],
    "to_go": [
        lambda rewards: [sum(rewards[t:]) for t in range(len(rewards))],
        lambda rewards: sum(rewards) - np.concatenate([[0], np.cumsum(rewards)[:-1]]),
        lambda rewards: np.array(list(itertools.accumulate(rewards[::-1])))[::-1],
    ],
    "trajectory_gradient": [_steps(), _by_autograd],
    "best_baseline": [_by_formula(), _parabola],
    "actor_critic": [_by_logits, _from_cost, _draw(lambda Q, V: (Q - V).detach())],
}

WRONG = {
    "softmax_score": [
        (lambda t, a: _p(t)[a] * _score_by_parts(t, a), "value", "gradient_of_pi"),
        (lambda t, a: (np.arange(4) == a) * (1 - _p(t)), "value", "only_own_logit"),
        (lambda t, a: 1.0 * (np.arange(4) == a), "value", "no_normaliser"),
        (lambda t, a: -np.exp(t) / np.exp(t).sum(), "value", "probability_only"),
        (lambda t, a: t - np.log(np.exp(t).sum()), "value", "log_pi"),
        (lambda t, a: (np.arange(4) == a) - t, "value", "logits_for_probabilities"),
        (lambda t, a: _p(t) - np.eye(4)[a], "value", "sign"),
        (lambda t, a: 1 - _p(t)[a], "shape", None),
        (lambda t, a: (np.arange(4) == a) - 1 / (1 + np.exp(-t)), "value", None),
    ],
    "to_go": [
        (list, "value", "as_printed"),
        (lambda x: [sum(x)] * len(x), "value", "full_return"),
        (lambda x: [sum(x[: t + 1]) for t in range(len(x))], "value", "past"),
        (lambda x: [sum(x[t + 1 :]) for t in range(len(x))], "value", "own_left_out"),
        (lambda x: [sum(x[t:]) for t in reversed(range(len(x)))], "value", "reversed"),
        (lambda x: [np.mean(x[t:]) for t in range(len(x))], "value", "averaged"),
        (lambda x: [x[t] + x[min(t + 1, 4)] for t in range(len(x))], "value", None),
        (sum, "shape", None),
    ],
    "trajectory_gradient": [
        (_steps(add=False), "value", "overwritten"),
        (_steps(normaliser=False), "value", "no_normaliser"),
        (_steps(weight=lambda w, p: w * p), "value", "gradient_of_pi"),
        (_steps(weight=lambda w, p: 1), "value", "unweighted"),
        (_steps(weight=lambda w, p: w / 5), "value", "mean_over_steps"),
        (_all_weights, "value", "product_of_sums"),
        (lambda *x: -_steps()(*x), "value", "sign"),
        (lambda *x: _steps()(*x).sum(0), "shape", None),
    ],
    "best_baseline": [
        (lambda pi, Q: np.dot(pi, Q), "value", "value"),
        (lambda pi, Q: sum(Q) / len(Q), "value", "plain_mean"),
        (_by_formula(with_pi=False), "value", "no_policy"),
        (_by_formula(power=1), "value", "not_squared"),
        (lambda pi, Q: (pi * (1 - 2 * pi + pi @ pi) * Q).sum(), "value", "not_normalised"),
        (lambda pi, Q: np.average(Q, weights=pi * (1 - pi) ** 2), "value", "own_entry"),
        (lambda pi, Q: Q.max(), "value", None),
        (lambda pi, Q: Q - pi @ Q, "shape", None),
    ],
    "actor_critic": [
        (_draw(lambda Q, V: Q - V), "bias", "attached_value"),
        (_draw(lambda Q, V: (Q - V).detach(), torch.exp), "bias", "pi_for_log_pi"),
        (_draw(lambda Q, V: V.detach()), "bias", "only_the_critic"),
        (_draw(lambda Q, V: (Q - V).detach(), sign=1.0), "bias", "sign"),
        (_draw(lambda Q, V: (V - Q).detach()), "bias", "sign"),
        (_draw(lambda Q, V: Q), "variance", "score_function"),
        (_draw(lambda Q, V: (Q + V).detach()), "variance", "baseline_added"),
        (_everything, "variance", "enumeration"),
        (_draw(lambda Q, V: (Q - V).detach(), n=2), "variance", "averaged"),
        (_draw(lambda Q, V: (Q - V).detach(), n=2, total="sum"), "bias", "factor"),
        (_draw(lambda Q, V: (Q - V).detach(), torch.detach), "graph", "missing_gradient"),
        (_draw(lambda Q, V: (Q - V).detach(), total="all"), "shape", "batch_averaged"),
    ],
}
