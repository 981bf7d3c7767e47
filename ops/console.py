"""What every command shares: how it prints, how it fails, and the exit codes scripts can rely on.

0 done · 1 it did not work · 2 wrong usage or an unknown name · 3 something it needs is not reachable
"""

import json
import shutil
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.text import Text

from schemas.errors import (
    AgentSpecError,
    AntiphonError,
    BusUnavailable,
    LeaseMismatch,
    PartitionMismatch,
    Permanent,
    SettingsError,
)

T = TypeVar("T")

DONE, FAILED, USAGE, UNREACHABLE = 0, 1, 2, 3

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def emit(value: Any) -> None:
    """One JSON object on one line: the last line of a command's `--json` output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Say what went wrong, in one sentence, and exit."""
    err.print(f"antiphon: {message}", style="red", markup=False, soft_wrap=True)
    raise typer.Exit(code)


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a command's coroutine; our own errors become their sentence and an exit code."""
    import uvloop

    try:
        return uvloop.run(main())
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except (SettingsError, AgentSpecError, PartitionMismatch, LeaseMismatch) as error:
        fail(str(error), USAGE)
    except Permanent as error:
        fail(str(error), USAGE if error.code == "model_missing" else FAILED)
    except BusUnavailable as error:
        fail(str(error), UNREACHABLE)
    except AntiphonError as error:
        fail(str(error), getattr(error, "exit_code", FAILED))


def hang(head: str | Text, body: str | Text, to: Console | None = None) -> None:
    """Print `head` and beside it `body`, wrapped at words to the terminal's width. Where no terminal reads: one line."""
    to = to or out
    head = head.copy() if isinstance(head, Text) else Text(head)
    body = body if isinstance(body, Text) else Text(body)
    width = to.width - head.cell_len
    if not to.is_terminal or width < 20:
        to.print(head.append_text(body), soft_wrap=True)
        return
    margin = Text(" " * head.cell_len)
    for number, line in enumerate(body.wrap(to, width) or [Text()]):
        to.print((margin if number else head).copy().append_text(line), soft_wrap=True)


def me() -> str:
    """What to type here to call this very command: `antiphon` where the shell finds it, else its path."""
    own = Path(sys.executable).with_name("antiphon")
    found = shutil.which("antiphon")
    if not own.exists() or (found is not None and Path(found).resolve() == own.resolve()):
        return "antiphon"
    return str(own.relative_to(Path.cwd())) if own.is_relative_to(Path.cwd()) else str(own)
