"""Everything around the mathematics: the command `nabla` and its figures."""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

_MOVED = {  # dotted paths that notebooks of earlier versions name
    "nabla.advising": "nabla.advise.advising",
    "nabla.candidates": "nabla.advise.candidates",
    "nabla.course.convert": "nabla.course.book.convert",
    "nabla.estimator_exercises": "nabla.course.engine.surrogates",
    "nabla.exercises": "nabla.course.engine",
    "nabla.grid": "nabla.map.grid",
    "nabla.mapfigure": "nabla.map.figure",
    "nabla.reproduction": "nabla.reproduce.reproduction",
    "nabla.winners": "nabla.map.winners",
    **{f"nabla.course.ex{i:02}": f"nabla.course.exercises.ex{i:02}" for i in range(14)},
    **{
        f"nabla.course.figures{i:02}": f"nabla.course.figures.fig{i:02}"
        for i in (1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 13)
    },
}


class _Moved(MetaPathFinder):
    """`estimators.moved`, imported when it is asked for: the command line starts without torch."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in _MOVED:
            return None
        from estimators.moved import Moved

        return Moved(_MOVED).find_spec(name)


sys.meta_path.append(_Moved())


def load(run: str | Path, best: bool = False, seed: int = 0) -> Any:
    """The policy of a run of `nabla train`: action = act(obs), as its environment has them, or
    act(obs, stochastic=True); of its best evaluation, or as it was at the last checkpoint."""
    from nabla.runs.acting import acting

    return acting(Path(run), best, seed)
