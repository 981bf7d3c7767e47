"""What browsers are told about every answer: what a page may load, who may frame it, and that nobody guesses its type."""

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from schemas.config.settings import Settings
from schemas.process.hosts import is_loopback

_SANDBOX = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""Of what is no page."""
_PLAYED = ("audio/", "video/")
"""Opened by itself, a browser plays it in a page of its own, which a policy would keep from it."""


def policy(connects: Iterable[str] = ()) -> str:
    """The Content-Security-Policy of the app's page. `connects`: what else it talks to than the API: gateways, LiveKit, avatars.
    Scripts and styles are files of ours, no others (a style that a script sets on an element is no such); worklets, workers and
    avatars come as blobs."""
    connect = " ".join(dict.fromkeys(("'self'", "blob:", "data:", *connects)))
    return "; ".join(
        (
            "default-src 'self'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "media-src 'self' blob: data: mediastream:",
            "worker-src 'self' blob:",
            f"connect-src {connect}",
            "manifest-src 'self'",
            "object-src 'none'",
            "frame-src 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        )
    )


def sources(url: str) -> tuple[str, ...]:
    """A server as a policy names it: a WebSocket's, and over HTTP, as LiveKit's clients ask before they connect. On loopback by
    each of its names and at any port; of LiveKit Cloud its regions. () for what is no address."""
    try:
        found = urlsplit(url)
        host, port = found.hostname or "", found.port
    except ValueError:
        return ()
    if found.scheme not in ("ws", "wss", "http", "https") or not host or not set(host) <= _IN_HOSTS:
        return ()
    secure = "s" if found.scheme in ("wss", "https") else ""
    if is_loopback(host):
        return tuple(f"{kind}{secure}://{name}:*" for kind in ("ws", "http") for name in ("127.0.0.1", "localhost"))
    place = f"[{host}]" if ":" in host else host
    hosts = [f"{place}:{port}" if port else place, *(["*.livekit.cloud"] if host.endswith(".livekit.cloud") else [])]
    return tuple(f"{kind}{secure}://{one}" for kind in ("ws", "http") for one in hosts)


_IN_HOSTS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-:")


def everywhere(settings: Settings) -> Mapping[str, str]:
    """Of every answer."""
    always = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), autoplay=(self), "
        "geolocation=(), payment=(), usb=(), serial=(), midi=()",
    }
    if settings.api_public_url.startswith("https:"):
        always["Strict-Transport-Security"] = "max-age=31536000"
    return always


def of_kind(media_type: str, path: str) -> Mapping[str, str]:
    """Where the answer says nothing itself: what is no page is none, and what the API tells is kept nowhere."""
    said = {} if media_type.startswith(_PLAYED) else {"Content-Security-Policy": _SANDBOX}
    return said | ({"Cache-Control": "no-store"} if path.startswith("/v1/") else {})
