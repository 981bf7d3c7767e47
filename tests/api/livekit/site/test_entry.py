"""What the API hands out opens a real LiveKit room to LiveKit's own client, with the agent in it."""

from datetime import timedelta
from pathlib import Path

import aiohttp
import httpx2
import pytest
from livekit import api, rtc

from schemas.access.livekit import Access, dispatches
from schemas.drafts import keep_draft
from schemas.events import ParticipantJoined, ReplySentence, SessionStarted
from tests.api.livekit.site.conftest import Guests
from tests.gateway.rooms.livekit.site.conftest import Site, agents, eventually, session_of, until


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/v1/livekit/token",
            {
                "room_name": "lobby", "participant_identity": "ann", "participant_name": "Ann",
                "participant_attributes": {"language": "de"}, "room_config": {"agents": [{"agent_name": "helper"}]},
            },
        ),
        ("/token", {"room": "lobby", "identity": "ann", "name": "Ann", "agent": "helper"}),
        ("/v1/start", {"room": "lobby", "name": "Ann", "agent": "helper"}),
    ],
)  # fmt: skip
async def test_a_token_brings_a_person_and_the_agent_they_chose(
    site: Site, guests: Guests, agents_folder: Path, path: str, body: dict[str, object]
) -> None:
    """Whoever connects with it is in the room under their name, and the agent they asked for comes to them."""
    await site.gateway(agents=agents_folder)
    ann = await guests.come(path, **body)
    assert (ann.name, ann.local_participant.name) == ("lobby", "Ann")
    session = await until(lambda: session_of(ann), "the agent")
    started = (await site.events(session))[0]
    assert isinstance(started, SessionStarted)
    assert started.agent.name == "helper"

    async def joined() -> ParticipantJoined | None:
        found = await site.events(session)
        return next((event for event in found if isinstance(event, ParticipantJoined)), None)

    assert (await eventually(joined, "the person in the log")).name == "Ann"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/livekit/token", {"room_config": {"agents": [{"metadata": '{"agent": "helper", "order": 7, "own": 1}'}]}}),
        ("/token", {"agent": "helper", "call_metadata": {"order": 7, "own": 1}}),
        ("/v1/start", {"agent": "helper", "call_metadata": {"order": 7, "own": 1}}),
    ],
)
@pytest.mark.parametrize("options", [{}, {"livekit_agent_name": "desk"}])
async def test_a_call_has_what_its_token_says_of_it(
    site: Site, guests: Guests, agents_folder: Path, options: dict[str, str], path: str, body: dict[str, object]
) -> None:
    """In the session's log is what the agent allows of it, and the greeting tells it."""
    (agents_folder / "helper.toml").write_text(
        'name = "helper"\ngreeting = "About order {{metadata.order}}?"\nprompt_metadata = ["order"]\n'
    )
    await site.gateway(agents=agents_folder, **options)
    ann = await guests.come(path, **body)
    session = await until(lambda: session_of(ann), "the agent")

    async def greeted() -> ReplySentence | None:
        return next((one for one in await site.events(session) if isinstance(one, ReplySentence)), None)

    assert (await eventually(greeted, "the greeting")).text == "About order 7?"
    started = (await site.events(session))[0]
    assert isinstance(started, SessionStarted)
    assert (started.agent.name, started.metadata) == ("helper", {"order": 7})


@pytest.mark.parametrize("options", [{"livekit_agent_name": "desk"}])
async def test_a_named_gateway_comes_where_nothing_is_asked_for(site: Site, guests: Guests) -> None:
    """With LIVEKIT_AGENT_NAME agents wait to be asked for: a token asks by itself, so that an empty request is enough."""
    await site.gateway(livekit_agent_name="desk")
    ann = await guests.come()
    await until(lambda: session_of(ann), "the agent")


async def test_a_draft_answers_in_a_room(site: Site, guests: Guests) -> None:
    """An agent that is not saved yet comes to whoever has a token that names it, as it was written."""
    gateway = await site.gateway()
    name = await keep_draft(gateway.bus, 'name = "tried"\ninstructions = "Talk like a pirate."\n')
    # the draft lies in the gateway's log; the API's own is another one here, which the token does not go through
    token = Access(site.livekit.url, site.livekit.api_key, site.livekit.api_secret).person_token(
        "lobby", "ann", timedelta(minutes=5), dispatches("", name)
    )
    ann = await guests.connect(site.livekit.url, token)
    session = await until(lambda: session_of(ann), "the agent")
    started = (await site.events(session))[0]
    assert isinstance(started, SessionStarted)
    assert (started.agent.name, started.agent.instructions) == ("tried", "Talk like a pirate.")


async def test_a_draft_that_is_gone_leaves_the_room_to_its_people(
    site: Site, guests: Guests, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it is no longer kept no session begins, and the gateway's log says why."""
    gateway = await site.gateway()
    token = Access(site.livekit.url, site.livekit.api_key, site.livekit.api_secret).person_token(
        "lobby", "ann", timedelta(minutes=5), dispatches("", "draft-gone")
    )
    ann = await guests.connect(site.livekit.url, token)

    await until(lambda: "no longer kept" in caplog.text, "why no agent comes, in the log")
    assert await gateway.bus.sessions() == []
    assert agents(ann) == []
    assert ann.isconnected()


async def test_a_token_is_for_its_room_only(site: Site, client: httpx2.AsyncClient) -> None:
    """It opens none of the server's administration, and its bearer can't register as an agent."""
    token = (await client.post("/v1/livekit/token", json={"room_name": "lobby"})).json()["participant_token"]
    await _opens_nothing_else(site, token)


async def test_a_program_of_ones_own_comes_as_an_agent(site: Site, client: httpx2.AsyncClient, guests: Guests) -> None:
    """An operator's agent token makes its bearer an agent in front ends' eyes, who may set its state; and a worker nowhere."""
    ann = await guests.come(room_name="lobby")
    found = (await client.post("/v1/livekit/agent-token", json={"room": "lobby", "name": "Notes"})).json()
    bot = await guests.connect(found["server_url"], found["participant_token"])
    await bot.local_participant.set_attributes({"lk.agent.state": "listening"})
    (seen,) = await until(lambda: agents(ann), "the agent of one's own")
    assert seen.name == "Notes"
    await until(lambda: seen.attributes.get("lk.agent.state") == "listening", "its state")
    await _opens_nothing_else(site, found["participant_token"])


async def test_a_token_of_yesterday(site: Site, client: httpx2.AsyncClient) -> None:
    """The server itself refuses a token of ours in which a byte was changed."""
    token = (await client.post("/v1/livekit/token", json={"room_name": "lobby"})).json()["participant_token"]
    head, body, signature = token.split(".")
    changed = f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    with pytest.raises(rtc.ConnectError):
        await rtc.Room().connect(site.livekit.url, changed)


async def test_the_status_of_a_server_that_is_there(site: Site, client: httpx2.AsyncClient) -> None:
    """It is reachable, and nothing is wrong."""
    found = (await client.get("/v1/livekit/status")).json()
    assert (found["reachable"], found["problem"], found["url"]) == (True, "", site.livekit.url)


async def _opens_nothing_else(site: Site, token: str) -> None:
    """Neither the API of the server, nor its door for agents."""
    http = site.livekit.url.replace("ws", "http", 1)
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as stranger:
        for method, asked in (
            ("ListRooms", api.ListRoomsRequest()),
            ("CreateRoom", api.CreateRoomRequest(name="mine")),
            ("DeleteRoom", api.DeleteRoomRequest(room="lobby")),
            ("ListParticipants", api.ListParticipantsRequest(room="lobby")),
        ):
            async with stranger.post(
                f"{http}/twirp/livekit.RoomService/{method}",
                data=asked.SerializeToString(),
                headers={"Content-Type": "application/protobuf"},
            ) as answer:
                assert answer.status in (401, 403), method
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await stranger.ws_connect(f"{http}/agent")
        assert refused.value.status in (401, 403)
