"""The entropy that a temperature is tuned to."""

import math


def default_target(actions: int, discrete: bool) -> float:
    """−dim(A), or 0.98 log|A| (Haarnoja et al. 2018b, appendix D; Christodoulou 2019)."""
    return 0.98 * math.log(actions) if discrete else -actions


def highest_entropy(actions: int, discrete: bool, squash: bool) -> float:
    """That no policy exceeds: log|A|, or the log of the volume of [−1, 1]^d."""
    if discrete:
        return math.log(actions)
    return actions * math.log(2) if squash else math.inf
