"""The exercises, a file for each notebook: ex05.EXERCISES holds those of notebook 05, by name."""

import importlib
import pkgutil

from nabla.course.engine.findings import Exercise
from nabla.course.engine.predictions import Prediction


def exercises(number: str) -> dict[str, Exercise]:
    """The exercises of one notebook, by name: exercises("05")."""
    return importlib.import_module(f"{__name__}.ex{number}").EXERCISES


def numbers() -> list[str]:
    """The notebooks that have exercises: ["05", …]."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name.removeprefix("ex") for name in found if name.startswith("ex"))


def exercise(name: str) -> Exercise:
    """The exercise of that name; ValueError lists the known ones."""
    known = {n: e for number in numbers() for n, e in exercises(number).items()}
    if name not in known:
        raise ValueError(f"unknown exercise {name!r}; known: {', '.join(known)}")
    return known[name]


def prediction(name: str) -> Prediction:
    """The prediction of that name; ValueError lists the known ones."""
    known: dict[str, Prediction] = {}
    for number in numbers():
        book = importlib.import_module(f"{__name__}.ex{number}")
        known |= getattr(book, "PREDICTIONS", {})
    if name not in known:
        raise ValueError(f"unknown prediction {name!r}; known: {', '.join(known)}")
    return known[name]
