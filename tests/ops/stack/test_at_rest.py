"""What lies on the disk, and what listens on loopback, is its user's alone."""

import asyncio
import contextlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import psutil
import pytest
import redis.asyncio
import soundfile
from redis.exceptions import AuthenticationError

from gateway.main import start_gateway
from ops.commands.doctor import machine
from ops.commands.doctor.log import examine as examine_log
from ops.stack import disk
from ops.stack.embedded.livekit import LiveKit, redis_configuration
from ops.stack.embedded.valkey import Valkey
from ops.stack.here import SHARED, Told, as_the_stack, running, settings_here, told_in, with_its_agents
from ops.stack.occupied import InUse, Occupied
from ops.stack.stack import Plan, Stack, StackError
from schemas.config.settings import Settings, load
from schemas.log import connect

CALLER = Path(__file__).parents[3] / "ops" / "demo" / "capital.flac"


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A folder of one's own, and the umask most people have."""
    for name in ("REDIS_URL", "LLM_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))
    before = os.umask(0o022)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """Files under `folder` that another user of the machine can reach and read."""
    found = []
    for path, folders, names in os.walk(folder):
        if not stat.S_IMODE(Path(path).stat().st_mode) & 0o077:
            folders.clear()  # whatever lies in there is out of reach
            continue
        found += [str(Path(path) / name) for name in names if stat.S_IMODE((Path(path) / name).stat().st_mode) & 0o077]
    return found


async def test_a_stack_leaves_nothing_to_others(tmp_path: Path) -> None:
    """Of all that a stack writes nothing can be read by another user, even where an older version left its folder open."""
    folder = tmp_path / "data" / "up"
    folder.mkdir(parents=True, mode=0o755)
    async with Stack(Plan(folder, gateways=0, stt=0, llm=0, tts=0, free_ports=True), load(llm_provider="simulated")):
        assert open_to_others(tmp_path / "data") == []
        assert {path.name for path in folder.iterdir()} >= {"stack.json", "lock", "logs", "valkey"}
    assert open_to_others(tmp_path / "data") == []


async def test_the_embedded_log_asks_for_a_password(tmp_path: Path) -> None:
    """Other users of the machine reach the embedded log's port and no further; this user's other commands find their way."""
    plan = Plan(tmp_path / "data" / "up", gateways=0, stt=0, llm=0, tts=0, free_ports=True)
    async with Stack(plan, load(llm_provider="simulated")) as stack:
        stranger = redis.asyncio.Redis(port=int(stack.redis_url.rpartition(":")[2].partition("/")[0]))
        with pytest.raises(AuthenticationError):
            await stranger.get("antiphon:partitions")
        await stranger.aclose()
        for process in stack.supervisor.processes:
            password = stack.redis_url.partition("://:")[2].partition("@")[0]
            assert len(password) >= 32
            assert password not in Path(f"/proc/{process.pid}/cmdline").read_text()  # noqa: ASYNC240
        shown = [json.dumps(stack.endpoints()), (plan.folder / "stack.json").read_text()]
        assert [text for text in shown if password in text] == []
        bus = connect(settings_here())
        await bus.start()
        await bus.aclose()
        assert settings_here(redis_url="redis://elsewhere:6379/0").redis_url == "redis://elsewhere:6379/0"
    assert running() is None


async def test_a_servers_password_survives_its_restarts(tmp_path: Path) -> None:
    """Who has the embedded log's URL keeps it: its password stays when the server is killed, and when it is begun anew."""
    first = Valkey(tmp_path / "valkey")
    await first.start()
    url, port = first.url, first.port
    await first.kill()
    async with Valkey(tmp_path / "valkey", port) as again:
        assert again.url == url
        client = redis.asyncio.Redis.from_url(url)
        assert await client.ping()
        await client.aclose()


def test_livekit_keeps_the_logs_password(tmp_path: Path) -> None:
    """LiveKit's configuration holds the log's password, and only its owner can read it, also where an older one lay open."""
    folder = tmp_path / "livekit"
    folder.mkdir()
    (folder / "livekit.yaml").write_text("{}")
    LiveKit(folder, "redis://:swordfish@127.0.0.1:6379/0", binary="livekit-server").arguments()
    assert redis_configuration("redis://:swordfish@127.0.0.1:6379/0")["password"] == "swordfish"
    for name in ("livekit.yaml", "keys.yaml"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name
    assert "swordfish" in (folder / "livekit.yaml").read_text()


def test_what_a_command_writes_is_its_users_alone(tmp_path: Path) -> None:
    """A command's files have no rights for others, whatever umask its shell has."""
    write = (
        "import sys; from ops import cli; sys.argv = ['antiphon', '--help']\ntry: cli.main()\nexcept SystemExit: pass\n"
    )
    write += "from ops.people.audio import write_stereo; from pathlib import Path; import numpy as np\n"
    write += "write_stereo(Path('call.wav'), np.zeros(9, 'i2'), np.zeros(9, 'i2'), 16000)"
    subprocess.run([sys.executable, "-c", write], check=True, cwd=tmp_path, stdout=subprocess.DEVNULL)
    assert soundfile.info(tmp_path / "call.wav").channels == 2
    assert stat.S_IMODE((tmp_path / "call.wav").stat().st_mode) == 0o600


def test_what_is_told_of_a_stack_has_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """stack.json can be shown to anybody, and is its owner's only; this user's other commands still have the whole URLs, while it
    runs. A file that a killed stack has left is none of a process that has its number now."""
    folder = tmp_path / "data" / "up"
    folder.mkdir(parents=True)
    urls = {"redis_url": "redis://me:swordfish@host:1/0", "llm_base_url": "http://host/v1?api_key=swordfish"}
    told = Told(folder)
    told.tell({"state": "starting", "processes": []} | urls)
    assert running() is None
    told.tell({"state": "running", "processes": [], "llm_model": "theirs"} | urls)
    assert "swordfish" not in (folder / "stack.json").read_text()
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert settings_here().redis_url == urls["redis_url"]
    assert (settings_here().llm_base_url, settings_here().llm_model) == (urls["llm_base_url"], "theirs")
    monkeypatch.setenv("LLM_MODEL", "ours")
    assert settings_here().llm_model == "ours"
    monkeypatch.setenv("LLM_BASE_URL", "http://other/v1")
    assert settings_here().llm_base_url == "http://other/v1"
    left = json.loads((folder / "stack.json").read_text())
    assert told_in(folder) == left
    (folder / "stack.json").write_text(json.dumps(left | {"born": left["born"] - 1}))
    assert told_in(folder) is running() is None
    told.take_back()
    assert list(folder.iterdir()) == []


def test_other_terminals_go_by_what_the_stack_was_started_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting that they don't name, and nothing of a stage of which they name the endpoint, or another provider; keys and
    passwords are told nobody."""
    (folder := tmp_path / "data" / "up").mkdir(parents=True)
    set_there = {
        "stt_model": "small",
        "stt_language": "de",
        "stt_complete": "false",
        "tts_provider": "openai",
        "lease": 5.0,
    }
    urls = {
        "redis_url": "redis://host:1/0", "llm_base_url": "http://host/v1",
        "tts_base_url": "http://me:swordfish@host/v1", "archive_url": "postgresql://me:swordfish@host/calls",
    }  # fmt: skip
    Told(folder).tell({"state": "running", "processes": [], "llm_model": "theirs"} | set_there | urls)
    assert "swordfish" not in (folder / "stack.json").read_text()
    taken = settings_here()
    assert {name: getattr(taken, name) for name in (*set_there, *urls)} == set_there | urls | {"stt_complete": False}
    assert as_the_stack(running(), load()) == taken.model_copy(update={"redis_url": load().redis_url})
    assert as_the_stack(None, load()) == load()
    monkeypatch.setenv("STT_MODEL", "base")
    assert (settings_here().stt_model, settings_here().stt_language) == ("base", "de")
    monkeypatch.setenv("TTS_PROVIDER", "piper")
    monkeypatch.setenv("ARCHIVE_URL", "sqlite:///here.sqlite")
    taken = settings_here()
    assert (taken.tts_base_url, taken.archive_url, taken.llm_model) == ("", "sqlite:///here.sqlite", "theirs")
    monkeypatch.setenv("TTS_PROVIDER", "openai")  # as the stack's
    monkeypatch.setenv("LLM_PROVIDER", "openai")
    taken = settings_here()
    assert (taken.tts_base_url, taken.llm_base_url) == (urls["tts_base_url"], urls["llm_base_url"])
    monkeypatch.setenv("LLM_PROVIDER", "simulated")
    assert settings_here().llm_base_url == Settings.model_fields["llm_base_url"].default


def test_a_worker_has_the_agents_of_the_stack_that_it_joins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or its replies would lack the tools that all others have; none where it has agents, or a log, of its own."""
    (folder := tmp_path / "data" / "up").mkdir(parents=True)
    told = {"state": "running", "processes": [], "redis_url": "redis://host:1/0", "llm_base_url": "http://host/v1"}
    Told(folder).tell(told | {"agents": ""})
    assert with_its_agents(settings_here()).agents is None
    Told(folder).tell(told | {"agents": "/there"})
    assert with_its_agents(settings_here()).agents == Path("/there")
    assert with_its_agents(settings_here(redis_url="redis://elsewhere:1/0")).agents is None
    monkeypatch.setenv("AGENTS", "/mine")
    assert with_its_agents(settings_here()).agents == Path("/mine")


async def test_a_stack_tells_what_is_set(tmp_path: Path) -> None:
    """What its processes have: of its own environment or of the plan's, and neither keys nor what nobody has set."""
    given = {"stt_model": "small", "tts_provider": "simulated", "llm_api_key": "swordfish"}
    plan = Plan(tmp_path / "up", environment={"TTS_PROVIDER": "openai", "STT_API_KEY": "swordfish"})
    shown = Stack(plan, Settings(_env_file=None, **given))._shown()  # type: ignore[arg-type]
    assert {name: shown[name] for name in SHARED if name in shown} == {"stt_model": "small", "tts_provider": "openai"}
    assert "swordfish" not in str(shown)


async def test_a_stack_tells_paths_that_hold_in_every_folder(tmp_path: Path) -> None:
    """Of what lies on this machine; names of models, and places elsewhere, as they are."""
    (tmp_path / "models" / "mine").mkdir(parents=True)
    for name in ("mine/model.bin", "voice.onnx"):
        (tmp_path / "models" / name).touch()

    def told(**given: str) -> tuple[str, ...]:
        shown = Stack(Plan(tmp_path / "up"), Settings(_env_file=None, **given))._shown()  # type: ignore[arg-type]
        return tuple(shown[name] for name in given)

    here, url = str(tmp_path), "sqlite:///kept/calls.sqlite"
    paths = told(stt_model="models/mine", tts_voice="models/voice.onnx#2", archive_url=url, archive_blobs="sound")
    assert paths == (
        f"{here}/models/mine", f"{here}/models/voice.onnx#2", f"sqlite:///{here}/kept/calls.sqlite", f"{here}/sound",
    )  # fmt: skip
    names = {
        "stt_model": "Systran/faster-whisper-small", "tts_voice": "en_US-joe-medium", "archive_blobs": "s3://calls/sound",
        "archive_url": "postgresql://host/calls",
    }  # fmt: skip
    assert told(**names) == tuple(names.values())
    assert told(archive_url=f"sqlite:///{here}/a.sqlite") == (f"sqlite:///{here}/a.sqlite",)


def test_a_clock_that_is_set_right_hides_no_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NTP, or a virtual machine that goes on after a pause, moves the moment at which the machine seems to have begun."""
    Told(tmp_path).tell({"state": "running"})
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: 1.0)
    found = told_in(tmp_path)
    assert found is not None
    assert found["pid"] == os.getpid()


# ── one at a time ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_folder_in_use_says_by_whom(tmp_path: Path) -> None:
    """A second stack in the same folder is told the first one's pid, and what to do."""
    first, second = Occupied(tmp_path), Occupied(tmp_path)
    await first.take(lambda _: None)
    first.say("running")
    with pytest.raises(InUse, match=rf"in use by another stack \(pid {os.getpid()}\); .*kill {os.getpid()}\)"):
        await second.take(lambda _: None)
    assert not second.try_to_take("reading")
    first.leave()
    await second.take(lambda _: None)
    second.leave()


async def test_one_that_is_stopping_is_waited_for(tmp_path: Path) -> None:
    """A stack begun while another still stops in its folder says so, waits, and goes on."""
    first, second = Occupied(tmp_path), Occupied(tmp_path)
    told: list[str] = []
    await first.take(told.append)
    first.say("stopping")
    beginning = asyncio.create_task(second.take(told.append))
    while not told:
        await asyncio.sleep(0)
    assert f"(pid {os.getpid()}) is still stopping" in told[0]
    first.leave()
    await beginning
    second.leave()
    assert len(told) == 1


async def test_a_log_server_left_behind_is_waited_for(tmp_path: Path) -> None:
    """Two log servers never share a folder: after a stack was killed, the next one waits for the server it left."""
    first = Occupied(tmp_path)
    await first.take(lambda _: None)
    left = await asyncio.create_subprocess_exec("sleep", "600", pass_fds=[first.descriptor])
    gone = await asyncio.create_subprocess_exec("true")
    await gone.wait()
    (tmp_path / "lock").write_text(json.dumps({"pid": gone.pid, "doing": "running"}))
    first.leave()  # as the kernel does for a killed process
    told: list[str] = []
    second = Occupied(tmp_path)
    beginning = asyncio.create_task(second.take(told.append))
    while not told:
        await asyncio.sleep(0)
    assert not beginning.done()
    left.kill()
    await left.wait()
    await beginning
    second.leave()


# ── a full disk ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB. Skipped where this user may not mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no small disk can be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> None:
    with (folder / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return


async def test_a_full_disk_is_said_before_anything_starts(small_disk: Path) -> None:
    """A stack whose data folder is on a full disk doesn't start, and says so with the folder and what to do."""
    (small_disk / "up").mkdir()
    fill(small_disk)
    with pytest.raises(StackError, match=r"the disk of .*up is full \(No space left on device\).*ANTIPHON_DATA"):
        async with Stack(Plan(small_disk / "up", free_ports=True), load()):
            pass


async def test_a_disk_that_fills_up_is_told_when_the_log_dies_of_it(small_disk: Path) -> None:
    """A log server that dies because its disk has become full is told as that, each time it is started again."""
    deaths: list[str] = []
    folder = small_disk / "up"
    plan = Plan(
        folder,
        gateways=0,
        stt=0,
        llm=0,
        tts=0,
        free_ports=True,
        on_restart=lambda _: deaths.append(disk.trouble(folder)),
    )
    async with Stack(plan, load(llm_provider="simulated")) as stack:
        client = redis.asyncio.Redis.from_url(stack.redis_url)
        fill(small_disk)
        with pytest.raises(redis.exceptions.RedisError):
            await client.set("sound", b"x" * 100_000)
        while not deaths:
            await asyncio.sleep(0.02)
        await client.aclose()
        (small_disk / "ballast").unlink()
    assert "is full" in deaths[0]


@pytest.mark.models
async def test_a_log_that_lives_on_with_a_full_disk_is_named_as_that(small_disk: Path) -> None:
    """A log server that goes on without its disk (everysec): a gateway's health page and doctor say so in one sentence."""
    async with Valkey(small_disk / "valkey", appendfsync="everysec") as server:
        settings = load(redis_url=server.url, gateway_port=0, health_port=0)
        bus = connect(settings)
        await bus.start()
        gateway = await start_gateway(settings, bus)
        fill(small_disk)
        client = redis.asyncio.Redis.from_url(server.url)
        with contextlib.suppress(redis.exceptions.RedisError):
            await client.set("sound", b"x" * 100_000)
        while not gateway.reception.leases.problem:
            await asyncio.sleep(0.02)
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://127.0.0.1:{gateway.health.port}/readyz") as answer,
        ):
            assert answer.status == 503
            (said,) = (await answer.json())["because"]
        found = {finding.check: finding async for finding in examine_log(settings, None)}
        (small_disk / "ballast").unlink()
        while gateway.reception.leases.problem:
            await asyncio.sleep(0.02)
        await client.aclose()
        await gateway.aclose()
        await bus.aclose()
    assert "can't write to its disk" in said
    assert "No space left on device" in said
    assert "free some space" in said
    assert found["persistence"].result == "bad"


def test_doctor_looks_at_the_disk(small_disk: Path) -> None:
    """The disk on which a stack keeps its data is a finding of its own: little left is a warning, nothing left is bad."""
    assert (machine.disk(small_disk / "not" / "there").result, machine.disk(small_disk).result) == ("warn", "warn")
    fill(small_disk)
    full = machine.disk(small_disk / "not" / "there")
    assert full.result == "bad"
    assert "is full" in full.found
    assert not (small_disk / "not").exists()
