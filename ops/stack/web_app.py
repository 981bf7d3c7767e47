"""Scripts of web/package.json, and the browser that some of them drive: in a checkout only, for tests and benchmarks."""

import asyncio
import os
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """CHROMIUM, or the one on PATH; "" where there is none."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _BROWSERS)), "")


async def run_script(*words: str, errors: int | None = None, **settings: str) -> tuple[int, str]:
    """How it ended, and what it said. `words`: its name and what it is given; `settings`: of its environment; `errors`: where it
    tells of them, asyncio.subprocess.STDOUT: with the rest, None: as we do. Whoever is cancelled ends it."""
    process = await asyncio.create_subprocess_exec(
        str(ROOT / "ops" / "locks" / "web.sh"), "run", *words, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=errors, env=os.environ | settings,
    )  # fmt: skip
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, said.decode(errors="replace")
