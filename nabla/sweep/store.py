"""The results of a sweep: one SQLite file, one row a cell, written by one process."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SCHEMA = """CREATE TABLE IF NOT EXISTS cells (
    hash TEXT PRIMARY KEY, config TEXT NOT NULL, code TEXT NOT NULL, seed INTEGER,
    result TEXT, error TEXT, seconds REAL, host TEXT, finished TEXT)"""
BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
BROKEN_ADVICE = (
    "it is damaged or no sweep's: move it away and start the sweep again; runs go on from their "
    "own folders"
)
COLUMNS = ["hash", "config", "code", "seed", "result", "error", "seconds", "host", "finished"]


class Store:
    """Rows by the hash of their configuration. Every row is on the disk when `record` returns."""

    def __init__(self, path: Path, patience: float = 10.0) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._told():
            self.db = sqlite3.connect(path, timeout=patience, isolation_level=None)
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=FULL")
            self.db.execute(SCHEMA)

    def record(
        self,
        hash: str,
        config: dict[str, Any],
        code: str,
        result: Any,
        error: str | None,
        seconds: float | None,
        host: str | None,
    ) -> None:
        """In place of an earlier row of that cell, if there is one."""
        row = (
            hash,
            json.dumps(config, sort_keys=True),
            code,
            config.get("seed"),
            None if error else json.dumps(result),
            error,
            seconds,
            host,
            datetime.now(UTC).isoformat(timespec="seconds"),
        )
        marks = ", ".join("?" * len(row))
        with self._told():
            self.db.execute(f"INSERT OR REPLACE INTO cells VALUES ({marks})", row)

    def done(self) -> dict[str, str | None]:
        """{hash: error, None if it succeeded} of all recorded cells."""
        with self._told():
            return dict(self.db.execute("SELECT hash, error FROM cells"))

    def rows(self) -> Iterator[dict[str, Any]]:
        """All cells, configurations and results as they were given, in the order of their hash;
        ValueError with the first that is none of ours."""
        with self._told():
            for row in self.db.execute(f"SELECT {', '.join(COLUMNS)} FROM cells ORDER BY hash"):
                cell = dict(zip(COLUMNS, row, strict=True))
                if (cell["result"] is None) == (cell["error"] is None):
                    raise ValueError(f"{self._row(cell)} must have a result or an error")
                try:
                    cell["config"] = json.loads(cell["config"])
                    cell["result"] = None if cell["result"] is None else json.loads(cell["result"])
                except (ValueError, TypeError) as error:
                    raise ValueError(f"{self._row(cell)} is not JSON: {error}") from None
                if not isinstance(cell["config"], dict):
                    raise ValueError(f"{self._row(cell)} has no settings")
                yield cell

    def _row(self, cell: dict[str, Any]) -> str:
        return f"{self.path}: the row of cell {cell['hash']} (delete it, and it is run again)"

    def close(self) -> None:
        self.db.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            broken = getattr(error, "sqlite_errorcode", None) in BROKEN
            advice = BROKEN_ADVICE if broken else "the cells recorded so far are kept"
            raise OSError(f"{self.path}: {error}; {advice}") from None
