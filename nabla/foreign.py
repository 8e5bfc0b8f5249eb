"""Code that is somebody else's may raise anything, and may leave: a finding, not a crash."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def attempt(f: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | Exception:
    """f(…), or what it raised; a sys.exit() of theirs is an error too."""
    try:
        return f(*args, **kwargs)
    except SystemExit as left:
        error = ValueError(f"what it ran called exit({left.code!r}), so it was left")
        return error.with_traceback(left.__traceback__)
    except Exception as error:
        return error


def told(error: Exception) -> str:
    """What an error says, in one line; its type where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def load_object(name: str) -> Any:
    """`module:attribute`, with the current directory on the path; or `path/to/file.py:attribute`,
    with the file's folder there."""
    module, _, attribute = name.rpartition(":")
    path = Path(module).absolute()
    of_file = path.suffix == ".py"
    folder = str(path.parent if of_file else Path.cwd())
    if of_file and not path.exists():
        raise ValueError(f"there is no file {module}")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    loaded = attempt(importlib.import_module, path.stem if of_file else module)
    if isinstance(loaded, Exception):
        why = f"{type(loaded).__name__}: {loaded}"
        raise ValueError(f"cannot import {module!r} from {folder}: {why}")
    if of_file and Path(str(loaded.__file__)).resolve() != path.resolve():
        raise ValueError(
            f"{module} has the name of another module, {loaded.__file__}: give it another one"
        )
    if not hasattr(loaded, attribute):
        raise ValueError(f"module {module!r} has no attribute {attribute!r}")
    return getattr(loaded, attribute)
