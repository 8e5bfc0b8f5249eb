"""The command: what it prints and saves, and one sentence for bad input."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from estimators import CATALOGUE, Report
from nabla.cli import main
from nabla.table import render, with_error
from toy_problems import PROBLEMS

ROOT = Path(__file__).parent.parent


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    captured = capsys.readouterr()
    return exit_.value.code, captured.out, captured.err


def test_compare_saves_table_reports_draws_and_figure(capsys, tmp_path):
    chosen = ["reparameterization", "score_function_batch_mean"]
    arguments = ["compare", "report", "--estimators", *chosen, "--estimates", "20000"]
    code, out, err = run(capsys, *arguments, "--out", str(tmp_path))
    assert (code, err) == (0, "")
    assert "agrees" in out
    assert "biased, as documented" in out
    folder = tmp_path / "compare-report"
    rows = list(csv.DictReader((folder / "table.csv").read_text().splitlines()))
    assert [r["entry"] for r in rows] == ["mu[0]", "log_std[0]", "total"] * 2
    report = Report.load(folder / "reports" / "reparameterization.json")
    assert float(rows[0]["variance"]) == float(report.variance["mu"])
    samples = np.load(folder / "samples.npz", allow_pickle=False)
    assert samples["reparameterization"].shape == (2000, 2)
    assert (folder / "figure.pdf").read_bytes().startswith(b"%PDF")
    assert (folder / "figure.png").stat().st_size > 10_000
    assert not list(folder.rglob("*.part"))


def test_compare_is_reproducible(capsys, tmp_path):
    for name in "ab":
        run(capsys, "compare", "bandit", "--estimates", "1000", "--out", str(tmp_path / name))
    reports = [Report.load(tmp_path / n / "compare-bandit/reports/vargrad.json") for n in "ab"]
    assert reports[0].moments.mean.tolist() == reports[1].moments.mean.tolist()


TASKS = """
import torch
from estimators import Gaussian, Objective
from toy_problems import Problem

def Q(a):
    return -(a - 1).abs().sum(-1) + torch.sin(a[..., 0])

def rewards(a):
    return torch.tensor([1.0, 0.0, 0.5]).to(a.device)[a].double()

def nan(a):
    return torch.log(a).sum(-1)

def shape(a):
    return a

def inplace(a):
    return a.clamp_(-1, 1).sum(-1)

def jumps(a):
    return (a > 0.2).double().sum(-1)

def leaves(a):
    raise SystemExit(3)

def from_numpy(a):
    return torch.from_numpy(__import__("numpy").cos(3 * a.numpy())).sum(-1)

def raises(a):
    raise RuntimeError("my simulator is down")

def mine(policy, objective, rng, n=1):
    return 1.1 * objective.cost(policy, policy.rsample(n, rng)).mean(0)

zero = torch.zeros(1, dtype=torch.float64)
problem = Problem("mine", Gaussian(zero, zero), Objective(Q, 0.3))
number = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_problem.py").write_text(TASKS)
    (tmp_path / "own_broken.py").write_text("None.gone")
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("own_problem", None)


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    "arguments",
    [
        ["own_problem:Q", "--mu", "0.2", "--log-std", "-0.5", "--alpha", "0.2"],
        ["own_problem:Q", "--mu", "0.2", "0.1", "--squash"],
        ["own_problem:Q", "--mu", "-1", "1", "--logits", "0", "0.5"],
        ["own_problem:rewards", "--logits", "0.1", "0.2", "0.3"],
        ["own_problem:problem"],
        ["report", "--noise", "antithetic", "--n", "4"],
        ["report", "--noise", "sobol", "--n", "4", "--set", "m=3", "d=2"],
        ["quadratic", "--set", "d=50", "condition=1000"],
        ["landscape", "--set", "components=4"],
        ["squashed", "--dtype", "float32"],
    ],
)
def test_problems_of_every_kind(capsys, arguments):
    code, out, err = run(capsys, "compare", *arguments, "--estimates", "300")
    assert (code, err) == (0, "")
    assert "SNR" in out


@pytest.mark.usefixtures("own")
def test_an_estimator_of_ones_own_is_measured_and_caught(capsys):
    arguments = ["report", "--estimators", "own_problem:mine", "reparameterization"]
    code, out, _ = run(capsys, "compare", *arguments, "--estimates", "100000")
    assert code == 0
    line = next(line for line in out.splitlines() if line.startswith("own_problem:mine"))
    assert "BIASED" in line


@pytest.mark.usefixtures("own")
def test_a_q_that_jumps_or_cannot_be_differentiated_is_told(capsys):
    code, out, _ = run(capsys, "compare", "own_problem:jumps", "--mu", "0", "--estimates", "2000")
    assert code == 0
    assert "does your Q jump?" in out
    code, out, _ = run(capsys, "compare", "own_problem:from_numpy", "--mu", "0")
    assert code == 0
    assert "left out reparameterization: Can't call numpy()" in out
    assert any(line.startswith("score_function ") for line in out.splitlines())


@pytest.mark.usefixtures("own")
def test_estimates_that_do_not_see_a_jump_are_biased_and_last(capsys):
    """All alike to 1e-17, which is less than the exact gradient's own error."""
    arguments = ["--mu", "0.5", "--estimators", "reparameterization", "score_function"]
    code, out, _ = run(capsys, "compare", "own_problem:jumps", *arguments, "--estimates", "500")
    assert code == 0
    score, pathwise = out.splitlines()[4:6]
    assert score.split()[:3:2] == ["score_function", "agrees"]
    assert re.match(r"reparameterization +> 10000 +BIASED", pathwise)


def test_an_event_too_rare_to_be_drawn_is_no_bias(capsys):
    """P(a > 4) = 3e-7: 1000 draws know nothing of it, and their variance is zero."""
    rare = ["step", "--set", "threshold=4", "mu=0", "--alpha", "0", "--estimates", "1000"]
    code, out, _ = run(capsys, "compare", *rare, "--estimators", "score_function", "measure_valued")
    assert code == 0
    assert [line.split()[1:3] for line in out.splitlines()[4:6]] == [["–", "unknown"]] * 2


def test_settings_are_printed(capsys):
    given = ["--set", "m=3", "phi=0.1", "--alpha", "0.5", "--estimators", "vargrad"]
    _, out, _ = run(capsys, "compare", "report", *given, "--estimates", "100")
    assert out.startswith(
        "report (m=3, phi=0.1, alpha = 0.5): one estimate, from 100 of each; Q sees a\n"
    )


def test_alpha_reaches_both_halves_of_a_squashed_objective(capsys, tmp_path):
    for i, how in enumerate((["--alpha", "1"], ["--set", "alpha=1"])):
        arguments = ["compare", "squashed", *how, "--estimates", "100"]
        run(capsys, *arguments, "--out", str(tmp_path / str(i)))
    one, two = (
        Report.load(tmp_path / str(i) / "compare-squashed/reports/score_function.json")
        for i in range(2)
    )
    assert one.exact.tolist() == two.exact.tolist()


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "unknown problem 'nowhere'; known: report"),
        (["report", "--estimators", "reinforce"], "unknown estimator 'reinforce'; known:"),
        (
            ["report", "--estimators", "marginalized"],
            "has no components to sum over",
        ),
        (["report", "--set", "q=3"], "no setting 'q'; it has m, weight"),
        (["report", "--set", "m=x"], "name=number, got 'm=x'"),
        (["report", "--set", "K=1.5"], "K must be a whole number"),
        (["report", "--set", "K=0"], "K ≥ 1"),
        (["report", "--set", "d=nan"], "d must be finite"),
        (["report", "--set", "m=3", "--set", "phi=0.1"], "--set is given twice"),
        (["own_problem:Q", "--log-std=0", "--log_std=1"], "--log_std is given twice"),
        (["own_problem:leaves", "--mu", "0"], "called exit(3)"),
        (["landscape", "--set", "components=0"], "components must be ≥ 1"),
        (["squashed", "--squash"], "squashed already"),
        (["bandit", "--squash"], "continuous actions"),
        (["report", "--seed", "99999999999999999999"], "seed must lie in"),
        (["own_problem:problem", "--alpha", "1"], "temperature of its own"),
        (["own_broken:Q"], "cannot import 'own_broken'"),
        (["own_problem:inplace", "--mu", "0"], "changes its argument"),
        (["report", "--set", "weight=2"], "(0, 1); got 2"),
        (["cosine", "--set", "sigma=0"], "sigma must be positive"),
        (["report", "--estimates", "1"], "estimates must be ≥ 2"),
        (["report", "--estimates", "100000000000000"], "estimates must be ≤ 1,000,000,000,000"),
        (["report", "--n", "0"], "n must be ≥ 1"),
        (["report", "--n", "1", "--estimators", "vargrad"], "at least 2 independent"),
        (["report", "--mu", "nan"], "Gaussian.mu is not finite"),
        (["report", "--mu", "1", "2", "3"], "takes 1 number, got 3"),
        (["report", "--logits", "1"], "a Gaussian has mu, log_std"),
        (["report", "--device", "tpu9"], "device 'tpu9' cannot be used"),
        (["report", "--alpha", "inf"], "alpha must be finite"),
        (["own_problem:Q"], "needs a policy"),
        (["own_problem:gone"], "no attribute 'gone'"),
        (["gone:Q"], "cannot import 'gone'"),
        (["own_problem:number"], "neither a function nor a Problem"),
        (["own_problem:nan", "--mu", "0"], "Q is not finite at the action"),
        (["own_problem:shape", "--mu", "0"], "Q must map actions"),
        (["own_problem:raises", "--mu", "0"], "my simulator is down"),
        (["own_problem:Q", "--mu", "0", "1", "2", "--logits", "0", "0"], "--mu takes 1, 2, 4, 6"),
        (["own_problem:Q", "--mu", "0", "1", "--log-std", "0", "0", "0"], "1 or 2 numbers"),
    ],
)
def test_bad_input_gets_one_sentence(capsys, tmp_path, arguments, words):
    code, _out, err = run(capsys, "compare", *arguments)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_an_unwritable_folder_is_named(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    arguments = ["compare", "report", "--estimates", "100", "--estimators", "reparameterization"]
    code, _, err = run(capsys, *arguments, "--out", str(tmp_path / "file"))
    assert code == 2
    assert "file" in err


def test_a_file_in_the_way_is_told_before_the_work(capsys, tmp_path, monkeypatch):
    for work in ("compare.measuring.compared", "reproduce.reproduction.run_study"):
        monkeypatch.setattr(f"nabla.{work}", None)
    monkeypatch.setattr("nabla.map.mapping.mapped", None)
    for text, name in (
        ("compare report", "compare-report"),
        ("reproduce gal2016", "reproduce-gal2016"),
        ("map cosine --x sigma=1:2 --y mu=0:1", "map-cosine-sigma-mu"),
    ):
        (tmp_path / name).write_text("")
        code, _, err = run(capsys, *text.split(), "--out", str(tmp_path))
        assert code == 2
        assert f"{name} is not a folder" in err


def test_what_cannot_be_saved_is_printed_and_leaves_nothing(capsys, tmp_path):
    (tmp_path / "compare-report" / "figure.png").mkdir(parents=True)
    arguments = ["compare", "report", "--estimates", "100", "--estimators", "reparameterization"]
    code, out, err = run(capsys, *arguments, "--out", str(tmp_path))
    assert code == 2
    assert "figure.png" in err
    assert "reparameterization " in out
    assert not list(tmp_path.rglob("*.part"))


def test_identities_hold_and_can_fail(capsys):
    code, out, _ = run(capsys, "identities", "--trials", "3")
    assert code == 0
    assert "FAILS" not in out
    code, out, _ = run(capsys, "identities", "--trials", "3", "--tolerance", "1e-30")
    assert code == 1
    assert "FAILS" in out
    assert run(capsys, "identities", "--trials", "0")[0] == 2


def test_lists_are_complete(capsys):
    _, out, _ = run(capsys, "problems")
    assert all(name in out for name in PROBLEMS)
    _, out, _ = run(capsys, "estimators")
    assert all(name in out for entries in CATALOGUE.values() for name in entries)


def test_readme_table_is_the_catalogue(capsys):
    _, out, _ = run(capsys, "estimators", "--markdown")
    assert out in (ROOT / "README.md").read_text()


def test_readme_example_runs(tmp_path):
    """The README's Python block, as written."""
    text = (ROOT / "README.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_help_reads_well(capsys):
    for command in ([], ["compare"], ["identities"]):
        code, out, _ = run(capsys, *command, "--help")
        assert code == 0
        assert "Args:" not in out


def test_estimators_import_nothing_heavy():
    code = (
        "import sys, estimators; "
        "print([m for m in ('matplotlib', 'pandas', 'gymnasium', 'jupyter', 'scipy', 'tyro') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_imports_point_one_way():
    """nabla → toy_problems → estimators."""
    allowed = {"estimators": {"estimators"}, "toy_problems": {"estimators", "toy_problems"}}
    for package, mine in allowed.items():
        for path in (ROOT / package).rglob("*.py"):
            for line in path.read_text().splitlines():
                words = line.split()
                if words[:1] in (["from"], ["import"]):
                    top = words[1].split(".")[0]
                    assert top not in {"estimators", "toy_problems", "nabla"} - mine, path


def test_tables():
    assert with_error(1.23456, 0.0123) == "1.235 ± 0.012"
    assert with_error(-0.001, 0.5, signed=True) == "-0.00 ± 0.50"
    assert with_error(3.0, 0.0) == "3 ± 0"
    assert with_error(1.5e9, 2e7) == "(1.500 ± 0.020)e9"
    assert with_error(float("nan"), 1.0) == "nan"
    assert with_error(0.1144163446382335803, 1.3e-18, signed=True) == "+0.114416344638234 ± 1.3e-18"
    assert render(["a", "b"], [["x", "1"], ["yy", "10"]]).splitlines()[-1] == "yy  10"


def test_reports_are_json_without_pickle(capsys, tmp_path):
    run(capsys, "compare", "report", "--estimates", "10", "--out", str(tmp_path))
    for path in (tmp_path / "compare-report" / "reports").iterdir():
        assert json.loads(path.read_text())["problem"] == "report"


def test_a_variance_that_few_draws_carry_is_told(capsys):
    chosen = ["score_function", "reparameterization"]
    _, out, _ = run(capsys, "compare", "cosine", "--estimators", *chosen, "--estimates", "4000")
    assert "trusted: score_function.\n" in out
