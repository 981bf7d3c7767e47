"""Whether a model calls tools: the packaged one really asked, and endpoints of every kind."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from schemas.config.settings import Settings
from tests.workers.llm.scripted import STOP, ScriptedLlm
from workers.llm.calling import UNABLE, Calling, calls_tools
from workers.llm.openai import OpenAiLlm
from workers.providers import Delta


class Endpoint:
    """Answers the n-th request by the n-th of `answers`, the last for all further ones: deltas, or a status and a complaint."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[dict[str, Any]] = []
        self.answers: Sequence[Any] = ()

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, tuple):
            return web.json_response({"error": {"message": answer[1]}}, status=answer[0])
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for delta, finish in answer:
            chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
            await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    one, app = Endpoint(), web.Application()
    app.router.add_post("/v1/chat/completions", one.chat)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield one
    await runner.cleanup()


CALL = {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "clock", "arguments": '{"city": "Berlin"}'}}]}
TEXT = [({"content": "It is noon in Berlin."}, None), ({}, "stop")]


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ([[(CALL, None), ({}, "tool_calls")]], Calling(True)),
        ([[({"content": '{"name": "clock", "arguments": {"city": "Berlin"}}'}, None), ({}, "stop")]], Calling(True)),
        ([TEXT], Calling(False, "asked to call one, it said “It is noon in Berlin.”")),
        ([[({}, "stop")]], Calling(False, "asked to call one, it said nothing")),
        ([(400, "m does not support tools"), TEXT], "m does not support tools"),
        ([(400, "nothing is served here")], None),
        ([(401, "no key")], None),
        ([(503, "busy")], None),
        ([[({"reasoning_content": "Let me think"}, None), ({}, "length")]], None),
    ],
)
async def test_it_is_told_what_a_model_did(
    endpoint: Endpoint, answers: Sequence[Any], found: Calling | str | None
) -> None:
    """A call in either form; words instead, told; an endpoint that takes no tools but answers without, with its complaint; of one
    that answers nothing it is not known."""
    endpoint.answers = answers
    settings = Settings(_env_file=None, llm_base_url=endpoint.url, llm_model="m")  # type: ignore[call-arg]
    llm = OpenAiLlm(settings)
    try:
        told = await calls_tools(llm, within=5.0)
    finally:
        await llm.aclose()
    assert endpoint.asked[0]["tools"][0]["function"]["name"] == "clock"
    if isinstance(found, str):
        assert told is not None
        assert (told.calls, found in told.why) == (False, True)
        assert "tools" not in endpoint.asked[-1]
    else:
        assert told == found


async def test_who_does_not_answer_is_left() -> None:
    """After the time that there is for it."""
    assert await calls_tools(ScriptedLlm([60.0, "Noon.", STOP]), within=0.05) is None
    assert await calls_tools(ScriptedLlm([Delta(finish="tool")])) == Calling(True)


@pytest.mark.models
async def test_the_packaged_model_is_never_told_of_tools(embedded: str) -> None:
    """What is recorded of it: its prompt is as long with tools as without. A packaged model that is told of them, one day, may
    call some."""
    async with aiohttp.ClientSession() as http:
        lengths = []
        tool = {
            "type": "function",
            "function": {"name": "clock", "description": "The time.", "parameters": {"type": "object"}},
        }
        for tools in ({}, {"tools": [tool]}):
            body = {"messages": [{"role": "user", "content": "What time is it?"}], "max_tokens": 1, **tools}
            async with http.post(f"{embedded}/chat/completions", json=body) as answer:
                told = await answer.json()
                lengths.append(told["usage"]["prompt_tokens"])
    assert lengths[0] == lengths[1]
    assert told["model"] in UNABLE
