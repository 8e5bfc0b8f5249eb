"""What this processor is quick at: measured, in about a millisecond, and not told by its name."""

import time

import torch

SIZE = 64, 256, 256  # of a product of matrices, as between the hidden layers of a small batch
SLOW = 1.5


def bfloat16_cost(repeats: int = 7) -> float:
    """How many times as long as in float32 a product of matrices takes in bfloat16: about a half
    with instructions for it, tens without."""
    times = {}
    for dtype in (torch.float32, torch.bfloat16):
        x, y = torch.ones(SIZE[:2], dtype=dtype), torch.ones(SIZE[1:], dtype=dtype)
        x @ y  # the first one looks for the way to do it
        times[dtype] = min(_seconds(x, y) for _ in range(repeats))
    return times[torch.bfloat16] / times[torch.float32]


def _seconds(x: torch.Tensor, y: torch.Tensor) -> float:
    start = time.perf_counter()
    x @ y
    return time.perf_counter() - start


def require_bfloat16() -> None:
    """ValueError where it would make things slower."""
    if (cost := bfloat16_cost()) > SLOW:
        raise ValueError(
            f"bf16 is no gain on this processor: a product of matrices takes {cost:.1f} times as "
            "long as in float32; leave --bf16 out"
        )
