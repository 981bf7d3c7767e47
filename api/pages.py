"""The built web app, served: files by their name, and its page for each address of its own.

Only what was in the folder when it was last looked at is there, by exactly that name: no path leads anywhere else. A folder that
was built anew is looked at anew.
"""

import asyncio
import gzip
import hashlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from api.access.headers import policy, sources
from api.built import HOW
from api.house import House
from schemas.errors import BusError

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".glb": "model/gltf-binary",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".mp3": "audio/mpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
_PACKED = (".css", ".glb", ".html", ".js", ".json", ".mjs", ".svg", ".txt", ".wasm", ".webmanifest")
_LARGEST = 32 << 20
"""Bytes of one file; what is larger is none of the app's."""
_PIECE = 64 << 10
_PAGE = "index.html"
_OTHERS = re.compile(r"/(v1|api|token|assets|health|ready|metrics)(/|$)")
"""Whose addresses these are is known; where nothing is, there is no page either."""
_OWN = re.compile(r"(/[\w\-.~@:+ %]*)+")
_TRICKS = re.compile(r"//|\\|/\.|%2e|%2f|%5c|%00", re.IGNORECASE)
_NOT_WANTED = re.compile(r";\s*q=0(\.0*)?\s*$", re.IGNORECASE)
_LOOKED_AGAIN = 1.0
_GATEWAYS_KNOWN = 5.0
"""Seconds after which it is looked again: for a newer build, for gateways that came."""
_PATIENCE, _ASKED_AGAIN = 1.0, 2.0
"""Seconds that one page waits for a log that does not tell of gateways; and in which no other waits, too."""
_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Antiphon</title><body style="font:16px/1.5 system-ui;max-width:36rem;margin:4rem auto;padding:0 1rem">
<h1 style="font-size:1.25rem">The API runs</h1><p>%s. Then reload this page.</p>
<p>The API itself is described at <a href="/v1/openapi.json">/v1/openapi.json</a>.</p></body></html>"""


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    media_type: str
    forever: bool
    """Its name changes with what is in it."""


@dataclass(frozen=True, slots=True)
class _Content:
    raw: bytes
    etag: str
    packed: Mapping[str, bytes]
    """As `Content-Encoding` calls it."""


class Pages:
    """What answers where no route does. `folder`: of the built app, None while there is none."""

    def __init__(self, house: House, folder: Callable[[], Path | None]) -> None:
        self._house, self._folder = house, folder
        self._files: dict[str, _File] = {}
        self._contents: dict[str, _Content] = {}
        self._built: tuple[str, int, int] | None = None
        self._looked = self._ask = float("-inf")
        self._gateways: list[str] = []
        self._looking, self._asking = asyncio.Lock(), asyncio.Lock()
        self._policy = policy()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise HTTPException(404)
        path, headers = scope["path"], Headers(scope=scope)
        if scope["method"] not in ("GET", "HEAD") or not self._is_fit(scope):
            raise HTTPException(404)
        await self._look()
        name = path.removeprefix("/")
        if name in self._files and name != _PAGE:
            await (await self._file(name, headers))(scope, receive, send)
            return
        if _OTHERS.match(path) or not (path == "/" or "text/html" in headers.get("Accept", "")):
            raise HTTPException(404)
        await (await self._page(headers))(scope, receive, send)

    def _is_fit(self, scope: Scope) -> bool:
        """Whether nobody tries to be clever."""
        sent = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
        return not (_TRICKS.search(sent) or _TRICKS.search(scope["path"])) and bool(_OWN.fullmatch(scope["path"]))

    async def _page(self, headers: Headers) -> Response:
        if _PAGE not in self._files:
            what = HOW[0].upper() + HOW[1:]
            return HTMLResponse(
                _NOT_BUILT % what, 503, {"Content-Security-Policy": _PLAIN, "Cache-Control": "no-store"}
            )
        answer = await self._file(_PAGE, headers)
        answer.headers["Content-Security-Policy"] = await self._policy_now()
        return answer

    async def _file(self, name: str, headers: Headers) -> Response:
        file = self._files[name]
        content = self._contents.get(name)
        if content is None:
            try:
                content = self._contents[name] = await asyncio.to_thread(_read, file)
            except OSError:
                raise HTTPException(404) from None  # it is being built anew
        said = {
            "ETag": content.etag,
            "Cache-Control": "public, max-age=31536000, immutable" if file.forever else "no-cache",
            "Vary": "Accept-Encoding",
        }
        if name == _WORKER:
            said["Content-Security-Policy"] = policy()
        if content.etag in [one.strip().removeprefix("W/") for one in headers.get("If-None-Match", "").split(",")]:
            return Response(status_code=304, headers=said)
        asked = headers.get("Accept-Encoding", "").split(",")
        accepted = {one.partition(";")[0].strip() for one in asked if not _NOT_WANTED.search(one)}
        encoding = next((one for one in content.packed if one in accepted), "")
        body = content.packed[encoding] if encoding else content.raw
        said |= {"Content-Encoding": encoding} if encoding else {}
        return _InPieces(body, headers=said, media_type=file.media_type)

    async def _look(self) -> None:
        """Is there another build than the one we know?"""
        if time.monotonic() - self._looked < _LOOKED_AGAIN:
            return
        async with self._looking:
            if time.monotonic() - self._looked >= _LOOKED_AGAIN:
                folder = self._folder()
                built = await asyncio.to_thread(_mark, folder) if folder else None
                if built != self._built:
                    self._files = await asyncio.to_thread(_listed, folder) if folder and built else {}
                    self._contents, self._built = {}, built
                self._looked = time.monotonic()

    async def _policy_now(self) -> str:
        """The app talks to the gateways that are there, and to those that settings name."""
        async with self._asking:  # else a page that is asked for meanwhile may talk to nobody
            if time.monotonic() > self._ask and not self._house.waits_for:
                known_for = _GATEWAYS_KNOWN
                try:
                    async with asyncio.timeout(_PATIENCE):
                        self._gateways = [gateway.url for gateway in await self._house.bus.gateways()]
                except (BusError, TimeoutError):  # those that were there before
                    known_for = _ASKED_AGAIN
                self._ask = time.monotonic() + known_for
                settings = self._house.settings
                named = [
                    settings.gateway_public_url,
                    settings.livekit_public_url or settings.livekit_url,
                    *self._gateways,
                ]
                more = [one for one in map(_origin, settings.api_connects.split(",")) if one]
                self._policy = policy([*(one for url in named for one in sources(url)), *more])
        return self._policy


class _InPieces(Response):
    """What the server is handed at once it keeps until it is taken; of this it is handed more only when there is room."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body = memoryview(self.body)
        for at in range(0, max(1, len(body)), _PIECE):
            more = at + _PIECE < len(body)
            await send({"type": "http.response.body", "body": bytes(body[at : at + _PIECE]), "more_body": more})


_PLAIN = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def _origin(setting: str) -> str:
    found = urlsplit(setting.strip())
    fit = found.scheme in ("http", "https") and re.fullmatch(r"[\w.:\-\[\]]+", found.netloc)
    return f"{found.scheme}://{found.netloc}" if fit else ""


def _mark(folder: Path) -> tuple[str, int, int] | None:
    """Tells one build from another."""
    try:
        found = (folder / _PAGE).stat()
    except OSError:
        return None
    return str(folder), found.st_ino, found.st_mtime_ns


def _listed(folder: Path) -> dict[str, _File]:
    """What there is to be had: ordinary files that are in the folder itself, none that begins with a dot."""
    found, root = {}, folder.resolve()
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        hidden = any(part.startswith(".") for part in name.split("/"))
        if hidden or path.is_symlink() or not path.is_file() or path.suffix in (".gz", ".br"):
            continue
        if path.resolve().is_relative_to(root) and path.stat().st_size <= _LARGEST:
            kind = _TYPES.get(path.suffix, "application/octet-stream")
            found[name] = _File(path, kind, name.startswith("assets/"))
    return found


def _read(file: _File) -> _Content:
    """With what the build has packed already; gzip is made here where it has not."""
    raw = file.path.read_bytes()
    packed: dict[str, bytes] = {}
    for encoding, suffix in (("br", ".br"), ("gzip", ".gz")):
        ready = file.path.with_name(file.path.name + suffix)
        if ready.is_file():
            packed[encoding] = ready.read_bytes()
    if file.path.suffix in _PACKED and "gzip" not in packed and len(raw) > 1024:
        packed["gzip"] = gzip.compress(raw, 6, mtime=0)
    return _Content(raw, f'"{hashlib.sha256(raw).hexdigest()[:20]}"', packed)


_WORKER = "sw.js"
"""The service worker: it fetches the app's files, by the policy that comes with itself."""
