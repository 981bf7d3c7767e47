"""Clients get a code and a neutral sentence: no settings, addresses, paths, names of other agents or of our classes."""

import ast
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args

import pytest

import api
import gateway
from gateway.http.connections import DoorLimits
from gateway.sessions.reception import Refused
from gateway.sound.sample_rate import SampleRate
from schemas import errors
from schemas.access.livekit_errors import LiveKitError
from schemas.access.tokens import Grant, mint
from schemas.client import ErrorCode, ErrorMessage
from schemas.config.agents import Agents
from schemas.config.settings import Settings
from schemas.errors import BusUnavailable
from schemas.events import StageFailed
from schemas.log import MemoryBus
from tests.gateway.door import SECRET, START, Door, closing, door

SETTINGS = re.compile(rf"\b({'|'.join(name.upper() for name in Settings.model_fields if '_' in name)}|AGENTS)\b")
TELLING = {
    "TurnedAway": (1,),
    "Refused": (0,),
    "CallRefused": (1,),
    "NoDeal": (0,),
    "_complain": (2,),
    "_refuse": (3,),
    "_sorry": (2,),
}
"""Calls whose argument in these places a stranger reads."""
KEYWORDS = {"ErrorMessage": "message", "AgentSpecError": "told"}
PLACES = (Path(gateway.__file__).parent, Path(errors.__file__).parent)


def told_literally() -> Iterator[tuple[str, str]]:
    """Each text in the sources that becomes a client's: where, what stands in it."""
    for file in (file for place in PLACES for file in place.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func).rpartition(".")[2]
                read = [node.args[place] for place in TELLING.get(name, ()) if place < len(node.args)]
                read += [keyword.value for keyword in node.keywords if keyword.arg == KEYWORDS.get(name)]
                yield from ((f"{file.name}:{node.lineno}", ast.unparse(one)) for one in read)
            elif isinstance(node, ast.Assign | ast.AnnAssign) and "told" in ast.unparse(node).partition("=")[0]:
                yield f"{file.name}:{node.lineno}", ast.unparse(node)


def problems() -> Iterator[tuple[str, str]]:
    """Likewise of the API, for what every caller and stranger meets before a route sees them, and in choosing an agent."""
    place = Path(api.__file__).parent
    for file in (place / "guard.py", place / "choice.py", *(place / "access").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Problem" and len(node.args) > 2:
                yield f"{file.name}:{node.lineno}", ast.unparse(node.args[2])


@pytest.mark.parametrize("texts", [told_literally, problems])
def test_no_text_for_strangers_names_a_setting(texts: Callable[[], Iterator[tuple[str, str]]]) -> None:
    """Setting names are for the log, whoever's words these are."""
    found = list(texts())
    assert len(found) > 5
    assert [(where, text) for where, text in found if SETTINGS.search(text)] == []


class Broken(MemoryBus):
    """A log that is away, at an address with a password."""

    away = False

    async def open(self, *what: Any, **rest: Any) -> Any:
        if self.away:
            raise BusUnavailable("REDIS_URL=redis://:hunter2@10.9.8.7:6379: it does not answer")
        return await super().open(*what, **rest)


@asynccontextmanager
async def house(folder: Path, **options: Any) -> AsyncIterator[Door]:
    """A gateway with agents of its own, one of whose files is wrong."""
    (folder / "hotel.toml").write_text('greeting = "Welcome."\n')
    (folder / "bank.toml").write_text('greeting = "Good day."\n')
    async with door(Broken(), **options) as one:
        one.reception.agents = Agents(folder)
        (folder / "wrong.toml").write_text("greting = 1\n")
        yield one


async def refused(
    one: Door, *, path: str = "/ws", first: Any = None, headers: Any = None, **fields: Any
) -> ErrorMessage:
    client = await one.connect(path, headers=headers or {})
    await (client.send_str(first) if first is not None else client.send_json(START | fields))
    messages, _ = await closing(client)
    (found,) = [message for message in messages if isinstance(message, ErrorMessage)]
    return found


async def in_session(one: Door, *frames: str | bytes) -> list[ErrorMessage]:
    client, _ = await one.begin()
    for frame in frames:
        await (client.send_bytes(frame) if isinstance(frame, bytes) else client.send_str(frame))
    await client.send_json({"type": "hang_up"})
    messages, _ = await closing(client)
    return [message for message in messages if isinstance(message, ErrorMessage)]


async def at_the_door(folder: Path) -> list[ErrorMessage]:
    """Everything that keeps a client out."""
    async with house(folder) as one:
        found = [
            await refused(one, first="{"),
            await refused(one, agnet="hotel"),
            await refused(one, headers={"Origin": "https://evil.example"}),
            await refused(one, agent="nobody"),
            await refused(one, agent="wrong"),
            await refused(one, agent="draft-nothing"),
            await refused(one, session="ws-unknown", ticket="x"),
        ]
        _, ready = await one.begin(agent="hotel")
        found.append(await refused(one, session=ready.session, ticket="wrong"))
        one.bus.away = True  # type: ignore[attr-defined]
        found.append(await refused(one))
        one.bus.away = False  # type: ignore[attr-defined]
        await one.reception.drain(0)
        found.append(await refused(one))
    return found


async def with_tokens(folder: Path) -> list[ErrorMessage]:
    async with house(folder, secret=SECRET) as one:
        other = mint("another secret of thirty-two characters", Grant())
        listens = mint(SECRET, Grant(listen="ws-1"))
        return [await refused(one, path=f"/ws?token={token}") for token in ("", "x", other, listens)]


async def too_many(folder: Path) -> list[ErrorMessage]:
    async with house(folder, limits=DoorLimits(sessions_per_address=1)) as one:
        await one.begin()
        return [await refused(one)]


async def without_workers(folder: Path) -> list[ErrorMessage]:
    async with house(folder) as one:
        one.reception.needs_workers = True
        await one.reception.pools.look()
        return [await refused(one)]


async def while_it_goes_on(folder: Path) -> list[ErrorMessage]:
    """What a client does wrong, and what goes wrong here, in a session."""
    async with house(folder) as one:
        found = await in_session(one, '{"type": "dance"}', *['{"type": "message", "text": "x"}'] * 30)
        found += await in_session(one, b"\0")
        found += await in_session(one, "[]")
        client, ready = await one.begin()
        session = one.engine.sessions[ready.session]
        for stage in ("stt", "llm", "tts"):
            message = f"{stage}: http://10.9.8.7:8081/v1 refuses the key (LLM_API_KEY)"
            failed = StageFailed(stage=stage, code="bad_status", message=message, job="j")  # type: ignore[arg-type]
            session._telling.event(failed)
        session.fail(KeyError("/srv/agents/hotel.toml"))
        messages, _ = await closing(client)
        found += [message for message in messages if isinstance(message, ErrorMessage)]
    return [*found, complaint()]


def complaint() -> ErrorMessage:
    found = SampleRate().complaint(12_000, ())
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("why", "status", "told"),
    [
        (LiveKitError("LiveKit at ws://10.9.8.7:7880 refuses the token; check LIVEKIT_API_KEY"), 503, "can't come"),
        (Refused("nobody is here to answer just now; try again in a while", "workers"), 503, "nobody is here"),
        (Refused("there is no room 'lobby' now", "room"), 409, "no room 'lobby'"),
        (None, 409, "nobody here goes into LiveKit rooms"),
    ],
    ids=["unreachable", "workers", "room", "no livekit"],
)
async def test_who_sends_the_agent_into_a_room_learns_nothing_of_livekit(
    why: Exception | None, status: int, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its address and the settings stand in the log; what passes is told apart from what does not."""

    async def join(_room: str, _agent: str) -> str:
        assert why is not None
        raise why

    async with (
        door(join=join if why else None) as one,
        one.http.post(one.url + "/join", json={"room": "lobby"}) as answer,
    ):
        message = (await answer.json())["error"]["message"]
    assert answer.status == status
    assert told in message
    assert not SETTINGS.search(message)
    assert "10.9.8.7" not in message
    assert SETTINGS.search(caplog.text) or isinstance(why, Refused)


async def test_every_code_comes_with_a_neutral_sentence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each is provoked on a real server: what is told names none of what is here, and the log has what was kept back."""
    found: list[ErrorMessage] = []
    for number, part in enumerate((at_the_door, with_tokens, too_many, without_workers, while_it_goes_on)):
        folder = tmp_path / f"agents{number}"
        folder.mkdir()
        found += await part(folder)
    stages = {"stt_bad_status", "llm_bad_status", "tts_bad_status"}
    assert {message.code for message in found} == {*get_args(ErrorCode), *stages}
    for message in found:
        secrets = (
            "hunter2",
            "10.9.8.7",
            "hotel",
            "bank",
            "wrong",
            ".toml",
            "KeyError",
            "gateway-a",
            SECRET,
            "127.0.0.1",
        )
        assert not SETTINGS.search(message.message), message
        assert [name for name in (*secrets, str(tmp_path)) if name in message.message] == [], message
        assert message.message
    for kept_back in ("greting", "there is bank, default, hotel, wrong", "GATEWAY_ALLOWED_ORIGINS", "LLM_API_KEY"):
        assert kept_back in caplog.text, kept_back
