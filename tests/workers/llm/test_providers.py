"""The LLM providers: one contract for all, and what the OpenAI one makes of an endpoint's faults."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from ops.stack.system import free_port
from schemas.config.settings import Settings
from schemas.errors import Permanent, ProviderError, Transient
from tests.quirks import DONE, STOP, said
from tests.servers import Misbehaving
from tests.workers.llm.endpoints import healthy
from workers import registry
from workers.llm.openai import OpenAiLlm
from workers.providers import ChatRequest
from workers.simulated import SimulatedLlm
from workers.testing.contracts.llm import QUESTION, LlmContract, read, text_of

HELLO = [{"role": "user", "content": "Hello"}]


def settings(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


class TestSimulated(LlmContract):
    @pytest.fixture
    def provider(self) -> SimulatedLlm:
        return SimulatedLlm(settings())


@pytest.mark.models
class TestOpenAiOnEmbeddedServer(LlmContract):
    @pytest.fixture
    async def provider(self, embedded: str) -> AsyncIterator[OpenAiLlm]:
        provider = OpenAiLlm(settings(llm_base_url=embedded, llm_timeout=60))  # busy machines count, too
        yield provider
        await provider.aclose()

    async def test_knows_the_capital(self, provider: OpenAiLlm) -> None:
        """The packaged model is found, its chat template applied."""
        request = ChatRequest(QUESTION, temperature=0.0)
        assert "Paris" in text_of(await read(provider, request))

    async def test_forty_at_once(self, provider: OpenAiLlm, embedded: str) -> None:
        """Forty conversations at once are all answered, five for each that it can hold."""
        short = {"role": "system", "content": "Count."}  # the model's own is four times as long to read
        requests = [
            ChatRequest([short, {"role": "user", "content": f"{number}?"}], max_tokens=4) for number in range(40)
        ]
        replies = await asyncio.gather(*(read(provider, request) for request in requests))
        assert all(text_of(reply) for reply in replies)
        assert await healthy(embedded)


async def fault_of(endpoint: Misbehaving, fault: str | int, **values: Any) -> ProviderError:
    """The error a fault becomes."""
    endpoint.fault = fault
    provider = OpenAiLlm(settings(llm_base_url=endpoint.url, llm_model="m", llm_api_key="sk-secret-key", **values))
    try:
        with pytest.raises(ProviderError) as raised:
            await read(provider, ChatRequest(HELLO))
    finally:
        await provider.aclose()
    assert "LLM_BASE_URL" in str(raised.value)
    assert "secret" not in str(raised.value)
    return raised.value


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        (500, Transient, "bad_status"),
        (429, Transient, "bad_status"),
        (400, Permanent, "bad_request"),
        (401, Permanent, "refused"),
        (404, Permanent, "model_missing"),
        ("half", Transient, "broken_stream"),
        ("error in 200", Transient, "bad_status"),
    ],
)
async def test_faults(misbehaving: Misbehaving, fault: str | int, kind: type[ProviderError], code: str) -> None:
    """Each fault of an endpoint is known by its code, whether it may pass, and the setting to change."""
    error = await fault_of(misbehaving, fault)
    assert (type(error), error.code) == (kind, code)
    assert len(misbehaving.bodies) == 1, "the runtime retries, not the client"


async def test_silent_endpoint(misbehaving: Misbehaving) -> None:
    """An endpoint that never answers is given up after LLM_TIMEOUT, and its connection closed."""
    error = await fault_of(misbehaving, "hang", llm_timeout=0.2)
    assert (type(error), error.code) == (Transient, "timeout")
    assert "LLM_TIMEOUT" in str(error)
    async with asyncio.timeout(5):
        await misbehaving.disconnected.wait()


async def test_unreachable_endpoint() -> None:
    """An endpoint that isn't there may come: the error passes, and names LLM_BASE_URL without its password."""
    provider = OpenAiLlm(settings(llm_base_url=f"http://me:hidden@127.0.0.1:{free_port()}/v1"))
    with pytest.raises(Transient, match=r"LLM_BASE_URL=http://127\.0\.0\.1") as raised:
        await provider.warm_up()
    assert raised.value.code == "connect"
    assert "hidden" not in str(raised.value)
    await provider.aclose()


async def test_empty_reply_and_tool_call(misbehaving: Misbehaving) -> None:
    """An empty reply is one, and a call of a tool ends a stream as `tool`: what to do about it is the stage's."""
    provider = OpenAiLlm(settings(llm_base_url=misbehaving.url))
    misbehaving.fault = "empty"
    assert [delta.finish for delta in await read(provider, ChatRequest(HELLO)) if delta.finish] == ["stop"]
    misbehaving.bodies.clear()
    misbehaving.fault = "tool"
    assert [delta.finish for delta in await read(provider, ChatRequest(HELLO)) if delta.finish] == ["tool"]
    await provider.aclose()


async def test_leaving_closes_the_connection(misbehaving: Misbehaving) -> None:
    """Leaving a stream in the middle is seen by the endpoint, which can stop computing."""
    provider = OpenAiLlm(settings(llm_base_url=misbehaving.url))
    misbehaving.fault = "stall"
    stream = provider.stream(ChatRequest(HELLO))
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    async with asyncio.timeout(5):
        await misbehaving.disconnected.wait()
    await provider.aclose()


async def test_request_carries_prefill_and_options(misbehaving: Misbehaving) -> None:
    """The prefill is the last assistant message, without a trailing blank; options go along."""
    provider = OpenAiLlm(settings(llm_base_url=misbehaving.url, llm_model="m"))
    options = {"continue_final_message": True, "add_generation_prompt": False, "top_k": 5}
    await read(provider, ChatRequest(HELLO, seed=3, prefill="Hi there. ", options=options))
    await read(provider, ChatRequest(HELLO, options=options))
    first, second = misbehaving.bodies
    assert first["messages"] == [*HELLO, {"role": "assistant", "content": "Hi there."}]
    assert (first["seed"], first["top_k"], first["continue_final_message"]) == (3, 5, True)
    assert second["messages"] == HELLO
    assert "continue_final_message" not in second
    assert second["top_k"] == 5
    await provider.aclose()


async def test_the_request_says_whose_reply_it_is(misbehaving: Misbehaving) -> None:
    """The session stands in `user` and in a header; an agent's options may say otherwise; asked for nobody, neither is sent."""
    provider = OpenAiLlm(settings(llm_base_url=misbehaving.url, llm_model="m"))
    await read(provider, ChatRequest(HELLO, session="ws-4f0c é"))
    await read(provider, ChatRequest(HELLO, session="ws-4f0c", options={"user": "shop"}))
    await read(provider, ChatRequest(HELLO))
    assert [body.get("user") for body in misbehaving.bodies] == ["ws-4f0c é", "shop", None]
    sent = [re.findall(r"(?im)^x-session-id: (.*?)\r?$", head) for head in misbehaving.heads]
    assert sent == [["ws-4f0c%20%C3%A9"], ["ws-4f0c"], []]
    await provider.aclose()


def test_unknown_provider_names_those_there_are() -> None:
    """A provider nobody installed is one sentence with the setting and what was found."""
    with pytest.raises(Permanent, match=r"LLM_PROVIDER=nobody: .* found openai, simulated"):
        registry.provider("llm", "nobody", settings())


def test_bad_url_is_one_sentence() -> None:
    """A base URL that is none is refused before anything is connected, whoever made the settings."""
    with pytest.raises(Permanent, match="LLM_BASE_URL=localhost"):
        OpenAiLlm(settings().model_copy(update={"llm_base_url": "localhost:8081"}))


@pytest.mark.parametrize("keeps", [True, False])
async def test_a_kept_connection_is_used_again(keeps: bool) -> None:
    """Where a handshake is worth saving the answer is read to its end, so that the next request finds the connection open."""
    peers = set()

    async def chat(request: web.Request) -> web.StreamResponse:
        await request.read()
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for step in [*said("Hi there."), STOP, DONE]:
            await response.write(step)  # type: ignore[arg-type]
        return response

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider = OpenAiLlm(settings(llm_base_url=f"http://127.0.0.1:{runner.addresses[0][1]}/v1"), keeps=keeps)
    for _ in range(3):
        assert text_of(await read(provider, ChatRequest(HELLO))) == "Hi there."
    await provider.aclose()
    await runner.cleanup()
    assert len(peers) == (1 if keeps else 3)
