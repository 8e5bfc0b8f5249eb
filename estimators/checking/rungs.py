"""The rungs of a check: functions of a case, and of what has been found before, to evidence.

No is evidence whose outcome is "failed", None that there is nothing to say. What somebody's
function does wrong on the way, after it has kept the contract once, is raised as a Fault.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from estimators.checking.activity import activity, due
from estimators.checking.case import Case
from estimators.checking.contract import examine
from estimators.checking.faults import RAISED, Fault, blamed
from estimators.checking.field import NoField, field
from estimators.checking.probe import Use
from estimators.checking.sampling import Sampler, scale
from estimators.checking.sequential import FIRST, sequential
from estimators.checking.verdict import Evidence
from estimators.checking.wording import measured_evidence, node_evidence
from estimators.gradients import flat
from estimators.noise import Noise
from estimators.quadrature import Exact, TooManyNodes, cross_examine, exact_mean, exact_or_none
from estimators.quadrature.by_density import density_gradient
from estimators.quadrature.witnesses import WITNESSES

MISS = 1e-6  # probability of not seeing a bias of δ
SLOW_FIRST = 2**11
CONFIRM = 2**15  # estimates that back up what nodes have shown
TOLERANCE = 1e-9  # of exact answers, relative to their scale
NODE_EVALUATIONS = 2**20  # of Q
NODE_ERRORS = 20.0  # how many of their own reported errors two exact answers may differ by
FIELD_FAILS = 1e-3
ROUNDING = 64.0  # units of the last place, of the problem's scale


@dataclass(frozen=True, eq=False)
class Known:
    """What the contract has shown, and what that makes possible."""

    use: Use
    exact: Exact | None
    sampler: Sampler


Rung = Callable[[Case, Known, Mapping[str, Evidence]], Evidence | None]  # of all before


def contract(case: Case) -> tuple[Evidence, Use]:
    use = examine(case.subject, case.policy, case.objective, case.rng)
    kept = "finite, deterministic, a gradient for every parameter"
    if case.subject.estimator is not None:
        kept = "shape, dtype, device, independent rows, " + kept
    return Evidence("contract", "passed", kept), use


def prepared(case: Case, use: Use) -> Known:
    """The exact gradient, where there is one, and a sampler."""
    exact = _exact(case, use)
    return Known(use, exact, Sampler(case, exact))


def nodes(case: Case, known: Known, before: Mapping[str, Evidence]) -> Evidence:
    """The exact mean against the exact gradient, where quadrature reaches both."""
    estimator, exact = case.subject.estimator, known.exact
    if estimator is None or exact is None:
        why = "it draws noise of its own" if estimator is None else "no exact gradient"
        return Evidence("nodes", "skipped", f"{why}: measured instead")
    args = (estimator, case.policy, case.objective)
    tolerance = _tolerance(known.use)
    within = partial(exact_mean, *args, tolerance=tolerance, evaluations=NODE_EVALUATIONS)
    try:
        mean = within()
        variance = within(about=mean)
        error = mean.error + exact.error
        limit = node_limit(case, known, error)
        off = (flat(mean) - flat(exact)).abs() > limit
        right = not bool(off.any())
        if not right:  # before anybody is accused, some witnesses are asked
            cross_examine(*args, mean, variance)
            silent = off & (flat(variance).abs().sqrt() <= limit)
            if known.use.random and bool((silent & ~due(*args[1:], WITNESSES)).any()):
                raise TooManyNodes("it does not vary at any node: what it feels may be too narrow")
    except TooManyNodes as reason:
        return Evidence("nodes", "skipped", str(reason))
    except RAISED as raised:  # it is shown other draws than its own, and may not like them
        why = f"given nodes for its draws it raises {type(raised).__name__}"
        return Evidence("nodes", "skipped", f"{why}: measured instead")
    return node_evidence(right, case.labels, mean, exact, variance, error)


def measured(case: Case, known: Known, before: Mapping[str, Evidence]) -> Evidence:
    """Monte Carlo against the exact gradient, or against the reference where there is none."""
    # nodes work in float64: what single precision does is left to measure
    sure = before["nodes"].outcome == "passed" and case.dtype == torch.float64
    # fewer where an estimate is dear
    confirm = max(2**11, CONFIRM // max(1, known.use.numbers // 64))
    look = sequential(
        known.sampler.draw,
        slack=slack(case, known),
        delta=case.delta,
        false_alarm=case.false_alarm,
        miss=MISS,
        budget=min(case.budget, confirm) if sure else case.budget,
        most=0 if sure else case.most,
        chunk=known.sampler.chunk,
        first=FIRST if case.subject.fast else SLOW_FIRST,
        rarest=case.policy.rarest if known.sampler.by_category else 1.0,
        active=partial(activity, case.policy, case.objective) if known.use.random else None,
    )
    rung = "reference" if known.exact is None else "monte carlo"
    against = "the score function" if known.exact is None else "the exact gradient"
    args = rung, look, case.labels, case.delta, MISS, sure, against
    return measured_evidence(*args, **known.sampler.bounds(look))


def continuity(case: Case, known: Known, before: Mapping[str, Evidence]) -> Evidence | None:
    """Whether the field of a pathwise estimator, where it is one, is right."""
    if case.subject.estimator is None:
        return None
    try:
        name, worst = field(case.subject.estimator, case.policy, Noise(2, case.device)).worst
    except NoField as error:
        return Evidence("field", "skipped", f"no pathwise field: {error}")
    except RAISED as error:  # it is shown another Q than its own, and may not like it
        return Evidence("field", "skipped", f"no pathwise field: it raises {type(error).__name__}")
    numbers = {"worst": worst}
    if worst <= FIELD_FAILS:
        return Evidence("field", "passed", f"continuity equation holds to {worst:.0e}", numbers)
    text = (
        f"the field of {name} breaks the continuity equation by {worst:.2g} of its largest "
        "term: right for this Q at best, not for every smooth one"
    )
    return Evidence("field", "failed", text, numbers)


def node_limit(case: Case, known: Known, error: float) -> Tensor:
    """How far apart two exact answers may be that are known to `error`."""
    return NODE_ERRORS * error + _rounding(case, known, torch.float64)


def slack(case: Case, known: Known) -> Tensor:
    """Deviations that rounding and the exact gradient's own error explain."""
    error = 0.0 if known.exact is None else known.exact.error
    return _rounding(case, known, case.dtype) + error


def _rounding(case: Case, known: Known, dtype: torch.dtype) -> Tensor:
    with blamed("Q"):
        size = scale(case.policy, case.objective)
    return ROUNDING * max(torch.finfo(dtype).eps, known.use.eps) * size


def _tolerance(use: Use) -> float:
    """A Q that rounds to single precision is known to no more than that."""
    return max(TOLERANCE, use.eps)


def _exact(case: Case, use: Use) -> Exact | None:
    if case.exact is None:
        return None
    if not isinstance(case.exact, str):
        return Exact(case.exact, float(getattr(case.exact, "error", 0.0)))
    with blamed("Q"):
        exact = exact_or_none(case.policy, case.objective, tolerance=_tolerance(use))
        if exact is None:
            with suppress(TooManyNodes, *RAISED):  # asked beyond its support
                exact = density_gradient(case.policy, case.objective, tolerance=TOLERANCE)
    if exact is not None and not flat(exact).isfinite().all():
        raise Fault("Q is not finite everywhere: the exact gradient is not a number")
    return exact
