"""Numbers that the claims turn on, each fixed by its setting, by name.

    QUANTITIES["R24.kl"]() -> a number or a list of numbers

The letter is the source: R the report, Q the thread, S the slides, M the article, B the blog.
Every one is computed here by one route and in tests/claims/test_quantities.py by another.
"""

from collections.abc import Callable
from functools import cache

from toy_problems.quantities import article, blog, report, report_example, slides

Value = float | list[float]

QUANTITIES: dict[str, Callable[[], Value]] = {
    **report.QUANTITIES,
    **report_example.QUANTITIES,
    **slides.QUANTITIES,
    **article.QUANTITIES,
    **blog.QUANTITIES,
}


@cache
def numbers(name: str) -> list[float]:
    """The quantity as a list, whether it is one number or several."""
    value = QUANTITIES[name]()
    return value if isinstance(value, list) else [value]
