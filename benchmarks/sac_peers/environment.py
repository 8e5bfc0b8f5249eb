"""Make .venv-sac-peers, the environment of the SAC implementations ours is compared with.

    python3 benchmarks/sac_peers/environment.py

CleanRL comes last and without its dependencies: its one release allows Python below 3.11 only and
pins the packages of 2023, but the file that is measured needs torch, Stable-Baselines3's replay
buffer and a gym, which cleanrl_gym.py stands in for.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))
import venvs

HERE = Path(__file__).resolve().parent
VENV = HERE.parent.parent / ".venv-sac-peers"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = HERE / "requirements.txt"
CLEANRL = "cleanrl==1.2.0"


def make() -> Path:
    """The environment's Python; sys.exit with a sentence if it cannot be made."""
    return venvs.make(VENV, REQUIREMENTS, CLEANRL)


if __name__ == "__main__":
    make()
