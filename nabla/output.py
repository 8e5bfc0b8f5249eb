"""What commands write: folders, tables, arrays, and figures with the command that made them."""

import csv
import io
import json
import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure

from estimators.files import whole, write_atomically


def require_folder(out: Path) -> None:
    """OSError now rather than after the work, unless results can be written there."""
    there = next(p for p in [out, *out.absolute().parents] if p.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise OSError(f"cannot write into {out}: {there} is not a folder that can be written to")


def command_line(seed: int | None = None) -> str:
    """The command that is running, its seed, if it has one, said even where it is the default."""
    said = seed is None or any(a.startswith("--seed") for a in sys.argv)
    return shlex.join(["nabla", *sys.argv[1:], *([] if said else ["--seed", str(seed)])])


def save_run(folder: Path, command: str, **more: str) -> None:
    """run.json: the command, and the versions that it ran with."""
    versions = {"nabla": version("nabla-workbench"), "torch": torch.__version__}
    run = {"command": command, **more, **versions}
    write_atomically(folder / "run.json", json.dumps(run, indent=1))


def save_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    write_atomically(path, text.getvalue())


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    with whole(path) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def save_figure(
    figure: Figure, path: Path, command: str, suffixes: Sequence[str] = (".pdf", ".svg", ".png")
) -> list[Path]:
    """PDF, SVG and PNG, whole or not at all, with the command that made them in their metadata."""
    saved = []
    undated: dict[str, dict[str, str | None]] = {
        ".pdf": {"Subject": command, "CreationDate": None},
        ".svg": {"Description": command, "Date": None},
        ".png": {"Description": command},
    }
    for suffix in suffixes:
        metadata = undated[suffix]
        saved.append(path.with_name(path.name + suffix))
        with whole(saved[-1]) as part, mpl.rc_context({"svg.hashsalt": "nabla"}):
            figure.savefig(part, format=suffix[1:], dpi=150, metadata=metadata)
    return saved
