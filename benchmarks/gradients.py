"""Speed and memory of single-sample gradients, as ratios measured in one run.

    make benchmark        # ≈ 5 minutes; prints the table and writes docs/benchmarks.md

The yardsticks: torch.randn drawing the same noise, and optax 0.2.6 under jit on the same problem
(in .venv-peers, an environment of its own). Ours and theirs alternate; medians of the rounds.
"""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from estimators import (
    Gaussian,
    Noise,
    Objective,
    compile_gradients,
    measure,
    per_sample_gradients,
    reparameterization,
    score_function,
)

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".venv-peers"
ESTIMATES, D, ROUNDS, REPEATS = 10**6, 6, 5, 3
CHUNK = 125_000
ESTIMATORS = {"reparameterization": reparameterization, "score_function": score_function}


def policy(d: int) -> Gaussian:
    return Gaussian(torch.full((d,), 0.3), torch.full((d,), -0.4))


# E[f(a)], f = Σ(a − 1)²/2: the minimal problem, so that the overhead shows. Ours also evaluates
# log π for its (here zero) entropy term, optax does not.
OBJECTIVE = Objective(lambda a: -((a - 1) ** 2).sum(-1) / 2, 0.0)


def seconds(run: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def chunked(gradients: Callable[[int, Noise], object]) -> Callable[[], None]:
    rng = Noise(0)

    def run() -> None:
        for _ in range(ESTIMATES // CHUNK):
            gradients(CHUNK, rng)

    run()
    return run


def speed() -> dict[str, float]:
    """Median seconds of every contender, one after the other in each round."""
    generator = torch.Generator().manual_seed(0)
    contenders = {"randn": lambda: torch.randn(ESTIMATES, D, generator=generator)}
    for name, estimator in ESTIMATORS.items():
        contenders[f"{name}, eager"] = chunked(
            lambda n, rng, e=estimator: per_sample_gradients(e, policy(D), OBJECTIVE, n, rng)
        )
        contenders[f"{name}, compiled"] = chunked(
            compile_gradients(estimator, policy(D), OBJECTIVE)
        )
    rounds: dict[str, list[float]] = {name: [] for name in contenders}
    for i in range(ROUNDS):
        print(f"round {i + 1} of {ROUNDS}", file=sys.stderr, flush=True)
        for name, run in contenders.items():
            rounds[name].append(seconds(run))
        peers = optax()
        for name in ESTIMATORS:
            rounds.setdefault(f"{name}, optax", []).append(peers[name][0])
    return {name: statistics.median(times) for name, times in rounds.items()}


def optax() -> dict[str, list[float]]:
    command = [PEERS / "bin/python", "-W", "ignore", ROOT / "benchmarks/optax_peer.py"]
    done = subprocess.run([*command, str(REPEATS)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def make_peers() -> None:
    if not PEERS.exists():
        subprocess.run([sys.executable, "-m", "venv", PEERS], check=True)
    pip = [PEERS / "bin/python", "-m", "pip", "install", "--quiet", "optax==0.2.6", "jax==0.10.2"]
    subprocess.run(pip, check=True)


def scaling() -> list[tuple[str, float]]:
    """Time per estimate when estimates and d grow: 1 means linear."""

    def cost(estimates: int, d: int) -> float:
        def run() -> None:
            measure(
                reparameterization,
                policy(d),
                OBJECTIVE,
                estimates=estimates,
                rng=Noise(0),
                exact=policy(d).parameters(),
            )

        run()
        return seconds(run) / estimates

    base = cost(10**6, D)
    wide = cost(2 * 10**5, 48) / (48 / D)
    return [
        ("10⁷ estimates against 10⁶, per estimate", cost(10**7, D) / base),
        ("d = 48 against d = 6, per estimate and dimension", wide / base),
    ]


def memory(estimates: int) -> float:
    """Peak resident memory in MB of a process of its own that measures so many estimates."""
    command = [sys.executable, __file__, str(estimates)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def child(estimates: int) -> None:
    measure(
        reparameterization,
        policy(D),
        OBJECTIVE,
        estimates=estimates,
        rng=Noise(0),
        exact=policy(D).parameters(),
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peak / (1024 if sys.platform == "linux" else 1024**2))


def processor() -> str:
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def report() -> str:
    make_peers()
    t = speed()
    randn = t["randn"]
    lines = [
        "# Benchmarks",
        "",
        "Made by `make benchmark`; do not edit. Ratios of medians from one run "
        f"({ROUNDS} alternating rounds of {REPEATS}).",
        "",
        f"Machine: {processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads; "
        f"Python {platform.python_version()}, torch {torch.__version__}, {optax()['versions']}.",
        "",
        f"10⁶ single-sample gradients, Gaussian d = {D}, float32, f = Σ(a − 1)²/2. "
        f"`torch.randn` draws that noise in {randn * 1e3:.0f} ms.",
        "",
        "| | × `torch.randn` | times faster than optax 0.2.6 under jit |",
        "|---|---|---|",
    ]
    limits = {"eager": (8, 1.5), "compiled": (2.5, 4)}
    for name in ESTIMATORS:
        for mode, (most, least) in limits.items():
            ours, theirs = t[f"{name}, {mode}"], t[f"{name}, optax"]
            lines.append(
                f"| `{name}`, {mode} | {ours / randn:.1f} (goal ≤ {most:g}) "
                f"| {theirs / ours:.1f} (goal ≥ {least:g}) |"
            )
    lines += ["", "| `measure` grows linearly | ratio (1 is linear) |", "|---|---|"]
    lines += [f"| {what} | {ratio:.2f} |" for what, ratio in scaling()]
    lines += ["", "| peak memory of a process that measures | MB |", "|---|---|"]
    for estimates, label in ((10**4, "10⁴ estimates"), (10**6, "10⁶"), (10**8, "10⁸")):
        print(f"memory at {label}", file=sys.stderr, flush=True)
        lines.append(f"| {label} | {memory(estimates):.0f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:]:
        child(int(sys.argv[1]))
        sys.exit()
    text = report()
    (ROOT / "docs" / "benchmarks.md").write_text(text)
    print(text)
