"""A map in numbers: printed, and saved beside its figure."""

import json
import math
from pathlib import Path

import numpy as np
import torch

from estimators.files import whole, write_atomically
from nabla.map.grid import Sheet
from nabla.map.winners import Map
from nabla.table import render


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
