"""A map in numbers: printed, and saved beside its figure."""

import math
from pathlib import Path

import numpy as np

from nabla.map.grid import Sheet
from nabla.map.winners import Map
from nabla.output import save_arrays, save_run
from nabla.table import render


def save_data(result: Map, sheets: dict[str, Sheet], folder: Path, command: str) -> None:
    arrays = {"winner": result.winner, "ratio": result.ratio, "decided": result.decided}
    arrays |= {f"axis_{name}": values for name, values in result.grid.items()}
    for name, sheet in sheets.items():
        for what in ("variance", "half", "q_evaluations", "seconds"):
            arrays[f"{what}_{name}"] = getattr(sheet, what)
    save_arrays(folder / "map.npz", {"names": np.array(result.names), **arrays})
    save_run(folder, command)


def print_map(result: Map, sheets: dict[str, Sheet], title: str, check: tuple[float, bool]) -> None:
    rows = []
    for i, name in enumerate(result.names):
        sheet, lead = sheets[name], result.ratio[(result.winner == i) & result.decided]
        middle = f"{np.median(lead):.3g}" if lead.size else "–"
        moments = "measured" if sheet.measured else "exact"
        wins, cost = f"{100 * result.wins[i]:.1f}", f"{sheet.q_evaluations.mean():g}"
        rows.append([name, wins, middle, cost, moments])
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
