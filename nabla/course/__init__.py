"""What the notebooks import, and nothing else: exercises, sliders, claims, fast settings.

    from nabla.course import check_exercise, claim, fast, slider

`exercise(name)` finds an exercise in the files beside this one: ex05.EXERCISES holds those of
notebook 05, by name.
"""

import importlib
import pkgutil

from nabla.course.page import claim, fast, slider
from nabla.exercises import Exercise, check_exercise

__all__ = ["check_exercise", "claim", "exercise", "exercises", "fast", "slider"]


def exercises(number: str) -> dict[str, Exercise]:
    """The exercises of one notebook, by name: exercises("05")."""
    return importlib.import_module(f"nabla.course.ex{number}").EXERCISES


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
