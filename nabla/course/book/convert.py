"""`make notebooks`: the .ipynb beside every notebooks/*.py, without outputs.

The text (jupytext's py:percent format) is what is written and reviewed. A cell's id is a hash of
its type and source, so unchanged cells keep theirs and the same text gives the same bytes.
"""

import hashlib
import sys
from collections import Counter
from pathlib import Path

import jupytext
import nbformat

FOLDER = Path(__file__).parents[3] / "notebooks"


def convert(text: str) -> str:
    """The text of the .ipynb that belongs to a notebook's text."""
    notebook = jupytext.reads(text, fmt="py:percent")
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        cell["id"] = f"{digest}-{seen[digest]}" if seen[digest] else digest
        seen[digest] += 1
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"]}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"  # type: ignore[no-untyped-call]


def main(names: list[str]) -> None:
    for path in [Path(name) for name in names] or sorted(FOLDER.glob("[0-9]*.py")):
        target = path.with_suffix(".ipynb")
        made = convert(path.read_text())
        if not target.exists() or target.read_text() != made:
            target.write_text(made)
            print(f"wrote {target.name}")


if __name__ == "__main__":
    main(sys.argv[1:])
