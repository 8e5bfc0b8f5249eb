"""What an estimator says of itself: its gradient, the policies that it is for, its mean."""

import inspect
from functools import partial

from estimators import BIASED, CATALOGUE, Estimator


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
