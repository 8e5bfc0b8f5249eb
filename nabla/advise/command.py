"""`nabla advise`: which estimator to use on a problem, and whether the difference matters."""

import math
from typing import Annotated

import tyro

from nabla.options import at_least, require_seed
from nabla.target import Target


def advise(
    target: Annotated[Target, tyro.conf.arg(name="")] = Target(),
    *,
    differentiable: bool = True,
    several: bool = True,
    gradient_cost: float | None = None,
    budget: float = 64.0,
    estimates: int = 20_000,
    seed: int = 0,
) -> int:
    """Rank the unbiased estimators that apply by measured variance × measured cost.

    Says where the variance comes from, and when the best is not significantly best. The last
    line is what to do.

    Args:
        target: what it is about.
        differentiable: whether ∇Q may be used.
        several: whether Q may be evaluated more than once for one gradient.
        gradient_cost: what a gradient of Q costs, in evaluations of Q: cost is then counted,
            evaluations + this × gradients. Without it cost is the measured time.
        budget: what one gradient may cost: evaluations of Q if cost is counted, else
            microseconds.
        estimates: measured of each estimator.
        seed: of the noise.
    """
    if gradient_cost is not None and not (math.isfinite(gradient_cost) and gradient_cost >= 0):
        raise ValueError(f"gradient-cost must be finite and ≥ 0, got {gradient_cost}")
    if not (math.isfinite(budget) and budget > 0):
        raise ValueError(f"budget must be finite and positive, got {budget}")
    at_least(1000, estimates=estimates)
    require_seed(seed)
    target.only("advise", device="cpu")
    from nabla.advise.advising import candidates_for
    from nabla.advise.candidates import Wants
    from nabla.advise.table import print_advice
    from nabla.family import load_problem

    what = load_problem(target)
    if what.policy.batch:
        raise ValueError(f"{what.name} has {what.policy.batch.numel()} policies: advise takes one")
    wants = Wants(differentiable, several, gradient_cost, budget)
    ranked, left_out = candidates_for(what, wants, estimates, seed)
    if not ranked:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise ValueError(f"no unbiased estimator applies; {reasons}")
    head = f"{what.name}: {estimates:,} estimates of each, cost in {wants.unit}; {target.sees}"
    print_advice(head, ranked, left_out, wants, what.policy)
    return 0
