"""The web app in real browsers, against the real stack: web/e2e, a file a test. `npm --prefix web run e2e` runs them alone.

Where a browser, Node or the built app is missing they are skipped with the reason; where CI is set, they fail.
"""

import asyncio
import json
import re
import shutil

from api.built import HOW, built_app
from ops.stack.embedded.livekit import LiveKitServerError, find_binary
from ops.stack.web_app import ROOT, chromium, run_script
from tests.servers import unable

_LAST = "avatar.e2e.ts"
"""Without a GPU it takes both cores, which others may want for a while yet (tests/lanes.py)."""
_ALL = sorted((ROOT / "web" / "e2e").glob("*.e2e.ts"), key=lambda path: (path.name == _LAST, path.name))
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


async def run_in_a_browser(file: str, stack: dict[str, object]) -> None:
    """What a person sees and hears of the app is as the file of web/e2e says."""
    for names in _OTHERS.get(file, ()):
        if not any(shutil.which(name) for name in names):
            unable(f"no {names[0]} here (ops/locks/browsers.sh)")
    settings = {"ANTIPHON_E2E": json.dumps(stack), "NO_COLOR": "1", "FORCE_COLOR": "0"}
    status, said = await run_script("e2e", file, errors=asyncio.subprocess.STDOUT, **settings)
    failed = re.findall(r"^ *((?:FAIL|\w*Error:).*|[+-] {2,}\S.*)", said, re.MULTILINE)
    why = " · ".join(failed)[:2000]  # some show no more than the first line
    assert status == 0, f"{why}\n{said}"
