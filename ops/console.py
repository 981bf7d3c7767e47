"""What every command shares: how it prints, how it fails, and the exit codes scripts can rely on.

0 done · 1 it did not work · 2 wrong usage or an unknown name · 3 something it needs is not reachable
"""

import json
import logging
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

import typer
from rich.console import Console

from schemas.errors import AgentSpecError, AntiphonError, BusUnavailable, SettingsError

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
    except (SettingsError, AgentSpecError) as error:
        fail(str(error), USAGE)
    except BusUnavailable as error:
        fail(str(error), UNREACHABLE)
    except AntiphonError as error:
        fail(str(error))


def logs(level: str) -> None:
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
