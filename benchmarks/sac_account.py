"""Where the time of one step of our compiled loop goes: measured, in seconds a step."""

import contextlib
import itertools
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from torch._inductor import config as inductor
from torch.profiler import ProfilerActivity, profile

import sac_minimal.train as training

PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm")
PARTS: dict[str, tuple[type, str]] = {
    "update": (training.Loop, "_update"),
    "interact": (training.Loop, "_interact"),
    "sample": (training.Replay, "sample"),
}


class Stop(Exception):
    """The measurement is complete."""


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
