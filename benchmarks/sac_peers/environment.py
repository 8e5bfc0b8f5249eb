"""Make .venv-sac-peers, the environment of the SAC implementations ours is compared with.

    python3 benchmarks/sac_peers/environment.py

With the standard library alone; does nothing when the environment is up to date. torch comes first
and alone, as in bootstrap.py, and NABLA_TORCH_INDEX means the same here. CleanRL comes last and
without its dependencies: its one release allows Python below 3.11 only and pins the packages of
2023, but the file that is measured needs torch, Stable-Baselines3's replay buffer and a gym, which
cleanrl_gym.py stands in for.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE.parent.parent / ".venv-sac-peers"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "made"
REQUIREMENTS = HERE / "requirements.txt"
CLEANRL = "cleanrl==1.2.0"


def make() -> Path:
    """The environment's Python; sys.exit with a sentence if it cannot be made."""
    recipe = REQUIREMENTS.read_bytes() + Path(__file__).read_bytes() + sys.version.encode()
    wanted = hashlib.sha256(recipe).hexdigest()
    if PYTHON.exists() and STAMP.exists() and STAMP.read_text() == wanted:
        return PYTHON
    if not PYTHON.exists():
        print(f"making {VENV.name}", file=sys.stderr, flush=True)
        if subprocess.run([sys.executable, "-m", "venv", VENV]).returncode:
            sys.exit("python3 -m venv failed: on Debian and Ubuntu, install python3-venv")
    torch = next(x for x in REQUIREMENTS.read_text().split() if x.startswith("torch=="))
    index = os.environ.get("NABLA_TORCH_INDEX")
    pip(*(["--index-url", index] if index else []), torch)
    pip("-r", str(REQUIREMENTS))
    pip("--no-deps", "--ignore-requires-python", CLEANRL)
    STAMP.write_text(wanted)
    return PYTHON


def pip(*args: str) -> None:
    print("installing", *args[-1:], file=sys.stderr, flush=True)
    command = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *args]
    if subprocess.run(command, stdout=sys.stderr).returncode:
        sys.exit(f"installing {args[-1]} failed: pip's own message is above")


if __name__ == "__main__":
    make()
