"""Exercises whose answer is an estimator: its mean and its variance are computed by nodes, so a
check takes less than a second and cannot fail by chance.

    to do → shape → graph → bias → variance → done

A wrong mean is matched to the slips of the exercise and then to those that every check knows
(`estimators.checking.diagnosis`); a right mean with another variance to the other methods.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from estimators import Categorical, Estimator, Noise, Objective, Policy, TooManyNodes
from estimators.checking.contract import examine
from estimators.checking.diagnosis import diagnose
from estimators.checking.faults import Fault
from estimators.checking.meanings import MEANINGS
from estimators.checking.measured import Measured
from estimators.checking.subjects import subject
from estimators.globals import preserved_globals
from estimators.gradients import flat, labels, rows
from estimators.quadrature import Exact, exact_gradient, exact_mean
from nabla.course.engine.findings import Answer, Finding, Slip, attempt

Problem = tuple[Policy, Objective]
TOLERANCE = 1e-9
EVALUATIONS = 2**19
AGREES = 1e-6  # of the largest entry
STEPS = ("to do", "shape", "graph", "bias", "variance", "done")


def as_it_is(answer: Answer) -> Estimator:
    return answer


@dataclass(frozen=True)
class Surrogate:
    """An exercise whose answer is estimator(policy, objective, rng) -> surrogate [*batch].

    reference: the right one; None where every unbiased estimator is right. problems: where it is
    tried; each must be within reach of nodes in well under a second (one or two scalar draws; try
    it), with a Q that takes any d: shapes are tried in twice the dimensions, too. slips: wrong
    ones by key; methods: unbiased ones that are not what is asked for. hints: for the keys of
    `estimators.checking.meanings.MEANINGS`. adapt: makes an estimator of an answer of another
    form; it may raise Unfit on a wrong shape.
    """

    reference: Estimator | None
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
        policy, objective = self.problems[0]
        for there in (policy, widened(policy)):
            finding = _shape(estimator, there, objective)
            if finding is not None:
                return finding
        finding, n = self._graph(estimator, policy, objective)
        if finding is not None:
            return finding
        try:
            for policy, objective in self.problems:
                finding = self._bias(estimator, policy, objective, n)
                if finding is not None:
                    return finding
            for policy, objective in self.problems if self.reference else ():
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
            return Finding("graph", text, key, self.hints.get(key or "", ())), None

    def _bias(
        self, estimator: Estimator, policy: Policy, objective: Objective, n: int | None
    ) -> Finding | None:
        exact = exact_gradient(policy, objective)
        mean = _mean(estimator, policy, objective)
        if _agree(mean, exact):
            return None
        key, hints = self._slip(estimator, mean, policy, objective, exact, n)
        gap = flat(mean) - flat(exact)
        worst = int(gap.abs().argmax())
        text = (
            f"biased: the mean of ∂J/∂{labels(exact)[worst]} is off by {float(gap[worst]):+.4g} "
            f"(mean {_zero(float(flat(mean)[worst])):+.4g})"
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
        same = [
            key
            for key, slip in self.slips.items()
            if _agree(mean, _mean(self.adapt(slip.answer), policy, objective))
        ]
        if len(same) > 1:  # told apart by their variance, where that can be
            mine = _second(estimator, policy, objective, exact)
            same.sort(key=lambda key: not _agree(mine, self._of(key, policy, objective, exact)))
        if same:
            return same[0], self.slips[same[0]].hints
        error = torch.full_like(flat(mean), mean.error + exact.error + 1e-12)
        measured = Measured(flat(mean) - flat(exact), error, flat(exact), n=n)
        found = diagnose(measured, policy, objective)
        if found is None:
            return None, ()
        key = found[0]
        return key, self.hints.get(key, (f"This is the mean of a known slip: {MEANINGS[key]}.",))

    def _of(self, key: str, policy: Policy, objective: Objective, exact: Exact) -> Exact:
        return _second(self.adapt(self.slips[key].answer), policy, objective, exact)

    def _variance(
        self, estimator: Estimator, policy: Policy, objective: Objective
    ) -> Finding | None:
        assert self.reference is not None
        exact = exact_gradient(policy, objective)
        mine = _second(estimator, policy, objective, exact)
        wanted = _second(self.reference, policy, objective, exact)
        if _agree(mine, wanted):
            return None
        text = f"unbiased, but {_ratios(mine, wanted)} the variance of what is asked for"
        for key, method in self.methods.items():
            if _agree(mine, _second(self.adapt(method.answer), policy, objective, exact)):
                return Finding("variance", text, key, method.hints)
        return Finding("variance", text + ": another method")


def widened(policy: Policy) -> Policy:
    """The same policy in twice as many dimensions, to try shapes on."""
    if isinstance(policy, Categorical):
        return policy
    return type(policy)(
        **{
            name: p if name == "logits" else torch.cat([p, p + 0.1], -1)
            for name, p in policy.parameters().items()
        }
    )


def _shape(estimator: Estimator, policy: Policy, objective: Objective) -> Finding | None:
    copies = rows(policy, 4)
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
        if value.shape[1:] == copies.batch:
            hint = "The first axis counts the actions: average over it."
            return Finding("shape", text, "actions_kept", (hint,))
        return Finding("shape", text)
    return None


def _mean(estimator: Estimator, policy: Policy, objective: Objective) -> Exact:
    return exact_mean(estimator, policy, objective, tolerance=TOLERANCE, evaluations=EVALUATIONS)


def _second(estimator: Estimator, policy: Policy, objective: Objective, exact: Exact) -> Exact:
    """E[(g − ∇J)²]: the variance, of an unbiased estimator."""
    return exact_mean(
        estimator, policy, objective, about=exact, tolerance=TOLERANCE, evaluations=EVALUATIONS
    )


def _agree(one: Exact, two: Exact) -> bool:
    a, b = flat(one), flat(two)
    return bool(((a - b).abs() <= AGREES * (1 + b.abs().max())).all())


def _zero(x: float) -> float:
    """Zero for what is one to within rounding."""
    return 0.0 if abs(x) < 1e-12 else x


def _ratios(mine: Exact, wanted: Exact) -> str:
    """5.9× (mu), 1.2× (log_std)."""
    return ", ".join(f"{_times(float(mine[k].sum()), float(wanted[k].sum()))} ({k})" for k in mine)


def _times(a: float, b: float) -> str:
    if b <= AGREES:
        return "as much of" if a <= AGREES else "infinitely often"
    return f"{a / b:.2g}×" if abs(a / b - 1) > 0.05 else f"{a / b:.4g}×"
