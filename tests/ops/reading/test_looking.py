"""Many sessions at a glance: `antiphon sessions`, `stats`, `top`; and what a command that reads does not load."""

import asyncio
import io
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis.asyncio
from rich.console import Console
from typer.testing import CliRunner

from ops import cli, console, reading
from ops.bench._turns import Talk, talk
from ops.commands.doctor.stages import finding_of
from ops.stack.embedded.valkey import Valkey
from ops.stack.pools import has_none, unmanned_line, workers_line
from schemas.bus import Bus, GatewaySeen, StageSeen, WorkerSeen
from schemas.config.settings import Settings
from schemas.events import Event
from schemas.log import MemoryBus, connected
from schemas.session.figures import figures
from schemas.session.listing import Rows
from schemas.session.summary import Wanted
from tests.archive import Archive
from tests.golden import scenarios
from tests.ops.reading.test_terminal import EVIL, harmless, hostile


def screen(width: int = 120, *, terminal: bool = True) -> Console:
    return console.terminal(file=io.StringIO(), width=width, force_terminal=terminal, no_color=True)


def text_of(out: Console) -> str:
    assert isinstance(out.file, io.StringIO)
    return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", out.file.getvalue())


@pytest.fixture
async def log(valkey: Valkey) -> AsyncIterator[Bus]:
    """Two calls that are over, one that goes on."""
    async with connected(Settings(_env_file=None, redis_url=valkey.url)) as bus:
        await talk(bus, "first", 2)
        await talk(bus, "second", 1)
        one = Talk(bus, "third")
        await one.open()
        await one.turn()
        yield bus


# ── sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_line_says_who_how_long_how_fast_and_how_it_ended(log: Bus) -> None:
    """The open one first, then those that ended; each line with figures of its own."""
    out = screen()
    await reading.sessions(log, out=out)
    head, *lines = text_of(out).splitlines()
    assert head.split() == [
        "session",
        "agent",
        "caller",
        "started",
        "length",
        "turns",
        "p50",
        "ms",
        "worst",
        "ms",
        "ended",
    ]
    assert [line.split()[0] for line in lines] == ["third", "second", "first"]
    assert re.search(r"first +default +Ann Caller +\d\d:\d\d:\d\d +0:0\d +2 +\d+ +\d+ +hung up", lines[2])
    assert lines[0].rstrip().endswith("waiting")


async def test_a_call_whose_gateway_is_gone_says_so(log: Bus) -> None:
    """In red, and in words that an operator need not look up."""
    (row, *_), _ = await Rows(log).latest(1)
    out = screen(80)
    reading.print_rows([replace(row, orphaned=True)], await log.now(), out)
    assert text_of(out).rstrip().endswith("open, gateway is gone")


@pytest.mark.parametrize("width", [60, 80, 120])
async def test_lines_fit_the_terminal_and_ids_stay_whole(width: int, log: Bus) -> None:
    """Whatever the width: one line a session, its id to be copied; in a pipe nothing is cut."""
    name = "ws-0123456789abcdef"
    await talk(log, name, 1)
    out, pipe = screen(width), screen(width, terminal=False)
    await reading.sessions(log, out=out)
    lines = text_of(out).splitlines()
    assert len(lines) == 5
    assert max(map(len, lines)) <= width
    assert name in text_of(out)
    await reading.sessions(log, out=pipe)
    assert "…" not in text_of(pipe)
    assert "Ann Caller" in text_of(pipe)


async def test_a_call_that_nobody_answered_is_red_and_says_never() -> None:
    """How many waited for nothing, and instead of the worst answer that there was none; in figures, too."""
    asked = [event for event in scenarios.unanswered() if event.turn != 1]
    log, out, figures = Archive(asked), console.terminal(file=io.StringIO(), width=120, force_terminal=True), screen()
    await reading.sessions(log, wanted=Wanted(failed=True), out=out)
    assert re.search(r"–\s+never\s+hung up, 1 unanswered", text_of(out))
    assert isinstance(out.file, io.StringIO)
    assert re.search(r"\x1b\[31m\s*never", out.file.getvalue())
    await reading.stats(log, out=figures)
    assert "1 turn was waited for in vain; antiphon sessions --failed" in text_of(figures)


async def test_of_a_narrow_table_the_agent_stays(log: Bus) -> None:
    """At 80 columns it is there, and every figure and id whole; what is told the least of a call is what goes."""
    for name in ("ws-0123456789abcdef", "ws-0123456789abcdee"):
        await talk(log, name, 1)
    heads = {}
    for width in (60, 80, 120):
        out = screen(width)
        await reading.sessions(log, out=out)
        heads[width] = text_of(out).splitlines()[0].split()
        assert "agent" in heads[width]
        assert "default" in text_of(out)
        assert not re.search(r"ws-\w*…", text_of(out))
    assert {*heads[60]} < {*heads[80]} < {*heads[120]}
    assert {"caller", "started", "worst", "ended"} <= {*heads[80]}


async def test_at_80_columns_what_went_wrong_is_whole() -> None:
    """How many waited in vain goes before who called; the id is there whatever the width."""
    name = "ws-0123456789abcdef"
    log = Archive([event for event in scenarios.unanswered() if event.turn != 1])
    log.logs = {name: log.logs["s1"]}
    for width in (56, 80):
        out = screen(width)
        await reading.sessions(log, out=out)
        _, line = text_of(out).splitlines()
        assert line.split()[0] == name
        assert "…" not in line
        assert re.search(r" never +hung up, 1 unanswered *$", line)
        assert len(line) <= width


async def test_sessions_that_are_wanted(log: Bus) -> None:
    """With filters only those; where there are none, that is said; where there are more, how to see them."""
    out = screen()
    await reading.sessions(log, wanted=Wanted(state="open"), out=out)
    assert re.findall(r"^\w+", text_of(out), re.MULTILINE) == ["session", "third"]
    nothing, fewer = screen(), screen()
    await reading.sessions(log, wanted=Wanted(agent="nobody"), out=nothing)
    assert text_of(nothing) == "No such session.\n"
    await reading.sessions(log, count=1, out=fewer)
    assert "There are more" in text_of(fewer)


def test_filters_at_the_command_line(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    """--agent, --open, --since, --slow, --failed, -n: as they are typed, and what is wrong with one in a sentence."""

    async def write() -> None:
        async with connected(Settings(_env_file=None, redis_url=valkey.url)) as bus:
            await talk(bus, "over", 1)
            await Talk(bus, "on").open()

    asyncio.run(write())
    monkeypatch.setenv("REDIS_URL", valkey.url)

    def found(*options: str) -> list[str]:
        result = CliRunner().invoke(cli.app, ["sessions", "--json", *options])
        assert result.exit_code == 0, result.output
        told = json.loads(result.output)
        assert told["version"] == 1
        return [row["session"] for row in told["sessions"]]

    assert found() == ["on", "over"]
    assert found("-n", "1") == ["on"]
    assert found("--open") == ["on"]
    assert found("--since", "1h", "--agent", "default", "--slow", "1ms") == ["over"]
    assert found("--since", "2999-01-01") == []
    assert found("--failed") == []
    for option, value in (("--since", "yesterday"), ("--since", "3-x"), ("--slow", "1 parsec")):
        result = CliRunner().invoke(cli.app, ["sessions", option, value])
        assert result.exit_code == 2
        assert value in result.stderr
        assert "expected" in result.stderr


def test_forks_are_marked_and_can_be_left_out(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay says that it is one, in the list and as JSON; --no-forks and --forks tell them from calls."""

    async def write() -> None:
        async with connected(Settings(_env_file=None, redis_url=valkey.url)) as bus:
            await talk(bus, "over", 1)

            async def replayed() -> AsyncIterator[list[Event]]:
                yield await bus.read("over")

            await bus.take_in("fork-over-a1b2c3", replayed())

    asyncio.run(write())
    monkeypatch.setenv("REDIS_URL", valkey.url)

    def found(*options: str) -> dict[str, bool]:
        told = json.loads(CliRunner().invoke(cli.app, ["sessions", "--json", *options]).stdout)
        return {row["session"]: row["fork"] for row in told["sessions"]}

    assert found() == {"over": False, "fork-over-a1b2c3": True}
    assert found("--no-forks") == {"over": False}
    assert found("--forks", "--agent", "default") == {"fork-over-a1b2c3": True}
    shown = CliRunner().invoke(cli.app, ["sessions"]).stdout
    assert [line.split()[0] for line in shown.splitlines() if line.rstrip().endswith("(fork)")] == ["fork-over-a1b2c3"]


async def _watched(log: Bus, there: str, opens: str) -> None:
    """Watch the list until it shows `there`, then let a session called `opens` begin, until that is there, too."""
    out = screen()
    watching = asyncio.create_task(reading.sessions(log, watch=True, out=out))
    async with asyncio.timeout(30):
        while there not in text_of(out):
            await asyncio.sleep(0.01)
        await Talk(log, opens).open()
        while opens not in text_of(out):
            await asyncio.sleep(0.01)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching


async def test_watching_begins_with_nothing(valkey: Valkey) -> None:
    """Nobody calls yet, or nobody who is looked for."""
    async with connected(Settings(redis_url=valkey.url)) as log:
        await _watched(log, "session", "first")


async def test_watching_shows_what_comes(log: Bus) -> None:
    """A session that begins while the list is watched appears in it."""
    await _watched(log, "third", "fourth")


# ── stats ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_figures_of_all_calls(log: Bus, capsys: pytest.CaptureFixture[str]) -> None:
    """Counts, every part with p50 and p95, all together, and how it went over time; the same as JSON."""
    out = screen(80)
    await reading.stats(log, out=out)
    said = text_of(out)
    assert "3 calls · 4 turns · 4 answered · 0 interrupted · 0 failed · 0 cut off" in said
    names = [line.split()[0] for line in said.splitlines() if re.search(r"\d ms +[\d,]+ ms", line)]
    assert names == ["pause", "STT", "LLM", "TTS", "commit", "playout", "all"]
    assert re.search(r"p50 from \S+ to \S+, \d+ ms to \d+ ms\n[▁▂▃▄▅▆▇█ ]+\n", said)
    assert max(map(len, said.splitlines())) <= 80
    await reading.stats(log, json=True)
    value = json.loads(capsys.readouterr().out)
    assert (value["version"], value["all"]["calls"], value["by"]) == (1, 3, None)
    assert value["all"]["parts"]["soft_end"]["p50_ms"] == pytest.approx(200, abs=1)


async def test_replays_are_no_calls() -> None:
    """Nobody waited for their answers; alone they are nothing to tell of."""
    log, out, nothing = Archive(scenarios.plain()), screen(), screen()
    log.logs["fork-s1-1"] = scenarios.plain()
    await reading.stats(log, out=out)
    assert "1 call ·" in text_of(out)
    del log.logs["s1"]
    await reading.stats(log, out=nothing)
    assert "No calls yet" in text_of(nothing)


async def test_what_is_typed_has_no_part_of_speech() -> None:
    """Nobody waited for words or for the end of a turn there: what was spoken is not halved by it."""
    (row,) = [row async for row in Rows(Archive(scenarios.greeting())).each()]
    (spoken,) = row.answers
    typed = replace(spoken, kind="text", total=0.25, parts=(0.0, 0.0, 0.13, 0.12, 0.0, 0.0))
    found = figures([replace(row, answers=(spoken, typed, typed))])
    assert found.total is not None
    assert found.total.p50 == 0.25
    assert found.parts["soft_end"].p50 == spoken.parts[0] > 0
    assert figures([replace(row, answers=(typed,))]).parts.keys() == {"llm", "tts", "playout"}


async def test_figures_apart_by_agent(capsys: pytest.CaptureFixture[str]) -> None:
    """Each agent by itself; nothing where there are no calls."""
    other = [
        event.model_copy(update={"agent": event.agent.model_copy(update={"name": "desk"})})
        if event.type == "session.started"
        else event
        for event in scenarios.barge_in()
    ]
    log, out, nothing = Archive(scenarios.plain(), other), screen(), screen()
    await reading.stats(log, by="agent", out=out)
    agents = re.findall(r"^agent (.+?) *$", text_of(out), re.MULTILINE)
    assert len(agents) == 2
    assert "desk" in agents
    await reading.stats(log, by="agent", json=True)
    value = json.loads(capsys.readouterr().out)
    assert {row["agent"]: row["interrupted"] for row in value["by"]}["desk"] == 1
    await reading.stats(log, wanted=Wanted(agent="nobody"), out=nothing)
    assert "No calls" in text_of(nothing)


# ── top ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_runs_now(log: Bus, capsys: pytest.CaptureFixture[str]) -> None:
    """Each stage with its queue and workers, none of them said in so many words; gateways; open sessions only."""
    gateway = GatewaySeen("gw-1", "ws://h/ws", "ws://h/ws", 40, 1, draining=True, transports=("websocket",))
    await log.advertise(gateway, 30)
    await log.take("stt", 0, "worker-1", 1)
    out = screen(80)
    await reading.top(log, once=True, out=out)
    said = text_of(out)
    assert re.search(r"^STT +0 +– +0 +1 ", said, re.MULTILINE)
    assert re.search(r"^LLM +0 +– +0 +none ", said, re.MULTILINE)
    assert re.search(r"^gw-1 +1 +40 +websocket +draining", said, re.MULTILINE)
    assert "third" in said
    assert "second" not in said
    assert max(map(len, said.splitlines())) <= 80
    await reading.top(log, once=True, json=True)
    value = json.loads(capsys.readouterr().out)
    assert [stage["stage"] for stage in value["stages"]] == ["stt", "llm", "tts"]
    assert [row["session"] for row in value["sessions"]] == ["third"]


async def test_who_went_silent_is_no_worker_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was killed is told of as silent, and for how long, by `top`, doctor and `status`; one that is busy may keep
    silent for half a lease."""
    seen = [WorkerSeen("a", 0, None, 0.2), WorkerSeen("b", 1, 0.1, 6.1), WorkerSeen("c", 0, None, 8.0)]
    stages = [
        StageSeen("stt", 1, 0, 0.5, 1, seen[:2]),
        StageSeen("llm", 1, 0, 0.5, 1, seen[1:]),
        StageSeen("tts", 0, 0, 0, 0, []),
    ]
    assert [workers_line(stage, 2.0) for stage in stages] == [
        "2 workers, 1 silent for 6 s", "2 workers, all silent for 6 s", "no worker",
    ]  # fmt: skip
    assert workers_line(stages[0], 30.0) == "2 workers"
    assert workers_line(StageSeen("stt", 0, 0, 0, 0, seen[1:2]), 2.0) == "1 worker, silent for 6 s"
    assert [has_none(stage, 2.0) for stage in stages] == [False, True, True]
    assert unmanned_line(stages[1], 2.0).startswith(
        "llm: 2 workers, all silent for 6 s (1 job waits, the first for 0.5 s);"
    )
    assert [findings.result for findings in (finding_of(stage, 2.0) for stage in stages)] == ["warn", "bad", "bad"]

    log, out = MemoryBus(), screen()

    async def told() -> list[StageSeen]:
        return stages

    monkeypatch.setattr(log, "stages", told)
    await reading.top(log, once=True, out=out)
    said = text_of(out)
    assert re.search(r"^STT .* 2, 1 silent for 6 s ", said, re.MULTILINE)
    assert re.search(r"^LLM .* 2, all silent for 6 s ", said, re.MULTILINE)
    assert re.search(r"^TTS .* none ", said, re.MULTILINE)


async def test_where_nothing_runs() -> None:
    """No gateway, no session: said, not left out."""
    out = screen()
    await reading.top(MemoryBus(), once=True, out=out)
    assert "No gateway tells of itself." in text_of(out)
    assert "No open session." in text_of(out)


# ── all of them ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_nothing_a_stranger_is_called_reaches_the_terminal_as_a_control() -> None:
    """Names of callers and agents, in lists, figures and groups."""
    log = Archive(hostile())
    named = [
        event.model_copy(update={"agent": event.agent.model_copy(update={"name": EVIL})})
        if event.type == "session.started"
        else event
        for event in log.logs["s1"]
    ]
    log.logs["s1"] = [
        event.model_copy(update={"name": EVIL}) if event.type == "participant.joined" else event for event in named
    ]
    for width in (60, 200):
        out = console.terminal(file=io.StringIO(), width=width)
        await reading.sessions(log, out=out)
        await reading.stats(log, by="agent", out=out)
        assert isinstance(out.file, io.StringIO)
        assert harmless(out.file.getvalue())
        assert "Bob" in out.file.getvalue()


READS = ("sessions", "state s", "stats", "top --once", "show s", "show s --json")
ASK = f"""
import sys
from ops import cli
for command in {READS}:
    try:
        cli.app(command.split())
    except SystemExit as ended:
        print("\\nloaded", ended.code, *sys.modules)
"""


@pytest.fixture(scope="module")
def loaded(shared_valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """How each command ended, and what was loaded then: in one process, for they load the same; those that show come last."""

    async def fill() -> None:
        async with redis.asyncio.Redis.from_url(shared_valkey.url) as raw:
            await raw.flushall()
        async with connected(Settings(_env_file=None, redis_url=shared_valkey.url)) as bus:
            await talk(bus, "s", 1)

    asyncio.run(fill())
    environment = {"REDIS_URL": shared_valkey.url, "PATH": "", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", ASK], check=True, capture_output=True, text=True, env=environment,
        cwd=tmp_path_factory.mktemp("alone"),
    )  # fmt: skip
    told = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("loaded ")]
    return dict(zip(READS, told, strict=True))


def test_who_lists_what_is_over_loads_no_events(
    loaded: dict[str, list[str]], shared_valkey: Valkey, tmp_path: Path
) -> None:
    """Its rows are kept with the log since somebody listed it: no event is read, so that none of their classes is made, nor the
    fold's, nor an agent's; and what nobody asked for is not understood by pydantic."""
    environment = {"REDIS_URL": shared_valkey.url, "PATH": "", "PYTHONPATH": ":".join(sys.path)}
    script = ASK.replace(str(READS), "('sessions', 'stats', 'top --once')")
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    ends = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("loaded ")]
    assert [code for code, *_ in ends] == ["0", "0", "0"]
    events = {
        "schemas.events",
        "schemas.codec",
        "schemas.config.agent",
        "schemas.session.state",
        "schemas.session.fold",
    }
    assert not events & {*ends[-1]}
    assert "Ann Caller" in done.stdout


@pytest.mark.parametrize("arguments", READS)
def test_a_command_that_reads_loads_little(arguments: str, loaded: dict[str, list[str]]) -> None:
    """Neither numpy nor an HTTP client, nor redis-py, nor the pools: each a tenth of a second and more before the first line."""
    code, *modules = loaded[arguments]
    assert code == "0"
    assert "schemas.events" in modules
    heavy = {"numpy", "aiohttp", "redis", "httpx2", "fastapi", "soxr", "livekit", "api", "gateway", "workers"}
    assert not heavy & {*modules}
    assert not {"schemas.log._memory", "schemas.log._twin", "rich._emoji_codes"} & {*modules}
    assert ("ops.reading._timeline" in modules) == arguments.startswith("show")
