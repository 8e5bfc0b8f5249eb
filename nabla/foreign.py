"""Code that is somebody else's may raise anything, and may leave: a finding, not a crash."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

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
