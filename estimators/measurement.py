"""Monte-Carlo measurement of an estimator: its mean, variance, bias and cost."""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from estimators.catalogue import entry_of
from estimators.compiled import Gradients, compile_gradients
from estimators.gradients import Estimator, Gradient, flat, flat_rows, per_sample_gradients
from estimators.moments import Moments
from estimators.noise import Noise, Recorded
from estimators.objective import Objective
from estimators.policies import Policy, require_finite
from estimators.quadrature import exact_or_none
from estimators.report import Report
from estimators.watching import Watched

PILOT = 256
CHUNK_NUMBERS = 2**17  # entries of a gradient, or draws, held at a time: cache-sized, constant


def measure(
    estimator: Estimator,
    policy: Policy,
    objective: Objective,
    *,
    estimates: int,
    rng: Noise,
    exact: Gradient | Literal["find"] | None = "find",
    name: str = "",
    problem: str = "",
    compile: bool = False,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Report:
    """Mean, variance and bias of one estimate with standard errors, and its measured cost.

    exact: the exact gradient; None if it is not known; found by `exact_gradient`, where that
    reaches, if nothing is said. Q evaluations are counted and seconds taken (median over
    chunks), both per estimate. Memory does not grow with `estimates`. Raises ValueError on
    estimates < 2 and on parameters or values of Q that are not finite, and whatever the policy
    or the estimator raise.
    """
    if estimates < 2:
        raise ValueError(f"estimates must be ≥ 2 for a variance, got {estimates}")
    require_finite(policy)
    entry = entry_of(estimator)
    known = exact_or_none(policy, objective) if exact == "find" else exact
    error = float(getattr(known, "error", 0.0))
    noise, Q = Recorded(rng), Watched(_checked(objective.Q))
    watched = Objective(Q, objective.alpha)
    pilot = flat_rows(per_sample_gradients(estimator, policy, watched, PILOT, noise))
    if not pilot.isfinite().all():
        raise ValueError(f"{name or 'the estimator'} returned a gradient that is not finite")
    reference = pilot.mean(0)

    width = max(
        pilot.shape[1],
        sum(drawn.x.numel() for drawn in noise.draws) // PILOT,
        Q.numbers // PILOT,
    )
    chunk = max(1, min(estimates, CHUNK_NUMBERS // width))
    draw: Gradients = partial(per_sample_gradients, estimator, policy, objective)
    if compile:
        draw = compile_gradients(estimator, policy, objective)
        for size in {chunk, estimates % chunk} - {0}:
            draw(size, Noise(device=pilot.device))
    moments = Moments.of(torch.zeros(0, 2 * pilot.shape[1] + 1, device=pilot.device))
    seconds: list[float] = []
    for size in progress(_chunks(estimates, chunk)):
        start = time.perf_counter()
        grads = draw(size, rng)
        seconds.append((time.perf_counter() - start) / size)
        delta = flat_rows(grads) - reference
        moments += Moments.of(torch.cat([delta, delta**2, (delta**2).sum(1, keepdim=True)], 1))
    if not moments.mean.isfinite().all():
        raise ValueError(f"{name or 'the estimator'} returned a gradient that is not finite")
    return Report(
        estimator=name,
        problem=problem,
        shapes={k: tuple(p.shape) for k, p in policy.parameters().items()},
        moments=Moments(moments.n, moments.mean.cpu(), moments.m2.cpu()),
        reference=reference.cpu(),
        exact=None if known is None else flat({k: known[k] for k in policy.parameters()}),
        exact_error=error,
        rounding=64 * torch.finfo(policy.like.dtype).eps,
        q_evaluations=Q.evaluations / PILOT / max(1, policy.batch.numel()),
        seconds=statistics.median(seconds),
        family=entry.family if entry else "",
        documented=entry.bias if entry else "",
    )


def _chunks(total: int, most: int) -> Iterator[int]:
    """Numbers ≤ most that sum to total, none of them kept."""
    for start in range(0, total, most):
        yield min(most, total - start)


def _checked(Q: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Q; ValueError where it is not finite or changes its argument."""

    def checked(a: Tensor) -> Tensor:
        version = a._version
        q = Q(a)
        if a._version != version:
            raise ValueError("Q changes its argument in place: let it work on a copy")
        if isinstance(q, Tensor) and not q.isfinite().all():
            where = a[~q.isfinite()][0].tolist()
            raise ValueError(f"Q is not finite at the action {where}")
        return q

    return checked
