"""The rungs of a check, one method each, in the order in which they are climbed."""

import math
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from estimators.checking.contract import Complaint, Fault, Probe, blamed, broken, random_values
from estimators.checking.diagnosis import Diagnosis, Measured, Slip, more_draws, sentence
from estimators.checking.field import NoField, field
from estimators.checking.sampling import Sampler, flat, labels, require_finite_values, scale
from estimators.checking.sequential import FIRST, Look, sequential
from estimators.checking.subjects import RAISED, Subject
from estimators.checking.verdict import Evidence, Outcome, Status, Verdict
from estimators.checking.wording import measured_evidence, node_evidence
from estimators.gradients import Gradient
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Policy
from estimators.quadrature import (
    Exact,
    TooManyNodes,
    cross_examine,
    exact_gradient,
    exact_mean,
)

MISS = 1e-6  # probability of not seeing a bias of δ
SLOW_FIRST = 2**11
CONFIRM = 2**15  # estimates that back up what nodes have shown
SHARP, MOST = 2**17, 2**19  # estimates for a diagnosis
SLOW_SHARP, SLOW_MOST = 2**12, 2**14
TOLERANCE = 1e-9  # of exact answers, relative to their scale
NODE_EVALUATIONS = 2**20  # of Q
NODE_ERRORS = 20.0  # how many of their own reported errors two exact answers may differ by
FIELD_FAILS = 1e-3
ROUNDING = 64.0  # units of the last place, of the problem's scale


class Ladder:
    """One climb: the evidence so far, and what later rungs need from earlier ones."""

    def __init__(
        self,
        checked: Subject,
        policy: Policy,
        objective: Objective,
        rng: Noise,
        exact: Gradient | Literal["find"] | None,
    ) -> None:
        self.subject, self.policy, self.objective, self.rng = checked, policy, objective, rng
        self.given = exact
        self.evidence: list[Evidence] = []
        self.diagnosis: str | None = None
        self.labels = labels(policy)
        self.probe = Probe(objective.Q)
        first = policy.like
        self.dtype, self.device = first.dtype, first.device

    def climb(self, budget: int, delta: float, false_alarm: float, bound: float | None) -> Verdict:
        if not self.contract():
            return self.verdict("broken")
        try:
            if random := random_values(self.policy, self.objective):
                raise Fault(random)
            require_finite_values(self.policy, self.objective, Noise(3, self.device))
            self.exact = self._find() if isinstance(self.given, str) else _as_exact(self.given)
            self.sampler = Sampler(
                self.subject, self.policy, self.objective, self.rng, self.exact, bound
            )
            if not self.every_parameter():
                return self.verdict("broken")
            shown = self.nodes()
            if shown is False:
                return self.verdict("biased")
            # nodes work in float64: what single precision does is left to measure
            sure = shown is True and self.dtype == torch.float64
            look = self.measured(
                min(budget, self._confirm) if sure else budget, delta, false_alarm, sure
            )
        except Fault as fault:  # it, or Q, has kept the contract until now
            self.diagnosis = fault.complaint.key
            self.say("contract", "failed", fault.complaint.text)
            return self.verdict("broken")
        if look.verdict == "biased" or not self.continuity():
            return self.verdict("biased")
        return self.verdict("unbiased" if sure else look.verdict)

    def contract(self) -> bool:
        complaint = broken(self.subject, self.policy, self.objective, self.rng, self.probe)
        if complaint is not None:
            self.diagnosis = complaint.key
            self.say("contract", "failed", complaint.text)
            return False
        kept = "finite, deterministic, a gradient for every parameter"
        if self.subject.estimator is not None:
            kept = "shape, dtype, device, independent rows, " + kept
        self.say("contract", "passed", kept)
        return True

    def every_parameter(self) -> bool:
        """The contract again: now the exact gradient tells a right zero from a wrong one."""
        complaint = self.sampler.zero_parameter()
        if complaint is None:
            return True
        self.evidence.clear()
        self.say("contract", "failed", complaint)
        self.diagnosis = "zero_gradient"
        self._diagnose_measured()
        return False

    def nodes(self) -> bool | None:
        """Whether the mean is the gradient; None where quadrature does not reach."""
        estimator, exact = self.subject.estimator, self.exact
        if estimator is None or exact is None:
            why = "it draws noise of its own" if estimator is None else "no exact gradient"
            self.say("nodes", "skipped", f"{why}: measured instead")
            return None
        args = (estimator, self.policy, self.objective)
        within = partial(exact_mean, *args, tolerance=self._tolerance, evaluations=NODE_EVALUATIONS)
        try:
            mean = within()
            variance = within(about=mean)
            error = mean.error + exact.error
            gap = flat(mean) - flat(exact)
            limit = NODE_ERRORS * error + self._rounding(torch.float64)
            right = bool((gap.abs() <= limit).all())
            if not right:  # before anybody is accused, some witnesses are asked
                cross_examine(*args, mean, variance)
        except TooManyNodes as reason:
            self.say("nodes", "skipped", str(reason))
            return None
        except RAISED as raised:  # it is shown other draws than its own, and may not like them
            why = f"given nodes for its draws it raises {type(raised).__name__}"
            self.say("nodes", "skipped", f"{why}: measured instead")
            return None
        self.evidence.append(node_evidence(right, self.labels, mean, exact, variance, error))
        if not right:
            self._diagnose(flat(mean), limit / 4)
        return right

    def measured(self, budget: int, delta: float, false_alarm: float, sure: bool) -> Look:
        """Monte Carlo against the exact gradient, or against the reference where there is none."""
        exact, sampler = self.exact, self.sampler
        slack = self._rounding(self.dtype) + (exact.error if exact is not None else 0.0)
        look = sequential(
            sampler.draw,
            slack=slack,
            delta=delta,
            false_alarm=false_alarm,
            miss=MISS,
            budget=budget,
            chunk=sampler.chunk,
            first=FIRST if self.subject.fast else SLOW_FIRST,
            rarest=self._rarest,
        )
        rung = "monte carlo" if exact is not None else "reference"
        limits = sampler.bounds(look, false_alarm)
        self.evidence.append(measured_evidence(rung, look, self.labels, delta, MISS, sure, limits))
        if look.verdict == "biased":
            self._diagnose_measured(look.n, slack)
        return look

    def continuity(self) -> bool:
        """Whether the field of a pathwise estimator, where it is one, is right."""
        estimator = self.subject.estimator
        if estimator is None:
            return True
        try:
            name, worst = field(estimator, self.policy, Noise(2, self.device)).worst
        except NoField as error:
            self.say("field", "skipped", f"no pathwise field: {error}")
            return True
        except RAISED as error:  # it is shown another Q than its own, and may not like it
            self.say("field", "skipped", f"no pathwise field: it raises {type(error).__name__}")
            return True
        if worst <= FIELD_FAILS:
            self.say("field", "passed", f"continuity equation holds to {worst:.0e}", worst=worst)
            return True
        text = (
            f"the field of {name} breaks the continuity equation by {worst:.2g} of its largest "
            "term: right for this Q at best, not for every smooth one"
        )
        self.say("field", "failed", text, worst=worst)
        return False

    def verdict(self, status: Status) -> Verdict:
        return Verdict(self.subject.name, status, self.diagnosis, tuple(self.evidence))

    def say(self, rung: str, outcome: Outcome, text: str, **numbers: Any) -> None:
        self.evidence.append(Evidence(rung, outcome, text, numbers))

    @property
    def _confirm(self) -> int:
        """Fewer where an estimate is dear."""
        return max(2**11, CONFIRM // max(1, self.probe.evaluations // 64))

    @property
    def _rarest(self) -> float:
        """The smallest probability of a component or an action."""
        return self.policy.rarest

    @property
    def _tolerance(self) -> float:
        """A Q that rounds to single precision is known to no more than that."""
        return max(TOLERANCE, self.probe.precision.eps)

    def _rounding(self, dtype: torch.dtype) -> Tensor:
        """What rounding may do to each entry of a mean."""
        with blamed("Q"):
            size = scale(self.policy, self.objective, Noise(1, self.device))
        return ROUNDING * max(torch.finfo(dtype).eps, self.probe.precision.eps) * size

    def _find(self) -> Exact | None:
        try:
            with blamed("Q"):
                exact = exact_gradient(self.policy, self.objective, tolerance=self._tolerance)
        except TooManyNodes:
            return None
        if not flat(exact).isfinite().all():
            raise Fault(Complaint("Q is not finite everywhere: the exact gradient is not a number"))
        return exact

    def _diagnose(self, mean: Tensor, error: Tensor) -> None:
        assert self.exact is not None
        measured = Measured(mean, error + 1e-12, self.probe.n(self.policy))
        with blamed("Q"):
            found = Diagnosis(self.policy, self.objective).fitting(measured, flat(self.exact))
        self._name(found)

    def _diagnose_measured(self, least: int = 0, slack: Tensor | float = 0.0) -> None:
        """From draws of its own; more of them where that would tell slips apart that fit."""
        sampler = self.sampler
        with blamed("Q"):
            slips = Diagnosis(self.policy, self.objective)
        sharp, most = (SHARP, MOST) if self.subject.fast else (SLOW_SHARP, SLOW_MOST)
        count = max(sharp, min(least, most))
        while True:
            sampler.sharpen(count)
            mean, error, truth, of_truth = sampler.means()
            n = self.probe.n(self.policy)
            measured = Measured(mean, error + slack + 1e-12, n, of_truth)
            with blamed("Q"):
                found = slips.fitting(measured, truth)
            wanted = math.ceil(min(count * max(1.0, more_draws(measured, truth, found)), 2 * most))
            if not count < wanted <= most:
                break
            count = wanted
        self._name(found, "" if self.exact is not None else " (by a measured reference)")

    def _name(self, found: list[Slip], how: str = "") -> None:
        if found:
            self.diagnosis = found[0].key
        elif self.diagnosis is not None:  # what the contract found says enough
            return
        text = sentence(found) if found else "no known slip has this mean"
        self.say("diagnosis", "noted", text + how)


def _as_exact(known: Gradient | None) -> Exact | None:
    return None if known is None else Exact(known, float(getattr(known, "error", 0.0)))
