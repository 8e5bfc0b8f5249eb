"""`nabla estimators` and `nabla problems`: what there is, read off the catalogues themselves."""

import inspect

from nabla.table import render


def estimators(*, markdown: bool = False) -> None:
    """List the estimators with their gradients, the policies they are for, and their means.

    Args:
        markdown: print the table that stands in the README.
    """
    from estimators import CATALOGUE
    from nabla.catalogue import gradient, mean, policies

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
    from toy_problems import PROBLEMS

    for name, make in PROBLEMS.items():
        settings = inspect.signature(make).parameters.values()
        print(f"{name}: {inspect.cleandoc(make.__doc__ or '').splitlines()[0]}")
        print("    " + "  ".join(f"{s.name}={s.default:g}" for s in settings))
