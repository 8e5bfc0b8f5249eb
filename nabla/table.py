"""Tables for people: aligned columns, values with their uncertainty."""

import math
from collections.abc import Sequence

DIGITS = 15  # of a float64 that mean something


def render(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Left-aligned first column, the others right-aligned if they hold numbers."""
    table = [list(header), *map(list, rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    right = [numeric([row[i] for row in rows]) for i in range(len(header))]
    lines = [
        "  ".join(
            cell.rjust(w) if number else cell.ljust(w)
            for cell, w, number in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in table
    ]
    return "\n".join([lines[0], "  ".join("─" * w for w in widths), *lines[1:]])


def numeric(column: Sequence[str]) -> bool:
    """Whether all that stands in a column is numbers."""
    return all(cell[:1] in "0123456789-−+∞–" for cell in column if cell)


def with_error(value: float, error: float, signed: bool = False) -> str:
    """1.234 ± 0.012: the error to two digits, the value to the same place, if it has it."""
    sign = "+" if signed else ""
    if not (math.isfinite(value) and math.isfinite(error)):
        return f"{value:{sign}.3g}"
    if error == 0:
        return f"{value:{sign}.3g} ± 0"
    digits = 1 - math.floor(math.log10(error))
    if -4 < digits < 8 and abs(value) < 1e6:
        return f"{value:{sign}.{max(digits, 0)}f} ± {error:.{max(digits, 0)}f}"
    exponent = math.floor(math.log10(max(abs(value), error)))
    places = max(0, digits + exponent)
    if places > DIGITS - 1:
        return f"{value:{sign}.{DIGITS}g} ± {error:.2g}"
    return (
        f"({value / 10**exponent:{sign}.{places}f} ± {error / 10**exponent:.{places}f})e{exponent}"
    )
