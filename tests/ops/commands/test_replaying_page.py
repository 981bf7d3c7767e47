"""docs/replaying.md, followed: what it says to type makes a test of a call that was cut in upon."""

import asyncio
import re
import shlex
import subprocess
import time
from pathlib import Path

import pytest
from redis.asyncio import Redis
from typer.testing import CliRunner

from ops import cli
from ops.replay.scripted import Says
from ops.stack.embedded.valkey import Valkey
from schemas.clock import Micros
from schemas.config.agent import AgentSpec, TurnTaking
from schemas.log import RedisBus
from tests.golden.decided import HASTY
from tests.ops.replay.piped import recorded_call, serving

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "replaying.md").read_text("utf-8")
TYPED = re.findall(r"^ {4}\$ (.+)$", PAGE, re.MULTILINE)
"""In a shell, from the first line to the last."""
WALKED = re.findall(r"^ {4}\d+/\d+> (.+)$", PAGE, re.MULTILINE)
"""In the shell of `debug`."""
CUT_IN = (
    Says(1.0, "I would like to book a table for", ("For how many people?",), pause=0.0, sure=0.9),
    Says(4.1, "four people on Sunday evening.", ("A table for four on Sunday evening.",)),
    Says(11.0, "Thank you very much.", ("You are welcome.",)),
)
SLOW = (Says(1.0, "What is the news today and", ("Nothing much.",), sure=0.1),)


async def calls(bus: RedisBus) -> None:
    """An hour ago one in which the caller waited for long; just now the one that somebody complains of."""
    now = time.time_ns() // 1000
    slow = AgentSpec(name="clerk", greeting="", turn_taking=TurnTaking(commit_min=0.2, commit_max=2.0, regret=0.0))
    await recorded_call(bus, "ws-slow", SLOW, agent=slow, until=8.0, ended=Micros(now - 3_600_000_000))
    hasty = HASTY.model_copy(update={"name": "desk"})
    await recorded_call(bus, "ws-cut-in", CUT_IN, agent=hasty, ended=Micros(now - 60_000_000))


def desk(folder: Path) -> None:
    """The agent's file, once somebody has found what to go on with."""
    (folder / "desk.toml").write_text("[turn_taking]\ncommit_min = 0.4\ncommit_max = 2.5\nregret = 0.0\n")


async def typed(line: str, fork: str) -> str:
    """What it says. `antiphon` is this process' own."""
    program, *words = shlex.split(line, comments=True)
    words = [fork if word == "FORK" else word for word in words]
    if program != "antiphon":
        done = await asyncio.to_thread(subprocess.run, [program, *words], capture_output=True, text=True, check=True)
        return done.stdout
    walk = "".join(f"{one}\n" for one in WALKED) if words[0] == "debug" else None
    result = await asyncio.to_thread(lambda: CliRunner().invoke(cli.app, words, input=walk))
    assert result.exit_code == 0, f"{line}\n{result.output}\n{result.exception!r}"
    return result.stdout


@pytest.mark.timeout(120)
async def test_a_call_that_was_cut_in_upon_becomes_a_test(
    shared_valkey: Valkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line by line, as they stand: found, kept, replayed until the fault is gone, through the models, with many others, and
    checked from then on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", shared_valkey.url)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))
    async with Redis.from_url(shared_valkey.url) as raw:
        await raw.flushall()
    bus = RedisBus(shared_valkey.url)
    await bus.start()
    await calls(bus)
    desk(tmp_path)
    said: dict[str, str] = {}
    fork = ""
    async with serving(bus):
        for line in TYPED:
            if line.startswith("make models"):  # other models than those that work here: no fault of the page's
                assert re.search(r"^models:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
                continue
            said[line] = await typed(line, fork)
            if made := re.search(r"^the fork:\s+(\S+)", said[line], re.MULTILINE):
                fork = made[1]
    await bus.aclose()

    def told(begins: str) -> str:
        (line,) = [line for line in said if line.startswith(begins)]
        return said[line]

    assert "ws-cut-in" in told("antiphon sessions")
    assert "ws-slow" not in told("antiphon sessions")
    assert "interrupted: the user spoke" in told("antiphon show")
    replayed = told("antiphon replay calls/cut-in.zip --set")
    assert "I would like to book a table for four people on Sunday evening." in replayed
    for otherwise in (
        "later",
        "instead of interrupted (barge_in)",
        'before it was: "I would like to book a table for"',
    ):
        assert re.search(rf"^ +≠ .*{re.escape(otherwise)}", replayed, re.MULTILINE), replayed
    assert "Made anew: 0 of" in told("antiphon replay last --stage llm")
    assert fork.startswith("fork-")
    assert fork in told("antiphon diff")
    assert (tmp_path / "shorter.html").is_file()
    assert '"unreplayed":0' in told("antiphon batch --stage stt").replace(" ", "")
    counted = r"\d+ events, decided by rules \d+; \d+ facts decided again"
    assert re.search(rf"^✓ calls/cut-in\.zip: {counted}", told("antiphon check calls/cut-in.zip"), re.MULTILINE)
    both = said["antiphon check calls"]
    assert re.findall(r"^(.) (calls/\S+):", both, re.MULTILINE) == [
        ("✓", "calls/cut-in.zip"), ("✓", "calls/not-cut-in.jsonl"),
    ]  # fmt: skip
    assert told("antiphon debug").splitlines()[-1] == "For"
