"""`nabla check`: is an estimator's mean the gradient? A report, and an exit status for scripts."""

from typing import Annotated

import tyro

from nabla.options import at_least, between, require_seed
from nabla.target import Target

STATUS = {"unbiased": 0, "biased": 1, "undecided": 2, "broken": 2}


def check(
    estimator: Annotated[str, tyro.conf.arg(metavar="ESTIMATOR|LOSS"), tyro.conf.Positional],
    target: Annotated[Target, tyro.conf.arg(name="")] = Target(),
    *,
    budget: int | None = None,
    delta: float = 0.01,
    false_alarm: float = 1e-6,
    seed: int = 0,
    json: bool = False,
) -> int:
    """Check that the mean of an estimator, or the gradient of a loss of yours, is the gradient.

    Exit status 0: unbiased. 1: biased. 2: undecided, broken, or bad input. With your own loss and
    Q, in mine.py: nabla check mine:loss mine:Q --mu 0.3 -0.7 --log-std -0.4 --alpha 0.2

    Args:
        estimator: a name from `nabla estimators`, or your own as module:function: an estimator
            (policy, objective, rng), a PyTorch loss (params), or a function that returns
            gradients (params, seed). params is a dict: mu, log_std, logits.
        target: the objective that the loss is meant to have.
        budget: estimates at most (4 million, or 32,768 where each takes a call of its own).
        delta: the bias to exclude, in standard deviations of one estimate.
        false_alarm: probability that a right estimator is called biased.
        seed: of the noise.
        json: print everything as JSON.
    """
    at_least(2, budget=budget)
    between(0, 1, delta=delta, false_alarm=false_alarm)
    require_seed(seed)
    from estimators import Noise
    from estimators import check as check_estimator
    from nabla.catalogue import pick_estimators
    from nabla.family import load_problem
    from nabla.verdict import report, to_json, used_in

    what = load_problem(target)
    ((name, chosen),) = pick_estimators(what.policy, [estimator]).items()
    verdict = check_estimator(
        chosen,
        what.policy,
        what.objective,
        rng=Noise(seed, target.device),
        budget=budget,
        delta=delta,
        false_alarm=false_alarm,
        exact=what.gradient() if what.value is not None else "find",
        name=name,
    )
    used = used_in(what, target)
    print(to_json(verdict, what.name, used) if json else report(verdict, what.name, used))
    return STATUS[verdict.status]
