"""Exercises whose answer is a plain function: random inputs, compared with a reference.

to do → shape → value → done
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nabla.course.engine.common import Known, common, of_arguments
from nabla.course.engine.findings import Answer, Finding, Slip, attempt
from nabla.course.engine.values import (
    MATCH,
    Parts,
    difference,
    gap,
    near,
    only,
    parts,
    regrouped,
    shapes,
    show,
)


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
        key, hints = self._named(got, expected, wrong) or (None, ())
        text = f"wrong for {self.trials - sum(right)} of {self.trials} inputs"
        if len(wrong) < len(expected[0]):
            good = ", ".join(k for k in expected[0] if k not in wrong)
            text += f"; part {good} is right"
        if not all(np.isfinite(x).all() for g in got for x in g.values()):
            text += "; it returns numbers that are not finite"
        if key is None:
            i = max(range(self.trials), key=lambda i: gap(got[i], expected[i]))
            text += (
                f"; for {show(self.reference, self.inputs(i))} {difference(got[i], expected[i])}"
            )
        return Finding("value", text, key, hints)

    def _named(self, got: list[Parts], expected: list[Parts], wrong: list[str]) -> Known | None:
        """The slip that it is: of all parts, or of those that are wrong."""
        inputs = [self.inputs(i) for i in range(self.trials)]
        every = list(expected[0])
        return (
            self._known(got, every)
            or common(got, expected)
            or self._known(got, wrong)
            or common(only(got, wrong), only(expected, wrong))
            or of_arguments(self.reference, inputs, got, every)
            or of_arguments(self.reference, inputs, only(got, wrong), wrong)
            or next(filter(None, (self._known(got, [k]) for k in wrong)), None)
        )

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
            got = parts(regrouped(value, expected))
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

    def _known(self, got: list[Parts], where: list[str]) -> Known | None:
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
