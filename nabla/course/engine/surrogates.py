"""Exercises whose answer is an estimator: its mean and its variance are computed by nodes, so a
check takes less than a second and cannot fail by chance.

    to do → shape → graph → bias → variance → done

An exercise in one dimension is judged there, and then in two (`coordinates`). A wrong mean is
matched to the slips of the exercise and then to those that every check knows
(`estimators.checking.diagnosis`); a right mean with another variance to the other methods.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from estimators import Estimator, Noise, Objective, Policy, TooManyNodes
from estimators.checking.contract import examine
from estimators.checking.diagnosis import diagnose
from estimators.checking.faults import Fault
from estimators.checking.meanings import MEANINGS
from estimators.checking.measured import Measured
from estimators.checking.subjects import subject
from estimators.globals import preserved_globals
from estimators.gradients import flat, labels, per_sample_gradients
from estimators.quadrature import Exact
from nabla.course.engine.coordinates import slips, widened
from nabla.course.engine.findings import Answer, Finding, Slip
from nabla.course.engine.moments import (
    agree,
    fewer,
    mean_of,
    ratios,
    second_of,
    slip_mean,
    slip_second,
    truth,
    zero,
)
from nabla.course.engine.rows import axes, shape

Problem = tuple[Policy, Objective]
GRAPH = {  # part of a complaint: its key, and a hint
    "rows are not independent": (
        "policies_mixed",
        "A sum or a mean over everything mixes the policies of the batch: name the axis.",
    ),
    "global generator": (
        "not_from_rng",
        "The noise is given, or comes from rng; torch's own generator is nobody's argument.",
    ),
}
DRAWS = 256  # in which a gradient that is not finite is noticed
NOT_FINITE = ("Which number overflows, or is the logarithm or the divisor zero?",)
STEPS = ("to do", "shape", "graph", "bias", "variance", "done")


def as_it_is(answer: Answer) -> Estimator:
    return answer


@dataclass(frozen=True)
class Surrogate:
    """An exercise whose answer is estimator(policy, objective, rng) -> surrogate [*batch].

    reference: the right one. problems: where it is tried; each must be within reach of nodes in
    well under a second (one or two scalar draws; try it), with a Q that takes any d and couples
    coordinates that differ: those of one dimension are tried in two as well. slips: wrong
    ones by key; methods: unbiased ones that are not what is asked for. hints: for the keys of
    `estimators.checking.meanings.MEANINGS`. adapt: makes an estimator of an answer of another
    form; it may raise Unfit on a wrong shape.
    """

    reference: Estimator
    problems: Sequence[Problem]
    tested: str
    slips: Mapping[str, Slip] = field(default_factory=dict)
    methods: Mapping[str, Slip] = field(default_factory=dict)
    hints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    adapt: Callable[[Answer], Estimator] = as_it_is
    steps: tuple[str, ...] = STEPS

    def examine(self, answer: Answer) -> Finding:
        with preserved_globals():
            return self._examine(self.adapt(answer))

    def _examine(self, estimator: Estimator) -> Finding:
        problems = list(self.problems)
        wide = [(widened(p), o) for p, o in problems if p.dim == 1 and not p.discrete]
        for policy, objective in [problems[0], *wide[:1]]:
            finding = shape(estimator, policy, objective)
            if finding is not None:
                return finding
        finding, n = self._graph(estimator, *problems[0])
        finding = finding or axes(estimator, *problems[0])
        if finding is not None:
            return finding
        try:
            for tried in (problems, wide):
                for policy, objective in tried:
                    finding = self._finite(estimator, policy, objective) or self._bias(
                        estimator, policy, objective, n
                    )
                    if finding is not None:
                        return finding
                for policy, objective in tried:
                    finding = self._variance(estimator, policy, objective)
                    if finding is not None:
                        return finding
        except TooManyNodes as error:
            text = (
                f"it draws more noise than can be followed exactly ({error}); fewer actions will do"
            )
            return Finding("bias", text)
        return Finding("done", "")

    def _graph(
        self, estimator: Estimator, policy: Policy, objective: Objective
    ) -> tuple[Finding | None, int | None]:
        checked = subject(estimator, policy, objective, "answer")
        try:
            return None, examine(checked, policy, objective, Noise(0)).n
        except Fault as fault:
            text, key = fault.complaint
            for part, (name, hint) in GRAPH.items():
                if key is None and part in text:
                    return Finding("graph", text, name, (hint,)), None
            return Finding("graph", text, key, self.hints.get(key or "", ())), None

    def _finite(self, estimator: Estimator, policy: Policy, objective: Objective) -> Finding | None:
        g = per_sample_gradients(estimator, policy, objective, DRAWS, Noise(0))
        bad = [k for k, v in g.items() if not v.isfinite().all()]
        if not bad:
            return None
        text = f"the gradient of {' and of '.join(bad)} is not finite at {_at(policy)}"
        return Finding("bias", text, "not_finite", self.hints.get("not_finite", NOT_FINITE))

    def _bias(
        self, estimator: Estimator, policy: Policy, objective: Objective, n: int | None
    ) -> Finding | None:
        exact = truth(self.reference, policy, objective)
        mean = mean_of(estimator, policy, objective)
        if agree(mean, exact):
            return None
        key, hints = self._slip(estimator, mean, policy, objective, exact, n)
        gap = flat(mean) - flat(exact)
        worst = int(gap.abs().argmax())
        where = f"in {policy.dim} dimensions, " if policy.dim > 1 else ""
        text = (
            f"biased {where}at {_at(policy)}: the mean of ∂J/∂{labels(exact)[worst]} is off by "
            f"{float(gap[worst]):+.4g} (mean {zero(float(flat(mean)[worst])):+.4g})"
        )
        return Finding("bias", text, key, hints)

    def _slip(
        self,
        estimator: Estimator,
        mean: Exact,
        policy: Policy,
        objective: Objective,
        exact: Exact,
        n: int | None,
    ) -> tuple[str | None, tuple[str, ...]]:
        same = [key for key, slip in self.slips.items() if self._is(mean, slip, policy, objective)]
        if len(same) > 1:  # told apart by their variance, where that can be
            mine = second_of(estimator, policy, objective, exact)
            same.sort(
                key=lambda key: not agree(mine, self._of(self.slips[key].answer, policy, objective))
            )
        if same:
            return same[0], self.slips[same[0]].hints
        for key, (slip, hints) in slips(self.reference).items() if policy.dim > 1 else ():
            if agree(mean, slip_mean(as_it_is, slip, policy, objective)):
                return key, hints
        if policy is not self.problems[0][0] and policy.dim == 1:
            return None, ()  # it is right elsewhere: what fits here may do so by accident
        error = torch.full_like(flat(mean), mean.error + exact.error + 1e-12)
        measured = Measured(flat(mean) - flat(exact), error, flat(exact), n=n)
        found = diagnose(measured, policy, objective)
        if found is None:
            return None, ()
        key = found[0]
        if key == "factor_1-1/n" and key not in self.hints:  # no baseline is in sight
            g, e = flat(mean), flat(exact)
            text = f"It is the gradient times {float(g @ e / (e @ e)):.3g}, in every entry."
            return "factor", self.hints.get("factor", (text,))
        return key, self.hints.get(key, (f"This is the mean of a known slip: {MEANINGS[key]}.",))

    def _is(self, mean: Exact, slip: Slip, policy: Policy, objective: Objective) -> bool:
        try:
            return agree(mean, slip_mean(self.adapt, slip.answer, policy, objective))
        except TooManyNodes:  # the slip is out of reach here, the answer is not
            return False

    def _of(self, answer: Answer, policy: Policy, objective: Objective) -> Exact:
        """E[(g − ∇J)²] of a slip, or of a method."""
        return slip_second(self.adapt, answer, self.reference, policy, objective)

    def _variance(
        self, estimator: Estimator, policy: Policy, objective: Objective
    ) -> Finding | None:
        exact = truth(self.reference, policy, objective)
        mine = second_of(estimator, policy, objective, exact)
        wanted = slip_second(as_it_is, self.reference, self.reference, policy, objective)
        if agree(mine, wanted):
            return None
        text = f"unbiased, but {ratios(mine, wanted)} the variance of what is asked for"
        for key, method in self.methods.items():
            if agree(mine, self._of(method.answer, policy, objective)):
                return Finding("variance", text, key, method.hints)
        n = fewer(mine, wanted)
        if n:
            hint = f"Right, for {n} actions: the mean of {n} draws. Asked for is one draw."
            return Finding("variance", text, "averaged", (hint,))
        return Finding("variance", text + ": another method")


def _at(policy: Policy) -> str:
    """mu = 0.3, −0.15; log_std = …"""
    return "; ".join(
        f"{name} = " + ", ".join(f"{x:.3g}" for x in p.flatten().tolist())
        for name, p in policy.parameters().items()
    )
