"""Webhooks: that a session ended, told to an address of yours, signed as Standard Webhooks has it.

An address is looked up, looked at and connected to in one go: none leads to this machine or a private network unless that is
allowed, whatever its name resolves to, and no redirect is followed.
"""

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import json
import socket
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from schemas.clock import Micros, iso
from schemas.config.settings import Settings, without_password
from schemas.errors import AntiphonError, SettingsError, in_words
from schemas.text.clean import one_line

__all__ = ["Undelivered", "Webhooks", "message", "signature"]

_WITHIN = 10.0
"""Seconds for all of a delivery."""
_HEARD = 300
"""Bytes of an answer that are read, for who asks what went wrong."""
_LONGEST_WAIT = 3_600.0
"""Seconds that a receiver may ask us to wait."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Undelivered(AntiphonError):
    """`wait`: seconds the receiver asked for, 0: none; `final`: it wants no more of this."""

    def __init__(self, why: str, wait: float = 0.0, final: bool = False) -> None:
        super().__init__(why)
        self.wait, self.final = wait, final


def message(kind: str, at: Micros, told: Mapping[str, Any]) -> bytes:
    """A delivery's body: what happened, when, and the session's summary."""
    return json.dumps({"type": kind, "timestamp": iso(at), "data": told}, ensure_ascii=False).encode()


def signature(secrets: Sequence[bytes], id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one for each secret, a space between."""
    signed = f"{id}.{timestamp}.".encode() + body
    digests = (hmac.digest(secret, signed, hashlib.sha256) for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


class Webhooks:
    """Where to, and how. `within`: seconds for all of a delivery. SettingsError: something is to be told, and can't be signed, or
    must not be sent there."""

    def __init__(self, settings: Settings, within: float = _WITHIN) -> None:
        self._within = within
        self._everybody = settings.webhook_url
        pairs = (part.strip().partition("=") for part in settings.webhook_agents.split(",") if part.strip())
        self._agents = {agent: "" if url == "off" else url for agent, _, url in pairs}
        self._private = settings.webhook_private
        parts = settings.webhook_secret.get_secret_value().split()
        self._secrets = [base64.b64decode(part.removeprefix("whsec_")) for part in parts]
        self._session: aiohttp.ClientSession | None = None
        urls = [url for url in (self._everybody, *self._agents.values()) if url]
        if urls and not self._secrets:
            raise SettingsError(
                'WEBHOOK_SECRET is not set, and webhooks are signed; set it: echo "whsec_$(openssl rand -base64 32)"'
            )
        for url in urls:
            if not url.startswith("https://") and not self._private:
                raise SettingsError(
                    f"{without_password(url)}: expected https://…; set WEBHOOK_PRIVATE=true where it may be http, or lead to a "
                    "private network"
                )

    def url_of(self, agent: str) -> str:
        """ "": nobody is told."""
        return self._agents.get(agent, self._everybody)

    async def send(self, url: str, id: str, timestamp: int, body: bytes) -> int:
        """Once; answers the status, which is 2xx. `timestamp`: of this try, s since 1970. Undelivered: why not."""
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "antiphon",
            "webhook-id": id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._secrets, id, timestamp, body),
        }
        host = urlsplit(url).hostname or ""
        try:
            if not self._private and _is_address(meant := _meant(host)):
                _public(meant, host)  # of one that is an address already no resolver is asked
            async with (
                asyncio.timeout(self._within),
                self._opened().post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                said = one_line((await answer.content.read(_HEARD)).decode("utf-8", "replace"), _HEARD)
                status, wait = answer.status, answer.headers.get("Retry-After", "")
        except TimeoutError:
            raise Undelivered(f"{host}: no answer within {self._within:g} s") from None
        except _NotAllowed as error:
            raise Undelivered(str(error)) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
            inner = cause if isinstance(cause, _NotAllowed) else error.__cause__
            raise Undelivered(str(inner) if isinstance(inner, _NotAllowed) else f"{host}: {in_words(error)}") from None
        if 200 <= status < 300:
            return status
        if 300 <= status < 400:
            raise Undelivered(f"{host}: it answered {status}, and redirects are not followed; name where it leads to")
        asked = float(wait) if status in (429, 503) and wait.isascii() and wait.isdigit() and len(wait) < 9 else 0.0
        raise Undelivered(f"{host}: it answered {status} {said}".rstrip(), min(asked, _LONGEST_WAIT), status == 410)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=_Resolver(private=self._private), force_close=True, limit=16, use_dns_cache=False
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                timeout=aiohttp.ClientTimeout(total=self._within),
            )
        return self._session

    async def aclose(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class _NotAllowed(OSError):
    """An address that no webhook may lead to."""


class _Resolver(AbstractResolver):
    """Whatever a name stands for is looked at before it is connected to."""

    def __init__(self, *, private: bool) -> None:
        self._private = private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        results = []
        for kind, _, protocol, _, place in found:
            address = str(place[0])
            if not self._private:
                _public(address, host)
            results.append(
                ResolveResult(
                    hostname=host, host=address, port=port, family=kind, proto=protocol, flags=socket.AI_NUMERICHOST
                )
            )
        return results

    async def close(self) -> None:
        return


def _meant(host: str) -> str:
    """What a client makes of it: `１２７。0.0.%31` is an address, too."""
    return unquote(unicodedata.normalize("NFKC", host)).replace("\u3002", ".")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _public(address: str, host: str) -> None:
    """_NotAllowed: it is this machine, a private network, or nobody's."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found in _NAT64:
            inner = ipaddress.IPv4Address(found.packed[-4:])
        if inner is None and found.teredo is not None:
            inner = found.teredo[1]
        found = inner or found
    if not found.is_global or found.is_multicast:
        raise _NotAllowed(
            f"{host}: it leads to {address}, which is no public address; set WEBHOOK_PRIVATE=true where that is meant"
        )
