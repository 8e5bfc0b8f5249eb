"""The claims as they are in the tests: loaded, checked, shown."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from tqdm import tqdm

from nabla.claims import CHECKOUT, ROOT
from nabla.claims.ledger import Claim
from nabla.claims.pages import SOURCES
from nabla.output import save_figure
from nabla.table import render

EVIDENCE = "nabla.claims.evidence"  # a part of the wheel; in a checkout it is tests/claims
INSTALL = (
    "python3 bootstrap.py mujoco dm" if CHECKOUT else "pip install 'nabla-workbench[mujoco,dm]'"
)


def load() -> list[Claim]:
    """The claims in the sources' order, from the tests themselves."""
    if CHECKOUT and EVIDENCE not in sys.modules:
        spec = spec_from_file_location(EVIDENCE, ROOT / "tests" / "claims" / "__init__.py")
        assert spec is not None
        sys.modules[EVIDENCE] = module_from_spec(spec)  # an empty package, but for its __path__
    modules = [import_module(f"{EVIDENCE}.{name}") for _, name in SOURCES.values()]
    return [f.claim for m in modules for f in vars(m).values() if hasattr(f, "claim")]


def wrong(chosen: Sequence[Claim]) -> list[str]:
    """What is said of those whose verdict is not the one that their evidence has."""
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
    return failures


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
