"""`check`, `replay` and `debug` as they are typed: of files, of a folder, of sessions of the log."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops import cli, console
from ops.bench._turns import talk
from ops.stack.embedded.valkey import Valkey
from schemas.config.settings import Settings
from schemas.log import connected
from tests.golden.scenarios import FOLDER


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No .env, no stack, a folder of one's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))


def invoke(*arguments: str, typed: str = "") -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    result = CliRunner().invoke(cli.app, list(arguments), input=typed)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def golden(*names: str, to: Path) -> Path:
    """Golden sessions, with their states, in a folder."""
    to.mkdir(exist_ok=True)
    for name in names:
        for suffix in (".jsonl", ".state.json"):
            if (FOLDER / f"{name}{suffix}").exists():
                shutil.copy(FOLDER / f"{name}{suffix}", to)
    return to


def last(out: str) -> dict[str, object]:
    """The last line of what `--json` prints."""
    told: dict[str, object] = json.loads(out.splitlines()[-1])
    return told


def test_a_folder_of_sound_sessions_is_exit_code_0(tmp_path: Path) -> None:
    """Each with a line that says what was decided again."""
    folder = golden("plain", "talked_over", to=tmp_path / "calls")
    code, out, _ = invoke("check", str(folder))
    assert code == console.DONE
    assert "facts decided again" in out
    told = last(invoke("check", str(folder), "--json")[1])
    assert told["sound"] is True
    assert [one["sound"] for one in told["sessions"]] == [True, True]  # type: ignore[union-attr, attr-defined]


@pytest.mark.parametrize("name", ["broken", "wrongly_decided"])
def test_a_known_bad_session_is_exit_code_1_with_the_event(name: str, tmp_path: Path) -> None:
    """The file, the event's number, and what is wrong with it."""
    folder = golden("plain", name, to=tmp_path / "calls")
    code, out, _ = invoke("check", str(folder))
    assert code == console.FAILED
    assert f"{name}.jsonl" in out
    assert "event " in out
    assert "plain.jsonl" in out


def test_what_is_accepted_is_told_turn_by_turn_and_sound_from_then_on(tmp_path: Path) -> None:
    """After a wanted change of rules."""
    folder = golden("wrongly_decided", to=tmp_path / "calls")
    code, out, _ = invoke("check", str(folder), "--accept")
    assert code == console.DONE
    assert "turn 3:" in out
    assert "recorded reason 'empty', decided now reason 'backchannel'" in out
    assert invoke("check", str(folder))[0] == console.DONE
    code, out, _ = invoke("check", str(golden("broken", to=tmp_path / "bad")), "--accept")
    assert code == console.FAILED
    assert "can't be accepted" in out


def test_what_cannot_be_read_is_told_among_the_rest(tmp_path: Path) -> None:
    """One bad file does not keep the others from being checked."""
    folder = golden("plain", to=tmp_path / "calls")
    (folder / "a.jsonl").write_text("{")
    code, out, error = invoke("check", str(folder))
    assert code == console.FAILED
    assert "a.jsonl, line 1" in out
    assert "plain.jsonl" in out
    assert "Traceback" not in error


async def test_a_session_of_the_log_is_checked_replayed_and_walked_through(
    monkeypatch: pytest.MonkeyPatch, valkey: Valkey
) -> None:
    """By its id, as `show` has it."""
    async with connected(Settings(_env_file=None, redis_url=valkey.url)) as bus:
        await talk(bus, "first", 2)
    monkeypatch.setenv("REDIS_URL", valkey.url)
    code, out, _ = await asyncio.to_thread(invoke, "check", "first", "--json")
    told = last(out)["sessions"]
    assert (code, told[0]["untold"]) == (console.DONE, 4)  # type: ignore[index]
    code, out, _ = await asyncio.to_thread(invoke, "replay", "first", "--json")
    assert (code, last(out)["session"]) == (console.DONE, "first")
    code, out, _ = await asyncio.to_thread(lambda: invoke("debug", "first", "--at", "3", typed="state\n"))
    assert code == console.DONE
    assert "after event 3" in out


def test_a_fault_is_found_replayed_and_gone(tmp_path: Path) -> None:
    """The fork goes into a file that is a session like any: checked, told, replayed again."""
    folder = golden("cut_in", to=tmp_path / "calls")
    fork = tmp_path / "fork.jsonl"
    sets = ("--set", "turn_taking.commit_min=0.4", "--set", "turn_taking.commit_max=2.5")
    code, out, error = invoke("replay", str(folder / "cut_in.jsonl"), *sets, "-o", str(fork), "--json")
    assert code == console.DONE, error
    told = last(out)
    assert told["changed"] == {"turn_taking.commit_min": 0.4, "turn_taking.commit_max": 2.5}
    assert any(turn["otherwise"] for turn in told["turns"])  # type: ignore[attr-defined]
    code, out, _ = invoke("check", str(fork), "--accept")
    assert code == console.DONE
    code, out, _ = invoke("replay", str(fork))
    assert code == console.DONE
    assert "0 of" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["replay", "plain.jsonl", "--stage", "llm", "--set", "voice.name=x"], "voice.name is none of the settings"),
        (["replay", "plain.jsonl", "--set", "llm.model=x"], "llm.model is none of the settings"),
        (["replay", "plain.jsonl", "--set", "turn_taking.commit_max=99"], "turn_taking.commit_max = 99"),
        (["replay", "plain.jsonl", "--stage", "ears"], "--stage ears: expected one of turns, stt, llm, tts, all"),
        (["replay", "plain.jsonl", "--with", "gone.toml"], "does not exist"),
        (["debug", "plain.jsonl", "--at", "0"], "--at 0: expected a whole number from 1"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], says: str, tmp_path: Path) -> None:
    """One sentence that says what is right."""
    golden("plain", to=tmp_path)
    code, _, error = invoke(*arguments)
    assert code == console.USAGE
    assert says in " ".join(error.split())
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["replay", "gone.jsonl"], "gone.jsonl: cannot be read"),
        (["replay", "gone.jsonl", "--stage", "llm"], "gone.jsonl: cannot be read"),
        (["replay", "plain.jsonl", "--from-turn", "9"], "there is no turn 9"),
        (["replay", "plain.jsonl", "-o", "nowhere/x.jsonl"], "cannot be written"),
        (["debug", "plain.jsonl", "--at", "999"], "there is no event 999"),
    ],
)
def test_what_does_not_work_is_exit_code_1(arguments: list[str], says: str, tmp_path: Path) -> None:
    """One sentence, and no traceback."""
    golden("plain", to=tmp_path)
    code, _, error = invoke(*arguments)
    assert code == console.FAILED
    assert says in " ".join(error.split())
    assert error.count("\n") == 1


def test_a_walk_is_scripted_by_its_input(tmp_path: Path) -> None:
    """Answers as text, or as objects; what could not be done shows in the exit code."""
    golden("barge_in", to=tmp_path)
    script = 'break turn.ended if event.how == "interrupted"\ncontinue\nprint turn.heard\n'
    code, out, _ = invoke("debug", "barge_in.jsonl", typed=script)
    assert code == console.DONE
    assert out.splitlines()[-1] == "Once upon a time"
    code, out, _ = invoke("debug", "barge_in.jsonl", "--json", typed=script)
    assert last(out)["value"] == "Once upon a time"
    code, out, _ = invoke("debug", "barge_in.jsonl", typed="frobnicate\nstate\n")
    assert code == console.FAILED
    assert "no such command; `help` lists them" in out


def test_replayed_in_real_time_it_is_told_as_it_comes(tmp_path: Path) -> None:
    """`--speed real` waits as long as it took: of a session that was over at once, hardly."""
    lines = (FOLDER / "plain.jsonl").read_text("utf-8").splitlines()[:3]
    (tmp_path / "short.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    code, out, _ = invoke("replay", "short.jsonl", "--speed", "real")
    assert code == console.DONE
    assert "changed: nothing" in out
