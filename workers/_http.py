"""Asking an OpenAI-compatible endpoint that may do anything: by the `openai` client, bounded in time and in size, and every
failure one clear ProviderError. What it answers is read by whoever asked: the client's own models expect what OpenAI sends."""

import asyncio
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2
from pydantic import SecretStr

from schemas.errors import Permanent, ProviderError, Transient
from schemas.process.hosts import is_loopback
from workers._refusals import Endpoint, public

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["TROUBLE", "Base", "explained"]

_CONNECT = 3.0
"""Seconds a connection may take."""
TROUBLE = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError)
"""What asking may raise. (ValueError: a header or a host name that can't be written.)"""


class Base:
    """Where a stage's endpoint is, by <STAGE>_BASE_URL and <STAGE>_API_KEY. Permanent: they can be neither. `endpoint`: whom
    errors speak of; `secure`: by https."""

    def __init__(self, stage: str, url: str, key: SecretStr, *, model: str, example: str):
        name = f"{stage}_BASE_URL"
        self._url = _without_path_of_use(httpx2.URL(_base_url(name, url, example)))
        self.endpoint = Endpoint(public(name, url.strip()), stage, model, _key_of(f"{stage}_API_KEY", key))
        self.secure = self._url.scheme == "https"

    def client(self, *, connections: int = 100, kept: int = 20) -> "AsyncOpenAI":
        """It waits for as long as it is let, and asks once. `kept`: connections for further requests. This machine is never
        asked through a proxy. Permanent: what the environment says of proxies and certificates can't be made use of."""
        from workers._openai import Careful, made  # takes seconds: only where an endpoint is asked

        ours = is_loopback(self._url.host) and not self.secure
        limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=kept)
        try:
            http = Careful(self.endpoint, limits=limits, trust_env=not ours)
        except (ImportError, OSError, ValueError, httpx2.InvalidURL) as error:
            raise Permanent(
                f"{self.endpoint.where}: the environment's proxy or certificates cannot be used "
                f"({self.endpoint.safe(str(error))}); correct {_PROXIES} or SSL_CERT_FILE",
                "bad_environment",
            ) from None
        return made(self._url, self.endpoint.key, http, httpx2.Timeout(None, connect=_CONNECT, pool=_CONNECT))


_PROXIES = "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY"
_USES = ("/chat/completions", "/audio/transcriptions", "/audio/speech")


def _without_path_of_use(url: httpx2.URL) -> httpx2.URL:
    """The base of a URL that was copied with what is asked of it."""
    path = url.path.rstrip("/")
    return url.copy_with(path=next((path.removesuffix(use) for use in _USES if path.endswith(use)), path) or "/")


def _base_url(name: str, url: str, example: str) -> str:
    """The URL, if it is one. Permanent: it isn't, and what was expected."""
    try:
        parts = urlsplit(url.strip())
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        raise Permanent(f"{public(name, url)}: expected a URL such as {example}", "bad_url")
    return url.strip()


def _key_of(name: str, secret: SecretStr) -> str:
    """A key as a header can hold it; files and shells leave blanks and line ends on them. Permanent: it can't be one."""
    key = secret.get_secret_value().strip()
    if not (key.isascii() and key.isprintable()):
        raise Permanent(f"{name}: has characters no key has; copy it again", "bad_key")
    return key


def explained(error: Exception, endpoint: Endpoint, timeout: str) -> ProviderError:
    """Which setting to change, and whether it may pass by itself. `timeout`: what to say of one, `within 10 s (…)`."""
    where = endpoint.where
    if isinstance(error, ProviderError):
        return error
    if isinstance(error, TimeoutError | asyncio.TimeoutError | httpx2.ReadTimeout | httpx2.WriteTimeout):
        return Transient(f"{where}: no answer {timeout}", "timeout")
    if _of_tls(error):
        told = endpoint.safe(str(error)) or "no answer to the handshake"
        hint = "another certificate" if "CERTIFICATE" in told else "an http:// address"
        return Permanent(f"{where}: no TLS connection ({told}); does it want {hint}?", "tls")
    if isinstance(error, httpx2.TooManyRedirects):
        return Permanent(f"{where}: is redirected without end; correct the URL", "moved")
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout):
        proxied = f", or {_PROXIES}" if _by_proxy(where) else ""
        return Transient(f"{where}: cannot be reached; start the endpoint, or correct the URL{proxied}", "connect")
    if isinstance(error, httpx2.RemoteProtocolError) and not _hung_up(error):
        told = endpoint.safe(str(error))
        return Permanent(
            f"{where}: does not speak HTTP ({told}); wrong port, or https:// instead of http://?", "not_http"
        )
    if isinstance(error, httpx2.DecodingError):
        return Permanent(f"{where}: its answer cannot be decompressed ({endpoint.safe(str(error))})", "bad_answer")
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol | httpx2.LocalProtocolError | ValueError):
        told = type(error).__name__ if isinstance(error, UnicodeError) else endpoint.safe(str(error))
        return Permanent(f"{where}: cannot be asked ({told}); check the URL and {endpoint.stage}_API_KEY", "bad_url")
    if "without sending a response" in str(error) and "=http://" in where:
        return Transient(
            f"{where}: the connection broke without an answer; is it https://, or the wrong port?", "broken_stream"
        )
    return Transient(f"{where}: the connection broke ({type(error).__name__})", "broken_stream")


def _by_proxy(where: str) -> bool:
    """Whether a proxy of the environment stands between."""
    url = urlsplit(where.partition("=")[2])
    host, proxies = url.hostname or "", getproxies()
    between = url.scheme in proxies or "all" in proxies
    return between and not proxy_bypass(host) and not (is_loopback(host) and url.scheme == "http")


def _of_tls(error: BaseException | None) -> bool:
    seen = 0
    while error is not None and seen < 8:
        if isinstance(error, ssl.SSLError) or "SSL" in str(error) or "CERTIFICATE" in str(error):
            return True
        error, seen = error.__cause__ or error.__context__, seen + 1
    return False


def _hung_up(error: Exception) -> bool:
    told = str(error).lower()
    return any(
        word in told for word in ("disconnected", "closed connection", "incomplete", "peer closed", "without sending")
    )
