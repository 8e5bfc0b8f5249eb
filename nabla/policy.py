"""A policy from numbers: made by its name, or changed, its parameters by theirs."""

import itertools
import math
from collections.abc import Mapping

import torch

from estimators import Policy
from estimators.foreign import load_object
from estimators.policies import POLICIES
from nabla.target import Numbers, Target, option


def make_policy(target: Target) -> Policy:
    """Of the kind that is named, or else: --mu … a Gaussian; with --logits (K numbers, mu K·d of
    them) a Mixture; logits alone a Categorical. A parameter of which nothing is said is 0."""
    given = target.parameters
    if target.policy:
        kind = named(target.policy)
        if not given:
            names = ", ".join(kind.shapes(1))
            raise ValueError(f"--policy {target.policy}: give --params, numbers for {names}")
    elif "mu" in given:
        kind = POLICIES["mixture" if "logits" in given else "gaussian"]
    elif "logits" in given:
        kind = POLICIES["categorical"]
    else:
        ways = "--mu (and --log-std), --logits, or both; or --policy and --params"
        raise ValueError(f"a Q of your own needs a policy: {ways}")
    dtype = getattr(torch, target.dtype)
    shapes = fitting(kind, given)
    return kind(**{n: _filled(given.get(n, (0.0,)), s, dtype) for n, s in shapes.items()})


def named(name: str) -> type[Policy]:
    """A policy of POLICIES, or somebody's as module:Class."""
    if ":" not in name:
        if name not in POLICIES:
            raise ValueError(f"unknown policy {name!r}; known: {', '.join(POLICIES)}")
        return POLICIES[name]
    kind = load_object(name)
    if not (isinstance(kind, type) and issubclass(kind, Policy)):
        raise ValueError(f"--policy: {name} is not a class of estimators.Policy")
    return kind


def fitting(kind: type[Policy], given: Mapping[str, Numbers]) -> dict[str, tuple[int, ...]]:
    """The shapes of the smallest policy of that kind that has these numbers of numbers.

    One number stands for all of its parameter. ValueError if there is none, with the first
    parameter that does not go with those before it.
    """
    known = kind.shapes(1)
    require_known(kind, known, given)
    sizes = range(1, 1 + max(len(numbers) for numbers in given.values()))
    policies = [kind.shapes(dim, components=k) for k, dim in itertools.product(sizes, sizes)]
    before: list[str] = []
    for name in (name for name in known if name in given):
        fits = [s for s in policies if len(given[name]) in (1, math.prod(s[name]))]
        if not fits:
            counts = sorted({1, *(math.prod(s[name]) for s in policies)})
            match = f" to match {' and '.join(map(option, before))}" if before else ""
            raise ValueError(
                f"{option(name)} takes {_numbers(counts)}{match}, got {len(given[name])}"
            )
        policies, before = fits, [*before, name]
    return policies[0]


def change_policy(policy: Policy, given: Mapping[str, Numbers]) -> Policy:
    """The policy with some of its parameters replaced: one number for all, or one each."""
    old = policy.parameters()
    require_known(type(policy), old, given)
    for name, numbers in given.items():
        if len(numbers) not in (1, old[name].numel()):
            counts = _numbers(sorted({1, old[name].numel()}))
            raise ValueError(f"{option(name)} takes {counts}, got {len(numbers)}")
    new = {n: _filled(numbers, old[n].shape, old[n].dtype) for n, numbers in given.items()}
    return policy.with_parameters({**old, **new})


def require_known(
    kind: type[Policy], known: Mapping[str, object], given: Mapping[str, Numbers]
) -> None:
    for name in given:
        if name not in known:
            raise ValueError(f"{option(name)}: a {kind.__name__} has {', '.join(known)}")


def _filled(numbers: Numbers, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """One number for all, or each its own."""
    size = math.prod(shape)
    return torch.tensor(numbers, dtype=dtype).expand(size).reshape(shape).clone()


def _numbers(counts: list[int]) -> str:
    """1 number; 1 or 3 numbers; 1, 2, 4, … numbers."""
    if len(counts) > 2:
        return f"{', '.join(map(str, counts[:4]))}, … numbers"
    return " or ".join(map(str, counts)) + " number" + "s" * (counts[-1] > 1)
