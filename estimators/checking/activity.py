"""In what share of its draws does a right estimate say something else than in all the others?

An entry that has been zero, or the same, in n draws may be a parameter that is not reached, or an
event that has not been drawn yet: a rare action that alone has a reward, a critic that is flat
where actions are common. Two forms of the gradient tell how rare it can be,

    (α log π(a) − Q(a) − b) ∇_θ log π(a)       silent where the cost, or Q, is the constant b
    ∇_a (α log π − Q)(a) ∇_θ f_θ(ε)            silent where the cost, or Q, has no slope

for if both say something in a share s of the draws, n estimates that do not have seen n·s of them.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from estimators.checking.faults import RAISED
from estimators.checking.jumps import jump
from estimators.gradients import flat_rows, row_gradients, rows
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Policy

WITNESSES = 2**13  # draws
SEEN = 32.0  # times that an event is due before its absence tells
DEVIATIONS = 4.0  # below the share seen


def due(policy: Policy, objective: Objective, draws: int) -> Tensor:
    """Which entries of a right estimate vary in so many draws, but for a chance of e^−SEEN: [p]."""
    return draws * activity(policy, objective) >= SEEN


def activity(policy: Policy, objective: Objective) -> Tensor:
    """The share of draws in which every form says something, at least, entry by entry: [p]."""
    shares = []
    for form in _forms(policy, objective):
        count = len(form)
        usual = form.mode(0).values
        said = ((form - usual).abs() > 1e-12 * form.abs().amax(0)).sum(0)
        shares.append((said - DEVIATIONS * said.sqrt()).clamp(min=0) / count)
    return torch.stack(shares).amin(0)


def _forms(policy: Policy, objective: Objective) -> Iterator[Tensor]:
    """[rows, p] each."""
    count = max(256, WITNESSES // policy.batch.numel())
    q_alone = Objective(objective.Q, 0.0)
    for of in (objective, q_alone):
        yield _score(policy, of, count)
        try:
            if not _jumps(policy, objective):
                yield _path(policy, of, count)
        except RAISED:  # no pathwise gradient, of the policy or of Q
            continue


def _jumps(policy: Policy, objective: Objective) -> bool:
    """Whether the path's form misses jumps."""
    copies = rows(policy, 256).detach()
    return jump(objective.Q, copies.sample(1, Noise(12, policy.like.device))) > 0


def _score(policy: Policy, objective: Objective, count: int) -> Tensor:
    """The cost beyond its usual value, times ∇ log π."""
    copies = rows(policy, count)
    a = copies.sample(1, Noise(13, policy.like.device))
    with torch.enable_grad():
        log_prob = copies.log_prob(a)
        cost = objective.cost(copies.detach(), a).detach()
        usual = cost.mode(1, keepdim=True).values  # of each state
        return flat_rows(row_gradients(((cost - usual) * log_prob)[0], copies)).cpu()


def _path(policy: Policy, objective: Objective, count: int) -> Tensor:
    copies = rows(policy, count)
    with torch.enable_grad():
        a = copies.rsample(1, Noise(13, policy.like.device))
        return flat_rows(row_gradients(objective.cost(copies.detach(), a)[0], copies)).cpu()
