"""`nabla claims`: every checkable statement of the five sources, executed."""

import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm
from tyro.conf import Positional

from estimators.report import write_atomically
from nabla.figures import save_figure
from nabla.ledger import CONDITION, MISLEADS, RESULT, SLIP, VERDICTS, WRONG, Claim
from nabla.table import render
from toy_problems.quantities import QUANTITIES, Value

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "tests" / "claims"
SOURCES = {
    "R": ("Lahire's report, “Actor loss of soft actor critic explained”", "test_claims_report"),
    "Q": ("The question and answers on Eq. 13", "test_claims_thread"),
    "S": ("Sigaud's slides on SAC", "test_claims_slides"),
    "M": ("The article on implicit reparameterization", "test_claims_article"),
    "B": ("The blog “SAC from zero”", "test_claims_blog"),
}
LEVELS = {
    RESULT: "Changes a result",
    MISLEADS: "Could mislead",
    SLIP: "Wording and slips",
}


def claims(ids: Positional[tuple[str, ...]] = (), /, *, out: Path = ROOT / "docs") -> int:
    """Run the claims of the five sources and write the ledger: claims.md, claims.json, errata.md.

    With ids, show these claims instead and write nothing but their figures. Exit status 1, and
    nothing written, if a verdict is not the one that its evidence has.

    Args:
        ids: which claims to show, for instance R25.
        out: folder of the ledger.
    """
    known = {c.id: c for c in load()}
    for name in ids:
        if name not in known:
            raise ValueError(f"unknown claim {name!r}; known: {', '.join(ranges(known))}")
    chosen = [known[name] for name in ids] or list(known.values())
    failures = []
    for one in tqdm(chosen, leave=False, disable=None):
        try:
            one.check()
        except AssertionError as failure:
            failures.append(str(failure))
    if failures:
        print("\n".join(failures), file=sys.stderr)
        return 1
    if ids:
        for one in chosen:
            show(one)
        return 0
    for name, text in ledger(chosen).items():
        write_atomically(out / name, text)
        print(out / name)
    print(", ".join(f"{sum(c.verdict == v for c in chosen)} {v}" for v in VERDICTS))
    return 0


def load() -> list[Claim]:
    """The claims in the sources' order, from the tests themselves."""
    if not FOLDER.is_dir():
        raise ValueError(f"the claims are tests, and there is no folder {FOLDER}")
    sys.path.insert(0, str(FOLDER))
    try:
        modules = [importlib.import_module(name) for _, name in SOURCES.values()]
    finally:
        sys.path.remove(str(FOLDER))
    return [f.claim for m in modules for f in vars(m).values() if hasattr(f, "claim")]


def ranges(known: Sequence[str] | dict[str, Claim]) -> list[str]:
    """R01–R38, Q01–Q18, …"""
    groups = [[i for i in known if i[0] == letter] for letter in SOURCES]
    return [f"{g[0]}–{g[-1]}" for g in groups if g]


def show(one: Claim) -> None:
    """One claim on the terminal, its figure in out/claims."""
    print(f"{one.id}  {one.where}\n{one.says}\n\nverdict: {one.verdict}")
    if one.correction:
        print(f"instead: {one.correction}")
    rows = [
        [c.kind, c.label, c.comparison.text, "✓" if c.comparison.holds else "✗"]
        for c in one.evidence.checks
    ]
    print("\n" + render(["", "computed", "", ""], rows) + f"\n\n{one.test}")
    if one.evidence.figure is not None:
        saved = save_figure(
            one.evidence.figure(), Path("out") / "claims" / one.id, f"nabla claims {one.id}"
        )
        print("\n".join(map(str, saved)))


def ledger(chosen: Sequence[Claim]) -> dict[str, str]:
    """File name -> text, byte for byte the same on every run."""
    quantities = {name: rounded(q()) for name, q in QUANTITIES.items()}
    entries = {
        c.id: {
            "verdict": c.verdict,
            "statement": c.says,
            "correction": c.correction,
            "test": c.test,
            "evidence": evidence(c),
            "place": c.where,
        }
        for c in chosen
    }
    data = {"claims": entries, "quantities": quantities}
    return {
        "claims.json": json.dumps(data, indent=1, ensure_ascii=False) + "\n",
        "claims.md": markdown(chosen, quantities),
        "errata.md": errata(chosen),
    }


def rounded(value: Value) -> Value:
    """Eleven digits: what every machine agrees on, and zero for what is zero but for rounding."""
    if isinstance(value, list):
        return [x for v in value if not isinstance(x := rounded(v), list)]
    return round(float(f"{value:.11g}"), 14)


def evidence(one: Claim) -> str:
    return "; ".join(map(str, one.evidence.checks))


def markdown(chosen: Sequence[Claim], quantities: dict[str, Value]) -> str:
    """docs/claims.md: a table for each source."""
    counts = ", ".join(f"{sum(c.verdict == v for c in chosen)} {v}" for v in VERDICTS)
    parts = [
        "# The claims ledger",
        "Made by `nabla claims` from the tests in `tests/claims/`; not written by hand. Every "
        "statement of the five sources that can be checked, in our own words, with what was "
        "computed. ✓ came out as the statement says, ✗ did not; a correction's own checks must "
        f"all be ✓.\n\n{len(chosen)} statements: {counts}. `nabla claims R25` shows one of them.",
    ]
    header = "| id | statement | verdict | evidence | instead | test |\n|" + "---|" * 6
    for letter, (title, _) in SOURCES.items():
        lines = [
            f"| {c.id} | {cell(c.says)} *({cell(c.where)})* | **{c.verdict}** | "
            f"{cell(evidence(c))} | {cell(c.correction) or '—'} | "
            f"[{c.test.rpartition('::')[2]}](../{c.test.partition('::')[0]}) |"
            for c in chosen
            if c.id[0] == letter
        ]
        parts.append(f"## {letter}: {title}\n\n" + "\n".join([header, *lines]))
    rows = [f"| `{name}` | {cell(str(value))} |" for name, value in quantities.items()]
    parts.append("## Quantities\n\n" + "\n".join(["| name | value |\n|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def errata(chosen: Sequence[Claim]) -> str:
    """docs/errata.md: what an author would want to correct, the most important first."""
    parts = [
        "# Errata, by source",
        "Made by `nabla claims`. These are good texts, and we learnt from all of them. This is "
        "what their authors may want to correct or to qualify, the most important first, with "
        "what we computed; the numbers are those of `docs/claims.md`.",
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
            items = [
                f"- **{c.id}**, {c.where}. Stated: {c.says} "
                + ("We find otherwise. " if c.verdict == WRONG else "True under a condition. ")
                + f"Suggestion: {c.correction} Computed: {evidence(c)}."
                for c in found
            ]
            if items:
                parts.append(f"### {heading}\n\n" + "\n".join(items))
    return "\n\n".join(parts) + "\n"
