"""What is wrong with somebody's function, in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from estimators.checking.subjects import RAISED, NoGradient, WrongReturn
from estimators.quadrature import TooManyNodes


class Complaint(NamedTuple):
    """What is wrong, in one sentence, and the key of the diagnosis where there is one."""

    text: str
    key: str | None = None


class Fault(Exception):
    """What somebody's function did after the contract had passed it."""

    def __init__(self, complaint: Complaint) -> None:
        super().__init__(complaint.text)
        self.complaint = complaint


@contextmanager
def blamed(who: str = "it") -> Iterator[None]:
    """Whatever is raised inside is the fault of somebody's function."""
    try:
        yield
    except (Fault, TooManyNodes):
        raise
    except RAISED as error:
        raise Fault(raised(error, who)) from error


def raised(error: BaseException, who: str = "it") -> Complaint:
    why = " ".join(str(error).split())
    if isinstance(error, NoGradient):
        return Complaint(why, "missing_gradient")
    if isinstance(error, WrongReturn) or why.startswith(f"{who} must"):
        return Complaint(why)
    return Complaint(f"{who} raises {type(error).__name__}" + (f": {why}" if why else ""))
