"""Where a server is, as REDIS_URL says it: redis://, rediss:// or unix://, with the options redis-py knows in such addresses."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """`path`: of a Unix socket, "" where it is `host` and `port`; `options`: what follows the question mark."""

    host: str = "localhost"
    port: int = 6379
    path: str = ""
    username: str = ""
    password: str | None = None
    database: int = 0
    encrypted: bool = False
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, url: str) -> "Address":
        """ValueError: it is no such address."""
        parts = urlsplit(url)
        if parts.scheme not in ("redis", "rediss", "unix"):
            raise ValueError("an address of Redis begins with redis://, rediss:// or unix://")
        options = dict(parse_qsl(parts.query))
        password = options.get("password") if parts.password is None else unquote(parts.password)
        local = parts.scheme == "unix"
        number = options.get("db", "" if local else parts.path.replace("/", ""))
        return cls(
            host=unquote(parts.hostname or "localhost"),
            port=parts.port or 6379,
            path=unquote(parts.path) if local else "",
            username=unquote(parts.username or "") or options.get("username", ""),
            password=password or None,
            database=int(number) if number.isdecimal() else 0,
            encrypted=parts.scheme == "rediss",
            options=options,
        )

    def tls(self) -> ssl.SSLContext | None:
        """How to encrypt; None: not at all."""
        if not self.encrypted:
            return None
        context = ssl.create_default_context(cafile=self.options.get("ssl_ca_certs"))
        if certificate := self.options.get("ssl_certfile"):
            context.load_cert_chain(certificate, self.options.get("ssl_keyfile"))
        if self.options.get("ssl_cert_reqs") == "none":
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self.options.get("ssl_check_hostname", "true").lower() in ("0", "false", "no"):
            context.check_hostname = False
        return context
