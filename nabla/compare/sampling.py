"""How a comparison draws its estimates."""

from dataclasses import dataclass
from typing import Literal

from nabla.arguments import at_least, require_seed


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
        require_seed(self.seed)
