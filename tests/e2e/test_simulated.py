"""`antiphon simulate --sound`: a scripted caller on the real stack, heard and answered, on a line that isn't good."""

import asyncio
import json
import os
import subprocess
from pathlib import Path

import pytest

from ops.stack.supervisor import ANTIPHON

SPOKEN = """
[caller]
lines = ["What is the capital of France?", "Thank you. Goodbye."]
temper = ["bad line"]
seconds = 90
[expect]
turns = 3
"""


@pytest.mark.e2e
@pytest.mark.timeout(180)
async def test_a_caller_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their words come back from hearing, the agent answers, and the page has both to listen to."""
    (tmp_path / "demo.toml").write_text('greeting = "Hello."\n[llm]\nmax_tokens = 24\n')
    (tmp_path / "capital.toml").write_text(SPOKEN)
    monkeypatch.chdir(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "ANTIPHON_DATA": str(tmp_path / "data")}
    done = await asyncio.to_thread(
        subprocess.run,
        [*ANTIPHON, "simulate", "demo.toml", "capital.toml", "--sound", "--json", "--html", "report.html"],
        capture_output=True, text=True, check=False, timeout=170, env=environment,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stdout + done.stderr
    (result,) = json.loads(done.stdout.splitlines()[-1])["results"]
    heard = " ".join(line["text"] for line in result["transcript"] if line["who"] == "caller")
    assert "france" in heard.casefold(), result
    assert [line["who"] for line in result["transcript"]].count("agent") >= 2, result
    assert result["ended"] == "hang_up"
    assert 'src="data:audio/ogg;base64,' in (await asyncio.to_thread((tmp_path / "report.html").read_text, "utf-8"))
