"""`nabla sweep`: many settings of one command, on every core or a cluster, and nothing lost."""

import hashlib
import itertools
import json
import math
import socket
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import tyro
from tqdm import tqdm

from nabla.options import between
from nabla.sweep.engines import Done, pmap
from nabla.sweep.store import Store


@dataclass(frozen=True)
class Sweep:
    """Every combination of `axes` over the configuration of one command, the rest `fixed`.

    An axis is a setting, or `set.NAME`, a setting of compare's problem.
    """

    command: str
    axes: dict[str, Sequence[Any]]
    fixed: dict[str, Any]

    @classmethod
    def from_file(cls, path: Path) -> "Sweep":
        """TOML: command = "compare", then tables [axes] and [fixed]; ValueError if it is not."""
        try:
            data = tomllib.loads(path.read_text())
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"cannot read the sweep {path}: {error}") from None
        unknown = set(data) - {"command", "axes", "fixed"}
        if unknown or "command" not in data:
            raise ValueError(f"{path} must have command, axes and fixed, got {', '.join(data)}")
        for key, kind in (("command", str), ("axes", dict), ("fixed", dict)):
            if not isinstance(data.get(key, kind()), kind):
                what = "a name" if kind is str else f"a table, [{key}]"
                raise ValueError(f"{key} must be {what}, got {data[key]!r}")
        return cls(data["command"], data.get("axes", {}), data.get("fixed", {}))

    def cells(self) -> list[Any]:
        """One configuration a cell, all of them buildable; ValueError with the allowed names."""
        from nabla.sweep.cells import CELLS, require_types

        if self.command not in CELLS:
            raise ValueError(f"unknown command {self.command!r}; a sweep is of {', '.join(CELLS)}")
        kind = CELLS[self.command]
        allowed = {f.name: f for f in fields(kind)}
        for name in (*self.axes, *self.fixed):
            if name.partition(".")[0] not in allowed or ("." in name and name[:4] != "set."):
                raise ValueError(f"{self.command} has no setting {name!r}; {', '.join(allowed)}")
        for name, values in self.axes.items():
            if not isinstance(values, list | tuple) or not values:
                raise ValueError(f"axis {name} needs a list of at least one value, got {values!r}")
        inner = self.fixed.get("set")
        set_ = {f"set.{key}" for key in inner} if isinstance(inner, dict) else set()
        twice = [name for name in self.axes if name in self.fixed or name in set_]
        if twice:
            raise ValueError(f"{twice[0]} is in [axes] and in [fixed]: leave it in one of them")
        cells = []
        for values in itertools.product(*self.axes.values()):
            given = self.fixed | dict(zip(self.axes, values, strict=True))
            try:
                cell = _cell(kind, given)
                require_types(cell)
                cell.check()
            except (ValueError, TypeError) as error:
                raise ValueError(f"cannot build the cell {given}: {error}") from None
            cells.append(cell)
        return cells


def _cell(kind: Any, given: dict[str, Any]) -> Any:
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items() if "." not in k}
    inner = {k.removeprefix("set."): v for k, v in given.items() if "." in k}
    cell = kind(**plain)
    return replace(cell, set={**cell.set, **inner}) if inner else cell


def identity(cell: Any) -> str:
    """A hash of the command and of the settings that are not the default ones, so that a setting
    that is new in a later version leaves old cells what they were."""
    usual = vars(type(cell)())
    given = {name: value for name, value in vars(cell).items() if value != usual[name]}
    text = json.dumps([type(cell).__name__, given], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Work:
    """What a worker does with a cell: its result, the seconds it took, and where."""

    folder: Path

    def __call__(self, cell: Any) -> tuple[Any, float, str]:
        start = time.perf_counter()
        result = cell.compute(self.folder / identity(cell))
        return result, time.perf_counter() - start, socket.gethostname()


def run_cells(
    given: Sequence[Any],
    out: Path,
    engine: str = "loky",
    retry_failed: bool = False,
    limit: float | None = None,
) -> Store:
    """Runs the cells that `out` does not hold yet; a cell that fails does not stop the others."""
    from sac_minimal.checkpoint import locked

    cells = {identity(cell): cell for cell in given}
    with locked(out):
        store = Store(out / "cells.sqlite")
        known = store.done()
        todo = [h for h in cells if h not in known or (retry_failed and known[h] is not None)]
        code = version("nabla-workbench")
        failed = sum(known[h] is not None for h in cells if h in known and h not in todo)
        work = Work((out / "cells").resolve())
        results = pmap(work, [cells[h] for h in todo], engine, limit)
        with tqdm(total=len(cells), initial=len(cells) - len(todo), disable=None) as bar:
            for done in results:
                key = todo[done.index]
                failed += _record(store, key, cells[key], code, done)
                bar.set_postfix(failed=failed)
                bar.update()
    return store


def _record(store: Store, key: str, cell: Any, code: str, done: Done) -> bool:
    """Says whether the cell failed."""
    config = {"command": type(cell).__name__.removesuffix("Cell").lower(), **vars(cell)}
    result, seconds, host = done.result if done.error is None else (None, None, None)
    store.record(key, config, code, result, done.error, seconds, host)
    return done.error is not None


def sweep(
    file: Annotated[Path, tyro.conf.Positional],
    *,
    out: Path | None = None,
    engine: str = "loky",
    retry_failed: bool = False,
    limit: float | None = None,
) -> int:
    """Run every cell of a sweep that has not been run yet; kill it and start it again at will.

    The file is TOML: command = "compare" (or map, train, probe), a table [axes] of lists and a
    table [fixed]. An axis is a setting of that command, or set.NAME, a setting of its problem.

    Args:
        file: the sweep.
        out: folder of its results; by default out/<file's name>.
        engine: serial, loky, loky:WORKERS or dask:ADDRESS.
        retry_failed: run the cells again that ended in an error.
        limit: seconds that a cell may take; one that takes longer ends in an error.
    """
    between(0, math.inf, limit=limit)
    described = Sweep.from_file(file)
    folder = out or Path("out") / file.stem
    cells = described.cells()
    store = run_cells(cells, folder, engine, retry_failed, limit)
    known = store.done()
    mine = {identity(cell) for cell in cells}
    errors = [error for key in mine if (error := known[key]) is not None]
    older = f", {len(known) - len(mine)} more of an earlier sweep" * (len(known) > len(mine))
    print(f"{len(mine)} cells, {len(errors)} failed{older}; {store.path}")
    for error in sorted(set(errors))[:5]:
        print(f"  {errors.count(error)} × {error}")
    return 1 if errors else 0
