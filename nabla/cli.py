"""The command `nabla`. Bad input gets one sentence on stderr and exit status 2.

A command's module imports nothing heavy before its function runs: help, and bad input where it can
be told without computing, are answered at once.
"""

import importlib
import inspect
import os
import sys
import tomllib
import warnings
from collections.abc import Callable, Sequence
from functools import partial, wraps
from pathlib import Path
from typing import Any

from nabla.foreign import attempt

ABOUT = "Estimators of the gradient of E[α log π(a) − Q(a)]: compared, checked."
COMMANDS: dict[str, str] = {  # module:function, whose docstring is the help
    "compare": "nabla.compare.command:compare",
    "check": "nabla.check:check",
    "identities": "nabla.identities:identities",
    "estimators": "nabla.lists:estimators",
    "problems": "nabla.lists:problems",
    "map": "nabla.map.command:map_",
    "advise": "nabla.advise.command:advise",
    "reproduce": "nabla.reproduce.command:reproduce",
    "train": "nabla.runs.train:train",
    "evaluate": "nabla.runs.train:evaluate",
    "plot": "nabla.runs.train:plot",
    "watch": "nabla.runs.watch:watch",
    "probe": "nabla.runs.probe:probe",
    "sweep": "nabla.sweep.command:sweep",
    "report": "nabla.sweep.report:report",
    "claims": "nabla.claims.command:claims",
    "doctor": "nabla.doctor:doctor",
    "course": "nabla.progress:course",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; NABLA_TRACEBACK=1 shows where an error came from."""
    warnings.showwarning = _warn
    try:
        status = run(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)  # 128 + SIGPIPE, as other programs: 1 is an answer of `nabla check`
    except (ValueError, TypeError, OSError) as error:
        _fail(str(error))
    except Exception as error:  # somebody's own Q may raise anything
        _fail(f"{type(error).__name__}: {error}")
    sys.exit(status)


def run(arguments: Sequence[str]) -> Any:
    """The command that is named first, with the rest of the arguments: its exit status."""
    name, *rest = arguments or [""]
    if name in ("-h", "--help"):
        print(_help())
        return 0
    if name not in COMMANDS:
        said = f"unknown command {name!r}" if name else "say what to do"
        raise ValueError(f"{said}: {', '.join(COMMANDS)} (nabla --help tells them apart)")
    import tyro

    _once(rest)
    function = _with_file(command(name), rest)
    return tyro.cli(function, prog=f"nabla {name}", args=rest)


def command(name: str) -> Callable[..., Any]:
    module, _, function = COMMANDS[name].partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


def _help() -> str:
    """Each command with the first line of its docstring."""
    told = {name: (inspect.getdoc(command(name)) or "").split("\n")[0] for name in COMMANDS}
    usage = "usage: nabla COMMAND …; nabla COMMAND --help tells its arguments"
    return "\n".join(
        [usage, "", ABOUT, "", *(f"  {name:<11}{line}" for name, line in told.items())]
    )


def _once(arguments: Sequence[str]) -> None:
    """ValueError if an option is given twice: the parser would forget its first values."""
    seen = set()
    for option in (a.partition("=")[0] for a in arguments if a.startswith("--")):
        if option.replace("_", "-") in seen:
            raise ValueError(f"{option} is given twice: say it once, with all its values")
        seen.add(option.replace("_", "-"))


def _with_file(function: Callable[..., Any], arguments: Sequence[str]) -> Callable[..., Any]:
    """--config FILE: the settings in it are the defaults of those that are not given."""
    settings = inspect.signature(function).parameters.get("settings")
    words = [word for a in arguments for word in a.split("=", 1)]
    if settings is None or "--config" not in words[:-1]:
        return _finished(function)
    file = Path(words[words.index("--config") + 1])
    try:
        defaults = type(settings.default).of(tomllib.loads(file.read_text()))
    except OSError as error:
        raise ValueError(f"cannot read the settings {file}: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    return partial(_finished(function), settings=defaults)


def _finished(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command, for which somebody's sys.exit() is an error: the status is ours to give."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        status = attempt(command, *args, **kwargs)
        if isinstance(status, Exception):
            raise status
        return status

    return run


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    print("nabla: " + " ".join(str(message).split()), file=sys.stderr)


def _fail(message: str) -> None:
    if os.environ.get("NABLA_TRACEBACK"):
        raise
    print("nabla: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
