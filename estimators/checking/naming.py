"""The last rung: the known slip that explains what another rung has found."""

import math

import torch
from torch import Tensor

from estimators.checking.case import Case
from estimators.checking.diagnosis import Diagnosis, Named
from estimators.checking.drawn import actions_drawn, draws
from estimators.checking.meanings import MEANINGS
from estimators.checking.measured import Measured
from estimators.checking.off_policy import off_policy
from estimators.checking.rungs import Known, node_limit, slack
from estimators.checking.unfelt import unfelt
from estimators.checking.verdict import Evidence
from estimators.gradients import flat

SHARP, SLOW_SHARP = 2**15, 2**12  # estimates
MOST = 2**22  # numbers in them; half where the gradient is measured as well
SLOW_MOST = 2**14


def diagnosis(case: Case, known: Known, failed: Evidence) -> tuple[str | None, Evidence | None]:
    """The key of the slip, and a sentence, where there is something to say."""
    if failed.rung == "field":
        return None, None
    seen = draws(case.subject, case.policy)
    n = known.use.n if seen is None else actions_drawn(seen, case.policy)
    slips = Diagnosis(case.policy, case.objective, n)
    measured = _by_nodes if failed.rung == "nodes" else _by_draws
    found = measured(case, known, failed, slips)
    how = " (by a measured reference)" if known.exact is None else ""
    if found.slips:
        return found.slips[0].key, Evidence("diagnosis", "noted", found.text + how, found.numbers)
    text = unfelt(found.measured, _never(known), case.policy.parameters())
    if text:
        return "no_gradient", Evidence("diagnosis", "noted", text)
    if not found.perhaps and off_policy(case, seen):
        return "off_policy", Evidence("diagnosis", "noted", MEANINGS["off_policy"] + how)
    text = found.text
    if slips.squashed and not found.perhaps:
        text += "; Q is given actions in (−1, 1): if it takes the environment's, give --low, --high"
    return None, Evidence("diagnosis", "noted", text + how)


def _never(known: Known) -> Tensor:
    """Whether the gradient by an entry was zero in every draw."""
    never = ~known.sampler.pilot.any(0)
    sharp = known.sampler.sharp
    return never & (sharp.mean[1] == 0) & (sharp.m2[1] == 0) if sharp.n else never


def _by_nodes(case: Case, known: Known, failed: Evidence, slips: Diagnosis) -> Named:
    assert known.exact is not None
    G = flat(known.exact)
    mean = torch.tensor(failed.numbers["mean"], dtype=torch.float64)
    error = node_limit(case, known, failed.numbers["error"]) / 4
    return slips.of(Measured(mean - G, error + 1e-12, G, n=slips.n))


def _by_draws(case: Case, known: Known, failed: Evidence, slips: Diagnosis) -> Named:
    """From draws of its own; more of them where that would tell slips apart that fit."""
    least = failed.numbers.get("estimates", 0)
    more = slack(case, known)
    sharp, most = SLOW_SHARP, SLOW_MOST
    if case.subject.fast:
        sharp, most = SHARP, MOST // len(case.labels) // (2 if known.exact is None else 1)
    count = max(sharp, min(least, most))
    while True:
        known.sampler.sharpen(count)
        found = slips.of(_measured(known, more, slips.n))
        wanted = math.ceil(min(count * max(1.0, found.more), 2 * most))
        if not count < wanted <= most:
            return found
        count = wanted


def _measured(known: Known, more: Tensor | float, n: int | None) -> Measured:
    """more: what rounding and the exact gradient's own error explain."""
    sharp = known.sampler.sharp
    (bias, _, reference), (error, _, of_reference) = sharp.mean, sharp.sem
    rounding = torch.as_tensor(more) + 1e-12
    by_chance, error = bool((error > rounding).all()), error + rounding
    if known.exact is None:
        return Measured(bias, error, reference, of_reference, n)
    R = _correlation(known.sampler.pilot) if by_chance else None
    return Measured(bias, error, flat(known.exact), 0.0, n, R)


def _correlation(g: Tensor) -> Tensor:
    """Of the entries of one estimate: those of a mean hang together as much."""
    z = g - g.mean(0)
    z = z / z.norm(dim=0).clamp(min=torch.finfo(g.dtype).tiny)
    return (z.T @ z).fill_diagonal_(1.0)  # of what does not vary as well
