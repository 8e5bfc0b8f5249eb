"""The arithmetic floor of one SAC step: its FLOPs at this machine's measured speed.

A multiplication of [m, k] by [k, n] is 2·m·k·n FLOPs. Whatever else an update does (activations,
losses, noise, Adam, Polyak, gathering the batch) counts as nothing: a floor that nobody can reach.
"""

import statistics
import time
from collections.abc import Callable

import gymnasium
import torch


def flops(obs: int, actions: int, hidden: int, batch: int) -> float:
    """Of one update: actor, twin critics and their targets, two hidden layers each."""

    def network(inputs: int, outputs: int, copies: int) -> tuple[float, float]:
        """Forward (as much again is a backward to the weights), backward to the input."""
        first, rest = inputs * hidden, hidden * hidden + hidden * outputs
        scale = 2.0 * batch * copies
        return scale * (first + rest), scale * rest

    actor, actor_inner = network(obs, 2 * actions, 1)
    critics, critics_inner = network(obs + actions, 1, 2)
    critic_step = actor + critics + critics + (critics + critics_inner)  # π(s'), Q̄, Q, backward
    actor_step = actor + critics + critics + (actor + actor_inner)  # π(s), Q, ∂Q/∂a, backward
    return critic_step + actor_step


def gemm(dtype: torch.dtype, size: int = 256, seconds: float = 0.5) -> float:
    """FLOP/s of size³ matrix products on the threads that torch has now."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(size, size, generator=generator).to(dtype) for _ in range(2))
    out = torch.empty(size, size, dtype=dtype)
    repeats = 100

    def products() -> None:
        for _ in range(repeats):
            torch.mm(a, b, out=out)

    return 2.0 * size**3 * repeats / per_call(products, seconds)


def environment_step(task: str, seconds: float = 0.5) -> float:
    """Seconds of one step with random actions, resets included."""
    env = gymnasium.make(task)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(500)]

    def episode() -> None:
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()

    return per_call(episode, seconds) / len(actions)


def per_call(run: Callable[[], None], seconds: float) -> float:
    """Median time of a call, over at least so many seconds of them."""
    run()
    times: list[float] = []
    while sum(times) < seconds:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def floor(task: str, hidden: int = 256, batch: int = 256) -> dict[str, float]:
    env = gymnasium.make(task)
    work = flops(env.observation_space.shape[0], env.action_space.shape[0], hidden, batch)
    measured = {"flops": work, "environment": environment_step(task)}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        measured[name] = gemm(dtype, hidden)
        measured[f"rate {name}"] = 1 / (work / measured[name] + measured["environment"])
    return measured
