"""How long answers took, over all sessions."""

import httpx2
import pytest

from api.house import House
from api.sessions import latency_watch
from schemas.clock import Micros
from schemas.errors import BusUnavailable
from schemas.events import Event
from schemas.log import MemoryBus
from tests.api.listening import listening
from tests.api.sessions import golden, keep


async def _told(house: House, *names: str) -> None:
    for name in names:
        await keep(house, name, golden(name))
    await house.sessions.look()
    await house.sessions.index.read_stored()


async def test_latency_over_time_by_part(client: httpx2.AsyncClient, house: House) -> None:
    """Every answer to somebody is counted once, and each part by itself."""
    await _told(house, "plain", "barge_in")
    told = (await client.get("/v1/latency")).json()
    assert (told["total"]["count"], told["total"]["p50_ms"]) == (3, 605.0)
    assert sum(bucket["count"] for bucket in told["buckets"]) == 3
    assert told["total"]["parts"]["llm"]["p50_ms"] == 130.0
    assert set(told["total"]["parts"]) == {"soft_end", "stt", "llm", "tts", "commit_wait", "playout"}


async def test_the_slowest_turns(client: httpx2.AsyncClient, house: House) -> None:
    """The slowest come first, each with where its time went."""
    await _told(house, "plain", "early_answer", "lost_piece")
    slowest = (await client.get("/v1/latency")).json()["slowest"]
    assert [turn["session"] for turn in slowest[:2]] == ["lost_piece", "early_answer"]
    assert slowest[0]["total_ms"] == 10205.0
    assert 0 < slowest[0]["worst_ms"] <= slowest[0]["total_ms"]


async def test_nobody_waited_for_a_replay(client: httpx2.AsyncClient, house: House) -> None:
    """It is on the list, and no answer of it counts."""
    await keep(house, "fork-plain-1", golden("plain"))
    await _told(house, "plain")
    assert len((await client.get("/v1/sessions")).json()["sessions"]) == 2
    told = (await client.get("/v1/latency")).json()
    assert {turn["session"] for turn in told["slowest"]} == {"plain"}
    assert told["total"]["count"] == 1


async def test_nothing_was_answered(client: httpx2.AsyncClient, house: House) -> None:
    """Without an answer there is no number, rather than a zero."""
    told = (await client.get("/v1/latency")).json()
    assert (told["buckets"], told["total"], told["slowest"]) == ([], None, [])


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("since=2999-01-01", 0),
        ("since=2026-09-21T14:13:25Z", 0),
        ("since=9999-12-31T23:59:59-14:00", 0),
        ("since=0001-01-01T00:00:00%2B14:00", 1),
        ("agent=x", 0),
    ],
)
async def test_filters(client: httpx2.AsyncClient, house: House, query: str, count: int) -> None:
    """Only what was said since then, to that agent."""
    await _told(house, "plain")
    told = (await client.get(f"/v1/latency?{query}")).json()
    assert (told["total"]["count"] if told["total"] else 0) == count


def recent(name: str, now: Micros) -> list[Event]:
    """A golden session that ends now."""
    events = golden(name)
    ago = now - events[-1].at
    return [event.model_copy(update={"at": Micros(event.at + ago)}) for event in events]


async def test_watching_answers_come(client: httpx2.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who watches is told at once how it is, as who asks is, and again when more was answered."""
    monkeypatch.setattr(latency_watch, "APART", 0.0)
    now = await house.bus.now()
    path = f"/v1/latency/stream?seconds={86_400}"
    async with listening(house, path) as reader, listening(house, f"{path}&agent=x") as other:
        assert ((await reader.next("latency")).data["total"], (await other.next("latency")).data["total"]) == (
            None,
            None,
        )
        await keep(house, "plain", recent("plain", now))
        await house.sessions.look()
        await house.sessions.index.read_stored()
        while (told := (await reader.next("latency")).data)["total"] is None:
            pass
        assert (await other.next("latency")).data["total"] is None
    asked = (await client.get("/v1/latency", params={"since": told["since"]})).json()
    assert {**told, "at": ""} == {**asked, "at": ""}
    assert told["total"]["count"] == 1


async def test_those_who_watch_the_same_share_what_is_worked_out(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has every message, and it was made once; when the last has left, nothing is kept of it."""
    monkeypatch.setattr(latency_watch, "APART", 0.0)
    monkeypatch.setattr(latency_watch, "ANEW", 0.0)  # there is always something new
    worked_out = 0
    real = latency_watch.latency_of

    def counting(*given: object) -> object:
        nonlocal worked_out
        worked_out += 1
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(latency_watch, "latency_of", counting)
    path = "/v1/latency/stream?seconds=60"
    async with listening(house, path) as one, listening(house, path) as two, listening(house, path) as three:
        heard = [(await reader.next("latency")).data["at"] for _ in range(5) for reader in (one, two, three)]
        assert len(house.sessions.latency) == 1
    assert len(set(heard)) < len(heard)
    assert worked_out < len(heard)
    assert len(house.sessions.latency) == 0


async def test_latency_outlives_a_log_that_is_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says why there is nothing to show, and goes on when there is."""
    monkeypatch.setattr(latency_watch, "_AWAY", 0.01)

    class Away(MemoryBus):
        away = True

        async def now(self) -> Micros:
            if self.away:
                raise BusUnavailable("gone")
            return await super().now()

    house.bus = bus = Away()
    async with listening(house, "/v1/latency/stream") as reader:
        assert (await reader.next("away", "latency")).data == {"detail": "gone"}
        bus.away = False
        assert (await reader.next("latency")).data["total"] is None


@pytest.mark.parametrize("query", ["seconds=0", "seconds=1e9", "seconds=99999999", "agent=" + "x" * 300])
async def test_a_window_that_is_none_is_refused(client: httpx2.AsyncClient, query: str) -> None:
    """With a sentence, and no stream is begun."""
    assert (await client.get(f"/v1/latency/stream?{query}")).status_code == 422
