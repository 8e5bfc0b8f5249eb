"""Numbers in rows and columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from nabla.table import numeric, render


@dataclass(frozen=True)
class Table:
    """Rows under a header, shown by the last line of a cell: in HTML, which a narrow page can wrap,
    or as aligned columns where there is no page."""

    header: Sequence[object]
    rows: Sequence[Sequence[object]]

    def text(self) -> list[list[str]]:
        return [[str(cell) for cell in line] for line in (self.header, *self.rows)]

    def __repr__(self) -> str:
        header, *rows = self.text()
        return render(header, rows)

    def _repr_html_(self) -> str:
        header, *rows = self.text()
        sides = ["right" if numeric(column) else "left" for column in zip(*rows, strict=True)]
        lines = [_line("th", header, sides), *(_line("td", row, sides) for row in rows)]
        return f'<table class="dataframe">{"".join(lines)}</table>'


def _line(tag: str, cells: Sequence[str], sides: Sequence[str]) -> str:
    return (
        "<tr>"
        + "".join(
            f'<{tag} style="text-align: {side}">{_breakable(cell)}</{tag}>'
            for cell, side in zip(cells, sides, strict=True)
        )
        + "</tr>"
    )


def _breakable(cell: str) -> str:
    return escape(cell).replace("_", "_<wbr>")
