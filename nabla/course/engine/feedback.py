"""What is said about an answer: how far up the steps of its exercise it gets, what was tested, and
a hint; the same mistake again, and the next hint comes.
"""

import html
from dataclasses import dataclass

from nabla.course.engine.findings import Answer, Exercise, Finding


@dataclass(frozen=True)
class Feedback:
    """What is said about an answer. hint: the number of the hint shown, from 1; 0 for none."""

    name: str
    steps: tuple[str, ...]
    finding: Finding
    tested: str
    hint: int = 0

    @property
    def step(self) -> str:
        return self.finding.step

    @property
    def key(self) -> str | None:
        return self.finding.key

    @property
    def marks(self) -> list[tuple[str, str]]:
        """(step, mark): ✓ passed, ✗ stopped here, · not reached."""
        at = self.steps.index(self.step)
        done = self.step == self.steps[-1]
        here = "✓" if done else "○" if at == 0 else "✗"
        return [(s, "✓" if i < at else here if i == at else "·") for i, s in enumerate(self.steps)]

    @property
    def lines(self) -> list[tuple[str, str]]:
        """(label, text): why it stopped, the hint, what was tested."""
        lines = [("", self.finding.text)] if self.finding.text else []
        if self.hint:
            count = len(self.finding.hints)
            more = "" if self.hint == count else " (Run this cell again for the next hint.)"
            text = self.finding.hints[self.hint - 1] + more
            lines.append((f"hint {self.hint} of {count}", text))
        early = self.step in ("to do", "shape", "graph")
        return lines if early else [*lines, ("tested", self.tested)]

    def __repr__(self) -> str:
        head = f"{self.name}: " + "  ".join(f"{mark} {step}" for step, mark in self.marks)
        return "\n".join([head, *("  " + ": ".join(filter(None, line)) for line in self.lines)])

    def _repr_html_(self) -> str:
        colours = {"✓": "#009E73", "✗": "#D55E00", "○": "#888888", "·": "#888888"}
        steps = " → ".join(
            f'<span style="color:{colours[m]}"><b>{m}</b> {html.escape(s)}</span>'
            for s, m in self.marks
        )
        rows = "".join(
            f"<div>{f'<b>{html.escape(label)}:</b> ' if label else ''}{html.escape(text)}</div>"
            for label, text in self.lines
        )
        return (
            '<div class="nabla-feedback" style="border-left:4px solid #0072B2;padding-left:.8em">'
            f"<div><b>{html.escape(self.name)}</b>&ensp;{steps}</div>{rows}</div>"
        )


@dataclass
class _Memory:
    """Which mistake an exercise was last stopped by, and how many of its hints were shown; own: an
    answer that was done."""

    last: tuple[str, str | None, str] | None = None
    shown: int = 0
    own: Answer | None = None


_MEMORY: dict[str, _Memory] = {}


def feedback(name: str, exercise: Exercise, answer: Answer) -> Feedback:
    """Look at an answer to that exercise; never raises for what the answer does."""
    finding = exercise.examine(answer)
    memory = _MEMORY.setdefault(name, _Memory())
    now = (finding.step, finding.key, finding.text if finding.key is None else "")
    memory.shown = memory.shown + 1 if memory.last == now else 1
    memory.last = now
    if finding.step == exercise.steps[-1]:
        memory.own = answer
    shown = min(memory.shown, len(finding.hints))
    return Feedback(name, exercise.steps, finding, exercise.tested, shown)


def own_answer(name: str) -> Answer | None:
    """The reader's own, if one was done in this session."""
    return _MEMORY[name].own if name in _MEMORY else None
