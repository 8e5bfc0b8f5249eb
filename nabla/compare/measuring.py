"""What `nabla compare` measures: a report of each estimator that applies, and who saw nothing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from torch import Tensor
from tqdm import tqdm

from estimators import (
    Antithetic,
    Estimator,
    Exact,
    Noise,
    Report,
    Sobol,
    measure,
    per_sample_gradients,
)
from estimators.catalogue import entry_of
from estimators.checking.activity import due
from estimators.gradients import flat_rows
from nabla.foreign import attempt, told
from nabla.options import Sampling
from toy_problems import Problem

Progress = Callable[[Iterable[int]], Iterable[int]]
SOURCES = {"independent": Noise, "antithetic": Antithetic, "sobol": Sobol}
SAMPLES = 2000  # single-sample gradients kept for the violins


@dataclass(frozen=True, eq=False)
class Seen:
    """One estimator's report and a few of its single-sample gradients, [count, entries]; blind: the
    entries that do not vary although those of a right estimate would have; misses_jumps: it sees Q
    by its gradient alone."""

    report: Report
    samples: np.ndarray
    blind: Tensor
    misses_jumps: bool


def compared(
    problem: Problem, chosen: Mapping[str, Estimator], how: Sampling, asked: Sequence[str] = ()
) -> tuple[dict[str, Seen], dict[str, str]]:
    """What was seen of each estimator, and why the others were left out.

    Raises what one of those asked for raises, or the first error if none is left.
    """
    exact = problem.gradient()
    seen: dict[str, Seen] = {}
    failed: dict[str, Exception] = {}
    total = len(chosen) * how.estimates
    with tqdm(total=total, leave=False, disable=None, unit_scale=True) as bar:
        for name, estimator in chosen.items():
            bar.set_description(name)
            found = attempt(look, name, estimator, problem, exact, how, partial(_tick, bar))
            if isinstance(found, Seen):
                seen[name] = found
            elif name in asked:
                raise found
            else:
                failed[name] = found
    if not seen:
        raise next(iter(failed.values()))
    return seen, {name: told(error) for name, error in failed.items()}


def look(
    name: str,
    estimator: Estimator,
    problem: Problem,
    exact: Exact | None,
    how: Sampling,
    progress: Progress,
) -> Seen:
    """Measures one estimator, and draws a few gradients to be shown."""
    report = measured(name, estimator, problem, exact, how, progress)
    estimator = averaged(estimator, how)
    rng = noise(problem, how, 1)
    samples = single_samples(estimator, problem, rng)
    blind = blind_entries(report, problem)
    entry = entry_of(estimator)
    return Seen(report, samples, blind, entry is not None and entry.misses_jumps)


def measured(
    name: str,
    estimator: Estimator,
    problem: Problem,
    exact: Exact | None,
    how: Sampling,
    progress: Progress = iter,
) -> Report:
    return measure(
        averaged(estimator, how),
        problem.policy,
        problem.objective,
        estimates=how.estimates,
        rng=noise(problem, how),
        exact=exact,
        name=name,
        problem=problem.name,
        compile=how.compile,
        progress=progress,
    )


def averaged(estimator: Estimator, how: Sampling) -> Estimator:
    return estimator if how.n is None else partial(estimator, n=how.n)


def noise(problem: Problem, how: Sampling, shift: int = 0) -> Noise:
    return SOURCES[how.noise](how.seed + shift, problem.policy.like.device)


def single_samples(
    estimator: Estimator, problem: Problem, rng: Noise, count: int = SAMPLES
) -> np.ndarray:
    """A few single-sample gradients for the violins: [count, entries]."""
    grads = per_sample_gradients(estimator, problem.policy, problem.objective, count, rng)
    return flat_rows(grads).cpu().numpy()


def blind_entries(report: Report, problem: Problem) -> Tensor:
    """Those that were the same in all draws, though so many should have shown what they feel."""
    alike = report.alike.cpu()
    if not alike.any():
        return alike
    return alike & due(problem.policy, problem.objective, report.estimates)


def _tick(bar: "tqdm[int]", sizes: Iterable[int]) -> Iterable[int]:
    for size in sizes:
        yield size
        bar.update(size)
