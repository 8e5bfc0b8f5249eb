"""One training or measurement in a process of its own; prints one line of JSON.

Started through sac_jobs.py with the Python of our environment or of the peers', and with the job as
JSON on the command line. So many threads mean so many cores: JAX has no setting for its threads,
but keeps to the cores it is allowed.
"""

import contextlib
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sac_jobs import PEERS, Stop

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE / "sac_peers"))


def keep_to(threads: int, slot: int) -> None:
    """So many cores for this process and its threads; jobs side by side have different slots."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0), reverse=True)  # the first ones serve interrupts
        start = slot * threads % len(cores)
        os.sched_setaffinity(0, (cores * 2)[start : start + threads])
    import torch

    torch.set_num_threads(threads)


def trainer(name: str) -> Callable[..., None]:
    if name in PEERS:
        from trainers import TRAINERS
    else:
        from sac_ours import TRAINERS
    return TRAINERS[name]


def speed(job: dict[str, Any]) -> dict[str, float]:
    """Steps per second after `lead` steps with updates, in which compilers do their work."""
    times: dict[int, float] = {}
    begin = job["warmup"] + job["lead"]
    end = begin + job["steps"]

    def hook(step: int, act: Any) -> None:
        if step in (job["warmup"], begin, end):
            times[step] = time.perf_counter()
        if step == end:
            raise Stop

    with contextlib.suppress(Stop):
        trainer(job["name"])(job["task"], job["seed"], end + 1, job["warmup"], hook)
    rate = job["steps"] / (times[end] - times[begin])
    return {"rate": rate, "lead": times[begin] - times[job["warmup"]]}


def curve(job: dict[str, Any]) -> dict[str, Any]:
    """[step, seconds of training, mean return] at every evaluation."""
    points: list[list[float]] = []
    start, paused = time.perf_counter(), 0.0

    def hook(step: int, act: Any) -> None:
        nonlocal paused
        if step % job["every"] == 0 or step == job["steps"]:
            now = time.perf_counter()
            value = evaluate(act, job["task"], job["episodes"])
            points.append([step, now - start - paused, value])
            paused += time.perf_counter() - now

    trainer(job["name"])(job["task"], job["seed"], job["steps"], job["warmup"], hook)
    return {"points": points}


def evaluate(act: Callable[[Any], Any], task: str, episodes: int, seed: int = 10_000) -> float:
    """Mean return of whole episodes in an environment of their own."""
    import gymnasium

    env, total = gymnasium.make(task), 0.0
    for episode in range(episodes):
        obs, done = env.reset(seed=seed + episode)[0], False
        while not done:
            obs, reward, terminated, truncated, _ = env.step(act(obs))
            total, done = total + float(reward), terminated or truncated
    return total / episodes


def memory(job: dict[str, Any]) -> dict[str, float]:
    """MB by which resident memory grows while `steps` random transitions are stored."""
    seen: dict[int, float] = {}

    def hook(step: int, act: Any) -> None:
        if step in (1000, job["steps"]):
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            seen[step] = peak / (1024 if sys.platform == "linux" else 1024**2)
        if step == job["steps"]:
            raise Stop

    with contextlib.suppress(Stop):
        trainer(job["name"])(job["task"], job["seed"], job["steps"] + 1, job["steps"], hook)
    return {"growth": seen[job["steps"]] - seen[1000]}


def floor(job: dict[str, Any]) -> dict[str, float]:
    import sac_floor

    return sac_floor.floor(job["task"])


def account(job: dict[str, Any]) -> dict[str, float]:
    import sac_account

    return sac_account.account(trainer(job["name"]), job)


def versions(job: dict[str, Any]) -> dict[str, str]:
    from trainers import versions

    return versions()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    keep_to(given["threads"], given.get("slot", 0))
    kinds = {f.__name__: f for f in (speed, curve, memory, floor, account, versions)}
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stdout(sys.stderr):
        os.chdir(scratch)  # some of them write logs where they stand
        result = kinds[given["kind"]](given)
    print(json.dumps(result))
