"""Commands load when they are called: help and bad arguments are answered without torch."""

import subprocess
import sys

import pytest

from nabla.cli import COMMANDS

CODE = """
import sys
from nabla.cli import main
try:
    main(sys.argv[2:])
except SystemExit as left:
    print("status", left.code or 0)
print("imported", *(name for name in sys.argv[1].split() if name in sys.modules))
"""
HEAVY = "torch scipy matplotlib"


def started(arguments, heavy=HEAVY):
    """(stdout, stderr, exit status, which of the heavy modules were imported) of a new process."""
    command = [sys.executable, "-c", CODE, heavy, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *out, status, imported = done.stdout.splitlines()
    return "\n".join(out), done.stderr, int(status.split()[1]), imported.split()[1:]


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_is_light(arguments):
    out, err, status, imported = started(arguments)
    assert (err, status, imported) == ("", 0, [])
    assert "usage: nabla" in out


def test_help_tells_every_command():
    out, *_ = started(["--help"])
    lines = {line.split()[0]: line for line in out.splitlines() if line.startswith("  ")}
    assert lines.keys() == COMMANDS.keys()
    assert lines["compare"].endswith("on one problem: bias, variance, cost.")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "say what to do: compare, check"),
        (["dance"], "unknown command 'dance': compare, check"),
        (["compare", "--estimates", "1"], "estimates must be ≥ 2"),
        (["compare", "--n", "0"], "n must be ≥ 1"),
        (["compare", "--seed", "-1"], "seed must lie in"),
        (["compare", "--seed", "1", "--seed", "2"], "--seed is given twice"),
        (["check", "reparameterization", "--budget", "0"], "budget must be ≥ 2"),
        (["check", "reparameterization", "--delta", "nan"], "delta must lie in (0, 1)"),
        (["map", "--grid", "1"], "grid must lie in [2, 1000]"),
        (["advise", "--budget", "0"], "budget must be finite and positive"),
        (["reproduce", "gal2016", "--points", "-1"], "points must be ≥ 0"),
        (["identities", "--trials", "0"], "trials must be ≥ 1"),
        (["train", "--batch", "0"], "batch must be ≥ 1"),
        (["evaluate", "run", "--episodes", "0"], "episodes must be ≥ 1"),
        (["probe", "run", "--states", "1"], "states must be ≥ 2"),
        (["watch", "run", "--steps", "0"], "steps must be ≥ 1"),
        (["report", "nowhere"], "nowhere holds no sweep"),
        (["sweep", "nowhere.toml"], "cannot read the sweep"),
    ],
)
def test_a_refusal_is_light_and_one_sentence(arguments, words):
    out, err, status, imported = started(arguments)
    assert (out, status, imported) == ("", 2, [])
    assert err.startswith("nabla: ")
    assert words in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["compare", "--colour", "red"], "Unrecognized options: --colour"),
        (["compare", "--estimates", "many"], "invalid literal for int"),
        (["check"], "ESTIMATOR|LOSS"),
        (["train", "--version", "beta"], "beta"),
    ],
)
def test_what_cannot_be_parsed_is_told_without_torch(arguments, words):
    out, err, status, imported = started(arguments)
    assert (out, status, imported) == ("", 2, [])
    assert words in err


@pytest.mark.parametrize("command", ["estimators", "problems"])
def test_lists_draw_nothing(command):
    _, err, status, imported = started([command], "scipy matplotlib")
    assert (err, status, imported) == ("", 0, [])


def test_a_configuration_is_light():
    code = "import sys, sac_minimal.config; print([m for m in sys.argv[1:] if m in sys.modules])"
    command = [sys.executable, "-c", code, *HEAVY.split()]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"
