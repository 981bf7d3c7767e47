"""How much is read for what is asked."""

import httpx2
import pytest

from api.house import House
from tests.api.sessions import golden, keep


async def test_a_page_reads_what_it_tells(
    client: httpx2.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a session that is known already no event is decoded beyond the page's last."""
    await keep(house, "s1", golden("plain"))
    await client.get("/v1/sessions/s1")
    read, decoded = house.bus.read, 0

    async def counted(session: str, after: int = 0, count: int | None = None) -> object:
        nonlocal decoded
        events = await read(session, after, count)
        decoded += len(events)
        return events

    monkeypatch.setattr(house.bus, "read", counted)
    page = (await client.get("/v1/sessions/s1/events", params={"limit": 5})).json()
    assert [event["seq"] for event in page["events"]] == [1, 2, 3, 4, 5]
    assert page["next"] == 5
    assert decoded == 5
