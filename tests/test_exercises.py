"""Every exercise: the blank cell is still to do, the notebook's solution and others are done, wrong
answers are rejected where they should be and are told which slip they are."""

import importlib
import inspect
import re
import warnings
from pathlib import Path

import pytest
from coursebook import NOTEBOOKS, cells, exercise_cells, tags

from nabla.course import check_exercise, exercise, exercises, numbers
from nabla.course.engine.findings import attempt
from nabla.course.engine.formulas import Formula
from nabla.course.engine.values import near, parts

ANSWERS = {n: importlib.import_module(f"exercises.ex{n}") for n in numbers()}
NAMES = [(n, name) for n in numbers() for name in exercises(n)]
CELLS = {ex[0]: (book, *ex[1:]) for book in NOTEBOOKS for ex in exercise_cells(book)}


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch, tmp_path):
    """What was answered before decides which hint is shown: each test begins anew."""
    monkeypatch.setattr("nabla.course.engine.feedback._MEMORY", {})
    monkeypatch.setenv("NABLA_COURSE", str(tmp_path / "course.json"))


def run(book, source, before=()):
    """The function that a cell defines, run after the notebook's set-up cells."""
    namespace = {}
    setup = [c.source for c in cells(book) if "setup" in tags(c)]
    for part in [*setup, *before]:
        exec(part, namespace)
    name = source.split("(")[0].removeprefix("def ")
    namespace.pop(name, None)
    exec(source, namespace)
    return namespace[name]


def slips(name):
    chosen = exercise(name)
    return {**chosen.slips, **getattr(chosen, "methods", {})}


@pytest.mark.parametrize(("number", "name"), NAMES)
def test_blank_cell_is_to_do_and_solution_is_done(number, name):
    book, blank, solution = CELLS[name]
    assert book.startswith(number)
    assert check_exercise(name, run(book, blank.source)).step == "to do"
    assert repr(check_exercise(name, run(book, solution.source))).count("✗") == 0
    assert check_exercise(name, run(book, solution.source)).step == "done"


@pytest.mark.parametrize(
    ("name", "i"),
    [(name, i) for n, name in NAMES for i in range(len(ANSWERS[n].RIGHT[name]))],
)
def test_other_right_ways_are_done(name, i):
    answer = next(a for a in ANSWERS.values() if name in a.RIGHT).RIGHT[name][i]
    feedback = check_exercise(name, answer)
    assert feedback.step == "done", feedback


@pytest.mark.parametrize(
    ("name", "i"),
    [(name, i) for n, name in NAMES for i in range(len(ANSWERS[n].WRONG[name]))],
)
def test_wrong_answers_are_told_what_they_are(name, i):
    answer, step, key = next(a for a in ANSWERS.values() if name in a.WRONG).WRONG[name][i]
    feedback = check_exercise(name, answer)
    assert (feedback.step, feedback.key) == (step, key), feedback
    assert feedback.finding.text


TRIED = re.findall(
    r"@ \S+ (\w+) (\w+) (\w+)\n(.*?)(?=\n@ |\Z)",
    (Path(__file__).parent / "exercises" / "tried.txt").read_text(),
    re.DOTALL,
)


@pytest.mark.parametrize("i", range(len(TRIED)))
def test_answers_that_a_learner_tried(i):
    """Those of docs/exercises-tried.md that were told something else at first."""
    name, step, key, body = TRIED[i]
    book, blank, _ = CELLS[name]
    head = blank.source.split('"""')[0].rstrip()
    source = head + "".join(f"\n    {line}" for line in body.strip().splitlines())
    helpers = [solution.source for _, _, solution in exercise_cells(book)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a learner sees them; pytest makes errors of them
        found = exercise(name).examine(run(book, source, helpers))
    assert (found.step.replace(" ", "_"), str(found.key)) == (step, key), found


@pytest.mark.parametrize(("number", "name"), NAMES)
def test_enough_answers_were_tried_and_most_get_a_hint(number, name):
    wrong = ANSWERS[number].WRONG[name]
    assert len(ANSWERS[number].RIGHT[name]) >= 2
    assert len(wrong) >= 6
    assert sum(key is not None for _, _, key in wrong) > len(wrong) / 2


@pytest.mark.parametrize(("number", "name"), NAMES)
def test_every_slip_is_found_as_itself(number, name):
    for key, slip in slips(name).items():
        feedback = check_exercise(name, slip.answer)
        assert (feedback.key, feedback.step != "done") == (key, True), feedback
        assert feedback.hint == 1


@pytest.mark.parametrize(("number", "name"), NAMES)
def test_hints_do_not_show_the_answer(number, name):
    _, _, solution = CELLS[name]
    body = inspect.cleandoc(solution.source).splitlines()[1:]
    lines = ["".join(line.split("#")[0].removeprefix("return").split()) for line in body]
    chosen = exercise(name)
    hints = [h for slip in slips(name).values() for h in slip.hints]
    hints += [h for group in getattr(chosen, "hints", {}).values() for h in group]
    for hint in [*hints, chosen.tested]:
        squeezed = "".join(hint.split())
        assert not [line for line in lines if len(line) > 8 and line in squeezed]


def test_the_same_mistake_again_gives_the_next_hint():
    wrong = exercise("score_term").slips["path"]
    shown = [check_exercise("score_term", wrong.answer).hint for _ in range(3)]
    assert shown == [1, 2, 2]
    other = exercise("score_term").slips["normaliser"]
    assert check_exercise("score_term", other.answer).hint == 1
    first = check_exercise("score_term", wrong.answer)
    assert first.hint == 1
    assert wrong.hints[0] in repr(first)
    assert "hint 1 of 2" in first._repr_html_()


def test_feedback_says_what_was_tested():
    def right(k, sigma, alpha):
        return (k * sigma) ** 2, (k * sigma - alpha / sigma) ** 2

    text = repr(check_exercise("variances", right))
    assert "tested: both variances" in text
    assert "✓ done" in text


def test_an_unknown_exercise_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown exercise 'eq14'.*eq13"):
        check_exercise("eq14", print)


def test_a_formula_takes_dicts_and_says_what_is_missing():
    twice = Formula(lambda x: {"a": x, "b": 2 * x}, lambda seed: (seed + 1.0,), "two numbers", {})
    assert twice.examine(lambda x: {"b": 2 * x, "a": x}).step == "done"
    assert twice.examine(lambda x: {"a": x}).step == "shape"
    pair = Formula(lambda x: (x, 2 * x), lambda seed: (seed + 1.0,), "two numbers", {})
    assert pair.examine(lambda x: [x, 2 * x]).step == "done"
    assert pair.examine(lambda x: (x, x**2 + 5)).text.count("part [0] is right") == 1
    assert pair.examine(lambda x: [2 * x, x]).key == "order"
    assert twice.examine(lambda x: {"a": 3 * x, "b": 6 * x}).key == "factor"
    assert twice.examine(lambda x: {"a": x + 3e-8, "b": 2 * x}).key == "digits"
    assert twice.examine(lambda x: {"a": "one", "b": x}).step == "shape"
    assert twice.examine(lambda x: ...).step == "to do"
    assert not near(parts(1.0), parts((1.0, 2.0)), 1e-9)
    assert attempt(lambda: 1 / 0)[1].text.startswith("it raises ZeroDivisionError")
