"""What a call brings: a result that fits the agent's schema, and a memory of who called; and how these go."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ops.bench._turns import OWNER, Talk
from ops.jobs.following import Following, follows_of
from ops.jobs.letting_go import LettingGo
from ops.jobs.results import complaints, json_of
from schemas.archive import Archive, archive_session
from schemas.archive.store import FollowKind, follow_up_id
from schemas.clock import Micros
from schemas.config.agent import AgentSpec
from schemas.config.settings import Settings
from schemas.events import AgentChanged, Event, FieldCollected, MemoryLoaded, ParticipantJoined, SessionStarted
from schemas.log import MemoryBus
from tests.ops.jobs.receiving import SECRET, receiving, serving
from tests.postgres import postgres
from tests.tables import opened

__all__ = ["postgres"]

SCHEMA = {
    "type": "object",
    "properties": {"topic": {"type": "string"}, "guests": {"type": "integer", "minimum": 1}},
    "required": ["topic"],
    "additionalProperties": False,
}
AGENT = AgentSpec(name="desk", result={"schema": SCHEMA}, memory={"on": True, "days": 30})
ANN = "+4930123456"


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


class Call(Talk):
    """One with an agent of ours, of a caller who is known."""

    def __init__(self, bus: MemoryBus, name: str, agent: AgentSpec, caller: str) -> None:
        super().__init__(bus, name)
        self._agent, self._caller = agent, caller

    async def open(self) -> None:
        start = SessionStarted(
            room=self.name, transport="memory", agent=self._agent, gateway=OWNER, caller=self._caller, variant="short"
        )
        await self.begin([start, ParticipantJoined(participant=self._caller or "caller", name="Ann Caller")])


async def archived(
    log: MemoryBus, archive: Archive, name: str, *, agent: AgentSpec = AGENT, caller: str = ANN, turns: int = 1,
    events: Sequence[Event] = (), url: str = "",
) -> None:  # fmt: skip
    one = Call(log, name, agent, caller)
    await one.open()
    for _ in range(turns):
        await one.turn()
    if events:
        await one.publish(list(events))
    await one.close()
    await archive_session(log, archive, name, follows=follows_of(settings(webhook_url=url)))


def settings(**given: Any) -> Settings:
    values: dict[str, Any] = {"webhook_secret": SECRET, "webhook_private": True} | given
    return Settings(_env_file=None, **values)


@asynccontextmanager
async def working(
    log: MemoryBus, archive: Archive, *answers: str, **given: Any
) -> AsyncIterator[tuple[Following, list[Any]]]:
    """The jobs worker's part, over a model that answers so, the last again and again; and what that was asked."""
    left, asked = list(answers), list[Any]()

    async def chat(request: web.Request) -> web.StreamResponse:
        asked.append(await request.json())
        said = left.pop(0) if len(left) > 1 else left[0]
        lines = json.dumps({"choices": [{"delta": {"content": said}, "finish_reason": "stop"}]})
        return web.Response(text=f"data: {lines}\n\ndata: [DONE]\n\n", content_type="text/event-stream")

    async with serving(chat) as address:
        made = Following(log, archive, settings(summary_base_url=f"{address}/v1", **given), dice=random.Random(3))
        try:
            yield made, asked
        finally:
            await made.aclose()


def job(session: str, kind: FollowKind) -> str:
    return follow_up_id(session, kind)


# ── results ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_result_is_asked_for_again_with_what_is_wrong(log: MemoryBus, told: Told) -> None:
    """Once; what fits then stands with the session, and is told by a webhook of its own."""
    wrong, right = '{"topic": 4}', '```json\n{"topic": "a table", "guests": 4}\n```'
    async with receiving() as receiver, working(log, told, wrong, right, webhook_url=receiver.url) as (work, asked):
        collected = FieldCollected(name="email", value="a@b.org", confirmed=True)
        await archived(log, told, "s1", events=[collected], url=receiver.url)
        assert await work.follow(job("s1", "result")) == "done"
        assert await work.follow(job("s1", "result")) == "elsewhere"
        assert await work.follow(follow_up_id("s1", "webhook", "session.result")) == "done"
    first, second = (request["messages"] for request in asked)
    assert "a@b.org" in first[1]["content"]
    assert json.dumps(SCHEMA) in first[1]["content"]
    assert "topic: 4 is not of type 'string'" in second[-1]["content"]
    row = await told.told("s1")
    assert row is not None
    view = row.view()
    assert (view["result"], view["result_error"]) == ({"topic": "a table", "guests": 4}, "")
    assert (view["fields"], view["variant"]) == ({"email": "a@b.org"}, "short")
    assert (receiver.told[0]["type"], receiver.told[0]["data"]["result"]) == ("session.result", view["result"])
    gist = await told.gist("s1")
    assert gist is not None
    assert gist.result == view["result"]


async def test_a_result_that_never_fits_is_told_as_failed(log: MemoryBus, told: Told) -> None:
    """After the second answer, with what was wrong; the call itself is archived like any."""
    async with working(log, told, '{"guests": 0, "colour": "red"}') as (work, asked):
        await archived(log, told, "s1")
        assert await work.follow(job("s1", "result")) == "done"
    assert len(asked) == 2
    row = await told.told("s1")
    assert row is not None
    assert row.told.result is None
    assert "filled the schema wrongly, twice: " in row.told.result_error
    assert "'topic' is a required property" in row.told.result_error


async def test_after_a_hand_over_the_result_is_the_last_ones_and_the_memory_the_first_ones(
    log: MemoryBus, told: Told
) -> None:
    """The schema of who ends the call, filled from all of it; the notes of who knows the caller, by its settings."""
    mine = {"type": "object", "properties": {"bill": {"type": "integer"}}, "required": ["bill"]}
    billing = AgentSpec(name="billing", result={"schema": mine}, memory={"on": True, "days": 1})
    loaded = MemoryLoaded(caller=ANN, text="", updated_at=Micros(0))
    async with working(log, told, '{"bill": 4}', "Ann pays by card.") as (work, asked):
        await archived(log, told, "s1", events=[loaded, AgentChanged(agent=billing, context=True, via="hand_over")])
        assert await work.follow(job("s1", "result")) == "done"
        assert await work.follow(job("s1", "memory")) == "done"
    assert json.dumps(mine) in asked[0]["messages"][1]["content"]
    row = await told.told("s1")
    assert row is not None
    assert row.told.result == {"bill": 4}
    kept = await told.memory("desk", ANN)
    assert kept is not None
    assert kept.text == "Ann pays by card."
    assert await told.memory("billing", ANN) is None


async def test_who_is_handed_a_caller_begins_no_memory(log: MemoryBus, told: Told) -> None:
    """Nothing was loaded for it: what it would know of the caller is no matter of this call."""
    changed = AgentChanged(agent=AGENT, context=True, via="hand_over")
    await archived(log, told, "s1", agent=AgentSpec(name="reception"), events=[changed])
    due = {kind: [one.session for one in await told.follow_ups_due(kind)] for kind in ("result", "memory")}
    assert due == {"result": ["s1"], "memory": []}


async def test_a_call_in_which_nothing_was_said_brings_nothing(log: MemoryBus, told: Told) -> None:
    """No model is asked."""
    async with working(log, told, "never") as (work, asked):
        await archived(log, told, "s1", turns=0)
        assert await work.follow(job("s1", "result")) == "done"
        assert await work.follow(job("s1", "memory")) == "done"
    assert asked == []
    row = await told.told("s1")
    assert row is not None
    assert row.told.result_error == "nothing was said"
    assert await told.memories() == []


async def test_who_asks_for_nothing_gets_nothing(log: MemoryBus, told: Told) -> None:
    """Without a schema no result, without somebody known no memory, and of a replay neither."""
    await archived(log, told, "s1", agent=AgentSpec())
    await archived(log, told, "s2", caller="")
    await archived(log, told, "fork-s3")
    due = {kind: [one.session for one in await told.follow_ups_due(kind)] for kind in ("result", "memory")}
    assert due == {"result": ["s2"], "memory": []}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ('{"a": 1}', {"a": 1}),
        ('Sure! Here it is:\n```json\n{"a": {"b": 2}}\n``` Anything else?', {"a": {"b": 2}}),
        ("I can't {do} that", None),
        ("[1, 2]", None),
        ("{" * 60_000, None),
        ('{"a": NaN}', {"a": None}),
    ],
)
def test_the_object_in_an_answer(answer: str, found: Any) -> None:
    """Whatever a model writes around it."""
    assert json_of(answer) == found


def test_what_does_not_fit_is_said() -> None:
    """A few complaints, each with its place; a schema that leads nowhere is one, too, and nothing is fetched."""
    assert complaints(SCHEMA, {"topic": "x"}) == []
    assert complaints(SCHEMA, [1]) == ["there is no JSON object in it"]
    assert complaints(SCHEMA, {"topic": "x", "guests": 0}) == ["guests: 0 is less than the minimum of 1"]
    assert complaints({"type": "object"}, {"a": "x" * 70_000}) == ["it has more than 64000 characters"]
    [wrong] = complaints({"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}}, {"a": 1})
    assert wrong.startswith("the schema can't be used")
    assert len(complaints({"additionalProperties": False}, {str(n): n for n in range(50)})) <= 5


# ── memories ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_caller_is_remembered_from_call_to_call(log: MemoryBus, told: Told) -> None:
    """By who they are and by agent; the next call's notes are made of those before, and are kept for so many days."""
    async with working(log, told, "Ann likes tea.", "Ann likes tea and cake.") as (work, asked):
        await archived(log, told, "s1")
        assert await work.follow(job("s1", "memory")) == "done"
        first = await told.memory("desk", ANN)
        assert first is not None
        assert (first.text, first.sessions, first.session) == ("Ann likes tea.", 1, "s1")
        await archived(log, told, "s2")
        assert await work.follow(job("s2", "memory")) == "done"
        await archived(log, told, "s3", agent=AGENT.model_copy(update={"name": "shop"}))
        assert await work.follow(job("s3", "memory")) == "done"
    assert "Notes so far: none" in asked[0]["messages"][1]["content"]
    assert "Notes so far: Ann likes tea." in asked[1]["messages"][1]["content"]
    second = await told.memory("desk", ANN)
    assert second is not None
    assert (second.text, second.sessions, second.number, second.id) == ("Ann likes tea and cake.", 2, 2, first.id)
    assert await told.memory("desk", "somebody") is None
    assert len(await told.memories()) == 2
    assert second.expires_at == told.time + 30 * 86_400_000_000
    told.time = second.expires_at + 1
    assert await told.memory("desk", ANN) is None
    await LettingGo(log, told, settings()).retain()
    assert await told.memories() == []


async def test_a_dash_keeps_what_was_known_and_what_is_long_is_cut(log: MemoryBus, told: Told) -> None:
    """The notes are never more than the agent allows."""
    agent = AGENT.model_copy(update={"memory": AGENT.memory.model_copy(update={"max_characters": 100})})
    async with working(log, told, "x" * 5_000, "-") as (work, _):
        await archived(log, told, "s1", agent=agent)
        await archived(log, told, "s2", agent=agent)
        assert [await work.follow(job(name, "memory")) for name in ("s1", "s2")] == ["done", "done"]
    known = await told.memory("desk", ANN)
    assert known is not None
    assert len(known.text) == 100
    assert known.sessions == 2


async def test_two_calls_at_once_lose_nothing(log: MemoryBus, told: Told) -> None:
    """Who has read an older memory may not write: it is made again from the newer one."""
    async with working(log, told, "First.", "Second.", "Third.") as (work, asked):
        await archived(log, told, "s1")
        await archived(log, told, "s2")
        became = await asyncio.gather(*(work.follow(job(name, "memory")) for name in ("s1", "s2")))
        while "waits" in became:
            told.time += 2_000_000
            became = [await work.follow(job(name, "memory")) for name in ("s1", "s2")]
    known = await told.memory("desk", ANN)
    assert known is not None
    assert known.sessions == 2
    assert "Notes so far: none" not in asked[-1]["messages"][1]["content"] or len(asked) == 2


async def test_who_is_erased_is_forgotten_with_proof(log: MemoryBus, told: Told, tmp_path: Path) -> None:
    """The memory goes with the sessions; the proof holds its hash and nothing of whose it was."""
    async with working(log, told, "Ann likes tea.") as (work, _):
        await archived(log, told, "s1")
        assert await work.follow(job("s1", "memory")) == "done"
    erased = await LettingGo(log, told, settings()).erase(ANN.upper(), "ann")
    assert erased.erasure is not None
    assert sorted(one.what for one in erased.erasure.removed) == ["memory", "session"]
    assert await told.memories() == []
    proofs = await told.erasures()
    assert {one.kind for one in proofs} == {"person"}
    assert all(one.done_at for one in proofs)
    assert ANN not in str(proofs)
    assert b"likes tea" not in _files(tmp_path)


def _files(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("a.sqlite*"))


async def test_who_is_forgotten_stays_so(log: MemoryBus, told: Told) -> None:
    """What was to be made of a call that is over is made no more, by who is at it just now neither; the calls stay."""
    async with working(log, told, "Ann likes tea.") as (work, _):
        await archived(log, told, "s1")
        assert await work.follow(job("s1", "memory")) == "done"
        await archived(log, told, "s2")
        await archived(log, told, "s3")
        slow = await told.take_up(job("s3", "memory"), 60)
        assert slow is not None
        before = await told.memory("desk", ANN)
        proof = await LettingGo(log, told, settings()).forget(ANN, "ann")
        assert proof is not None
        assert (proof.kind, len(proof.removed)) == ("memory", 1)
        assert await work.follow(job("s2", "memory")) == "elsewhere"
        for known in (before, None):
            assert not await told.put_memory(slow, "desk", ANN, "Ann likes tea.", days=1, before=known)
    assert await told.memories() == []
    assert await told.told("s2") is not None
    assert await LettingGo(log, told, settings()).forget(ANN, "ann") is None


async def test_nobody_is_remembered_of_a_session_that_is_erased_meanwhile(log: MemoryBus, told: Told) -> None:
    """A model may take minutes: what it says of a call that is gone is not kept."""
    await archived(log, told, "s1")
    slow = await told.take_up(job("s1", "memory"), 60)
    assert slow is not None
    await told.condemn(["s1"], "person", "ann")
    assert not await told.put_memory(slow, "desk", ANN, "Ann likes tea.", days=1, before=None)
    assert await told.memories() == []
