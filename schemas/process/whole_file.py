"""Files that somebody names to be written: there when they are whole, and never half of one."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["whole_file"]


@contextmanager
def whole_file(file: Path, error: Callable[[str], Exception]) -> Iterator[Path]:
    """Where to write meanwhile: beside `file`, whose place it takes at the end. What was there before stays until then, and for
    good where it is no file: a device would be gone, for everybody. `error`: made of a sentence, where it can't be written."""
    target = Path(os.path.realpath(file))
    if os.path.exists(target) and not os.path.isfile(target):
        why = os.strerror(errno.EISDIR) if os.path.isdir(target) else "it is no file"
        raise error(f"{file}: cannot be written ({why}); give another file")
    part = target.with_name(f"{target.name}.part")
    try:
        yield part
        part.replace(target)
    except OSError as failed:
        raise error(f"{file}: cannot be written ({failed.strerror}); give another file") from None
    finally:
        with suppress(OSError):  # whatever was wrong with it is told
            part.unlink()
