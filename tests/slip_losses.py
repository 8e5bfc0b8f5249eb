"""Actor losses with one slip each, as people write them: plain PyTorch, for any batch of states."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Categorical as Choice
from torch.distributions import Normal
from torch.nn.functional import softplus

from estimators import Categorical, Gaussian, Objective, Policy, squash


@dataclass(frozen=True)
class Setting:
    """A policy, a Q without symmetry, α, and whether the actions go through tanh."""

    policy: Policy
    Q: object
    alpha: float
    squashed: bool = False

    @property
    def objective(self):
        plain = Objective(self.Q, self.alpha)
        return squash(plain) if self.squashed else plain


def uniform(rng, low, high, *shape):
    return low + (high - low) * torch.rand(shape, generator=rng).double()


def random_gaussian(seed, d=None, states=0, squashed=False, alpha=None, mu=(-1.0, 1.0)):
    rng = torch.Generator().manual_seed(seed)
    d = d or int(torch.randint(1, 5, (), generator=rng))
    shape = (states, d) if states else (d,)
    w, phase = uniform(rng, 0.5, 2.5, d), uniform(rng, 0.0, 3.0, d)
    tilt, pair = uniform(rng, -0.6, 0.6, d), float(uniform(rng, -0.4, 0.4))
    alpha = float(uniform(rng, 0.15, 0.8)) if alpha is None else alpha
    policy = Gaussian(uniform(rng, *mu, *shape), uniform(rng, -0.8, 0.3, *shape))

    def Q(a: Tensor) -> Tensor:
        return (torch.cos(w * a + phase) + tilt * a).sum(-1) + pair * a[..., 0] * a[..., -1]

    return Setting(policy, Q, alpha, squashed)


def random_choice(seed, actions=None, states=0, alpha=None):
    rng = torch.Generator().manual_seed(seed)
    actions = actions or int(torch.randint(3, 7, (), generator=rng))
    shape = (states, actions) if states else (actions,)
    reward = uniform(rng, -2, 2, actions)
    alpha = float(uniform(rng, 0.15, 0.8)) if alpha is None else alpha
    return Setting(Categorical(uniform(rng, -1.2, 1.2, *shape)), lambda a: reward[a], alpha)


def log_det(u):
    return 2 * (math.log(2) - u - softplus(-2 * u))


def pathwise(setting, log_prob, *, action=None, sigma=None, log_std=None):
    """mean over states of α log π − Q; log_prob(pi, u, a, eps) per entry."""
    action = action or (torch.tanh if setting.squashed else (lambda u: u))
    sigma = sigma or torch.exp
    log_std = log_std or (lambda x: x)

    def loss(p):
        std = sigma(log_std(p["log_std"]))
        eps = torch.randn_like(p["mu"])
        u = p["mu"] + std * eps
        each = log_prob(Normal(p["mu"], std), u, action(u), eps)
        return (setting.alpha * each.sum(-1) - setting.Q(action(u))).mean()

    return loss


def right(setting):
    def density(pi, u, a, eps):
        return pi.log_prob(u) - (log_det(u) if setting.squashed else 0)

    return density


def tanh_twice(setting):
    return pathwise(
        setting, lambda pi, u, a, eps: pi.log_prob(u) - torch.log(1 - torch.tanh(a) ** 2 + 1e-7)
    )


def tanh_twice_in_action(setting):
    return pathwise(setting, right(setting), action=lambda u: torch.tanh(torch.tanh(u)))


def noise_density(setting):
    def density(pi, u, a, eps):
        return Normal(0.0, 1.0).log_prob(eps) - (log_det(u) if setting.squashed else 0)

    return pathwise(setting, density)


def log_lost(setting):
    """Of every action, summed: prob for its logarithm."""

    def loss(p):
        prob = p["logits"].softmax(-1)
        q = setting.Q(torch.arange(prob.shape[-1]))
        return (prob * (setting.alpha * prob - q)).sum(-1).mean()

    return loss


def scored(setting, log_prob, advantage, n=1):
    """A score function: advantage(cost of [n, *states]) times log_prob(logits, a)."""

    def loss(p):
        with torch.no_grad():
            a = torch.multinomial(
                p["logits"].softmax(-1).reshape(-1, p["logits"].shape[-1]), n, True
            )
            a = a.T.reshape(n, *p["logits"].shape[:-1])
            cost = setting.alpha * Choice(logits=p["logits"]).log_prob(a) - setting.Q(a)
        return (advantage(cost) * log_prob(p["logits"], a)).mean()

    return loss


def chosen(logits, a):
    return Choice(logits=logits).log_prob(a)


def over_deviation(setting, n, correction=1):
    return scored(
        setting, chosen, lambda c: (c - c.mean(0)) / (c.std(0, correction=correction) + 1e-8), n
    )


def clamped_probability(setting, low, high):
    def log_prob(logits, a):
        prob = logits.softmax(-1).clamp(low, high)
        return prob.log().expand(*a.shape, -1).gather(-1, a[..., None])[..., 0]

    return scored(setting, log_prob, lambda c: c)


def atanh_of_clamp(setting, margin):
    def density(pi, u, a, eps):
        back = torch.atanh(a.clamp(-1 + margin, 1 - margin))
        return pi.log_prob(back) - log_det(back)

    return pathwise(setting, density)


def replayed(setting, old, weighted=False):
    """A score function at four actions of an older policy, with or without their weights."""

    def density(p):
        return Choice(logits=p["logits"]) if "logits" in p else Normal(p["mu"], p["log_std"].exp())

    def log_prob(p, a):
        each = density(p).log_prob(a)
        return each if "logits" in p else each.sum(-1)

    def loss(p):
        with torch.no_grad():
            a = density(old.parameters()).sample((4,))
            cost = setting.alpha * log_prob(p, a) - setting.Q(a)
            ratio = (log_prob(p, a) - log_prob(old.parameters(), a)).exp() if weighted else 1.0
        return (ratio * cost * log_prob(p, a)).mean()

    return loss
