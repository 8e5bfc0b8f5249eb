"""What people hand to `check`, beyond clean estimators: the verdict and the words each gets."""

import pytest
import torch
from support import t
from torch.distributions import Normal

from estimators import (
    Gaussian,
    Objective,
    check,
    reparameterization,
    sticking_the_landing,
)

ALPHA = 0.4
POLICY = Gaussian(t(0.3, -0.7), t(-0.4, -0.9))


def Q(a):
    return torch.sin(1.3 * a).sum(-1) - 0.3 * (a**2).sum(-1)


OBJECTIVE = Objective(Q, ALPHA)


def right_loss(params):
    pi = Normal(params["mu"], params["log_std"].exp())
    u = pi.rsample()
    return ALPHA * pi.log_prob(u).sum(-1) - Q(u)


def single(policy, objective, rng, n=1):
    """In single precision whatever it is given."""
    return reparameterization(policy.map(torch.Tensor.float), objective, rng, n).double()


def critic(seed=0):
    rng = torch.Generator().manual_seed(seed)
    w, v = torch.randn(2, 16, generator=rng), torch.randn(16, generator=rng)
    return lambda a: (torch.tanh(a.float() @ w) @ v).to(a.dtype)


@pytest.mark.parametrize(
    ("estimator", "objective"),
    [
        (reparameterization, Objective(critic(), ALPHA)),
        (sticking_the_landing, Objective(critic(), ALPHA)),
        (single, OBJECTIVE),
    ],
)
def test_single_precision_inside_is_no_dependence_between_rows(estimator, objective):
    assert check(estimator, POLICY, objective).status == "unbiased"
    off = check(lambda p, o, rng: 1.001 * estimator(p, o, rng), POLICY, objective)
    assert off.status == "biased", str(off)

    def batch_baseline(policy, objective, rng):
        a = policy.sample(1, rng)
        cost = objective.cost(policy, a).detach()
        return ((cost - 0.01 * cost.mean()) * policy.log_prob(a)).mean(0)

    dependent = check(batch_baseline, POLICY, Objective(critic(), ALPHA))
    assert dependent.status == "broken"
    assert "rows are not independent" in dependent.headline


def test_in_double_precision_a_slight_dependence_between_rows_is_found():
    def slight(policy, objective, rng):
        own = reparameterization(policy, objective, rng)
        return own + 1e-9 * own.sum()

    assert "rows are not independent" in check(slight, POLICY, OBJECTIVE).headline
