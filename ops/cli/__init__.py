"""The `antiphon` command.

A new command is one file in `ops/commands`: a function with its options and, as its docstring, its help, ending in an example.
And it is one line in `_commands.py`: its name, where the function is, and the first line of that help. What it does is imported
in its function, so that nobody's `--help` waits for models and servers.
"""

from ops.cli._app import app, main
from ops.cli._commands import GROUPS, MOVED, Family
from ops.cli._table import tell_moved

__all__ = ["GROUPS", "MOVED", "Family", "app", "main", "tell_moved"]
