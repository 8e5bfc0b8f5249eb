"""What a command is about, as its options say it. Nothing is loaded before it is asked for."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

Numbers = tuple[float, ...]
SQUASHED = ("squashed", "mlp")  # the catalogue's problems whose Q sees tanh u


@dataclass(frozen=True)
class Target:
    """A problem of the catalogue or anybody's Q, and what is to be changed of it."""

    problem: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="PROBLEM|Q")] = "report"
    """a name from `nabla problems`; or your own as module:name: a Q, mapping actions [..., d] to
    values [...] (then say the policy: --mu, --log-std, --logits, or --policy and --params); a
    toy_problems.Problem; or a function that makes one, with defaults for all its arguments."""
    set: tuple[str, ...] = ()
    """settings of the problem, or keyword arguments of your Q: name=number."""
    mu: Numbers = ()
    """means of the policy; of a mixture of K components in d dimensions K·d numbers, the first
    component's d first."""
    log_std: Numbers = ()
    """log standard deviations of the policy: as many as mu, or one for all (0 if none)."""
    logits: Numbers = ()
    """logits of the K components of a mixture (with --mu) or of the actions."""
    policy: str = ""
    """for a Q of your own: a policy by name (gaussian, mixture, categorical, …), or a Policy of
    your own as module:Class."""
    params: tuple[str, ...] = ()
    """parameters of the policy by their own names: name=number for all its numbers, or
    name=number,number,… (0 if none)."""
    alpha: float | None = None
    """temperature, the weight of log π (1 if none, with a Q of your own)."""
    squash: bool = False
    """take tanh of the actions."""
    low: Numbers = ()
    """low ends of the actions that Q takes, one number or one a coordinate: Q is given a in
    [low, high], the image of the policy's tanh u."""
    high: Numbers = ()
    """high ends."""
    dtype: Literal["float64", "float32"] = "float64"
    """of the policy."""
    device: str = "cpu"
    """where to compute, as torch names it."""

    def __post_init__(self) -> None:
        """ValueError on what makes no sense whatever the problem."""
        if self.alpha is not None and not math.isfinite(self.alpha):
            raise ValueError(f"alpha must be finite, got {self.alpha}")
        if bool(self.low) != bool(self.high):
            raise ValueError("--low and --high need each other")
        if len({1, len(self.low), len(self.high)} - {0}) > 2:
            raise ValueError(f"--low has {len(self.low)} numbers, --high {len(self.high)}")
        if not all(math.isfinite(high - low) and low < high for low, high in self.ranges):
            given = f"{said(self.low)} and {said(self.high)}"
            raise ValueError(f"--low must be less than --high, got {given}")
        self.settings, self.parameters  # noqa: B018 — they look at what they read

    @property
    def settings(self) -> dict[str, float]:
        """--set, read."""
        return {name: numbers[0] for name, numbers in _read("--set", self.set, most=1).items()}

    @property
    def parameters(self) -> dict[str, Numbers]:
        """What is said of the policy's parameters, by --mu, --log-std, --logits and --params."""
        short = {"mu": self.mu, "log_std": self.log_std, "logits": self.logits}
        given = {name: numbers for name, numbers in short.items() if numbers}
        named = _read("--params", self.params)
        for name in given.keys() & named.keys():
            raise ValueError(f"{option(name)} and --params {name}=… say the same: leave one out")
        return given | named

    @property
    def ranges(self) -> list[tuple[float, float]]:
        """(low, high) of each coordinate, or one for all; none without --low."""
        count = max(len(self.low), len(self.high))
        low, high = (ends * count if len(ends) == 1 else ends for ends in (self.low, self.high))
        return list(zip(low, high, strict=True))

    @property
    def squashed(self) -> bool:
        return self.squash or bool(self.low)

    @property
    def sees(self) -> str:
        """What Q is given: a, tanh u, or a in its range."""
        if self.low:
            ranges = " × ".join(f"[{low:g}, {high:g}]" for low, high in self.ranges)
            return f"Q sees a in {ranges}"
        return "Q sees tanh u" if self.squash or self.problem in SQUASHED else "Q sees a"

    @property
    def changes(self) -> list[str]:
        """What was not left alone, for the head of a report."""
        texts = [f"{name} = {said(numbers)}" for name, numbers in self.parameters.items()]
        texts += [] if self.alpha is None else [f"alpha = {self.alpha:g}"]
        return [*self.set, *texts]

    def only(self, command: str, **known: str) -> None:
        """ValueError if a command that knows one dtype, or device, is asked for another."""
        for name, value in known.items():
            if getattr(self, name) != value:
                given = getattr(self, name)
                raise ValueError(f"{command} works with --{name} {value} alone, got {given}")


def option(parameter: str) -> str:
    """The option that gives this parameter of a policy."""
    if parameter in ("mu", "log_std", "logits"):
        return f"--{parameter.replace('_', '-')}"
    return f"--params {parameter}"


def said(numbers: Numbers) -> str:
    return " ".join(f"{number:g}" for number in numbers)


def _read(what: str, texts: tuple[str, ...], most: int | None = None) -> dict[str, Numbers]:
    """name=number[,number…] of each text; at most so many numbers."""
    form = "name=number" if most == 1 else "name=number or name=number,number,…"
    read: dict[str, Numbers] = {}
    for text in texts:
        name, _, numbers = text.partition("=")
        try:
            read[name] = tuple(float(number) for number in numbers.split(","))
        except ValueError:
            raise ValueError(f"{what} takes {form}, got {text!r}") from None
        if most is not None and len(read[name]) > most:
            raise ValueError(f"{what} takes {form}, got {text!r}")
    return read
