"""The ledger: every claim has its one test, its verdict cannot be turned, and the files are what a
run makes."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from nabla.claims.command import claims
from nabla.claims.ledger import HOLDS, OPEN, VERDICTS, Record, below, claim, equal, unequal
from nabla.claims.pages import escaped, pages, rounded
from nabla.claims.running import load

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
COUNTS = {"R": 38, "Q": 18, "S": 37, "M": 15, "B": 58}  # statements of each source
IDS = [f"{letter}{i:02}" for letter, count in COUNTS.items() for i in range(1, count + 1)]
CLAIMS = load()


def test_every_statement_has_one_claim_and_one_test():
    assert len(IDS) == 166
    assert [c.id for c in CLAIMS] == IDS
    for c in CLAIMS:
        path, name = c.test.split("::")
        assert name == f"test_{c.id.lower()}"
        assert f"\ndef {name}(e):\n" in (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("one", CLAIMS, ids=IDS)
def test_no_other_verdict_passes(one):
    """wrong → holds, holds → wrong, and every other turn, each with what else it would need."""
    for verdict in set(VERDICTS) - {one.verdict}:
        correction = "" if verdict == HOLDS else "something"
        turned = dataclasses.replace(one, verdict=verdict, correction=correction)
        turned.__dict__["evidence"] = one.evidence  # computed once
        with pytest.raises(AssertionError, match=f"{one.id} is declared '{verdict}', but"):
            turned.check()


@pytest.fixture(scope="module")
def made():
    return pages(CLAIMS)


@pytest.mark.parametrize("name", ["claims.json", "claims.md", "errata.md"])
def test_committed_file_is_what_a_run_makes(made, name):
    """After a change of a claim: `nabla claims`, and commit what it writes."""
    assert (DOCS / name).read_text(encoding="utf-8") == made[name]


def test_json_has_the_keys_that_readers_rely_on():
    data = json.loads((DOCS / "claims.json").read_text(encoding="utf-8"))
    assert list(data) == ["claims", "quantities"]
    assert list(data["claims"]) == IDS
    for entry in data["claims"].values():
        assert list(entry) == ["verdict", "statement", "correction", "test"]
        assert bool(entry["correction"]) == (entry["verdict"] != HOLDS)
    for value in data["quantities"].values():
        numbers = value if isinstance(value, list) else [value]
        assert numbers
        assert all(isinstance(x, float) for x in numbers)


def test_one_claim_is_shown_with_its_figure(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert claims(("R25",)) == 0
    shown = capsys.readouterr().out
    assert "verdict: wrong" in shown
    assert "0.61915 < 0.94334" in shown
    assert (tmp_path / "out/claims/R25.png").stat().st_size > 10_000


def test_wheel_has_every_folder_and_the_evidence():
    wings = [init.parent for init in ROOT.glob("*/__init__.py")]
    assert set(SETUPTOOLS["packages"]["find"]["include"]) == {f"{w.name}*" for w in wings}
    folders = {module.parent for wing in wings for module in wing.rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []
    names = ["evidence", *(path.stem for path in Path(__file__).parent.glob("test_claims_*.py"))]
    assert set(SETUPTOOLS["py-modules"]) == {f"nabla.claims.evidence.{name}" for name in names}


def test_installed_command_runs_away_from_the_repository(tmp_path):
    """Laid out as a wheel lays it out: the packages, and tests/claims as one of them."""
    site, away = tmp_path / "site", tmp_path / "away"
    for init in ROOT.glob("*/__init__.py"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(init.parent, site / init.parent.name, ignore=ignored)
    for package, folder in SETUPTOOLS["package-dir"].items():
        target = site.joinpath(*package.split("."))
        target.mkdir()
        for name in ["__init__", *(m.rpartition(".")[2] for m in SETUPTOOLS["py-modules"])]:
            shutil.copy(ROOT / folder / f"{name}.py", target)
    away.mkdir()
    program = """
import sys
from nabla.claims import command, running
before = [*sys.path]
assert len(running.load()) == 166 and sys.path == before
print(command.__file__, command.OUT, running.INSTALL, sep="\\n")
sys.exit(command.claims(("R25",)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=away,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    file, out, install, *shown = done.stdout.splitlines()
    assert Path(file).is_relative_to(site)
    assert (out, install) == (
        str(Path("out/claims")),
        "pip install 'nabla-workbench[mujoco,dm]'",
    )
    assert "verdict: wrong" in shown
    assert (away / "out/claims/R25.png").stat().st_size > 10_000


def test_unknown_claim_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown claim 'R99'; known: R01–R38, Q01–Q18"):
        claims(("R99",))


def weigh(*instances):
    """The evidence of a claim with these instances as printed."""
    evidence = Record()
    for i, comparison in enumerate(instances):
        evidence.printed(str(i), comparison)
    return evidence


def test_verdict_follows_from_the_evidence():
    yes, no = equal(1.0, 1.0), equal(1.0, 2.0)
    assert [weigh(*x).verdict for x in ((yes, yes), (yes, no), (no,), ())] == [*VERDICTS]


def test_too_close_to_call_is_no_evidence():
    for compare in (equal, unequal):
        with pytest.raises(ValueError, match="too close"):
            compare(1.0, 1.0 + 3e-9)
    with pytest.raises(ValueError, match="too close"):
        below(1.0, 1.0 + 1e-10)
    with pytest.raises(ValueError, match="too close"):
        equal([0.0, 0.0], [0.0, 3e-9])


@pytest.mark.parametrize(
    ("verdict", "correction", "gather", "complaint"),
    [
        (HOLDS, "", lambda e: None, "no evidence"),
        (OPEN, "later", lambda e: e.known("1 = 2", equal(1.0, 2.0)), "1 ≠ 2"),
        (HOLDS, "but", lambda e: e.printed("1 = 1", equal(1.0, 1.0)), "does not simply hold"),
        ("wrong", "say so", lambda e: e.printed("1 = 2", equal(1.0, 2.0)), "nothing shows"),
    ],
)
def test_a_claim_needs_what_its_verdict_says(verdict, correction, gather, complaint):
    def test_x01(e):
        gather(e)

    made = claim("X01", where="", says="", verdict=verdict, correction=correction)(test_x01)
    with pytest.raises(AssertionError, match=complaint):
        made()


def test_rounding_is_to_ten_digits():
    assert rounded([1 / 3, 2e-17, 123456.7890123]) == [0.3333333333, 0.0, 123456.789]


def test_mathematics_survives_markdown():
    assert escaped("V* of `a*b` at |a|, E_{π*}") == r"V\* of `a*b` at \|a\|, E\_{π\*}"
    assert escaped("(-1.1, 3e-9)") == "(−1.1, 3e-9)"
