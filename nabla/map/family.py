"""A problem with settings left open: what a map turns, one setting along each axis."""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from estimators import Noise, Objective, Policy
from nabla.target import (
    like,
    load_object,
    make_policy,
    parse_settings,
    require_dtype,
    squash_problem,
)
from toy_problems import PROBLEMS, Problem, build

Grid = dict[str, np.ndarray]  # the values along the two axes, x first
Settings = dict[str, Any]  # numbers, or tensors [B] for B problems at once


@dataclass(frozen=True)
class Family:
    """make(settings) builds the problem; known: the settings that may vary, with their defaults
    (None: as the policy was given, which may differ between coordinates)."""

    name: str
    make: Callable[[Settings], Problem]
    known: dict[str, float | int | None]
    fixed: tuple[str, ...] = ()  # those that were given a number

    def at(self, **settings: Any) -> Problem:
        return self.make({**self.known, **settings})

    def batch(self, settings: Settings, size: int) -> tuple[Policy, Objective]:
        """`size` problems at once, those settings being tensors [size]."""
        problem = self.at(**settings)
        policy = problem.policy
        if policy.batch == torch.Size([]):  # no setting that varies reaches the policy
            policy = policy.map(lambda p: p.expand(size, *p.shape))
        if policy.batch != torch.Size([size]):
            raise ValueError(f"{self.name} made a policy of batch {list(policy.batch)}")
        return policy, problem.objective

    def can_batch(self, axes: dict[str, np.ndarray]) -> bool:
        """Whether a batch of problems is what one by one they are, at three random places."""
        if any(isinstance(self.known[name], int) for name in axes):
            return False
        rng = np.random.default_rng(0)
        picks = {name: rng.choice(values, 3) for name, values in axes.items()}
        try:
            policy, objective = self.batch({k: torch.tensor(v) for k, v in picks.items()}, 3)
            a = policy.sample(4, Noise())  # [4, 3, d]
            cost = objective.cost(policy, a)
        except Exception:  # somebody's code, not made for tensors
            return False
        for i in range(3):
            one = self.at(**{k: float(v[i]) for k, v in picks.items()})
            mine = policy.map(lambda p, i=i: p[i])  # type: ignore[misc]
            pairs = zip(mine.parameters().values(), one.policy.parameters().values(), strict=True)
            if not all(p.shape == q.shape and torch.allclose(p, q.to(p)) for p, q in pairs):
                return False
            alone = one.objective.cost(one.policy, a[:, i])
            if not torch.allclose(cost[:, i], alone, rtol=1e-9, atol=1e-12):
                return False
        return True


def load_family(
    name: str,
    settings: Sequence[str] = (),
    mu: Sequence[float] = (),
    log_std: Sequence[float] = (),
    logits: Sequence[float] = (),
    alpha: float | None = None,
    squashed: bool = False,
) -> Family:
    """A catalogue problem; or `module:function`, a Q or a function that makes a Problem.

    A Q's settings are alpha, its own keyword arguments and, for a Gaussian, mu and log_std (one
    number for all coordinates). A function that makes a Problem has no other arguments than
    settings, all with defaults.
    """
    given = parse_settings(settings)
    if ":" not in name:
        if mu or log_std or logits:
            raise ValueError(f"{name} has a policy of its own: change it by --set")
        build(name, **given)
        known = {k: p.default for k, p in inspect.signature(PROBLEMS[name]).parameters.items()}
        family = Family(name, lambda s: build(name, **s), known)
    else:
        found = load_object(name)
        if isinstance(found, Problem):
            raise ValueError(f"{name} is one problem: a map needs a function of its settings")
        family = _own(name, found, mu, log_std, logits)
    fixed = {**given, **({} if alpha is None else {"alpha": alpha})}
    for key in fixed:
        if key not in family.known:
            raise ValueError(f"{name} has no setting {key!r}; it has {', '.join(family.known)}")
    numbers = {k: like(k, family.known[k], v) for k, v in fixed.items()}
    family = replace(family, known={**family.known, **numbers}, fixed=tuple(fixed))
    if squashed:
        squash_problem(family.at())  # says now if it cannot
        bare = family.make
        family = replace(family, make=lambda s: squash_problem(bare(s)))
    return family


def _own(
    name: str,
    found: Callable[..., Any],
    mu: Sequence[float],
    log_std: Sequence[float],
    logits: Sequence[float],
) -> Family:
    parameters = list(inspect.signature(found).parameters.values())
    if parameters and all(p.default is not p.empty for p in parameters):
        if mu or log_std or logits:
            raise ValueError(f"{name} makes a policy of its own: change it by --set")

        def build_own(s: Settings) -> Problem:
            problem = found(**s)
            if not isinstance(problem, Problem):
                raise ValueError(
                    f"{name} must return a toy_problems.Problem (or take actions as its first "
                    f"argument, if it is a Q), got {type(problem).__name__}"
                )
            return problem

        return Family(name, build_own, {p.name: p.default for p in parameters})
    policy = make_policy(mu, log_std, logits, torch.float64)
    require_dtype(name, found, policy, "a function, lambda a: critic(a.float()).double()")
    own = {p.name: p.default for p in parameters[1:] if isinstance(p.default, float | int)}
    free: dict[str, float | int | None] = {"alpha": 1.0, **own}
    parts = {k: p for k, p in policy.parameters().items() if k in ("mu", "log_std")}
    if not logits:
        free |= dict.fromkeys(parts)

    def from_q(s: Settings) -> Problem:
        tensors = {k: v for k, v in s.items() if isinstance(v, Tensor) and v.ndim}
        size = max((v.shape for v in tensors.values()), default=torch.Size([]))
        there = policy.map(lambda p: p.expand(*size, *p.shape))
        moved = {
            k: torch.as_tensor(s[k], dtype=torch.float64)[..., None].expand(*size, *p.shape).clone()
            for k, p in parts.items()
            if s.get(k) is not None
        }
        there = type(policy)(**{**there.parameters(), **moved})
        mine = {k: s[k] for k in own}
        Q: Callable[[Tensor], Tensor] = partial(found, **mine)
        batched = {k: v for k, v in mine.items() if k in tensors}
        if batched:
            each = torch.vmap(lambda a, k: found(a, **{**mine, **k}), in_dims=(-2, 0), out_dims=-1)
            Q = lambda a: each(a, batched)  # noqa: E731
        return Problem(name, there, Objective(Q, s["alpha"]))

    return Family(name, from_q, free)


def parse_axes(family: Family, texts: Sequence[str], count: int) -> tuple[Grid, dict[str, bool]]:
    """name=low:high[:log] -> the values along it; whole numbers for a setting that is one."""
    grid: Grid = {}
    logarithmic: dict[str, bool] = {}
    for text in texts:
        name, _, ends = text.partition("=")
        parts = ends.split(":")
        try:
            low, high = (float(p) for p in parts[:2])
        except ValueError:
            raise ValueError(
                f"an axis is name=low:high or name=low:high:log, got {text!r}"
            ) from None
        if parts[2:] not in ([], ["log"]):
            raise ValueError(f"an axis is name=low:high or name=low:high:log, got {text!r}")
        if name not in family.known:
            raise ValueError(
                f"{family.name} has no setting {name!r}; it has {', '.join(family.known)}"
            )
        if name in family.fixed:
            raise ValueError(f"{name} is an axis: it cannot be set to one number as well")
        if name in grid:
            raise ValueError(f"the two axes must differ, both are {name!r}")
        log = parts[2:] == ["log"]
        if not (math.isfinite(low) and math.isfinite(high) and low < high) or (log and low <= 0):
            raise ValueError(f"{name} must go from low to high (above 0 for log), got {ends!r}")
        values = np.geomspace(low, high, count) if log else np.linspace(low, high, count)
        if isinstance(family.known[name], int):
            values = np.unique(np.round(values).astype(int))
        grid[name], logarithmic[name] = values, log
    return grid, logarithmic
