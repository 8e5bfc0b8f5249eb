"""Problems as a command's target says them: the catalogue's, or anybody's Q, and one with settings
left open, which is what a map turns."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from estimators import Gaussian, Noise, Objective, Policy, squash
from estimators.foreign import load_object
from nabla.foreign import attempt
from nabla.policy import change_policy, make_policy
from nabla.target import SQUASHED, Target
from toy_problems import PROBLEMS, Problem, build

OWN_TEMPERATURE = "--alpha: {} has a temperature of its own, set it there"
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
        together = attempt(self._costs, {k: torch.tensor(v) for k, v in picks.items()})
        if isinstance(together, Exception):  # somebody's code, not made for tensors
            return False
        policy, a, cost = together
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

    def _costs(self, settings: Settings) -> tuple[Policy, Tensor, Tensor]:
        """Of three problems at once: the policy, four actions each [4, 3, d], what they cost."""
        policy, objective = self.batch(settings, 3)
        a = policy.sample(4, Noise())
        return policy, a, objective.cost(policy, a)


def load_problem(target: Target) -> Problem:
    """The one problem that the target says."""
    found = _found(target)
    if isinstance(found, Problem):
        if target.set:
            raise ValueError(f"--set: {target.problem} is one problem and has no settings")
        if target.alpha is not None:
            raise ValueError(OWN_TEMPERATURE.format(target.problem))
        problem = found
    else:
        problem = _family(target, found).at()
    if not _is_q(found):
        if target.policy:
            raise ValueError(f"--policy is for a Q of your own, {target.problem} has a policy")
        problem = replace(problem, policy=change_policy(problem.policy, target.parameters))
    return _moved(_ranged(problem, target), target)


def load_family(target: Target) -> Family:
    """A catalogue problem; or `module:function`, a Q or a function that makes a Problem.

    A Q's settings are alpha, its own keyword arguments and, for a Gaussian, mu and log_std (one
    number for all coordinates). A function that makes a Problem has no other arguments than
    settings, all with defaults.
    """
    target.only("map", dtype="float64", device="cpu")
    found = _found(target)
    if isinstance(found, Problem):
        raise ValueError(f"{target.problem} is one problem: a map needs a function of its settings")
    if not _is_q(found) and (target.parameters or target.policy):
        raise ValueError(f"{target.problem} has a policy of its own: change it by --set")
    family = _family(target, found)
    if not target.squashed:
        return family
    _ranged(family.at(), target)  # says now if it cannot
    return replace(family, make=lambda settings: _ranged(family.make(settings), target))


def _found(target: Target) -> Problem | Callable[..., Any]:
    """A problem, a function that makes one, or a Q."""
    if ":" not in target.problem:
        return partial(build, target.problem)
    found = load_object(target.problem)
    if not (callable(found) or isinstance(found, Problem)):
        kind = type(found).__name__
        raise ValueError(f"{target.problem} is neither a function nor a Problem but {kind}")
    return found


def _is_q(found: Any) -> bool:
    """Whether it needs arguments: a Q needs actions, what makes a problem has defaults for all."""
    if isinstance(found, Problem | partial):
        return False
    known = _arguments(found)
    return known is None or any(p.default is p.empty for p in known.values())


def _arguments(found: Callable[..., Any]) -> Mapping[str, inspect.Parameter] | None:
    """By name; None of what is built in."""
    try:
        return inspect.signature(found).parameters
    except (TypeError, ValueError):
        return None


def _family(target: Target, found: Callable[..., Any]) -> Family:
    """With the settings that the target gives a number."""
    name, given = target.problem, target.settings
    if target.alpha is not None:
        given = given | {"alpha": target.alpha}
    if isinstance(found, partial):
        found(**given)  # says what is wrong with them
        known = {k: p.default for k, p in inspect.signature(PROBLEMS[name]).parameters.items()}
        family = Family(name, lambda s: build(name, **s), known)
    else:
        family = _of_q(target, found) if _is_q(found) else _maker(name, found)
    for key in given:
        if key not in family.known:
            if key == "alpha":
                raise ValueError(OWN_TEMPERATURE.format(name))
            known_names = ", ".join(family.known) or "none"
            raise ValueError(f"--set: {name} has no setting {key!r}; it has {known_names}")
    numbers = {k: _like(k, family.known[k], v) for k, v in given.items()}
    return replace(family, known={**family.known, **numbers}, fixed=tuple(given))


def _like(name: str, default: Any, number: float) -> float | int:
    """The number, whole if the default is; ValueError rather than another number."""
    if not isinstance(default, int):
        return float(number)
    if number != number // 1:
        raise ValueError(f"{name} must be a whole number, got {number:g}")
    return type(default)(number)


def _maker(name: str, found: Callable[..., Any]) -> Family:
    def make(settings: Settings) -> Problem:
        problem = found(**settings)
        if not isinstance(problem, Problem):
            raise ValueError(
                f"{name} must return a toy_problems.Problem (or take actions as its first "
                f"argument, if it is a Q), got {type(problem).__name__}"
            )
        return problem

    return Family(name, make, {k: p.default for k, p in (_arguments(found) or {}).items()})


def _of_q(target: Target, Q: Callable[..., Any]) -> Family:
    policy = make_policy(target)
    require_dtype(target, Q, policy)
    others = [*(_arguments(Q) or {}).values()][1:]  # but for the actions
    own = {p.name: p.default for p in others if isinstance(p.default, float | int)}
    parts = policy.parameters() if isinstance(policy, Gaussian) else {}
    known: dict[str, float | int | None] = {"alpha": 1.0, **own, **dict.fromkeys(parts)}

    def make(settings: Settings) -> Problem:
        tensors = {k: v for k, v in settings.items() if isinstance(v, Tensor) and v.ndim}
        size = max((v.shape for v in tensors.values()), default=torch.Size([]))
        there = {k: p.expand(*size, *p.shape) for k, p in policy.parameters().items()}
        for k in parts:
            if settings.get(k) is not None:
                number = torch.as_tensor(settings[k], dtype=there[k].dtype)
                there[k] = number[..., None].expand(there[k].shape).clone()
        mine = {k: settings[k] for k in own}
        of_settings: Callable[[Tensor], Tensor] = partial(Q, **mine)
        batched = {k: v for k, v in mine.items() if k in tensors}
        if batched:
            each = torch.vmap(lambda a, k: Q(a, **{**mine, **k}), in_dims=(-2, 0), out_dims=-1)
            of_settings = lambda a: each(a, batched)  # noqa: E731
        return Problem(
            target.problem, policy.with_parameters(there), Objective(of_settings, settings["alpha"])
        )

    return Family(target.problem, make, known)


def require_dtype(target: Target, Q: Callable[..., Any], policy: Policy) -> None:
    """ValueError if Q refuses the policy's actions but takes them in single precision."""
    a = policy.sample(1, Noise())
    error = attempt(Q, a)
    if not isinstance(error, Exception) or isinstance(attempt(Q, a.float()), Exception):
        return  # all is well, or it is not that: the estimators will tell
    why = f"{target.problem} takes float32 actions alone ({error})"
    raise ValueError(
        f"{why}: give --dtype float32, or make it float64 (critic.double(), or a function, "
        "lambda a: critic(a.float()).double())"
    )


def _ranged(problem: Problem, target: Target) -> Problem:
    """The same Q of tanh u, or of a = c + h tanh u, c and h the middle and half of [low, high]:
    log π(a) = log π(u) − Σ_i log(h_i (1 − tanh² u_i)) is the log-density of the action Q sees."""
    if not target.squashed:
        return problem
    asked = "--low" if target.low else "--squash"
    if problem.name in SQUASHED:
        raise ValueError(f"{asked}: {problem.name} is squashed already")
    if problem.policy.discrete:
        raise ValueError(f"{asked} is for continuous actions, these are indices")
    objective = problem.objective
    if target.low:
        d = problem.policy.dim
        if len(target.ranges) not in (1, d):
            raise ValueError(f"--low takes 1 or {d} numbers, got {len(target.ranges)}")
        low, high = torch.tensor(target.ranges, dtype=torch.float64).expand(d, 2).T
        objective = _scaled(objective, (low + high) / 2, (high - low) / 2)
    return replace(problem, objective=squash(objective), value=None)


def _scaled(objective: Objective, centre: Tensor, half: Tensor) -> Objective:
    """Q(c + h t) + α Σ log h_i of t in [−1, 1]: the same objective, seen from t. c, h: [d]."""
    Q, alpha, log_det = objective.Q, objective.alpha, float(half.log().sum())
    return Objective(lambda t: Q(centre.to(t) + half.to(t) * t) + alpha * log_det, alpha)


def _moved(problem: Problem, target: Target) -> Problem:
    dtype = getattr(torch, target.dtype)
    moved = attempt(problem.policy.map, lambda p: p.to(target.device, dtype))
    if isinstance(moved, Exception):
        why = str(moved).splitlines()[0]
        raise ValueError(f"device {target.device!r} cannot be used: {why}")
    return replace(problem, policy=moved)
