"""The report of a measurement: every number with its uncertainty."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from estimators.files import write_atomically
from estimators.gradients import Gradient, labels, unflatten
from estimators.moments import Moments

HEAVY = 200  # draws that must carry a variance before its standard error can be believed


@dataclass(frozen=True, eq=False)
class Report:
    """What `measure` saw of one estimator on one problem, for every entry of the gradient.

    Moments are those of [δ, δ², Σδ²] with δ = g − reference, g one estimate flattened over the
    parameters, and the reference a pilot mean: then the mean and the variance of g are both
    means, and one central limit theorem gives both their standard errors.
    """

    estimator: str
    problem: str
    shapes: dict[str, tuple[int, ...]]
    moments: Moments
    reference: Tensor
    exact: Tensor | None  # the exact gradient, flattened, where there is one
    exact_error: float
    rounding: float  # of one estimate, relative
    q_evaluations: float  # counted, per estimate
    seconds: float  # per estimate
    family: str = ""  # of estimators, as its row in the catalogue says
    documented: str = ""  # the bias that its row admits

    @property
    def size(self) -> int:
        return len(self.reference)

    def _named(self, flat: Tensor) -> Gradient:
        return unflatten(flat, self.shapes)

    @property
    def labels(self) -> list[str]:
        """mu[0], mu[1], log_std[0], …: the entries in order."""
        return labels(self._named(self.reference))

    @property
    def estimates(self) -> int:
        return self.moments.n

    @property
    def mean(self) -> Gradient:
        return self._named(self.reference + self.moments.mean[: self.size])

    @property
    def sem(self) -> Gradient:
        """Standard error of the mean."""
        return self._named(self.moments.sem[: self.size])

    @property
    def bias(self) -> Gradient | None:
        """Mean minus exact gradient; None where there is no exact gradient."""
        if self.exact is None:
            return None
        return self._named(self.moments.mean[: self.size] + (self.reference - self.exact))

    @property
    def variance(self) -> Gradient:
        """Unbiased variance of one estimate."""
        return self._named(self.moments.variance[: self.size])

    @property
    def variance_sem(self) -> Gradient:
        return self._named(self.moments.sem[self.size : -1])

    @property
    def total_variance(self) -> float:
        """Σ of the variances: E‖g − Eg‖²."""
        return float(self.moments.variance[: self.size].sum())

    @property
    def total_variance_sem(self) -> float:
        return float(self.moments.sem[-1])

    @property
    def signal_to_noise(self) -> float:
        """‖E g‖ / √(total variance), of the exact gradient where there is one."""
        mean = self.reference + self.moments.mean[: self.size]
        signal = float((mean if self.exact is None else self.exact).norm())
        return signal / self.total_variance**0.5 if self.total_variance else float("inf")

    @property
    def worst_z(self) -> float:
        """Largest |bias| in standard errors; nan where there is no exact gradient.

        The error of the exact gradient and rounding count as standard errors too, so that an
        estimator without variance has a finite answer.
        """
        return float(self.z.max())

    @property
    def z(self) -> Tensor:
        """|bias| of each entry in standard errors; see `worst_z`."""
        if self.exact is None:
            return torch.full_like(self.reference, torch.nan)
        bias = self.moments.mean[: self.size] + (self.reference - self.exact)
        rounding = self.exact_error + self.rounding * (1 + self.exact.abs())
        return bias.abs() / (self.moments.sem[: self.size] ** 2 + rounding**2).sqrt()

    @property
    def alike(self) -> Tensor:
        """Of each entry, whether all its draws were the same to within rounding."""
        rounding = self.rounding * (1 + self.reference.abs())
        return self.moments.variance[: self.size] <= rounding**2

    @property
    def carriers(self) -> Tensor:
        """How many draws carry the variance of each entry: (Σδ²)²/Σδ⁴, the number of estimates over
        the kurtosis; zero where all draws are alike."""
        return torch.where(self.alike, 0.0, self._carriers[:-1])

    @property
    def heavy(self) -> bool:
        """Whether the tails are too heavy for the ± of the total variance, or of an entry's.

        1.96 ± covers 69 % instead of 95 % where few draws carry the variance (a cubic cost, 1,000
        estimates of the score function). HEAVY is so large because a sample that lacks the largest
        draws does not know it: at 200, the intervals miss without a word in 0 to 7 % of 2,000
        measurements, over 60 costs, estimators, entries and numbers (`benchmarks/coverage.py`).
        """
        alike = torch.cat([self.alike, self.alike.all()[None]])
        return bool((self._carriers[~alike] < HEAVY).any())

    @property
    def _carriers(self) -> Tensor:
        """Of each entry, and of the total."""
        second = self.moments.mean[self.size :]
        return (
            self.moments.n * second**2 / (self.moments.m2[self.size :] / self.moments.n + second**2)
        )

    def explained(self, limit: float) -> Tensor:
        """Standard errors beyond `limit` that skewness explains: |γ|(2z² + 1)/(6√n) (Hall 1992,
        §2.6) with the bound |γ| ≤ √kurtosis, (2z² + 1)/(6√carriers).

        Infinite where all draws are alike: what happens too rarely to have been drawn has left no
        trace in the standard error.
        """
        return (2 * limit**2 + 1) / (6 * self.carriers.sqrt())

    def to_lists(self) -> dict[str, Any]:
        """For JSON: numbers and lists, to the last digit."""
        data = {f: getattr(self, f) for f in self.__dataclass_fields__}
        data["moments"] = self.moments.to_lists()
        data["reference"] = self.reference.tolist()
        data["exact"] = None if self.exact is None else self.exact.tolist()
        return data

    @classmethod
    def from_lists(cls, lists: dict[str, Any]) -> "Report":
        """What `to_lists` made; ValueError on anything else."""
        try:
            data, known = dict(lists), lists["exact"]
            data["shapes"] = {k: tuple(s) for k, s in data["shapes"].items()}
            data["moments"] = Moments.from_lists(data["moments"])
            data["reference"] = torch.tensor(data["reference"], dtype=torch.float64)
            data["exact"] = None if known is None else torch.tensor(known, dtype=torch.float64)
            return cls(**data)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a report: {error}") from None

    def save(self, path: Path | str) -> None:
        """One JSON file; floats survive to the last digit."""
        write_atomically(Path(path), json.dumps(self.to_lists(), indent=1))

    @classmethod
    def load(cls, path: Path | str) -> "Report":
        """Reads what `save` wrote; ValueError on anything else."""
        try:
            return cls.from_lists(json.loads(Path(path).read_text()))
        except ValueError as error:
            raise ValueError(f"{path} is not a saved report: {error}") from None
