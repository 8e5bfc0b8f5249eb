"""Numbers that a command is given: one sentence for what is out of range, before anything runs."""

SEEDS = 2**62


def at_least(least: float, **numbers: float | None) -> None:
    """ValueError with the first of them that is less (or not a number); None is not given."""
    for name, number in numbers.items():
        if number is not None and not number >= least:
            raise ValueError(f"{name} must be ≥ {least}, got {number}")


def between(low: float, high: float, **numbers: float | None) -> None:
    """ValueError with the first of them outside the open interval; None is not given."""
    for name, number in numbers.items():
        if number is not None and not low < number < high:
            raise ValueError(f"{name} must lie in ({low}, {high}), got {number}")


def require_seed(seed: int) -> None:
    if not 0 <= seed < SEEDS:
        raise ValueError(f"seed must lie in [0, 2⁶²), got {seed}")
