"""`check` pointed at the gradient estimators of other libraries: `make conformance`, ≈ 10 minutes.

    python3 benchmarks/conformance/run.py [WORD]     # WORD: only the rows that contain it

Makes .venv-conformance (requirements.txt) if need be, tries every case there, and writes
docs/conformance.md and docs/conformance.csv. Exit status 1 if a verdict is not the expected one.
"""

import csv
import datetime
import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.append(str(HERE.parent))
import venvs  # noqa: E402

FIELDS = ["library", "version", "estimator", "verdict", "expected", "diagnosis", "entry", "bias"]
FIELDS += ["half_width", "estimates", "delta", "seconds", "evidence"]
TEXT = """\
# Other libraries under `check`

Made by `make conformance` on {date}; do not edit. Python {python}; the versions are those of
[requirements.txt](../benchmarks/conformance/requirements.txt). {count} estimators, {agree} with the
verdict expected of them.

The bias is that of the entry farthest off in standard errors, ± the limit of the test: all such
intervals of a row hold together with probability 1 − 1e-6. "unbiased" excludes, with probability
1 − 1e-6, a bias of δ standard deviations of one estimate. The problems are in
[problems.py](../benchmarks/conformance/problems.py), all numbers in
[conformance.csv](conformance.csv).

| library | estimator | verdict | what is wrong | bias found | estimates | δ |
|---|---|---|---|---|---|---|
{rows}

## By another route

Pyro's faults do not rest on `check`: a closed form of ∂J/∂logit₀ and a plain average of Pyro's own
gradients over {draws:,} draws
([confirm.py](../benchmarks/conformance/confirm.py)).

| Pyro | closed form | average ± standard error |
|---|---|---|
{confirmed}
"""


def lines(python: Path, script: str, *args: str) -> list[dict]:
    """The JSON lines of a script, run in the environment."""
    command = [python, "-W", "ignore", HERE / script, *args]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return [json.loads(line) for line in done.stdout.splitlines()]


def row(found: dict) -> dict:
    """One line of the table, flat."""
    evidence = found["evidence"]
    decisive = next((e for e in evidence if e["outcome"] in ("failed", "undecided")), evidence[-1])
    flat = dict.fromkeys(FIELDS, "") | {
        "library": found["library"],
        "version": found["version"],
        "estimator": found["name"],
        "verdict": found["status"],
        "expected": found["expected"],
        "diagnosis": next((e["text"] for e in evidence if e["rung"] == "diagnosis"), ""),
        "delta": found["delta"],
        "seconds": round(found["seconds"], 1),
        "evidence": decisive["text"],
    }
    measured = next((e["numbers"] for e in evidence if "bias" in e["numbers"]), None)
    if measured is not None:
        bias, error = measured["bias"], measured["standard_error"]
        off = [
            abs(b) / e if e else (math.inf if b else 0.0) for b, e in zip(bias, error, strict=True)
        ]
        i = off.index(max(off))  # one that never varies and is off is infinitely so
        flat["entry"], flat["bias"] = measured["entries"][i], bias[i]
        flat["half_width"] = measured["limit"][i] * error[i]
        flat["estimates"] = measured["estimates"]
    return flat


def markdown(r: dict) -> str:
    wrong, bias, estimates = "", "", ""
    if r["verdict"] == "biased":
        wrong = r["diagnosis"].split(": it may be")[0]  # the rest is in the CSV
    elif r["verdict"] != "unbiased":
        wrong = r["evidence"]
    if r["entry"]:
        bias = f"{r['entry']}: {r['bias']:+.4f} ± {r['half_width']:.4f}"
        estimates = f"{r['estimates']:,}"
    delta = r["delta"] if r["verdict"] == "unbiased" else ""
    verdict = r["verdict"] if r["verdict"] == "unbiased" else f"**{r['verdict']}**"
    library = f"{r['library']} {r['version']}"
    cells = library, r["estimator"], verdict, wrong, bias, estimates, delta
    return f"| {' | '.join(map(str, cells))} |"


def main(only: str = "") -> int:
    python = venvs.make(ROOT / ".venv-conformance", HERE / "requirements.txt")
    rows = [row(found) for found in lines(python, "table.py", only)]
    confirmed = lines(python, "confirm.py")
    agree = sum(r["verdict"] == r["expected"] for r in rows)
    text = TEXT.format(
        date=datetime.date.today().isoformat(),
        python=".".join(map(str, sys.version_info[:3])),
        count=len(rows),
        agree="all" if agree == len(rows) else agree,
        rows="\n".join(map(markdown, rows)),
        draws=confirmed[0]["draws"],
        confirmed="\n".join(
            f"| `{c['name']}` | {c['exact']:+.4f} | {c['mean']:+.4f} ± {c['error']:.4f} |"
            for c in confirmed
        ),
    )
    print(text)
    if not only:
        (ROOT / "docs" / "conformance.md").write_text(text)
        table = io.StringIO()
        writer = csv.DictWriter(table, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        (ROOT / "docs" / "conformance.csv").write_text(table.getvalue())
    for r in rows:
        if r["verdict"] != r["expected"]:
            print(f"{r['library']} {r['estimator']}: {r['verdict']}", file=sys.stderr)
    return int(agree < len(rows))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
