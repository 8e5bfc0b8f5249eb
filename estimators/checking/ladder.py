"""The ladder: rung after rung, up to the first no."""

from dataclasses import replace

from estimators.checking.case import Case
from estimators.checking.faults import RAISED, Fault
from estimators.checking.naming import diagnosis
from estimators.checking.rungs import (
    Known,
    Rung,
    continuity,
    contract,
    measured,
    nodes,
    prepared,
)
from estimators.checking.verdict import Evidence, Status, Verdict

RUNGS: tuple[Rung, ...] = (nodes, measured, continuity)


def climb(case: Case, sound: Evidence) -> Verdict:
    said = {sound.rung: sound}  # by rung
    key = None
    try:
        said["contract"], use = contract(case)
        if why := case.subject.slow:
            said["speed"] = Evidence("speed", "noted", f"each estimate takes its own call: {why}")
        known = prepared(case, use)
        for rung in RUNGS:
            answer = rung(case, known, said)
            if answer is None:
                continue
            said[answer.rung] = answer
            if answer.outcome == "failed":
                key, sentence = _named(case, known, answer)
                said |= {} if sentence is None else {"diagnosis": sentence}
                break
    except Fault as fault:
        text, key = fault.complaint
        evidence = (*said.values(), Evidence("contract", "failed", text))
        return Verdict(case.subject.name, "broken", key, evidence)
    if said["nodes"].outcome == "passed":  # they decide; that draws cannot tell is worth a note
        said = {k: _noted(e) if e.outcome == "undecided" else e for k, e in said.items()}
    return Verdict(case.subject.name, _status(said), key, tuple(said.values()))


def _noted(evidence: Evidence) -> Evidence:
    return replace(evidence, outcome="noted", text=f"nodes decide; {evidence.text}")


def _named(case: Case, known: Known, failed: Evidence) -> tuple[str | None, Evidence | None]:
    """A diagnosis that cannot be made is no fault of Q: the verdict before it stands."""
    try:
        return diagnosis(case, known, failed)
    except RAISED as error:
        what = type(error.__cause__ or error).__name__
        why = f"no slip is named: looking for one raised {what}"
        return None, Evidence("diagnosis", "skipped", why)


def _status(said: dict[str, Evidence]) -> Status:
    outcomes = [e.outcome for e in said.values()]
    if "failed" in outcomes:
        return "broken" if said["contract"].outcome == "failed" else "biased"
    return "undecided" if "undecided" in outcomes else "unbiased"
