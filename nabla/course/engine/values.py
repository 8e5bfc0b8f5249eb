"""What an answer returns, as named arrays, compared and told in words."""

import inspect
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from nabla.course.engine.findings import Answer

Parts = dict[str, np.ndarray]
MATCH = 1e-7  # how near, relative to its size, an answer is to the slip that it is taken for


def parts(value: Any, label: str = "") -> Parts:
    """A value as named arrays of floats. TypeError or ValueError where it is no number."""
    if isinstance(value, Mapping):
        return {k: v for key in sorted(value) for k, v in parts(value[key], f"[{key!r}]").items()}
    if isinstance(value, tuple):
        return {k: v for i, p in enumerate(value) for k, v in parts(p, f"{label}[{i}]").items()}
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    return {label: np.asarray(value, dtype=float)}


def only(values: list[Parts], where: list[str]) -> list[Parts]:
    return [{k: v for k, v in value.items() if k in where} for value in values]


def regrouped(value: Any, expected: Parts) -> Any:
    """A list or an array where a tuple is expected is one, and the other way round."""
    if isinstance(value, tuple) and list(expected) == [""] and expected[""].ndim:
        return list(value) if len({np.shape(x) for x in value}) == 1 else value
    if isinstance(value, list) and _is_tuple(expected):
        return tuple(value)
    if isinstance(value, np.ndarray | Tensor) and value.ndim and _is_tuple(expected):
        return tuple(value)
    return value


def near(got: Parts, wanted: Parts, tolerance: float) -> bool:
    """Equal to `tolerance` of the largest entry, infinities and nans (of an overflow) and all."""
    if {k: v.shape for k, v in got.items()} != {k: v.shape for k, v in wanted.items()}:
        return False
    size = max((float(abs(v[np.isfinite(v)]).max(initial=0)) for v in wanted.values()), default=0)
    return all(
        np.allclose(got[k], w, rtol=0, atol=tolerance * (size or 1), equal_nan=True)
        for k, w in wanted.items()
    )


def shapes(value: Parts) -> str:
    if _is_tuple(value):
        return f"a tuple ({', '.join(_shape(v) for v in value.values())})"
    return ", ".join((f"{k}: " if k else "") + _shape(v) for k, v in value.items())


def _is_tuple(value: Parts) -> bool:
    return bool(value) and all(k[1:-1].isdigit() for k in value)


def _shape(v: np.ndarray) -> str:
    return f"an array {list(v.shape)}" if v.ndim else "a number"


def gap(got: Parts, wanted: Parts) -> float:
    """How far off, relative to the size of what is wanted; infinite where it is not finite."""
    gaps = [
        float(np.max(abs(got[k] - w) / (abs(w).max(initial=0) or 1), initial=0))
        for k, w in wanted.items()
    ]
    return max((math.inf if math.isnan(g) else g for g in gaps), default=0.0)


def difference(got: Parts, wanted: Parts) -> str:
    """The entry that is off by most, with as many digits as it takes to see it."""
    name = max(wanted, key=lambda k: gap({k: got[k]}, {k: wanted[k]}))
    mine, right = got[name], wanted[name]
    where = ""
    if right.ndim:
        off = np.where(np.isfinite(mine - right), abs(mine - right), np.inf)
        at = tuple(int(i) for i in np.unravel_index(int(off.argmax()), right.shape))
        mine, right = mine[at], right[at]
        where = f"[{', '.join(map(str, at))}]"
    for digits in range(4, 17):
        one, other = f"{float(mine):.{digits}g}", f"{float(right):.{digits}g}"
        if one != other:
            break
    entry = f"entry {name}{where} is" if name or where else "it gives"
    return f"{entry} {one}, not {other}"


def show(function: Answer, arguments: tuple[Any, ...]) -> str:
    """Its arguments by name, short enough for one line."""
    texts = []
    for name, x in zip(inspect.signature(function).parameters, arguments, strict=False):
        array = x.detach().numpy() if isinstance(x, Tensor) else x
        with np.printoptions(precision=3, threshold=6, edgeitems=2):
            number = isinstance(array, float) or (isinstance(array, np.ndarray) and not array.ndim)
            text = f"{float(array):.4g}" if number else " ".join(str(array).split())
        text = x.__name__ if inspect.isfunction(x) else text
        texts.append(f"{name} = {text if len(text) <= 60 else text[:57] + '…'}")
    return ", ".join(texts)
