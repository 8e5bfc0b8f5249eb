"""`nabla claims`: every checkable statement of the five sources, executed."""

import sys
from pathlib import Path

from tyro.conf import Positional

from nabla.claims import CHECKOUT, ROOT

OUT = ROOT / "docs" if CHECKOUT else Path("out") / "claims"


def claims(ids: Positional[tuple[str, ...]] = (), /, *, out: Path = OUT) -> int:
    """Run the claims of the five sources and write the ledger: claims.md, claims.json, errata.md.

    With ids, show these claims instead and write nothing but their figures. Exit status 1, and
    nothing written, if a verdict is not the one that its evidence has.

    Args:
        ids: which claims to show, for instance R25.
        out: folder of the ledger.
    """
    from estimators.files import write_atomically
    from nabla.claims.ledger import VERDICTS
    from nabla.claims.pages import pages
    from nabla.claims.running import load, ranges, show, wrong

    known = {c.id: c for c in load()}
    for name in ids:
        if name not in known:
            raise ValueError(f"unknown claim {name!r}; known: {', '.join(ranges(known))}")
    chosen = [known[name] for name in ids] or list(known.values())
    failures = wrong(chosen)
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
