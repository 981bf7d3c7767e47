"""What a worker says of an endpoint when it starts: one sentence with the setting, in bounded time, whatever it does."""

import asyncio
from typing import Any

import pytest

from ops.stack.system import free_port
from schemas.config.settings import Settings
from schemas.errors import Permanent, ProviderError, Transient
from tests.quirks import MODELS, QUIRKS
from tests.servers import Misbehaving
from workers.llm.openai import OpenAiLlm
from workers.main import stage_handler
from workers.runtime import Worker


def llm(url: str, **values: Any) -> OpenAiLlm:
    return OpenAiLlm(Settings(_env_file=None, **{"llm_base_url": url, "llm_model": "m", **values}))


async def complaint(url: str, **values: Any) -> ProviderError:
    """What warming up says, within its time."""
    provider = llm(url, **{"llm_timeout": 3.0, **values})
    try:
        with pytest.raises(ProviderError) as raised:
            async with asyncio.timeout(8):
                await provider.warm_up()
    finally:
        await provider.aclose()
    message = str(raised.value)
    assert message.startswith(f"LLM_BASE_URL={url.split('?')[0]}")
    assert "\n" not in message
    assert len(message) < 500
    return raised.value


_SILENT = ("hang", "silent stream", "stall")
"""Who is not waited for long. All others say something at once, and have the time to be heard, whatever else the machine does."""


@pytest.mark.parametrize(
    ("fault", "kind", "code", "says"),
    [
        ("page", Permanent, "bad_answer", "expected a stream of chat completions, got “<!DOCTYPE html>"),
        ("page not found", Permanent, "model_missing", "Welcome to nginx"),
        ("gateway page", Transient, "bad_status", "answers 502: Welcome to nginx"),
        ("hang", Transient, "timeout", "LLM_TIMEOUT"),
        ("silent stream", Transient, "timeout", "LLM_TIMEOUT"),
        ("stall", Transient, "timeout", "LLM_TIMEOUT"),
        ("half", Transient, "broken_stream", "broke"),
        ("empty body", Transient, "empty_stream", "without a word"),
        ("other json", Permanent, "bad_answer", "got “{"),
        ("error in 200", Transient, "bad_status", "model not loaded"),
        ("moved", Permanent, "moved", "moved to https://elsewhere.example/v1/chat/completions"),
        ("redirected for ever", Permanent, "moved", "/v1/chat/completions"),
        ("garbage", Permanent, "bad_answer", "got “"),
        ("no http", Permanent, "not_http", "does not speak HTTP"),
        ("hangs up", Transient, "broken_stream", "broke"),
        ("bad gzip", Permanent, "bad_answer", "decompressed"),
        ("an error without end", Transient, "bad_status", "answers 500"),
        ("one line without end", Permanent, "bad_answer", "one event of more than"),
        ("endless pings", Transient, "timeout", "no whole answer within 3.5 s"),
        ("quota", Permanent, "quota", "LLM_API_KEY"),
        (401, Permanent, "refused", "LLM_API_KEY"),
        (500, Transient, "bad_status", "answers 500"),
    ],
)
async def test_an_endpoint_that_does_not_answer(
    misbehaving: Misbehaving, fault: str | int, kind: type[ProviderError], code: str, says: str
) -> None:
    """Whatever an endpoint does instead of answering is told in one sentence, and whether waiting may help."""
    misbehaving.fault = fault
    bound = {"llm_timeout": 0.3} if fault in _SILENT else {}
    error = await complaint(misbehaving.url, **bound)
    assert (type(error), error.code) == (kind, code), error
    assert says in str(error)


@pytest.mark.parametrize(
    "models", [*MODELS, "page", "garbage", "hangs up", "empty body", "moved", "other json", "bad gzip"]
)
async def test_a_list_of_models_of_any_shape(misbehaving: Misbehaving, models: str) -> None:
    """The list of models is a help where there is one; whatever stands in its place does no harm."""
    misbehaving.models = models
    provider = llm(misbehaving.url)
    await provider.warm_up()
    await provider.aclose()


async def test_tls_where_there_is_none(misbehaving: Misbehaving) -> None:
    """https:// in front of a plain port is told as what it is."""
    error = await complaint(misbehaving.url.replace("http://", "https://"))
    assert (type(error), error.code) == (Permanent, "tls")
    assert "http://" in str(error)


async def test_nobody_there() -> None:
    """An endpoint that isn't up yet may come; its password and query are never shown."""
    provider = llm(f"http://me:hidden@127.0.0.1:{free_port()}/v1?key=hidden")
    with pytest.raises(Transient, match=r"LLM_BASE_URL=http://127\.0\.0\.1:\d+/v1: cannot be reached") as raised:
        await provider.warm_up()
    await provider.aclose()
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://", "http://[::1", "http://x:99999/v1", "http:///v1", "ftp://x/v1"])
def test_a_url_that_is_none(url: str) -> None:
    """A base URL that is none is refused before anything is connected."""
    settings = Settings(_env_file=None).model_copy(update={"llm_base_url": url})  # type: ignore[call-arg]
    with pytest.raises(Permanent, match=r"LLM_BASE_URL=.*expected a URL"):
        OpenAiLlm(settings)


@pytest.mark.parametrize(("fault", "prefills"), [("", False), ("counts on", True), ("counts anew", False)])
async def test_whether_it_goes_on_is_found_out(
    misbehaving: Misbehaving, fault: str, prefills: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LLM_PREFILL=auto: only an endpoint that goes on where it was asked to is ever given a beginning."""
    from tests.quirks import prefilled, whole

    monkeypatch.setitem(QUIRKS, "counts on", lambda body, _: whole(" five, six") if prefilled(body) else whole())
    monkeypatch.setitem(QUIRKS, "counts anew", lambda _body, _number: whole("One, two, three, four, five"))
    misbehaving.fault = fault
    provider = llm(misbehaving.url)
    assert not provider.prefills
    await provider.warm_up()
    await provider.aclose()
    assert provider.prefills == prefills


@pytest.mark.parametrize(("value", "switch"), [("true", "on"), ("OFF", "off"), ("auto", "auto"), ("0", "off")])
def test_the_switch_was_a_yes_or_no_once(value: str, switch: str) -> None:
    """LLM_PREFILL=true and false of older set-ups mean what they meant."""
    assert Settings(_env_file=None, llm_prefill=value).llm_prefill == switch  # type: ignore[arg-type, call-arg]


async def test_a_worker_says_it_and_stays(misbehaving: Misbehaving) -> None:
    """A worker whose endpoint may yet come tells its health page what is the matter; one that never can ends with it."""
    from schemas.log import MemoryBus

    settings = Settings(_env_file=None, llm_base_url=misbehaving.url, llm_model="m", llm_timeout=0.2)  # type: ignore[call-arg]
    misbehaving.fault = "silent stream"
    worker = Worker(MemoryBus(), stage_handler("llm", settings))
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(5):
        while not any("LLM_TIMEOUT" in obstacle for obstacle in worker.obstacles()):
            await asyncio.sleep(0.01)
    misbehaving.fault = "page"
    with pytest.raises(Permanent, match="LLM_BASE_URL"):
        async with asyncio.timeout(5):
            await running
