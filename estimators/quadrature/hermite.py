"""The exact gradient in many dimensions: Gauss–Hermite nodes of the policy itself."""

import math

import torch
from torch import Tensor

from estimators.gradients import flat_rows, row_gradients
from estimators.moments import Moments
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import MAX_NODES, Mixture, Policy
from estimators.quadrature.answer import Exact, TooManyNodes
from estimators.quadrature.witnesses import CHUNK, WITNESSES
from estimators.score import constant, score_function

AGREEMENT = 5e-7  # of two rules, relative to the scale


def gauss_hermite_gradient(policy: Policy, objective: Objective, d: int) -> Exact:
    """Σ_m w_m cost(a_m) ∇ log π(a_m) with Gauss–Hermite orders that grow until two agree."""
    components = policy.logits.shape[-1] if isinstance(policy, Mixture) else 1
    leaf = policy.map(lambda p: p.detach().clone().requires_grad_())
    before: Tensor | None = None
    error, scale, order = math.inf, 1.0, 0
    for finer in (2, 4, 6, 8, 10, 12, 16, 20):
        if components * finer**d > MAX_NODES:
            break
        order = finer
        a, w = (t.detach() for t in policy.nodes(order))  # [m, *batch, d], [m, *batch]
        cost = objective.cost(policy, a).detach()
        with torch.enable_grad():
            gradient = row_gradients((w * cost * leaf.log_prob(a)).sum(0), leaf)
        flat = torch.cat([g.flatten() for g in gradient.values()])
        if before is not None:
            scale = float((w * cost.abs()).sum(0).max())
            error = float((flat - before).abs().max())
            if error <= 1e-12 * scale and order >= 8:
                break
        before = flat
    if not error <= AGREEMENT * scale:
        raise TooManyNodes(
            f"no exact gradient in d = {d}: Gauss–Hermite is not there at order {order}, "
            f"{components}·{order}^{d} nodes (the last two orders differ by {error:.1e}); "
            f"the limit is {MAX_NODES:,} nodes"
        )
    rng, baseline = Noise(0, before.device if before is not None else "cpu"), (w * cost).sum(0)
    seen = Moments.of(torch.zeros(0, len(flat), device=flat.device))
    for _ in range(WITNESSES // CHUNK):
        copies = policy.map(lambda p: p.expand(CHUNK, *p.shape).clone().requires_grad_())
        surrogate = score_function(copies, objective, rng, baseline=constant(baseline))
        grads = row_gradients(surrogate, copies)
        seen += Moments.of(flat_rows(grads))
    if ((seen.mean - flat).abs() > error + 6 * seen.sem + 1e-9 * scale).any():
        raise TooManyNodes(
            f"no exact gradient in d = {d}: random draws contradict Gauss–Hermite of order "
            f"{order}, for which Q is not smooth enough"
        )
    return Exact(gradient, error)
