"""Entries of a parameter that get no gradient in any draw: cut off by a clamp or a ReLU.

That is seen, not guessed: the other entries do not matter, and a σ that is cut may move them too.
"""

from collections.abc import Mapping

from torch import Tensor

from estimators.checking.measured import FITS, Measured
from estimators.gradients import labels, unflatten


def unfelt(measured: Measured, never: Tensor, parameters: Mapping[str, Tensor]) -> str | None:
    """A sentence about the entries that should have a gradient and have none. never: [p], whether
    that by an entry was zero in every draw."""
    never = never & (measured.bias.abs() > FITS * measured.error)
    if not never.any():
        return None
    names = [
        name for name, zero in zip(labels(dict(parameters)), never.tolist(), strict=True) if zero
    ]
    parts = unflatten(never, {name: tuple(p.shape) for name, p in parameters.items()})
    where = {name: _look_for(p, parts[name]) for name, p in parameters.items() if parts[name].any()}
    look = " and ".join(f"{what} on {name} or what is made of it" for name, what in where.items())
    verb = "gets" if len(names) == 1 else "get"
    return f"{', '.join(names)} {verb} no gradient: look for {look}, before the action is drawn"


def _look_for(p: Tensor, never: Tensor) -> str:
    """By where the entries lie that get none."""
    cut, felt = p[never], p[~never]
    if felt.numel() and bool(cut.min() > felt.max()):
        return ".clamp( to a maximum"
    if felt.numel() and bool(cut.max() < felt.min()):
        relu = "a ReLU or " if bool(cut.max() <= 0) else ""
        return f"{relu}.clamp( to a minimum"
    return ".clamp(, a ReLU or .detach()"
