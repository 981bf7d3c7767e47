"""What is recorded of operators, and what is not."""

import httpx2

from api.house import House


async def test_a_check_is_no_deed(client: httpx2.AsyncClient, house: House) -> None:
    """Having a text checked, as an editor does all the time, is not recorded; having the agents read again is."""
    assert (await client.post("/v1/agents/validate", json={"toml": ""})).status_code == 200
    assert (await client.post("/v1/agents/reload")).status_code == 200
    assert [deed.action for deed in await house.bus.deeds(10, "")] == ["POST /v1/agents/reload"]
