"""Functions that are called with what they ask for, by name."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from estimators.checking.subjects import NotCheckable, name_of


def asked(function: Any, known: Mapping[str, str], needs: tuple[str, ...] = ()) -> list[str]:
    """Which of the known arguments {name: what it is} it names. NotCheckable if it needs others,
    or names none of `needs`."""
    name = name_of(function)
    if not callable(function):
        raise NotCheckable(f"{name} cannot be checked: it is no function")
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        raise NotCheckable(f"{name} does not tell its arguments: wrap it in a def") from None
    named = [p.name for p in parameters]
    starred = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    required = [p.name for p in parameters if p.default is p.empty and p.kind not in starred]
    unknown = [n for n in required if n not in known]
    if unknown or (needs and not set(needs) & set(named)):
        wrong = f"asks for {', '.join(unknown)}" if unknown else f"takes no {' or '.join(needs)}"
        raise NotCheckable(
            f"{name} {wrong}: its arguments are found by name, among "
            + ", ".join(f"{n} ({what})" for n, what in known.items())
        )
    return [n for n in named if n in known]


def called_as(function: Any, names: Sequence[str], given: Mapping[str, Any]) -> str:
    """How it was called, for somebody whose function expected something else."""
    shapes = [f"{n} {list(given[n].shape)}" if hasattr(given[n], "shape") else n for n in names]
    return f"; it was called as {name_of(function)}({', '.join(shapes)})"
