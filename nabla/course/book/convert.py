"""`make notebooks`: the .ipynb beside every notebooks/*.py, without outputs.

The text (jupytext's py:percent format) is what is written and reviewed. A cell's id is a hash of
its type and source, so unchanged cells keep theirs and the same text gives the same bytes. Cells
with a tag of FOLDED are folded in JupyterLab and in the book, under that label.
"""

import hashlib
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import jupytext
import nbformat

FOLDER = Path(__file__).parents[3] / "notebooks"
FOLDED = {
    "setup": ("Set-up", "hide-input"),
    "solution": ("Solution", "hide-input"),
    "claims": ("How this page was checked", "hide-cell"),
}


def convert(text: str) -> str:
    """The text of the .ipynb that belongs to a notebook's text."""
    notebook = jupytext.reads(text, fmt="py:percent")
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        fold(cell)
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        cell["id"] = f"{digest}-{seen[digest]}" if seen[digest] else digest
        seen[digest] += 1
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"]}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"  # type: ignore[no-untyped-call]


def fold(cell: Any) -> None:
    """JupyterLab shows a folded cell's first line, the book a line to open it by."""
    tags = cell.metadata.get("tags", [])
    for label, hide in (FOLDED[tag] for tag in tags if tag in FOLDED):
        cell.source = f"# {label}\n{cell.source}"
        cell.metadata = {
            "jupyter": {"source_hidden": True},
            "mystnb": {"code_prompt_show": label, "code_prompt_hide": label},
            "tags": [*tags, hide],
        }


def main(names: list[str]) -> None:
    for path in [Path(name) for name in names] or sorted(FOLDER.glob("[0-9]*.py")):
        target = path.with_suffix(".ipynb")
        made = convert(path.read_text())
        if not target.exists() or target.read_text() != made:
            target.write_text(made)
            print(f"wrote {target.name}")


if __name__ == "__main__":
    main(sys.argv[1:])
