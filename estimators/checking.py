"""A gradient check for stochastic gradients.

    check(estimator, policy, objective) -> Verdict

asks whether the mean of an estimator is ∇J(θ), J(θ) = E_{a~π_θ}[α log π_θ(a) − Q(a)], on a ladder
of questions, the cheapest first, and stops at the first that is answered by no:

    contract     shapes, finite values, determinism, independent rows, a gradient for every parameter
    nodes        the exact mean against the exact gradient, where quadrature reaches both
    monte carlo  a sequential test against the exact gradient (`sequential`), or else
    reference    against the score function with leave-one-out baseline, draw by draw
    field        the continuity equation of a pathwise estimator (`field`)
    diagnosis    which known slip has the mean that was found (`diagnosis`)
"""

import math
from typing import Any, Literal

import torch
from torch import Tensor

from estimators.contract import Probe, broken
from estimators.diagnosis import Measured, diagnose
from estimators.field import NoField, field
from estimators.globals import preserved_globals
from estimators.gradients import Gradient, row_gradients, rows
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Policy, require_finite
from estimators.quadrature import (
    Exact,
    TooManyNodes,
    cross_examine,
    exact_gradient,
    exact_mean,
)
from estimators.sampling import NotFinite, Sampler, labels
from estimators.sequential import FIRST, Look, sequential
from estimators.subjects import Subject, name_of, subject
from estimators.verdict import Evidence, Status, Verdict

BUDGET = 2**22  # estimates
SLOW_BUDGET = 2**15  # where each takes a call of its own
SLOW_FIRST = 2**11
CONFIRM = 2**15  # estimates that back up what nodes have shown
DELTA = 0.01  # standard deviations of one estimate
FALSE_ALARM = 1e-6
MISS = 1e-6
NODE_EVALUATIONS = 2**20  # of Q
NODE_ERRORS = 20.0  # how many of their own reported errors two exact answers may differ by
FIELD_FAILS = 1e-3
ROUNDING = 64.0  # units of the last place, of the problem's scale


def check(
    estimator: Any,
    policy: Policy,
    objective: Objective,
    *,
    rng: Noise | None = None,
    budget: int | None = None,
    delta: float = DELTA,
    false_alarm: float = FALSE_ALARM,
    exact: Gradient | Literal["find"] | None = "find",
    bound: float | None = None,
    name: str = "",
) -> Verdict:
    """Whether the estimator's mean is the gradient; see the module, `Verdict`, and `subjects` for
    what can be checked: an estimator, a plain PyTorch loss, a function that returns gradients.

    budget: estimates at most (2²²; 2¹⁵ where each takes a call of its own). delta: the bias, in
    standard deviations of one estimate, that "unbiased" excludes with probability 1 − 1e-6.
    false_alarm: of the whole check, however often it looks. exact: the exact gradient; None where
    it is unknown. bound: a number that no entry of an estimate exceeds in size, for limits that
    hold without a central limit theorem. Same rng, same verdict; global generators are untouched.

    Raises TypeError and ValueError on bad arguments; what the estimator raises is a finding.
    """
    _require(policy, budget, delta, false_alarm, bound)
    name = name or name_of(estimator)
    with preserved_globals():
        try:
            checked = subject(estimator, policy, objective, name)
        except Exception as error:  # somebody's function, called to see what it returns
            if not callable(estimator) or "required arguments" in str(error):
                raise
            text = f"it raises {type(error).__name__}: {' '.join(str(error).split())}"
            return Verdict(name, "broken", None, (Evidence("contract", "failed", text),))
        budget = budget or (BUDGET if checked.fast else SLOW_BUDGET)
        rng = rng or Noise(0, next(iter(policy.parameters().values())).device)
        return _Ladder(checked, policy, objective, rng, exact).climb(
            budget, delta, false_alarm, bound
        )


def assert_unbiased(
    estimator: Any, policy: Policy, objective: Objective, **options: Any
) -> Verdict:
    """`check`, for a test suite: AssertionError with the evidence unless it says unbiased."""
    verdict = check(estimator, policy, objective, **options)
    if verdict.status != "unbiased":
        raise AssertionError(str(verdict))
    return verdict


class _Ladder:
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
        self.evidence: list[Evidence] = []
        self.diagnosis: str | None = None
        self.labels = labels(policy)
        self.given = exact
        self.probe = Probe(objective.Q)

    def climb(self, budget: int, delta: float, false_alarm: float, bound: float | None) -> Verdict:
        if self.contract():
            return self.verdict("broken")
        self.exact = self._find() if isinstance(self.given, str) else _as_exact(self.given)
        shown = self.nodes()
        if shown == "failed":
            return self.verdict("biased")
        enough = shown == "passed" and self._double
        try:
            look = self.monte_carlo(
                min(budget, self._confirm) if enough else budget, delta, false_alarm, bound, enough
            )
        except NotFinite as error:
            self.say("contract", "failed", str(error))
            return self.verdict("broken")
        if look is None:
            return self.verdict("broken")
        if look.verdict == "biased":
            return self.verdict("biased")
        if self.continuity():
            return self.verdict("biased")
        return self.verdict("unbiased" if enough else look.verdict)

    def verdict(self, status: Status) -> Verdict:
        return Verdict(self.subject.name, status, self.diagnosis, tuple(self.evidence))

    def say(self, rung: str, outcome: Any, text: str, **numbers: Any) -> None:
        self.evidence.append(Evidence(rung, outcome, text, numbers))

    @property
    def _double(self) -> bool:
        return all(p.dtype == torch.float64 for p in self.policy.parameters().values())

    @property
    def _confirm(self) -> int:
        """Fewer where an estimate is dear."""
        dear = max(1, self.probe.evaluations // 64)
        return max(2**11, CONFIRM // dear)

    def contract(self) -> bool:
        """Says whether it is broken."""
        complaint = broken(self.subject, self.policy, self.objective, self.rng, self.probe)
        if complaint is None:
            kept = "finite, deterministic, a gradient for every parameter"
            if self.subject.estimator is not None:
                kept = "shape, dtype, device, independent rows, " + kept
            self.say("contract", "passed", kept)
            return False
        self.say("contract", "failed", complaint.text)
        self.diagnosis = complaint.key
        return True

    def _find(self) -> Exact | None:
        try:
            return exact_gradient(self.policy, self.objective)
        except (TooManyNodes, KeyError):  # out of reach, or a policy of another kind
            return None

    def nodes(self) -> str:
        estimator, exact = self.subject.estimator, self.exact
        if estimator is None or exact is None:
            why = "it draws noise of its own" if estimator is None else "no exact gradient"
            self.say("nodes", "skipped", f"{why}: measured instead")
            return "skipped"
        try:
            limit = NODE_EVALUATIONS
            args = (estimator, self.policy, self.objective)
            mean = exact_mean(*args, evaluations=limit)
            variance = exact_mean(*args, about=mean, evaluations=limit)
            gap, allowed = flat(mean) - flat(exact), NODE_ERRORS * (mean.error + exact.error)
            if (gap.abs() > allowed).any():  # before accusing anybody, ask some witnesses
                cross_examine(*args, mean, variance)
        except TooManyNodes as error:
            self.say("nodes", "skipped", str(error))
            return "skipped"
        worst = int(gap.abs().argmax())
        off = float(gap[worst])
        sd = flat(variance).clamp(min=0).sqrt()
        numbers = {
            "entries": self.labels,
            "mean": flat(mean).tolist(),
            "exact": flat(exact).tolist(),
            "standard_deviation": sd.tolist(),
            "error": mean.error + exact.error,
        }
        if abs(off) <= allowed:
            text = (
                f"the mean is the exact gradient to {abs(off):.1e} (both are known to "
                f"{mean.error + exact.error:.0e}); one estimate has standard deviation "
                + _few(self.labels, sd)
            )
            self.say("nodes", "passed", text, **numbers)
            return "passed"
        text = (
            f"{self.labels[worst]} is off by {off:+.4g} ± {mean.error + exact.error:.0e}: mean "
            f"{float(flat(mean)[worst]):+.6g}, exact gradient {float(flat(exact)[worst]):+.6g}"
        )
        self.say("nodes", "failed", text, **numbers)
        error = torch.full_like(gap, allowed / 4)
        self._diagnose(Measured(flat(mean), error, self.probe.n(self.policy)))
        return "failed"

    def monte_carlo(
        self, budget: int, delta: float, false_alarm: float, bound: float | None, confirm: bool
    ) -> Look | None:
        """None where a parameter turns out to have no gradient."""
        exact = self.exact
        sampler = Sampler(self.subject, self.policy, self.objective, self.rng, exact)
        zero = sampler.zero_parameter()
        if zero is not None:
            self.diagnosis = "zero_gradient"
            self.say("contract", "failed", zero)
            return None
        slack = scale(self.policy, self.objective, Noise(1, sampler.device)) * self._rounding
        slack = slack + (exact.error if exact is not None else 0.0)
        sampler.bound = bound
        look = sequential(
            sampler.draw,
            slack=slack,
            delta=delta,
            false_alarm=false_alarm,
            miss=MISS,
            budget=budget,
            chunk=sampler.chunk,
            first=FIRST if self.subject.fast else SLOW_FIRST,
        )
        rung = "monte carlo" if exact is not None else "reference"
        self._report(rung, look, delta, sampler, confirm)
        if look.verdict == "biased" and exact is not None:
            sharp = sampler.sharpen(look)
            self._diagnose(Measured(sharp[0] + flat(exact), sharp[1] + slack, self.probe.n(self.policy)))
        return look

    @property
    def _rounding(self) -> float:
        dtype = next(iter(self.policy.parameters().values())).dtype
        return ROUNDING * torch.finfo(dtype).eps

    def _report(
        self, rung: str, look: Look, delta: float, sampler: Sampler, confirm: bool
    ) -> None:
        against = "the exact gradient" if rung == "monte carlo" else "the score function"
        z = (look.mean.abs() / look.se.clamp(min=1e-300)).where(look.off, look.mean.abs() * 0)
        worst = int(z.argmax())
        smallest = float((look.detectable / look.sd.clamp(min=1e-300)).max())
        numbers = {
            "estimates": look.n,
            "entries": self.labels,
            "bias": look.mean.tolist(),
            "standard_error": look.se.tolist(),
            "standard_deviation": look.sd.tolist(),
            "limit": look.limit.tolist(),
            "detectable": look.detectable.tolist(),
            "more": look.more,
            **sampler.bounds(look),
        }
        if look.verdict == "biased":
            at = float(z[worst])
            text = (
                f"{self.labels[worst]} is off {against} by {float(look.mean[worst]):+.4g} ± "
                f"{float(look.se[worst]):.1g}"
                + (f", {at:.1f} standard errors" if at < 1e6 else " (it does not vary)")
                + f" (n = {look.n:,}; the limit is {float(look.limit[worst]):.1f})"
            )
            self.say(rung, "failed", text, **numbers)
        elif look.verdict == "unbiased":
            text = (
                f"agrees with {against} to within δ = {delta:g} standard deviations of one "
                f"estimate, in every parameter: n = {look.n:,} would have shown a bias of "
                f"{smallest:.2g} with probability 1 − {MISS:g}"
            )
            self.say(rung, "passed", text, **numbers)
        elif confirm:
            self.say(rung, "passed", f"{look.n:,} draws do not contradict the nodes", **numbers)
        else:
            more = f"; {look.more:,} more estimates would do" if look.more else ""
            text = f"undecided against {against} after {look.n:,} estimates: {look.why}{more}"
            self.say(rung, "undecided", text, **numbers)

    def continuity(self) -> bool:
        """Says whether the field of a pathwise estimator is wrong."""
        if self.subject.estimator is None:
            return False
        try:
            found = field(self.subject.estimator, self.policy, Noise(2))
        except NoField as error:
            self.say("field", "skipped", f"no pathwise field: {error}")
            return False
        except Exception as error:  # an estimator may look at Q, and this one is not its own
            self.say("field", "skipped", f"no pathwise field: {type(error).__name__}")
            return False
        name, worst = found.worst
        if not worst > FIELD_FAILS:
            self.say("field", "passed", f"continuity equation holds to {worst:.0e}", worst=worst)
            return False
        text = (
            f"the field of {name} breaks the continuity equation by {worst:.2g} of its largest "
            "term: right for this Q at best, not for every smooth one"
        )
        self.say("field", "failed", text, worst=worst)
        return True

    def _diagnose(self, measured: Measured) -> None:
        assert self.exact is not None
        found = diagnose(measured, self.policy, self.objective, self.exact)
        if found is None:
            self.say("diagnosis", "noted", "no known slip has this mean")
            return
        self.diagnosis = found[0]
        self.say("diagnosis", "noted", found[1], key=found[0])


def scale(policy: Policy, objective: Objective, rng: Noise) -> Tensor:
    """E[(|c − E c| + |α|)·|∇ log π|], flattened: the size of the terms that cancel in a gradient."""
    copies = rows(policy, 256)
    a = copies.sample(1, rng)
    with torch.enable_grad():
        score = row_gradients(copies.log_prob(a)[0], copies)
    cost = objective.cost(copies.detach(), a)[0].detach()
    size = (cost - cost.mean(0)).abs() + torch.as_tensor(objective.alpha).to(cost).abs()
    return torch.cat(
        [
            (size.view(*size.shape, *(1,) * (s.ndim - size.ndim)) * s.abs()).mean(0).flatten()
            for s in score.values()
        ]
    ).double().cpu()


def flat(gradient: Gradient) -> Tensor:
    return torch.cat([g.detach().double().cpu().flatten() for g in gradient.values()])


def _as_exact(known: Gradient | None) -> Exact | None:
    return None if known is None else Exact(known, float(getattr(known, "error", 0.0)))


def _few(names: list[str], numbers: Tensor) -> str:
    shown = [f"{n} {float(x):.3g}" for n, x in zip(names[:6], numbers, strict=False)]
    return ", ".join(shown) + (", …" if len(names) > 6 else "")


def _require(
    policy: Policy, budget: int | None, delta: float, false_alarm: float, bound: float | None
) -> None:
    if not isinstance(policy, Policy):
        raise TypeError(f"policy must be a Policy, got {type(policy).__name__}")
    require_finite(policy)
    if budget is not None and budget < 2:
        raise ValueError(f"budget, the estimates at most, must be ≥ 2, got {budget}")
    for what, value in (("delta", delta), ("false_alarm", false_alarm)):
        if not 0 < value < 1:
            raise ValueError(f"{what} must lie in (0, 1), got {value}")
    if bound is not None and not 0 < bound < math.inf:
        raise ValueError(f"bound must be positive and finite, got {bound}")

