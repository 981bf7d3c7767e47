"""What every command shares: how it prints, how it fails, and the exit codes scripts can rely on.

0 done · 1 it did not work · 2 wrong usage or an unknown name · 3 something it needs is not reachable · 130 stopped by Ctrl-C
"""

import shutil
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NoReturn, TypeVar

import typer
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.segment import Segment
from rich.text import Text

from schemas.errors import (
    AgentSpecError,
    AntiphonError,
    ArchiveLocked,
    ArchiveUnavailable,
    BusUnavailable,
    LeaseMismatch,
    PartitionMismatch,
    Permanent,
    SettingsError,
)
from schemas.text.clean import json_line, printable

T = TypeVar("T")

DONE, FAILED, USAGE, UNREACHABLE, STOPPED = 0, 1, 2, 3, 130


class _Shown:
    """Something that is printed, the controls in its text spelled out; its own (a spinner's) stay."""

    def __init__(self, inner: ConsoleRenderable) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterable[Segment]:
        for segment in console.render(self._inner, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


class _Hook(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Shown(one) for one in renderables]


def terminal(**options: Any) -> Console:
    """A console to which anybody's words may be printed: neither markup nor names of emoji are read in them, and no control of
    theirs reaches it."""
    console = Console(highlight=False, markup=False, emoji=False, **options)
    console.push_render_hook(_Hook())
    return console


out = terminal()
err = terminal(stderr=True)


class Leaving:
    """`nothing_behind`: this process ends with its command; no thread, child or file of it is to be seen to afterwards."""

    nothing_behind: ClassVar[bool] = False


VERSION = 1
"""Of the shape of what `--json` prints. Raised when a field goes or means something else; a new one raises nothing."""


def emit(value: Mapping[str, Any]) -> None:
    """One JSON object on one line, with the version of its shape: the last line of a command's `--json` output."""
    try:
        sys.stdout.write(json_line({"version": VERSION, **value}) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        out.on_broken_pipe()


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Say what went wrong, in one sentence, and exit."""
    err.print(f"antiphon: {message}", style="red", markup=False, soft_wrap=True)
    raise typer.Exit(code)


def run(main: Callable[[], Coroutine[Any, Any, T]], *, briefly: bool = False) -> T:
    """Run a command's coroutine; our own errors become their sentence and an exit code. `briefly`: it is over before a faster
    loop would be loaded, and leaves nothing behind."""
    with telling():
        if briefly:
            import asyncio

            Leaving.nothing_behind = True
            return asyncio.run(main())
        import uvloop

        return uvloop.run(main())


@contextmanager
def telling() -> Iterator[None]:
    """Our own errors become their sentence and an exit code, Ctrl-C its own."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(STOPPED) from None
    except (SettingsError, AgentSpecError, PartitionMismatch, LeaseMismatch) as error:
        fail(str(error), USAGE)
    except Permanent as error:
        fail(str(error), USAGE if error.code in ("model_missing", "provider_missing") else FAILED)
    except (BusUnavailable, ArchiveUnavailable, ArchiveLocked) as error:
        fail(str(error), UNREACHABLE)
    except AntiphonError as error:
        fail(str(error), getattr(error, "exit_code", FAILED))


def hang(head: str | Text, body: str | Text, to: Console | None = None) -> None:
    """Print `head` and beside it `body`, wrapped at words to the terminal's width; where no terminal reads, as it is. Further
    lines of `body` never begin at the margin, so that they can't pose as lines of ours."""
    to = to or out
    head = head.copy() if isinstance(head, Text) else Text(head)
    body = body if isinstance(body, Text) else Text(printable(body))
    width = to.width - head.cell_len
    margin = Text(" " * (head.cell_len or 2))
    if not to.is_terminal or width < 20:
        lines = list(body.split("\n", allow_blank=True))
        to.print(head.append_text(Text("\n").append_text(margin).join(lines)), soft_wrap=True)
        return
    for number, line in enumerate(body.wrap(to, width) or [Text()]):
        to.print((margin if number else head).copy().append_text(line), soft_wrap=True)


def whoever() -> str:
    """The user of this shell, for what is to be known later."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def me() -> str:
    """What to type here to call this very command: `antiphon` where the shell finds it, else its path."""
    own = Path(sys.executable).with_name("antiphon")
    found = shutil.which("antiphon")
    if not own.exists() or (found is not None and Path(found).resolve() == own.resolve()):
        return "antiphon"
    return str(own.relative_to(Path.cwd())) if own.is_relative_to(Path.cwd()) else str(own)
