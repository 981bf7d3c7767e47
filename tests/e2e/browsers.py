"""The web app in real browsers, against the real stack: web/e2e, a file a test. `npm --prefix web run e2e` runs them alone.

Where a browser, Node or the built app is missing they are skipped with the reason; where CI is set, they fail.
"""

import asyncio
import json
import re
import shutil
from asyncio import Future
from collections.abc import Callable, Iterable
from pathlib import Path

from api.built import HOW, built_app
from ops.stack.embedded.livekit import LiveKitServerError, find_binary
from ops.stack.web_app import ROOT, chromium, run_script
from tests.servers import unable

_LAST = "avatar.e2e.ts"
"""As web/e2e/vitest.config.ts has it."""
_OWN = {"pizza.e2e.ts"}
"""They want a stack of their own: test_pizza.py has it."""
_FILES = [path for path in (ROOT / "web" / "e2e").glob("*.e2e.ts") if path.name not in _OWN]
_ALL = sorted(_FILES, key=lambda path: (path.name == _LAST, path.name))
SPEAKING = [path.name for path in _ALL if "speak(" in path.read_text()]
"""Somebody speaks in them, and is answered: they need the machine in real time."""
SILENT = [path.name for path in _ALL if path.name not in SPEAKING]
_OTHERS = {
    "firefox.e2e.ts": (("firefox-esr", "firefox"), ("pulseaudio",)),
    "webkit.e2e.ts": (("WebKitWebDriver",), ("Xvfb",)),
}
"""What a file's browser needs: of each of these one."""


def lacking() -> str:
    """Why no browser can be driven here; "" if one can."""
    if not chromium():
        return "no chromium here (ops/locks/browsers.sh)"
    if not (ROOT / "web" / "node_modules").is_dir():
        return "web/node_modules is not there (ops/locks/web.sh modules)"
    return "" if built_app() else HOW


def has_livekit() -> bool:
    try:
        return bool(find_binary())
    except LiveKitServerError:
        return False


def _need(file: str) -> None:
    """The browser that it is for."""
    if name := _missing(file):
        unable(f"no {name} here (ops/locks/browsers.sh)")


def _missing(file: str) -> str:
    """A program without which it can't be run; "" if there is none."""
    return next((names[0] for names in _OTHERS.get(file, ()) if not any(map(shutil.which, names))), "")


async def _run(stack: dict[str, object], *words: str, heard: Callable[[str], None] | None = None) -> tuple[int, str]:
    settings = {"ANTIPHON_E2E": json.dumps(stack), "NO_COLOR": "1", "FORCE_COLOR": "0", "ARCHIVE": "on"}
    return await run_script("e2e", *words, errors=asyncio.subprocess.STDOUT, heard=heard, **settings)


async def run_in_a_browser(file: str, stack: dict[str, object]) -> None:
    """What a person sees and hears of the app is as the file of web/e2e says."""
    _need(file)
    status, said = await _run(stack, file)
    failed = re.findall(r"^ *((?:FAIL|\w*Error:).*|[+-] {2,}\S.*)", said, re.MULTILINE)
    why = " · ".join(failed)[:2000]  # some show no more than the first line
    assert status == 0, f"{why}\n{said}"


class InOneRun:
    """Several files in one process and one browser, one after the other; each is told of as it is through."""

    def __init__(self, files: Iterable[str], stack: dict[str, object]) -> None:
        loop = asyncio.get_running_loop()
        self._told: dict[str, Future[str]] = {file: loop.create_future() for file in files if not _missing(file)}
        words = ("--", *self._told, "--reporter=default", "--reporter=./e2e/told.ts")
        self._run = loop.create_task(_run(stack, *words, heard=self._hear))

    def _hear(self, line: str) -> None:
        if line.startswith('{"told":'):
            told = json.loads(line)
            self._told[Path(told["told"]).name].set_result(told["why"] or ("" if told["ok"] else "it failed"))

    async def told(self, file: str) -> None:
        """What a person sees of the app is as the file of web/e2e says."""
        _need(file)
        await asyncio.wait((self._told[file], self._run), return_when=asyncio.FIRST_COMPLETED)
        assert self._told[file].done(), f"it was not come to: {await self._run}"
        assert not (why := self._told[file].result()), why

    async def aclose(self) -> None:
        """Where all of them are through, so is the run, and has nothing else to complain of."""
        if all(told.done() for told in self._told.values()):
            status, said = await self._run
            assert status == 0 or any(told.result() for told in self._told.values()), said
        self._run.cancel()
        await asyncio.wait([self._run])
