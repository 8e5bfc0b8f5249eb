"""Files that are there whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """The file is there whole or not at all."""
    with whole(path) as part:
        part.write_text(text)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Where to write a file that is to be there whole or not at all, and nothing beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
