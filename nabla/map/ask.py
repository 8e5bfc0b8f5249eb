"""What is asked of a map."""

from dataclasses import dataclass
from typing import Literal

from nabla.arguments import at_least, require_seed


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
        require_seed(self.seed)
