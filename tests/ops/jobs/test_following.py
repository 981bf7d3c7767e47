"""What follows an archived session: done once, by one at a time, tried for a day, and gone with the session."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import soundfile
from aiohttp import web

from ops.jobs.archiving import Archiving
from ops.jobs.following import ENDED, FOR, Following, follows_of
from ops.jobs.integrity import verify
from ops.jobs.letting_go import LettingGo
from ops.jobs.summaries import gist_of, transcript
from ops.jobs.worker import JobsWorker
from ops.replay.recording import record, score_of, take
from ops.stack.embedded.valkey import Valkey
from schemas.archive import Archive, Both, archive_session
from schemas.archive.store import follow_up_id
from schemas.background.hints import QUEUE
from schemas.bus import Publication
from schemas.clock import Micros
from schemas.config.agent import AgentSpec
from schemas.config.settings import Settings
from schemas.events import (
    Event,
    HookCalled,
    MessageReceived,
    ParticipantJoined,
    SessionEnded,
    SessionStarted,
    TurnCommitted,
    TurnEnded,
)
from schemas.log import MemoryBus, RedisBus
from schemas.session.listing import Rows
from schemas.session.summary import Gist
from tests.ops.jobs.conftest import ToldClock
from tests.ops.jobs.receiving import SECRET, receiving, serving
from tests.postgres import postgres
from tests.schemas.archive.calls import call, ended
from tests.tables import opened

__all__ = ["postgres"]


class Told(Archive):
    """An archive whose time is told."""

    time = 1_800_000_000_000_000

    async def now(self) -> Micros:
        return Micros(self.time)


@pytest.fixture(params=["sqlite", "postgresql"])
async def told(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Told]:
    """Of each kind of database."""
    url = f"sqlite:///{tmp_path / 'a.sqlite'}"
    if request.param == "postgresql":
        url = await request.getfixturevalue("postgres").database()
    async with opened(url, str(tmp_path / "sound"), Told) as archive:
        yield archive


def settings(**given: Any) -> Settings:
    values: dict[str, Any] = {"webhook_secret": SECRET, "webhook_private": True} | given
    return Settings(_env_file=None, **values)


@asynccontextmanager
async def following(log: MemoryBus, archive: Archive, **given: Any) -> AsyncIterator[Following]:
    made = Following(log, archive, settings(**given), dice=random.Random(3))
    try:
        yield made
    finally:
        await made.aclose()


async def archived(log: MemoryBus, archive: Archive, name: str, turns: int = 2, **given: Any) -> None:
    await ended(log, name, turns)
    await archive_session(log, archive, name, follows=follows_of(settings(**given)))


HOOK = follow_up_id("s1", "webhook", ENDED)


# ── webhooks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_archives_makes_it_due(log: MemoryBus, told: Told) -> None:
    """With the session, once, however often that is archived; told with its summary, and done."""
    async with receiving() as receiver, following(log, told, webhook_url=receiver.url) as work:
        await ended(log, "s1", 2)
        archiving = Archiving(log, told, "a", follows=work.follows)
        assert [await archiving.archive("s1"), await archiving.archive("s1")] == ["done", "done"]
        [due] = await told.follow_ups_due("webhook")
        assert (due.id, due.session, due.about, due.state) == (HOOK, "s1", "session.ended", "pending")
        assert await work.follow(due.id) == "done"
        assert await work.follow(due.id) == "elsewhere"
    row = await told.told("s1")
    assert row is not None
    [body] = receiver.told
    assert (body["type"], body["data"]) == ("session.ended", row.told.view())
    assert body["timestamp"] == body["data"]["ended_at"]
    assert await told.follow_ups_due("webhook") == []
    assert await told.follow_up_counts() == {("webhook", "done"): 1}


async def test_a_receiver_that_fails_for_a_day(log: MemoryBus, told: Told) -> None:
    """It is asked again and again, longer and longer apart, up to a day; then that is given up, and listed with why. Asked
    for, it is told again, by the same id."""
    async with receiving() as receiver, following(log, told, webhook_url=receiver.url) as work:
        await archived(log, told, "s1", webhook_url=receiver.url)
        receiver.statuses = [500] * 100
        began, tries, last = told.time, [0.0], ""
        while (last := await work.follow(HOOK)) == "again":
            one = await told.follow_up(HOOK)
            assert one is not None
            assert await work.follow(HOOK) == "elsewhere"
            told.time = one.due_at
            tries.append((one.due_at - began) / 1e6)
        assert last == "failed"
        gaps = [after - before for before, after in itertools.pairwise(tries)]
        assert 10 <= len(tries) == len(receiver.told) <= 20
        assert gaps[0] <= 6.0
        assert all(gap <= 14_400 * 1.2 for gap in gaps)
        assert gaps[:8] == sorted(gaps[:8])
        assert FOR / 2 < tries[-1] <= FOR
        [given_up] = await told.follow_ups(state="failed")
        assert (given_up.failures, given_up.error) == (len(tries), "127.0.0.1: it answered 500")
        assert await told.follow_ups_due("webhook") == []
        receiver.statuses = []
        assert await told.follow_again(HOOK)
        assert await work.follow(HOOK) == "done"
    assert set(receiver.ids) == {HOOK}


async def test_one_who_wants_no_more(log: MemoryBus, told: Told) -> None:
    """410 is the end of it; so is an address that was taken out of the settings."""
    async with receiving() as receiver, following(log, told, webhook_url=receiver.url) as work:
        await archived(log, told, "s1", webhook_url=receiver.url)
        receiver.statuses = [410]
        assert await work.follow(HOOK) == "failed"
    async with following(log, told) as work:
        assert await told.follow_again(HOOK)
        assert await work.follow(HOOK) == "failed"
    one = await told.follow_up(HOOK)
    assert one is not None
    assert "WEBHOOK_URL is not set" in one.error


async def test_never_two_tries_at_once(log: MemoryBus, told: Told) -> None:
    """Of ten who want it one has it; whoever asks for it again meanwhile is told; who stood still too long changes nothing."""
    async with receiving() as receiver, following(log, told, webhook_url=receiver.url) as work:
        await archived(log, told, "s1", webhook_url=receiver.url)
        asked, go_on = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            asked.set()
            await go_on.wait()

        receiver.before = wait
        tries = [asyncio.create_task(work.follow(HOOK)) for _ in range(10)]
        await asked.wait()
        assert not await told.follow_again(HOOK)
        go_on.set()
        assert sorted(await asyncio.gather(*tries)) == ["done", *["elsewhere"] * 9]
        assert len(receiver.told) == 1
    assert await told.follow_again(HOOK)
    slow = await told.take_up(HOOK, 60.0)
    told.time += 61_000_000
    other = await told.take_up(HOOK, 60.0)
    assert slow is not None
    assert other is not None
    assert [await told.followed(slow), await told.follow_failed(slow, "late", None)] == [False, False]
    assert await told.followed(other)


async def test_what_is_made_of_a_call_that_is_archived_anew_is_refused(
    log: MemoryBus, told: Told, clock: ToldClock
) -> None:
    """The log lost its tail after that, and has another: what was being made of the old one is not kept, and is made anew."""
    given: dict[str, Any] = {"summaries": "on", "summary_base_url": "http://127.0.0.1:1/v1"}
    await call(log, "s1", 2, over=False)
    saved = log.save()
    await log.close("s1", 1, Publication(1_000, [SessionEnded(reason="hang_up")]))
    await archive_session(log, told, "s1", follows=follows_of(settings(**given)))
    summary = follow_up_id("s1", "summary")
    slow = await told.take_up(summary, 360.0)
    assert slow is not None
    log.restore(saved)
    clock.time += 1.0
    await log.close("s1", 1, Publication(1_000, [SessionEnded(reason="limit")]))
    await archive_session(log, told, "s1", follows=follows_of(settings(**given)))
    [due] = await told.follow_ups_due("summary")
    assert (due.id, due.attempts > slow.attempts) == (summary, True)
    assert not await told.put_gist(slow, Gist("Of the old one."))
    assert await told.gist("s1") is None
    anew = await told.take_up(summary, 360.0)
    assert anew is not None
    assert await told.put_gist(anew, Gist("Of the new one."))
    assert await told.gist("s1") == Gist("Of the new one.")


async def test_a_recording_of_the_new_one_is_not_taken_for_the_old(
    log: MemoryBus, told: Told, clock: ToldClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made as soon as the session is archived anew, while what earlier tries have left is cleared away."""
    made = follow_up_id("s1", "recording")
    async with following(log, told, recordings="flac") as work:
        await call(log, "s1", 2, over=False)
        saved, sounds = log.save(), dict(log.blobs)
        await log.close("s1", 1, Publication(1_000, [SessionEnded(reason="hang_up")]))
        await archive_session(log, told, "s1", follows=work.follows)
        assert await work.follow(made) == "done"
        log.restore(saved)
        log.blobs.update(sounds)
        clock.time += 1.0
        await log.close("s1", 1, Publication(1_000, [SessionEnded(reason="limit")]))
        plain, became = told._objects.list, list[str]()

        async def listed(prefix: str = "") -> Any:
            became.append(await work.follow(made))
            return await plain(prefix)

        monkeypatch.setattr(told._objects, "list", listed)
        await archive_session(log, told, "s1", follows=work.follows)
    assert became == ["done"]
    kept = await told.recording("s1")
    assert kept is not None
    await told.read_recording_back(kept)
    assert len(list((tmp_path / "sound").rglob("*recording*"))) == 1


async def test_nothing_is_told_of_what_is_erased(log: MemoryBus, told: Told) -> None:
    """From the moment on in which somebody wants it gone; then nothing of it is left."""
    async with receiving() as receiver, following(log, told, webhook_url=receiver.url) as work:
        await archived(log, told, "s1", webhook_url=receiver.url)
        await told.condemn(["s1"], "session", "ann")
        assert await told.follow_ups_due("webhook") == []
        assert await work.follow(HOOK) == "elsewhere"
        await told.purge("s1")
        assert await told.follow_ups() == []
    assert receiver.told == []


# ── summaries ────────────────────────────────────────────────────────────────────────────────────────────────────────

SAID = "The caller asked for a table. It was booked for Friday.\nTopics: booking, Friday"


@asynccontextmanager
async def model(answers: list[str | int]) -> AsyncIterator[tuple[str, list[Any]]]:
    """A chat endpoint; the last answer again and again. And what it was asked."""
    asked: list[Any] = []

    async def chat(request: web.Request) -> web.StreamResponse:
        asked.append(await request.json())
        said = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(said, int):
            return web.Response(status=said)
        lines = web.json_response({"choices": [{"delta": {"content": said}, "finish_reason": "stop"}]}).text
        return web.Response(text=f"data: {lines}\n\ndata: [DONE]\n\n", content_type="text/event-stream")

    async with serving(chat) as address:
        yield f"{address}/v1", asked


async def test_what_a_call_was_about(log: MemoryBus, told: Told) -> None:
    """A failing endpoint is asked again; what it says then stands with the session, is told by a webhook, and goes with it."""
    about = follow_up_id("s1", "summary")
    async with model([500, SAID]) as (url, asked), receiving() as receiver:
        given: dict[str, Any] = {"summaries": "on", "summary_base_url": url, "webhook_url": receiver.url}
        async with following(log, told, **given) as work:
            await archived(log, told, "s1", **given)
            assert await work.follow(about) == "again"
            one = await told.follow_up(about)
            assert one is not None
            assert "500" in one.error
            told.time = one.due_at
            assert await work.follow(about) == "done"
            due = [one.about for one in await told.follow_ups_due("webhook")]
            assert sorted(due) == ["session.ended", "session.summarized"]
            assert await work.follow(follow_up_id("s1", "webhook", "session.summarized")) == "done"
    gist = Gist("The caller asked for a table. It was booked for Friday.", ("booking", "Friday"))
    assert await told.gist("s1") == gist
    [[row], _] = await Rows(Both(log, lambda: _this(told))).latest(5)
    assert (row.view()["summary"], row.view()["topics"]) == (gist.text, list(gist.topics))
    assert receiver.told[0]["data"]["summary"] == gist.text
    [system, user] = asked[-1]["messages"]
    assert system["role"] == "system"
    assert await transcript(told, "s1") in user["content"]
    await told.condemn(["s1"], "session", "ann")
    await told.purge("s1")
    assert await told.gist("s1") is None


async def test_what_a_hook_kept_from_the_llm_is_kept_from_this_one(log: MemoryBus) -> None:
    """A turn that was vetoed is not in what the model is given, and one that was changed is there as it was changed."""
    start = SessionStarted(room="r", transport="memory", agent=AgentSpec(), gateway="gw")
    events: list[Event] = [ParticipantJoined(participant="ann", name="Ann")]
    for turn, decision, made in ((1, "vetoed", "a card"), (2, "changed", "My card is [number]."), (3, "", "")):
        hooked = HookCalled.model_validate(
            {"call": f"on_user_turn/{turn}.0", "hook": "on_user_turn", "decision": decision, "text": made}
            | {"turn": turn, "generation": 0}
        )
        said = MessageReceived(turn=turn, participant="ann", text=f"My card is 4111 {turn}.")
        events += [said, TurnCommitted(turn=turn, why="text"), hooked, TurnEnded(turn=turn, how="played", heard="Yes.")]
    await log.open("s1", "gw", "open", [start])
    await log.publish("s1", 1, Publication(1, events))
    lines = ["Agent: Yes.", "Ann: My card is [number].", "Agent: Yes.", "Ann: My card is 4111 3.", "Agent: Yes."]
    assert await transcript(log, "s1") == "\n".join(lines)


async def _this(archive: Archive) -> Archive:
    return archive


async def test_a_summary_gives_way_to_callers(log: MemoryBus, told: Told) -> None:
    """Where the model is the one that answers them: while a reply waits for it, nothing else is asked of it."""
    about = follow_up_id("s1", "summary")
    async with model([SAID]) as (url, asked):
        given: dict[str, Any] = {"summaries": "on", "llm_base_url": url}
        await archived(log, told, "s1", **given)
        busy = Busy()
        work = Following(busy, told, settings(**given))
        assert await work.follow(about) == "waits"
        assert asked == []
        one = await told.follow_up(about)
        assert one is not None
        assert (one.failures, one.held_until) == (0, 0)
        told.time, busy.jobs = one.due_at, 0
        assert await work.follow(about) == "done"
        await work.aclose()


class Busy:
    """A log with so many jobs."""

    jobs = 1

    async def queued(self, stage: str) -> int:
        return self.jobs


async def test_a_call_in_which_nothing_was_said(log: MemoryBus, told: Told) -> None:
    """No model is asked about it."""
    async with following(log, told, summaries="on", summary_base_url="http://127.0.0.1:1/v1") as work:
        await archived(log, told, "s1", turns=0, summaries="on")
        assert await work.follow(follow_up_id("s1", "summary")) == "done"
    assert await told.gist("s1") is None


@pytest.mark.parametrize(
    ("answer", "gist"),
    [
        (SAID, Gist("The caller asked for a table. It was booked for Friday.", ("booking", "Friday"))),
        ("**Booked.**\n\n**Topics:** a, b; a\n- c", Gist("Booked.", ("a", "b", "c"))),
        ("Booked.", Gist("Booked.")),
        ("Topics: a", Gist("", ("a",))),
        ("x" * 9_000 + "\x1b[2J", Gist("x" * 1_200)),
    ],
)
def test_what_is_made_of_an_answer(answer: str, gist: Gist) -> None:
    """Models don't always do as they are told."""
    assert gist_of(answer) == gist


# ── recordings ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("codec", ["flac", "opus"])
async def test_a_recording_is_kept_with_the_call(log: MemoryBus, told: Told, tmp_path: Path, codec: str) -> None:
    """As `antiphon recording` would make it; it is fetched instead of made, and goes with the sound."""
    made = follow_up_id("s1", "recording")
    async with following(log, told, recordings=codec) as work:
        await archived(log, told, "s1", recordings=codec)
        before = await told.amount()
        assert await work.follow(made) == "done"
    kept = await told.recording("s1")
    assert kept is not None
    assert (kept.codec, await told.recordings()) == (codec, [kept])
    assert (await told.amount()).sound_bytes == before.sound_bytes + kept.bytes
    assert kept.object in await told.objects()
    both = Both(log, lambda: _this(told))
    file, again = tmp_path / f"kept.{codec}", tmp_path / f"again.{codec}"
    taken = await take(both, "s1", file)
    assert taken is not None
    assert soundfile.info(file).channels == 2
    assert await take(both, "s1", tmp_path / "call.wav") is None
    await record(told, await score_of(told, "s1"), again)
    if codec == "flac":
        assert (soundfile.read(file)[0] == soundfile.read(again)[0]).all()
    await told.drop_sound("s1")
    assert [await told.recording("s1"), await take(both, "s1", file)] == [None, None]
    assert not [path for path in (tmp_path / "sound").rglob("*") if path.is_file()]


async def test_a_recording_made_anew_replaces_the_old(log: MemoryBus, told: Told, tmp_path: Path) -> None:
    """Of two there is one left; of a session without sound, or whose sound went meanwhile, none."""
    made = follow_up_id("s1", "recording")
    async with following(log, told, recordings="flac") as work:
        await archived(log, told, "s1", recordings="flac")
        assert await work.follow(made) == "done"
        first = await told.amount()
        assert await told.follow_again(made)
        assert await work.follow(made) == "done"
        assert await told.amount() == first
        assert len(list((tmp_path / "sound").rglob("*recording*"))) == 1
        await told.drop_sound("s1")
        assert await told.follow_again(made)
        assert await work.follow(made) == "done"
        assert await told.recording("s1") is None


async def test_a_recording_that_is_not_what_was_written(log: MemoryBus, told: Told, tmp_path: Path) -> None:
    """It is found when all is read back; who wants it gets one that is made anew."""
    async with following(log, told, recordings="opus") as work:
        await archived(log, told, "s1", recordings="opus")
        assert await work.follow(follow_up_id("s1", "recording")) == "done"
    kept = await told.recording("s1")
    assert kept is not None
    file = tmp_path / "sound" / kept.object
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    told.time += 1
    found = await verify(told, within=60.0)
    assert "its recording is not what was written" in found.damaged["s1"]
    assert await take(Both(log, lambda: _this(told)), "s1", tmp_path / "a.opus") is None


async def test_a_person_who_is_erased_takes_it_all_along(log: MemoryBus, told: Told, tmp_path: Path) -> None:
    """Summary, recording, and what was still to be told."""
    async with model([SAID]) as (url, _), receiving() as receiver:
        given: dict[str, Any] = {
            "summaries": "on",
            "summary_base_url": url,
            "recordings": "opus",
            "webhook_url": receiver.url,
        }
        async with following(log, told, **given) as work:
            await archived(log, told, "s1", **given)
            for kind in ("summary", "recording"):
                assert await work.follow(follow_up_id("s1", kind)) == "done"
        row = await told.told("s1")
        assert row is not None
        await LettingGo(log, told, settings()).erase(row.told.people[0].identity, "ann")
    assert [await told.told("s1"), await told.recording("s1"), await told.gist("s1")] == [None, None, None]
    assert await told.follow_ups() == []
    assert not [path for path in (tmp_path / "sound").rglob("*") if path.is_file()]
    if file := told._database.file:
        assert b"asked for a table" not in file.read_bytes()


# ── at work ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.timeout(120)
async def test_the_worker_does_it_all(valkey: Valkey, archive: Archive) -> None:
    """A call that ends is archived, told, summarized and recorded by itself."""
    bus = RedisBus(valkey.url, partitions=1)
    await bus.start()
    async with model([SAID]) as (url, _), receiving() as receiver:
        given = settings(
            redis_url=valkey.url, webhook_url=receiver.url, summaries="on", summary_base_url=url, recordings="opus"
        )
        jobs = JobsWorker(bus, archive, given, name="j1")
        running = asyncio.create_task(jobs.run())
        try:
            await ended(bus, "s1", 1)
            async with asyncio.timeout(60):
                while not await archive.recording("s1") or await archive.gist("s1") is None or len(receiver.told) < 2:
                    await asyncio.sleep(0.05)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert sorted(told["type"] for told in receiver.told) == ["session.ended", "session.summarized"]
        text = jobs.figures.text().decode()
        for kind in ("summary", "recording"):
            assert f'antiphon_jobs_followed_total{{became="done",kind="{kind}"}} 1.0' in text
    await bus.aclose()


@pytest.mark.timeout(120)
async def test_receivers_that_hang_hold_up_no_call(valkey: Valkey, archive: Archive) -> None:
    """As many as are told at once: what ends meanwhile is archived all the same."""
    bus = RedisBus(valkey.url, partitions=1)
    await bus.start()
    held = asyncio.Event()
    async with receiving() as receiver:
        receiver.before = held.wait
        jobs = JobsWorker(bus, archive, settings(redis_url=valkey.url, webhook_url=receiver.url), name="j1")
        running = asyncio.create_task(jobs.run())
        names = [f"s{number}" for number in range(12)]
        try:
            for name in names:
                await ended(bus, name, 0)
            async with asyncio.timeout(60):
                while [name for name in names if await archive.info(name) is None]:
                    await asyncio.sleep(0.05)
            assert receiver.told == []
            held.set()
        finally:
            held.set()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    await bus.aclose()


async def test_a_worker_that_died_with_a_hint_in_hand(valkey: Valkey, archive: Archive) -> None:
    """Before it began anything: arq has that hint for the dead one's, and what is overdue is taken out of its hands."""
    bus = RedisBus(valkey.url, partitions=1)
    await bus.start()
    await ended(bus, "s1", 1)
    jobs = JobsWorker(bus, archive, settings(redis_url=valkey.url), name="j1")
    pool = await jobs.hints.open()
    await jobs.look()
    await pool.set("arq:in-progress:antiphon:archive:s1:pending0", b"1")
    assert await jobs.hints.give("archive", "s1", "pending0") is False
    assert await jobs.hints.give("archive", "s1", "pending0", overdue=True) is True
    assert await jobs.hints.give("archive", "s1", "pending0", overdue=True) is False
    assert (await pool.zcard(QUEUE), await pool.keys("arq:in-progress:*")) == (1, [])
    await jobs.hints.aclose()
    await bus.aclose()
