"""`nabla estimators` and `nabla problems`: what there is, read off the catalogues themselves."""

import inspect
from functools import partial
from typing import Any

from estimators import CATALOGUE, Entry, Estimator
from nabla.table import render
from toy_problems import PROBLEMS


def estimators(*, markdown: bool = False) -> None:
    """List the estimators with their gradients, the policies they are for, and their means.

    Args:
        markdown: print the table that stands in the README.
    """
    every = {name: e for entries in reversed(CATALOGUE.values()) for name, e in entries.items()}
    names = dict.fromkeys(name for entries in CATALOGUE.values() for name in entries)
    rows = [[name, gradient(every[name]), policies(name), mean(every[name])] for name in names]
    header = ["estimator", "gradient", "policies", "mean"]
    if markdown:
        print("| " + " | ".join(header) + " |\n|" + "---|" * len(header))
        for name, *rest in rows:
            print("| " + " | ".join([f"`{name}`", *(c.replace("|", "\\|") for c in rest)]) + " |")
    else:
        print(render(header, rows))


def problems() -> None:
    """List the toy problems with their settings; set one with --set name=value."""
    for name, make in PROBLEMS.items():
        settings = inspect.signature(make).parameters.values()
        print(f"{name}: {inspect.cleandoc(make.__doc__ or '').splitlines()[0]}")
        print("    " + "  ".join(f"{s.name}={s.default:g}" for s in settings))


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
