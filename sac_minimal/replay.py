"""Replay: one transition is one row of one memory-mapped array."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sac_minimal.envs import Space


class Batch(NamedTuple):
    """Transitions: obs, next_obs [B, o]; action [B, d] (indices [B] if discrete); rest [B]."""

    obs: Tensor
    action: Tensor
    reward: Tensor
    next_obs: Tensor
    terminated: Tensor  # 1 where s' has no value; a time limit is not such a case


class Replay:
    """The last `capacity` transitions.

    The file has `slack` rows more than that. Up to `slack` transitions written after a checkpoint
    leave the rows that the checkpoint needs untouched, so a run can go back to it.
    new: an empty one; otherwise ValueError unless the file is there and of the right size.
    room: for so many rows the disk has room then, or OSError: a write into memory that is mapped
    to a full disk would end the process (SIGBUS).
    """

    def __init__(
        self, path: Path, space: Space, capacity: int, slack: int, new: bool = False, room: int = 0
    ) -> None:
        self.space, self.capacity, self.rows = space, capacity, capacity + slack
        self.widths = [space.observations, 1 if space.discrete else space.actions, 1]
        self.widths += [space.observations, 1]
        shape = (self.rows, sum(self.widths))
        size, held = 4 * shape[0] * shape[1], 4 * shape[1] * min(room, self.rows)
        try:
            if new:
                path.unlink(missing_ok=True)
                np.memmap(path, np.float32, "w+", shape=shape)  # sparse until written
            found = path.stat().st_size
            if held and found == size and hasattr(os, "posix_fallocate"):  # macOS has none
                with path.open("r+b") as file:
                    os.posix_fallocate(file.fileno(), 0, held)  # leaves what is written alone
        except FileNotFoundError:
            raise ValueError(f"{path} is missing: what the run has seen is lost") from None
        except OSError as error:
            if new:
                path.unlink(missing_ok=True)
            why = f"no room for {path}, {held or size:,} bytes ({error.strerror})"
            raise OSError(f"{why}: make some, or give a smaller --replay") from None
        if found != size:
            raise ValueError(f"{path} does not belong to this run: {found:,} bytes, not {size:,}")
        self.array = np.memmap(path, np.float32, "r+", shape=shape)
        self.table = torch.from_numpy(self.array)
        self.count = 0  # transitions ever written

    def add(
        self,
        obs: np.ndarray,
        action: np.ndarray,
        reward: float,
        next_obs: np.ndarray,
        terminated: bool,
    ) -> None:
        row = np.concatenate([obs, np.atleast_1d(action), [reward], next_obs, [terminated]])
        self.array[self.count % self.rows] = row
        self.count += 1

    def sample(self, size: int, generator: torch.Generator) -> Batch:
        """`size` transitions, uniformly, with replacement."""
        newest = min(self.count, self.capacity)
        index = torch.randint(newest, (size,), generator=generator)
        return self.batch(self.table[(self.count - 1 - index) % self.rows])

    def batch(self, rows: Tensor) -> Batch:
        obs, action, reward, next_obs, terminated = rows.split(self.widths, -1)
        if self.space.discrete:
            action = action[:, 0].long()
        return Batch(obs, action, reward[:, 0], next_obs, terminated[:, 0])
