"""Settings: each variable documented, each wrong one named, no secret shown."""

import json
import os
import re
import threading
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.config import names
from schemas.config.beginning import begin
from schemas.config.settings import Settings, load, strangers, without_password
from schemas.errors import SettingsError
from tests.servers import own_logging

__all__ = ["own_logging"]

EXAMPLE = Path(__file__).parents[3] / ".env.example"


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of ours in the environment, no .env."""
    for name in set(os.environ) & {field.upper() for field in Settings.model_fields}:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def documented() -> dict[str, str]:
    return dict(re.findall(r"^#([A-Z_]+)=(.*)$", EXAMPLE.read_text("utf-8"), re.MULTILINE))


def test_every_variable_is_documented() -> None:
    """.env.example holds the settings' names, all of them and no others."""
    assert set(documented()) - names.OF_THE_TOOLS == {name.upper() for name in Settings.model_fields}


def test_the_documented_defaults_are_the_defaults(tmp_path: Path) -> None:
    """Uncommenting every line of .env.example changes nothing."""
    lines = [f"{name}={value}" for name, value in documented().items()]
    (tmp_path / ".env").write_text("\n".join(lines), "utf-8")
    assert load() == Settings(_env_file=None)


def test_a_copy_of_the_example_sets_nothing() -> None:
    """`cp .env.example .env` leaves `antiphon up` free to start its own log and LLM server."""
    Path(".env").write_bytes(EXAMPLE.read_bytes())
    assert load().model_fields_set == set()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("LLM_TIMEOUT", "abc", "LLM_TIMEOUT=abc: expected a number above 0 (left out: 10.0)"),
        ("GATEWAY_PORT", "99999", "GATEWAY_PORT=99999: expected a whole number from 0 to 65535 (left out: 8765)"),
        ("STT_DEVICE", "gpu", 'STT_DEVICE=gpu: expected one of "auto", "cpu", "cuda"'),
        ("REDIS_CLUSTER", "maybe", "REDIS_CLUSTER=maybe: expected true or false"),
        ("LEASE", "0.5", "LEASE=0.5: expected a number from 1 to 30 (left out: 2.0)"),
        ("LEASE", "61", "LEASE=61: expected a number from 1 to 30 (left out: 2.0)"),
        ("PARTITIONS", "0", "PARTITIONS=0: expected a whole number from 1 to 4096"),
        ("REDIS_URL", "localhost:6379", "REDIS_URL=localhost:6379: expected redis://host:port/0"),
        (
            "REDIS_URL",
            "redis://:s3/cr@t@host:6379/0",
            "REDIS_URL=redis://:…@host:6379/0: expected redis://:PASSWORD@host",
        ),
        ("LLM_BASE_URL", "127.0.0.1:8081", "LLM_BASE_URL=127.0.0.1:8081: expected http://host:port/v1"),
        ("WEBHOOK_URL", "crm.example.com", "WEBHOOK_URL=crm.example.com: expected https://host/path"),
        (
            "WEBHOOK_URL",
            "https://ann:pw@crm.example.com/x",
            "WEBHOOK_URL=https://ann:…@crm.example.com/x: expected https://host/path",
        ),
        ("WEBHOOK_AGENTS", "desk", "WEBHOOK_AGENTS=desk: expected agent=https://host/path or agent=off"),
        ("WEBHOOK_SECRET", "swordfish", "WEBHOOK_SECRET=(a secret): expected whsec_ and base64 of 24 to 64 bytes"),
        ("WEBHOOK_SECRET", "whsec_c2hvcnQ=", "WEBHOOK_SECRET=(a secret): expected whsec_ and base64 of 24 to 64 bytes"),
        ("SUMMARY_BASE_URL", "llm.example.com", "SUMMARY_BASE_URL=llm.example.com: expected http://host:port/v1"),
        ("RECORDINGS", "mp3", 'RECORDINGS=mp3: expected one of "off", "flac", "opus"'),
    ],
)
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    """The variable, what was found, what is expected."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_wrong_variables_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for each."""
    monkeypatch.setenv("LEASE", "-1")
    monkeypatch.setenv("DRAIN", "soon")
    with pytest.raises(SettingsError) as caught:
        load()
    assert [line.split("=")[0] for line in str(caught.value).splitlines()] == ["LEASE", "DRAIN"]


def test_a_variable_set_to_nothing_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files hand on empty variables: they leave the default."""
    for name in Settings.model_fields:
        monkeypatch.setenv(name.upper(), "")
    assert load() == Settings(_env_file=None)
    assert load().model_fields_set == set()


class AsTheLibrary(BaseSettings):
    """Some of ours, read by pydantic-settings."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore")

    llm_model: str = Settings.model_fields["llm_model"].default
    llm_timeout: float = 10.0
    stt_language: str = ""
    stt_complete: bool = True
    partitions: int | None = None
    agents: Path | None = None
    gateway_allowed_origins: str = ""
    api_agents: str = ""
    livekit_room: str = ""
    sip_address: str = ""
    livekit_api_key: str = ""
    tts_model: str = "tts-1"


def test_settings_are_read_as_pydantic_settings_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the quotes, the case and the spaces; the environment first, then the file."""
    Path(".env").write_text(
        "export LLM_MODEL='one # two'\n"
        "Llm_Timeout = 7.5 # seconds\n"
        "STT_LANGUAGE\n"
        'GATEWAY_ALLOWED_ORIGINS="https://a,\\thttps://b\\n"\n'
        "API_AGENTS=${STT_COMPLETE}-${NOBODY:-else}\n"
        "AGENTS=\n"
        'LIVEKIT_ROOM=["a", "b"]\n'
        "LIVEKIT_API_KEY=''\n"
        "TTS_MODEL=file\n"
        "sip_address=1.2.3.4\n"
        "Sip_Address\n"
        "OTHER=1\n",
        "utf-8",
    )
    for name, value in {"STT_COMPLETE": "off", "partitions": "3", "TTS_MODEL": "", "llm_timeout": ""}.items():
        monkeypatch.setenv(name, value)
    theirs, ours = AsTheLibrary(), load()
    assert {name: getattr(ours, name) for name in AsTheLibrary.model_fields} == theirs.model_dump()
    assert ours.model_fields_set == theirs.model_fields_set
    assert {"llm_model", "llm_timeout", "partitions", "stt_complete", "tts_model"} <= ours.model_fields_set
    assert (ours.llm_model, ours.tts_model, ours.livekit_room) == ("one # two", "file", '["a", "b"]')


def test_an_env_file_may_be_a_pipe() -> None:
    """A password manager's, which lies on no disk."""
    os.mkfifo(".env")
    writing = threading.Thread(target=lambda: Path(".env").write_text("LLM_MODEL=secret\n", "utf-8"), daemon=True)
    writing.start()
    assert load().llm_model == "secret"
    writing.join(10)


def test_a_typo_in_the_env_file_is_found() -> None:
    """A name that is nearly one of ours is refused; other programs' variables are none of our business."""
    Path(".env").write_text("COMPOSE_PROJECT_NAME=x\nSTT_MODLE=small.en\n")
    with pytest.raises(SettingsError, match=r"\.env: there is no setting STT_MODLE; did you mean STT_MODEL\?"):
        load()


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("GATEWAY_PROT", "GATEWAY_PORT"),
        ("LLM_URL", "LLM_BASE_URL"),
        ("STT_MODLE", "STT_MODEL"),
        ("REDIS_URI", "REDIS_URL"),
        ("API_HOSTS", "API_HOST"),
        ("AGENT", "AGENTS"),
        ("TTS_WHATEVER_ELSE", ""),
    ],
)
def test_a_typo_in_the_environment_is_told(name: str, near: str) -> None:
    """One line with the setting that may be meant, and without what the variable holds."""
    told = strangers({name: "hunter2", "GATEWAY_PORT": "8765", "HOME": "/root"})
    assert told == [f"environment: there is no setting {name}" + (f"; did you mean {near}?" if near else "")]


def test_each_of_several_typos_is_a_line() -> None:
    """None is overlooked behind another."""
    told = strangers({"GATEWAY_PROT": "1", "LLM_URL": "http://x"})
    assert [line.count("there is no setting") for line in told] == [1, 1]
    assert not [line for line in told if "\n" in line]


@pytest.mark.usefixtures("own_logging")
def test_a_process_says_them_in_its_log_first_of_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under its own name, a record each, in the form that is set."""
    monkeypatch.setenv("GATEWAY_PROT", "hunter2")
    monkeypatch.setenv("LLM_URL", "hunter2")
    begin(Settings(_env_file=None, log_format="json"), "gateway-1")  # type: ignore[call-arg]
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [one["message"] for one in told] == [
        "environment: there is no setting GATEWAY_PROT; did you mean GATEWAY_PORT?",
        "environment: there is no setting LLM_URL; did you mean LLM_BASE_URL?",
    ]
    assert {(one["process"], one["level"]) for one in told} == {("gateway-1", "warning")}


def test_what_others_set_is_no_typo() -> None:
    """Kubernetes' and Docker's own variables, our compose files', our tools', other programs', and what is set to nothing."""
    for service in ("REDIS", "GATEWAY", "API", "LLM_SERVER", "STT", "ANTIPHON_REDIS"):
        kubernetes = {
            f"{service}_SERVICE_HOST": "10.0.0.1", f"{service}_SERVICE_PORT": "1", f"{service}_SERVICE_PORT_HTTP": "1",
            f"{service}_PORT": "tcp://10.0.0.1:1", f"{service}_PORT_1_TCP": "tcp://10.0.0.1:1",
            f"{service}_PORT_1_TCP_PROTO": "tcp", f"{service}_PORT_1_TCP_PORT": "1", f"{service}_PORT_1_TCP_ADDR": "10.0.0.1",
        }  # fmt: skip
        assert strangers(kubernetes | {f"{service}_NAME": "/web/it", f"{service}_ENV_PATH": "/bin"}) == []
    compose = "".join(path.read_text("utf-8") for path in EXAMPLE.parent.glob("compose*.yml"))
    read = set(re.findall(r"\$\{([A-Z_]+)", compose))
    assert read >= names.OF_COMPOSE
    assert strangers(dict.fromkeys(read | set(documented()) | names.OF_THE_TOOLS, "x")) == []
    others = (
        "API_KEY",
        "API_TOKEN",
        "REDIS_HOST",
        "REDIS_PORT",
        "LIVEKIT_CONFIG",
        "SIP_OFFICE",
        "WORKER_CLASS",
        "SENTRY_RELEASE",
    )
    assert strangers(dict.fromkeys(others, "x") | {"GATEWAY_PROT": ""}) == []
    Path(".env").write_text("SIP_PORT=5060\n")
    assert load().sip_ports == Settings.model_fields["sip_ports"].default


def test_a_port_that_kubernetes_sets_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service called `gateway` sets GATEWAY_PORT to an address: the error says where that comes from."""
    monkeypatch.setenv("GATEWAY_PORT", "tcp://10.0.0.1:8765")
    with pytest.raises(SettingsError, match="Kubernetes sets it so for a service called gateway: enableServiceLinks"):
        load()


def test_an_env_file_in_another_encoding_is_named() -> None:
    """A broken .env is one sentence."""
    Path(".env").write_bytes(b"LLM_MODEL=\xff\n")
    with pytest.raises(SettingsError, match=r"\.env: byte 10 is not UTF-8"):
        load()


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither settings nor their errors print a key or a password."""
    monkeypatch.setenv("REDIS_URL", "redis://user:hunter2@host:1/0")
    monkeypatch.setenv("BLOB_URL", "rediss://:hunter2@host:1/0")
    for name in ("LLM_API_KEY", "STT_API_KEY", "TTS_API_KEY", "GATEWAY_TOKEN_SECRET"):
        monkeypatch.setenv(name, "hunter2")
    settings = load()
    assert "hunter2" not in repr(settings) + str(settings)
    assert "redis://user:…@host:1/0" in repr(settings)
    monkeypatch.setenv("BLOB_URL", "http://user:hunter2@host")
    with pytest.raises(SettingsError) as caught:
        load()
    assert "hunter2" not in str(caught.value)
    assert without_password("redis://host:6379/0") == "redis://host:6379/0"
    assert without_password("redis://host/0?db=1&password=hunter2&x=y") == "redis://host/0?db=1&password=…&x=y"
    assert without_password("https://host/v1?api-key=hunter2") == "https://host/v1?api-key=…"


def test_an_option_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command line says holds, and is named like its variable when wrong."""
    monkeypatch.setenv("GATEWAY_PORT", "1")
    assert load(gateway_port=2).gateway_port == 2
    with pytest.raises(SettingsError, match="GATEWAY_PORT=70000"):
        load(gateway_port=70000)
