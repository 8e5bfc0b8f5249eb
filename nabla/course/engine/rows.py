"""Whether an estimator gives each policy of a batch its surrogate, whatever shape the batch has."""

import torch
from torch import Tensor

from estimators import Estimator, Noise, Objective, Policy
from nabla.course.engine.findings import Finding, attempt

BATCHES = ((4,), (2, 3))  # shapes of the batches of policies that an answer is tried on


def shape(estimator: Estimator, policy: Policy, objective: Objective) -> Finding | None:
    """What is wrong in the shape of what it returns."""
    every = (_shape(estimator, copied(policy, batch), objective) for batch in BATCHES)
    return next((finding for finding in every if finding is not None), None)


def copied(policy: Policy, batch: tuple[int, ...]) -> Policy:
    return policy.map(lambda p: p.detach().expand(*batch, *p.shape).clone().requires_grad_())


def _shape(estimator: Estimator, copies: Policy, objective: Objective) -> Finding | None:
    value, finding = attempt(estimator, copies, objective, Noise(0))
    if finding is not None:
        return finding
    if not isinstance(value, Tensor):
        return Finding("shape", f"it must return a tensor, got {type(value).__name__}")
    if value.shape != copies.batch:
        text = (
            f"for {list(copies.batch)} policies it must return surrogates {list(copies.batch)}, "
            f"got {list(value.shape)}"
        )
        if value.ndim == 0:
            hint = "Each policy of the batch has a surrogate of its own: average over actions only."
            return Finding("shape", text, "batch_averaged", (hint,))
        if value.shape in ((*copies.batch, *copies.batch), (*copies.batch, copies.dim)):
            hint = "log π of an action is one number: its coordinates are to be summed over."
            return Finding("shape", text, "coordinates_kept", (hint,))
        if value.shape[1:] == copies.batch:
            hint = "The first axis counts the actions: average over it."
            return Finding("shape", text, "actions_kept", (hint,))
        return Finding("shape", text)
    return None


def axes(estimator: Estimator, policy: Policy, objective: Objective) -> Finding | None:
    """Policies in rows of three must be told the same as in one row: no axis is counted from the
    front where it belongs to the batch."""
    step = torch.arange(6.0, dtype=torch.float64) / 10
    copies = copied(policy, (6,)).map(lambda p: p + step.view(6, *[1] * (p.ndim - 1)))
    one = estimator(copies, objective, Noise(0))
    two = estimator(copies.map(lambda p: p.unflatten(0, (2, 3))), objective, Noise(0))
    if torch.allclose(one, two.flatten(), equal_nan=True):
        return None
    hint = "An axis counted from the front is one of the batch's: count it from the end, −1."
    return Finding("graph", "it differs for policies [6] and [2, 3]", "batch_axis", (hint,))
