"""The ledger of the literature's claims. Their evidence is tests/claims in a checkout; in a wheel
it is a part of this package."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
CHECKOUT = (ROOT / "tests" / "claims" / "evidence.py").is_file()
