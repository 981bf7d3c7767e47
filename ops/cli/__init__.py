"""The `antiphon` command.

A new command is one file in `ops/commands`: a function with its options and, as its docstring, its help, ending in an example.
And it is one line in `_commands.py`: its name, where the function is, and the first line of that help. What it does is imported
in its function, so that nobody's `--help` waits for models and servers.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ops.cli._commands import GROUPS, MOVED, Family
from ops.cli._main import main

if TYPE_CHECKING:
    from ops.cli._app import app
    from ops.cli._table import tell_moved

_PLACES = {"app": "ops.cli._app", "tell_moved": "ops.cli._table"}

__all__ = ["GROUPS", "MOVED", "Family", "app", "main", "tell_moved"]


def __getattr__(name: str) -> Any:
    """Typer, and all that makes a table of commands, once `main` has seen to it that loading them collects no garbage. Not by
    `schemas.lazily`: who asks for an overview loads nothing of `schemas`."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = found
    return found
