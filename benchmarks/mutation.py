"""What the tests of the estimators notice: docs/mutation.md from mutmut's results.

The last step of `make mutation`. Every survivor must have its reason in REASONS, by the line that
it became; exit status 1 without, or below the goal.
"""

import datetime
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from mutmut.stats import status_by_exit_code

from estimators.files import write_atomically

ROOT = Path(__file__).resolve().parent.parent
GOAL = 0.95
NOTICED = ("killed", "timeout")
REASONS = {  # a part of the line that it became: why no test can notice
    "n: int = 2, order: int | None": "an exact sum does not use n",
    "rng: Noise, /, *, n: int = 2": "a protocol, never called",
    "return cost.mean(0, )": "broadcasting puts the axis back",
    "return cost.mean(0, keepdim=False)": "broadcasting puts the axis back",
    "self.mu - self.log_std.exp() * eps": "the nodes lie symmetrically",
    "eps.shape[+1]": "eps has two axes",
    "meshgrid(*[x] * d, )": "the nodes in another order; the weight of (x, y) is that of (y, x)",
    "meshgrid(*[w] * d, )": "the weight of (x, y) is that of (y, x)",
    ".reshape(-2, d)": "numpy takes any negative size for the one to find",
    ".prod(+1)": "an array of two axes",
    "torch.zeros((), dtype=None": "a number without axes takes the dtype of what it is taken from",
    "torch.zeros((), device=cost.device)": "the same",
    "torch.zeros((), dtype=cost.dtype, device=None)": "and may lie on the CPU",
    "torch.zeros((), dtype=cost.dtype, )": "and may lie on the CPU",
    "dict(zip(parameters, grads, strict=None))": "the lengths are equal",
    "dict(zip(parameters, grads, strict=False))": "the lengths are equal",
    "dict(zip(parameters, grads, ))": "the lengths are equal",
    "threshold=41.0": "softplus(x) = x from 37 on in float64",
    "...I,...IJ,...J->...": "the letters are names",
    "_gauss_hermite(order, d, k, None)": "called for its limits, its answer is dropped",
    "<= above.logsumexp": "where the two are equal, both forms are exact",
}


def results() -> dict[str, dict[str, str]]:
    """Status of every mutant, by file."""
    found = {}
    for path in sorted(ROOT.glob("mutants/estimators/*.meta")):
        codes = json.loads(path.read_text())["exit_code_by_key"]
        found[path.stem] = {key: status_by_exit_code[code] for key, code in codes.items()}
    return {file: mutants for file, mutants in found.items() if mutants}


def change(mutant: str) -> tuple[str, str]:
    """The line before and after."""
    command = [Path(sys.executable).parent / "mutmut", "show", mutant]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = shown.splitlines()
    before = [x[1:].strip() for x in lines if x.startswith("-") and not x.startswith("---")]
    after = [x[1:].strip() for x in lines if x.startswith("+") and not x.startswith("+++")]
    return " ".join(before), " ".join(after)


def report(found: dict[str, dict[str, str]]) -> tuple[str, bool]:
    total = Counter(status for mutants in found.values() for status in mutants.values())
    count = sum(total.values())
    noticed = sum(total[status] for status in NOTICED)
    lines = [
        "# What the tests of the estimators notice",
        "",
        f"Made by `make mutation` on {datetime.date.today()}; do not edit. mutmut changes one "
        "thing at a time in the formulas of `estimators/` and runs the fast tests; a change that "
        "no test notices survives.",
        "",
        f"{count} changes: {noticed} noticed ({noticed / count:.1%}; goal {GOAL:.0%}), of which "
        f"{total['timeout']} because the tests no longer end.",
        "",
        "| file | changes | noticed |",
        "|---|---|---|",
    ]
    for file, mutants in found.items():
        seen = sum(status in NOTICED for status in mutants.values())
        lines.append(f"| `{file}` | {len(mutants)} | {seen} |")
    lines += ["", "## Survivors", "", "| file | line | became | why |", "|---|---|---|---|"]
    explained = True
    for file, mutants in found.items():
        for mutant, status in mutants.items():
            if status in NOTICED:
                continue
            before, after = change(mutant)
            why = next((why for line, why in REASONS.items() if line in after), "")
            if not why:
                print(f"{file}: no reason for: {before} -> {after} ({status})", file=sys.stderr)
            explained &= bool(why)
            cells = (f"`{file}`", f"`{before}`", f"`{after}`", why or f"**unexplained** ({status})")
            lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    return "\n".join(lines) + "\n", explained and noticed >= GOAL * count


if __name__ == "__main__":
    text, good = report(results())
    write_atomically(ROOT / "docs" / "mutation.md", text)
    sys.exit(not good)
