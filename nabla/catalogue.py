"""Estimators by name: those that apply, and what each says of its gradient and its mean."""

import inspect
from collections.abc import Sequence
from functools import partial

from estimators import BIASED, CATALOGUE, Estimator, Policy
from nabla.foreign import load_object


def pick_estimators(policy: Policy, names: Sequence[str]) -> dict[str, Estimator]:
    """The catalogue's estimators for this policy, all or the named ones, or `module:function`."""
    mine = next((CATALOGUE[k] for k in type(policy).__mro__ if k in CATALOGUE), {})
    every = {name: e for entries in CATALOGUE.values() for name, e in entries.items()}
    if not names and not mine:
        raise ValueError(f"no estimator is known to apply to a {type(policy).__name__}: name some")
    picked: dict[str, Estimator] = {}
    for name in names or mine:
        if ":" in name:
            picked[name] = load_object(name)
        elif name in every:
            picked[name] = mine.get(name, every[name])  # one that does not apply says so itself
        else:
            raise ValueError(f"unknown estimator {name!r}; known: {', '.join(every)}")
    return picked


def find(name: str) -> Estimator:
    return next(entries[name] for entries in CATALOGUE.values() if name in entries)


def documentation(name: str) -> list[str]:
    function = find(name)
    while isinstance(function, partial):
        function = function.func
    return inspect.cleandoc(function.__doc__ or "").splitlines()


def gradient(name: str) -> str:
    """The first line of the docstring, with that of the baseline that is filled in."""
    estimator, equation = find(name), documentation(name)[0].removesuffix(".")
    if isinstance(estimator, partial) and "baseline" in estimator.keywords:
        baseline = inspect.cleandoc(estimator.keywords["baseline"].__doc__)
        equation += ",  " + baseline.splitlines()[0].split(". ")[0].removesuffix(".")
    return equation


def policies(name: str) -> str:
    return ", ".join(kind.__name__ for kind, entries in CATALOGUE.items() if name in entries)


def mean(name: str) -> str:
    if name in BIASED:
        return f"biased: {BIASED[name]}"
    text = " ".join(documentation(name))
    sentence = text[text.index("Unbiased") :].split(". ")[0].rstrip(".")
    return sentence[0].lower() + sentence[1:]
