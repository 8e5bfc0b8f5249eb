"""`nabla claims`: every checkable statement of the five sources, executed."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from nabla.table import render

if TYPE_CHECKING:
    from nabla.claims.ledger import Claim

EVIDENCE = "nabla.claims.evidence"  # a part of the wheel; in a checkout it is tests/claims
ROOT = Path(__file__).parents[2]
CHECKOUT = (ROOT / "tests" / "claims" / "evidence.py").is_file()
OUT = ROOT / "docs" if CHECKOUT else Path("out") / "claims"
INSTALL = (
    "python3 bootstrap.py mujoco dm" if CHECKOUT else "pip install 'nabla-workbench[mujoco,dm]'"
)


def claims(ids: Positional[tuple[str, ...]] = (), /, *, out: Path = OUT) -> int:
    """Run the claims of the five sources and write the ledger: claims.md, claims.json, errata.md.

    With ids, show these claims instead and write nothing but their figures. Exit status 1, and
    nothing written, if a verdict is not the one that its evidence has.

    Args:
        ids: which claims to show, for instance R25.
        out: folder of the ledger.
    """
    from tqdm import tqdm

    from estimators.files import write_atomically
    from nabla.claims.ledger import VERDICTS
    from nabla.claims.pages import pages

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
        except ValueError as failure:
            failures.append(f"{one.id}: {failure}")
        except ModuleNotFoundError as missing:
            raise ValueError(f"{one.id} needs a package ({missing}): {INSTALL}") from None
    if failures:
        print("\n".join(failures), file=sys.stderr)
        return 1
    if ids:
        for one in chosen:
            show(one)
        return 0
    for name, text in pages(chosen).items():
        write_atomically(out / name, text)
        print(out / name)
    print(", ".join(f"{sum(c.verdict == v for c in chosen)} {v}" for v in VERDICTS))
    return 0


def load() -> "list[Claim]":
    """The claims in the sources' order, from the tests themselves."""
    from nabla.claims.pages import SOURCES

    if CHECKOUT and EVIDENCE not in sys.modules:
        spec = spec_from_file_location(EVIDENCE, ROOT / "tests" / "claims" / "__init__.py")
        assert spec is not None
        sys.modules[EVIDENCE] = module_from_spec(spec)  # an empty package, but for its __path__
    modules = [import_module(f"{EVIDENCE}.{name}") for _, name in SOURCES.values()]
    return [f.claim for m in modules for f in vars(m).values() if hasattr(f, "claim")]


def ranges(known: "Sequence[str] | dict[str, Claim]") -> list[str]:
    """R01–R38, Q01–Q18, …"""
    from nabla.claims.pages import SOURCES

    groups = [[i for i in known if i[0] == letter] for letter in SOURCES]
    return [f"{g[0]}–{g[-1]}" for g in groups if g]


def show(one: "Claim") -> None:
    """One claim on the terminal, its figure in out/claims."""
    from nabla.output import save_figure

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
