"""Rows of deviations for the sequential test: estimate minus exact gradient, or minus a reference.

The reference is the score function with leave-one-out baseline, which needs nothing but log π. It
is given the very draws that the estimator made, row by row, and fresh ones for the rest: a pair
of estimates, and a pair's difference varies less than both.
"""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor

from estimators.checking.case import Case
from estimators.checking.faults import Fault, blamed
from estimators.checking.known_means import Controls, fit
from estimators.checking.sequential import Look
from estimators.gradients import flat, flat_rows, per_sample_gradients, row_gradients, rows
from estimators.moments import Moments
from estimators.noise import Noise, Recorded
from estimators.objective import Objective
from estimators.policies import Policy
from estimators.quadrature import Exact
from estimators.score import leave_one_out, score_function

PILOT = 2**13
SLOW_PILOT = 2**8
CHUNK_NUMBERS = 2**18
REFERENCE = partial(score_function, n=8, baseline=leave_one_out)


class Sampler:
    """Draws of one subject, in chunks that fit into a cache."""

    def __init__(self, case: Case, exact: Exact | None) -> None:
        self.case = case
        self.exact = None if exact is None else flat(exact)
        self.exact_error = 0.0 if exact is None else exact.error
        self.controls: Controls | None = None
        self.largest = 0.0
        self.sharp = Moments.of(torch.zeros(0, 3, len(case.labels)))
        self.own = Noise(7, case.device)  # of the reference, beyond the shared draws
        first, first_noise = self._estimates(64)
        width = max(first.shape[1], sum(d.x.numel() for d in first_noise.scalars) // 64)
        self.chunk = max(64, CHUNK_NUMBERS // width) if case.subject.fast else SLOW_PILOT
        self.pilot, noise = self._estimates(min(PILOT, self.chunk))
        # a function of somebody's may draw categories where nobody sees it
        self.by_category = case.subject.estimator is None or bool(noise.categories)
        steady = len(first_noise.scalars) == len(noise.scalars)  # the number of draws may vary
        if case.subject.estimator is not None and type(case.rng) is Noise and steady:
            self.controls = fit(noise, self.pilot)

    def draw(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        g, noise = self._estimates(count)
        if self.case.bound is not None:
            self.largest = max(self.largest, float(g.abs().max()))
        plain = g - (self._reference(noise, count) if self.exact is None else self.exact)
        if self.controls is not None and len(noise.scalars) < len(self.controls.axes):
            raise Fault("the number of draws varies from call to call")
        explained = 0.0 if self.controls is None else self.controls.explain(noise, count)
        return plain - explained, plain, g

    def sharpen(self, count: int) -> None:
        """Draw until a diagnosis has this many estimates in all."""
        while self.sharp.n < count:
            deviations, plain, g = self.draw(min(self.chunk, count - self.sharp.n))
            self.sharp += Moments.of(torch.stack([deviations, g, g - plain], 1))

    def means(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Mean estimate and gradient, each followed by its standard error."""
        (deviation, mean, reference), (slight, error, of_reference) = (
            self.sharp.mean,
            self.sharp.sem,
        )
        if self.exact is None:
            return mean, error, reference, of_reference
        return self.exact + deviation, slight, self.exact, torch.zeros_like(slight)

    def bounds(self, look: Look) -> dict[str, Any]:
        """Limits for the mean that need the bound alone (Maurer and Pontil 2009, theorem 4):
        |mean − truth| ≤ √(2V log(2/α)/n) + 7·2b log(2/α)/(3(n − 1))."""
        b = self.case.bound
        if b is None:
            return {}
        if self.largest > b:
            raise ValueError(f"an estimate of {self.largest:.4g} exceeds the bound {b:g}")
        log = math.log(4 * len(look.sd) / self.case.false_alarm)
        spread = (2 * look.sd**2 * log / look.n).sqrt()
        return {"bernstein": (spread + 14 * b * log / (3 * (look.n - 1))).tolist()}

    def _estimates(self, count: int) -> tuple[Tensor, Recorded]:
        noise = Recorded(self.case.rng)
        with blamed():
            g = flat_rows(self.case.subject.draw(count, noise)).cpu()
        if not g.isfinite().all():
            bad = ~g.isfinite()
            name = self.case.labels[int(bad.any(0).nonzero()[0])]
            raise Fault(
                f"the gradient of {name} is not finite in {int(bad.any(1).sum())} of "
                f"{count:,} estimates"
            )
        return g, noise

    def _reference(self, noise: Recorded, count: int) -> Tensor:
        shared = _Shared(noise, self.own)
        with blamed("Q"):
            g = per_sample_gradients(
                REFERENCE, self.case.policy, self.case.objective, count, shared
            )
        reference = flat_rows(g).cpu()
        if not reference.isfinite().all():
            bad = int((~reference.isfinite()).any(1).sum())
            raise Fault(f"Q is not finite in the actions of {bad} of {count:,} estimates")
        return reference


class _Shared(Noise):
    """Hands out draws that were made before, as far as they go, then fresh ones."""

    def __init__(self, before: Recorded, fresh: Noise) -> None:
        self.scalars, self.categories = list(before.scalars), list(before.categories)
        self.fresh = fresh

    def normal(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        return self._continued("normal", self.fresh.normal(shape, like))

    def uniform(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        return self._continued("uniform", self.fresh.uniform(shape, like))

    def categorical(self, weights: Tensor, shape: tuple[int, ...]) -> Tensor:
        k = self.fresh.categorical(weights, shape)
        if self.categories and self.categories[0][1].shape[1:] == k.shape[1:]:
            old = self.categories.pop(0)[1][: len(k)]
            k = torch.cat([old, k[len(old) :]])
        return k

    def _continued(self, law: str, x: Tensor) -> Tensor:
        if self.scalars and self.scalars[0].law == law:
            old = self.scalars[0].x
            if old.shape[1:] == x.shape[1:] and old.dtype == x.dtype:
                self.scalars.pop(0)
                return torch.cat([old[: len(x)], x[len(old) :]])
        return x


def scale(policy: Policy, objective: Objective) -> Tensor:
    """E[(|c − E c| + |α| + |E c|/32)·max(|∇ log π|, 1)], flattened: the size of what cancels in a
    gradient. A constant in the cost is rounded in every term, and mostly the same way: it counts
    for less. A small ∇ log π may be a difference of numbers of size 1, as that of a rare category.
    """
    copies = rows(policy, 256)
    a = copies.sample(1, Noise(1, policy.like.device))
    with torch.enable_grad():
        score = row_gradients(copies.log_prob(a)[0], copies)
    cost = objective.cost(copies.detach(), a)[0].detach()
    mean = cost.mean(0)
    size = (cost - mean).abs() + torch.as_tensor(objective.alpha).to(cost).abs() + mean.abs() / 32
    sizes = {k: s.abs().clamp(min=1) for k, s in score.items()}
    return flat({k: (s.movedim(0, -1) * _like(size, s)).mean(-1) for k, s in sizes.items()})


def _like(size: Tensor, s: Tensor) -> Tensor:
    """[rows, *batch] -> [*batch, 1, …, rows], to go with s: [rows, *batch, …]."""
    return size.view(*size.shape, *(1,) * (s.ndim - size.ndim)).movedim(0, -1)
