"""Addresses of a server."""

import ssl

import pytest
from redis.asyncio.connection import parse_url

from schemas.log._address import Address


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis://localhost",
        "redis://10.0.0.1:7000/3",
        "redis://:s%2Fec%40ret@h:1/0",
        "redis://ann:secret@h",
        "redis://ann@h/2",
        "redis://h?db=5",
        "redis://h/2?db=5",
        "redis://[::1]:6380/1",
        "redis://h?username=ann&password=se%2Bcret",
        "rediss://h:6390/0?ssl_cert_reqs=none",
        "unix:///run/redis.sock",
        "unix://ann:secret@/run/redis.sock?db=3",
    ],
)
def test_an_address_is_read_as_redis_py_reads_it(url: str) -> None:
    """Host, port, socket, user, password and database of one address are the same here and there."""
    found, known = Address.of(url), parse_url(url)
    assert (found.host, found.port) == (known.get("host", "localhost"), known.get("port", 6379))
    assert found.path == known.get("path", "")
    assert (found.username, found.password) == (known.get("username", ""), known.get("password"))
    assert found.database == known.get("db", 0)


@pytest.mark.parametrize("url", ["http://h", "h:6379", ""])
def test_another_kind_of_address_is_refused(url: str) -> None:
    """What begins otherwise is no address of a server."""
    with pytest.raises(ValueError, match="redis://"):
        Address.of(url)


def test_how_much_of_a_certificate_is_checked() -> None:
    """All, unless the address says otherwise; without TLS there is nothing to check."""
    assert Address.of("redis://h?ssl_cert_reqs=none").tls() is None

    def checked(options: str) -> tuple[int, bool]:
        context = Address.of(f"rediss://h{options}").tls()
        assert context is not None
        return context.verify_mode, context.check_hostname

    assert checked("") == (ssl.CERT_REQUIRED, True)
    assert checked("?ssl_check_hostname=false") == (ssl.CERT_REQUIRED, False)
    assert checked("?ssl_cert_reqs=none") == (ssl.CERT_NONE, False)
