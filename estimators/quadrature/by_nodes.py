"""The exact gradient by the nodes that a policy has of its own, of ever higher order."""

import math
from functools import partial

import torch
from torch import Tensor

from estimators.gradients import (
    Estimator,
    flat,
    flat_rows,
    leaves,
    per_sample_gradients,
    row_gradients,
)
from estimators.moments import Moments
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Policy, TooManyNodes
from estimators.quadrature.answer import Exact
from estimators.quadrature.features import breaks_of
from estimators.quadrature.nodes import discover
from estimators.quadrature.rounding import UNITS, rounding_of
from estimators.quadrature.witnesses import CHUNK, WITNESSES
from estimators.score import constant, score_function

AGREEMENT = 5e-7  # of two rules, relative to the scale
ORDERS = (2, 4, 6, 8, 10, 12, 16, 20)


def node_gradient(policy: Policy, objective: Objective) -> Exact:
    """Σ_m w_m cost(a_m) ∇ log π(a_m), over all actions, or with orders that grow until two agree.

    Raises TooManyNodes if they do not, if Q or log π has features that are narrow or sharp, if
    draws of the estimator contradict them, or without any nodes.
    """
    leaf = leaves(policy)
    before: Tensor | None = None
    error, scale, order = math.inf, 1.0, 0
    for finer in ORDERS:
        try:
            a, w = (t.detach() for t in policy.nodes(finer))  # [m, *batch, d], [m, *batch]
        except TooManyNodes:
            if before is None:
                raise
            break
        order = finer
        cost = objective.cost(policy, a).detach()
        with torch.enable_grad():
            gradient = row_gradients((w * cost * leaf.log_prob(a)).sum(0), leaf)
        said = flat(gradient)
        scale = float((w * cost.abs()).sum(0).max())
        if policy.discrete:
            error = 0.0
            break
        if before is not None:
            error = float((said - before).abs().max())
            if error <= 1e-12 * scale and order >= 8:
                break
        before = said
    if not error <= AGREEMENT * scale:
        raise TooManyNodes(
            f"no exact gradient in d = {policy.dim}: the policy's nodes are not there at order "
            f"{order}, {len(w):,} nodes (the last two orders differ by {error:.1e}); measure it "
            "instead"
        )
    error += 8 * torch.finfo(torch.float64).eps * scale
    error += UNITS * float(rounding_of(centred(policy, objective), policy, objective).max())
    exact = Exact(gradient, error)
    if not policy.discrete:
        _require_smooth(policy, objective)
        require_no_contradiction(policy, objective, exact, 1e-9 * scale)
    return exact


def centred(policy: Policy, objective: Objective) -> Estimator:
    """The score function with a typical cost for baseline, the mean of 64 draws: its mean is the
    gradient whatever the baseline, and less cancels."""
    cost = objective.cost(policy, policy.sample(64, Noise(4, policy.like.device)))
    return partial(score_function, baseline=constant(cost.mean(0)))


def _require_smooth(policy: Policy, objective: Objective) -> None:
    try:
        draws = discover(score_function, policy, objective)
    except TooManyNodes:  # there is no telling from which numbers an action comes
        return
    if breaks_of(policy, objective, draws) is not None:
        raise TooManyNodes(
            f"no exact gradient in d = {policy.dim}: the policy's nodes do not see jumps, kinks or "
            "narrow features of Q, or components much narrower than others; measure it instead"
        )


def require_no_contradiction(
    policy: Policy, objective: Objective, said: Exact, error: float = 0.0
) -> None:
    """TooManyNodes if the mean of random draws is further off than chance allows."""
    estimator, rng = centred(policy, objective), Noise(0, policy.like.device)
    seen, exact = Moments.of(torch.zeros(0, len(flat(said)))), flat(said)
    for _ in range(WITNESSES // CHUNK):
        grads = per_sample_gradients(estimator, policy, objective, CHUNK, rng)
        seen += Moments.of(flat_rows(grads).cpu())
    if ((seen.mean - exact).abs() > said.error + error + 6 * seen.sem).any():
        raise TooManyNodes(
            f"no exact gradient in d = {policy.dim}: random draws contradict the nodes, for which "
            "Q is not smooth enough"
        )
