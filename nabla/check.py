"""`nabla check`: is an estimator's mean the gradient? A report, and an exit status for scripts."""

from typing import Annotated, Literal

import tyro

from nabla.arguments import at_least, between, require_seed

STATUS = {"unbiased": 0, "biased": 1, "undecided": 2, "broken": 2}


def check(
    estimator: Annotated[str, tyro.conf.arg(metavar="ESTIMATOR|LOSS"), tyro.conf.Positional],
    problem: Annotated[str, tyro.conf.arg(metavar="PROBLEM|Q"), tyro.conf.Positional] = "report",
    *,
    budget: int | None = None,
    delta: float = 0.01,
    false_alarm: float = 1e-6,
    seed: int = 0,
    set: tuple[str, ...] = (),
    mu: tuple[float, ...] = (),
    log_std: tuple[float, ...] = (),
    logits: tuple[float, ...] = (),
    alpha: float | None = None,
    squash: bool = False,
    dtype: Literal["float64", "float32"] = "float64",
    json: bool = False,
) -> int:
    """Check that the mean of an estimator, or the gradient of a loss of yours, is the gradient.

    Exit status 0: unbiased. 1: biased. 2: undecided, broken, or bad input. With your own loss and
    Q, in mine.py: nabla check mine:loss mine:Q --mu 0.3 -0.7 --log-std -0.4 --alpha 0.2

    Args:
        estimator: a name from `nabla estimators`, or your own as module:function: an estimator
            (policy, objective, rng), a PyTorch loss (params), or a function that returns
            gradients (params, seed). params is a dict: mu, log_std, logits.
        problem: a name from `nabla problems`, or your own Q as module:function, mapping actions
            [..., d] to values [...] (then say the policy: --mu, --log-std, --logits). It must be
            the objective that the loss is meant to have.
        budget: estimates at most (4 million, or 32,768 where each takes a call of its own).
        delta: the bias to exclude, in standard deviations of one estimate.
        false_alarm: probability that a right estimator is called biased.
        seed: of the noise.
        set: settings of the problem, name=number.
        mu: means of the policy; of a mixture of K components in d dimensions K·d numbers, the
            first component's d first.
        log_std: log standard deviations of the policy: as many as mu, or one for all (0 if none).
        logits: logits of the K components of a mixture (with --mu) or of the actions.
        alpha: temperature, the weight of log π (1 if none, with a Q of your own).
        squash: take tanh of the actions.
        dtype: of the policy.
        json: print everything as JSON.
    """
    at_least(2, budget=budget)
    between(0, 1, delta=delta, false_alarm=false_alarm)
    require_seed(seed)
    import torch

    from estimators import Noise
    from estimators import check as check_estimator
    from nabla.target import load_problem, pick_estimators
    from nabla.verdict import report, to_json, used_in

    what = load_problem(problem, set, mu, log_std, logits, alpha, squash, getattr(torch, dtype))
    ((name, chosen),) = pick_estimators(what.policy, [estimator]).items()
    verdict = check_estimator(
        chosen,
        what.policy,
        what.objective,
        rng=Noise(seed),
        budget=budget,
        delta=delta,
        false_alarm=false_alarm,
        exact=what.gradient() if what.value is not None else "find",
        name=name,
    )
    given = {"mu": mu, "log_std": log_std, "logits": logits, "alpha": alpha is not None}
    own = what.name == problem and ":" in problem  # a Q without a policy
    used = used_in(what, [k for k, v in given.items() if own and not v])
    print(to_json(verdict, what.name, used) if json else report(verdict, what.name, used))
    return STATUS[verdict.status]
