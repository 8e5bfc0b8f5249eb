"""Overhead of a sweep beside a bare loop, and how fast 10,000 cells are reported.

    .venv/bin/python benchmarks/sweeps.py [--cells 40] [--rounds 3]

Bare: two processes, each looping over half of the cells. Sweep: the same cells by `run_cells` on
loky:2, results in its SQLite file. A cell sleeps for a second, so that the machine's other load
does not count; both start from nothing, imports included.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nabla.sweep.cells import CompareCell
from nabla.sweep.command import identity
from nabla.sweep.report import report
from nabla.sweep.store import Store

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Nap:
    number: int = 0
    seconds: float = 1.0
    seed: int = 0

    def compute(self, folder: Path) -> Any:
        time.sleep(self.seconds)
        return self.number


def bare(numbers: str) -> str:
    return f"from sweeps import *; [Nap(i).compute(Path()) for i in {numbers}]"


def timed(*programs: str) -> float:
    start = time.perf_counter()
    running = [subprocess.Popen([sys.executable, "-c", p], cwd=HERE) for p in programs]
    for process in running:
        if process.wait():
            raise SystemExit("a benchmark failed")
    return time.perf_counter() - start


def both(cells: int) -> tuple[float, float]:
    """Seconds of the bare loop and of the sweep."""
    loop = timed(bare(f"range(0, {cells}, 2)"), bare(f"range(1, {cells}, 2)"))
    with tempfile.TemporaryDirectory() as folder:
        swept = timed(
            "from sweeps import *; from nabla.sweep.command import run_cells; "
            f"run_cells([Nap(i) for i in range({cells})], Path({folder!r}), 'loky:2')"
        )
    return loop, swept


def overhead(cells: int, rounds: int) -> None:
    """What the cells beyond the first ten take: without the start of the processes."""
    ratios, starts = [], []
    for i in range(rounds):
        few, many = both(10), both(10 + cells)
        loop, swept = many[0] - few[0], many[1] - few[1]
        ratios.append(swept / loop)
        starts.append(few[1] - few[0])
        print(f"round {i}: bare {loop:.2f} s, sweep {swept:.2f} s, ratio {ratios[-1]:.3f}")
    print(
        f"{cells} more cells of 1 s on 2 workers: {statistics.median(ratios):.3f} of a bare loop's "
        f"time; to start, {statistics.median(starts):.1f} s more than two bare processes"
    )


def listing(count: int = 10_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        result = CompareCell(estimates=1000).compute(Path())
        store = Store(Path(folder) / "cells.sqlite")
        store.db.execute("BEGIN")
        for seed in range(count):
            cell = CompareCell(seed=seed, set={"m": 1 + seed / count})
            config = {"command": "compare", **vars(cell)}
            store.record(identity(cell), config, "0", result, None, 1.0, "here")
        store.db.execute("COMMIT")
        start = time.perf_counter()
        rows = sum(1 for _ in store.rows())
        listed = time.perf_counter() - start
        store.close()
        start, cpu = time.perf_counter(), time.process_time()
        report(Path(folder))
        print(
            f"{rows} cells of {len(json.dumps(result))} bytes: listed in {listed:.2f} s, reported, "
            f"with a figure, in {time.perf_counter() - start:.2f} s "
            f"({time.process_time() - cpu:.2f} s of one core)"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cells", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    listing()
    overhead(given.cells, given.rounds)
