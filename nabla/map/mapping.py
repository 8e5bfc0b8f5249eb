"""From a problem with two settings left open to a map: sheets measured, trusted, merged."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tqdm import tqdm

from estimators import CATALOGUE, Estimator
from nabla.catalogue import pick_estimators
from nabla.family import Family, load_family
from nabla.map.ask import Ask
from nabla.map.grid import Grid, Sheet, default_estimators, evaluate, parse_axes
from nabla.map.winners import Map, collect, drop_biased, merge
from nabla.target import Target

EXACT_GRID, MEASURED_GRID = 100, 16
EXTRA = ("score_function_value", "score_function")
OPTIMAL, BEYOND_NODES = "score_function_optimal", "score_function_leave_one_out"
UNBIASED = (OPTIMAL, "score_function_value", BEYOND_NODES, "score_function")  # whatever Q


@dataclass(frozen=True, eq=False)
class Mapped:
    """A map and what it was made from."""

    family: Family
    chosen: dict[str, Estimator]
    sheets: dict[str, Sheet]
    result: Map
    skipped: dict[str, str]  # left out, and why
    same: dict[str, str]  # left out, as it is that other one


def mapped(target: Target, ask: Ask) -> Mapped:
    """The map that is asked for, of the problem that the target says."""
    family = load_family(target)
    by, entry, grid, estimates, seed = ask.by, ask.entry, ask.grid, ask.estimates, ask.seed
    x, y, estimators = ask.x, ask.y, ask.estimators
    axes, logarithmic = parse_axes(family, (x, y), grid or EXACT_GRID)
    policy = family.at(**{n: v[0].item() for n, v in axes.items()}).policy
    chosen = pick_estimators(policy, estimators) if estimators else default_estimators(policy, by)
    if len(chosen) < 2:
        raise ValueError("a map compares two estimators or more")
    if entry != "total" and entry not in policy.parameters():
        raise ValueError(f"--entry {entry}: the policy has {', '.join(policy.parameters())}")
    if grid is None and _needs_measuring(family, axes, chosen, entry, seed):
        axes, logarithmic = parse_axes(family, (x, y), MEASURED_GRID)
    mine = CATALOGUE[type(policy)]
    fill = partial(_fill, family, axes, entry, estimates, seed, estimators)
    sheets, skipped = fill(chosen, {})
    trusted = [sheets[name] for name in UNBIASED if name in sheets]
    for name in (OPTIMAL, BEYOND_NODES):
        if trusted or name in skipped:
            continue
        spare, why = fill({name: mine[name]}, sheets)
        trusted = list(spare.values())
        if not estimators:
            chosen, sheets, skipped = chosen | {name: mine[name]}, sheets | spare, skipped | why
    if not trusted:
        raise ValueError(f"no unbiased estimator to tell the biased ones by: {why[BEYOND_NODES]}")
    skipped |= drop_biased(sheets, trusted[0])
    if not estimators and len(sheets) == 1:  # Q jumps: the score function against itself
        extra = {name: mine[name] for name in EXTRA}
        found, why = fill(extra, sheets)
        chosen, sheets, skipped = chosen | extra, sheets | found, skipped | why
    if len(sheets) < 2:
        reasons = "; ".join(f"{name}: {text}" for name, text in skipped.items())
        raise ValueError(f"fewer than two estimators to compare; left out {reasons}")
    same = merge(sheets)
    result = collect(family, axes, logarithmic, sheets, by, entry)
    return Mapped(family, chosen, sheets, result, skipped, same)


def _fill(
    family: Family,
    axes: Grid,
    entry: str,
    estimates: int,
    seed: int,
    asked: Sequence[str],
    chosen: Mapping[str, Estimator],
    others: dict[str, Sheet],
) -> tuple[dict[str, Sheet], dict[str, str]]:
    """A sheet of each estimator, and why the rest have none; those asked for must have one."""
    sheets: dict[str, Sheet] = {}
    skipped: dict[str, str] = {}
    total = len(chosen) * math.prod(len(v) for v in axes.values())
    with tqdm(total=total, leave=False, disable=None, unit_scale=True) as bar:
        for name in sorted(chosen, key=lambda n: n.startswith("score")):  # they see spikes least
            bar.set_description(name)
            here = (family, axes, name, chosen[name], entry, estimates, seed, bar.update)
            try:
                sheets[name] = evaluate(*here, [*others.values(), *sheets.values()])
            except (ValueError, TypeError, RuntimeError) as error:
                if name in asked:
                    raise
                skipped[name] = " ".join(str(error).split())
    return {name: sheets[name] for name in chosen if name in sheets}, skipped


def _needs_measuring(
    family: Family, axes: Grid, chosen: dict[str, Estimator], entry: str, seed: int
) -> bool:
    """Whether nodes fail to reach one of the estimators at the far corner, where d is largest."""
    corner = {n: v[-1:] for n, v in axes.items()}
    sheets = []
    for name, estimator in chosen.items():
        try:
            sheets.append(evaluate(family, corner, name, estimator, entry, 2, seed))
        except (ValueError, TypeError, RuntimeError):
            continue
    return any(s.measured for s in sheets)
