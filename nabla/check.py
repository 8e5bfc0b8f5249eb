"""`nabla check`: is an estimator's mean the gradient? A report, and an exit status for scripts."""

import json as json_
import math
from typing import Annotated, Any, Literal

import torch
import tyro

from estimators import Evidence, Noise, Verdict
from estimators import check as check_estimator
from estimators.checking.meanings import MEANINGS
from nabla.table import render, with_error
from nabla.target import load_problem, pick_estimators
from toy_problems import Problem

ENTRIES = 12  # in a table; longer ones are in the JSON
WIDTH = 60  # of the numbers of a parameter that are shown; the JSON has all
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
    if not 0 <= seed < 2**62:
        raise ValueError(f"seed must lie in [0, 2⁶²), got {seed}")
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
    used = _used(what, [k for k, v in given.items() if own and not v])
    print(_json(verdict, what.name, used) if json else _report(verdict, what.name, used))
    return STATUS[verdict.status]


def _used(problem: Problem, not_given: list[str]) -> dict[str, Any]:
    """The parameters and the temperature that were checked, and which of them are defaults."""
    parameters = {k: p.tolist() for k, p in problem.policy.parameters().items()}
    alpha = torch.as_tensor(problem.objective.alpha, dtype=torch.float64).tolist()
    used = {"policy": type(problem.policy).__name__, **parameters, "alpha": alpha}
    return {**used, "defaults": [k for k in not_given if k in used]}


def _json(verdict: Verdict, problem: str, used: dict[str, Any]) -> str:
    found = {"problem": problem, "used": used, **verdict.to_dict()}
    return json_.dumps(_plain(found), indent=1, allow_nan=False)


def _plain(value: object) -> object:
    """Infinities and not-a-numbers, which JSON does not have, as null."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _report(verdict: Verdict, problem: str, used: dict[str, Any]) -> str:
    lines = [f"{verdict.name} on {problem}: {verdict.status.upper()}", _assumed(**used), ""]
    if verdict.diagnosis is not None:
        said = next((e.text for e in verdict.evidence if e.rung == "diagnosis"), None)
        lines += [f"It looks like this slip: {said or MEANINGS[verdict.diagnosis]}.", ""]
    lines += [str(e) for e in verdict.evidence]
    for e in verdict.evidence:
        if 0 < len(e.numbers.get("entries", ())) <= ENTRIES:
            lines += ["", _entries(e)]
    return "\n".join(lines)


def _assumed(policy: str, defaults: list[str], **numbers: Any) -> str:
    said = [
        f"{k} = {v if len(str(v)) <= WIDTH else '…'}"
        + (" (the default: none was given)" if k in defaults else "")
        for k, v in numbers.items()
    ]
    return f"{policy}, " + ", ".join(said)


def _entries(evidence: Evidence) -> str:
    """Each entry of the gradient: how far off, and what would have been noticed."""
    n = evidence.numbers
    if evidence.rung == "nodes":
        header = ["by nodes", "mean", "exact gradient", "sd of one estimate"]
        columns = zip(n["mean"], n["exact"], n["standard_deviation"], strict=True)
        rows = [[f"{mean:+.6f}", f"{exact:+.6f}", f"{sd:.4g}"] for mean, exact, sd in columns]
    else:
        header = [f"by {n['estimates']:,} estimates", "bias", "sd of one estimate", "noticeable"]
        sds, least = n["standard_deviation"], n["detectable"]
        rows = [
            [with_error(bias, se, signed=True), f"{sd:.4g}", f"{d:.2g}"]
            for bias, se, sd, d in zip(n["bias"], n["standard_error"], sds, least, strict=True)
        ]
    return render(header, [[e, *row] for e, row in zip(n["entries"], rows, strict=True)])
