"""The exercises cannot be fooled: what is wrong between coordinates, what a slip of the pen makes
of a solution; designs, predictions, and what is kept of a reader's work."""

import importlib.util
import inspect
import json
import math
from functools import partial
from pathlib import Path

import pytest
import torch
from torch.distributions import Normal

from estimators import Gaussian, Objective, exact_moments, leave_one_out, score_function
from nabla.cli import main
from nabla.course import check_exercise, exercise, kept, numbers, predict, prediction
from nabla.course.engine import Design, Formula, Number, Order, Surrogate, Word
from nabla.course.engine.coordinates import slips
from nabla.course.engine.surrogates import as_it_is
from nabla.course.exercises import exercises
from nabla.course.exercises.ex07 import leave_one_out_variance

ROOT = Path(__file__).parent.parent
SPEC = importlib.util.spec_from_file_location(
    "exercise_mutations", ROOT / "benchmarks" / "exercise_mutations.py"
)
MUTATIONS = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(MUTATIONS)
SOLVED = {one.name: one for one in MUTATIONS.solved()}
EVERY = {name: e for n in numbers() for name, e in exercises(n).items()}
ACTIONS = {
    name: e
    for name, e in EVERY.items()
    if isinstance(e, Surrogate) and not e.problems[0][0].discrete and e.adapt is as_it_is
}


@pytest.fixture(autouse=True)
def _own_progress(monkeypatch, tmp_path):
    monkeypatch.setattr("nabla.course.engine.feedback._MEMORY", {})
    monkeypatch.setenv("NABLA_COURSE", str(tmp_path / "course.json"))


@pytest.mark.parametrize("name", ACTIONS)
def test_coordinates_put_together_wrongly_are_told(name):
    """Each was accepted when exercises were judged in one dimension."""
    one = SOLVED[name]
    asks = "policy.log_prob(" in one.source or ".cost(" in one.source
    for key, (answer, _) in slips(MUTATIONS.function(one, one.source)).items():
        if asks or key == "one_noise":
            found = exercise(name).examine(answer)
            assert (found.step, found.key) == ("bias", key), found


def _loss(density, log_det):
    def my_loss(mu, log_std, eps, Q, alpha):
        u = mu + log_std.exp() * eps
        det = 2 * (math.log(2) - torch.logaddexp(u, -u))
        log_prob = density(Normal(mu, log_std.exp()).log_prob(u)) - log_det(det)
        return alpha * log_prob - Q(torch.tanh(u))

    return my_loss


def _sum(x):
    return x.sum(-1)


def _mean(x):
    return x.mean(-1)


def _first(x):
    return x[..., 0]


@pytest.mark.parametrize(
    ("density", "log_det", "key"),
    [
        (_mean, _sum, "entropy_per_dimension"),
        (_first, _sum, "first_coordinate"),
        (_sum, _mean, "averaged_log_det"),
        (_sum, _first, "first_log_det"),
        (_mean, _mean, "averaged_both"),
    ],
)
def test_a_squashed_loss_adds_its_coordinates(density, log_det, key):
    assert exercise("my_loss").examine(_loss(_sum, _sum)).step == "done"
    found = exercise("my_loss").examine(_loss(density, log_det))
    assert (found.step, found.key) == ("bias", key), found


@pytest.mark.parametrize("name", SOLVED)
def test_a_changed_solution_is_refused(name):
    """A sample of what benchmarks/exercise_mutations.py tries: docs/exercise-mutations.md has all
    of it. What is right all the same has its reason there."""
    found = MUTATIONS.mutants(SOLVED[name].source)
    step = max(1, len(found) // (2 if isinstance(EVERY[name], Surrogate) else 5))
    for mutant in found[::step]:
        told = MUTATIONS.judged(SOLVED[name], mutant)
        assert told["step"] != "done" or MUTATIONS.reason(name, mutant.line), mutant.line


def test_a_mutant_differs_in_one_place():
    lines = [m.line for m in MUTATIONS.mutants("def f(x, y):\n    return x - y * 2\n")]
    assert "return x + y * 2" in lines
    assert "return y - y * 2" in lines
    assert "return x - y" in lines
    assert "return x - y * 3" in lines
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize("name", [n for n, e in EVERY.items() if isinstance(e, Formula)])
def test_arguments_are_named_as_in_the_notebook(name):
    """Hints name them."""
    asked = MUTATIONS.function(SOLVED[name], SOLVED[name].source)
    mine = list(inspect.signature(EVERY[name].reference).parameters)
    assert mine[: len(EVERY[name].inputs(0))] == list(inspect.signature(asked).parameters)


def test_what_was_done_to_an_argument_is_told():
    def right(x, alpha):
        return x * x - alpha * x

    chosen = Formula(right, lambda seed: (seed + 1.5, seed / 10 + 0.3), "a number", {})
    keys = {
        "forgotten": lambda x, alpha: right(x, 1),
        "turned": lambda x, alpha: right(x, -alpha),
        "inverted": lambda x, alpha: right(x, 1 / alpha),
        "squared": lambda x, alpha: right(x, alpha**2),
        "swapped": lambda x, alpha: right(alpha, x),
        "square": lambda x, alpha: right(x, alpha) ** 2,
        "rounded_up": lambda x, alpha: math.ceil(right(x, alpha)),
    }
    for key, answer in keys.items():
        found = chosen.examine(answer)
        assert found.key == key, found
    assert "alpha" in chosen.examine(keys["forgotten"]).hints[0]


def test_a_counter_example_shows_the_entry_that_differs():
    """In an array of many, with as many digits as it takes."""
    x = torch.arange(50.0, dtype=torch.float64)
    chosen = Formula(lambda x: x, lambda seed: (x,), "x", {}, tolerance=1e-12)
    off = torch.where(x == 30, 0.003, 0.0)
    assert "entry [30] is 30.003, not 30" in chosen.examine(lambda x: x + off).text
    one = Formula(lambda x: x, lambda seed: (1.0 + seed,), "x", {}, tolerance=1e-12)
    assert "it gives 1.0002, not 1" in one.examine(lambda x: x + 2e-4).text


def test_the_exact_variance_is_the_referee():
    """The closed form of 07's design, against quadrature."""
    k, delta, sigma, alpha = 1.3, 0.5, 0.8, 0.6
    policy = Gaussian(*(torch.tensor([x], dtype=torch.float64) for x in (delta, math.log(sigma))))
    objective = Objective(lambda a: -(k * a**2 / 2).sum(-1), alpha)
    for n in (2, 3):
        estimator = partial(score_function, n=n, baseline=leave_one_out)
        variance = exact_moments(estimator, policy, objective)[1]["mu"]
        form = leave_one_out_variance(k, delta, sigma, alpha, n)
        assert float(variance) == pytest.approx(form, rel=1e-9)


@pytest.mark.parametrize("name", [n for n, e in EVERY.items() if isinstance(e, Design)])
def test_no_estimator_wins_every_case(name):
    winners = [case.best[0] for case in EVERY[name].cases]
    assert len(set(winners)) > 1
    for case in EVERY[name].cases:  # and the best is better than what is still called good
        assert EVERY[name].slack < case.lead < 3


def test_predictions_are_scored_by_how_near_they_come():
    ten = Number(lambda: 10.0)
    assert [ten.stars(x) for x in (10, 9.5, 8, 25, 40, -10, 0)] == [3, 3, 2, 1, 0, 0, 0]
    assert ten.unfit("ten")
    assert ten.unfit(True)
    assert Word("1", ("0.1", "1")).stars("0.1") == 0
    assert Word("1", ("0.1", "1")).unfit("7")
    order = Order(("a", "b", "c"))
    assert [order.stars(x) for x in (["a", "b", "c"], ["a", "c", "b"], ["c", "b", "a"])] == [
        3,
        2,
        0,
    ]
    assert order.unfit(["a", "b"])


def test_a_prediction_tells_nothing_before_a_guess():
    untold = predict("gap", ...)
    assert untold.stars is None
    assert prediction("gap").truth_told not in repr(untold)
    assert predict("gap", 3000).stars == 3
    assert "○" in repr(predict("gap", 3))
    assert "2.98e+03" in predict("gap", 3)._repr_html_()
    with pytest.raises(ValueError, match=r"unknown prediction 'gaps'.*gap"):
        predict("gaps", 1)


def test_progress_is_kept_and_shown(capsys, tmp_path):
    wrong = exercise("variances").slips["factors"].answer
    check_exercise("variances", lambda *x: ...)
    assert not (tmp_path / "course.json").exists()  # still to do
    check_exercise("variances", wrong)
    check_exercise("variances", exercise("variances").reference)
    check_exercise("variances", wrong)  # once done, done
    with pytest.raises(SystemExit) as stop:
        main(["course"])
    assert stop.value.code == 0
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.strip().startswith("05")]
    assert "1 of 7" in line
    assert "  2  " in line
    assert "variances" not in line


@pytest.mark.parametrize("text", ["", "[1]", '{"cost": 3}', '{"cost": {"done": true}}', "\x00"])
def test_a_record_that_is_none_is_one_sentence_and_left_alone(text, tmp_path, capsys):
    (tmp_path / "course.json").write_text(text)
    with pytest.raises(SystemExit) as stop:
        main(["course"])
    assert stop.value.code == 2
    assert "is not a record of progress" in capsys.readouterr().err
    with pytest.warns(UserWarning, match="your progress is not kept"):
        said = check_exercise("variances", exercise("variances").reference)
    assert said.step == "done"
    assert (tmp_path / "course.json").read_text() == text


def test_ones_own_answer_stays_ones_own(capsys):
    def variances(k, sigma, alpha):
        """The notebook's solution."""
        return (k * sigma) ** 2, (k * sigma - alpha / sigma) ** 2

    def mine(k, sigma, alpha):
        return k**2 * sigma**2, (alpha / sigma - k * sigma) ** 2

    assert kept(variances) is variances
    check_exercise("variances", exercise("variances").slips["factors"].answer)
    assert kept(variances) is variances
    check_exercise("variances", mine)
    assert kept(variances) is mine
    check_exercise("variances", lambda *x: list(mine(*x)))  # right, but of another type
    assert kept(variances) is variances
    said = capsys.readouterr().out.splitlines()
    assert [("own" in line, "yours is right" in line) for line in said] == [
        (False, False),
        (False, False),
        (True, False),
        (False, True),
    ]


def test_docs_of_the_mutations_say_that_nothing_wrong_is_accepted():
    text = (ROOT / "docs" / "exercise-mutations.md").read_text()
    assert "and 0 are wrong" in text
    assert not [name for name in SOLVED if f"`{name}` |" not in text]


def test_the_record_is_json(tmp_path):
    check_exercise("variances", exercise("variances").reference)
    assert json.loads((tmp_path / "course.json").read_text()) == {
        "variances": {"done": True, "hints": 0}
    }
