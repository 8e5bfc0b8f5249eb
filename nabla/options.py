"""What commands are asked: options, and a sentence for what is out of range."""

from dataclasses import dataclass
from typing import Literal

SEEDS = 2**62
MANY = 10**12  # estimates: days of work


def at_least(least: float, **numbers: float | None) -> None:
    """ValueError with the first of them that is less (or not a number); None is not given."""
    for name, number in numbers.items():
        if number is not None and not number >= least:
            raise ValueError(f"{name} must be ≥ {least}, got {number}")


def at_most(most: float, **numbers: float) -> None:
    """ValueError with the first of them that is more."""
    for name, number in numbers.items():
        if number > most:
            raise ValueError(f"{name} must be ≤ {most:,}, got {number:,}")


def between(low: float, high: float, **numbers: float | None) -> None:
    """ValueError with the first of them outside the open interval; None is not given."""
    for name, number in numbers.items():
        if number is not None and not low < number < high:
            raise ValueError(f"{name} must lie in ({low}, {high}), got {number}")


def require_seed(seed: int) -> None:
    if not 0 <= seed < SEEDS:
        raise ValueError(f"seed must lie in [0, 2⁶²), got {seed}")


@dataclass(frozen=True)
class Sampling:
    """How many estimates, of how many actions, from which noise."""

    estimates: int = 100_000
    """independent estimates to draw of each."""
    n: int | None = None
    """actions averaged inside one estimate, where an estimator takes it."""
    seed: int = 0
    """of the noise; the same for every estimator."""
    noise: Literal["independent", "antithetic", "sobol"] = "independent"
    """independent, antithetic or Sobol draws along n (they need --n > 1 to differ)."""
    compile: bool = False
    """torch.compile the estimators (20 s each, worth it from 10⁷ estimates)."""

    def __post_init__(self) -> None:
        at_least(1, n=self.n)
        at_least(2, estimates=self.estimates)
        at_most(MANY, estimates=self.estimates)
        require_seed(self.seed)


@dataclass(frozen=True)
class Ask:
    """Two settings to vary, the estimators that compete, and what for."""

    x: str = "tau=0.3:3:log"
    """the setting along x, name=low:high or name=low:high:log."""
    y: str = "distance=0:1.5"
    """the setting along y."""
    estimators: tuple[str, ...] = ()
    """names from `nabla estimators`, or module:function."""
    by: Literal["variance", "q", "seconds"] = "variance"
    """least variance, variance × Q evaluations, or variance × seconds (both measured)."""
    entry: str = "total"
    """total over the parameters, or the name of one of them: mu, log_std, logits, …"""
    grid: int | None = None
    """cells along each axis; by default 100, or 16 if cells are measured."""
    estimates: int = 2000
    """of each estimator on each cell that is measured."""
    seed: int = 0
    """of the noise."""

    def __post_init__(self) -> None:
        if self.grid is not None and not 2 <= self.grid <= 1000:
            raise ValueError(f"grid must lie in [2, 1000], got {self.grid}")
        at_least(2, estimates=self.estimates)
        at_most(MANY, estimates=self.estimates)
        require_seed(self.seed)


@dataclass(frozen=True)
class Probing:
    """Where to look, with which estimators, and how often."""

    states: int = 16
    """how many states to draw from the replay."""
    estimators: tuple[str, ...] = ()
    """names from `nabla estimators`; by default all that apply."""
    estimates: int = 1000
    """of each estimator, at the actor's outputs."""
    through: int = 200
    """of each estimator, in the actor's parameters."""
    n: int | None = None
    """actions averaged inside one estimate, where an estimator takes it."""
    at: int = 0
    """the step of a checkpoint that was kept (--keep-every); 0: the last checkpoint."""
    seed: int = 0
    """of the states and the noise."""

    def __post_init__(self) -> None:
        at_least(1, states=self.states, n=self.n)
        at_least(2, estimates=self.estimates, through=self.through)
        at_most(MANY, estimates=self.estimates, through=self.through)
        at_least(0, at=self.at)
        require_seed(self.seed)
