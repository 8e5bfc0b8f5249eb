"""Sweeps: the same bits on every engine, and nothing lost, whatever is killed."""

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from slow_cell import SlowCell

from nabla.cli import main
from nabla.sweep.cells import CELLS, CompareCell, TrainCell
from nabla.sweep.command import Sweep, identity, run_cells
from nabla.sweep.engines import pmap
from nabla.sweep.page import summary
from nabla.sweep.store import Store
from sac_minimal.config import Config
from sac_minimal.train import train
from toy_problems.theory.maps import closed_forms

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (HERE, HERE.parent)))}
ENVIRONMENT["OMP_NUM_THREADS"] = "1"
DRIVER = (
    "import sys; from pathlib import Path; from nabla.sweep.cells import CELLS; "
    "from slow_cell import SlowCell; from nabla.sweep.command import Sweep, run_cells; "
    "CELLS['slow'] = SlowCell; out, log, engine = sys.argv[1:]; "
    "sweep = Sweep('slow', {'number': list(range(60))}, {'log': log, 'pause': 0.05}); "
    "run_cells(sweep.cells(), Path(out), engine)"
)
SMALL = {"task": "PointMass", "hidden": 8, "batch": 8, "warmup": 20, "steps": 60, "replay": 100}


@pytest.fixture(autouse=True)
def _slow_cells(monkeypatch):
    monkeypatch.setitem(CELLS, "slow", SlowCell)


def cluster(folder, workers):
    """The address of a real scheduler with real workers on loopback, and their processes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    run = [sys.executable, "-W", "ignore", "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    commands = [[*run, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]]
    options = ["--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1"]
    commands += [[*run, "worker", address, *options]] * workers
    processes = [subprocess.Popen(c, env=ENVIRONMENT, **quiet) for c in commands]
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return address, processes
        assert all(process.poll() is None for process in processes)
        time.sleep(0.01)


@pytest.fixture(scope="module")
def dask(tmp_path_factory):
    """A scheduler's address, and its two workers."""
    pytest.importorskip("distributed")
    address, processes = cluster(tmp_path_factory.mktemp("dask"), 2)
    yield address, processes[1:]
    for process in processes:
        process.kill()
        process.wait()


def results(store):
    return {row["hash"]: (row["result"], row["error"]) for row in store.rows()}


def test_every_engine_gives_the_same_bits(tmp_path, dask):
    axes = {"estimator": ["reparameterization", "score_function"], "seed": [0, 1]}
    sweep = Sweep("compare", axes, {"estimates": 3000, "set.m": 1.5})
    engines = ["serial", "loky:1", "loky:2", f"dask:{dask[0]}"]
    seen = [results(run_cells(sweep.cells(), tmp_path / str(i), e)) for i, e in enumerate(engines)]
    assert len(seen[0]) == 4
    assert all(error is None for _, error in seen[0].values())
    assert seen[1] == seen[0]
    assert seen[2] == seen[0]
    assert seen[3] == seen[0]


@pytest.mark.parametrize("engine", ["loky:2", "dask"])
def test_a_cell_that_kills_its_worker_is_recorded_and_the_others_go_on(tmp_path, dask, engine):
    sweep = Sweep("slow", {"number": list(range(10, 20))}, {"poison": 15})
    store = run_cells(sweep.cells(), tmp_path, engine if engine != "dask" else f"dask:{dask[0]}")
    errors = {r["config"]["number"]: r["error"] for r in store.rows() if r["error"]}
    assert errors.keys() == {13, 15}
    assert errors[13] == "ArithmeticError: thirteen"
    assert "it killed its worker" in errors[15]
    assert sum(r["error"] is None for r in store.rows()) == 8


TOLD = {
    "exit": "it called exit(3)",
    "interrupt": "KeyboardInterrupt: ",
    "spin": "it took longer than it may (1 s)",
    "lock": "TypeError: Object of type lock is not JSON serializable",
    "fine": None,
}


def of_fate(store):
    return {row["config"]["fate"]: row["error"] for row in store.rows()}


@pytest.mark.parametrize("engine", ["serial", "loky:2", "dask"])
def test_whatever_a_cell_does_it_is_told_and_the_others_go_on(tmp_path, dask, engine):
    """The same words on every engine; serial is this process, which nobody is to kill here."""
    fates = [f for f in TOLD if engine != "serial" or f != "interrupt"]
    cells = Sweep("slow", {"fate": fates}, {}).cells()
    where = f"dask:{dask[0]}" if engine == "dask" else engine
    found = of_fate(run_cells(cells, tmp_path, where, limit=1.0))
    assert found == {fate: TOLD[fate] for fate in fates}


def test_a_cell_that_does_not_heed_its_limit_is_killed(tmp_path, monkeypatch):
    """It sleeps in C. The cell beside it is not lost."""
    cells = Sweep("slow", {"fate": ["sleep", "fine"]}, {}).cells()
    found = of_fate(run_cells(cells, tmp_path, "loky:2", limit=0.5))
    assert found == {"sleep": "it took longer than it may (--limit)", "fine": None}


def test_a_worker_that_dies_while_another_cell_is_submitted_ends_nothing(tmp_path, monkeypatch):
    """`submit` raises what is broken: once, at the second cell."""
    from joblib.externals.loky import ProcessPoolExecutor
    from joblib.externals.loky.process_executor import BrokenProcessPool

    submit, calls = ProcessPoolExecutor.submit, []

    def breaking(self, *arguments):
        calls.append(self)
        if len(calls) == 2:
            raise BrokenProcessPool("a worker died")
        return submit(self, *arguments)

    monkeypatch.setattr(ProcessPoolExecutor, "submit", breaking)
    cells = Sweep("slow", {"number": [20, 21, 22]}, {}).cells()
    store = run_cells(cells, tmp_path, "loky:2")
    assert sorted(row["config"]["number"] for row in store.rows()) == [20, 21, 22]
    assert all(row["error"] is None for row in store.rows())
    assert len({id(pool) for pool in calls}) == 2


def test_a_training_cell_waits_for_the_worker_of_a_driver_that_was_killed(tmp_path):
    """Another process holds the run's folder for a second, then is gone: the cell goes on."""
    (cell,) = Sweep("train", {"seed": [3]}, SMALL).cells()
    folder = tmp_path / "cells" / identity(cell)
    folder.mkdir(parents=True)
    code = (
        "import sys, time; from pathlib import Path; from sac_minimal.checkpoint import locked\n"
        "with locked(Path(sys.argv[1])): print('mine', flush=True); sys.stdin.readline()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, env=ENVIRONMENT, **pipes) as other:
        assert other.stdout.readline() == "mine\n"
        release = threading.Timer(1.0, other.stdin.close)  # the end of its input is the end of it
        release.start()
        store = run_cells([cell], tmp_path, "serial")
        release.join()
    assert [row["error"] for row in store.rows()] == [None]


def test_a_scheduler_that_is_gone_is_told(tmp_path):
    """Killed while cells run: one sentence; what had finished is recorded."""
    pytest.importorskip("distributed")
    address, processes = cluster(tmp_path, 1)
    cells = Sweep("slow", {"number": list(range(20, 60))}, {"pause": 0.1}).cells()
    found = pmap(lambda cell: cell.compute(Path()), cells, f"dask:{address}")
    try:
        assert [next(found).error for _ in range(3)] == [None] * 3
        processes[0].kill()
        with pytest.raises(OSError, match="the dask scheduler is gone"):
            list(found)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_a_killed_driver_resumes_where_it_was(tmp_path):
    """SIGKILL with a part of 60 cells done: those are not run again, the others are."""
    log, out = tmp_path / "log", tmp_path / "out"
    command = [sys.executable, "-c", DRIVER, str(out), str(log), "loky:2"]
    driver = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    while not log.exists() or len(log.read_text().split()) < 20:
        time.sleep(0.01)
        assert driver.poll() is None
    workers = psutil.Process(driver.pid).children()
    assert len(workers) >= 2
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    assert psutil.wait_procs(workers, timeout=30)[1] == []  # they end with it
    store = Store(out / "cells.sqlite")
    before = {row["config"]["number"] for row in store.rows()}
    store.close()
    assert 0 < len(before) < 60
    log.unlink()
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=True)
    assert done.returncode == 0
    assert sorted(map(int, log.read_text().split())) == sorted(set(range(60)) - before)
    store = Store(out / "cells.sqlite")
    assert {row["config"]["number"] for row in store.rows()} == set(range(60))


def test_a_killed_dask_worker_loses_nothing(tmp_path, dask):
    """200 cells, one of two workers killed in the middle. Last: it leaves one worker."""
    address, workers = dask
    log = tmp_path / "log"
    sweep = Sweep("slow", {"number": list(range(20, 220))}, {"log": str(log), "pause": 0.02})
    cells = sweep.cells()
    seen = []
    for done in pmap(lambda cell: cell.compute(Path()), cells, f"dask:{address}"):
        seen.append((done.index, done.error, done.result))
        if len(seen) == 60:
            workers[0].kill()
    assert sorted(seen) == [(i, None, {"value": c.number / 7}) for i, c in enumerate(cells)]


def test_failed_cells_are_run_again_when_asked(tmp_path):
    log = tmp_path / "log"
    sweep = Sweep("slow", {"number": [12, 13, 14]}, {"log": str(log)})
    for retry, runs in ((False, [12, 13, 14]), (False, []), (True, [13])):
        log.write_text("")
        run_cells(sweep.cells(), tmp_path, "serial", retry)
        assert list(map(int, log.read_text().split())) == runs


def test_interrupted_training_cells_go_on(tmp_path):
    """The result is that of a run on its own; its folder is kept under the cell's hash."""
    sweep = Sweep("train", {"seed": [3]}, {**SMALL, "eval_every": 30, "checkpoint_every": 30})
    first = results(run_cells(sweep.cells(), tmp_path / "a", "serial"))
    (cell,) = sweep.cells()
    folder = tmp_path / "b" / "cells" / identity(cell)
    with pytest.raises(ZeroDivisionError):
        train(Config(**vars(cell)), folder, lambda step, row: 1 / (45 - step))
    assert results(run_cells(sweep.cells(), tmp_path / "b", "serial")) == first


def test_identity_is_the_configuration_s():
    a, b = CompareCell(seed=1), CompareCell(seed=1)
    assert identity(a) == identity(b)
    assert identity(a) != identity(replace(a, seed=2))
    assert identity(TrainCell()) != identity(TrainCell(seed=1))
    assert identity(CompareCell(n=4)) == "3dc393b9c811636c20d146b8"  # for ever


def test_a_locked_database_is_told(tmp_path):
    store = Store(tmp_path / "cells.sqlite", patience=0.05)
    other = sqlite3.connect(tmp_path / "cells.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(OSError, match=r"cells.sqlite: database is locked; .* are kept"):
        store.record("a", {}, "0", 1, None, 0.0, "here")
    other.execute("ROLLBACK")
    store.record("a", {}, "0", 1, None, 0.0, "here")
    assert [row["result"] for row in store.rows()] == [1]
    other.close()
    store.close()


@pytest.mark.parametrize("damage", ["truncated", "text", "another table"])
def test_a_damaged_database_is_told_in_our_words(tmp_path, capsys, damage):
    path = tmp_path / "cells.sqlite"
    store = Store(path)
    for i in range(200):
        store.record(str(i), {"command": "slow"}, "0", "x" * 500, None, 0.0, "here")
    store.close()
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:9000])
    elif damage == "text":
        path.write_text("no database at all " * 100)
    else:
        path.unlink()
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE cells (a)")
        other.close()
    with pytest.raises(SystemExit) as exit_:
        main(["report", str(tmp_path)])
    err = capsys.readouterr().err
    assert exit_.value.code == 2
    assert "move it away and start the sweep again" in err
    assert "are kept" not in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("config", "{", "is not JSON"),
        ("config", "[1]", "has no settings"),
        ("result", "nonsense", "is not JSON"),
        ("result", None, "must have a result or an error"),
        ("error", "and one", "must have a result or an error"),
    ],
)
def test_rows_are_checked_when_they_are_read(tmp_path, column, value, words):
    store = Store(tmp_path / "cells.sqlite")
    store.record("abc", {"command": "slow"}, "0", None, None, 0.0, "here")
    assert [row["result"] for row in store.rows()] == [None]
    store.db.execute(f"UPDATE cells SET {column} = ?", (value,))
    with pytest.raises(ValueError, match=rf"the row of cell abc \(delete it.*{words}"):
        list(store.rows())
    store.close()


def test_a_full_disk_keeps_what_was_recorded(tmp_path):
    """The kernel refuses to let files grow past a limit, as a full disk would."""
    code = (
        "import resource, signal, sys; from pathlib import Path; "
        "from nabla.sweep.store import Store; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "store = Store(Path(sys.argv[1])); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)); "
        "[store.record(str(i), {}, '0', 'x' * 5000, None, 0.0, '') for i in range(1000)]"
    )
    path = tmp_path / "cells.sqlite"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert "cells recorded so far are kept" in done.stderr
    store = Store(path)
    assert 5 < len(store.done()) < 1000
    assert all(row["result"] == "x" * 5000 for row in store.rows())
    store.close()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("command = 'dance'", "a sweep is of compare, map, train, probe"),
        ("command = 'compare'\n[axes]\ncolour = [1]", "no setting 'colour'; problem, set, mu"),
        ("command = 'compare'\n[axes]\nseed = []", "axis seed needs a list of at least one"),
        ("command = 'compare'\n[axes]\nseed = 3", "axis seed needs a list of at least one"),
        ("command = 'compare'\n[fixed]\nproblem = 'x'", "unknown problem 'x'"),
        ("command = 'compare'\n[axes]\n'set.q' = [1]", "no setting 'q'"),
        ("command = 'train'\n[fixed]\nbatch = 0", "batch must be ≥ 1"),
        ("command = 'train'\n[fixed]\nbatch = 'many'", "cannot build the cell"),
        ("command = 'probe'\n[fixed]\nrun = 'nowhere'", "nowhere is not a run"),
        ("command = 'compare'\n[axes]\nseed = [1]\n[fixed]\nseed = 2", "seed is in [axes] and in"),
        (
            "command = 'compare'\n[axes]\n'set.m' = [1]\n[fixed]\nset = {m = 2}",
            "set.m is in [axes]",
        ),
        ("command: compare", "cannot read the sweep"),
        ("command = 3", "command must be a name, got 3"),
        ("command = 'compare'\naxes = [1]", "axes must be a table, [axes], got [1]"),
        ("command = 'compare'\n[fixed]\nsquash = 'no'", "squash must be bool, got 'no'"),
        ("command = 'compare'\n[fixed]\nseed = 0.5", "seed must be int, got 0.5"),
        ("command = 'compare'\n[fixed]\nseed = 99999999999999999999", "seed must lie in"),
        ("command = 'compare'\n[fixed]\nestimates = 200.5", "estimates must be int, got 200.5"),
        ("command = 'compare'\n[fixed]\nmu = [true]", "mu must be tuple[float, ...]"),
        ("command = 'compare'\n[fixed]\n'set.m' = 'x'", "set must be dict[str, float]"),
        ("command = 'compare'\n[fixed]\nn = 0", "n must be ≥ 1"),
        ("command = 'map'\n[fixed]\ngrid = 1", "grid must lie in [2, 1000]"),
        ("command = 'map'\n[fixed]\nentry = 'nonsense'", "entry must be one of total, mu"),
        ("command = 'train'\n[fixed]\nbatch = 1.5", "batch must be int, got 1.5"),
        ("command = 'probe'\n[fixed]\nstates = 0", "states must be ≥ 1"),
        ("command = 'compare'\nspeed = 3", "must have command, axes and fixed"),
    ],
)
def test_bad_sweeps_are_told_before_anything_runs(capsys, tmp_path, monkeypatch, text, words):
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_text(text)
    with pytest.raises(SystemExit) as exit_:
        main(["sweep", "s.toml"])
    err = capsys.readouterr().err
    assert exit_.value.code == 2
    assert words in err
    assert err.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["s.toml"]


@pytest.mark.parametrize("engine", ["ray", "loky:0", "loky:x", "dask:", "serial:2"])
def test_unknown_engines_are_told(engine):
    with pytest.raises(ValueError, match=r"engine must be|loky takes a number"):
        pmap(abs, [1], engine)


def test_a_sweep_of_maps(tmp_path, monkeypatch, capsys):
    """Cell by cell the map that the command makes: winners shift where α does."""
    monkeypatch.chdir(tmp_path)
    axes = {"alpha": [0.5, 2.0], "by": ["variance", "q"]}
    sweep = Sweep("map", axes, {"grid": 5, "x": "tau=0.3:3:log", "y": "distance=0:1.5"})
    rows = list(run_cells(sweep.cells(), tmp_path / "out", "serial").rows())
    assert [row["error"] for row in rows] == [None] * 4
    for row in rows:
        result = row["result"]
        assert sum(result["wins"]) == pytest.approx(np.mean(result["decided"]))
        scores = np.array(result["scores"])
        assert scores.shape == (len(result["names"]), 5, 5)
        tau, distance = np.meshgrid(*result["axes"].values())
        settings = {"sigma": 0.7, "d": 1, "alpha": row["config"]["alpha"]}
        known = closed_forms("sac_quadratic", settings | {"tau": tau, "distance": distance})
        if row["config"]["by"] == "variance":
            for name, seen in zip(result["names"], scores, strict=True):
                np.testing.assert_allclose(seen, known[name]["total"], rtol=1e-9, atol=1e-12)
    with pytest.raises(SystemExit):
        main(["report", "out"])
    assert Path("out/report.md").read_text().count("sticking_the_landing") == 4
    assert Path("out/report.png").exists()


def test_cells_of_an_earlier_sweep_do_not_count(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for numbers, code, said in (
        ("[12, 13]", 1, "2 cells, 1 failed; "),
        ("[12]", 0, "1 cells, 0 failed, 1 more of an earlier sweep; "),
    ):
        Path("s.toml").write_text(f"command = 'slow'\n[axes]\nnumber = {numbers}")
        with pytest.raises(SystemExit) as exit_:
            main(["sweep", "s.toml", "--engine", "serial"])
        assert exit_.value.code == code
        assert capsys.readouterr().out.startswith(said)


def test_a_report_has_a_section_for_each_command(capsys, tmp_path):
    run_cells(Sweep("compare", {"seed": [0]}, {"estimates": 100}).cells(), tmp_path, "serial")
    run_cells(Sweep("map", {"by": ["variance"]}, {"grid": 2}).cells(), tmp_path, "serial")
    with pytest.raises(SystemExit) as exit_:
        main(["report", str(tmp_path)])
    assert exit_.value.code in (None, 0)
    text = (tmp_path / "report.md").read_text()
    for command in ("compare", "map"):
        assert f"## {command}\n\n1 cells, 0 failed" in text
        assert f"![](report-{command}.png)" in text
        assert (tmp_path / f"report-{command}.png").exists()


def test_a_cell_counts_the_wins_that_are_decided(tmp_path):
    own = {"x": "condition=1:9", "y": "sigma=0.3:0.9", "set": {"d": 11}}
    result = CELLS["map"]("quadratic", grid=3, estimates=20, **own).compute(tmp_path)
    decided = np.array(result["decided"])
    assert 0 < decided.mean() < 1
    best = np.argmin(result["scores"], 0)
    assert result["wins"] == [((best == i) & decided).mean() for i in range(len(result["names"]))]
    shown = summary({"result": result, "config": {"command": "map"}})
    assert shown.endswith(f", not decided {1 - decided.mean():.0%}")


def test_sweep_and_report(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_text(
        "command = 'compare'\n[axes]\nestimator = ['score_function', 'vargrad']\n"
        "'set.m' = [1, 2]\nn = [2, 4]\n[fixed]\nestimates = 1000\n"
    )
    for arguments in (["sweep", "s.toml", "--engine", "serial"], ["report", "out/s"]):
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        assert exit_.value.code in (None, 0)
    text = Path("out/s/report.md").read_text()
    assert "8 cells, 0 failed" in text
    assert "| estimator | n | set.m | result |" in text
    assert text.count("total variance") == 8
    assert Path("out/s/report.png").exists()
