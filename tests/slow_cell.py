"""A cell that takes its time and leaves a line behind; workers of other processes import it."""

import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SlowCell:
    number: int = 0
    seed: int = 0
    pause: float = 0.01
    poison: int = -1
    log: str = ""

    def check(self):
        if self.number < 0:
            raise ValueError(f"number must be ≥ 0, got {self.number}")

    def compute(self, folder: Path):
        if self.log:
            with open(self.log, "a") as file:
                file.write(f"{self.number}\n")
        time.sleep(self.pause)
        if self.number == self.poison:
            os._exit(1)
        if self.number == 13:
            raise ArithmeticError("thirteen")
        return {"value": (self.number + self.seed) / 7}
