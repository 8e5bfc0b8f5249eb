"""Estimators by name: those that apply, and what each says of its gradient and its mean."""

import inspect
import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from estimators import (
    CATALOGUE,
    POLICIES,
    Categorical,
    Entry,
    Estimator,
    Gaussian,
    Policy,
    Product,
)
from estimators.catalogue import applicable, row
from estimators.foreign import load_object


def pick_estimators(policy: Policy, names: Sequence[str] = ()) -> dict[str, Estimator]:
    """The catalogue's estimators for this policy, all or the named ones, or `module:function`."""
    mine, _ = applicable(policy)
    picked: dict[str, Estimator] = {}
    for name in names or mine:
        entry = mine.get(name) or row(name)  # one that does not apply says so itself
        if ":" in name:
            picked[name] = load_object(name)
        elif entry is not None:
            picked[name] = entry
        else:
            every = dict.fromkeys(name for rows in CATALOGUE.values() for name in rows)
            raise ValueError(f"unknown estimator {name!r}; known: {', '.join(every)}")
    return picked


def lacking(policy: Policy) -> dict[str, str]:
    """The estimators that this policy has not got what they need for, and what."""
    return applicable(policy)[1]


def documentation(entry: Entry) -> list[str]:
    return (inspect.getdoc(_function(entry)) or "").splitlines()


def _function(estimator: Estimator) -> Any:
    """Without the options that are filled in."""
    while isinstance(estimator, partial | Entry):
        estimator = estimator.func if isinstance(estimator, partial) else estimator.function
    return estimator


def gradient(entry: Entry) -> str:
    """The first line of the docstring, with that of the baseline that is filled in."""
    equation = documentation(entry)[0].removesuffix(".")
    if isinstance(entry.function, partial) and "baseline" in entry.function.keywords:
        baseline = inspect.cleandoc(entry.function.keywords["baseline"].__doc__)
        equation += ",  " + baseline.splitlines()[0].split(". ")[0].removesuffix(".")
    return equation


def examples() -> list[Policy]:
    """One policy of each kind, in two dimensions or over two actions; of a Product a hybrid one."""
    kinds = POLICIES.values()
    sizes = [sum(map(math.prod, kind.shapes(2).values())) for kind in kinds]
    each = [k.from_numbers(torch.zeros(s), 2) for k, s in zip(kinds, sizes, strict=True)]
    gear, push = Categorical(torch.zeros(2)), Gaussian(torch.zeros(1), torch.zeros(1))
    return [*each, Product(gear=gear, push=push)]


def policies(name: str) -> str:
    return ", ".join(type(p).__name__ for p in examples() if name in applicable(p)[0])


def mean(entry: Entry) -> str:
    if entry.bias:
        return f"biased: {entry.bias}"
    text = " ".join(documentation(entry))
    sentence = text[text.index("Unbiased") :].split(". ")[0].rstrip(".")
    return sentence[0].lower() + sentence[1:]
