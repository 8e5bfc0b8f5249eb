"""The problem itself, before anything is said of an estimator: Q, and the policy it is about.

    finite      Q and log π, at the policy's own actions
    fixed       the same actions get the same values of Q
    separate    the value of an action does not depend on the other actions
    resolved    floats that are neighbours have the same density
    density     log π is the density of what `sample` draws, for policies that are not ours

What fails here is no fault of the estimator, and is named as what it is.
"""

import torch
from torch import Tensor

from estimators.checking.density import atoms, wrong_density
from estimators.checking.faults import RAISED, Fault, blamed
from estimators.checking.probe import Precision
from estimators.checking.verdict import Evidence
from estimators.gradients import rows
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import POLICIES, Policy, Product

WITNESSES = 2**13  # actions
ROUNDING = 8.0  # units of the last place, of the same sum made twice
OTHER_ROUNDING = 1e3  # of the same sum made in another order
COARSE = 0.05  # of log π, from one float to the next
UNRESOLVED = 1e-3  # share of the actions


def problem(
    policy: Policy, objective: Objective, false_alarm: float
) -> tuple[Evidence, str | None]:
    """What can be said of the problem, and the key of its fault. failed: no estimator can be
    judged on it. undecided: floats cannot compute what an estimator would be judged by."""
    device = policy.like.device
    parts = policy.parts.values() if isinstance(policy, Product) else [policy]
    foreign = any(type(part) not in POLICIES.values() for part in parts)
    try:
        with blamed("the policy"):
            copies = rows(policy, max(64, WITNESSES // policy.batch.numel())).detach()
            a = copies.sample(1, Noise(3, device))  # [1, rows, *batch, d]
            log_prob = copies.log_prob(a)
        if edge := _at_the_edge(copies, a, log_prob):
            return Evidence("problem", "undecided", edge), None
        _require_values(copies, objective, a)
        if foreign:
            found = wrong_density(policy, Noise(4, device), false_alarm)
            if found:
                text = f"log_prob is not the density of what the policy's `sample` draws: {found}"
                raise Fault(text, "not_the_density")
    except Fault as fault:
        text, key = fault.complaint
        return Evidence("problem", "failed", text), key
    text = "Q is finite, the same each time, of one action"
    if foreign:
        text += "; log_prob is the density of what is drawn, as far as its draws tell"
    return Evidence("problem", "passed", text), None


def _at_the_edge(policy: Policy, a: Tensor, log_prob: Tensor) -> str | None:
    """A sentence about actions where the density cannot be computed, if there are some."""
    dtype = str(a.dtype).removeprefix("torch.")
    edge = f"they sit at the edge of what {dtype} resolves, and no reference is right there"
    if lost := int((~log_prob.isfinite()).sum()):
        return (
            f"log π is not finite at {lost:,} of {log_prob.numel():,} of the policy's own actions: "
            f"{edge}"
        )
    if not a.is_floating_point() or not len(policy.action):
        return None
    fine = ~atoms(a.reshape(-1, a.shape[-1]))
    worst = torch.zeros_like(log_prob)
    for towards in (-torch.inf, torch.inf):
        neighbour = torch.where(fine.to(a.device), a.nextafter(torch.full_like(a, towards)), a)
        try:
            gap = (policy.log_prob(neighbour) - log_prob).abs()
        except RAISED:  # beyond the support
            return None
        worst = worst.maximum(gap.nan_to_num(nan=torch.inf))
    share = float((worst > COARSE).double().mean())
    if share <= UNRESOLVED:
        return None
    return (
        f"at {share:.1%} of the policy's actions log π changes by more than {COARSE:g} from one "
        f"float to the next: {edge}"
    )


def _require_values(policy: Policy, objective: Objective, a: Tensor) -> None:
    """Fault unless Q is finite, fixed and a function of one action."""
    with blamed("Q"), Precision() as precision:
        objective.cost(policy, a.clone())  # the shape
        q, again = (objective.Q(a.clone()).detach() for _ in range(2))
        if bad := int((~q.isfinite()).sum()):
            raise Fault(f"Q is not finite in {bad:,} of {q.numel():,} actions")
        unit = precision.eps * q.abs().max()
        if ((q - again).abs() > ROUNDING * unit).any():
            raise Fault(
                "Q is random: the same actions get different values (dropout? then put the critic "
                "into eval mode)"
            )
        half = a.shape[1] // 2
        stay = torch.zeros(1, a.shape[1], policy.batch[1:].numel(), dtype=torch.bool)
        stay[0, :half, 0] = True  # of one state, in half of the rows
        stay = stay.view(q.shape).to(a.device)
        others = torch.where(stay.view(*stay.shape, *(1,) * len(policy.action)), a, a[:, :1])
        moved = (objective.Q(others) - q)[stay]
        alone = objective.Q(a[:, :4].clone()) - q[:, :4]
        if (torch.cat([moved, alone.flatten()]).abs() > OTHER_ROUNDING * unit).any():
            raise Fault(
                "Q's value of an action depends on the other actions that it is given with it "
                "(batch normalisation in train mode, or another statistic over the batch? then put "
                "the critic into eval mode)",
                "q_of_the_batch",
            )
