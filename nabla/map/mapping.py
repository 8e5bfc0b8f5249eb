"""From a problem with two settings left open to a map: sheets measured, trusted, merged."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from tqdm import tqdm

from estimators import Estimator, Policy
from estimators.catalogue import applicable, entry_of
from nabla.catalogue import pick_estimators
from nabla.family import Family, load_family
from nabla.foreign import told
from nabla.map.grid import Grid, Sheet, default_estimators, evaluate, parse_axes
from nabla.map.winners import Map, collect, merged, trusted
from nabla.options import Ask
from nabla.target import Target

EXACT_GRID, MEASURED_GRID = 100, 16
EXTRA = ("score_function_value", "score_function")
OPTIMAL, BEYOND_NODES = "score_function_optimal", "score_function_leave_one_out"
UNBIASED = (OPTIMAL, "score_function_value", BEYOND_NODES, "score_function")  # whatever Q
REFUSED = ValueError, TypeError, RuntimeError  # by an estimator that does not apply


@dataclass(frozen=True, eq=False)
class Mapped:
    """A map and what it was made from."""

    family: Family
    chosen: Mapping[str, Estimator]
    sheets: dict[str, Sheet]
    result: Map
    skipped: dict[str, str]  # left out, and why
    same: dict[str, str]  # left out, as it is that other one


@dataclass(frozen=True, eq=False)
class Measured:
    """Estimators, the sheets of those that apply, and why the others have none."""

    chosen: Mapping[str, Estimator] = field(default_factory=dict)
    sheets: dict[str, Sheet] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def __or__(self, other: "Measured") -> "Measured":
        mine, theirs = dict(self.chosen), dict(other.chosen)
        return Measured(mine | theirs, self.sheets | other.sheets, self.skipped | other.skipped)


Measure = Callable[[Mapping[str, Estimator], Measured], Measured]


def mapped(target: Target, ask: Ask) -> Mapped:
    """The map that is asked for, of the problem that the target says."""
    family = load_family(target)
    axes, logarithmic = parse_axes(family, (ask.x, ask.y), ask.grid or EXACT_GRID)
    policy = family.at(**{n: v[0].item() for n, v in axes.items()}).policy
    chosen = competitors(policy, ask)
    if ask.grid is None and _needs_measuring(family, axes, ask, chosen):
        axes, logarithmic = parse_axes(family, (ask.x, ask.y), MEASURED_GRID)
    measure = partial(_measured, family, axes, ask)
    seen, reference = _with_witness(measure(chosen, Measured()), measure, policy, ask)
    sheets, biased = trusted(seen.sheets, reference, seen.chosen)
    seen = Measured(seen.chosen, sheets, seen.skipped | biased)
    if not ask.estimators and len(sheets) == 1:  # Q jumps: the score function against itself
        mine, _ = applicable(policy)
        seen |= measure({name: mine[name] for name in EXTRA if name in mine}, seen)
    if len(seen.sheets) < 2:
        reasons = "; ".join(f"{name}: {text}" for name, text in seen.skipped.items())
        raise ValueError(f"fewer than two estimators to compare; left out {reasons}")
    sheets, same = merged(seen.sheets)
    result = collect(family, axes, logarithmic, sheets, ask.by, ask.entry)
    return Mapped(family, seen.chosen, sheets, result, seen.skipped, same)


def competitors(policy: Policy, ask: Ask) -> dict[str, Estimator]:
    """Those that were named, or the usual ones; ValueError unless they can be compared."""
    names = ask.estimators
    chosen = pick_estimators(policy, names) if names else default_estimators(policy, ask.by)
    if len(chosen) < 2:
        raise ValueError("a map compares two estimators or more")
    if ask.entry != "total" and ask.entry not in policy.parameters():
        raise ValueError(f"--entry {ask.entry}: the policy has {', '.join(policy.parameters())}")
    return chosen


def _with_witness(
    seen: Measured, measure: Measure, policy: Policy, ask: Ask
) -> tuple[Measured, Sheet]:
    """The sheet of one that is unbiased whatever Q, by which to tell the others; measured for
    that if there is none, and on the map too unless its estimators were named."""
    for name in UNBIASED:
        if name in seen.sheets:
            return seen, seen.sheets[name]
    mine, lacking = applicable(policy)
    why = "; ".join(lacking.values())
    for name in (OPTIMAL, BEYOND_NODES):
        if name in mine and name not in seen.skipped:
            spare = measure({name: mine[name]}, seen)
            seen = seen if ask.estimators else seen | spare
            if name in spare.sheets:
                return seen, spare.sheets[name]
            why = spare.skipped[name]
    raise ValueError(f"no unbiased estimator to tell the biased ones by: {why}")


def _measured(
    family: Family, axes: Grid, ask: Ask, chosen: Mapping[str, Estimator], others: Measured
) -> Measured:
    """A sheet of each estimator, and why the rest have none; those asked for must have one."""
    sheets: dict[str, Sheet] = {}
    skipped: dict[str, str] = {}
    total = len(chosen) * math.prod(len(v) for v in axes.values())
    with tqdm(total=total, leave=False, disable=None, unit_scale=True) as bar:
        for name in sorted(chosen, key=lambda n: _sees_spikes_least(chosen[n])):
            bar.set_description(name)
            here = (family, axes, chosen[name], ask.entry, ask.estimates, ask.seed, bar.update)
            try:
                sheets[name] = evaluate(*here, [*others.sheets.values(), *sheets.values()])
            except REFUSED as error:
                if name in ask.estimators:
                    raise
                skipped[name] = told(error)
    return Measured(chosen, {name: sheets[name] for name in chosen if name in sheets}, skipped)


def _sees_spikes_least(estimator: Estimator) -> bool:
    """Whether it looks at the values of Q alone: a spike is higher in the gradient."""
    entry = entry_of(estimator)
    return entry is not None and not entry.misses_jumps


def _needs_measuring(family: Family, axes: Grid, ask: Ask, chosen: Mapping[str, Estimator]) -> bool:
    """Whether nodes fail to reach one of the estimators at the far corner, where d is largest."""
    corner = {n: v[-1:] for n, v in axes.items()}
    for estimator in chosen.values():
        try:
            if evaluate(family, corner, estimator, ask.entry, 2, ask.seed).measured:
                return True
        except REFUSED:
            continue
    return False
