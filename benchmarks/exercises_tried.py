"""What the exercises say to answers that were tried: docs/exercises-tried.md, from
tests/exercises/tried.txt, where each stands with what it must be told (`test_exercises.py`).

`--write` puts what is said now into that file: look at the difference before you commit it.
"""

import re
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

from exercise_mutations import Solved, function, solved

from estimators.files import write_atomically
from nabla.course import exercise
from nabla.course.engine import Finding

ROOT = Path(__file__).resolve().parent.parent
TRIED = ROOT / "tests" / "exercises" / "tried.txt"
WIDTH = 120
HEAD = ("| exercise | typed | it says first |", "|---|---|---|")


class Tried(NamedTuple):
    number: str
    name: str
    body: str


def tried() -> list[Tried]:
    found = re.findall(r"^@ (\S+) (\S+).*\n((?:(?!@ ).*\n?)*)", TRIED.read_text(), re.MULTILINE)
    return [Tried(number, name, body.strip()) for number, name, body in found]


def told(one: Tried, books: dict[str, list[Solved]]) -> Finding:
    """Run after the notebook's set-up and the solutions of its exercises, as a reader's would."""
    book = books[one.number]
    asked = next(each for each in book if each.name == one.name)
    head = asked.source.split("\n")[0]
    lines = "".join(f"\n    {line}" for line in one.body.splitlines())
    setup = "\n".join([asked.setup, *(each.source for each in book)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return exercise(one.name).examine(function(asked._replace(setup=setup), head + lines))


def cut(text: str) -> str:
    text = text.replace("|", "\\|")
    return text if len(text) <= WIDTH else text[:WIDTH] + "…"


def main() -> None:
    books: dict[str, list[Solved]] = {}
    for each in solved():
        books.setdefault(each.number, []).append(each)
    answers = sorted(tried(), key=lambda one: one.number)
    findings = [told(one, books) for one in answers]
    wrong = [f for f in findings if f.step != "done"]
    lines = [
        "---",
        "orphan: true",
        "---",
        "",
        "# The exercises, tried",
        "",
        "Made by `python benchmarks/exercises_tried.py`; do not edit. Answers as learners write "
        f"them, under the signature of the blank cell: {len(answers)}, of which {len(wrong)} are "
        f"wrong, and {sum(f.key is not None for f in wrong)} of these are told what they are. "
        "Where a wrong answer matches no known slip, the check says which parts are right, and for "
        "one input what came out in the place of what. Many of the hints were "
        "written because one of these answers had got none.",
    ]
    number = name = ""
    for one, finding in zip(answers, findings, strict=True):
        if one.number != number:
            lines += ["", f"## {one.number}", "", *HEAD]
        typed = cut("; ".join(line.strip() for line in one.body.splitlines()))
        said = cut((finding.hints or (finding.text,))[0] or "done")
        label = one.name if (one.number, one.name) != (number, name) else ""
        lines.append(f"| {label} | `{typed}` | {finding.step}: {said} |")
        number, name = one.number, one.name
    write_atomically(ROOT / "docs" / "exercises-tried.md", "\n".join(lines) + "\n")
    if "--write" in sys.argv:
        parts = [
            f"@ {one.number} {one.name} {f.step.replace(' ', '_')} {f.key}\n{one.body}\n"
            for one, f in zip(answers, findings, strict=True)
        ]
        write_atomically(TRIED, "\n".join(parts))


if __name__ == "__main__":
    main()
