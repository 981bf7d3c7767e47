"""`antiphon archive …`: what is typed, what is said, and what becomes of the calls."""

import asyncio
import contextlib
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ops import cli, console
from ops.stack.embedded.valkey import Valkey
from schemas.config.settings import Settings
from schemas.log import connected
from tests.schemas.archive.calls import Kept, call, ended


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in set(os.environ) & {field.upper() for field in Settings.model_fields}:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))


def invoke(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli.app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def told(*arguments: str, code: int = console.DONE) -> dict[str, Any]:
    found, out, error = invoke("archive", *arguments, "--json")
    assert found == code, error
    value: dict[str, Any] = json.loads(out.splitlines()[-1])
    return value


def calls(url: str, *names: str) -> dict[str, Kept]:
    async def make() -> dict[str, Kept]:
        async with connected(Settings(_env_file=None, redis_url=url)) as bus:
            return {name: await ended(bus, name, 1) for name in names}

    return asyncio.run(make())


def test_before_there_is_one() -> None:
    """It is said who makes it, and made when that is asked for; its settings are looked at."""
    code, _, error = invoke("archive", "status")
    assert (code, "there is no archive yet" in error) == (console.FAILED, True)
    assert told("upgrade") == {"version": 1, "was": None}
    assert told("status")["sessions"] == {}
    assert invoke("archive", "list") == (console.DONE, "No session is archived yet.\n", "")
    assert invoke("archive", "erasures") == (console.DONE, "Nothing was deleted yet.\n", "")


def test_an_archive_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path) -> None:
    """It is said what is wrong with it, and not that there are no sessions."""
    told("upgrade")
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "archive" / "archive.sqlite")) as database, database:
        database.execute("update alembic_version set version_num = 'r9999'")
    _, out, _ = invoke("sessions")
    assert "No session" not in out
    assert "the archive can't be told: ARCHIVE_URL=" in out
    assert "update this program" in out


def test_what_was_archived_by_hand_is_listed_on(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever names the log and no archive finds its calls in the machine's own, once the log has let go of them."""
    monkeypatch.setenv("REDIS_URL", valkey.url)
    calls(valkey.url, "s1")
    assert told("run") == {"version": 1, "sessions": {"s1": "done"}}
    rows = json.loads(invoke("sessions", "--json")[1].splitlines()[-1])["sessions"]
    assert [row["session"] for row in rows] == ["s1"]


def test_a_call_from_its_end_to_its_erasure(valkey: Valkey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Archived by hand, listed, read back, shown, backed up, erased; each says what it did."""
    monkeypatch.setenv("REDIS_URL", valkey.url)
    monkeypatch.setenv("ARCHIVE_URL", f"sqlite:///{tmp_path / 'calls.sqlite'}")
    before = calls(valkey.url, "s1", "s2")
    assert told("run")["sessions"] == {"s1": "done", "s2": "done"}
    assert invoke("archive", "run")[1] == "Nothing is due.\n"
    assert [row["session"] for row in told("list")["sessions"]] == ["s2", "s1"]
    assert "s1" in invoke("archive", "list", "--agent", "default")[1]
    assert told("verify") == {"version": 1, "sessions": 2, "damaged": {}}
    assert told("verify", "s1")["sessions"] == 1
    assert told("status")["sessions"] == {"done": 2}
    assert invoke("archive", "list", "--failed")[1] == "None was given up.\n"
    shown = [json.loads(line)["seq"] for line in invoke("show", "s1", "--json")[1].splitlines()]
    assert shown == list(range(1, before["s1"].info.seq + 1))
    assert json.loads(invoke("state", "last", "--json")[1])["seq"] == before["s2"].info.seq
    assert invoke("export", "s2", "-o", str(tmp_path / "s2.zip"))[0] == console.DONE
    assert [row["session"] for row in json.loads(invoke("sessions", "--json")[1])["sessions"]] == ["s2", "s1"]
    assert json.loads(invoke("stats", "--json")[1])["all"]["answered"] == 2
    assert told("backup", str(tmp_path / "backup"))["fresh"] == 2
    erased = told("erase", "Ann Caller", "--by", "desk")
    assert (len(erased["erasure"]["removed"]), erased["open"]) == (2, [])
    assert [one["id"] for one in told("erasures")["erasures"]] == [erased["erasure"]["id"]]
    assert told("list")["sessions"] == []
    code, _, error = invoke("show", "s1")
    assert (code, 'no session "s1"' in error) == (console.USAGE, True)


def test_before_a_person_is_erased_it_is_said_of_how_many_sessions(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And asked; who says no keeps them all. Where there is none nobody is asked."""
    monkeypatch.setenv("REDIS_URL", valkey.url)
    calls(valkey.url, "s1", "s2")

    async def begin() -> None:
        async with connected(Settings(_env_file=None, redis_url=valkey.url)) as bus:
            await call(bus, "s3", 1, over=False)

    asyncio.run(begin())
    asked = "'Ann Caller' is in 2 sessions. 1 session goes on, and stays for now. Delete for good, whole?"
    no = CliRunner().invoke(cli.app, ["archive", "erase", "Ann Caller"], input="n\n")
    assert (no.exit_code, asked in no.stdout) == (130, True), no.output
    assert told("erasures")["erasures"] == []
    nobody = CliRunner().invoke(cli.app, ["archive", "erase", "Bob"])
    assert nobody.exit_code == console.DONE
    assert nobody.stdout == "Nobody is called so in a session that is over; nothing was deleted.\n"
    sure = CliRunner().invoke(cli.app, ["archive", "erase", "Ann Caller"], input="y\n")
    assert (sure.exit_code, asked in sure.stdout) == (console.DONE, True), sure.output
    assert "2 sessions." in sure.stdout
    assert "These go on, and stay for now: s3" in sure.stderr


def test_one_is_removed_by_its_name(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it is kept; what goes on stays; what nobody knows is told, and then nothing goes."""
    monkeypatch.setenv("REDIS_URL", valkey.url)
    calls(valkey.url, "s1", "s2")

    async def begin() -> None:
        async with connected(Settings(_env_file=None, redis_url=valkey.url)) as bus:
            await call(bus, "s3", 1, over=False)

    asyncio.run(begin())
    assert told("run", "s1")["sessions"] == {"s1": "done"}
    code, _, error = invoke("archive", "remove", "s1", "nobody", "--json")
    assert (code, "no session nobody; nothing was deleted" in error) == (console.USAGE, True)
    code, _, error = invoke("archive", "run", "s2", "nobody")
    assert (code, "no session nobody; nothing was archived" in error) == (console.USAGE, True)
    assert told("status")["sessions"] == {"done": 1}
    for empty in ("", " "):
        code, _, error = invoke("archive", "erase", empty, "--yes")
        assert (code, "an empty name is nobody's" in error) == (console.USAGE, True)
    gone = told("remove", "s1", "s2", "s3", "--by", "ann")
    assert (len(gone["erasure"]["removed"]), gone["erasure"]["asked_by"], gone["open"]) == (2, "ann", ["s3"])
    assert invoke("archive", "remove", "s3", "--yes")[1] == "No session that is over; nothing was deleted.\n"


def test_an_archive_that_is_down_is_exit_code_3(monkeypatch: pytest.MonkeyPatch) -> None:
    """As everything that is not reachable."""
    monkeypatch.setenv("ARCHIVE_URL", "postgresql://ann:secret@127.0.0.1:1/calls")
    code, _, error = invoke("archive", "status")
    assert code == console.UNREACHABLE
    assert "secret" not in error
