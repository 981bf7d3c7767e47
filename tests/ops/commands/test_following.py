"""`antiphon archive follow-ups | again | recordings | webhook | status`, and `recording`, as they are typed."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from ops import cli, console
from ops.jobs.following import Following, follows_of
from schemas.archive import archive_session, open_archive
from schemas.archive.store import follow_up_id
from schemas.config.settings import Settings
from schemas.log import MemoryBus
from schemas.session.summary import Gist
from tests.ops.jobs.receiving import SECRET, receiving
from tests.schemas.archive.calls import ended

HOOK = follow_up_id("s1", "webhook", "session.ended")
NOBODY = "http://127.0.0.1:1/hook"
"""Where nobody listens."""


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No .env, no stack, a folder of one's own, and webhooks that nobody takes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("WEBHOOK_PRIVATE", "true")
    monkeypatch.setenv("WEBHOOK_URL", NOBODY)


def invoke(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    result = CliRunner().invoke(cli.app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def told(*arguments: str) -> dict[str, Any]:
    _, out, err = invoke(*arguments, "--json")
    assert out, err
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def filled(tmp_path: Path) -> None:
    """A session with a summary and a recording, of which nobody could be told yet."""
    place = tmp_path / "data" / "archive"
    settings = Settings(
        _env_file=None, webhook_url=NOBODY, webhook_secret=SecretStr(SECRET), webhook_private=True, recordings="opus"
    )

    async def fill() -> None:
        log = MemoryBus()
        await ended(log, "s1", 1)
        async with open_archive(f"sqlite:///{place / 'archive.sqlite'}", str(place / "sound"), upgrade=True) as archive:
            await archive_session(log, archive, "s1", follows=follows_of(settings))
            await archive.follow("s1", [("summary", "")])
            one = await archive.take_up(follow_up_id("s1", "summary"), 60.0)
            assert one is not None
            await archive.put_gist(one, Gist("They spoke of tables.", ("tables",)))
            work = Following(log, archive, settings)
            assert await work.follow(HOOK) == "again"
            assert await work.follow(follow_up_id("s1", "recording")) == "done"
            await work.aclose()

    asyncio.run(fill())


def test_what_follows_is_listed_and_asked_for_again(tmp_path: Path) -> None:
    """Each with what became of it; an id, or a session and a kind, is enough to have it again."""
    filled(tmp_path)
    code, out, _ = invoke("archive", "follow-ups")
    assert code == console.DONE
    assert f"{HOOK}  session.ended of s1, next" in out
    assert "after 1 tries: 127.0.0.1:" in " ".join(out.split())
    assert [one["kind"] for one in told("archive", "follow-ups", "--waiting")["follow_ups"]] == ["webhook"]
    assert told("archive", "follow-ups", "--failed")["follow_ups"] == []
    assert told("archive", "follow-ups", "s1", "--kind", "summary")["follow_ups"][0]["state"] == "done"
    assert told("archive", "again", HOOK)["again"] == {HOOK: "due"}
    assert told("archive", "again", "s1", "--kind", "summary")["again"] == {"s1": "due"}
    code, out, _ = invoke("archive", "again", "s1")
    assert (code, "for a session say --kind" in " ".join(out.split())) == (console.FAILED, True)
    assert told("archive", "again", "s2", "--kind", "recording")["again"] == {"s2": "no archived session"}
    assert told("archive", "status")["follow_ups"] == {
        "webhook": {"pending": 1}, "summary": {"pending": 1}, "recording": {"done": 1}
    }  # fmt: skip
    code, out, _ = invoke("archive", "status")
    assert code == console.DONE
    assert "webhooks   0 done, 1 to do, 0 given up" in out
    assert invoke("archive", "follow-ups", "--failed", "--waiting")[0] == console.USAGE


def test_summary_and_recording_are_had(tmp_path: Path) -> None:
    """`show` and `sessions --json` tell the one, `recording` takes the other."""
    filled(tmp_path)
    assert "what it was about: They spoke of tables. (tables)" in " ".join(invoke("show", "s1")[1].split())
    [row] = told("sessions")["sessions"]
    assert (row["summary"], row["topics"]) == ("They spoke of tables.", ["tables"])
    [kept] = told("archive", "recordings")["recordings"]
    assert kept["session"] == "s1"
    assert "s1  opus," in invoke("archive", "recordings")[1]
    file = tmp_path / "call.opus"
    assert told("recording", "s1", str(file))["file"] == str(file)
    assert file.read_bytes() == (tmp_path / "data" / "archive" / "sound" / kept["object"]).read_bytes()
    assert told("recording", "s1", str(tmp_path / "call.wav"))["seconds"] > 0


def test_a_webhook_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who takes it is named with the answer; who doesn't, with why."""
    code, _, err = invoke("archive", "webhook")
    assert (code, "127.0.0.1: Connection refused" in err) == (console.FAILED, True), err
    monkeypatch.setenv("WEBHOOK_URL", "")
    code, _, err = invoke("archive", "webhook")
    assert (code, "WEBHOOK_URL is not set" in err) == (console.USAGE, True)


async def test_a_trial_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As every other is, and tells of no session."""
    async with receiving() as receiver:
        monkeypatch.setenv("WEBHOOK_URL", receiver.url)
        found = await asyncio.to_thread(told, "archive", "webhook")
    assert (found["url"], found["status"]) == (receiver.url, 204)
    assert [(one["type"], one["data"]) for one in receiver.told] == [("webhook.trial", {})]
