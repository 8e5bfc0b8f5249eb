"""Steps per second of SAC's whole training loop: ours, its peers, and what arithmetic allows.

    .venv/bin/python benchmarks/sac_speed.py      # ≈ 45 minutes; writes docs/benchmarks-sac.md

HalfCheetah-v5, batch 256, two hidden layers of 256, one update a step, one environment. Every
timing is a process of its own, kept to as many cores as it has threads. It begins after the random
actions of the warm-up and after `lead` steps more, in which compilers work; nothing is evaluated
or saved in it. Each round times every contender once, the next round in the opposite order.
"""

import argparse
import os
import platform
import statistics
import sys
from pathlib import Path
from typing import Any

import torch
from gradients import processor
from sac_jobs import PEERS, ask
from sac_peers import environment

from estimators.files import write_atomically
from estimators.processor import SLOW, bfloat16_cost

ROOT = Path(__file__).resolve().parent.parent
OURS = ("eager", "compiled", "compiled, bf16")
LABELS = {"sb3": "Stable-Baselines3", "sbx": "SBX (JAX)", "cleanrl": "CleanRL"}
GOALS = [  # ours, another, goal for their ratio
    ("eager", "sb3", 1.3),
    ("eager", "cleanrl", 1.3),
    ("compiled", "sb3", 1.8),
    ("compiled", "cleanrl", 1.8),
    ("compiled", "sbx", 1.15),
    ("compiled, bf16", "sbx", 1.5),
]
FLOOR_GOALS = {1: 0.75, 2: 0.60}  # of the compiled variant
IDLE = 0.5
MEMORY_GOAL, TRANSITIONS = 200, 10**6

Times = dict[tuple[str, int], list[Any]]  # (contender, threads) -> its rounds
Failures = dict[tuple[str, int], str]


def contenders() -> list[str]:
    """All; without bf16 where the processor has no instructions for it."""
    slow = bfloat16_cost() > SLOW
    return [name for name in (*OURS, *PEERS) if not (slow and "bf16" in name)]


def measure(options: argparse.Namespace) -> tuple[Times, Failures]:
    names = [*options.only, "floor"]
    times: Times = {(name, threads): [] for threads in options.threads for name in names}
    failures: Failures = {}
    for i in range(options.rounds):
        for name, threads in list(times) if i % 2 == 0 else reversed(list(times)):
            if (name, threads) in failures:
                continue
            told = once(name, threads, options, times, failures)
            print(f"round {i + 1}, {threads} threads, {name}: {told}", file=sys.stderr, flush=True)
    return times, failures


def once(
    name: str, threads: int, options: argparse.Namespace, times: Times, failures: Failures
) -> str:
    """One timing, kept in `times`, or in `failures` the reason why there is none; in words."""
    try:
        answer = ask(python(name), job(name, threads, options))
    except RuntimeError as error:
        failures[name, threads] = str(error)
        return f"not run: {error}"
    times[name, threads].append(answer if name == "floor" else answer["rate"])
    return ", ".join(f"{key} {value:.4g}" for key, value in answer.items())


def job(name: str, threads: int, options: argparse.Namespace) -> dict[str, Any]:
    given = {key: getattr(options, key) for key in ("task", "steps", "lead", "warmup", "seed")}
    kind = "floor" if name == "floor" else "speed"
    return {"kind": kind, "name": name, "threads": threads, **given}


def python(name: str) -> Path | str:
    return environment.PYTHON if name in PEERS else sys.executable


def ratio(times: Times, a: str, b: str, threads: int) -> float | None:
    """Median over the rounds of a's rate to b's in the same round."""
    of_a, of_b = times.get((a, threads)), times.get((b, threads))
    if not of_a or not of_b:
        return None
    pairs = zip(of_a, of_b, strict=False)
    rate = "rate bf16" if "bf16" in a else "rate fp32"
    return statistics.median(x / (y[rate] if b == "floor" else y) for x, y in pairs)


def judged(value: float | None, goal: float, percent: bool = False) -> str:
    if value is None:
        return "not run"
    shown = f"{value:.0%}" if percent else f"{value:.2f}"
    return f"{shown}, {'met' if value >= goal else 'missed'}"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def rates(times: Times, failures: Failures, options: argparse.Namespace) -> list[str]:
    rows = []
    for name in options.only:
        row = [LABELS.get(name, f"ours, {name}")]
        for threads in options.threads:
            found = times[name, threads]
            row.append(
                f"{statistics.median(found):.0f} ({min(found):.0f}–{max(found):.0f})"
                if found
                else f"not run: {failures.get((name, threads), 'not asked for')}"
            )
        rows.append(row)
    heads = [f"steps/s, {threads} thread{'s' * (threads > 1)}" for threads in options.threads]
    return table(["implementation", *heads], rows)


def goals(times: Times, options: argparse.Namespace) -> list[str]:
    heads = [f"{threads} thread{'s' * (threads > 1)}" for threads in options.threads]
    rows = []
    for ours, other, goal in GOALS:
        found = [judged(ratio(times, ours, other, t), goal) for t in options.threads]
        rows.append([f"{ours} / {LABELS[other]}", f"≥ {goal:g}", *found])
    parts = [(t, FLOOR_GOALS.get(t, 0.0)) for t in options.threads]
    found = [judged(ratio(times, "compiled", "floor", t), goal, percent=True) for t, goal in parts]
    wanted = "≥ " + ", ".join(f"{goal:.0%}" for _, goal in parts)
    rows.append(["compiled / arithmetic floor", wanted, *found])
    return table(["ratio of steps/s", "goal", *heads], rows)


def floor(times: Times, options: argparse.Namespace) -> list[str]:
    rows = []
    for threads in options.threads:
        found = times["floor", threads]
        if not found:
            continue
        mid = {key: statistics.median(f[key] for f in found) for key in found[0]}
        parts = [(name, ratio(times, name, "floor", threads)) for name in options.only]
        rows.append(
            [
                str(threads),
                f"{mid['fp32'] / 1e9:.0f} / {mid['bf16'] / 1e9:.0f}",
                f"{mid['environment'] * 1e6:.0f}",
                f"{mid['rate fp32']:.0f} / {mid['rate bf16']:.0f}",
                ", ".join(f"{LABELS.get(n, n)} {part:.0%}" for n, part in parts if part),
            ]
        )
    head = ["threads", "GFLOP/s at 256³, fp32 / bf16", "environment step, µs"]
    return table([*head, "floor, steps/s, fp32 / bf16", "reached"], rows)


def memory(options: argparse.Namespace) -> list[str]:
    request = {"kind": "memory", "name": "eager", "task": options.task, "seed": options.seed}
    try:
        grown = ask(sys.executable, {**request, "threads": 1, "steps": TRANSITIONS})["growth"]
    except RuntimeError as error:
        return [f"Memory of 10⁶ transitions: not run: {error}."]
    verdict = "met" if grown <= MEMORY_GOAL else "missed"
    return [
        f"10⁶ transitions stored: resident memory grows by {grown:.0f} MB "
        f"(goal ≤ {MEMORY_GOAL}, {verdict})."
    ]


def machine(options: argparse.Namespace) -> str:
    try:
        found = ask(environment.PYTHON, {"kind": "versions", "threads": 1})
        peers = ", ".join(f"{LABELS.get(name, name)} {version}" for name, version in found.items())
    except RuntimeError as error:
        peers = f"peers unknown ({error})"
    return (
        f"Machine: {processor()}, {os.cpu_count()} cores; Python {platform.python_version()}; ours "
        f"with torch {torch.__version__}; theirs: {peers}. Load average before the first timing: "
        f"{options.load:.1f}."
    )


def report(options: argparse.Namespace) -> str:
    environment.make()
    options.load = os.getloadavg()[0]
    if options.load > IDLE:
        print(
            f"others are at work here (load {options.load:.1f}): ratios will be off, those on all "
            "cores by far, because OpenMP's threads spin while they wait",
            file=sys.stderr,
        )
    times, failures = measure(options)
    work = next((f["flops"] for key, all_ in times.items() if key[0] == "floor" for f in all_), 0)
    lines = [
        "# Speed of SAC",
        "",
        "Made by `python benchmarks/sac_speed.py`; do not edit. Whole training loop on "
        f"{options.task}, batch 256, two hidden layers of 256, one update a step, one environment; "
        f"{options.steps} steps after {options.warmup} random ones and {options.lead} more. "
        f"Medians of {options.rounds} alternating rounds (smallest–largest); ratios are medians of "
        "the rounds' ratios.",
        "",
        machine(options),
        "",
        *rates(times, failures, options),
        "",
        *goals(times, options),
        "",
        f"**The floor.** One update is {work / 1e6:.0f} MFLOP of matrix products, counted from the "
        "shapes of the layers (`benchmarks/sac_floor.py`); at the measured speed of one product of "
        "the hidden layer's size, plus one step of the environment, that allows:",
        "",
        *floor(times, options),
        "",
        *([] if options.no_memory else [*memory(options), ""]),
        "Where the rest of a step goes: [benchmarks-sac-account.md](benchmarks-sac-account.md).",
    ]
    return "\n".join(lines).rstrip() + "\n"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Speed of SAC: ours, its peers, the floor.")
    parser.add_argument("--steps", type=int, default=1500, help="steps of one timing")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=1000, help="random actions before updates")
    parser.add_argument("--lead", type=int, default=200, help="steps with updates, untimed")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--task", default="HalfCheetah-v5")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=contenders(), choices=[*OURS, *PEERS])
    parser.add_argument("--no-memory", action="store_true", help="leave out the memory of replay")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks-sac.md")
    return parser.parse_args()


if __name__ == "__main__":
    given = parse()
    text = report(given)
    write_atomically(given.out, text)
    print(text)
