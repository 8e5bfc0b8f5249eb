"""What the quantitative rungs saw, as sentences and numbers."""

import math
from typing import Any

from torch import Tensor

from estimators.checking.sequential import Look
from estimators.checking.verdict import Evidence, Outcome
from estimators.gradients import flat
from estimators.quadrature import Exact


def node_evidence(
    right: bool, labels: list[str], mean: Exact, exact: Exact, variance: Exact, error: float
) -> Evidence:
    """The exact mean beside the exact gradient."""
    gap = flat(mean) - flat(exact)
    worst = int(gap.abs().argmax())
    sd = flat(variance).abs().sqrt()  # a zero may come out as −1e-17
    numbers = {
        "entries": labels,
        "mean": flat(mean).tolist(),
        "exact": flat(exact).tolist(),
        "standard_deviation": sd.tolist(),
        "error": error,
    }
    if right:
        text = (
            f"the mean is the exact gradient to {float(gap[worst].abs()):.1e} (both are known to "
            f"{error:.0e}); one estimate has standard deviation {_few(labels, sd)}"
        )
        return Evidence("nodes", "passed", text, numbers)
    text = (
        f"{labels[worst]} is off by {float(gap[worst]):+.4g} ± {error:.0e}: mean "
        f"{float(flat(mean)[worst]):+.6g}, exact gradient {float(flat(exact)[worst]):+.6g}"
    )
    return Evidence("nodes", "failed", text, numbers)


def measured_evidence(
    rung: str,
    look: Look,
    labels: list[str],
    delta: float,
    miss: float,
    sure: bool,
    against: str,
    unit: str = "of one estimate in every parameter",
    **more_numbers: Any,
) -> Evidence:
    """The last look of the sequential test. sure: nodes have answered already; against: what is
    right; unit: of δ."""
    numbers = {
        "estimates": look.n,
        "entries": labels,
        "bias": look.mean.tolist(),
        "standard_error": look.se.tolist(),
        "standard_deviation": look.sd.tolist(),
        "limit": look.limit.tolist(),
        "detectable": look.detectable.tolist(),
        "more": look.more,
        **more_numbers,
    }
    outcome: Outcome = "undecided"
    if look.verdict == "biased":
        outcome, text = "failed", _off(look, labels, against)
    elif look.verdict == "unbiased":
        varies = look.sd > 0
        smallest = float((look.detectable / look.sd)[varies].max()) if varies.any() else 0.0
        outcome = "passed"
        text = (
            f"agrees with {against} to within δ = {delta:g} standard deviations {unit}: "
            f"{look.n:,} estimates would have shown a bias of {smallest:.2g} of them with "
            f"probability 1 − {miss:g}"
        )
    elif sure:
        outcome, text = "passed", f"{look.n:,} estimates do not contradict the nodes"
    else:
        more = f"; {look.more:,} more estimates would do" if look.more else ""
        if math.isfinite(look.decidable):
            numbers["decidable"] = look.decidable
            more += f", or δ = {look.decidable:.2g}, which these can decide"
        text = f"cannot tell after {look.n:,} estimates against {against}: {look.why}{more}"
        if still := [f"{k} is {v:.3g}" for k, v in zip(labels, look.still, strict=True) if v == v]:
            text = f"{', '.join(still[:6])} in each of {look.n:,} estimates: {look.why}{more}"
    return Evidence(rung, outcome, text, numbers)


def _off(look: Look, labels: list[str], against: str) -> str:
    z = [
        (float("inf") if float(se) == 0 else abs(float(m) / float(se))) if bool(off) else 0.0
        for m, se, off in zip(look.mean, look.se, look.off, strict=True)
    ]
    worst = max(range(len(z)), key=lambda i: z[i])
    others = int(look.off.sum()) - 1
    also = f"; so are {others} other entries" if others > 1 else "; so is one other" * others
    size = f"{z[worst]:.1f} standard errors" if z[worst] < 1e6 else "and it does not vary"
    return (
        f"{labels[worst]} is off {against} by {float(look.mean[worst]):+.4g} ± "
        f"{float(look.se[worst]):.2g}, {size} (the limit is {float(look.limit[worst]):.1f}, "
        f"{look.n:,} estimates){also}"
    )


def _few(labels: list[str], numbers: Tensor) -> str:
    shown = [f"{n} {float(x):.3g}" for n, x in zip(labels[:6], numbers, strict=False)]
    return ", ".join(shown) + (", …" if len(labels) > 6 else "")
