"""The landing page's parts that are made from the rows of the course: ways in, table, map."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from nabla.course.book.contents import COURSE, WAYS, Notebook

BOX, GAP = (206, 46), (24, 34)  # of the map, in pixels: width and height


def fill(page: Path) -> None:
    """Put every part where the page names it."""
    parts = {"ways": ways(COURSE), "table": table(COURSE), "map": chart(COURSE)}
    text = page.read_text()
    for name, part in parts.items():
        text = text.replace(f"<!-- {name} -->", part)
    page.write_text(text)


def ways(course: Sequence[Notebook]) -> str:
    cards = []
    for way, (who, time, leads_to) in WAYS.items():
        steps = [n for n in course if way in n.ways.split()]
        links = " ".join(
            f'<a href="notebooks/{n.file}.html" title="{escape(n.title)}">{n.number}</a>'
            for n in steps
        )
        cards.append(
            f'<div><a class="way" href="notebooks/{steps[0].file}.html">{who}</a>'
            f"<p>{leads_to}</p><p class='steps'>{time}: {links}</p></div>"
        )
    return _html(f'<div class="ways">{"".join(cards)}</div>')


def table(course: Sequence[Notebook]) -> str:
    lines = ["| | notebook and its question | minutes | you need |", "|---|---|---|---|"]
    for n in course:
        needs = n.needs.replace(" ", ", ") or n.assumes
        name = f"[{n.title}](notebooks/{n.file}.ipynb)<br>{n.question}"
        lines.append(f"| {n.number} | {name} | {n.minutes}–{n.with_exercises} | {needs} |")
    return "\n".join(lines)


def chart(course: Sequence[Notebook]) -> str:
    """What needs what: a notebook below all that it needs, lines where nothing stands between."""
    level: dict[str, int] = {}
    above: dict[str, set[str]] = {}
    for n in course:
        needs = n.needs.split()
        level[n.number] = max((level[m] + 1 for m in needs), default=0)
        above[n.number] = set(needs).union(*(above[m] for m in needs))
    rows = [[n for n in course if level[n.number] == i] for i in range(max(level.values()) + 1)]
    width = max(map(len, rows)) * (BOX[0] + GAP[0])
    at = {
        n.number: ((width * (2 * i + 1)) // (2 * len(row)), j * (BOX[1] + GAP[1]))
        for j, row in enumerate(rows)
        for i, n in enumerate(row)
    }
    lines = [
        _line(at[m], at[n.number])
        for n in course
        for m in n.needs.split()
        if not any(m in above[other] for other in n.needs.split())
    ]
    boxes = [_box(n, *at[n.number]) for n in course]
    height = len(rows) * (BOX[1] + GAP[1]) - GAP[1] + 2
    return _html(
        f'<svg class="chart" viewBox="0 -1 {width} {height}" role="img" '
        f'aria-label="which notebook needs which">{"".join(lines + boxes)}</svg>'
    )


def _line(start: tuple[int, int], end: tuple[int, int]) -> str:
    return f'<line x1="{start[0]}" y1="{start[1] + BOX[1]}" x2="{end[0]}" y2="{end[1]}"/>'


def _box(n: Notebook, x: int, y: int) -> str:
    return (
        f'<a href="notebooks/{n.file}.html"><title>{escape(n.question)}</title>'
        f'<rect x="{x - BOX[0] // 2}" y="{y}" width="{BOX[0]}" height="{BOX[1]}" rx="6"/>'
        f'<text x="{x}" y="{y + 29}">{n.number} {escape(n.short or n.title)}</text></a>'
    )


def _html(text: str) -> str:
    return f"```{{raw}} html\n{text}\n```"
