"""What somebody brings: objects by name, keyword arguments as text, values of unknown types."""

import ast
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin


def load_object(name: str) -> Any:
    """`module:attribute`, with the current directory on the path; or `path/to/file.py:attribute`,
    with the file's folder there."""
    module, _, attribute = name.rpartition(":")
    loaded = load_module(module)
    if not hasattr(loaded, attribute):
        raise ValueError(f"module {module!r} has no attribute {attribute!r}")
    return getattr(loaded, attribute)


def load_module(module: str) -> Any:
    path = Path(module).absolute()
    of_file = path.suffix == ".py"
    folder = str(path.parent if of_file else Path.cwd())
    if of_file and not path.exists():
        raise ValueError(f"there is no file {module}")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        loaded = importlib.import_module(path.stem if of_file else module)
    except (Exception, SystemExit) as error:  # whatever it does when it is run
        why = f"{type(error).__name__}: {error}"
        raise ValueError(f"cannot import {module!r} from {folder}: {why}") from None
    if of_file and Path(str(loaded.__file__)).resolve() != path.resolve():
        raise ValueError(
            f"{module} has the name of another module, {loaded.__file__}: give it another one"
        )
    return loaded


def keywords(option: str, texts: Sequence[str]) -> dict[str, Any]:
    """name=value of each text; a value is a Python literal, true, false, or else a text."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name.isidentifier() and equals):
            raise ValueError(f"{option} takes name=value, got {text!r}")
        try:
            found[name] = ast.literal_eval({"true": "True", "false": "False"}.get(value, value))
        except (ValueError, SyntaxError):
            found[name] = value
    return found


def is_a(value: Any, kind: Any) -> bool:
    """Whether a value is what an annotation says. A whole number is a float too; true and false
    are no numbers."""
    of, inner = get_origin(kind), get_args(kind)
    if of is UnionType:
        return any(is_a(value, k) for k in inner)
    if of is Literal:
        return value in inner
    if of is tuple:
        return isinstance(value, tuple) and all(is_a(v, inner[0]) for v in value)
    if of is dict:
        return isinstance(value, dict) and all(is_a(v, inner[1]) for v in value.values())
    return type(value) in ((int, float) if kind is float else (kind,))
