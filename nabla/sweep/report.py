"""`nabla report`: a sweep on one page, at any time."""

import os
from pathlib import Path
from typing import Annotated

import tyro


def report(folder: Annotated[Path, tyro.conf.Positional]) -> None:
    """Write FOLDER/report.md, and a figure beside it, of a sweep that runs, died or is done.

    Args:
        folder: of the sweep.
    """
    if not (folder / "cells.sqlite").exists():
        raise ValueError(f"{folder} holds no sweep: it has no cells.sqlite")
    from estimators.files import write_atomically
    from nabla.output import command_line, save_figure
    from nabla.sweep.page import flat, page
    from nabla.sweep.store import Store

    store = Store(folder / "cells.sqlite")
    cells = [cell | {"flat": flat(cell["config"])} for cell in store.rows()]
    store.close()
    text, figures = page(folder.name, cells)
    for name, figure in figures.items():
        save_figure(figure, folder / name, command_line(), [".png"])
    write_atomically(folder / "report.md", text)
    print(os.path.join(folder, "report.md"))
