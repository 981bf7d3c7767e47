"""Files that are nobody else's: what callers said, and the passwords that lead there."""

import contextlib
import os
from pathlib import Path

MASK = 0o077
"""The umask of every command: what it writes is its user's alone."""


def private_folder(path: Path) -> Path:
    """`path`, made if it isn't there, open to its owner only: whatever lies in it is out of others' reach."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(PermissionError):  # somebody else's, who has let us in
        path.chmod(0o700)
    return path


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, also where an older one of wider rights stood."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, 0o600)
        file.write(text)
