"""Starts sac_child.py for one job; what the child and those who start it both know."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

CHILD = Path(__file__).resolve().with_name("sac_child.py")
PEERS = ("sb3", "sbx", "cleanrl")


class Stop(Exception):
    """The measurement is complete."""


def ask(python: Path | str, job: dict[str, Any]) -> dict[str, Any]:
    """The answer of a child process; RuntimeError, with its last line of errors, if it fails."""
    threads = str(job["threads"])
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, threads), "JAX_PLATFORMS": "cpu"}
    command = [python, "-W", "ignore", CHILD, json.dumps(job)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise RuntimeError(lines[-1])
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
