"""Whatever a setting names by mistake: a start that can't come to its end says so, by the setting's name, and soon."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ops.commands.doctor import endpoints
from ops.commands.doctor.examine import examine
from ops.commands.doctor.log import examine as examine_log
from ops.stack.here import Told
from ops.stack.models import in_use
from ops.stack.stack import Plan, Stack, StackError
from ops.stack.supervisor import ANTIPHON, Command, Failed, Supervisor
from ops.stack.system import free_port
from schemas.config.settings import Settings, load
from schemas.errors import AgentSpecError, BusError, BusUnavailable, Permanent, SettingsError
from schemas.events import STAGES, Stage
from tests.quirks import MODELS, QUIRKS, Answer, Step, fixed, whole
from tests.servers import ODDITIES, Misbehaving, misbehaving, odd_server, own_logging
from workers.llm.models import FIRST
from workers.main import run_worker
from workers.stt.whisper import WhisperStt

__all__ = ["misbehaving", "own_logging"]

BARE = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
"""Nothing of ours in the environment."""


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))


async def why_not(folder: Path, stage: str, **settings: str) -> str:
    """What a worker's start says of itself, when it can't be brought up with these settings."""
    keeper = Supervisor(folder, BARE, patience=0.5)
    health = free_port()
    environment = {"REDIS_URL": "redis://127.0.0.1:1/0", "HEALTH_PORT": str(health), "ANTIPHON_DATA": str(folder)}
    command = Command(
        f"{stage}-1", [*ANTIPHON, "worker", stage], environment | settings, f"http://127.0.0.1:{health}/readyz"
    )
    try:
        with pytest.raises(Failed) as failed:
            await keeper.start([command], timeout=40)
    finally:
        await keeper.stop(grace=1)
    return str(failed.value)


@asynccontextmanager
async def starting_here(
    folder: Path, stage: Stage, on_wait: Callable[[str], None] = lambda _: None, **settings: str
) -> AsyncIterator[tuple[asyncio.Future[None], asyncio.Future[None]]]:
    """A worker in this process, and its start, that is watched as any other's: it is not loaded for each case anew."""
    keeper = Supervisor(folder, BARE, patience=0.5, on_wait=on_wait)
    health = free_port()
    told = load(redis_url="redis://127.0.0.1:1/0", health_port=health, **settings)
    working = asyncio.ensure_future(run_worker(stage, told))
    command = Command(f"{stage}-1", ["sleep", "600"], ready=f"http://127.0.0.1:{health}/readyz")
    starting = asyncio.ensure_future(keeper.start([command], timeout=40))
    try:
        yield working, starting
    finally:
        for one in (working, starting):
            one.cancel()
        await asyncio.gather(working, starting, return_exceptions=True)
        await keeper.stop(grace=1)


async def why_not_here(folder: Path, stage: Stage, **settings: str) -> str:
    """The same of a worker in this process."""
    async with starting_here(folder, stage, **settings) as both:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    ended, failed = await asyncio.gather(*both, return_exceptions=True)
    assert isinstance(ended, Permanent) or isinstance(failed, Failed), (ended, failed)
    return str(ended if isinstance(ended, Permanent) else failed)


BY_ITS_PROCESS = ("llm", "no http")
"""A stage, and one of ODDITIES: of a whole process, from its start to its last words. Those of the others' are told by what is no
model, below."""


@pytest.mark.models
@pytest.mark.timeout(120)
@pytest.mark.usefixtures("own_logging")
@pytest.mark.parametrize("stage", STAGES)
async def test_an_endpoint_that_is_none_is_named(stage: Stage, tmp_path: Path) -> None:
    """Whatever an endpoint does instead of its work, its worker's start ends with one sentence that names the setting."""
    name = stage.upper()

    async def said(how: str) -> str:
        async with odd_server(how) as place:
            folder = tmp_path / how
            folder.mkdir()
            settings = {f"{name}_PROVIDER": "openai", f"{name}_BASE_URL": f"http://{place}/v1", f"{name}_TIMEOUT": "1"}
            if (stage, how) == BY_ITS_PROCESS:
                return await why_not(folder, stage, **settings)
            return await why_not_here(folder, stage, **{key.lower(): value for key, value in settings.items()})

    for how, sentence in zip(ODDITIES, await asyncio.gather(*map(said, ODDITIES)), strict=True):
        lines = [line for line in sentence.splitlines() if line.strip()]
        assert len(lines) == 1, (how, sentence)
        assert f"{name}_BASE_URL" in sentence, (how, sentence)
        assert "Traceback" not in sentence, (how, sentence)


@pytest.mark.usefixtures("own_logging")
async def test_an_endpoint_that_is_silent_is_named_while_it_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that waits for an endpoint's first answer says so: which setting, nothing yet, and by when it is expected."""
    monkeypatch.setattr("ops.stack.supervisor._FIRST_WORD", 0.5)
    monkeypatch.setattr("ops.stack.supervisor._NEXT_WORD", 0.5)
    told: asyncio.Queue[str] = asyncio.Queue()
    async with odd_server("hang") as place:
        settings = {"llm_base_url": f"http://{place}/v1", "llm_timeout": "30"}
        async with starting_here(tmp_path, "llm", told.put_nowait, **settings):
            while "LLM_BASE_URL" not in (word := await told.get()):
                pass
    assert f"LLM_BASE_URL=http://{place}/v1" in word
    assert "no answer yet, one is expected within 30 s (LLM_TIMEOUT)" in word


SLOW = """
import http.server, json, sys, time
time.sleep(1.8)
asked = 0
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global asked
        asked += 1
        self.send_response(503 if asked == 1 else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"because": ["the log has not answered yet"]}).encode())
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
"""


async def test_a_busy_machine_is_not_taken_for_trouble(tmp_path: Path) -> None:
    """A process that takes longer to be loaded than trouble may last is still given that time from its first word on."""
    keeper = Supervisor(tmp_path, BARE, patience=1.5)
    port = free_port()
    try:
        command = Command("slow", [sys.executable, "-c", SLOW, str(port)], ready=f"http://127.0.0.1:{port}/readyz")
        await keeper.start([command])
        assert keeper["slow"].is_ready
        assert keeper["slow"].restarts == 0
    finally:
        await keeper.stop(grace=1)


@pytest.mark.models
@pytest.mark.timeout(120)
async def test_a_model_that_is_broken_is_named(tmp_path: Path) -> None:
    """A model folder with rubbish in it, or with half of a model, is one sentence that names STT_MODEL or TTS_VOICE."""
    folder = tmp_path / "whisper"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"rubbish" * 100)
    voice = tmp_path / "voice.onnx"
    voice.write_bytes(b"rubbish" * 100)
    voice.with_name("voice.onnx.json").write_text('{"audio": {}}')
    for stage in ("stt", "tts"):
        (tmp_path / stage).mkdir()
    heard, spoken = await asyncio.gather(
        why_not(tmp_path / "stt", "stt", STT_MODEL=str(folder)), why_not(tmp_path / "tts", "tts", TTS_VOICE=str(voice))
    )
    assert f"STT_MODEL={folder}" in heard
    assert f"TTS_VOICE={voice}" in spoken
    for sentence in (heard, spoken):
        assert len([line for line in sentence.splitlines() if line.strip()]) == 1, sentence


@pytest.mark.parametrize("how", [*ODDITIES, "nobody"])
async def test_a_log_that_is_none_is_named_before_anything_starts(how: str, tmp_path: Path) -> None:
    """REDIS_URL of something that is no Redis ends the start at once, and nothing was started."""
    async with odd_server(how) as place:
        if how == "nobody":
            place = f"127.0.0.1:{free_port()}"
        stack = Stack(Plan(tmp_path / "up"), load(redis_url=f"redis://:secret@{place}/0"))
        with pytest.raises((BusError, StackError), match="REDIS_URL") as failed:
            async with stack:
                pass
    assert "secret" not in str(failed.value)
    assert isinstance(failed.value, BusUnavailable)
    assert stack.supervisor.processes == []


async def test_agents_that_are_wrong_are_named_before_anything_starts(tmp_path: Path) -> None:
    """A folder of agents with one wrong file ends the start at once, with the file's name and line."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "desk.toml").write_text('greeting = "Hello."\nlanguag = "de"\n')
    stack = Stack(Plan(tmp_path / "up"), load(agents=tmp_path / "agents"))
    with pytest.raises(AgentSpecError, match=r"desk\.toml, line 2: .*languag"):
        async with stack:
            pass
    assert stack.supervisor.processes == []


async def test_all_agents_that_are_wrong_are_named_at_once(tmp_path: Path) -> None:
    """What no agent is, and what asks for a provider that isn't there: nobody starts twice to find both."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "desk.toml").write_text('languag = "de"\n')
    (tmp_path / "agents" / "sales.toml").write_text('[tts]\nprovider = "nobody"\n')
    (tmp_path / "agents" / "well.toml").write_text("")
    with pytest.raises(AgentSpecError) as caught:
        async with Stack(Plan(tmp_path / "up"), load(agents=tmp_path / "agents")):
            pass
    first, second = str(caught.value).splitlines()
    assert "desk.toml, line 1: unknown key" in first
    assert 'sales.toml, line 2: tts.provider = "nobody"' in second


@pytest.mark.parametrize(
    ("asks", "says"),
    [
        ('[tts]\nprovider = "pipper"', r'tts\.provider = "pipper"; expected .*openai, piper'),
        ('[tts]\noptions = {instructions = "Slowly."}', r"tts\.options = .*: the provider piper takes options from"),
        ('[voice]\nname = "en_GB-nobody"', r".*en_GB-nobody.*; give en_US"),
    ],
    ids=["a provider nobody has installed", "more of a provider than it gives", "a voice that is not there"],
)
async def test_what_an_agent_asks_in_vain_is_named_before_anything_starts(asks: str, says: str, tmp_path: Path) -> None:
    """By file and line, with what there is: else the first caller would hear nothing."""
    (tmp_path / "desk.toml").write_text(f'greeting = "Hello."\n{asks}\n')
    stack = Stack(Plan(tmp_path / "up"), load(agents=tmp_path / "desk.toml"))
    with pytest.raises(AgentSpecError, match=rf"desk\.toml, line 3: {says}"):
        async with stack:
            pass
    assert stack.supervisor.processes == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"stt_model": "/nowhere/model"}, "STT_MODEL=/nowhere/model: no model.bin there"),
        ({"tts_voice": "./joe.onnx"}, "TTS_VOICE=./joe.onnx"),
        (
            {"stt_model": "hugge"},
            r"STT_MODEL=hugge: no folder of that name.*models are tiny\.en, .*; give a folder or a name such",
        ),
        ({"stt_model": "small.de"}, r"STT_MODEL=small\.de: no folder of that name \(did you mean small\.en\?\)"),
        ({"tts_voice": "nix"}, "TTS_VOICE=nix: no such voice; give en_US-joe-medium or the path"),
        ({"llm_provider": "opnai"}, "LLM_PROVIDER=opnai: no such provider is installed; found openai"),
    ],
)
async def test_models_that_are_not_there_are_named_before_anything_starts(
    wrong: dict[str, object], says: str, tmp_path: Path
) -> None:
    """What a worker would end with once it is loaded is said at once."""
    stack = Stack(Plan(tmp_path / "up"), load(**wrong))
    with pytest.raises(Permanent, match=says):
        async with stack:
            pass
    assert stack.supervisor.processes == []
    assert not (tmp_path / "up" / "stack.json").exists()


async def test_an_llm_file_that_is_not_there_is_named_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file the embedded LLM server is to serve; where that serves another model than LLM_MODEL, it is said which answers."""
    monkeypatch.setenv("LLM_FILE", "/nowhere/model.gguf")
    stack = Stack(Plan(tmp_path / "up"), load())
    with pytest.raises(SettingsError, match=r"LLM_FILE=/nowhere/model\.gguf: no such file; give a \.gguf"):
        async with stack:
            pass
    assert stack.supervisor.processes == []
    monkeypatch.delenv("LLM_FILE")
    warned: list[str] = []
    plan = Plan(tmp_path / "up", on_warn=warned.append)
    with pytest.raises(Permanent):
        async with Stack(plan, load(llm_model="gpt-4o", tts_voice="nix")):
            pass
    elsewhere = load(llm_base_url="http://127.0.0.1:9/v1", tts_voice="nix")
    with pytest.raises(Permanent):
        async with Stack(plan, elsewhere):
            pass
    asked = warned.pop()
    assert asked == (
        "LLM_BASE_URL is set, but LLM_MODEL isn't: it is asked for smollm2-135m-instruct; set LLM_MODEL to a model it has"
    )
    assert in_use(elsewhere, elsewhere.llm_model, ["llm"]) == {"llm": "smollm2-135m-instruct"}
    assert warned == [
        "LLM_MODEL=gpt-4o, but no LLM_BASE_URL says where that is: smollm2-135m-instruct answers, on this machine; set "
        "LLM_BASE_URL, or LLM_FILE to a .gguf"
    ]


async def test_a_model_of_the_hub_is_not_fetched_to_be_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before a start, and by `doctor`, a name the hub knows is taken for good: nobody is asked for it."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    _, where = WhisperStt.locate(load(stt_model="large-v3"))
    with monkeypatch.context() as asked:
        asked.setattr("socket.socket.connect", lambda *_: pytest.fail("somebody was asked"))
        assert where() == "large-v3 of the model hub, which a worker fetches at its start"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"gateway_token_secret": "short"}, "GATEWAY_TOKEN_SECRET has 5 characters"),
        ({"gateway_host": "0.0.0.0"}, "set GATEWAY_TOKEN_SECRET"),
        ({"gateway_proxies": "nginx"}, "GATEWAY_PROXIES=nginx"),
        ({"api_proxies": "nginx"}, "API_PROXIES=nginx"),
        ({"api_agents": "default, desk"}, "API_AGENTS=default, desk: there is no agent 'desk'; there is default"),
        ({"livekit_url": "ws://127.0.0.1:7880", "livekit_api_key": "antiphon"}, "LIVEKIT_API_SECRET"),
        ({"sip_listen": "5060"}, "SIP_LISTEN=5060: expected host:port"),
        ({"sip_listen": "127.0.0.1:5060", "sip_ports": "9"}, "SIP_PORTS=9"),
        ({"sip_listen": "127.0.0.1:5060", "sip_trunks": Path("nowhere.toml")}, "SIP_TRUNKS=nowhere.toml"),
    ],
)
async def test_doors_that_cannot_be_are_named_before_anything_starts(
    wrong: dict[str, object], says: str, tmp_path: Path
) -> None:
    """What a gateway or the API would refuse to start with is said at once, not when they and the models have been loaded."""
    stack = Stack(Plan(tmp_path / "up", api=True), load(**wrong))
    with pytest.raises(SettingsError, match=says):
        async with stack:
            pass
    assert stack.supervisor.processes == []


@pytest.mark.parametrize(
    "in_the_way", ["data", "data/up", "data/up/logs", "data/up/logs/valkey.log", "data/up/stack.json"]
)
async def test_a_folder_that_can_not_be_written_is_a_sentence(in_the_way: str, tmp_path: Path) -> None:
    """Whatever keeps a stack from writing, it is named in one sentence, with the setting to change; nothing is left running."""
    place = tmp_path / in_the_way
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.suffix:
        place.mkdir()
    else:
        place.write_text("a file where a folder should be, or the other way round: that stops root, too")
    stack = Stack(
        Plan(tmp_path / "data" / "up", gateways=0, stt=0, llm=0, tts=0, free_ports=True), load(llm_provider="simulated")
    )
    with pytest.raises(StackError) as failed:
        async with stack:
            pass
    said = str(failed.value)
    assert str(tmp_path / "data") in said
    assert "can't be written to (" in said
    assert "ANTIPHON_DATA" in said
    assert "\n" not in said
    assert [one.pid for one in stack.supervisor.processes if one.pid] == []


async def test_strangers_and_no_key_are_named_before_models_are_loaded(tmp_path: Path) -> None:
    """An API that strangers reach, without any key in its log, ends the start as soon as the log answers."""
    stack = Stack(Plan(tmp_path / "up", free_ports=True, api=True), load(api_host="0.0.0.0"))
    with pytest.raises(SettingsError, match=r"API_HOST=0\.0\.0\.0 can be reached from outside"):
        async with stack:
            pass
    assert [one.command.name for one in stack.supervisor.processes] == ["valkey"]


async def test_a_long_start_says_for_whom_it_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks at a start that takes long is told which process isn't ready, and where its log is."""
    monkeypatch.setattr("ops.stack.supervisor._FIRST_WORD", 0.1)
    told: list[str] = []
    keeper = Supervisor(tmp_path, BARE, on_wait=told.append)
    mute = Command("mute", ["sleep", "600"], ready=f"http://127.0.0.1:{free_port()}/readyz")
    with pytest.raises(Failed, match=r"mute was not ready"):
        await keeper.start([mute], timeout=0.5)
    await keeper.stop()
    assert told == [f"mute isn't ready yet: it doesn't say why yet; its log: {tmp_path / 'mute.log'}"]


async def test_a_start_is_no_trouble_until_it_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom a start waits for is news; that it waits longer than a slow machine takes is a warning."""
    for name, seconds in (("_FIRST_WORD", 0.05), ("_NEXT_WORD", 0.05), ("_LASTS", 0.3)):
        monkeypatch.setattr(f"ops.stack.supervisor.{name}", seconds)
    told: list[str] = []
    warned: asyncio.Queue[str] = asyncio.Queue()
    keeper = Supervisor(tmp_path, BARE, on_wait=told.append, on_warn=warned.put_nowait)
    starting = asyncio.create_task(
        keeper.start([Command("mute", ["sleep", "600"], ready=f"http://127.0.0.1:{free_port()}/readyz")])
    )
    try:
        assert await warned.get() == told[0]
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await keeper.stop()


async def test_many_that_are_waited_for_are_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine everything is still being loaded at first: that is one line, not one for each process."""
    monkeypatch.setattr("ops.stack.supervisor._FIRST_WORD", 0.1)
    told: list[str] = []
    keeper = Supervisor(tmp_path, BARE, on_wait=told.append)
    names = ("stt-1", "tts-1")
    with pytest.raises(Failed, match=r"was not ready"):
        await keeper.start(
            [Command(name, ["sleep", "600"], ready="http://127.0.0.1:1/") for name in names], timeout=0.5
        )
    await keeper.stop()
    assert told == [f"not ready yet, and they don't say why yet: stt-1, tts-1; their logs: {tmp_path}"]


async def test_words_of_an_earlier_start_are_not_told_again(tmp_path: Path) -> None:
    """What a process of the same name said at an earlier start is no reason of this one."""
    (tmp_path / "mute.log").write_text("antiphon: an old story\n")
    keeper = Supervisor(tmp_path, BARE)
    with pytest.raises(Failed, match="it ended with 7") as failed:
        await keeper.start([Command("mute", ["sh", "-c", "exit 7"], ready="http://127.0.0.1:1/")])
    await keeper.stop()
    assert "old story" not in str(failed.value)
    assert failed.value.code == 7


async def test_ctrl_c_ends_a_start(tmp_path: Path) -> None:
    """A start that waits for something can be ended as anything else: it stops what it had begun and ends with 0."""
    async with odd_server("hang") as place:
        environment = BARE | {
            "ANTIPHON_DATA": str(tmp_path / "data"), "LLM_BASE_URL": f"http://{place}/v1", "LLM_TIMEOUT": "60",
            "ARCHIVE": "off",
        }  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            *ANTIPHON, "up", "--free-ports", "--stt", "0", "--tts", "0", env=environment, cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        log = tmp_path / "data" / "up" / "logs" / "llm-1.log"
        while not (log.exists() and "health page" in log.read_text()):
            await asyncio.sleep(0.05)
        pids = [int(pid) for pid in _children(process.pid)]
        assert pids
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert "Traceback" not in said.decode()
    assert [pid for pid in pids if os.path.exists(f"/proc/{pid}")] == []  # noqa: ASYNC240


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.mark.parametrize(
    ("free_ports", "phones", "answers"), [(False, True, "set"), (True, True, "set"), (True, False, "any")]
)
def test_where_phones_are_answered_is_as_it_was_set(
    tmp_path: Path, free_ports: bool, phones: bool, answers: str
) -> None:
    """SIP_LISTEN wins over --free-ports for the first gateway, the others take any port; a demo disturbs nobody's phones."""
    settings = load(
        sip_listen="127.0.0.1:5070", redis_url="redis://127.0.0.1:6379/0", llm_base_url="http://127.0.0.1:1/v1"
    )
    stack = Stack(Plan(tmp_path, gateways=2, free_ports=free_ports, phones=phones), settings)
    first, second = [command.environment for command in stack._processes() if command.name.startswith("gateway")]
    assert second["SIP_LISTEN"] == "127.0.0.1:0"
    if answers == "set":
        assert "SIP_LISTEN" not in first  # as the environment has it
        assert stack.endpoints()["sip"] == "127.0.0.1:5070"
    else:
        assert first["SIP_LISTEN"] == "127.0.0.1:0"
        assert "sip" not in stack.endpoints()


@pytest.mark.parametrize(
    ("file", "code", "asked", "workers"),
    [
        ("", None, None, 0),
        ("[tools]\npool = true\n", None, None, 1),
        ("", "@tool(pool=True)\ndef slow() -> str: ...\n", None, 1),
        ("", "@tool\ndef quick() -> str: ...\n", None, 0),
        ("[tools]\npool = true\n", None, 0, 0),
        ("", None, 3, 3),
    ],
)
def test_the_tools_pool_has_a_worker_where_an_agent_may_want_it(
    tmp_path: Path, file: str, code: str | None, asked: int | None, workers: int
) -> None:
    """By its file or its code; or as many as somebody asks for."""
    agent = tmp_path / "agents" / "pizza"
    agent.mkdir(parents=True)
    (agent / "agent.toml").write_text(file)
    if code is not None:
        (agent / "agent.py").write_text(code)
    settings = load(
        agents=tmp_path / "agents", redis_url="redis://127.0.0.1:6379/0", llm_base_url="http://127.0.0.1:1/v1"
    )
    stack = Stack(Plan(tmp_path / "up", tools=asked, free_ports=True), settings)
    names = [command.name for command in stack._processes()]
    assert [name for name in names if name.startswith("tools")] == [f"tools-{n}" for n in range(1, workers + 1)]


async def test_a_worker_of_the_tools_pool_starts(tmp_path: Path) -> None:
    """On a log of its own; the log knows of it."""
    plan = Plan(tmp_path / "data" / "up", gateways=0, stt=0, llm=0, tts=0, tools=1, free_ports=True)
    async with Stack(plan, load(llm_provider="simulated")) as stack:
        assert [row["name"] for row in stack.supervisor.table() if row["state"] == "running"] == ["valkey", "tools-1"]


@pytest.mark.parametrize("how", ODDITIES)
async def test_doctor_names_what_is_odd(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """doctor's findings say what an odd endpoint or log did, and never end in nothing or in a password."""
    monkeypatch.setattr("ops.commands.doctor.endpoints._ANSWERS_WITHIN", 0.3)
    async with odd_server(how) as place:
        settings = load(llm_base_url=f"http://me:secret@{place}/v1", redis_url=f"redis://:secret@{place}/0")
        llm = await endpoints.llm(settings, None)
        (log,) = [finding async for finding in examine_log(settings, None)]
    assert (llm.result, log.result) == ("bad", "bad")
    for finding in (llm, log):
        assert "secret" not in finding.found + finding.advice
        assert not finding.found.rstrip().endswith(":"), finding
        assert finding.advice


async def test_doctor_asks_the_models_of_the_stack_that_runs(
    misbehaving: Misbehaving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever `up` was started with in another terminal: its LLM's model, and what hears and speaks; it says what it took. A
    model that this terminal names is asked for instead."""
    for name in {field.upper() for field in Settings.model_fields} & {*os.environ}:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "acts.toml").write_text('tools.builtin = ["end_call"]\n')
    (folder := tmp_path / "data" / "up").mkdir(parents=True)
    misbehaving.models = "page not found"
    there = {"stt_model": "/theirs/model", "tts_voice": "/theirs/voice.onnx", "agents": str(tmp_path / "agents")}
    urls = {"redis_url": f"redis://127.0.0.1:{free_port()}/0", "llm_base_url": misbehaving.url}
    Told(folder).tell({"state": "running", "processes": [], "llm_model": "theirs"} | there | urls)
    findings = {finding.check: finding async for finding in examine()}
    assert (findings["llm"].result, misbehaving.bodies[0]["model"]) == ("ok", "theirs")
    assert findings["stack"].found.endswith("; as it has them: AGENTS, LLM_BASE_URL, LLM_MODEL, STT_MODEL, TTS_VOICE")
    assert "STT_MODEL=/theirs/model" in findings["stt"].found
    assert "TTS_VOICE=/theirs/voice.onnx" in findings["tts"].found
    assert {body["model"] for body in misbehaving.bodies} == {"theirs"}
    assert "acts" in findings["tools"].found
    monkeypatch.setenv("LLM_MODEL", "ours")
    misbehaving.bodies.clear()
    findings = {finding.check: finding async for finding in examine()}
    assert {body["model"] for body in misbehaving.bodies} == {"ours"}
    misbehaving.fault = 401
    findings = {finding.check: finding async for finding in examine()}
    assert (findings["llm"].result, findings["llm"].advice[:38]) == ("warn", "LLM_API_KEY is not set in this termina")
    monkeypatch.setenv("LLM_API_KEY", "wrong")
    findings = {finding.check: finding async for finding in examine()}
    assert findings["llm"].result == "bad"


async def test_doctor_reads_a_long_list_of_models(misbehaving: Misbehaving, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint with hundreds of models sends its list in many pieces: all are read."""
    models = b'{"data": [' + b",".join(b'{"id": "model-%d"}' % number for number in range(5000)) + b"]}"
    pieces: list[Step] = []
    for start in range(0, len(models), 10_000):
        pieces += [models[start : start + 10_000], 0.001]
    monkeypatch.setitem(QUIRKS, "long list", fixed(Answer(pieces, kind="application/json")))
    misbehaving.models = "long list"
    finding = await endpoints.llm(load(llm_base_url=misbehaving.url, llm_model="model-4999"), None)
    assert finding.result == "ok", finding


async def test_doctor_asks_an_endpoint_without_a_list_of_models(misbehaving: Misbehaving) -> None:
    """Not every endpoint has one; whether a model answers is asked of it, as a call would."""
    misbehaving.models = "page not found"
    found = await endpoints.llm(load(llm_base_url=misbehaving.url, llm_model="m"), None)
    assert (found.result, misbehaving.bodies[0]["model"]) == ("ok", "m")
    assert misbehaving.bodies[0]["messages"][-1]["content"] == FIRST.messages[-1]["content"]
    assert "no list of models" in found.found
    misbehaving.fault = 401
    found = await endpoints.llm(load(llm_base_url=misbehaving.url, llm_model="m"), None)
    assert found.result == "bad"
    assert "sk-secret-key" not in found.found + found.advice


async def test_doctor_names_a_slow_endpoint(misbehaving: Misbehaving, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first answer may be slow, for the model is loaded then; a second that is, too, is told."""
    monkeypatch.setattr("ops.commands.doctor.endpoints._SLOW", 0.1)
    slow, quick = Answer([0.15, *whole().steps]), whole()
    for answers, result in (([slow, quick], "ok"), ([slow, slow], "warn")):
        misbehaving.bodies.clear()
        monkeypatch.setitem(QUIRKS, "slow", lambda _body, number, answers=answers: answers[number])
        misbehaving.fault = "slow"
        found = await endpoints.llm(load(llm_base_url=misbehaving.url, llm_model="m"), None)
        assert (found.result, len(misbehaving.bodies)) == (result, 2), found


@pytest.mark.parametrize("models", MODELS)
async def test_doctor_reads_a_list_of_models_of_any_shape(misbehaving: Misbehaving, models: str) -> None:
    """Where the worker gets along with an endpoint's list of models, doctor finds nothing bad in it."""
    misbehaving.models = models
    finding = await endpoints.llm(load(llm_base_url=misbehaving.url, llm_model="m"), None)
    assert finding.result == ("ok" if models in ("", "names", "nulls") else "warn"), finding
    assert finding.found.removeprefix(misbehaving.url).strip()
