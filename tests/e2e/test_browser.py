"""The web app in a real Chromium, against the real stack: web/e2e, a file a test. `npm --prefix web run e2e` runs them alone.

Where a browser, Node or the built app is missing they are skipped with the reason; where CI is set, they fail.
"""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from typing import NoReturn

import pytest
import pytest_asyncio

from api.built import HOW, built_app
from ops.stack.embedded.livekit import LiveKitServerError, find_binary
from ops.stack.stack import Plan, Stack
from ops.stack.web_app import ROOT, chromium, run_script
from schemas.config.settings import load

_LAST = "avatar.e2e.ts"
"""Without a GPU it takes both cores, which others may want for a while yet (tests/lanes.py)."""
FILES = sorted((path.name for path in (ROOT / "web" / "e2e").glob("*.e2e.ts")), key=lambda name: (name == _LAST, name))
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


def unable(why: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def has_livekit() -> bool:
    try:
        return bool(find_binary())
    except LiveKitServerError:
        return False


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, object]]:
    """As `antiphon up --json` tells of itself, and its data folder; of its own, for gateways are killed."""
    if why := lacking():
        unable(why)
    data = tmp_path_factory.mktemp("browser")
    allowed = json.loads((ROOT / "web" / "e2e" / "environment.json").read_text())
    agents = shutil.copytree(ROOT / "web" / "e2e" / "agents", data / "agents")
    environment = allowed | {"AGENTS": str(agents)}
    plan = Plan(data / "up", gateways=2, free_ports=True, api=True, livekit=has_livekit(), environment=environment)
    async with Stack(plan, load(**{name.lower(): value for name, value in allowed.items()})) as one:
        yield one.endpoints() | {"processes": one.supervisor.table(), "data": str(data)}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("file", FILES)
async def test_in_a_browser(file: str, stack: dict[str, object]) -> None:
    """What a person sees and hears of the app is as web/e2e says."""
    for names in _OTHERS.get(file, ()):
        if not any(shutil.which(name) for name in names):
            unable(f"no {names[0]} here (ops/locks/browsers.sh)")
    status, said = await run_script("e2e", file, errors=asyncio.subprocess.STDOUT, ANTIPHON_E2E=json.dumps(stack))
    assert status == 0, said
