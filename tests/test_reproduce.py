"""`nabla reproduce`: the published settings, closed form against exact moments and measurement."""

import csv

import numpy as np
import pytest
from test_command import run

from nabla.reproduction import exactly, run_series
from toy_problems import theory_tilted
from toy_problems.published import PUBLISHED


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_closed_forms_are_exact(name):
    """At the ends and in the middle of every series, every entry: to 1e-9."""
    study = PUBLISHED[name]()
    for series in study.series:
        if series.name == "measure_valued":
            continue  # test_theory holds those that are measure-valued
        where = range(len(series.x))[series.exact]
        some = {0} if study.xlabel == "N" else {0, len(where) // 2, len(where) - 1}
        for i in some & set(where):
            for entry in study.entries:
                if entry not in series.formulas:
                    continue
                exact, error = exactly(series.cell(series.x[i], entry), study.statistic, entry)
                form = series.formulas[entry][i]
                assert abs(exact - form) <= 1e-9 * (1 + abs(form)) + error, (series.name, entry)


def test_command_measures_and_saves(capsys, tmp_path):
    code, out, err = run(
        capsys, "reproduce", "gal2016", "--estimates", "2000", "--out", str(tmp_path)
    )
    assert (code, err) == (0, "")
    assert "DEVIATES" not in out
    folder = tmp_path / "reproduce-gal2016"
    rows = list(csv.DictReader((folder / "table.csv").read_text().splitlines()))
    assert len(rows) == 9
    assert {r["estimator"] for r in rows} >= {"reparameterization", "score_function"}
    worst = {r["estimator"]: float(r["exact"]) for r in rows if r["x"] == "2.0"}
    assert 99 < worst["reparameterization"] / worst["score_function"] < 101
    assert (folder / "figure.png").stat().st_size > 10_000
    assert not list(folder.rglob("*.part"))


def test_a_wrong_formula_is_noticed(capsys, tmp_path, monkeypatch):
    study = PUBLISHED["gal2016"]()
    for series in study.series:
        for form in series.formulas.values():
            form *= 1 + 1e-6
    monkeypatch.setitem(PUBLISHED, "gal2016", lambda: study)
    code, out, _ = run(capsys, "reproduce", "gal2016", "--estimates", "100", "--out", str(tmp_path))
    assert code == 1
    assert "DEVIATES" in out


def test_a_wrong_measurement_is_noticed():
    """The mean of a biased estimator against the exact gradient: ten standard errors and more."""
    study = PUBLISHED["in-sample-baseline"]()
    wrong = next(s for s in study.series if s.name == "score_function_batch_mean")
    right = next(s for s in study.series if s.name == "score_function_leave_one_out")
    mixed = type(wrong)("", wrong.name, right.x, wrong.cell, right.formulas, slice(0))
    (curve,) = run_series(study, mixed, estimates=20_000, points=1, seed=0)
    assert curve.z > 10
    assert not curve.agrees(5.0)


def test_tilted_moments_by_the_trapezoid_rule():
    eps = np.linspace(-12, 12, 4001)
    w = np.exp(-(eps**2) / 2)
    w = w / w.sum()
    for c, z in ((0.7, 0.4), (0.0, 1.3j), (2.0, -1.1 + 0.5j)):
        found = theory_tilted.tilted(lambda e: e**4 - 2 * e + 1, c, z)
        known = (w * (eps**4 - 2 * eps + 1) * np.exp(-c * eps**2 + z * eps)).sum()
        assert abs(found - known) < 1e-12


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["reproduce", "nobody"], "known: mohamed2020-fig2"),
        (["reproduce", "gal2016", "--estimates", "1"], "estimates"),
        (["reproduce", "gal2016", "--points", "-1"], "points"),
        (["reproduce", "gal2016", "--seed", "-1"], "seed"),
    ],
)
def test_bad_input(capsys, tmp_path, arguments, said):
    out = tmp_path / "out"
    code, _, err = run(capsys, *arguments, "--out", str(out))
    assert code == 2
    assert said in err
    assert not out.exists()


def test_the_list(capsys):
    code, out, _ = run(capsys, "reproduce")
    assert code == 0
    assert all(name in out for name in PUBLISHED)
