"""How long `nabla` takes to answer, beside `import torch`.

    .venv/bin/python benchmarks/start.py [--rounds 9] [--out docs/benchmarks-start.md]

Every round starts each program once, in turn, so that the machine's other load falls on all of
them; a ratio is the median over rounds of a program's seconds over that round's `import torch`.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from gradients import processor

TORCH = "import torch"
CALLS = {  # arguments of nabla: the ratio that is wanted at most
    "--help": 0.5,
    "compare --help": 0.5,
    "compare --estimates 1": 0.5,
    "estimators": None,
    "problems": None,
}


def seconds(program: str, *arguments: str) -> float:
    start = time.perf_counter()
    command = [sys.executable, "-c", program, *arguments]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - start


def rounds(count: int) -> dict[str, list[float]]:
    """Seconds of every program in every round, the first round being warm-up."""
    seen: dict[str, list[float]] = {name: [] for name in (TORCH, *CALLS)}
    for i in range(count + 1):
        for name, times in seen.items():
            program = TORCH if name == TORCH else "from nabla.cli import main; main()"
            taken = seconds(program, *([] if name == TORCH else name.split()))
            if i:
                times.append(taken)
    return seen


def page(seen: dict[str, list[float]]) -> str:
    versions = f"Python {platform.python_version()}, torch {version('torch')}"
    lines = [
        "# How long `nabla` takes to answer",
        "",
        f"Made by `make benchmark-start`; do not edit. {processor()}, {os.cpu_count()} cores, "
        f"{versions}, {len(seen[TORCH])} rounds.",
        "",
        "| | seconds (median) | over `import torch` | at most |",
        "|---|---|---|---|",
        f"| `python -c 'import torch'` | {statistics.median(seen[TORCH]):.2f} | 1 | |",
    ]
    for call, most in CALLS.items():
        ratio = statistics.median(
            t / torch for t, torch in zip(seen[call], seen[TORCH], strict=True)
        )
        wanted = "" if most is None else f"{most}"
        middle = statistics.median(seen[call])
        lines.append(f"| `nabla {call}` | {middle:.2f} | {ratio:.2f} | {wanted} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks-start.md"))
    given = parser.parse_args()
    text = page(rounds(given.rounds))
    given.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
