"""`nabla estimators` and `nabla problems`: what there is, read off the catalogues themselves."""

import inspect
from functools import partial

from estimators import BIASED, CATALOGUE, Estimator
from nabla.table import render
from toy_problems import PROBLEMS


def estimators(*, markdown: bool = False) -> None:
    """List the estimators with their gradients, the policies they are for, and their means.

    Args:
        markdown: print the table that stands in the README.
    """
    names = list(dict.fromkeys(name for entries in CATALOGUE.values() for name in entries))
    rows = [[name, gradient(name), policies(name), mean(name)] for name in names]
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
