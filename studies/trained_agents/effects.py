"""The study's statistic: an arm against its reference, with intervals. design.md says why."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nabla.statistics import interquartile_mean

MARGIN, FEWEST, RESAMPLES, LEVEL = 0.1, 4, 10_000, 0.95
Scores = Mapping[str, np.ndarray]  # task -> [seeds]


@dataclass(frozen=True)
class Effect:
    """A number with its interval; runs of the arm and of the reference, the fewer of any task."""

    value: float
    low: float
    high: float
    seeds: int

    @property
    def word(self) -> str:
        """What the interval says, against ±MARGIN."""
        if self.seeds < FEWEST:
            return "too few seeds"
        if self.low >= -MARGIN and self.high <= MARGIN:
            return "equivalent"
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "undecided"

    def __str__(self) -> str:
        """The number, its interval and the word; of one seed the number alone."""
        if self.seeds < 2:
            return f"{self.value:+.2f}"
        return f"{self.value:+.2f} ({self.low:+.2f} to {self.high:+.2f}): {self.word}"


def effects(
    arm: Scores, reference: Scores, start: Mapping[str, float], seed: int = 0
) -> dict[str, Effect]:
    """(IQM of the arm − IQM of the reference)/(IQM of the reference − start), for each task that
    both have and that the reference has learned; and under "" the mean over them.

    95 % percentile intervals, runs resampled within each task and arm.
    """
    rng, found, resampled = np.random.default_rng(seed), dict[str, Effect](), []
    for task in arm:
        if task not in reference:
            continue
        ours, theirs = arm[task], reference[task]
        middle = float(interquartile_mean(theirs))
        if (learned := middle - start[task]) <= 0:
            continue
        value = (float(interquartile_mean(ours)) - middle) / learned
        draws = _means(ours, rng) - _means(theirs, rng)
        resampled.append(draws / learned)
        found[task] = _with_interval(value, resampled[-1], min(len(ours), len(theirs)))
    if found:
        value = float(np.mean([e.value for e in found.values()]))
        fewest = min(e.seeds for e in found.values())
        found[""] = _with_interval(value, np.mean(resampled, 0), fewest)
    return found


def improvement(arm: Scores, reference: Scores, seed: int = 0) -> Effect:
    """P(a run of the arm > a run of the reference), ties ½, mean over the tasks that both have.

    Reference: Agarwal et al. 2021, §4.3.
    """
    rng, values, resampled, fewest = np.random.default_rng(seed), [], [], []
    for task in arm:
        if task in reference:
            ours, theirs = arm[task], reference[task]
            wins = _wins(ours[:, None], theirs)
            values.append(wins.mean())
            one, two = (_picks(x, rng) for x in (ours, theirs))
            resampled.append(wins[one[:, :, None], two[:, None]].mean((1, 2)))
            fewest.append(min(len(ours), len(theirs)))
    return _with_interval(float(np.mean(values)), np.mean(resampled, 0), min(fewest))


def _wins(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a > b) + 0.5 * (a == b)


def _picks(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(len(values), size=(RESAMPLES, len(values)))


def _means(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return interquartile_mean(values[_picks(values, rng)].T)


def _with_interval(value: float, draws: np.ndarray, seeds: int) -> Effect:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Effect(value, float(low), float(high), seeds)
