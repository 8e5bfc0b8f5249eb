"""Environments of other libraries, beside .venv, made with the standard library alone."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path


def make(venv: Path, requirements: Path, last: str | None = None) -> Path:
    """The Python of the environment, made or brought up to date if need be; sys.exit with a
    sentence if it cannot be. torch comes first and alone, as in bootstrap.py, and
    NABLA_TORCH_INDEX means the same here; `last` comes last, without its dependencies."""
    python, stamp = venv / "bin" / "python", venv / "made"
    recipe = requirements.read_bytes() + str(last).encode() + sys.version.encode()
    wanted = hashlib.sha256(recipe).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    if not python.exists():
        print(f"making {venv.name}", file=sys.stderr, flush=True)
        if subprocess.run([sys.executable, "-m", "venv", venv]).returncode:
            sys.exit("python3 -m venv failed: on Debian and Ubuntu, install python3-venv")
    torch = next(x for x in requirements.read_text().split() if x.startswith("torch=="))
    index = os.environ.get("NABLA_TORCH_INDEX")
    pip(python, *(["--index-url", index] if index else []), torch)
    pip(python, "-r", str(requirements))
    if last is not None:
        pip(python, "--no-deps", "--ignore-requires-python", last)
    stamp.write_text(wanted)
    return python


def pip(python: Path, *args: str) -> None:
    print("installing", *args[-1:], file=sys.stderr, flush=True)
    command = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *args]
    if subprocess.run(command, stdout=sys.stderr).returncode:
        sys.exit(f"installing {args[-1]} failed: pip's own message is above")
