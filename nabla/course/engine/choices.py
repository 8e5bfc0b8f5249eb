"""Exercises whose answer is a choice: an estimator and how many actions it averages, for problems
that differ and a budget. The exact variance is the referee.

to do → shape → budget → choice → done
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from nabla.course.engine.findings import Answer, Finding, Slip, attempt

Plan = tuple[str, int]
CLOSE = (1.06, 3.0)  # times the best plan's variance, of the next best


@dataclass(frozen=True)
class Offer:
    """What one estimator costs with n actions, and the exact variance of that estimate."""

    price: Callable[[int], float]
    variance: Callable[[int], float]
    least: int = 1


@dataclass(frozen=True)
class Case:
    """One problem: what the answer is called with, what may be chosen, what may be spent."""

    arguments: tuple[Any, ...]
    offers: Mapping[str, Offer]
    budget: float
    told: str

    @property
    def best(self) -> Plan:
        """The plan of least variance within the budget, found by trying all."""
        return min(self.contenders, key=self.variance)

    @cached_property
    def contenders(self) -> list[Plan]:
        """The best plan of each estimator that can be paid for at all."""
        every = [
            [
                (name, n)
                for n in range(offer.least, int(self.budget) + 1)
                if offer.price(n) <= self.budget
            ]
            for name, offer in self.offers.items()
        ]
        return [min(plans, key=self.variance) for plans in every if plans]

    def variance(self, plan: Plan) -> float:
        name, n = plan
        return self.offers[name].variance(n)

    @property
    def lead(self) -> float:
        """How many times the least variance the next best estimator's best plan has."""
        first, second, *_ = sorted(map(self.variance, self.contenders))
        return second / first


def close(cases: Iterable[Case], each: int) -> list[Case]:
    """The first `each` that every estimator wins by a little: there a wrong rule shows."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        if len(case.contenders) < len(case.offers):
            continue
        mine = found.setdefault(case.best[0], [])
        if len(mine) < each and CLOSE[0] < case.lead < CLOSE[1]:
            mine.append(case)
        if len(found) == len(case.offers) and all(len(won) == each for won in found.values()):
            break
    return [case for won in found.values() for case in won]


@dataclass(frozen=True)
class Design:
    """An exercise whose answer maps a problem to (estimator, actions).

    cases: where the choice is close, so that a rule of thumb fails in some. slack: how many times
    the least variance a good plan may have. slips: plans that seem natural, with hints.
    """

    cases: Sequence[Case]
    tested: str
    slips: Mapping[str, Slip] = field(default_factory=dict)
    slack: float = 1.05
    steps: tuple[str, ...] = ("to do", "shape", "budget", "choice", "done")

    def examine(self, answer: Answer) -> Finding:
        plans: list[Plan] = []
        for case in self.cases:
            plan, finding = attempt(answer, *case.arguments)
            finding = finding or _unfit(plan, case)
            if finding is not None:
                return finding
            plans.append((plan[0], int(plan[1])))
        ratios = [
            c.variance(p) / c.variance(c.best) for c, p in zip(self.cases, plans, strict=True)
        ]
        good = [r <= self.slack for r in ratios]
        if all(good):
            return Finding("done", "")
        worst = ratios.index(max(ratios))
        name, n = plans[worst]
        text = (
            f"good in {sum(good)} of {len(good)} cases; {self.cases[worst].told}: {name} with "
            f"n = {n} has {ratios[worst]:.3g} times the variance of the best plan in the budget"
        )
        for key, slip in self.slips.items():
            if plans == [slip.answer(*case.arguments) for case in self.cases]:
                return Finding("choice", text, key, slip.hints)
        return Finding("choice", text)


def _unfit(plan: Any, case: Case) -> Finding | None:
    """Why that is no plan at all, or one that costs too much."""
    if not isinstance(plan, tuple) or len(plan) != 2 or plan[0] not in case.offers:
        text = f"return (estimator, n), the estimator one of {', '.join(case.offers)}; got {plan!r}"
        return Finding("shape", text)
    name, n = plan
    offer = case.offers[name]
    if not isinstance(n, int) or n < offer.least:
        text = f"n must be a whole number, for {name} at least {offer.least}; got {n!r}"
        return Finding("shape", text)
    if offer.price(n) > case.budget:
        text = f"{case.told}: {name} with n = {n} costs {offer.price(n):g}, of {case.budget:g}"
        return Finding("budget", text, "over_budget", ("The budget is spent before the end.",))
    return None
