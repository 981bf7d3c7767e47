"""Phones in LiveKit rooms, on a real server with Redis; the bridge itself is played by a participant of kind SIP."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest
from livekit import api
from livekit.api import sip_service
from pydantic import SecretStr
from typer.testing import CliRunner

from api.livekit.telephony import Login, Rule, Telephony, TelephonyError
from gateway.rooms.livekit._phone import OnThePhone
from ops.cli import app
from ops.commands.doctor import endpoints
from ops.stack.embedded.livekit import LiveKit
from schemas.access.livekit import Access
from schemas.access.livekit_errors import LiveKitError
from schemas.config.settings import Settings
from schemas.events import ActionRequested, MessageReceived, ParticipantJoined, SessionEnded
from schemas.process.tasks import Tasks
from tests.gateway.rooms.livekit.site.conftest import Site, agents, eventually, session_of, until
from tests.servers import livekit_binary


@pytest.fixture
async def phones(shared_livekit: LiveKit) -> AsyncIterator[Telephony]:
    """What a test adds is gone after it."""
    livekit = shared_livekit
    async with Telephony(Access(livekit.url, livekit.api_key, livekit.api_secret)) as telephony:
        yield telephony
        for row in await telephony.everything():
            await telephony.remove(row["id"])


async def test_trunks_and_rules_are_kept(phones: Telephony) -> None:
    """What is made is listed, without passwords, and is gone once removed."""
    line = await phones.add_inbound("line", ["+15105550100"], ["203.0.113.0/24"])
    out = await phones.add_outbound("out", "sip.example.com", ["+15105550100"], Login("me", "s3cret"), "tcp")
    own = await phones.add_rule(Rule("own", trunks=[line], agent="helper", metadata='{"agent": "desk"}'))
    shared = await phones.add_rule(Rule("shared", room="meeting", pin="4711"))
    found = {row["id"]: row for row in await phones.everything()}
    assert found[line]["from"] == ["203.0.113.0/24"]
    assert found[out]["by"] == "sip.example.com"
    assert found[own]["room"] == "call-…"
    assert found[own]["agents"] == ['helper {"agent": "desk"}']
    assert (found[shared]["room"], found[shared]["pin"]) == ("meeting", True)
    assert "s3cret" not in json.dumps(list(found.values()))
    assert "4711" not in json.dumps(list(found.values()))
    for identifier in (own, shared, out, line):
        await phones.remove(identifier)
    assert await phones.everything() == []


async def test_nobody_may_call_until_a_trunk_says_so(phones: Telephony) -> None:
    """An inbound trunk without addresses and without a login is refused: it would take everybody's calls."""
    with pytest.raises(TelephonyError, match="who may call in"):
        await phones.add_inbound("open", ["+15105550100"])
    assert await phones.everything() == []


async def test_a_call_without_a_bridge(site: Site, phones: Telephony, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no bridge runs, a call out says so, and no agent is left waiting in a room made for it."""
    monkeypatch.setattr("gateway.rooms.livekit.door._JOIN", 2.0)  # its gateway may be joining a room that is gone
    await site.gateway()
    out = await phones.add_outbound("out", "127.0.0.1:5999", ["+15105550100"])
    with pytest.raises(TelephonyError, match=r"no SIP bridge answers.*livekit/sip"):
        await phones.call(out, "+15105550123", "call-1", wait=0)
    with pytest.raises(TelephonyError, match="trunk does not exist"):
        await phones.call("ST_none", "+15105550123", "call-2")
    assert (await site.api.room.list_rooms(api.ListRoomsRequest())).rooms == []


async def test_nobody_is_called_without_an_agent(phones: Telephony, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number is dialled once the agent is in the room; where none comes, the command says which to look for."""
    monkeypatch.setattr("api.livekit.telephony._AGENT_WITHIN", 0.2)
    with pytest.raises(TelephonyError, match=r"nobody was called.*LIVEKIT_AGENT_NAME=helper"):
        await phones.call("ST_none", "+15105550123", "call-1", agent="helper")


async def test_a_server_without_redis(tmp_path: Path) -> None:
    """A LiveKit server without Redis says what is missing."""
    bare = LiveKit(tmp_path / "bare", binary=livekit_binary())
    await bare.start()
    try:
        async with Telephony(Access(bare.url, bare.api_key, bare.api_secret)) as phones:
            with pytest.raises(TelephonyError, match="Redis"):
                await phones.everything()
    finally:
        await bare.kill()


async def test_a_wrong_secret_is_said(shared_livekit: LiveKit) -> None:
    """The API's refusal names the setting."""
    async with Telephony(Access(shared_livekit.url, shared_livekit.api_key, "x" * 40)) as phones:
        with pytest.raises(LiveKitError, match="LIVEKIT_API_SECRET"):
            await phones.everything()


async def test_a_ringing_phone_is_not_greeted(site: Site) -> None:
    """The agent greets who has answered: not a phone that still rings."""
    (site.folder / "default.toml").write_text('name = "default"\ngreeting = "Good morning."\n')
    await site.gateway(agents=str(site.folder / "default.toml"))
    heard = asyncio.Event()
    phone = await site.person("call-1", "phone", kind="sip", attributes={"sip.callStatus": "ringing"})
    phone.on("track_subscribed", lambda *_: heard.set())
    session = await until(lambda: session_of(phone), "the agent")
    await until(lambda: agents(phone)[0].track_publications, "the agent's voice")
    async with asyncio.timeout(5):
        await heard.wait()
    await phone.local_participant.publish_dtmf(code=1, digit="1")

    async def kinds() -> list[str]:
        return [event.type for event in await site.events(session)]

    async def keyed() -> bool:
        return "dtmf.received" in await kinds()

    async def greeted() -> bool:
        return "turn.committed" in await kinds()

    await eventually(keyed, "the key in the log")
    await site.api.room.update_participant(
        api.UpdateParticipantRequest(room="call-1", identity="phone", attributes={"sip.callStatus": "active"})
    )
    await eventually(greeted, "the greeting")
    types = await kinds()
    assert types.index("participant.joined") < types.index("dtmf.received") < types.index("turn.committed")


async def test_a_phone_gets_the_agent(site: Site, phones: Telephony) -> None:
    """A participant of kind SIP in a new room gets the agent, is a phone with its number in the log, and can be hung up."""
    await site.gateway()
    attributes = {"sip.phoneNumber": "+15105550123", "sip.trunkPhoneNumber": "+15105550100", "sip.callStatus": "active"}
    phone = await site.person("call-1", "phone", kind="sip", attributes=attributes)
    session = await until(lambda: session_of(phone), "the agent")

    async def joined() -> ParticipantJoined | None:
        events = await site.events(session)
        return next((event for event in events if isinstance(event, ParticipantJoined)), None)

    who = await eventually(joined, "the phone in the log")
    assert who.kind == "sip"
    assert who.attributes["sip.phoneNumber"] == "+15105550123"
    (call,) = await phones.calls()
    assert (call["room"], call["number"], call["called"]) == ("call-1", "+15105550123", "+15105550100")
    await phones.hang_up("call-1", "phone")
    await until(lambda: not phone.isconnected(), "it is hung up")
    with pytest.raises(TelephonyError, match="participant does not exist"):
        await phones.hang_up("call-1", "phone")


def test_the_commands_name_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Without a server the command exits with 2 and names the setting."""
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path))
    monkeypatch.setenv("LIVEKIT_URL", "")
    result = CliRunner().invoke(app, ["sip", "list"])
    assert result.exit_code == 2
    assert "LIVEKIT_URL is not set" in result.output


async def test_doctor_asks_the_server(shared_livekit: LiveKit) -> None:
    """`antiphon doctor` says whether LiveKit takes our key, and which setting is wrong where it does not."""
    good = Settings(_env_file=None, **{name.lower(): value for name, value in shared_livekit.environment.items()})  # type: ignore[call-arg, arg-type]
    assert (await endpoints.livekit(good, None)).result == "ok"
    bad = good.model_copy(update={"livekit_api_secret": SecretStr("x" * 40)})
    finding = await endpoints.livekit(bad, None)
    assert finding.result == "bad"
    assert "LIVEKIT_API_SECRET" in finding.found
    assert "x" * 40 not in finding.found


async def asked(site: Site, session: str, action: Literal["transfer", "dtmf"], **arguments: Any) -> None:
    """As a tool asks for it."""
    await site.ask(session, action, ActionRequested(action=action, arguments=arguments))


async def told(site: Site, session: str, what: str) -> str:
    """The message about it that the agent gets."""

    async def came() -> str:
        texts = [event.text for event in await site.events(session) if isinstance(event, MessageReceived)]
        return next((text for text in texts if what in text), "")

    await eventually(came, f"a message about {what}")
    return await came()


async def test_a_phone_is_not_handed_on_without_a_bridge(site: Site) -> None:
    """The real server is asked, and has nobody to do it: the agent is told, and the call goes on. Keys reach the phone; there
    is no hold."""
    await site.gateway()
    keys: list[str] = []
    phone = await site.person("call-1", "phone", kind="sip", attributes={"sip.callStatus": "active"})
    phone.on("sip_dtmf_received", lambda one: keys.append(one.digit))
    session = await until(lambda: session_of(phone), "the agent")
    await asked(site, session, "transfer", to="+15105550100", mode="cold")
    assert await told(site, session, "the transfer failed")
    await asked(site, session, "dtmf", digits="4#")
    await until(lambda: keys == ["4", "#"], "the keys")
    assert "no hold" in OnThePhone(lambda _: None, Tasks(), None).act("hold", {"on": True}, "phone", None)
    assert "session.ended" not in [event.type for event in await site.events(session)]


async def test_a_phone_is_handed_on(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once LiveKit's API says that it is done, the session is over. (The bridge's part of it is made up.)"""
    wanted: list[api.TransferSIPParticipantRequest] = []

    async def transfer(
        _: Any, request: api.TransferSIPParticipantRequest, **options: Any
    ) -> api.TransferSIPParticipantResponse:
        wanted.append(request)
        return api.TransferSIPParticipantResponse(status=api.SIPTransferStatus.STS_TRANSFER_SUCCESSFUL)

    monkeypatch.setattr(sip_service.SipService, "transfer_sip_participant", transfer)
    await site.gateway()
    phone = await site.person("call-1", "phone", kind="sip", attributes={"sip.callStatus": "active"})
    session = await until(lambda: session_of(phone), "the agent")
    await asked(site, session, "transfer", to="+15105550100", mode="cold")

    async def ended() -> str:
        return next((event.reason for event in await site.events(session) if isinstance(event, SessionEnded)), "")

    await eventually(ended, "the end")
    assert await ended() == "transferred"
    assert (wanted[0].room_name, wanted[0].participant_identity) == ("call-1", "phone")
    assert wanted[0].transfer_to == "tel:+15105550100"


async def test_nobody_is_on_a_phone(site: Site) -> None:
    """Of who comes by browser nobody can be handed on: the agent is told why."""
    await site.gateway()
    ann = await site.person("call-1", "ann")
    session = await until(lambda: session_of(ann), "the agent")
    await asked(site, session, "transfer", to="+15105550100", mode="cold")
    assert "nobody in this LiveKit room is on a telephone line" in await told(
        site, session, "transfer could not be done"
    )
