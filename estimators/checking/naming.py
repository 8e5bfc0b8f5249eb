"""The last rung: the known slip that explains what another rung has found."""

import math

import torch
from torch import Tensor

from estimators.checking.case import Case
from estimators.checking.diagnosis import Diagnosis, Measured, more_draws, sentence
from estimators.checking.faults import blamed
from estimators.checking.rungs import Known, node_limit, slack
from estimators.checking.suspects import Suspect
from estimators.checking.verdict import Evidence
from estimators.gradients import flat

SHARP, MOST = 2**17, 2**19  # estimates
SLOW_SHARP, SLOW_MOST = 2**12, 2**14


def diagnosis(case: Case, known: Known, failed: Evidence) -> tuple[str | None, Evidence | None]:
    """The key of the slip, and a sentence, where there is something to say."""
    if failed.rung == "field":
        return None, None
    with blamed("Q"):
        slips = Diagnosis(case.policy, case.objective)
    found = (_by_nodes if failed.rung == "nodes" else _by_draws)(case, known, failed, slips)
    if failed.rung == "contract" and not found:  # what the contract found says enough
        return "zero_gradient", None
    text = sentence(found) if found else "no known slip has this mean"
    how = " (by a measured reference)" if known.exact is None else ""
    return found[0].key if found else None, Evidence("diagnosis", "noted", text + how)


def _by_nodes(case: Case, known: Known, failed: Evidence, slips: Diagnosis) -> list[Suspect]:
    assert known.exact is not None
    mean = torch.tensor(failed.numbers["mean"], dtype=torch.float64)
    error = node_limit(case, known, failed.numbers["error"]) / 4
    measured = Measured(mean, error + 1e-12, known.use.n)
    with blamed("Q"):
        return slips.fitting(measured, flat(known.exact))


def _by_draws(case: Case, known: Known, failed: Evidence, slips: Diagnosis) -> list[Suspect]:
    """From draws of its own; more of them where that would tell slips apart that fit."""
    least = failed.numbers.get("estimates", 0)
    more: Tensor | float = 0.0 if failed.rung == "contract" else slack(case, known)
    sharp, most = (SHARP, MOST) if case.subject.fast else (SLOW_SHARP, SLOW_MOST)
    count = max(sharp, min(least, most))
    while True:
        known.sampler.sharpen(count)
        mean, error, truth, of_truth = known.sampler.means()
        measured = Measured(mean, error + more + 1e-12, known.use.n, of_truth)
        with blamed("Q"):
            found = slips.fitting(measured, truth)
        wanted = math.ceil(min(count * max(1.0, more_draws(measured, truth, found)), 2 * most))
        if not count < wanted <= most:
            return found
        count = wanted
