"""The pages of the claims ledger: docs/claims.json, claims.md and errata.md, byte for byte."""

import json
import re
from collections.abc import Sequence

from nabla.claims.ledger import CONDITION, MISLEADS, RESULT, SLIP, VERDICTS, WRONG, Claim
from toy_problems.quantities import QUANTITIES, Value

# letter: title, module of its tests
SOURCES = {
    "R": ("Lahire's report, “Actor loss of soft actor critic explained”", "test_claims_report"),
    "Q": ("The question and answers on Eq. 13", "test_claims_thread"),
    "S": ("Sigaud's slides on SAC", "test_claims_slides"),
    "M": ("The article on implicit reparameterization", "test_claims_article"),
    "B": ("The blog “SAC from zero”", "test_claims_blog"),
}
LEVELS = {RESULT: "Changes a result", MISLEADS: "Could mislead", SLIP: "Wording and slips"}
HEADINGS = {"as printed": "As printed", "corrected": "Corrected", "known": "Besides"}
HOW_TO_READ = (
    "✓ came out as stated, ✗ did not. Two routes to a number are compared to 1e-9 of the larger "
    "of it and 1, unless another tolerance is given in brackets."
)


def pages(chosen: Sequence[Claim]) -> dict[str, str]:
    """File name -> text."""
    quantities = {name: rounded(q()) for name, q in QUANTITIES.items()}
    entries = {
        c.id: {
            "verdict": c.verdict,
            "statement": c.says,
            "correction": c.correction,
            "test": c.test,
        }
        for c in chosen
    }
    data = {"claims": entries, "quantities": quantities}
    return {
        "claims.json": json.dumps(data, indent=1, ensure_ascii=False) + "\n",
        "claims.md": table(chosen, quantities),
        "errata.md": errata(chosen),
    }


def rounded(value: Value) -> Value:
    """Ten digits: what every machine agrees on, and zero for what is zero but for rounding."""
    if isinstance(value, list):
        return [x for v in value if not isinstance(x := rounded(v), list)]
    return round(float(f"{value:.10g}"), 14)


def table(chosen: Sequence[Claim], quantities: dict[str, Value]) -> str:
    """docs/claims.md: a table for each source."""
    counts = ", ".join(f"{sum(c.verdict == v for c in chosen)} {v}" for v in VERDICTS)
    parts = [
        "# The claims ledger",
        "Every statement of the five sources that can be checked, in our own words, with what was "
        "computed. Made by `nabla claims` from the tests in `tests/claims/`, never by hand; the "
        "id is a link to its test, `nabla claims R25` shows one statement with its figure.",
        f"{len(chosen)} statements: {counts}. *As printed* are instances of the statement: all "
        "come out (it holds), none (it is wrong) or some (it holds with a condition). *Corrected* "
        f"are instances of the last column. {HOW_TO_READ}",
    ]
    header = "| id | statement | verdict | evidence | instead |\n|" + "---|" * 5
    for letter, (title, _) in SOURCES.items():
        lines = [
            f"| [{c.id}](../{c.test.partition('::')[0]}) | {escaped(c.says)} "
            f"*({escaped(c.where)})* | {c.verdict} | {'<br>'.join(evidence(c))} | "
            f"{escaped(c.correction) or '—'} |"
            for c in chosen
            if c.id[0] == letter
        ]
        parts.append(f"## {letter}: {title}\n\n" + "\n".join([header, *lines]))
    rows = [f"| `{name}` | {numerals(value)} |" for name, value in quantities.items()]
    parts.append(
        "## Quantities\n\nTo ten digits; each is computed by two routes "
        "(`toy_problems/quantities/`, `tests/claims/test_quantities.py`).\n\n"
        + "\n".join(["| name | value |\n|---|---|", *rows])
    )
    return "\n\n".join(parts) + "\n"


def errata(chosen: Sequence[Claim]) -> str:
    """docs/errata.md: what an author would want to correct, the most important first."""
    parts = [
        "# Errata, by source",
        "We learnt from all five of these texts. This is what their authors may want to correct "
        "or to make precise, the most important first, with what we computed. Statements are in "
        "our words, by the ids of [the ledger](claims.md), where those that hold are listed too. "
        f"Made by `nabla claims`. {HOW_TO_READ}",
    ]
    for letter, (title, _) in SOURCES.items():
        parts.append(f"## {title}")
        for level, heading in LEVELS.items():
            found = [
                c
                for c in chosen
                if c.id[0] == letter and c.matters == level and c.verdict in (WRONG, CONDITION)
            ]
            found.sort(key=lambda c: c.verdict != WRONG)  # what is wrong before what is incomplete
            if found:
                parts.append(f"### {heading}\n\n" + "\n".join(map(erratum, found)))
    return "\n\n".join(parts) + "\n"


def erratum(one: Claim) -> str:
    instead = "Suggested instead" if one.verdict == WRONG else "With a condition"
    lines = [
        f"- **{one.id}** ({escaped(one.where)}). {escaped(one.says)}",
        f"{instead}: {escaped(one.correction)}",
        *evidence(one),
    ]
    return "\\\n  ".join(lines)


def evidence(one: Claim) -> list[str]:
    """A line for each kind: *As printed.* ✗ what was computed: 1 ≠ 2; ✓ …"""
    kinds = dict.fromkeys(c.kind for c in one.evidence.checks)
    return [
        f"*{HEADINGS[kind]}.* "
        + "; ".join(escaped(str(c)) for c in one.evidence.checks if c.kind == kind)
        for kind in kinds
    ]


def numerals(value: Value) -> str:
    return ", ".join(f"{x:.10g}" for x in (value if isinstance(value, list) else [value]))


def escaped(text: str) -> str:
    """What markdown would take for its own, outside `code`: V* and E_{π*} are mathematics here.
    And −1 with a minus sign."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    for i, part in enumerate(parts):
        if not part.startswith("`"):
            parts[i] = re.sub(r"([\\*_~|<])", r"\\\1", re.sub(r"(?<!\w)-(?=\d)", "−", part))
    return "".join(parts)
