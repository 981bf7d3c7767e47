"""JSON of the commands that read, for scripts: every object says which version of its shape it is."""

from collections.abc import Mapping
from typing import Any

from ops import console

VERSION = 1
"""Raised when a field goes or means something else; a new one raises nothing."""


def emit(value: Mapping[str, Any]) -> None:
    """One object on one line."""
    console.emit({"version": VERSION, **value})
