"""What several claims compute: one draw, a mean, the exact answer, the double well, a task."""

import logging
import math
import warnings

import numpy as np
import torch
from scipy.integrate import quad

from estimators import Replay, exact_gradient, exact_moments
from estimators.gradients import row_gradients
from toy_problems.identities import leaves
from toy_problems.problems import FLOAT
from toy_problems.quantities import numbers
from toy_problems.theory.squashed import expectation

EPS, SIGMA = 0.9, 0.7  # of the one draw looked at


def well(a):
    """The double well Q = −(a² − 1)²."""
    return -((a**2 - 1) ** 2)


def normal_pdf(a, mu, sigma):
    return np.exp(-(((a - mu) / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))


def kl_to_well(mu, sigma):
    """KL(N(μ, σ²) ‖ exp Q/Z) from its definition."""
    log_z = numbers("R03.log_Z")[0]

    def integrand(a):
        p = normal_pdf(a, mu, sigma)
        log_p = -(((a - mu) / sigma) ** 2) / 2 - math.log(sigma * math.sqrt(2 * math.pi))
        return p * (log_p - well(a) + log_z)

    return quad(integrand, mu - 12 * sigma, mu + 12 * sigma, epsabs=1e-12, limit=200)[0]


def control_suite(domain, task):
    """A task of the DeepMind Control Suite; what it says about displays and old models is noise
    here. Needs `bootstrap.py mujoco dm`, so it is imported only when asked for."""
    talk = logging.getLogger("absl")
    level = talk.level
    talk.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from dm_control import suite

            return suite.load(domain, task, task_kwargs={"random": 0})
    finally:
        talk.setLevel(level)


def actor_loss(mu, sigma, Q=well):
    """E[log π − Q] = E[−Q] − H(π)."""
    entropy = math.log(sigma) + 0.5 * math.log(2 * math.pi * math.e)
    return expectation(lambda a: -Q(a), mu, sigma) - entropy


def replay(eps):
    """The noise source that hands out this ε once."""
    return Replay([torch.as_tensor(eps, dtype=FLOAT).view(1, -1)], {1: 1})


def one_draw(estimator, policy, objective, eps=EPS):
    """One estimate at a given ε, flattened."""
    leaf = leaves(policy)
    return flat(row_gradients(estimator(leaf, objective, replay(eps)), leaf))


def flat(gradient):
    return [float(v) for g in gradient.values() for v in g.flatten()]


def exact(policy, objective):
    return flat(exact_gradient(policy, objective))


def mean(estimator, policy, objective):
    return flat(exact_moments(estimator, policy, objective)[0])
