"""The notebooks as tests see them."""

from functools import cache
from pathlib import Path

import jupytext

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("[0-9]*.py"))


@cache
def cells(name):
    return jupytext.read(FOLDER / f"{name}.py", fmt="py:percent").cells


def tags(cell):
    return cell.metadata.get("tags", [])


def exercise_cells(name):
    """(exercise's name, its blank cell, its solution's cell), in order."""
    found = []
    code = [c for c in cells(name) if c.cell_type == "code"]
    for i, cell in enumerate(code):
        if "exercise" in tags(cell):
            asked = code[i + 1].source
            found.append((asked.split('"')[1], cell, code[i + 2]))
    return found
