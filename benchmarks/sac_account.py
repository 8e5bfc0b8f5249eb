"""Where the time of one step of our compiled loop goes, on one thread.

.venv/bin/python benchmarks/sac_account.py    # ≈ 1 minute; writes docs/benchmarks-sac-account.md
"""

import contextlib
import itertools
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sac_jobs import Stop, ask
from torch._inductor import config as inductor
from torch.profiler import ProfilerActivity, profile

import sac_minimal.train as training
from estimators.files import write_atomically

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks-sac-account.md"
JOB = {"task": "HalfCheetah-v5", "seed": 0, "warmup": 1000, "lead": 200, "steps": 600, "threads": 1}

PRODUCTS = [f"aoti_torch_cpu_{name}_out" for name in ("mm", "addmm", "bmm", "baddbmm")]
PARTS: dict[str, tuple[type, str]] = {
    "update": (training.Loop, "_update"),
    "interact": (training.Loop, "_interact"),
    "sample": (training.Replay, "sample"),
}


def account(train: Callable[..., None], job: dict[str, Any]) -> dict[str, float]:
    """Medians over `steps` steps; within an update from PyTorch's profiler, over as many more."""
    begin = job["warmup"] + job["lead"]
    middle = begin + job["steps"]
    end = middle + job["steps"]
    steps: list[float] = []
    profiler = profile(activities=[ProfilerActivity.CPU])
    parts: dict[str, list[float]] = defaultdict(list)
    found: dict[str, float] = {}

    def hook(step: int, act: Any) -> None:
        if begin <= step <= middle:
            steps.append(time.perf_counter())
        if step == begin:
            parts.clear()
        if step == middle:
            found.update({name: statistics.median(parts[name]) for name in PARTS})
            profiler.start()
        if step == end:
            profiler.stop()
            raise Stop

    named = inductor.patch({"cpp.enable_kernel_profile": True})
    with named, timed(parts), contextlib.suppress(Stop):
        train(job["task"], job["seed"], end + 1, job["warmup"], hook)
    found["step"] = statistics.median(b - a for a, b in itertools.pairwise(steps))
    for event in profiler.events() or ():
        if event.cpu_parent and event.cpu_parent.name.startswith("## Call CompiledFxGraph"):
            kind = "products" if event.name in PRODUCTS else "fused"
            seconds = event.self_cpu_time_total / 1e6 / job["steps"]
            found[kind] = found.get(kind, 0.0) + seconds
    return found


@contextlib.contextmanager
def timed(parts: dict[str, list[float]]) -> Iterator[None]:
    """Keeps the duration of every call of PARTS."""
    originals = {name: getattr(owner, attribute) for name, (owner, attribute) in PARTS.items()}

    def wrap(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timing(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            answer = call(*args, **kwargs)
            parts[name].append(time.perf_counter() - start)
            return answer

        return timing

    for name, (owner, attribute) in PARTS.items():
        setattr(owner, attribute, wrap(name, originals[name]))
    try:
        yield
    finally:
        for name, (owner, attribute) in PARTS.items():
            setattr(owner, attribute, originals[name])


def report() -> str:
    from gradients import processor

    found = ask(sys.executable, JOB | {"kind": "account", "name": "compiled"})
    floor = ask(sys.executable, JOB | {"kind": "floor"})
    arithmetic = floor["flops"] / floor["fp32"]
    parts = {
        "matrix products, at the speed of those of the hidden layers: the floor": arithmetic,
        "what matrix products take beyond it, most of it in the narrow layers": found["products"]
        - arithmetic,
        "activations, losses, Adam, Polyak: fused kernels": found["fused"],
        "launching the update: Python, guards, dispatch, biases copied": found["update"]
        - found["products"]
        - found["fused"],
        "acting, the simulator, storing": found["interact"],
        "drawing the batch": found["sample"],
        "the rest of the loop": found["step"]
        - found["update"]
        - found["interact"]
        - found["sample"],
    }
    rows = [f"| {what} | {1e3 * x:.2f} | {x / found['step']:.0%} |" for what, x in parts.items()]
    return "\n".join(
        [
            "# Where the time of a step of SAC goes",
            "",
            "Made by `python benchmarks/sac_account.py`; do not edit. Ours, compiled, on "
            f"{JOB['task']}, batch 256, two hidden layers of 256, one thread of {processor()}; "
            f"medians of {JOB['steps']} steps, the kernels of an update by PyTorch's profiler. "
            f"Load average before: {os.getloadavg()[0]:.1f}.",
            "",
            "| part of a step | ms | |",
            "|---|---|---|",
            *rows,
            f"| a step | {1e3 * found['step']:.2f} | |",
            "",
            f"So the floor allows {1 / (arithmetic + floor['environment']):.0f} steps/s; these "
            f"steps, every kernel marked for the profiler, made {1 / found['step']:.0f}. Products "
            "keep their speed whatever else the host's memory does; the rest does not, since each "
            "update evicts from the caches what acting, the simulator and the next batch need. "
            "What is left to gain lies there and in single narrow products.",
            "",
        ]
    )


if __name__ == "__main__":
    write_atomically(PAGE, text := report())
    print(text)
