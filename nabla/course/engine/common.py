"""Slips that need no exercise: few digits, a sign, an order, a factor, a power, a logarithm, an
argument that is forgotten, squared, turned round or taken for another.

They are made from the right answer and from its arguments, so every formula has them; an exercise's
own slips are looked at first, for they can say more.
"""

import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nabla.course.engine.findings import Answer, attempt
from nabla.course.engine.values import MATCH, Parts, near, parts

Inputs = list[tuple[Any, ...]]
Known = tuple[str, tuple[str, ...]]
FEW_DIGITS = 1e-5  # how near a right answer comes in float32

OF_THE_ANSWER: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "square": (np.square, "It is the square of the right answer."),
    "root": (np.sqrt, "It is the square root of the right answer."),
    "upside_down": (np.reciprocal, "It is one over the right answer: upside down."),
    "logarithm": (np.log, "It is the logarithm of the right answer."),
    "exponential": (np.exp, "It is the exponential of the right answer: take its logarithm."),
    "rounded": (np.round, "It is the right answer, rounded: asked for is the number as it comes."),
    "rounded_up": (np.ceil, "It is the right answer, rounded up: asked for is the number itself."),
}
OF_AN_ARGUMENT: dict[str, tuple[Callable[[Any], Any], str]] = {
    "forgotten": (lambda x: 1 + 0 * x, "It is right for {x} = 1 only: where is {x}?"),
    "zero": (lambda x: 0 * x, "It is right for {x} = 0 only: what does {x} change?"),
    "turned": (lambda x: -x, "It is right for −{x} in the place of {x}: look at a sign."),
    "inverted": (lambda x: 1 / x, "It is right for 1/{x} in the place of {x}: above or below?"),
    "squared": (lambda x: x**2, "It is right for {x}² in the place of {x}: look at its power."),
    "rooted": (lambda x: x**0.5, "It is right for √{x} in the place of {x}: look at its power."),
    "taken_as_log": (np.exp, "It is right for exp({x}) in the place of {x}: is {x} a logarithm?"),
    "taken_as_exp": (np.log, "It is right for log {x} in the place of {x}: where is the log?"),
}


def common(got: list[Parts], expected: list[Parts]) -> Known | None:
    """What was done to the right answer."""
    pairs = list(zip(got, expected, strict=True))
    if all(near(g, e, FEW_DIGITS) for g, e in pairs):
        return "digits", (
            "Right to five digits and no more: is a number in it float32 (torch.tensor(0.1) is), "
            "or found by a search?",
        )
    if all(near(g, {k: -v for k, v in e.items()}, MATCH) for g, e in pairs):
        return "sign", ("The size is right. Look at the sign.",)
    for order in itertools.permutations(range(len(got[0]))):
        if all(near(g, dict(zip(e, _in(order, e), strict=True)), MATCH) for g, e in pairs):
            return "order", ("Every part is right, but not in the order that the docstring asks.",)
    flat = [[np.concatenate([v.ravel() for v in p.values()]) for p in pair] for pair in pairs]
    g, e = (np.concatenate([pair[i] for pair in flat]) for i in range(2))
    if e.size > 1 and np.isfinite(g).all() and e.any():
        factor = float(g @ e / (e @ e))
        if factor and np.allclose(g, factor * e, rtol=MATCH, atol=MATCH * abs(g).max()):
            return "factor", (f"It is the right answer times {factor:.4g}, for every input.",)
    with np.errstate(all="ignore"):
        for key, (of, hint) in OF_THE_ANSWER.items():
            made = of(e)
            if (
                np.isfinite(made).all()
                and np.ptp(made)
                and np.allclose(g, made, rtol=MATCH, atol=0)
            ):
                return key, (hint,)
    return None


def of_arguments(
    reference: Answer, inputs: Inputs, got: list[Parts], where: list[str]
) -> Known | None:
    """What was done to an argument, or which two were taken for each other."""
    if not any(v.any() for g in got for v in g.values()):
        return None  # zero is right in some case or other
    for key, hint, change in _changes(reference, inputs[0]):
        values = (attempt(reference, *change(list(x))) for x in inputs)
        with np.errstate(all="ignore"):
            if all(
                finding is None and near(g, {k: parts(value)[k] for k in where}, MATCH)
                for g, (value, finding) in zip(got, values, strict=True)
            ):
                return key, (hint,)
    return None


def _changes(
    reference: Answer, first: tuple[Any, ...]
) -> Iterator[tuple[str, str, Callable[[list[Any]], list[Any]]]]:
    names = list(inspect.signature(reference).parameters)
    real = [i for i, x in enumerate(first) if _is_real(x)]
    for i in real:
        for key, (of, hint) in OF_AN_ARGUMENT.items():
            yield key, hint.format(x=names[i]), lambda x, i=i, of=of: _with(x, i, of)  # type: ignore[misc]
    for i, j in itertools.combinations(real, 2):
        if np.shape(first[i]) == np.shape(first[j]):
            hint = f"It is right with {names[i]} and {names[j]} in each other's place."
            yield "swapped", hint, lambda x, i=i, j=j: _swapped(x, i, j)  # type: ignore[misc]


def _with(arguments: list[Any], i: int, of: Callable[[Any], Any]) -> list[Any]:
    x = arguments[i]
    with np.errstate(all="ignore"):
        made = of(x.numpy() if isinstance(x, Tensor) else np.asarray(x, dtype=float))
    arguments[i] = torch.as_tensor(made) if isinstance(x, Tensor) else made
    return arguments


def _swapped(arguments: list[Any], i: int, j: int) -> list[Any]:
    arguments[i], arguments[j] = arguments[j], arguments[i]
    return arguments


def _is_real(x: Any) -> bool:
    if isinstance(x, float):
        return True
    return isinstance(x, np.ndarray | Tensor) and "float" in str(x.dtype)


def _in(order: tuple[int, ...], e: Parts) -> list[np.ndarray]:
    return [list(e.values())[i] for i in order]
