"""What stands around an endpoint: the URL as it was copied, proxies and certificates of the environment."""

import subprocess
import sys

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from schemas.config.settings import Settings
from schemas.errors import Permanent, ProviderError
from tests.servers import Misbehaving, misbehaving
from workers._http import Base
from workers.llm.openai import OpenAiLlm

__all__ = ["misbehaving"]


def base(url: str) -> Base:
    return Base("LLM", url, SecretStr(""), model="m", example="http://127.0.0.1:8081/v1")


async def warmed(url: str) -> str:
    """What warming up complains of."""
    provider = OpenAiLlm(Settings(_env_file=None, llm_base_url=url, llm_model="m", llm_timeout=2.0))  # type: ignore[call-arg]
    try:
        await provider.warm_up()
    except ProviderError as error:
        return str(error)
    finally:
        await provider.aclose()
    return ""


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1", "/v1/chat/completions"),
        ("/v1/chat/completions/", "/v1/chat/completions"),
        ("", "/chat/completions"),
        ("/openai/deployments/m?api-version=1", "/openai/deployments/m/chat/completions?api-version=1"),
    ],
)
async def test_a_url_with_the_path_of_its_use(path: str, asked: str) -> None:
    """The whole address of an API's documentation is as good as its base."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.path_qs)
        return web.Response(status=401)

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    async with TestServer(app) as server:
        await warmed(f"http://127.0.0.1:{server.port}{path}")
    assert seen == [asked]


async def test_this_machine_is_asked_directly(misbehaving: Misbehaving, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment is for elsewhere."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert await warmed(misbehaving.url) == ""
    assert "HTTP_PROXY" in await warmed("http://llm.example/v1")


@pytest.mark.parametrize(("name", "value"), [("ALL_PROXY", "gopher://127.0.0.1:9"), ("SSL_CERT_FILE", "/nowhere.pem")])
async def test_an_environment_that_cannot_be_used(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence names it, where a traceback was."""
    monkeypatch.setenv(name, value)
    with pytest.raises(Permanent, match=name):
        base("https://llm.example/v1").client()


async def test_a_base_without_v1(misbehaving: Misbehaving) -> None:
    """Who left it out is told."""
    misbehaving.fault = 404
    assert "end in /v1" in await warmed(misbehaving.url.removesuffix("/v1"))
    assert "end in /v1" not in await warmed(misbehaving.url)


async def test_tls_where_none_is(misbehaving: Misbehaving) -> None:
    """The other scheme is what it takes, not another certificate."""
    assert "http:// address" in await warmed(misbehaving.url.replace("http://", "https://"))


def test_whoever_asks_no_endpoint_does_not_load_its_client() -> None:
    """The openai package, which takes seconds, is imported when a provider that asks is opened, not when it is named."""
    code = (
        "import sys; from schemas.config.settings import Settings; from workers import registry;"
        "settings = Settings(_env_file=None, stt_provider='openai', tts_provider='openai');"
        "assert list(registry.locate_models(settings)) == [] and registry.languages('tts', settings) == [];"
        "assert 'workers.llm.openai' in sys.modules and 'openai' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
