"""What `make setup` installs: everything by hash, nothing by address, no torch."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from ops.locks import licences
from ops.locks.pip_settings import pip_settings, uv_environment

LOCKS = sorted((Path(__file__).parents[3] / "ops" / "locks").glob("*.lock"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_a_lock_pins_by_hash_and_names_no_address(lock: Path) -> None:
    """Every line pins one version and its hashes; where it comes from is the machine's affair."""
    text = lock.read_text()
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE)
    entries = text.replace("\\\n", " ").splitlines()
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9][a-z0-9._-]*==\S+( ; .*?)?\s+--hash=sha256:[0-9a-f]{64}", entry), entry


def test_no_torch() -> None:
    """The weight packages' heavy dependencies stay away."""
    pinned = {name for lock in LOCKS for name in licences.locked(lock.stem)}
    assert not pinned & {"torch", "torchaudio", "numba", "llama-cpp-python", "transformers"}
    assert find_spec("torch") is None


def test_every_locked_package_has_a_licence_on_the_page() -> None:
    """docs/licences.md names each package; `make licences` writes it anew."""
    page = (licences.ROOT / "docs" / "licences.md").read_text()
    missing = [row for row in licences.web_rows() if row not in page]
    missing += [row for lock in licences.LOCKS for row in licences.rows(lock) if row.split(" | ")[0] not in page]
    assert missing == []
    assert "not stated" not in page


def test_pips_settings_hold_for_uv(tmp_path: Path) -> None:
    """An index configured for pip is the one uv asks; the environment wins over the files."""
    listing = "\n".join(
        [
            "global.index-url='https://files.example/simple'",
            "global.cert='/etc/ssl/own.crt'",
            "install.trusted-host='a.example\\nb.example'",
            ":env:.index-url='https://env.example/simple'",
            f":env:.find-links='{tmp_path} {tmp_path}/gone file:///more'",
            "download.index-url='https://not.example'",
            "global.no-index='false'",
        ]
    )
    assert uv_environment(pip_settings(listing)) == {
        "UV_DEFAULT_INDEX": "https://env.example/simple",
        "SSL_CERT_FILE": "/etc/ssl/own.crt",
        "UV_INSECURE_HOST": "a.example b.example",
        "UV_FIND_LINKS": f"{tmp_path},file:///more",
    }
