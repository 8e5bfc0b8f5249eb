"""The notebooks: made from their text, run from top to bottom as a reader finds them, blank."""

import ast
import html
import json
import re

import nbformat
import pytest
from coursebook import FOLDER, NOTEBOOKS, cells, exercise_cells, tags

from nabla.course import Table
from nabla.course.book.contents import COURSE, WAYS
from nabla.course.book.convert import convert
from nabla.course.book.run import execute

WIDTH = 74
PAGE = 80  # characters that are printed side by side on a page of 690 px
SECTIONS = ("After this notebook you can", "Real questions", "Predict", "## Summary", "References")


def code(name):
    return [c for c in cells(name) if c.cell_type == "code"]


def prose(name):
    return "\n".join(c.source for c in cells(name) if c.cell_type == "markdown")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_ipynb_is_made_from_the_text(name):
    made = (FOLDER / f"{name}.ipynb").read_text()
    assert made == convert((FOLDER / f"{name}.py").read_text()), "run `make notebooks`"
    notebook = nbformat.reads(made, 4)
    assert not [c for c in notebook.cells if c.get("outputs") or c.get("execution_count")]


def test_every_ipynb_has_its_text():
    assert sorted(p.stem for p in FOLDER.glob("*.ipynb")) == NOTEBOOKS


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_code_is_narrow(name):
    lines = [line for cell in code(name) for line in cell.source.splitlines()]
    assert not [line for line in lines if len(line) > WIDTH]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_line_of_a_formula_reads_as_a_bullet(name):
    formulas = re.findall(r"(?<!\$)\$(?!\$)([^$]+)\$", prose(name).replace("$$", "¤"))
    lines = [line.lstrip("> ") for formula in formulas for line in formula.splitlines()[1:]]
    assert not [line for line in lines if re.match(r"[+*-] |\d+[.)] |=+$", line)]


def padded(tree):
    """Numbers that print puts in columns, by the width in their format: `{x:8.3f}`."""
    prints = (n for n in ast.walk(tree) if getattr(getattr(n, "func", 0), "id", "") == "print")
    values = (v for p in prints for v in ast.walk(p) if isinstance(v, ast.FormattedValue))
    formats = (ast.unparse(v.format_spec)[2:-1] for v in values if v.format_spec)
    return [f for f in formats if re.match(r"(.?[<>^])?[+ ]?[1-9]", f)]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_columns_are_tables_and_not_printed(name):
    assert not [found for cell in code(name) if (found := padded(ast.parse(cell.source)))]


def test_a_table_says_the_same_in_a_page_and_in_a_terminal():
    table = Table(("", "mean", "μ < 0"), [("score_function", "-0.25", "no"), ("exact", "1", "")])
    cells = re.findall(r'<t[hd] style="text-align: (left|right)">(.*?)</t', table._repr_html_())
    text = [html.unescape(cell).replace("<wbr>", "") for _, cell in cells]
    assert text == ["", "mean", "μ < 0", "score_function", "-0.25", "no", "exact", "1", ""]
    assert [side for side, _ in cells[:3]] == ["left", "right", "left"]
    assert [line.split() for line in repr(table).splitlines()[2:]] == [text[3:6], text[6:8]]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_table_is_the_last_thing_in_its_cell(name):
    """Anywhere else it would not be shown."""
    bodies = (ast.parse(cell.source).body for cell in code(name))
    early = [ast.unparse(line) for body in bodies for line in body[:-1]]
    assert not [line for line in early if line.startswith("Table(")]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_its_row_says_what_it_says(name):
    (row,) = (n for n in COURSE if n.file == name)
    title, _, head = cells(name)[0].source.split("\n", 2)
    assert title == f"# {row.number} · {row.title}"
    line = re.search(r"\*(\d+) minutes.*?You need: (.*?)\*", head.replace("\n", " "))
    assert int(line[1]) == row.minutes
    numbers = re.findall(r"\b\d\d\b", re.sub(r"Eq\. \d+", "", line[2]))
    assert sorted(numbers) == sorted(row.needs.split())
    assert row.needs or row.assumes
    assert row.with_exercises > row.minutes
    assert set(row.ways.split()) <= set(WAYS)


def test_the_course_is_in_order_and_complete():
    assert [n.file for n in COURSE] == NOTEBOOKS
    seen = set()
    for n in COURSE:
        assert set(n.needs.split()) <= seen
        seen.add(n.number)


def test_the_readme_has_the_same_ways_in():
    readme = (FOLDER.parent / "README.md").read_text()
    for way, (who, time, _) in WAYS.items():
        steps = (n for n in COURSE if way in n.ways.split())
        links = ", ".join(f"[{n.number}](notebooks/{n.file}.ipynb)" for n in steps)
        assert f"| *{who}* | {time} | {links} |" in readme


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_has_every_part(name):
    text = prose(name)
    assert not [part for part in SECTIONS if part not in text]
    assert text.count("](https://") >= 2, "real questions and references have addresses"
    claims = [c for c in code(name) if "claims" in tags(c)]
    assert claims
    assert "claim(" in claims[-1].source


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_exercises_are_blank_then_checked_then_solved(name):
    found = exercise_cells(name)
    for exercise, blank, solution in found:
        assert "raise NotImplementedError" in blank.source
        assert '"""' in blank.source
        assert "solution" in tags(solution), exercise
        head = blank.source.split("(")[0]
        assert solution.source.startswith(head)
    at = [i for i, c in enumerate(code(name)) if "exercise" in tags(c)]
    for i, (exercise, blank, _) in zip(at, found, strict=True):
        function = blank.source.removeprefix("def ").split("(")[0]
        assert code(name)[i + 1].source == f'check_exercise("{exercise}", {function})'


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_what_is_not_read_is_folded_and_says_what_it_is(name):
    made = nbformat.read(FOLDER / f"{name}.ipynb", 4).cells
    folded = [c for c in made if c.metadata.get("jupyter") == {"source_hidden": True}]
    assert len(folded) == len(exercise_cells(name)) + 2
    labels = [c.source.splitlines()[0] for c in folded]
    assert labels[0] == "# Set-up"
    assert labels[-1] == "# How this page was checked"
    assert set(labels[1:-1]) <= {"# Solution"}
    for cell, label in zip(folded, labels, strict=True):
        assert cell.metadata["mystnb"]["code_prompt_show"] == label.removeprefix("# ")
        assert set(cell.metadata["tags"]) & {"hide-input", "hide-cell"}


@pytest.mark.course
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_runs_blank_from_top_to_bottom(name, tmp_path, monkeypatch):
    """Every claim is asserted inside. Seconds of each cell: out/notebooks/NAME.json."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    last = "import sys\nassert 'gymnasium' not in sys.modules" if int(name[:2]) < 10 else ""
    notebook, seconds = execute(FOLDER / f"{name}.ipynb", fast=True, last=last)
    out = FOLDER.parent / "out" / "notebooks"
    out.mkdir(parents=True, exist_ok=True)
    record = {"total": sum(seconds), "cells": seconds}
    (out / f"{name}.json").write_text(json.dumps(record, indent=1))
    outputs = [o for c in notebook.cells for o in c.get("outputs", [])]
    printed = [line for o in outputs for line in o.get("text", "").splitlines()]
    columns = [line for line in printed if re.search(r"\d {2,}[-+−±\d]", line)]
    assert not [line for line in columns if len(line) > PAGE], "only prose wraps"
    assert any("image/png" in str(o) or "widget-view" in str(o) for o in outputs)
    asked = [o for o in outputs if "nabla-feedback" in str(o)]
    assert len(asked) == len(exercise_cells(name))
    assert all("to do" in str(o) and "✗" not in str(o) for o in asked)
