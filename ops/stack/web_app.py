"""Scripts of web/package.json, and the browser that some of them drive: in a checkout only, for tests and benchmarks."""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """CHROMIUM, or the one on PATH; "" where there is none."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _BROWSERS)), "")


async def run_script(
    *words: str, errors: int | None = None, heard: Callable[[str], None] | None = None, **settings: str
) -> tuple[int, str]:
    """How it ended, and what it said. `words`: its name and what it is given; `settings`: of its environment; `errors`: where it
    tells of them, asyncio.subprocess.STDOUT: with the rest, None: as we do; `heard`: is told each line as it comes. Whoever is
    cancelled ends it."""
    process = await asyncio.create_subprocess_exec(
        str(ROOT / "ops" / "locks" / "web.sh"), "run", *words, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=errors, env=os.environ | settings, limit=1 << 24,
    )  # fmt: skip
    assert process.stdout is not None
    said = list[str]()
    try:
        async for line in process.stdout:
            said.append(line.decode(errors="replace"))
            if heard is not None:
                heard(said[-1])
        await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, "".join(said)
