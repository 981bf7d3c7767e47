"""What `antiphon doctor` says about phones, before anybody calls."""

import socket
from pathlib import Path

import pytest

from ops.commands.doctor import phones
from ops.commands.doctor.findings import Finding
from ops.stack.system import free_port
from schemas.config.settings import Settings
from tests.gateway.rooms.sip.conftest import AGENTS, LOOPBACK


def findings(folder: Path, trunks: str | None = LOOPBACK, ours: str = "", **settings: object) -> dict[str, Finding]:
    """By what was checked; the last one of each."""
    file = folder / "trunks.toml"
    file.write_text(trunks or "")
    values = {"sip_listen": f"127.0.0.1:{free_port()}", "agents": AGENTS, **settings}
    one = Settings(sip_trunks=file if trunks is not None else None, _env_file=None, **values)  # type: ignore[arg-type]
    return {finding.check: finding for finding in phones.examine(one, ours)}


def test_all_is_well(tmp_path: Path) -> None:
    """A port that is free and a trunk file whose numbers are answered are found well; phones are nothing one must have."""
    found = findings(tmp_path, LOOPBACK.replace(', "unknown" = "nobody"', ""))
    assert [finding.result for finding in found.values()] == ["ok", "ok"]
    assert findings(tmp_path, sip_listen="")["phones"].result == "ok"
    assert "0.0.0.0:5060" in findings(tmp_path, sip_listen="", ours="0.0.0.0:5060")["phones"].found


@pytest.mark.parametrize(
    ("trunks", "settings", "check", "result", "said"),
    [
        (LOOPBACK, {"sip_listen": "5060"}, "phones", "bad", "expected host:port"),
        (LOOPBACK, {"sip_ports": "1-2"}, "phones", "bad", "SIP_PORTS=1-2"),
        (None, {}, "trunks", "warn", "nobody may call"),
        ("[[trunk]", {}, "trunks", "bad", "not TOML"),
        (LOOPBACK, {}, "trunks", "bad", 'no agent "nobody" for number unknown'),
        (LOOPBACK + 'outbound = { server = "sip.example" }\n', {}, "nat", "warn", "127.0.0.1 is no address of the"),
    ],
)
def test_what_is_wrong(
    tmp_path: Path, trunks: str | None, settings: dict[str, object], check: str, result: str, said: str
) -> None:
    """Each is named, and what to change."""
    finding = findings(tmp_path, trunks, **settings)[check]
    assert finding.result == result
    assert said in finding.found


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_port_that_is_taken(tmp_path: Path, kind: int) -> None:
    """Somebody else on the port, by UDP or TCP, is bad; the running stack is not."""
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        assert findings(tmp_path, sip_listen=listen)["phones"].result == "bad"
        assert findings(tmp_path, sip_listen=listen, ours=listen)["phones"].result == "ok"
