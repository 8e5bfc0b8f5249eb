"""A cell that takes its time and leaves a line behind; workers of other processes import it."""

import contextlib
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path


def spin():
    while True:
        with contextlib.suppress(Exception):  # as somebody's Q might
            time.sleep(0.01)


def interrupt():
    raise KeyboardInterrupt


FATES = {
    "exit": lambda: sys.exit(3),
    "interrupt": interrupt,
    "spin": spin,
    "sleep": lambda: time.sleep(600),
    "lock": threading.Lock,
    "fine": lambda: {"value": 1.5},
}


@dataclass(frozen=True)
class SlowCell:
    number: int = 0
    seed: int = 0
    pause: float = 0.01
    poison: int = -1
    log: str = ""
    fate: str = ""

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
        if self.fate:
            return FATES[self.fate]()
        return {"value": (self.number + self.seed) / 7}
