"""`nabla reproduce`: the published settings, closed form against exact moments and measurement."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import norm
from support import FALSE_ALARM, FLOAT
from test_command import run

from estimators import Noise, Objective, measure, reparameterization
from nabla.reproduce.reproduction import Curve, chance, exactly, run_series
from toy_problems.published import PUBLISHED, critics
from toy_problems.published import dimensions as published_dimensions
from toy_problems.published.baselines import draw_by_draw
from toy_problems.published.studies import normal
from toy_problems.theory import tilted as theory_tilted


@pytest.mark.parametrize("name", [n for n in PUBLISHED if n != "neural-critics"])  # has none
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


@pytest.mark.parametrize("points", ["0", "2"])
def test_fewer_points_than_cases(capsys, tmp_path, monkeypatch, points):
    """None: exact alone. A trend needs measured ends."""
    study = replace(PUBLISHED["gal2016"](), trend=points == "0")
    monkeypatch.setitem(PUBLISHED, "gal2016", lambda: study)
    arguments = ["gal2016", "--points", points, "--estimates", "100", "--out", str(tmp_path)]
    code, out, err = run(capsys, "reproduce", *arguments)
    assert (code, err) == (0, "")
    case = next(line for line in out.splitlines() if line.startswith("sin x"))
    assert case.split()[-3:] == ["–"] * 3 if points == "0" else ["–", *case.split()[-2:]]
    assert (tmp_path / "reproduce-gal2016/figure.png").exists()


def test_chance_is_that_of_a_normal_and_of_its_square():
    """g = 2a ~ N(2μ, 4σ²): skewness 0; (g − E g)² is 4σ²χ²: √2 · 4σ², √8. In total, with
    g_σ = 2aσε, by Gauss–Hermite, exact for polynomials."""
    objective = Objective(lambda a: -(a**2).sum(-1), 0.0)
    cell = reparameterization, normal(0.3, -0.4), objective
    mu, sigma = 0.3, np.exp(-0.4)
    assert chance(cell, "mean", "mu") == pytest.approx((2 * sigma, 0), abs=1e-9)
    assert chance(cell, "variance", "mu") == pytest.approx((2**0.5 * 4 * sigma**2, 8**0.5))
    eps, w = np.polynomial.hermite_e.hermegauss(20)
    w = w / w.sum()
    slope = 2 * (mu + sigma * eps)
    s = (slope - 2 * mu) ** 2 + (slope * sigma * eps - 2 * sigma**2) ** 2
    sd = np.sqrt(w @ (s - w @ s) ** 2)
    assert chance(cell, "variance", "total") == pytest.approx((sd, w @ (s - w @ s) ** 3 / sd**3))


def test_what_is_too_rare_to_be_drawn_is_no_deviation():
    """Implicit gradients across a density gap: half of the measurements miss what carries the
    variance, and their own standard error with it."""
    study = PUBLISHED["density-gap"]()
    whole = next(s for s in study.series if s.name == "implicit_reparameterization")
    forms = {k: form[-1:] for k, form in whole.formulas.items()}
    last = replace(whole, x=whole.x[-1:], formulas=forms)
    for seed in range(8):
        (curve,) = run_series(study, last, estimates=2000, points=1, seed=seed)
        assert curve.agrees(4.8), seed


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


@pytest.mark.parametrize("cost", ["exp", "cos"])
def test_curves_cross_where_it_says(cost):
    """Equal there, in the other order on the two sides."""
    grid = np.geomspace(0.5, 5, 60)
    for entry in ("mu", "sigma"):
        found = theory_tilted.crossings(cost, grid, entry)
        assert found
        for (one, two), places in found.items():
            for k in places:
                low, at, high = (
                    (v[one][entry] - v[two][entry]) / v[one][entry]
                    for v in (theory_tilted.variances(cost, k + h) for h in (-1e-3, 0.0, 1e-3))
                )
                assert abs(at) < 1e-9
                assert low * high < 0


def test_vargrad_is_leave_one_out_draw_by_draw():
    assert max(draw_by_draw(n, draws=100, seed=n) for n in (2, 3, 8)) < 1e-12


def test_xu_2019_holds_without_a_temperature_and_turns_around_with_one():
    """The score function with its best baseline has ≥ 3/2 of the pathwise variance for μ at
    α = 0; at τ = 1 it has less than Eq. 13 up to δ/σ = √½ (μ) and √2/3 (log σ), never than STL."""
    series = PUBLISHED["xu2019"]().series
    groups = list(dict.fromkeys(s.group for s in series))
    x = series[0].x
    form = {(s.group, s.name): s.formulas for s in series}
    eq13, stl, score = "reparameterization", "sticking_the_landing", "score_function_optimal"
    plain, whole = ({n: form[g, n] for n in (eq13, stl, score)} for g in groups)
    assert (plain[score]["mu"] >= 1.5 * plain[eq13]["mu"]).all()
    for entry, turn in (("mu", 0.5**0.5), ("log_std", 2**0.5 / 3)):
        assert ((whole[score][entry] < whole[eq13][entry]) == (x < turn)).all()
        assert (whole[score][entry] >= whole[stl][entry]).all()


def test_high_dimension_has_the_powers_of_theory():
    """A sum of d equal costs: pathwise ∝ d; the score function → d², from the formulas."""
    study = PUBLISHED["high-dimension"]()
    lines = {(s.group, s.name): s.formulas.get("total") for s in study.series}
    waves = lines["Σ cos 3aᵢ", "reparameterization"]
    assert np.allclose(waves, waves[0] * study.series[0].x, rtol=1e-12)
    one = lines["cos 3a₁", "reparameterization"]
    assert np.allclose(one, one[0], rtol=1e-12)
    score = lines["Σ cos 3aᵢ", "score_function_value"]
    d = study.series[0].x
    second = np.diff(np.diff(score) / np.diff(d)) / (d[2:] - d[:-2])
    assert np.allclose(second, second[0], rtol=1e-9)  # a quadratic in d
    assert second[0] > 1


def test_high_dimension_measured_at_50():
    """Every formula at d = 50, a z-test of each at 1e-7, and leave-one-out's at d = 5."""
    study = PUBLISHED["high-dimension"]()
    for series in study.series:
        if series.formulas:
            i = 2 if "leave" in series.name else 5
            estimator, policy, objective = series.cell(series.x[i], "total")
            report = measure(estimator, policy, objective, estimates=4000, rng=Noise(3), exact=None)
            off = report.total_variance - series.formulas["total"][i]
            assert abs(off) < norm.isf(FALSE_ALARM / 2) * report.total_variance_sem, series.name


def test_trend_is_the_power_and_its_error():
    x = np.array([1.0, 5.0, 10.0, 20.0, 50.0])
    points = np.stack([x, 3 * x**1.5, 0.01 * 3 * x**1.5], 1)
    points[0, 1] = 100.0  # below TREND_FROM: not seen
    curve = Curve("", "", "total", x, None, np.full(5, np.nan), 0.0, points, 1.0)
    power, error, factor = curve.trend
    assert abs(power - 1.5) < 1e-12
    assert abs(factor - 3) < 1e-11
    u = np.log(x[1:])
    assert abs(error - 0.01 / np.sqrt(((u - u.mean()) ** 2).sum())) < 1e-12


def test_fitted_critics_are_frozen_fits():
    """A short fit explains its target, is made twice the same, and has no gradient of its own."""
    critic = critics.fitted(2, "relu", width=32, steps=200)
    again = critics.fitted.__wrapped__(2, "relu", width=32, steps=200)
    assert critics.explained(critic, 2) > 0.9
    a = torch.rand(7, 2, generator=torch.Generator().manual_seed(0), dtype=FLOAT) - 0.5
    assert torch.equal(critic(a), again(a))
    assert not critic(a).requires_grad
    assert critics.explained(critics.target(2), 2) == 1


def test_a_critic_that_is_its_target_is_measured_alike(monkeypatch):
    monkeypatch.setattr(published_dimensions, "DIMENSIONS", np.array([1.0, 3.0]))
    monkeypatch.setattr(critics, "fitted", lambda d, activation: critics.target(d))
    study = PUBLISHED["neural-critics"]()
    found = {}
    for series in study.series:
        if series.name == "reparameterization":
            (found[series.group],) = run_series(study, series, estimates=100, points=2, seed=0)
    points = [c.points for c in found.values()]
    assert len(points) == 4
    assert np.array_equal(points[0], points[1])
    assert np.array_equal(points[0], points[2])
    assert not np.isclose(points[0], points[3]).all()


def test_figures_hold_their_command_and_seed(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["nabla", "reproduce", "gal2016"])
    run(capsys, "reproduce", "gal2016", "--estimates", "100", "--out", str(tmp_path))
    folder = tmp_path / "reproduce-gal2016"
    for suffix in ("pdf", "svg", "png"):
        assert b"nabla reproduce gal2016 --seed 0" in (folder / f"figure.{suffix}").read_bytes()
