"""Names of a package that are loaded when somebody asks for one: who wants another of them does not wait for it."""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def loads(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """The package's `__getattr__`. `places`: each name, and the module that has it."""

    def load(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(places[name]), name)
        setattr(sys.modules[package], name, found)
        return found

    return load
