"""A verdict of the check, for people and as JSON."""

import json
import math
from typing import Any

import torch

from estimators import Evidence, Verdict
from estimators.checking.meanings import MEANINGS
from nabla.table import render, with_error
from nabla.target import Target
from toy_problems import Problem

ENTRIES = 12  # in a table; longer ones are in the JSON
WIDTH = 60  # of the numbers of a parameter that are shown; the JSON has all


def used_in(problem: Problem, target: Target) -> dict[str, Any]:
    """The parameters and the temperature that were checked, which of them are defaults, and what
    Q is given."""
    parameters = {k: p.tolist() for k, p in problem.policy.parameters().items()}
    alpha = torch.as_tensor(problem.objective.alpha, dtype=torch.float64).tolist()
    states = problem.policy.batch.numel()
    kind = type(problem.policy).__name__ + (f" × {states} states" if problem.policy.batch else "")
    used = {"policy": kind, **parameters, "alpha": alpha}
    given = {*target.parameters, *target.settings, *(["alpha"] * (target.alpha is not None))}
    own = problem.name == target.problem and ":" in problem.name  # a Q without a policy
    defaults = [name for name in (*parameters, "alpha") if own and name not in given]
    return {**used, "defaults": defaults, "sees": target.sees}


def to_json(verdict: Verdict, problem: str, used: dict[str, Any]) -> str:
    found = {"problem": problem, "used": used, **verdict.to_dict()}
    return json.dumps(_plain(found), indent=1, allow_nan=False)


def _plain(value: object) -> object:
    """Infinities and not-a-numbers, which JSON does not have, as null."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def report(verdict: Verdict, problem: str, used: dict[str, Any]) -> str:
    lines = [f"{verdict.name} on {problem}: {verdict.status.upper()}", _assumed(**used), ""]
    sound = all(e.outcome == "passed" for e in verdict.evidence if e.rung == "problem")
    said = next((e.text for e in verdict.evidence if e.rung == "diagnosis"), None)
    said = said or MEANINGS.get(verdict.diagnosis or "")
    if verdict.diagnosis is not None and said and sound:  # else nobody has looked at it
        lines += [f"It looks like this slip: {said}.", ""]
    lines += [str(e) for e in verdict.evidence]
    for e in verdict.evidence:
        if 0 < len(e.numbers.get("entries", ())) <= ENTRIES:
            lines += ["", _entries(e)]
    return "\n".join(lines)


def _assumed(policy: str, defaults: list[str], sees: str, **numbers: Any) -> str:
    said = [
        f"{k} = {v if len(str(v)) <= WIDTH else '…'}"
        + (" (the default: none was given)" if k in defaults else "")
        for k, v in numbers.items()
    ]
    return f"{policy}, {', '.join(said)}; {sees}"


def _entries(evidence: Evidence) -> str:
    """Each entry of the gradient: how far off, and what would have been noticed."""
    n = evidence.numbers
    if evidence.rung == "nodes":
        header = ["by nodes", "mean", f"exact {n.get('of', 'gradient')}", "sd of one estimate"]
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
