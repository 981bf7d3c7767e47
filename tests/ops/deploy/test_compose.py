"""compose.yml without a Docker engine: its form, its promises, and every command started as the process it would be."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import redis.asyncio
import yaml
from livekit import api as livekit_api

from api import built
from ops.stack import condition
from ops.stack.embedded.livekit import LiveKit, pinned_version
from ops.stack.embedded.valkey import Valkey
from ops.stack.system import free_port, free_udp_port
from schemas.access.livekit import Access
from schemas.config.settings import Settings

ROOT = Path(__file__).parents[3]
ANTIPHON = ("gateway", "api", "jobs", "stt", "llm", "tts", "llm-server")
POOLS = ("stt", "llm", "tts")
STARTED = (("gateway",), ("api",), ("jobs",), ("stt",), ("llm-server", "llm"), ("tts",))
"""Services that are started by themselves, and that one which needs another behind it."""
NOT_HANDED_ON = {
    "API_WEB": "the image has the app",
    "DRAIN": "stop_grace_period goes with it",
    "GATEWAY_ID": "several gateways would have one name",
    "AGENTS": "a folder of the machine, mounted",
    "SIP_TRUNKS": "a file of the machine, mounted",
    "SIP_LISTEN": "its port is published: SIP_PORT",
    "SIMULATE_LLM_API_KEY": "simulated callers are run by hand, and in CI",
}
"""Settings that containers do not take from outside, and why."""
MADE_OF = {"GATEWAY_ALLOWED_ORIGINS": "the API's own pages come first"}
"""Settings that reach a container with something added, and what."""
GIVEN = {
    "GATEWAY_TOKEN_SECRET": {"gateway", "telephone", "api"},
    "LIVEKIT_API_SECRET": {"gateway", "telephone", "api"},
    "LLM_API_KEY": {"llm", "jobs"},
    "STT_API_KEY": {"stt"},
    "TTS_API_KEY": {"tts"},
    "ARCHIVE_URL": {"api", "jobs"},
    "JOBS_REDIS_URL": {"api", "jobs"},
    "SUMMARY_API_KEY": {"jobs"},
    "WEBHOOK_SECRET": {"jobs"},
}
"""Secrets, and who is told them."""
SECRET = "0123456789abcdef0123456789abcdef"

PASSWORD = "f00d" * 12
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<kind>:[-?])(?P<text>(?:[^{}]|\{[^{}]*\})*))?\}")


SECRETS = {"GATEWAY_TOKEN_SECRET": SECRET, "REDIS_PASSWORD": PASSWORD}
"""What somebody must set."""


def interpolate(value: Any, variables: Mapping[str, str]) -> Any:
    """`${NAME}`, `${NAME:-default}` and `${NAME:?message}` as Compose fills them in, one within another; `$$` is `$`."""
    if isinstance(value, dict):
        return {key: interpolate(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolate(item, variables) for item in value]
    if not isinstance(value, str):
        return value

    def fill(match: re.Match[str]) -> str:
        if found := variables.get(match["name"]):
            return found
        if match["kind"] == ":?":
            raise KeyError(f"{match['name']}: {match['text']}")
        return _VARIABLE.sub(fill, match["text"] or "")

    return _VARIABLE.sub(fill, value).replace("$$", "$")


def services(**variables: str) -> dict[str, Any]:
    """The services as Compose would start them with these variables set."""
    found: dict[str, Any] = interpolate(written(), SECRETS | variables)["services"]
    return found


@cache
def written() -> dict[str, Any]:
    """compose.yml, read once; nobody alters it."""
    file: dict[str, Any] = yaml.safe_load((ROOT / "compose.yml").read_text())
    return file


@contextmanager
def started(service: Mapping[str, Any], folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, str]]]:
    """The service's command as a process that sees the file's environment and no other."""
    scripts = sysconfig.get_path("scripts")
    mounted = {volume.split(":")[1] for volume in service.get("volumes", ())}
    given = {name: str(folder) if value in mounted else str(value) for name, value in service["environment"].items()}
    environment = {"PATH": f"{scripts}:/usr/bin:/bin", **given}
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [f"{scripts}/antiphon", *service["command"]],
            env=environment,
            cwd=folder,
            stdout=output,
            stderr=output,
        )
        try:
            yield process, environment
        except BaseException:  # pytest's own, of a test whose time runs out, too
            print((folder / "output").read_text())
            raise
        finally:
            process.kill()
            process.wait()


def becomes_healthy(
    process: subprocess.Popen[bytes], service: Mapping[str, Any], environment: Mapping[str, str], folder: Path
) -> None:
    """Waits until the service's own health check passes, or the test's time runs out. It is a process, so the page it asks is
    looked at here first."""
    form, program, *arguments = service["healthcheck"]["test"]
    assert (form, program) == ("CMD", "python")
    [page] = re.findall(r"http://[^']+", arguments[-1])
    while True:
        output = (folder / "output").read_text()
        assert process.poll() is None, f"it ended with {process.returncode}:\n{output}"
        if condition.ask(page).ready:
            check = subprocess.run(
                [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
            )
            if check.returncode == 0:
                return
        time.sleep(0.05)


def test_it_has_the_form_the_specification_asks() -> None:
    """compose.yml is valid by the Compose Specification's own schema."""
    schema = json.loads(Path(__file__).with_name("compose-spec.json").read_text())
    file = yaml.safe_load((ROOT / "compose.yml").read_text())
    jsonschema.Draft202012Validator(schema).validate(file)
    jsonschema.Draft202012Validator(schema).validate(interpolate(file, SECRETS))


def test_an_unknown_key_is_refused_by_the_schema() -> None:
    """The check above can fail."""
    schema = json.loads(Path(__file__).with_name("compose-spec.json").read_text())
    file = yaml.safe_load((ROOT / "compose.yml").read_text())
    file["services"]["stt"]["comand"] = ["worker", "stt"]
    with pytest.raises(jsonschema.ValidationError, match="comand"):
        jsonschema.Draft202012Validator(schema).validate(file)


def test_every_pool_scales() -> None:
    """`--scale stt=4` works: no pool has a name or a host port that a second container would collide with."""
    for name in (*POOLS, "llm-server"):
        assert not {"container_name", "ports", "hostname"} & set(services()[name]), name
    assert "container_name" not in services()["gateway"]


def test_the_gateway_needs_a_secret() -> None:
    """Nobody gets a gateway on the network with a secret that stands in a public file."""
    with pytest.raises(KeyError, match="32 or more random characters"):
        services(GATEWAY_TOKEN_SECRET="")
    assert "127.0.0.1:8765:8765" in services()["gateway"]["ports"]


def test_the_log_needs_a_password() -> None:
    """Whoever gets into the network of the containers is asked for a password by the log, and everybody of ours knows it."""
    with pytest.raises(KeyError, match="REDIS_PASSWORD"):
        services(REDIS_PASSWORD="")
    found = services()
    assert all(PASSWORD not in part for part in found["redis"]["command"])  # a command line can be read by everybody
    for name in ("gateway", "api", *POOLS):
        assert found[name]["environment"]["REDIS_URL"] == f"redis://:{PASSWORD}@redis:6379/0", name
    assert services(REDIS_URL="redis://other:6379/1")["stt"]["environment"]["REDIS_URL"] == "redis://other:6379/1"


def test_no_container_has_rights_it_does_not_need() -> None:
    """Every service, LiveKit's and the phones' too, drops all capabilities and can gain none; none is privileged."""
    for name, service in services().items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not {"privileged", "cap_add", "pid", "network_mode"} & set(service), name


def test_every_variable_is_one_we_read() -> None:
    """Each name in an environment is a setting, so that none is silently ignored."""
    known = {name.upper() for name in Settings.model_fields}
    for name in (*ANTIPHON, "telephone"):
        assert set(services()[name]["environment"]) <= known, name


def environment_of(name: str, dotenv: Mapping[str, str]) -> dict[str, str]:
    """What a service's process sees where `.env` says so: Compose fills the file in from it, and hands it on by `env_file`."""
    return environment_in(services(**dotenv)[name], dotenv)


def environment_in(service: Mapping[str, Any], dotenv: Mapping[str, str]) -> dict[str, str]:
    paths = [file["path"] for file in service["env_file"]]
    return {**(dotenv if ".env" in paths else {}), **service["environment"]}


EXAMPLE = re.findall(r"^#?([A-Z][A-Z_]*)=", (ROOT / ".env.example").read_text(), re.MULTILINE)


@pytest.mark.parametrize("variable", EXAMPLE)
def test_every_variable_of_the_example_reaches_its_services(variable: str) -> None:
    """Set in `.env` it is what every process of ours sees; secrets reach only those whose they are; what containers have of
    their own is named above, with the reason."""
    value = "wss://set-in-dotenv" if variable in ("LIVEKIT_URL", "LIVEKIT_PUBLIC_URL") else "set-in-dotenv"
    found, dotenv = services(**{variable: value}), {variable: value}
    seen = {name: environment_in(found[name], dotenv) for name in (*ANTIPHON, "telephone") if name != "llm-server"}
    if variable in NOT_HANDED_ON:
        assert all(value not in environment.get(variable, "") for environment in seen.values())
        return
    told = {name for name, environment in seen.items() if value in environment.get(variable, "")}
    assert told == GIVEN.get(variable, set(seen) - _of_its_own(variable)), variable
    exact = {environment[variable] for name, environment in seen.items() if name in told}
    assert exact == {value} or variable in MADE_OF


def _of_its_own(variable: str) -> set[str]:
    """The second gateway has an address, and a port for sound, that the first has not."""
    return {"telephone"} if variable == "GATEWAY_PUBLIC_URL" else set()


def test_what_is_no_setting_of_ours_reaches_providers_of_others() -> None:
    """A package's provider has its key from `.env`, too; the example LLM server, which needs nothing, sees nothing."""
    for name in POOLS:
        assert environment_of(name, {"ELSEWHERE_API_KEY": "k"})["ELSEWHERE_API_KEY"] == "k"
    assert services()["llm-server"]["env_file"] == []
    for name in ("redis", "livekit", "sip"):
        assert "env_file" not in services()[name]


def test_a_first_download_is_waited_for() -> None:
    """Who fetches a model, or whose endpoint loads one, has twenty minutes before it counts as ill; whoever is ready counts."""
    for name in POOLS:
        assert services()[name]["healthcheck"]["start_period"] == "20m", name
    assert "models:/home/antiphon/.cache" in services()["stt"]["volumes"]


def test_memory_is_asked_for() -> None:
    """Each process of ours says what it is seen to need, without a bound that a larger model would break."""
    for name in ANTIPHON:
        resources = services()[name]["deploy"]["resources"]
        assert set(resources) == {"reservations"}, name
        assert re.fullmatch(r"\d+m", resources["reservations"]["memory"])


def test_the_overlay_gives_hearing_a_card() -> None:
    """compose.gpu.yml is valid, changes only what compose.yml has, and its image brings what CTranslate2 loads."""
    file = yaml.safe_load((ROOT / "compose.gpu.yml").read_text())
    schema = json.loads(Path(__file__).with_name("compose-spec.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(interpolate(file, {}))
    overlay = interpolate(file, {})["services"]
    assert set(overlay) == {"stt"}
    known = {name.upper() for name in Settings.model_fields}
    assert set(overlay["stt"]["environment"]) <= known
    assert overlay["stt"]["environment"]["STT_DEVICE"] == "cuda"
    (device,) = overlay["stt"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    text = (ROOT / "ops/deploy/docker/Dockerfile").read_text()
    for argument in overlay["stt"]["build"]["args"]:
        assert f"ARG {argument}\n" in text
    assert overlay["stt"]["image"] != services()["stt"]["image"]  # else building one would give everybody the other


def test_agents_that_are_saved_reach_calls() -> None:
    """API and gateways read one folder of the machine, ./agents or the one that AGENTS names; the voice has ./voices likewise."""
    assert services()["tts"]["volumes"] == ["./voices:/voices:ro"]
    for variables, source in (({}, "./agents"), ({"AGENTS": "./mine"}, "./mine")):
        found = services(**variables)
        for name in ("api", "gateway", "telephone"):
            assert found[name]["environment"]["AGENTS"] == "/agents"
            assert f"{source}:/agents" in found[name]["volumes"], name
    assert re.search(r"install -d -o antiphon .*/agents\b", (ROOT / "ops/deploy/docker/Dockerfile").read_text())


def test_phones_reach_the_gateway_that_answers_them() -> None:
    """On request there is a gateway with a trunk file whose ports for signals and sound are those it says in its calls."""
    found = services(SIP_PORT="5070", SIP_PORTS="30000-30099", SIP_TRUNKS="./mine.toml", SIP_ADDRESS="192.0.2.7")[
        "telephone"
    ]
    told = found["environment"]
    assert found["profiles"] == ["trunks"]
    assert (told["SIP_LISTEN"], told["SIP_PORTS"]) == ("0.0.0.0:5070", "30000-30099")
    assert told["SIP_ADDRESS"] == "192.0.2.7"
    assert {"5070:5070/udp", "5070:5070/tcp", "30000-30099:30000-30099/udp"} < set(found["ports"])
    assert f"./mine.toml:{told['SIP_TRUNKS']}:ro" in found["volumes"]
    usual = services()["telephone"]["environment"]
    first, last = map(int, usual["SIP_PORTS"].split("-"))
    assert int(usual["SIP_CALLS"]) * 2 <= last - first + 1  # two a call
    assert told["GATEWAY_PUBLIC_URL"] != services()["gateway"]["environment"]["GATEWAY_PUBLIC_URL"]


@pytest.mark.parametrize("name", ANTIPHON)
def test_its_environment_is_accepted(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The defaults of the file are values the settings accept."""
    for variable in list(os.environ):
        if variable.lower() in Settings.model_fields:
            monkeypatch.delenv(variable)
    for variable, value in services()[name]["environment"].items():
        monkeypatch.setenv(variable, value)
    monkeypatch.chdir(tmp_path)
    Settings()


def test_what_builds_the_image_is_there() -> None:
    """The Dockerfile copies files that exist and are not left out by .dockerignore."""
    build = services()["gateway"]["build"]
    text = (ROOT / build["context"] / build["dockerfile"]).read_text()
    for lock in re.findall(r"ops/locks/\w+\.lock", text):
        assert (ROOT / lock).is_file(), lock
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for folder in ("schemas", "gateway", "workers", "api", "ops", "web", "pyproject.toml"):
        assert f"!{folder}" in ignored


def test_the_image_has_the_app_where_the_api_looks() -> None:
    """The built app is copied to where an installed API finds it, and what builds it is not what lies around here."""
    build = services()["api"]["build"]
    text = (ROOT / build["context"] / build["dockerfile"]).read_text()
    prefix = re.search(r"^COPY --from=build (\S+) \1$", text, re.MULTILINE)
    app = re.search(r"^COPY --from=web /src/web/dist (\S+)$", text, re.MULTILINE)
    assert prefix
    assert app
    here = built._PLACES[1].relative_to(sys.prefix)
    assert app[1] == f"{prefix[1]}/{here}"
    for name in re.findall(r"^COPY ((?:web|ops)\S*(?: web\S*)*) web/?\S*$", text, re.MULTILINE):
        assert all((ROOT / path).exists() for path in name.split()), name
    assert {"web/node_modules", "web/dist"} <= set((ROOT / ".dockerignore").read_text().splitlines())


def test_the_apps_pages_reach_gateway_and_livekit() -> None:
    """The pages of the published API may connect to the published gateway; what an operator sets is handed out."""
    found = services()
    origins = found["gateway"]["environment"]["GATEWAY_ALLOWED_ORIGINS"].split(",")
    assert found["api"]["ports"] == ["127.0.0.1:8080:8080"]
    assert origins[:2] == ["http://127.0.0.1:8080", "http://localhost:8080"]
    assert found["gateway"]["environment"]["GATEWAY_PUBLIC_URL"] == "ws://127.0.0.1:8765/ws"
    told = {
        "API_PUBLIC_URL": "https://voice.example", "GATEWAY_ALLOWED_ORIGINS": "https://other.example",
        "GATEWAY_PUBLIC_URL": "wss://voice.example/ws", "LIVEKIT_PUBLIC_URL": "wss://rooms.example",
    }  # fmt: skip
    found = services(**told)
    assert found["gateway"]["environment"]["GATEWAY_ALLOWED_ORIGINS"] == "https://voice.example,https://other.example"
    assert found["gateway"]["environment"]["GATEWAY_PUBLIC_URL"] == "wss://voice.example/ws"
    assert found["api"]["environment"]["API_PUBLIC_URL"] == "https://voice.example"
    for name in ("gateway", "api"):
        assert found[name]["environment"]["LIVEKIT_PUBLIC_URL"] == "wss://rooms.example", name


def test_livekit_is_reachable_from_outside() -> None:
    """Its ports for sound are open to others, at the address that an operator names, and signals where they say."""
    found = services(LIVEKIT_NODE_IP="192.0.2.7", LIVEKIT_PUBLISH="7880")["livekit"]
    configuration = yaml.safe_load(found["environment"]["LIVEKIT_CONFIG"])
    assert configuration["rtc"]["node_ip"] == "192.0.2.7"
    tcp, udp = configuration["rtc"]["tcp_port"], configuration["rtc"]["udp_port"]
    assert found["ports"] == [f"7880:{configuration['port']}", f"{tcp}:{tcp}", f"{udp}:{udp}/udp"]


async def test_the_log_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    """The redis service's command is one the server accepts, it syncs each write, and asks for the password."""
    service = services()["redis"]
    port = free_port()
    (tmp_path / "valkey-server").symlink_to(Valkey(tmp_path / "other").arguments()[0])
    shell, option, script = service["command"]
    process = await asyncio.create_subprocess_exec(
        shell, option, script.replace("valkey-server -", f"valkey-server - --port {port}"), cwd=tmp_path,
        env=service["environment"] | {"PATH": f"{tmp_path}:/usr/bin:/bin"}, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    client = redis.asyncio.Redis(port=port, password=PASSWORD)
    try:
        for _ in range(100):
            try:
                await client.ping()
                break
            except redis.exceptions.ConnectionError:
                await asyncio.sleep(0.05)
        assert await client.config_get("append*", "maxmemory-policy") == {
            "appendonly": "yes",
            "appendfsync": "always",
            "appendfilename": "appendonly.aof",
            "appenddirname": "appendonlydir",
            "maxmemory-policy": "noeviction",
        }
        stranger = redis.asyncio.Redis(port=port)
        with pytest.raises(redis.exceptions.AuthenticationError):
            await stranger.ping()
        await stranger.aclose()
        process.terminate()  # the shell has become the server: it hears that, and has everything on disk
        async with asyncio.timeout(10):
            assert await process.wait() == 0
        assert PASSWORD not in json.dumps(service["command"])
    finally:
        await client.aclose()
        if process.returncode is None:
            process.kill()
        await process.wait()


def test_rooms_and_phones_are_asked_for() -> None:
    """A plain `docker compose up` starts no LiveKit and opens no SIP port; their images are pinned or named by a variable."""
    assert services()["livekit"]["profiles"] == ["livekit"]
    assert services()["sip"]["profiles"] == ["phones"]
    for name in ("livekit", "sip"):
        assert re.search(r":v\d+\.\d+\.\d+$", services()[name]["image"]), name
    everything = {name for name, service in services().items() if not service.get("profiles")}
    assert everything == {"redis", *ANTIPHON}


async def test_livekit_starts_with_its_configuration(valkey: Valkey, livekit: LiveKit, tmp_path: Path) -> None:
    """The configuration in the file is one the pinned server accepts, with the gateway's key and our Redis."""
    variables = {"LIVEKIT_API_KEY": "key", "LIVEKIT_API_SECRET": SECRET, "LIVEKIT_NODE_IP": "127.0.0.1"}
    variables |= {"LIVEKIT_REDIS": f"127.0.0.1:{valkey.port}", "REDIS_PASSWORD": valkey.password}
    service = services(**variables)["livekit"]
    assert service["image"].endswith(f":v{pinned_version()}")
    configuration = yaml.safe_load(service["environment"]["LIVEKIT_CONFIG"])
    ports = {"port": free_port(), "rtc": configuration["rtc"] | {"tcp_port": free_port(), "udp_port": free_udp_port()}}
    environment = {"LIVEKIT_CONFIG": json.dumps(configuration | ports), "PATH": "/usr/bin:/bin"}
    binary = livekit.arguments()[0]
    process = await asyncio.create_subprocess_exec(
        binary, env=environment, cwd=tmp_path, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        entry = Access(f"ws://127.0.0.1:{ports['port']}", "key", SECRET)
        async with entry.client() as client:
            for _ in range(200):
                try:
                    await client.sip.list_inbound_trunk(livekit_api.ListSIPInboundTrunkRequest())
                    break
                except OSError:
                    await asyncio.sleep(0.05)
            else:
                pytest.fail("it never answered")
    finally:
        process.kill()
        await process.wait()


def test_the_bridge_is_told_where_everything_is() -> None:
    """The bridge's configuration has the server's key and Redis, the address phones reach, and just the ports that are open."""
    variables = {"LIVEKIT_API_KEY": "key", "LIVEKIT_API_SECRET": SECRET, "LIVEKIT_NODE_IP": "192.0.2.7"}
    found = services(**variables)
    told = yaml.safe_load(found["sip"]["environment"]["SIP_CONFIG_BODY"])
    server = yaml.safe_load(found["livekit"]["environment"]["LIVEKIT_CONFIG"])
    assert told["redis"] == server["redis"]
    assert {told["api_key"]: told["api_secret"]} == server["keys"]
    assert told["ws_url"] == f"ws://livekit:{server['port']}"
    assert told["nat_1_to_1_ip"] == server["rtc"]["node_ip"] == "192.0.2.7"
    port, sound = told["sip_port"], told["rtp_port"]
    assert found["sip"]["ports"] == [f"{port}:{port}/udp", f"{port}:{port}/tcp", f"{sound}:{sound}/udp"]


@pytest.mark.models
@pytest.mark.timeout(120)
@pytest.mark.parametrize("names", STARTED, ids="+".join)
async def test_it_starts(names: tuple[str, ...], valkey: Valkey, tmp_path: Path) -> None:
    """Each service starts with just the environment the file gives it (and what it needs: a log, an LLM server), passes its own
    health check, and ends on SIGTERM."""
    ports = {key: str(free_port()) for key in ("HEALTH_PORT", "GATEWAY_PORT", "API_PORT", "LLM_SERVER_PORT")}
    ports["LLM_BASE_URL"] = f"http://127.0.0.1:{ports['LLM_SERVER_PORT']}/v1" if "llm" in names else ""
    await _start_and_end([*names], services(REDIS_URL=valkey.url, **ports), tmp_path)


def test_all_of_them_are_started() -> None:
    """The test above leaves none out."""
    assert sorted(name for names in STARTED for name in names) == sorted(ANTIPHON)


async def _start_and_end(names: list[str], found: Mapping[str, Any], folder: Path) -> None:
    """The first of them, the others while it runs, its end."""
    name, *rest = names
    (folder / name).mkdir()
    with started(found[name], folder / name) as (process, environment):
        await asyncio.to_thread(becomes_healthy, process, found[name], environment, folder / name)
        if rest:
            await _start_and_end(rest, found, folder)
        process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(process.wait, 25)
        assert code in (0, -signal.SIGTERM), (folder / name / "output").read_text()
