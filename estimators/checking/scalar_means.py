"""Is the mean of a function's numbers what it should be? For numbers that are no policy gradient.

    sight        whether a wrong mean would be another number here
    nodes        the exact mean against the exact answer, where quadrature reaches both
    monte carlo  a sequential test against the exact answer, or else
    reference    against right numbers, from draws of their own
    diagnosis    which known slip alone has the mean that was found

`Question` is what is asked, `judge` climbs. Rates and δ are those of `check`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from estimators.checking.case import require_rates
from estimators.checking.faults import RAISED, Fault, blamed, raised
from estimators.checking.probe import Precision
from estimators.checking.sequential import FIRST, Look, sequential
from estimators.checking.verdict import Evidence, Status, Verdict
from estimators.checking.wording import measured_evidence
from estimators.moments import Moments
from estimators.noise import Noise
from estimators.policies import TooManyNodes

BUDGET, SLOW_BUDGET = 2**22, 2**15
SLOW_FIRST = 2**11
CONFIRM = 2**15  # rows that back up what nodes have shown
PILOT, SLOW_PILOT = 2**12, 2**8
SHARP, SHARPER, SLOW_SHARP = 2**17, 2**20, 2**11  # for a diagnosis
PAIRED = 2**14  # where the numbers and their slips are computed from the same draws
CHUNK_NUMBERS = 2**18
MISS = 1e-6
NODE_ERRORS = 20.0  # reported errors that two exact answers may differ by
FITS = 4.5  # standard errors
TOLD = 16.0  # difference of two χ²
DEVIATIONS = 4.0  # below the share seen
ROUNDING = 64.0  # units of the last place, of what is summed
REPEATED = 8.0  # of the same sum, made twice

# numbers [count, p]; right ones, of the same draws or others, or their mean; and such as vary as
# much as from one action each, the unit of δ: right ones of the same draws, or the numbers
Rows = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class Slip:
    """A known slip: its key, what it is, and the mean that it has, [p], known to `error`."""

    key: str
    text: str
    mean: Tensor
    error: Tensor | float = 0.0


class Found(NamedTuple):
    """A mean that is not the right one, known to `error`, and the form that is the nearest: [p]."""

    mean: Tensor
    right: Tensor
    error: Tensor
    form: Tensor


@dataclass(frozen=True, eq=False)
class Question:
    """Numbers whose mean is asked about.

    draw(count, rng): see Rows. truth: the right mean, where it is exact, known to `error`; slack:
    deviations that rounding explains. forms: what the right mean may be times, [p], by what is
    said of it. by_nodes: the exact mean and its error, or TooManyNodes. slips(found): the
    suspects, known ones first, then those that are fitted to what was found; and that again, where
    it is known better to who asks. shy: why wrong numbers
    would have the right mean here; nothing if they would not. active: the share of draws in which
    right numbers differ from their usual value, at least, [p]; 1 where they cannot. paired: the
    numbers and the right ones are of the same draws.
    """

    name: str
    what: str  # is asked about: "gradient", "target"
    labels: list[str]
    draw: Callable[[int, Noise], Rows]
    truth: Tensor | None  # [p]
    error: float
    slack: Tensor  # [p]
    by_nodes: Callable[[], tuple[Tensor, Tensor]]
    slips: Callable[[Found], tuple[Found, Sequence[Sequence[Slip]]]]
    forms: Mapping[str, Tensor]
    shy: Callable[[], str]
    active: Callable[[], Tensor]
    rarest: float
    paired: bool
    slow: str = ""


@dataclass(frozen=True)
class Demand:
    """How surely it is to be answered: see `check`."""

    rng: Noise
    budget: int | None
    delta: float
    false_alarm: float  # half of it is the problem's

    def __post_init__(self) -> None:
        require_rates(self.budget, self.delta, self.false_alarm)


def answer(
    name: str,
    sound: tuple[Evidence, str | None],
    question: Callable[[], Question],
    kept: str,
    demand: Demand,
) -> Verdict:
    """The verdict. sound: what `problem` says, and the key of its fault; question: raises Fault
    where the function does not keep its contract; kept: the contract in words."""
    said, fault = sound
    if said.outcome != "passed":
        status: Status = "broken" if said.outcome == "failed" else "undecided"
        return Verdict(name, status, fault, (said,))
    try:
        asked = question()
    except Fault as found:
        text, key = found.complaint
        return Verdict(name, "broken", key, (said, Evidence("contract", "failed", text)))
    return judge(asked, demand, (said, Evidence("contract", "passed", kept)))


def require_deterministic(draw: Callable[[int, Noise], Rows], what: str, eps: float) -> float:
    """Fault unless the same draws give the same finite numbers. The last place of the coarsest
    floating-point numbers on the way, or eps."""
    try:
        with Precision() as precision:
            one = draw(16, Noise(5))[0]
        two = draw(16, Noise(5))[0]
    except RAISED as error:
        raise raised(error) from error
    if bad := int((~one.isfinite()).any(0).sum()):
        raise Fault(f"the {what} is not finite for {bad} of {one.shape[1]}")
    eps = max(precision.eps, eps)
    if ((one - two).abs() > REPEATED * eps * one.abs().amax()).any():
        raise Fault(f"it is not deterministic: the same draws give different {what}s")
    return eps


def judge(asked: Question, demand: Demand, before: tuple[Evidence, ...]) -> Verdict:
    """The verdict, rung by rung; `before`: what the problem and the contract have shown."""
    said = list(before)
    if asked.slow:
        said.append(Evidence("speed", "noted", f"each estimate takes its own call: {asked.slow}"))
    key: str | None = None
    try:
        if why := asked.shy():
            said.append(Evidence("sight", "undecided", why))
        said.append(nodes := _nodes(asked))
        if said[-1].outcome != "failed":
            most = CONFIRM if why or nodes.outcome == "passed" else None
            said.append(_measured(asked, demand, nodes.outcome == "passed", most))
        if said[-1].outcome == "failed":
            key, sentence = _diagnosis(asked, said[-1])
            said.append(sentence)
    except Fault as fault:
        text, key = fault.complaint
        return Verdict(asked.name, "broken", key, (*said, Evidence("contract", "failed", text)))
    outcomes = [e.outcome for e in said]
    status: Status = "undecided" if "undecided" in outcomes else "unbiased"
    return Verdict(asked.name, "biased" if "failed" in outcomes else status, key, tuple(said))


def share_moving(numbers: Tensor) -> Tensor:
    """In what share of the draws right numbers are not what they usually are, at least: [p]."""
    count, size = len(numbers), numbers.abs().amax(0)
    moved = ((numbers - numbers.mode(0).values).abs() > 1e-9 * size).double().sum(0)
    return (moved - DEVIATIONS * moved.sqrt()).clamp(min=0) / count


def _rows(asked: Question, count: int, rng: Noise) -> Rows:
    with blamed():
        rows = asked.draw(count, rng)
    numbers, right, one = (x.detach().double().cpu() for x in rows)
    if bad := int((~numbers.isfinite()).any(1).sum()):
        raise Fault(f"the {asked.what} is not finite in {bad} of {count:,} estimates")
    return numbers, right.expand_as(numbers), one


def _nodes(asked: Question) -> Evidence:
    if asked.truth is None:
        return Evidence("nodes", "skipped", f"no exact {asked.what}: measured instead")
    try:
        mean, error = asked.by_nodes()
    except TooManyNodes as reason:
        return Evidence("nodes", "skipped", str(reason))
    except RAISED as raised:  # it is shown other draws than its own, and may not like them
        why = f"given nodes for its draws it raises {type(raised).__name__}"
        return Evidence("nodes", "skipped", f"{why}: measured instead")
    mean, error = mean.double().cpu(), error.double().cpu()
    *_, one = _rows(asked, PILOT if not asked.slow else SLOW_PILOT, Noise(41))
    limit = NODE_ERRORS * (error + asked.error) + asked.slack
    gaps = {says: mean - scale * asked.truth for says, scale in asked.forms.items()}
    fitting = [says for says, gap in gaps.items() if (gap.abs() <= limit).all()]
    says = fitting[0] if fitting else min(gaps, key=lambda s: float(gaps[s].abs().sum()))
    gap, truth = gaps[says], asked.forms[says] * asked.truth
    worst = int((gap.abs() / limit).argmax())
    known = float((error + asked.error).max())
    found = {
        "entries": asked.labels,
        "mean": mean.tolist(),
        "exact": truth.tolist(),
        "standard_deviation": one.std(0).tolist(),
        "error": known,
        "of": asked.what,
        "forms": fitting,
    }
    if fitting:
        text = f"the mean is the exact {asked.what}{_of(fitting)} to {float(gap.abs().max()):.1e}"
        return Evidence("nodes", "passed", f"{text} (both are known to {known:.0e})", found)
    text = (
        f"{asked.labels[worst]} is off by {float(gap[worst]):+.4g} ± {known:.0e}: mean "
        f"{float(mean[worst]):+.6g}, exact {asked.what} {float(truth[worst]):+.6g}"
    )
    return Evidence("nodes", "failed", text, found)


def _measured(asked: Question, demand: Demand, sure: bool, most: int | None) -> Evidence:
    """Form after form, the nearest first: a right one is rejected with the false-alarm rate.
    sure: nodes have answered; most: rows, where more would not help."""
    first, chunk = (SLOW_FIRST, SLOW_PILOT) if asked.slow else (FIRST, CHUNK_NUMBERS)
    numbers, right, _ = _rows(asked, SLOW_PILOT if asked.slow else PILOT, Noise(42))
    off = {s: float((numbers - c * right).mean(0).abs().sum()) for s, c in asked.forms.items()}
    budget = demand.budget or (SLOW_BUDGET if asked.slow else BUDGET)
    budget = min(budget, most or budget)
    evidence: Evidence | None = None
    for says in sorted(off, key=lambda s: off[s]):
        scale = asked.forms[says]

        def draw(count: int, scale: Tensor = scale) -> tuple[Tensor, Tensor, Tensor]:
            y, right, one = _rows(asked, count, demand.rng)
            one = scale * one if asked.paired else one
            return y - scale * right, y - scale * right, one

        look = sequential(
            draw,
            slack=asked.slack + asked.error,
            delta=demand.delta,
            false_alarm=demand.false_alarm / 2,
            miss=MISS,
            budget=budget,
            chunk=max(64, chunk // len(asked.labels)),
            first=first,
            rarest=asked.rarest,
            active=asked.active,
        )
        found = _looked(asked, look, says, demand.delta, sure)
        evidence = evidence or found
        if found.outcome != "failed":
            return found
    assert evidence is not None
    return evidence


def _looked(asked: Question, look: Look, says: str, delta: float, sure: bool) -> Evidence:
    """The last look of the sequential test, as evidence."""
    rung = "reference" if asked.truth is None else "monte carlo"
    against = f"the {'exact' if asked.truth is not None else 'right'} {asked.what}{_of([says])}"
    args = rung, look, asked.labels, delta, MISS, sure, against
    found = measured_evidence(*args, unit="from one action", forms=[says])
    if look.verdict == "unbiased" and (look.se * math.sqrt(look.n) <= asked.slack).all():
        found = replace(found, text=f"is {against}, draw by draw, in {look.n:,} of them")
    return found


def _diagnosis(asked: Question, failed: Evidence) -> tuple[str | None, Evidence]:
    """A slip is named if it alone has the mean that was found, in every entry; more draws are made
    where that would tell two of them apart."""
    key, said = None, "no known slip has this mean"
    for count in (SLOW_SHARP,) if asked.slow or asked.paired else (SHARP, SHARPER):
        by_nodes = failed.rung == "nodes"
        found = _by_nodes(asked, failed) if by_nodes else _sharpened(asked, failed, count)
        try:
            found, tiers = asked.slips(found)
        except RAISED as raised:
            why = f"no slip is named: looking for one raised {type(raised).__name__}"
            return None, Evidence("diagnosis", "skipped", why)
        fitting = next(filter(None, (_fitting(found, tier) for tier in tiers)), [])
        if len(fitting) == 1:
            key, said = fitting[0].key, fitting[0].text
        elif fitting:
            either = "; or ".join(slip.text for slip in fitting)
            said = f"these have the same mean here: {either}"
        if len(fitting) < 2 or by_nodes:
            break
    return key, Evidence("diagnosis", "noted", said)


def _by_nodes(asked: Question, failed: Evidence) -> Found:
    mean = torch.tensor(failed.numbers["mean"], dtype=torch.float64)
    right = torch.tensor(failed.numbers["exact"], dtype=torch.float64)
    error = NODE_ERRORS / FITS * (failed.numbers["error"] + asked.slack)
    return Found(mean, right, error, torch.ones_like(mean))


def _sharpened(asked: Question, failed: Evidence, count: int) -> Found:
    """From draws of their own."""
    chunk = SLOW_PILOT if asked.slow else max(64, CHUNK_NUMBERS // len(asked.labels))
    (says,) = failed.numbers["forms"]
    scale, rng = asked.forms[says], Noise(43)
    seen = Moments.of(torch.zeros(0, 3, len(asked.labels)))
    while seen.n < count:
        y, right, _ = _rows(asked, min(chunk, count - seen.n), rng)
        seen += Moments.of(torch.stack([y - scale * right, y, scale * right], 1))
    (gap, mean, right), (of_gap, of_mean, _) = seen.mean, seen.sem
    if asked.truth is None:
        return Found(mean, right, of_mean + asked.slack, scale)
    truth = scale * asked.truth
    return Found(truth + gap, truth, of_gap + asked.slack, scale)


def _fitting(found: Found, tier: Sequence[Slip]) -> list[Slip]:
    """Those with the mean that was found, and better than the right one, of each kind one."""
    of_right = Slip("", "", found.right)
    wrong = _misfit(of_right, found, math.inf) - TOLD
    return list({s.key: s for s in tier if _misfit(s, found, FITS) < wrong}.values())


def _misfit(slip: Slip, found: Found, most: float) -> float:
    """χ², infinite where an entry is off by more than `most` of its errors."""
    own = torch.as_tensor(slip.error) ** 2
    error = (found.error**2 + own).sqrt() + 1e-12 * (1 + found.mean.abs())
    z = (found.mean - slip.mean).abs() / error
    return float((z**2).sum()) if bool((z <= most).all()) else math.inf


def _of(forms: list[str]) -> str:
    said = [form for form in forms if form]
    return f" ({' or '.join(said)})" if said else ""
