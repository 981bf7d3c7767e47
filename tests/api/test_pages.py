"""The built web app, as browsers get it: types, caching, its page for its own addresses, and nothing else."""

import asyncio
import gzip
import os
from pathlib import Path

import httpx2
import pytest
from starlette.types import Message

from api import pages
from api.house import House
from schemas.bus import GatewaySeen
from schemas.config.settings import Settings

PAGE = "<!doctype html><script type=module src=/assets/index-abc.js></script>"
SCRIPT = "export const one = 1;\n" * 100
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A small built app, and a secret beside it."""
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(PAGE)
    (folder / "assets" / "index-abc.js").write_text(SCRIPT)
    (folder / "sw.js").write_text("// worker")
    (folder / "manifest.webmanifest").write_text("{}")
    (folder / ".made-from").write_text("0")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


@pytest.fixture
def settings(app: Path) -> Settings:
    return Settings(_env_file=None, api_web=app)


async def test_the_page_stands_at_the_apps_own_addresses(client: httpx2.AsyncClient) -> None:
    """/, and whatever address the app makes up, is its page, asked for anew each time."""
    for path in ("/", "/sessions/ws-1.2", "/sessions/ws-1?at=12.5", "/agents/caf%C3%A9"):
        answer = await client.get(path, headers=BROWSER)
        assert (answer.status_code, answer.text) == (200, PAGE)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
    assert (await client.head("/", headers=BROWSER)).headers["content-length"] == str(len(PAGE))


async def test_the_service_worker_may_fetch_the_app(client: httpx2.AsyncClient) -> None:
    """The policy that comes with the service worker lets it fetch from its own origin: else no page would load under it."""
    said = (await client.get("/sw.js")).headers["content-security-policy"]
    assert "connect-src 'self'" in said
    assert "script-src 'self'" in said


@pytest.mark.parametrize(
    ("path", "kind", "cache"),
    [
        ("/assets/index-abc.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
        ("/sw.js", "text/javascript; charset=utf-8", "no-cache"),
        ("/manifest.webmanifest", "application/manifest+json", "no-cache"),
    ],
)
async def test_files_have_their_types_and_are_kept(
    client: httpx2.AsyncClient, path: str, kind: str, cache: str
) -> None:
    """Hashed files for ever, others are asked for anew, by their ETag."""
    answer = await client.get(path)
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == (kind, cache)
    assert answer.headers["x-content-type-options"] == "nosniff"
    again = await client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_files_come_packed_to_whoever_unpacks(client: httpx2.AsyncClient, app: Path) -> None:
    """What the build has packed is taken; else gzip; plain where neither is asked for."""
    for wanted in ("gzip;q=0, br; q=0.0", "identity"):
        plain = await client.get("/assets/index-abc.js", headers={"Accept-Encoding": wanted})
        assert "content-encoding" not in plain.headers
    packed = await client.get("/assets/index-abc.js", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text == SCRIPT
    assert int(packed.headers["content-length"]) < len(SCRIPT) / 5
    (app / "sw.js.gz").write_bytes(gzip.compress(b"// ready-made"))
    assert (await client.get("/sw.js", headers={"Accept-Encoding": "gzip"})).text == "// ready-made"
    assert (await client.get("/sw.js.gz")).status_code == 404


async def test_a_file_is_handed_over_as_it_is_taken(house: House, app: Path) -> None:
    """Who asks for much and reads nothing is waited for with a piece of it: the server keeps what it is handed."""
    (app / "assets" / "head.glb").write_bytes(bytes(300_000))
    scope = {"type": "http", "method": "GET", "path": "/assets/head.glb", "headers": []}
    sent = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError

    await pages.Pages(house, lambda: app)(scope, receive, send)
    start, *pieces = sent
    assert (b"content-length", b"300000") in start["headers"]
    assert [len(piece["body"]) for piece in pieces] == [65_536] * 4 + [300_000 - 4 * 65_536]
    assert [piece["more_body"] for piece in pieces] == [True] * 4 + [False]


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt", "/assets/../../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt",
        "/assets/..%5c..%5csecret.txt", "//secret.txt", "/assets//index-abc.js", "/./index.html", "/.made-from",
        "/secret.txt%00.js", "/link.txt", "/%252e%252e/x", "/assets/none.js", "/v1/none", "/v1", "/api/none",
        "/etc/passwd%0d%0a", "/C:\\secret.txt", "/index-abc.js",
    ],
)  # fmt: skip
async def test_path_tricks_find_nothing(client: httpx2.AsyncClient, path: str) -> None:
    """404, as a problem, and nothing of what lies beside the app."""
    target = httpx2.URL("http://127.0.0.1:8080").copy_with(raw_path=path.encode())
    answer = await client.get(target)
    assert answer.status_code == 404
    assert answer.json()["code"] == "missing"
    assert "secret" not in answer.json()["detail"]


async def test_only_looks_are_pages(client: httpx2.AsyncClient) -> None:
    """A POST to nowhere is no page, and a program that asks for JSON gets none."""
    assert (await client.post("/sessions", headers=BROWSER)).status_code == 404
    assert (await client.get("/sessions", headers={"Accept": "application/json"})).status_code == 404


async def test_the_policy_is_strict(client: httpx2.AsyncClient, house: House) -> None:
    """Scripts and styles are files of ours; it connects to the gateways that are there and to nobody else; nobody frames it."""
    await house.bus.advertise(
        GatewaySeen("g", "wss://voice.example.com/ws", "ws://10.0.0.1:8765/ws", 5, 0, False, ("websocket",)), 30
    )
    told = (await client.get("/", headers=BROWSER)).headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in told.split(";"))
    assert rules["script-src"] == rules["style-src"] == "'self'"
    assert rules["frame-ancestors"] == rules["object-src"] == rules["base-uri"] == "'none'"
    assert rules["worker-src"] == "'self' blob:"
    assert rules["connect-src"].split() == [
        "'self'",
        "blob:",
        "data:",
        "wss://voice.example.com",
        "https://voice.example.com",
    ]


async def test_whoever_asks_first_does_not_leave_the_others_without_gateways(
    client: httpx2.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that is asked for while the first one still looks the gateways up may talk to them as well."""
    await house.bus.advertise(
        GatewaySeen("g", "wss://voice.example.com/ws", "ws://10.0.0.1:8765/ws", 5, 0, False, ("websocket",)), 30
    )
    known, looking, answer = house.bus.gateways, asyncio.Event(), asyncio.Event()

    async def slowly() -> list[GatewaySeen]:
        looking.set()
        await answer.wait()
        return list(await known())

    monkeypatch.setattr(house.bus, "gateways", slowly)
    first = asyncio.create_task(client.get("/", headers=BROWSER))
    await looking.wait()
    second = asyncio.create_task(client.get("/", headers=BROWSER))
    for _ in range(50):  # as far as it comes meanwhile
        await asyncio.sleep(0)
    answer.set()
    for told in await asyncio.gather(first, second):
        assert "wss://voice.example.com" in told.headers["content-security-policy"]


@pytest.mark.parametrize("settings", [Settings(_env_file=None, gateway_public_url="wss://voice.example.com/ws")])
async def test_a_log_that_stalls_keeps_nobody_from_the_page(
    client: httpx2.AsyncClient, house: House, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One page waits for it, a moment, and those with it; all of them may talk to the gateways that are named."""
    house.settings = house.settings.model_copy(update={"api_web": app})
    monkeypatch.setattr(pages, "_PATIENCE", 0.05)
    asked = 0

    async def never() -> list[GatewaySeen]:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(house.bus, "gateways", never)
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*(client.get("/", headers=BROWSER) for _ in range(10)))
    assert asked == 1
    for answer in answers:
        assert answer.status_code == 200
        assert "wss://voice.example.com" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("ws://127.0.0.1:8765/ws", ["ws://127.0.0.1:*", "ws://localhost:*", "http://127.0.0.1:*", "http://localhost:*"]),
        ("wss://p.livekit.cloud", ["wss://p.livekit.cloud", "wss://*.livekit.cloud", "https://p.livekit.cloud", "https://*.livekit.cloud"]),
        ("wss://voice.example:8443/ws", ["wss://voice.example:8443", "https://voice.example:8443"]),
        ("wss://a;script-src *", []), ("wss://a b", []), ("javascript:x", []), ("", []), ("wss://x:99999999/", []),
    ],
)  # fmt: skip
def test_an_address_can_widen_the_policy_by_itself_only(url: str, named: list[str]) -> None:
    """What gateways say of themselves stands in it as hosts, or not at all."""
    from api.access.headers import sources

    assert list(sources(url)) == named


async def test_an_app_that_is_not_built_says_so(
    client: httpx2.AsyncClient, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page says what to do; once it is built, it is served, without a restart; built anew, anew."""
    monkeypatch.setattr(pages, "_LOOKED_AGAIN", 0.0)
    (app / "index.html").rename(app / "away")
    answer = await client.get("/", headers=BROWSER)
    assert answer.status_code == 503
    assert "make app" in answer.text
    assert (await client.get("/v1/me")).status_code == 200
    (app / "away").rename(app / "index.html")
    assert (await client.get("/", headers=BROWSER)).text == PAGE
    (app / "index.new").write_text("another")
    os.replace(app / "index.new", app / "index.html")
    assert (await client.get("/", headers=BROWSER)).text == "another"
