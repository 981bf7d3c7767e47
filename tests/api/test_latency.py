"""How long answers took, over all sessions."""

import httpx2
import pytest

from api.house import House
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


async def test_nothing_was_answered(client: httpx2.AsyncClient, house: House) -> None:
    """Without an answer there is no number, rather than a zero."""
    told = (await client.get("/v1/latency")).json()
    assert (told["buckets"], told["total"], told["slowest"]) == ([], None, [])


@pytest.mark.parametrize(
    ("query", "count"), [("since=2999-01-01", 0), ("since=2026-09-21T14:13:25Z", 0), ("agent=x", 0)]
)
async def test_filters(client: httpx2.AsyncClient, house: House, query: str, count: int) -> None:
    """Only what was said since then, to that agent."""
    await _told(house, "plain")
    told = (await client.get(f"/v1/latency?{query}")).json()
    assert (told["total"]["count"] if told["total"] else 0) == count
