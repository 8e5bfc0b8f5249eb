"""What is wrong with somebody's function, in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

from estimators.policies import TooManyNodes

RAISED = (Exception, SystemExit)  # by somebody's function: a finding, even sys.exit(0)


class Fault(Exception):
    """What is wrong, in one sentence, and the key of the diagnosis where there is one."""

    def __init__(self, text: str, key: str | None = None) -> None:
        super().__init__(text)
        self.key, self.complaint = key, (text, key)


@contextmanager
def blamed(who: str = "it") -> Iterator[None]:
    """Whatever is raised inside is the fault of somebody's function."""
    try:
        yield
    except TooManyNodes:
        raise
    except RAISED as error:
        raise raised(error, who) from error


def raised(error: BaseException, who: str = "it") -> Fault:
    if isinstance(error, Fault):
        return error
    why = " ".join(str(error).split())
    if why.startswith(f"{who} must"):
        return Fault(why)
    return Fault(f"{who} raises {type(error).__name__}" + (f": {why}" if why else ""))
