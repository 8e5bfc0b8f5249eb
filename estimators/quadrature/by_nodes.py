"""The exact gradient by the nodes that a policy has of its own, of ever higher order."""

import math

import torch
from torch import Tensor

from estimators.gradients import flat, flat_rows, leaves, row_gradients, rows
from estimators.moments import Moments
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Policy, TooManyNodes
from estimators.quadrature.answer import Exact
from estimators.quadrature.witnesses import CHUNK, WITNESSES
from estimators.score import constant, score_function

AGREEMENT = 5e-7  # of two rules, relative to the scale
ORDERS = (2, 4, 6, 8, 10, 12, 16, 20)


def node_gradient(policy: Policy, objective: Objective) -> Exact:
    """Σ_m w_m cost(a_m) ∇ log π(a_m), over all actions, or with orders that grow until two agree.

    Raises TooManyNodes if they do not, if random draws contradict them, or without any nodes.
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
            return Exact(gradient, 8 * torch.finfo(torch.float64).eps * scale)
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
    _require_no_contradiction(policy, objective, said, (w * cost).sum(0), error + 1e-9 * scale)
    return Exact(gradient, error)


def _require_no_contradiction(
    policy: Policy, objective: Objective, said: Tensor, baseline: Tensor, error: float
) -> None:
    """TooManyNodes if the mean of random draws is further off than chance allows."""
    rng, seen = Noise(0, policy.like.device), Moments.of(torch.zeros(0, len(said)))
    for _ in range(WITNESSES // CHUNK):
        copies = rows(policy, CHUNK)
        surrogate = score_function(copies, objective, rng, baseline=constant(baseline))
        grads = row_gradients(surrogate, copies)
        seen += Moments.of(flat_rows(grads).cpu())
    if ((seen.mean - said).abs() > error + 6 * seen.sem).any():
        raise TooManyNodes(
            f"no exact gradient in d = {policy.dim}: random draws contradict the policy's nodes, "
            "for which Q is not smooth enough"
        )
