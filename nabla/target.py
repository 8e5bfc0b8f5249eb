"""The problem a command is about: one from the catalogue, or anybody's Q as `module:function`."""

import importlib
import inspect
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from estimators import (
    CATALOGUE,
    Categorical,
    Estimator,
    Gaussian,
    Mixture,
    Noise,
    Objective,
    Policy,
    squash,
)
from toy_problems import Problem, build


def load_problem(
    name: str,
    settings: Sequence[str] = (),
    mu: Sequence[float] = (),
    log_std: Sequence[float] = (),
    logits: Sequence[float] = (),
    alpha: float | None = None,
    squashed: bool = False,
    dtype: torch.dtype = torch.float64,
) -> Problem:
    """A catalogue problem or `module:function`, with its policy and temperature replaced."""
    if alpha is not None and not math.isfinite(alpha):
        raise ValueError(f"alpha must be finite, got {alpha}")
    if ":" in name:
        found: Problem | Callable[..., Any] = load_object(name)
        if not isinstance(found, Problem) and makes_a_problem(found):
            found = called(found, name, parse_settings(settings))
        elif settings:
            raise ValueError(f"--set is for the catalogue's problems, {name} is not one")
        if isinstance(found, Problem):
            if alpha is not None:
                raise ValueError(f"--alpha: {name} has a temperature of its own, set it there")
            problem = found
        else:
            policy = make_policy(mu, log_std, logits, dtype)
            require_dtype(name, found, policy, "--dtype float32")
            problem = Problem(name, policy, Objective(found, 1.0 if alpha is None else alpha))
            mu = log_std = logits = ()
    else:
        given = parse_settings(settings)
        problem = build(name, **given if alpha is None else {**given, "alpha": alpha})
    if mu or log_std or logits:
        problem = replace(problem, policy=change_policy(problem.policy, mu, log_std, logits))
    if squashed:
        problem = squash_problem(problem)
    return replace(problem, policy=problem.policy.map(lambda p: p.to(dtype)))


def squash_problem(problem: Problem) -> Problem:
    """The same Q of the tanh of the actions, where that makes sense."""
    if problem.name in ("squashed", "mlp"):
        raise ValueError(f"{problem.name} is squashed already")
    if isinstance(problem.policy, Categorical):
        raise ValueError("--squash is for continuous actions, these are indices")
    return replace(problem, objective=squash(problem.objective), value=None)


def load_object(name: str) -> Callable[..., Any]:
    """`module:attribute`, with the current directory on the path."""
    module, _, attribute = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        loaded = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # it is somebody's file, and may raise anything
        why = f"{type(error).__name__}: {error}"
        raise ValueError(f"cannot import {module!r} from {os.getcwd()}: {why}") from None
    if not hasattr(loaded, attribute):
        raise ValueError(f"module {module!r} has no attribute {attribute!r}")
    found = getattr(loaded, attribute)
    if not (callable(found) or isinstance(found, Problem)):
        raise ValueError(f"{name} is neither a function nor a Problem but {type(found).__name__}")
    return found


def require_dtype(name: str, Q: Callable[..., Any], policy: Policy, instead: str) -> None:
    """ValueError if Q refuses the policy's actions but takes them in single precision."""
    a = policy.sample(1, Noise())
    try:
        Q(a)
    except Exception as error:
        try:
            Q(a.float())
        except Exception:  # it is not that: the estimators will tell
            return
        why = f"{name} takes float32 actions alone ({error})"
        raise ValueError(f"{why}: give {instead}, or make it float64 (critic.double())") from None


def makes_a_problem(found: Any) -> bool:
    """Whether it can be called without arguments: a Q cannot, it needs actions."""
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):  # built in
        return False
    return all(p.default is not p.empty for p in parameters)


def called(found: Callable[..., Any], name: str, settings: dict[str, float]) -> Problem:
    known = inspect.signature(found).parameters
    for key in settings:
        if key not in known:
            raise ValueError(f"{name} has no setting {key!r}; it has {', '.join(known) or 'none'}")
    problem = found(**{k: like(k, known[k].default, v) for k, v in settings.items()})
    if not isinstance(problem, Problem):
        raise ValueError(
            f"{name} must return a toy_problems.Problem (or take actions as its first "
            f"argument, if it is a Q), got {type(problem).__name__}"
        )
    return problem


def like(name: str, default: Any, number: float) -> float | int:
    """The number, whole if the default is; ValueError rather than another number."""
    if not isinstance(default, int):
        return float(number)
    if number != number // 1:
        raise ValueError(f"{name} must be a whole number, got {number:g}")
    return type(default)(number)


def make_policy(
    mu: Sequence[float], log_std: Sequence[float], logits: Sequence[float], dtype: torch.dtype
) -> Policy:
    """--mu … a Gaussian; with --logits (K numbers, mu K·d of them) a Mixture; logits alone a
    Categorical. log_std: as many as mu, or one for all, or none for 0."""
    if not mu and not logits:
        raise ValueError("a Q of your own needs a policy: --mu (and --log-std), --logits, or both")
    if not mu:
        return Categorical(torch.tensor(logits, dtype=dtype))
    m = torch.tensor(mu, dtype=dtype)
    if len(log_std) not in (0, 1, len(mu)):
        raise ValueError(f"--log-std takes {_numbers(len(mu))} to match --mu, got {len(log_std)}")
    s = torch.tensor(log_std or [0.0], dtype=dtype).expand(len(mu)).clone()
    if not logits:
        return Gaussian(m, s)
    if len(mu) % len(logits):
        raise ValueError(
            f"--mu needs K·d numbers for the K = {len(logits)} components of --logits, "
            f"got {len(mu)}"
        )
    shape = (len(logits), -1)
    return Mixture(torch.tensor(logits, dtype=dtype), m.view(shape), s.view(shape))


def change_policy(
    policy: Policy, mu: Sequence[float], log_std: Sequence[float], logits: Sequence[float]
) -> Policy:
    """The policy with some of its parameters replaced: one number for all, or one each."""
    parameters = policy.parameters()
    for name, given in {"mu": mu, "log_std": log_std, "logits": logits}.items():
        if not given:
            continue
        if name not in parameters:
            raise ValueError(
                f"--{name.replace('_', '-')}: a {type(policy).__name__} has {', '.join(parameters)}"
            )
        old = parameters[name]
        if len(given) not in (1, old.numel()):
            raise ValueError(
                f"--{name.replace('_', '-')} takes {_numbers(old.numel())}, got {len(given)}"
            )
        parameters[name] = (
            torch.tensor(given, dtype=old.dtype).expand(old.numel()).reshape(old.shape)
        )
    return type(policy)(**parameters)


def parse_settings(settings: Sequence[str]) -> dict[str, float]:
    numbers = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        try:
            numbers[key] = float(text)
        except ValueError:
            equals = ""
        if not equals:
            raise ValueError(f"--set takes name=number, got {setting!r}")
    return numbers


def pick_estimators(policy: Policy, names: Sequence[str]) -> dict[str, Estimator]:
    """The catalogue's estimators for this policy, all or the named ones, or `module:function`."""
    mine = CATALOGUE[type(policy)]
    every = {name: e for entries in CATALOGUE.values() for name, e in entries.items()}
    picked: dict[str, Estimator] = {}
    for name in names or mine:
        if ":" in name:
            picked[name] = load_object(name)
        elif name in every:
            picked[name] = mine.get(name, every[name])  # one that does not apply says so itself
        else:
            raise ValueError(f"unknown estimator {name!r}; known: {', '.join(every)}")
    return picked


def _numbers(most: int) -> str:
    return "1 number" if most == 1 else f"1 or {most} numbers"
