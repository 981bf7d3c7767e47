"""Reading sessions: the timeline, the state at any event, everything in one file."""

import io
import json
import os
import re
import time
import wave
import zipfile
from pathlib import Path

import numpy as np
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from ops import cli, reading
from ops.stack.embedded.valkey import Valkey
from schemas.bus import Bus, Publication, SessionInfo
from schemas.codec import EVENT_TYPES, event_from_json
from schemas.errors import AntiphonError
from schemas.events import ClipReady, Event, SessionEnded, TurnEnded, UtteranceCaptured
from schemas.log import MemoryBus, RedisBus
from schemas.session.chat import messages
from schemas.session.fold import fold_all
from schemas.session.waterfall import PARTS, Waterfall
from schemas.session.words import _LINES, is_bookkeeping
from tests.archive import Archive
from tests.golden import scenarios

RATE = 16_000


def screen() -> Console:
    return Console(file=io.StringIO(), width=200, highlight=False)


def text_of(out: Console) -> str:
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def tone(seconds: float, rate: int, level: int) -> bytes:
    return np.full(round(seconds * rate), level, "<i2").tobytes()


# ── show ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_event_has_its_words() -> None:
    """No type of event is left without a sentence."""
    assert set(_LINES) == set(EVENT_TYPES.values())


async def test_a_session_is_told_in_words() -> None:
    """Who did what and when, what the user heard, and under each answered turn where its time went."""
    out = screen()
    await reading.show(Archive(scenarios.barge_in()), "s1", out=out)
    said = text_of(out)
    assert "2.30 s  STT       Caller said “Tell me a story.”  has finished: 90%, took 80 ms, waited 10 ms" in said
    assert "3.80 s  Caller    begins to speak over the agent" in said
    assert "the user heard “Once upon a time” · what was prepared so far is dropped" in said
    assert "turn 1: 605 ms from the user's last word to the agent's first sound" in said
    assert "barge_in" not in said
    assert "s1: 2 turns, 1 interrupted" in said


async def test_it_begins_with_when_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Date, time and zone of this machine, how long it was, who was there and how it ended."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        out = screen()
        await reading.show(Archive(scenarios.plain()), "s1", out=out)
    finally:
        monkeypatch.undo()
        time.tzset()
    head = text_of(out).splitlines()[0]
    assert head == '2026-09-21 16:13:20 CEST · 0:06 long · agent "default" · with Caller · ended: hung up'


async def test_a_turn_that_nobody_answered_says_what_it_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    """What was done of it and what was not, drawn to its end; of a turn that still goes on, to now. The same as JSON."""
    log, out = scenarios.unanswered(), screen()
    await reading.show(Archive(log), "s1", out=out)
    said = text_of(out)
    assert "turn 2: nothing was heard of it, 31 s from the user's last word to the turn's end" in said
    rows = said[said.index("turn 2: nothing was heard") :].splitlines()
    assert [row.split()[0] for row in rows[1:5]] == ["pause", "STT", "LLM", "TTS"]
    assert re.search(r"TTS +░+ 31000 ms  3 jobs waited 31 s; nothing came of them$", rows[4])
    assert "top --once" in said
    await reading.show(Archive(log), "s1", json=True)
    (waited,) = [
        line["unanswered"] for line in map(json.loads, capsys.readouterr().out.splitlines()) if "unanswered" in line
    ]
    assert (waited["waited_for"], waited["jobs"], waited["parts"]["tts"]) == ("tts", 3, 31.0)
    still = screen()
    await reading.show(Archive(log[:-3]), "s1", out=still)
    assert re.search(r"turn 2: nothing is heard yet, 0\.\d s after the user's last word", text_of(still))


async def test_each_of_two_turns_that_a_hang_up_cuts_off_says_what_it_waited_for() -> None:
    """The end of the first voids the reply of the second, which waited for its sound, and for no LLM."""
    log, out = scenarios.Log(), screen()
    for turn, began in ((1, 1000), (2, 4000)):
        log.speak(began, turn, f"u{turn}", 1.0, generation=0)
        log.transcribe(began + 1300, turn, f"u{turn}", "When do you close?")
        log.reply(began + 1430, turn, 0, ["At seven."])
        log.commit(began + 1650, turn, delay=0.65)
    log.end(9000, 1, "dropped", "session", generation=0, raises=1)
    log.end(9000, 2, "dropped", "session")
    await reading.show(Archive(log.hang_up(9000)), "s1", out=out)
    assert re.findall(r"turn (\d): nothing was heard", text_of(out)) == ["1", "2"]
    assert (
        len(re.findall(r"TTS +░+ +\d+ ms  1 job waited [\d.]+ s; nothing came of it$", text_of(out), re.MULTILINE)) == 2
    )
    assert not re.search(r"LLM .*nothing came", text_of(out))


async def test_who_spoke_on_is_told_in_plain_words() -> None:
    """No names of utterances, no numbers of generations."""
    out = screen()
    await reading.show(Archive(scenarios.reopened()), "s1", out=out)
    assert "Caller    has said more: all 1.5 s of it go to STT  what was prepared so far is dropped" in text_of(out)
    assert not re.search(r"\bu2\b|generation", text_of(out))


@pytest.mark.parametrize("scenario", scenarios.SOUND, ids=lambda scenario: scenario.__name__)
async def test_every_session_can_be_told(scenario) -> None:  # type: ignore[no-untyped-def]
    """Each golden session, event by event, each once and in order of time; without --all what is but bookkeeping is counted."""
    out, short = screen(), screen()
    log = scenario()
    await reading.show(Archive(log), "s1", everything=True, out=out)
    told = re.findall(r"^ *(\d+) +(-?\d+\.\d\d) s", text_of(out), re.MULTILINE)
    assert sorted(int(seq) for seq, _ in told) == [event.seq for event in log]
    times = [float(since) for _, since in told]
    assert times == sorted(times)
    await reading.show(Archive(log), "s1", out=short)
    shown = re.findall(r"^ *\d+ +-?\d+\.\d\d s", text_of(short), re.MULTILINE)
    left_out = len(log) - len(shown)
    assert 0 < left_out == sum(map(is_bookkeeping, log))
    assert f"{left_out} event" in text_of(short)


async def test_the_last_lines_of_a_session() -> None:
    """`-n 2` shows the last two of what would be shown."""
    whole, short = screen(), screen()
    await reading.show(Archive(scenarios.plain()), "s1", out=whole)
    await reading.show(Archive(scenarios.plain()), "s1", last=2, out=short)
    row = re.compile(r"^ *\d+ +\d+\.\d\d s.*$", re.MULTILINE)
    assert row.findall(text_of(short)) == row.findall(text_of(whole))[-2:]


async def test_the_bars_show_waiting_apart_from_work() -> None:
    """A light bar while a job lay in the queue, a full one while it was done, one after the other in time."""
    out = screen()
    bus = Archive(scenarios.plain())
    await reading.print_waterfalls(bus, "s1", out)
    bars = {line.split()[0]: line[16:52] for line in text_of(out).splitlines() if "█" in line}
    assert list(bars) == ["pause", "STT", "LLM", "TTS", "playout"]
    assert "░" in bars["TTS"]
    assert "░" not in bars["pause"]
    assert bars["pause"].startswith("█")
    assert len(bars["STT"].rstrip()) <= len(bars["LLM"].rstrip()) <= len(bars["TTS"].rstrip())
    assert "“What's your name?” → “I'm Ada. And you?”" in text_of(out)


@pytest.mark.parametrize("scenario", scenarios.SOUND, ids=lambda scenario: scenario.__name__)
async def test_it_fits_a_terminal_of_80_columns(scenario) -> None:  # type: ignore[no-untyped-def]
    """Timeline, bars and state are wrapped at words, in columns, and no line runs over."""
    out = Console(file=io.StringIO(), width=80, highlight=False, force_terminal=True, no_color=True)
    await reading.show(Archive(scenario()), "s1", out=out)
    await reading.print_waterfalls(Archive(scenario()), "s1", out)
    await reading.state(Archive(scenario()), "s1", out=out)
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in text_of(out).splitlines()]
    assert max(map(len, lines)) <= 80


def test_the_milliseconds_shown_add_up() -> None:
    """Who adds up the parts of a turn as they are printed has the total that is printed."""
    for part in (0.1004, 0.1005, 0.1996, 1 / 3):
        out = screen()
        parts = dict.fromkeys(PARTS, part)
        reading.print_waterfall(Waterfall(1, "voice", 0, sum(parts.values()), parts, {"stt": 0.0501}), out)
        (total,) = re.findall(r"turn 1: (\d+) ms", text_of(out))
        assert sum(map(int, re.findall(r"(\d+) ms  ", text_of(out)))) == int(total)
        assert "finding the words, 50 ms of it queued" in text_of(out)


async def test_the_same_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """--json is a line for each event, as it stands in the log; with the end of a turn its waterfall, with parts that sum."""
    log = scenarios.plain()
    await reading.show(Archive(log), "s1", json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line.pop("version") for line in lines} == {1}
    (shape,) = (line.pop("waterfall") for line in lines if "waterfall" in line)
    times = [line.pop("time") for line in lines]
    assert (times[0], times[-1]) == ("2026-09-21T14:13:20.000Z", "2026-09-21T14:13:26.000Z")
    last = {name: lines[-1].pop(name) for name in ("started_at", "ended_at", "duration_s")}
    assert last == {"started_at": times[0], "ended_at": times[-1], "duration_s": 6.0}
    assert [event_from_json(line) for line in lines] == log
    assert sum(shape["parts"].values()) == pytest.approx(shape["total"])
    assert await reading.waterfalls(Archive(log), "s1") == [
        shape | {"text": "What's your name?", "heard": "I'm Ada. And you?"}
    ]


class GrowingBus(Archive):
    """Each look at the log finds one event more; at look `lost`, its tail is gone."""

    def __init__(self, log: list[Event], lost: int = 0) -> None:
        super().__init__(log)
        self.looks, self.lost = 0, lost

    async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
        self.looks += 1
        there = 3 if self.looks == self.lost else self.looks
        return [event for event in await super().read(session, after, count) if event.seq <= there]


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schemas.session.history._POLL", 0.0)


@pytest.mark.usefixtures("_impatient")
async def test_following_tells_what_is_appended_until_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """Each event once, in order, and back when the session has ended."""
    log = scenarios.plain()
    await reading.show(GrowingBus(log), "s1", follow=True, json=True)
    seqs = [json.loads(line)["seq"] for line in capsys.readouterr().out.splitlines()]
    assert seqs == [event.seq for event in log]


@pytest.mark.usefixtures("_impatient")
async def test_following_a_log_that_loses_its_tail_begins_anew(capsys: pytest.CaptureFixture[str]) -> None:
    """What may never have been is not built upon: all is told again."""
    log = scenarios.plain()
    await reading.show(GrowingBus(log, lost=9), "s1", follow=True, json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    again = max(place for place, line in enumerate(lines) if line["seq"] == 1)
    assert again > 0
    assert [line["seq"] for line in lines[again:]] == [event.seq for event in log]
    assert sum("waterfall" in line for line in lines[again:]) == 1


async def test_following_begins_with_the_last_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """`-f -n 2`: the last two of what was there, then each as it comes, in words and as JSON."""
    log = scenarios.plain()

    class Live(Archive):
        """Five events are there at first, all of them from the second look on."""

        looks = 0

        async def info(self, session: str) -> SessionInfo | None:
            return await Archive(log[:5]).info(session)

        async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
            self.looks += 1
            there = 5 if self.looks == 1 else len(log)
            return [event for event in await super().read(session, after, count) if event.seq <= there]

    await reading.show(Live(log), "s1", follow=True, last=2, json=True)
    assert [json.loads(line)["seq"] for line in capsys.readouterr().out.splitlines()] == list(range(4, len(log) + 1))
    out = screen()
    await reading.show(Live(log), "s1", follow=True, last=2, everything=True, out=out)
    told = [int(seq) for seq in re.findall(r"^ *(\d+) +\d+\.\d\d s", text_of(out), re.MULTILINE)]
    assert len(told) == len(log) - 3
    assert told[2:] == list(range(6, len(log) + 1))


# ── state ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_state_at_any_event(capsys: pytest.CaptureFixture[str]) -> None:
    """Floor, turns and the chat as the LLM would be given it, as they were then."""
    log = scenarios.barge_in()
    bus = Archive(log)
    place = next(event.seq for event in log if isinstance(event, TurnEnded))
    out = screen()
    await reading.state(bus, "s1", at=place, out=out)
    assert f"After event {place}" in text_of(out)
    assert "assistant  Once upon a time" in text_of(out)
    await reading.state(bus, "s1", at=place, json=True)
    value = json.loads(capsys.readouterr().out)
    assert value["seq"] == place
    assert value["messages"] == messages(fold_all(log[:place]), 2)


async def test_what_was_heard_last_stands_in_the_chat() -> None:
    """Once a turn has ended, the state's chat holds what the user heard of it: the LLM will be given it next time."""
    out = screen()
    await reading.state(Archive(scenarios.plain()), "s1", out=out)
    assert "assistant  I'm Ada. And you?" in text_of(out)


async def test_a_state_that_never_was_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """An event beyond the last: one sentence, exit code 2."""
    with pytest.raises(typer.Exit) as caught:
        await reading.state(Archive(scenarios.plain()), "s1", at=999)
    assert caught.value.exit_code == 2
    assert "s1 has events 1 to 19; there is no event 999" in capsys.readouterr().err


# ── export ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def with_sound(log: list[Event]) -> Archive:
    """The session with its blobs: users at level 1000, the agent at 2000."""
    bus = Archive(log)
    for event in log:
        if isinstance(event, UtteranceCaptured):
            for ref in event.audio:
                bus.blobs[ref.key] = tone(ref.duration, ref.rate, 1000)
        elif isinstance(event, ClipReady):
            bus.blobs[event.audio.key] = tone(event.duration, event.audio.rate, 2000)
    return bus


def recording(file: Path) -> np.ndarray:
    with zipfile.ZipFile(file) as archive, wave.open(io.BytesIO(archive.read("session.wav"))) as sound:
        assert (sound.getnchannels(), sound.getframerate()) == (2, RATE)
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2").reshape(-1, 2)


async def test_an_export_holds_events_sounds_and_state(tmp_path: Path) -> None:
    """One zip from which the session can be read, heard and folded again."""
    log = scenarios.plain()
    file = tmp_path / "one.zip"
    manifest = await reading.export(await with_sound(log), "s1", file)
    with zipfile.ZipFile(file) as archive:
        lines = archive.read("events.jsonl").decode().splitlines()
        assert [event_from_json(json.loads(line)) for line in lines] == log
        assert json.loads(archive.read("state.json"))["totals"]["turns"] == 1
        assert json.loads(archive.read("manifest.json")) == manifest
        with wave.open(io.BytesIO(archive.read("audio/u1.wav"))) as sound:
            assert (sound.getframerate(), sound.getnframes()) == (RATE, 24_000)
    assert (manifest["events"], manifest["sounds"], manifest["missing"]) == (19, 3, [])
    assert os.listdir(tmp_path) == ["one.zip"]


async def test_the_recording_has_each_side_in_its_place(tmp_path: Path) -> None:
    """Left the user while he spoke, right the agent as far as it was heard, and silence elsewhere."""
    file = tmp_path / "one.zip"
    await reading.export(await with_sound(scenarios.barge_in()), "s1", file)
    sound = recording(file)
    assert len(sound) == pytest.approx(8.0 * RATE, abs=2)

    def level(seconds: float, side: int) -> int:
        return int(sound[round(seconds * RATE), side])

    assert [level(at, 0) for at in (0.9, 1.5, 2.1, 4.3, 5.5)] == [0, 1000, 0, 1000, 0]
    assert level(3.0, 1) == pytest.approx(2000, abs=20)
    assert level(3.84, 1) == pytest.approx(2000, abs=20)
    assert [level(at, 1) for at in (2.5, 3.95, 5.0, 6.5)] == [0, 0, 0, 0]
    assert level(5.7, 1) == pytest.approx(2000, abs=20)


async def test_what_carries_earlier_sound_again_is_heard_once(tmp_path: Path) -> None:
    """A replaced utterance is not heard beside the one that carries its audio."""
    file = tmp_path / "one.zip"
    await reading.export(await with_sound(scenarios.reopened()), "s1", file)
    assert recording(file)[:, 0].max() == 1000


async def test_a_fixed_phrase_is_heard_where_it_was_played(tmp_path: Path) -> None:
    """The fallback's sound lies at its turn, not at the session's start."""
    file = tmp_path / "one.zip"
    await reading.export(await with_sound(scenarios.fallback()), "s1", file)
    sound = recording(file)
    assert sound[: 3 * RATE, 1].max() == 0
    assert sound[4 * RATE, 1] == pytest.approx(2000, abs=20)


async def test_sounds_that_are_gone_are_named(tmp_path: Path) -> None:
    """A blob past its time is listed as missing; the rest is written."""
    bus = await with_sound(scenarios.plain())
    gone = next(iter(bus.blobs))
    del bus.blobs[gone]
    manifest = await reading.export(bus, "s1", tmp_path / "one.zip")
    assert manifest["missing"] == [gone]


async def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """A folder that isn't there: the file is named, nothing is left behind."""
    with pytest.raises(AntiphonError, match=r"none/one\.zip: cannot be written \(No such file"):
        await reading.export(Archive(scenarios.plain()), "s1", tmp_path / "none" / "one.zip")


# ── sessions, and the command line on a real log ─────────────────────────────────────────────────────────────────────


async def fill(bus: Bus) -> None:
    """One session open, one closed."""
    for name in ("open-one", "over"):
        first, *rest = scenarios.plain()
        await bus.open(name, "gw1", "q", [first])
        for operation, event in enumerate(rest[:-2] if name == "open-one" else rest, 1):
            publish = bus.close if isinstance(event, SessionEnded) else bus.publish
            await publish(name, 1, Publication(operation, [event]))


async def test_sessions_lists_the_open_and_the_closed(capsys: pytest.CaptureFixture[str]) -> None:
    """Open ones first, with who holds them; closed ones while their log is there."""
    bus = MemoryBus()
    await fill(bus)
    await reading.sessions(bus, json=True)
    rows = json.loads(capsys.readouterr().out)["sessions"]
    assert [(row["session"], row["state"], row["lease"]) for row in rows] == [
        ("open-one", "open", "held"),
        ("over", "closed", None),
    ]
    out = screen()
    await reading.sessions(bus, out=out)
    assert "open" in text_of(out)
    assert "held" not in text_of(out)  # as a phone call may be
    nothing = screen()
    await reading.sessions(MemoryBus(), out=nothing)
    assert "antiphon demo" in text_of(nothing)


async def test_what_is_archived_is_listed_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Sessions without any log are listed by whoever keeps them, and belong to nobody."""
    await reading.sessions(Archive(scenarios.plain(), scenarios.barge_in()), json=True)
    rows = json.loads(capsys.readouterr().out)["sessions"]
    assert [(row["session"], row["state"], row["events"], row["lease"], row["idle_s"]) for row in rows] == [
        ("s1", "closed", 19, None, 2.0),
        ("s2", "closed", 28, None, 0.0),
    ]


@pytest.fixture
def stopped_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a stack ran and was stopped; nothing runs, no REDIS_URL is set."""
    import asyncio

    async def run() -> None:
        async with Valkey(tmp_path / ".antiphon" / "demo" / "valkey") as server:
            bus = RedisBus(server.url, partitions=1)
            await bus.start()
            await fill(bus)
            await bus.aclose()

    asyncio.run(run())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.delenv("ANTIPHON_DATA", raising=False)
    return tmp_path


def test_a_stopped_stack_can_still_be_read(stopped_stack: Path) -> None:
    """After the demo its session is there: the log is woken for as long as it is read."""
    run = CliRunner()
    listed = run.invoke(cli.app, ["sessions", "--json"])
    assert [row["session"] for row in json.loads(listed.output)["sessions"]] == ["open-one", "over"]
    told = run.invoke(cli.app, ["show", "over", "--json"])
    assert json.loads(told.output.splitlines()[-1])["reason"] == "hang_up"
    at = run.invoke(cli.app, ["state", "over", "--at", "6", "--json"])
    assert json.loads(at.output)["seq"] == 6
    written = run.invoke(cli.app, ["export", "over", "x.zip", "--json"])
    assert json.loads(written.output)["events"] == 19
    assert (stopped_stack / "x.zip").is_file()


def test_a_session_is_named_by_its_beginning_or_last(stopped_stack: Path) -> None:
    """The beginning of an id that no other has, and `last`, for every command that reads one."""
    for command in ("show", "state"):
        for given, meant in (("ov", "hang_up"), ("over", "hang_up"), ("last", "hang_up"), ("open", None)):
            result = CliRunner().invoke(cli.app, [command, given, "--json"])
            assert result.exit_code == 0, result.output
            told = json.loads(result.output.splitlines()[-1])
            assert (told["reason"] if command == "show" and meant else told.get("ended")) == meant
    assert CliRunner().invoke(cli.app, ["export", "ov"]).exit_code == 0
    assert (stopped_stack / "over.zip").is_file()
    for given, says in (
        ("o", "2 sessions begin with o: over, open-one; type more"),
        ("opn-one", "did you mean open-one?"),
        ("\x1b[2J", 'no session "\\x1b[2J"'),
    ):
        result = CliRunner().invoke(cli.app, ["show", given])
        assert (result.exit_code, "\x1b" in result.stderr) == (2, False)
        assert says in result.stderr


def test_an_unknown_session_is_one_sentence_and_exit_code_2(stopped_stack: Path) -> None:
    """Whoever mistypes an id is told where to look."""
    for command in (["show", "nope"], ["state", "nope"], ["export", "nope", "x.zip"]):
        result = CliRunner().invoke(cli.app, command)
        assert result.exit_code == 2
        assert result.stderr.startswith('antiphon: no session "nope"; ')
        assert result.stderr.endswith("antiphon sessions` lists those there are\n")
    assert not (stopped_stack / "x.zip").exists()


def test_where_there_is_no_log_at_all_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing ran here yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REDIS_URL", raising=False)
    result = CliRunner().invoke(cli.app, ["sessions"])
    assert result.exit_code == 1
    assert "antiphon demo" in result.stderr
