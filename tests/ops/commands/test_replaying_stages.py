"""`replay --stage` as it is typed: of a session of the log, of an export, of a file of events; and where nobody works."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from typer.testing import CliRunner

from ops import cli, console
from ops.stack.embedded.valkey import Valkey
from schemas.archive.archiving import Archived, archive_session
from schemas.archive.store import open_archive
from schemas.log import RedisBus
from tests.golden.scenarios import FOLDER
from tests.ops.replay.piped import SLOW, at_work, broken_off, recorded_call, serving

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def bus(shared_valkey: Valkey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The log that REDIS_URL names, empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", shared_valkey.url)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))
    raw = Redis.from_url(shared_valkey.url)
    await raw.flushall()
    await raw.aclose()
    log = RedisBus(shared_valkey.url)
    await log.start()
    yield log
    await log.aclose()


async def antiphon(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    result = await asyncio.to_thread(CliRunner().invoke, cli.app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def last(out: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(out.splitlines()[-1])
    return told


async def test_another_prompt_is_tried_shown_and_compared(bus: RedisBus) -> None:
    """The fork is told turn by turn; `show` and `diff` take it; replayed again it is a fork of a fork."""
    await recorded_call(bus)
    async with serving(bus):
        code, out, error = await antiphon("replay", "last", "--stage", "llm", "--set", "instructions=Be curt.")
        assert code == console.DONE, error
        assert "changed: instructions = 'Be curt.'" in out
        assert "Made anew: 0 of 3 transcripts, 3 of 3 replies, " in out
        code, out, _ = await antiphon("replay", "script", "--stage", "llm", "--set", "instructions=Be curt.", "--json")
        told = last(out)
        fork = told["fork"]
        assert told["turns"][0]["jobs"]["llm"] == {"made": 1}
        assert told["turns"][0]["jobs"]["stt"] == {"reused": 1}
        code, out, _ = await antiphon("diff", "script", fork, "--json")
        assert code == console.DONE
        compared = last(out)
        assert compared["wer"] == 0
        assert compared["settings"][0]["name"] == "instructions"
        assert compared["second"]["forked_from"]["session"] == "script"
        code, out, _ = await antiphon("show", fork)
        assert code == console.DONE
        assert "I heard you say Thank you very much." in out
        code, out, _ = await antiphon("replay", fork, "--stage", "tts", "--json")
        assert code == console.DONE
        assert last(out)["jobs"]["llm"] == {"reused": 3}


async def test_files_and_archived_sessions_are_replayed_too(bus: RedisBus, tmp_path: Path) -> None:
    """An export has its sound; a file of events none, which is told; what is in the archive alone is read there. The fork can be
    written into an export at once."""
    await recorded_call(bus)
    assert (await antiphon("export", "script", "call.zip"))[0] == console.DONE
    async with open_archive("sqlite:///archive.sqlite", str(tmp_path / "sound"), upgrade=True) as archive:
        assert await archive_session(bus, archive, "script") is Archived.DONE
    assert await bus.info("script") is None
    environment = pytest.MonkeyPatch()
    environment.setenv("ARCHIVE", "on")
    environment.setenv("ARCHIVE_URL", f"sqlite:///{tmp_path}/archive.sqlite")
    environment.setenv("ARCHIVE_BLOBS", str(tmp_path / "sound"))
    try:
        async with serving(bus):
            for given in ("script", "call.zip"):
                code, out, error = await antiphon("replay", given, "--stage", "stt", "-o", "fork.zip", "--json")
                assert code == console.DONE, error
                assert last(out)["jobs"]["stt"] == {"made": 3}
                assert last(out)["sounds_gone"] == 0
                assert (await antiphon("check", "fork.zip"))[0] == console.DONE
            events = str(FOLDER / "barge_in.jsonl")
            code, out, error = await antiphon("replay", events, "--stage", "all")
            assert code == console.DONE, error
            assert "of the original can't be had any more" in out
    finally:
        environment.undo()


async def test_where_nobody_works_one_sentence_says_so(
    bus: RedisBus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No workers: exit code 1; nothing that runs: 3."""
    await recorded_call(bus)
    code, _, error = await antiphon("replay", "script", "--stage", "all")
    assert code == console.FAILED
    assert "this replay needs STT and LLM and TTS workers, and none is there; start one: antiphon worker stt" in error
    assert (await antiphon("export", "script", "call.zip"))[0] == console.DONE
    monkeypatch.delenv("REDIS_URL")
    code, _, error = await antiphon("replay", "call.zip", "--stage", "llm")
    assert code == console.UNREACHABLE
    assert "nothing runs here whose workers could do it" in error
    assert error.count("\n") == 1


async def test_ctrl_c_ends_it_where_it_is(bus: RedisBus) -> None:
    """130; what was made is told and kept, with an end that says so, and no worker goes on with it."""
    await recorded_call(bus)
    async with serving(bus, simulation=SLOW):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ops.cli", "replay", "script", "--stage", "llm", "--json",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        try:
            await at_work(bus)
            process.send_signal(signal.SIGINT)
            out, error = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == console.STOPPED, error.decode()
        told = last(out.decode())
        assert (told["broken_off"], told["kept"]) == (True, True)
        assert await broken_off(bus) == told["fork"]
