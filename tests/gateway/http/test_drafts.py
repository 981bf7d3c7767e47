"""A draft of an agent: tried in a call before it is saved."""

import pytest

from schemas.access.tokens import Grant, mint
from schemas.client import ErrorMessage, ReadyMessage
from schemas.drafts import find_draft, keep_draft
from schemas.errors import AgentSpecError
from schemas.events import SessionStarted
from schemas.log import MemoryBus
from tests.gateway.door import SECRET, START, door, told
from tests.gateway.sessions.test_tally import figures


async def test_on_this_machine_whoever_knows_its_name_calls_it() -> None:
    """Without a secret the session's agent is the draft, whole, as its log says."""
    async with door() as one:
        name = await keep_draft(one.bus, 'name = "tried"\ninstructions = "Say only yes."')
        _, ready = await one.begin(agent=name)
        assert isinstance(ready, ReadyMessage)
        [beginning] = await one.bus.read(ready.session, 0, 1)
        assert isinstance(beginning, SessionStarted)
        assert (beginning.agent.name, beginning.agent.instructions) == ("tried", "Say only yes.")


async def test_elsewhere_a_token_names_it() -> None:
    """Its name alone opens nothing; a token that names it does, and one for another agent gets that."""
    async with door(secret=SECRET) as one:
        name = await keep_draft(one.bus, 'name = "tried"')

        async def begin(grant: Grant) -> object:
            client = await one.connect(f"/ws?token={mint(SECRET, grant)}")
            await client.send_json(START | {"agent": name})
            return told(await client.receive_str(timeout=5))

        refused = await begin(Grant())
        assert isinstance(refused, ErrorMessage)
        assert refused.code == "token"
        assert isinstance(await begin(Grant(agent=name)), ReadyMessage)
        other = await begin(Grant(agent="greeter"))
        assert isinstance(other, ReadyMessage)
        [beginning] = await one.bus.read(other.session, 0, 1)
        assert isinstance(beginning, SessionStarted)
        assert beginning.agent.name != "tried"


async def test_drafts_are_counted_as_one_agent() -> None:
    """Whatever their texts call them, and whichever gateway has them."""
    bus = MemoryBus()
    counted = "antiphon_gateway_sessions agent=draft transport=websocket"
    async with door(bus) as one, door(bus, "gateway-b") as two:
        name = await keep_draft(bus, 'name = "tried"')
        _, ready = await one.begin(agent=name)
        assert figures(one.reception.house.metrics)[counted] == 1
        _, again = await two.begin(agent=name, session=ready.session, ticket=ready.ticket)
        assert again.resumed
        assert figures(two.reception.house.metrics)[counted] == 1


async def test_a_draft_that_is_gone_is_said_to_be() -> None:
    """Nobody gets another agent in its place."""
    async with door() as one:
        _, refused = await one.begin(agent="draft-never")
        assert isinstance(refused, ErrorMessage)
        assert refused.code == "agent"
        assert "no longer kept" in refused.message


async def test_only_an_agent_becomes_a_draft() -> None:
    """What is wrong is said, and nothing is kept; names are not to be guessed."""
    bus = MemoryBus()
    with pytest.raises(AgentSpecError, match="greting"):
        await keep_draft(bus, 'greting = "x"')
    names = {await keep_draft(bus, "") for _ in range(10)}
    assert len(names) == 10
    assert min(map(len, names)) >= len("draft-") + 22
    assert (await find_draft(bus, names.pop())).name == "draft"
