"""Whether a folder can still be written to: what a server that lost its disk can't say, its own log lying there too."""

import contextlib
import errno
import os
import shutil
import tempfile
from pathlib import Path

_PROBE = b"\0" * 65_536
LITTLE = 256 * 2**20
"""Bytes free from which it is said that the disk will soon be full."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


def trouble(folder: Path) -> str:
    """Why nothing can be written to `folder`, in a sentence; "" if it can. It is made where it isn't there."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(prefix=".probe-", dir=folder)
    except OSError as error:
        return _sentence(folder, error)
    try:
        os.write(descriptor, _PROBE)
        os.fsync(descriptor)
    except OSError as error:
        return _sentence(folder, error)
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            Path(name).unlink()
    return ""


def free(folder: Path) -> int:
    """Bytes that can still be written there."""
    return shutil.disk_usage(folder).free


def _sentence(folder: Path, error: OSError) -> str:
    if error.errno in _FULL:
        return (
            f"the disk of {folder} is full ({error.strerror}): the log can't be written; free some space, or set "
            "ANTIPHON_DATA to a folder on another disk"
        )
    return (
        f"{folder} can't be written to ({error.strerror}): the log is kept there; set ANTIPHON_DATA to another folder"
    )
