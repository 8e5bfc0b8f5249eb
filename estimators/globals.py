"""The random generators that everybody shares: seeded for a while, then given back as they were."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from estimators.noise import Noise

States = tuple[torch.Tensor, dict[str, Any], tuple[Any, ...]]  # of torch, numpy, random


def draw_seed(rng: Noise) -> int:
    """A seed for somebody else's generator, in [0, 2³¹)."""
    return int(rng.uniform((1,), torch.zeros((), dtype=torch.float64)) * 2**31)


@contextmanager
def seeded_globals(seed: int) -> Iterator[None]:
    """torch, numpy and random draw from `seed` inside; outside nothing has happened."""
    with preserved_globals():
        torch.default_generator.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        yield


@contextmanager
def preserved_globals() -> Iterator[None]:
    before = global_states()
    try:
        yield
    finally:
        torch.random.set_rng_state(before[0])
        np.random.set_state(before[1])
        random.setstate(before[2])


def global_states() -> States:
    return torch.random.get_rng_state(), np.random.get_state(legacy=False), random.getstate()


def touched(before: States) -> list[str]:
    """Whose global generator has been drawn from since `global_states()`."""
    now = global_states()
    keys = [np.asarray(state[1]["state"]["key"]).tobytes() for state in (before, now)]
    position = [state[1]["state"]["pos"] for state in (before, now)]
    same = {
        "torch": torch.equal(before[0], now[0]),
        "numpy": keys[0] == keys[1] and position[0] == position[1],
        "random": before[2] == now[2],
    }
    return [name for name, unchanged in same.items() if not unchanged]
