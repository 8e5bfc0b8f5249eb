"""The command `nabla`. Bad input gets one sentence on stderr and exit status 2."""

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import tyro

from nabla.advise.command import advise
from nabla.catalogue import estimators, problems
from nabla.check import check
from nabla.claims.command import claims
from nabla.compare.command import compare
from nabla.doctor import doctor
from nabla.identities import identities
from nabla.map.command import map_
from nabla.reproduce.command import reproduce
from nabla.runs.probe import probe
from nabla.runs.train import evaluate, plot, train
from nabla.runs.watch import watch
from nabla.sweep.command import sweep
from nabla.sweep.report import report

COMMANDS: dict[str, Callable[..., Any]] = {
    "compare": compare,
    "check": check,
    "identities": identities,
    "estimators": estimators,
    "problems": problems,
    "map": map_,
    "advise": advise,
    "reproduce": reproduce,
    "train": train,
    "evaluate": evaluate,
    "plot": plot,
    "watch": watch,
    "probe": probe,
    "sweep": sweep,
    "report": report,
    "claims": claims,
    "doctor": doctor,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; NABLA_TRACEBACK=1 shows where an error came from."""
    warnings.showwarning = _warn
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _once(given)
        status = tyro.extras.subcommand_cli_from_dict(
            {name: _finished(command) for name, command in COMMANDS.items()},
            prog="nabla",
            description="Estimators of the gradient of E[α log π(a) − Q(a)]: compared, checked.",
            args=given,
        )
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


def _once(arguments: Sequence[str]) -> None:
    """ValueError if an option is given twice: the parser would forget its first values."""
    seen = set()
    for option in (a.partition("=")[0] for a in arguments if a.startswith("--")):
        if option.replace("_", "-") in seen:
            raise ValueError(f"{option} is given twice: say it once, with all its values")
        seen.add(option.replace("_", "-"))


def _finished(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command, for which somebody's sys.exit() is an error: the status is ours to give."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except SystemExit as error:
            raise ValueError(f"what it ran called exit({error.code!r}), so it was left") from error

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
