"""What commands write: folders, and figures with the command that made them."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from estimators.files import whole


def require_folder(out: Path) -> None:
    """OSError now rather than after the work, unless results can be written there."""
    there = next(p for p in [out, *out.absolute().parents] if p.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise OSError(f"cannot write into {out}: {there} is not a folder that can be written to")


def command_line(seed: int) -> str:
    """The command that is running, its seed said even where it is the default."""
    given = [] if any(a.startswith("--seed") for a in sys.argv) else ["--seed", str(seed)]
    return shlex.join(["nabla", *sys.argv[1:], *given])


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
