"""Is a mean off? Distances in standard errors, and what chance and rare draws allow for.

Written for arrays and tensors alike. The check's own test looks again and again, and is in
`estimators.checking.sequential`.
"""

from typing import Any, Literal

Answer = Literal["agrees", "off", "rare"]


def distance(gap: Any, *errors: Any) -> Any:
    """|gap| over all its errors together, rounding among them so that none is zero."""
    return abs(gap) / sum(error**2 for error in errors) ** 0.5


def judge(distances: Any, limit: float, slack: Any = 0.0, blind: Any = False) -> Answer:
    """off: one is beyond the limit by more than its slack, what the skewness of the draws
    explains. rare: beyond it, but what decides may be too rare to have been drawn; blind: not for
    this one, whose draws do not vary although those of a right estimate would have."""
    far = distances >= limit
    if not bool(far.any()):
        return "agrees"
    return "off" if bool((far & (blind | (distances > limit + slack))).any()) else "rare"


def cornish_fisher(limit: float, skewness: Any) -> Any:
    """How much further out the quantile of a mean of that skewness is, its standard error being
    known: |γ|(z² − 1)/6 (Cornish and Fisher 1938). Where it is estimated: `Report.explained`."""
    return abs(skewness) * (limit**2 - 1) / 6
