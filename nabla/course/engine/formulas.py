"""Exercises whose answer is a plain function: random inputs, compared with a reference.

to do → shape → value → done
"""

import inspect
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from nabla.course.engine.findings import Answer, Finding, Slip, attempt

Parts = dict[str, np.ndarray]
MATCH = 1e-7  # how near, relative to its size, an answer is to the slip that it is taken for
FEW_DIGITS = 1e-5  # how near a right answer comes in float32


@dataclass(frozen=True)
class Formula:
    """An exercise whose answer is a plain function: random inputs, compared with a reference.

    reference: the right function. inputs: seed -> its arguments. tested: what is compared, a
    sentence. slips: known wrong answers by key. tolerance: relative to the size of the answer.
    Numbers, arrays, tensors, and tuples or dicts of them may be returned.
    """

    reference: Answer
    inputs: Callable[[int], tuple[Any, ...]]
    tested: str
    slips: Mapping[str, Slip]
    trials: int = 8
    tolerance: float = 1e-9
    steps: tuple[str, ...] = ("to do", "shape", "value", "done")

    def examine(self, answer: Answer) -> Finding:
        got: list[Parts] = []
        expected = [parts(self.reference(*self.inputs(i))) for i in range(self.trials)]
        for i in range(self.trials):
            value, finding = attempt(answer, *self.inputs(i))
            if finding is None:
                got_parts, finding = self._parts(value, expected[i])
            if finding is not None:
                return finding
            got.append(got_parts)
        right = [near(g, e, self.tolerance) for g, e in zip(got, expected, strict=True)]
        if all(right):
            return Finding("done", "")
        wrong = self._wrong(got, expected)
        key, hints = (
            self._known(got, list(expected[0]))
            or _common(got, expected)
            or self._known(got, wrong)
            or _common(only(got, wrong), only(expected, wrong))
            or (None, ())
        )
        text = f"wrong for {self.trials - sum(right)} of {self.trials} inputs"
        if len(wrong) < len(expected[0]):
            good = ", ".join(k for k in expected[0] if k not in wrong)
            text += f"; part {good} is right"
        if not all(np.isfinite(x).all() for g in got for x in g.values()):
            text += "; it returns numbers that are not finite"
        if key is None:
            i = right.index(False)
            text += f"; the first: {show(self.inputs(i))}"
            text += f" gives {show(tuple(got[i].values()))}"
            text += f" in the place of {show(tuple(expected[i].values()))}"
        return Finding("value", text, key, hints)

    def _wrong(self, got: list[Parts], expected: list[Parts]) -> list[str]:
        """The parts that are not right for every input."""
        return [
            k
            for k in expected[0]
            if not all(
                near({k: g[k]}, {k: e[k]}, self.tolerance)
                for g, e in zip(got, expected, strict=True)
            )
        ]

    def _parts(self, value: Any, expected: Parts) -> tuple[Parts, Finding | None]:
        try:
            got = parts(_regrouped(value, expected))
        except (TypeError, ValueError) as error:
            return {}, Finding("shape", f"it must return {shapes(expected)}: {error}")
        if {k: v.shape for k, v in got.items()} != {k: v.shape for k, v in expected.items()}:
            text = f"it must return {shapes(expected)}, got {shapes(got)}"
            return {}, Finding("shape", text, *self._misshapen(got))
        return got, None

    def _misshapen(self, got: Parts) -> tuple[str | None, tuple[str, ...]]:
        """A slip may have the wrong shape, too: then the shape alone tells it."""
        for key, slip in self.slips.items():
            value, finding = attempt(slip.answer, *self.inputs(0))
            if finding is None and near(got, parts(value), MATCH):
                return key, slip.hints
        return None, ()

    def _known(self, got: list[Parts], where: list[str]) -> tuple[str, tuple[str, ...]] | None:
        """The first slip that agrees with the answer in those parts, for every input."""
        mine = only(got, where)
        for key, slip in self.slips.items():
            values = [attempt(slip.answer, *self.inputs(i)) for i in range(self.trials)]
            if all(
                finding is None and near(g, only([parts(value)], where)[0], MATCH)
                for g, (value, finding) in zip(mine, values, strict=True)
            ):
                return key, slip.hints
        return None


def _common(got: list[Parts], expected: list[Parts]) -> tuple[str, tuple[str, ...]] | None:
    """Slips that need no exercise: few digits, the sign, the order, a constant factor."""
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
    return None


def _in(order: tuple[int, ...], e: Parts) -> list[np.ndarray]:
    return [list(e.values())[i] for i in order]


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


def _regrouped(value: Any, expected: Parts) -> Any:
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


def show(arguments: tuple[Any, ...]) -> str:
    """Arguments, short enough for one line."""
    texts = []
    for x in arguments:
        array = x.detach().numpy() if isinstance(x, Tensor) else x
        with np.printoptions(precision=3, threshold=6, edgeitems=2):
            number = isinstance(array, float) or (isinstance(array, np.ndarray) and not array.ndim)
            text = f"{float(array):.4g}" if number else " ".join(str(array).split())
        text = x.__name__ if inspect.isfunction(x) else text
        texts.append(text if len(text) <= 60 else text[:57] + "…")
    return ", ".join(texts)
