"""`nabla map`: which estimator wins where, over any two settings of a problem."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import tyro
from tqdm import tqdm

from estimators import CATALOGUE, Estimator
from estimators.files import whole, write_atomically
from nabla.compare.command import require_folder
from nabla.figures import command_line, save_figure
from nabla.map.family import Family, load_family
from nabla.map.figure import map_figure
from nabla.map.grid import Grid, Sheet, default_estimators, evaluate, spot_check
from nabla.map.winners import Map, collect, drop_biased, merge
from nabla.table import render
from nabla.target import pick_estimators

EXACT_GRID, MEASURED_GRID = 100, 16
EXTRA = ("score_function_value", "score_function")
OPTIMAL, BEYOND_NODES = "score_function_optimal", "score_function_leave_one_out"
UNBIASED = (OPTIMAL, "score_function_value", BEYOND_NODES, "score_function")  # whatever Q


def map_(
    problem: Annotated[str, tyro.conf.Positional] = "sac_quadratic",
    *,
    x: str = "tau=0.3:3:log",
    y: str = "distance=0:1.5",
    estimators: tuple[str, ...] = (),
    by: Literal["variance", "q", "seconds"] = "variance",
    entry: Literal["total", "mu", "log_std", "logits"] = "total",
    grid: int | None = None,
    estimates: int = 2000,
    seed: int = 0,
    set: tuple[str, ...] = (),
    mu: tuple[float, ...] = (),
    log_std: tuple[float, ...] = (),
    logits: tuple[float, ...] = (),
    alpha: float | None = None,
    squash: bool = False,
    out: Path = Path("out"),
) -> int:
    """Draw which estimator has the least variance (× cost) over two settings of a problem.

    Exact where nodes reach (at most two scalar draws an estimate), else measured: cells where
    the best two are not told apart are hatched. Colour: the winner; paler: the second is close.
    Saves the figure (PDF, SVG, PNG) and its data (npz).

    Args:
        problem: a name from `nabla problems`; your own Q as module:function (its keyword
            arguments, alpha, and a Gaussian's mu and log_std are its settings); or
            module:function with defaults for all its arguments that returns a Problem.
        x: the setting along x, name=low:high or name=low:high:log.
        y: the setting along y.
        estimators: names from `nabla estimators`, or module:function.
        by: least variance, variance × Q evaluations, or variance × seconds (both measured).
        entry: total over the parameters, or of one of them.
        grid: cells along each axis; by default 100, or 16 if cells are measured.
        estimates: of each estimator on each cell that is measured.
        seed: of the noise.
        set: the problem's other settings, name=number.
        mu: means of the policy, for a Q of your own.
        log_std: log standard deviations of the policy, for a Q of your own.
        logits: component or action logits of the policy, for a Q of your own.
        alpha: temperature.
        squash: take tanh of the actions.
        out: folder for the results.
    """
    swept = [text.partition("=")[0] for text in (x, y)]
    folder = out / f"map-{problem.replace(':', '.')}-{'-'.join(swept)}"
    require_folder(folder)
    given = (set, mu, log_std, logits, alpha, squash)
    found = mapped(problem, x, y, estimators, by, entry, grid, estimates, seed, given)
    result, sheets = found.result, found.sheets
    axes = result.grid
    command = command_line(seed)
    what = {"variance": "variance", "q": "variance × Q evaluations", "seconds": "variance × time"}
    title = f"{problem}: least {what[by]}, {'all parameters' if entry == 'total' else entry}"
    figure = map_figure(result, title)
    save_data(result, sheets, folder, command)
    paths = [folder / "map.npz", *save_figure(figure, folder / "figure", command)]
    check = spot_check(found.family, axes, sheets, found.chosen, entry, seed)
    print_map(result, sheets, title, check)
    for name, other in found.same.items():
        print(f"{name} is {other} here: the same variance on every cell")
    for name, why in found.skipped.items():
        print(f"left out {name}: {why}")
    print("\n".join(map(str, paths)))
    return 0


@dataclass(frozen=True, eq=False)
class Mapped:
    """A map and what it was made from."""

    family: Family
    chosen: dict[str, Estimator]
    sheets: dict[str, Sheet]
    result: Map
    skipped: dict[str, str]  # left out, and why
    same: dict[str, str]  # left out, as it is that other one


def mapped(
    problem: str,
    x: str,
    y: str,
    estimators: Sequence[str],
    by: str,
    entry: str,
    grid: int | None,
    estimates: int,
    seed: int,
    given: tuple[Any, ...],
) -> Mapped:
    """The arguments of `nabla map`; given: set, mu, log_std, logits, alpha, squash."""
    if grid is not None and not 2 <= grid <= 1000:
        raise ValueError(f"grid must lie in [2, 1000], got {grid}")
    if not 0 <= seed < 2**62:
        raise ValueError(f"seed must lie in [0, 2⁶²), got {seed}")
    if estimates < 2:
        raise ValueError(f"estimates must be ≥ 2, got {estimates}")
    family = load_family(problem, *given)
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


def parse_axes(family: Family, texts: Sequence[str], count: int) -> tuple[Grid, dict[str, bool]]:
    """name=low:high[:log] -> the values along it; whole numbers for a setting that is one."""
    grid: Grid = {}
    logarithmic: dict[str, bool] = {}
    for text in texts:
        name, _, ends = text.partition("=")
        parts = ends.split(":")
        try:
            low, high = (float(p) for p in parts[:2])
        except ValueError:
            raise ValueError(
                f"an axis is name=low:high or name=low:high:log, got {text!r}"
            ) from None
        if parts[2:] not in ([], ["log"]):
            raise ValueError(f"an axis is name=low:high or name=low:high:log, got {text!r}")
        if name not in family.known:
            raise ValueError(
                f"{family.name} has no setting {name!r}; it has {', '.join(family.known)}"
            )
        if name in family.fixed:
            raise ValueError(f"{name} is an axis: it cannot be set to one number as well")
        if name in grid:
            raise ValueError(f"the two axes must differ, both are {name!r}")
        log = parts[2:] == ["log"]
        if not (math.isfinite(low) and math.isfinite(high) and low < high) or (log and low <= 0):
            raise ValueError(f"{name} must go from low to high (above 0 for log), got {ends!r}")
        values = np.geomspace(low, high, count) if log else np.linspace(low, high, count)
        if isinstance(family.known[name], int):
            values = np.unique(np.round(values).astype(int))
        grid[name], logarithmic[name] = values, log
    return grid, logarithmic


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


def save_data(result: Map, sheets: dict[str, Sheet], folder: Path, command: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"axis_{n}": v for n, v in result.grid.items()}
    for name, sheet in sheets.items():
        arrays[f"variance_{name}"], arrays[f"half_{name}"] = sheet.variance, sheet.half
        arrays[f"q_evaluations_{name}"], arrays[f"seconds_{name}"] = (
            sheet.q_evaluations,
            sheet.seconds,
        )
    with whole(folder / "map.npz") as part, part.open("wb") as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            names=np.array(result.names),
            winner=result.winner,
            ratio=result.ratio,
            decided=result.decided,
            **arrays,
        )
    write_atomically(
        folder / "run.json", json.dumps({"command": command, "torch": torch.__version__}, indent=1)
    )


def print_map(result: Map, sheets: dict[str, Sheet], title: str, check: tuple[float, bool]) -> None:
    rows = []
    for i, name in enumerate(result.names):
        won = (result.winner == i) & result.decided
        lead = result.ratio[won]
        rows.append(
            [
                name,
                f"{100 * result.wins[i]:.1f}",
                f"{np.median(lead):.3g}" if won.any() else "–",
                f"{sheets[name].q_evaluations.mean():g}",
                "measured" if sheets[name].measured else "exact",
            ]
        )
    print(f"{title}\n{result.winner.size:,} cells\n")
    print(render(["estimator", "wins %", "median lead ×", "Q evals", "moments"], rows))
    undecided = 100 * (1 - result.decided.mean())
    print(f"\nnot decided: {undecided:.1f} % of the cells (hatched)")
    missed = 100 * np.mean(np.any([np.isinf(s.half) for s in sheets.values()], 0))
    if missed:
        print(
            f"nodes do not resolve Q on {missed:.1f} % of the cells: random draws vary more than "
            "they say (± infinite)"
        )
    deviation, wrong = check
    if math.isfinite(deviation):
        print(
            f"random cells against exact_moments: largest deviation {deviation:.1e} of 1 + variance"
        )
    if wrong:
        print("That is more than the cells' own ±: do not trust this map, Q is not resolved.")
