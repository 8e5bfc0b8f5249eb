"""Storchastic: one call an estimate, so it is tried where few of them tell something."""

import storch
import torch
from cases_torch import SLOW, mixture, normal, wave
from problems import E_STEP, E_WAVE, LINE, MIXTURE, Case, step


def loss(method, distribution, f):
    """Sample, cost, backward, as its documentation shows."""

    def gradients(params, seed):
        torch.manual_seed(seed)
        leaves = {k: torch.as_tensor(p).clone().requires_grad_() for k, p in params.items()}
        storch.reset()
        a = method()(distribution(leaves))
        storch.add_cost(f(a), "cost")
        storch.backward()
        return {k: p.grad for k, p in leaves.items()}

    return gradients


def score(n=1, baseline=None):
    return lambda: storch.method.ScoreFunction("a", n_samples=n, baseline_factory=baseline)


def pathwise():
    return storch.method.Reparameterization("a")


METHODS = [
    ("Reparameterization, Normal", pathwise, "unbiased"),
    ("ScoreFunction, Normal", score(), "unbiased"),
    ("ScoreFunction, Normal, moving_average", score(1, "moving_average"), "biased"),
    ("ScoreFunction, Normal, batch_average", score(4, "batch_average"), "unbiased"),
]
CASES = [
    *(
        Case("storchastic", name, loss(method, normal, step), LINE, E_STEP, expected, SLOW)
        for name, method, expected in METHODS
    ),
    Case(
        "storchastic",
        "ScoreFunction, MixtureSameFamily",
        loss(score(), mixture, wave),
        MIXTURE,
        E_WAVE,
        "broken",
    ),
]
