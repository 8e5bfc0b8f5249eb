"""The notebooks: made from their text, run from top to bottom as a reader finds them, blank."""

import json
import os
from datetime import datetime

import nbclient
import nbformat
import pytest
from coursebook import FOLDER, NOTEBOOKS, cells, exercise_cells, tags

from nabla.course.convert import convert

ROOT = FOLDER.parent
WIDTH = 74
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
def test_it_has_every_part(name):
    text = prose(name)
    assert not [part for part in SECTIONS if part not in text]
    assert text.count("](https://") >= 2, "real questions and references have addresses"
    claims = [c for c in code(name) if "claims" in tags(c)]
    assert claims
    assert "claim(" in claims[-1].source


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_exercises_are_blank_then_checked_then_solved_out_of_sight(name):
    found = exercise_cells(name)
    for exercise, blank, solution in found:
        assert "raise NotImplementedError" in blank.source
        assert '"""' in blank.source
        assert "solution" in tags(solution), exercise
        assert "hide-input" in tags(solution)
        assert solution.metadata["jupyter"] == {"source_hidden": True}
        head = blank.source.split("(")[0]
        assert solution.source.startswith(head)
    at = [i for i, c in enumerate(code(name)) if "exercise" in tags(c)]
    for i, (exercise, blank, _) in zip(at, found, strict=True):
        function = blank.source.removeprefix("def ").split("(")[0]
        assert code(name)[i + 1].source == f'check_exercise("{exercise}", {function})'


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_runs_blank_from_top_to_bottom(name, tmp_path, monkeypatch):
    """Every claim is asserted inside. Seconds of each cell: out/notebooks/NAME.json."""
    monkeypatch.setenv("NABLA_FAST", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("PYTHONPATH", path)
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    if int(name[:2]) < 10:
        last = "import sys\nassert 'gymnasium' not in sys.modules"
        notebook.cells.append(nbformat.v4.new_code_cell(last))
    seconds = {}
    client = nbclient.NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(FOLDER)}},
        on_cell_executed=lambda cell, cell_index, execute_reply: seconds.update(
            {cell_index: took(execute_reply)}
        ),
    )
    client.execute()
    out = ROOT / "out" / "notebooks"
    out.mkdir(parents=True, exist_ok=True)
    record = {"total": sum(seconds.values()), "cells": seconds}
    (out / f"{name}.json").write_text(json.dumps(record, indent=1))
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert "text/html" in output.get("data", {}) or "✗" not in str(output)


def took(reply):
    """Seconds."""
    started = datetime.fromisoformat(reply["metadata"]["started"].replace("Z", "+00:00"))
    return (reply["header"]["date"] - started).total_seconds()
