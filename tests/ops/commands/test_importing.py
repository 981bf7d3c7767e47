"""`import` as it is typed: into a file, into the archive, into the log."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ops import cli
from ops.stack.embedded.valkey import Valkey
from schemas.archive import open_archive
from schemas.config.settings import Settings
from schemas.log import connected
from schemas.session.export import export
from tests.golden import scenarios
from tests.ops.replay.conversations import talk, vtt, write
from tests.ops.replay.sounding import sounding


def test_the_command_takes_recordings_and_exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording with captions into a file; that into another; both are shown and compared."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("REDIS_URL", raising=False)
    made = talk()
    write(tmp_path / "call.wav", made.sound())
    (tmp_path / "call.vtt").write_text(vtt(made, voices=True))

    def antiphon(*words: str) -> Any:
        return CliRunner().invoke(cli.app, list(words))

    done = antiphon("import", "call.wav", "call.vtt", "--as", "theirs", "-o", "theirs.zip", "--json")
    assert done.exit_code == 0, done.output
    (told,) = json.loads(done.stdout)["sessions"]
    assert (told["session"], told["sounds"] >= 5) == ("theirs", True)
    shown = antiphon("show", "theirs.zip")
    assert "says “agent 1 & more”" in shown.stdout
    assert "antiphon state theirs.zip --at" in shown.stdout
    assert antiphon("import", "theirs.zip", "--as", "again", "-o", "again.zip").exit_code == 0
    assert "They do not part" in antiphon("diff", "theirs.zip", "again.zip").stdout
    for words, says, code in (
        (("call.vtt",), "captions need the recording they tell of", 2),
        (("call.wav", "theirs.zip", "--as", "x"), "--as and --out are for one", 2),
        (("none.wav",), "none.wav: there is no such file", 2),
    ):
        refused = antiphon("import", *words)
        assert refused.exit_code == code, refused.output
        assert says in " ".join(refused.stderr.split())


def test_without_a_log_it_is_kept_in_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is made: there it is shown, heard and compared by its name, and given no second time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("REDIS_URL", raising=False)
    write(tmp_path / "call.wav", talk().sound())
    asyncio.run(export(sounding(scenarios.barge_in()), "s1", tmp_path / "call.zip"))

    def antiphon(*words: str) -> Any:
        return CliRunner().invoke(cli.app, list(words))

    done = antiphon("import", "call.wav", "call.zip")
    assert done.exit_code == 0, done.output
    assert "import-call: " in antiphon("show", "import").stdout
    assert "turn 1: 605 ms from" in antiphon("show", "s1").stdout
    assert json.loads(antiphon("diff", "s1", "call.zip", "--json").stdout)["same"] is True
    assert json.loads(antiphon("recording", "import-call", "x.flac", "--json").stdout)["missing"] == []
    for again in ("call.wav", "call.zip"):
        twice = antiphon("import", again)
        assert (twice.exit_code, "give it another with --as" in twice.stderr) == (1, True), twice.output
    assert antiphon("import", "call.zip", "--as", "s2").exit_code == 0


@pytest.mark.parametrize("archived", [False, True])
async def test_beside_a_log(archived: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, valkey: Valkey) -> None:
    """It goes into the log's archive, and past the log; where there is none yet, into the log. It is listed, and shown by its
    name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", valkey.url)
    if archived:
        url = f"sqlite:///{tmp_path / 'kept' / 'archive.sqlite'}"
        monkeypatch.setenv("ARCHIVE_URL", url)
        async with open_archive(url, str(tmp_path / "kept" / "sound"), upgrade=True):
            pass
    await export(sounding(scenarios.barge_in()), "s1", tmp_path / "call.zip")

    async def antiphon(*words: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, cli.app, list(words))

    done = await antiphon("import", "call.zip")
    assert done.exit_code == 0, done.output
    assert "call.zip: s1, 8.0 s, 28 events" in done.stdout
    rows = json.loads((await antiphon("sessions", "--json")).stdout)["sessions"]
    assert [(row["session"], row["state"]) for row in rows] == [("s1", "closed")]
    async with connected(Settings(_env_file=None, redis_url=valkey.url)) as log:
        assert (await log.info("s1") is None) is archived
    twice = await antiphon("import", "call.zip")
    assert (twice.exit_code, "give it another with --as" in twice.stderr) == (1, True)
