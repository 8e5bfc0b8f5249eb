"""Estimators by name: those that apply, and what each says of its gradient and its mean."""

import inspect
from collections.abc import Sequence
from functools import partial
from typing import Any

from estimators import CATALOGUE, Entry, Estimator, Policy
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


def policies(name: str) -> str:
    return ", ".join(kind.__name__ for kind, entries in CATALOGUE.items() if name in entries)


def mean(entry: Entry) -> str:
    if entry.bias:
        return f"biased: {entry.bias}"
    text = " ".join(documentation(entry))
    sentence = text[text.index("Unbiased") :].split(". ")[0].rstrip(".")
    return sentence[0].lower() + sentence[1:]
