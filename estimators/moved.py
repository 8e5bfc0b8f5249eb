"""Dotted paths of earlier versions lead to where their modules are now: the same module objects."""

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class Moved(MetaPathFinder, Loader):
    """Finds the modules of a table {old dotted path: new one}."""

    def __init__(self, table: Mapping[str, str]) -> None:
        self.table = table

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in self.table else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(self.table[spec.name])
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It was executed under its own name: only the import system's mark is put back."""
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state


def moved(table: Mapping[str, str]) -> None:
    sys.meta_path.append(Moved(table))
