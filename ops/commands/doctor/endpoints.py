"""What `antiphon doctor` says about servers that are asked something: the LLM's, LiveKit."""

import contextlib
import json
import time
from typing import Any

import aiohttp

from ops.commands.doctor.findings import Finding
from ops.stack.models import served_llm
from schemas.config.settings import Settings, without_password
from schemas.errors import AntiphonError, ProviderError, SettingsError, in_words
from workers.llm.models import FIRST, listed

_ANSWERS_WITHIN = 5.0  # seconds
_LISTED = 4 * 2**20
"""Bytes of a list of models that are read."""
_SLOW = 1.0
"""Seconds to a model's first word from which on callers notice it in every turn."""


async def llm(settings: Settings, embedded: str | None) -> Finding:
    """`embedded`: base URL of the LLM server of the stack that runs here, None when none does."""
    url = settings.llm_base_url if "llm_base_url" in settings.model_fields_set else embedded
    if url is None:
        try:
            return Finding("llm", "ok", f"no LLM_BASE_URL: `antiphon up` starts its own ({served_llm()})")
        except SettingsError as error:
            return Finding("llm", "bad", str(error), "until then `antiphon up` does not start")
    shown = without_password(url)
    headers = {"Authorization": f"Bearer {settings.llm_api_key.get_secret_value()}"} if settings.llm_api_key else {}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWERS_WITHIN), headers=headers) as http,
            http.get(url.rstrip("/") + "/models") as answer,
        ):
            if answer.status in (404, 405, 501):
                return await _answering(settings, url, "no list of models", embedded == url)
            if answer.status == 401 and embedded == url and not settings.llm_api_key:
                return _without_key(f"{shown}/models answers 401")
            if answer.status != 200:
                return Finding(
                    "llm", "bad", f"{shown}/models answers {answer.status}", "check LLM_BASE_URL and LLM_API_KEY"
                )
            body = b""
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > _LISTED:
                    break
            known = listed(json.loads(body))
    except (aiohttp.ClientError, TimeoutError) as error:
        why = f"no answer within {_ANSWERS_WITHIN:.0f} s" if isinstance(error, TimeoutError) else in_words(error)
        return Finding("llm", "bad", f"{shown}: {why}", "start the endpoint, or correct LLM_BASE_URL")
    except (ValueError, RecursionError):
        return Finding(
            "llm", "bad", f"{shown}/models: expected a list of models in JSON, got something else",
            "is LLM_BASE_URL the base URL of an OpenAI-compatible API, such as http://127.0.0.1:8081/v1?",
        )  # fmt: skip
    if settings.llm_model not in known.names and embedded != url:
        return Finding(
            "llm",
            "warn",
            f"{shown} lists {known.shown() or 'no models'}",
            f"LLM_MODEL={settings.llm_model} is not among them",
        )
    return await _answering(settings, url, known.shown(), embedded == url)


def _without_key(found: str) -> Finding:
    """Of the stack that runs here, which has one."""
    advice = "LLM_API_KEY is not set in this terminal, and the stack tells its own to nobody: set it to have the endpoint asked"
    return Finding("llm", "warn", found, advice)


async def _answering(settings: Settings, url: str, has: str, of_stack: bool) -> Finding:
    """What a model takes to its first word. A slow answer is asked for again: the first may have loaded the model.
    `of_stack`: it is the endpoint of the stack that runs here."""
    shown = f"{without_password(url)} has {has}"
    try:
        seconds = await _first_word(settings, url)
        if seconds > _SLOW:
            seconds = await _first_word(settings, url)
    except ProviderError as error:
        if error.code == "refused" and of_stack and not settings.llm_api_key:
            return _without_key(str(error))
        return Finding("llm", "bad", str(error), "correct LLM_BASE_URL, LLM_MODEL or LLM_API_KEY, or mend the endpoint")
    if seconds > _SLOW:
        advice = "callers wait for that in every turn: a smaller or nearer model (docs/operating/latency.md)"
        return Finding("llm", "warn", f"{shown}; its first word took {seconds:.1f} s", advice)
    return Finding("llm", "ok", f"{shown}; its first word took {seconds * 1e3:.0f} ms")


async def _first_word(settings: Settings, url: str) -> float:
    """Seconds until something comes of an answer, be it a thought. ProviderError: nothing does."""
    from workers.llm.openai import OpenAiLlm  # its client takes a moment to be imported

    model = OpenAiLlm(settings.model_copy(update={"llm_base_url": url}))
    began = time.monotonic()
    try:
        async with contextlib.aclosing(model.stream(FIRST)) as deltas:
            await anext(deltas)
        return time.monotonic() - began
    finally:
        await model.aclose()


async def livekit(settings: Settings, stack: dict[str, Any] | None) -> Finding:
    """`stack`: the endpoints of the one that runs here."""
    if not settings.livekit_url and "livekit_url" not in (stack or {}):
        from ops.stack.embedded.livekit import LiveKitServerError, find_binary

        try:
            return Finding("livekit", "ok", f"no LIVEKIT_URL: `antiphon up --livekit` starts its own ({find_binary()})")
        except LiveKitServerError:
            return Finding(
                "livekit", "ok", "no LIVEKIT_URL and no server here (`make livekit` builds one): no LiveKit rooms"
            )
    from livekit import api

    from ops.stack.here import livekit_access
    from schemas.access.livekit_errors import explain

    try:
        server = livekit_access(settings)
    except AntiphonError as error:
        return Finding("livekit", "bad", str(error), "see docs/livekit.md")
    try:
        async with server.client() as client:
            rooms = (await client.room.list_rooms(api.ListRoomsRequest())).rooms
    except api.TwirpError as error:
        return Finding("livekit", "bad", str(explain(f"{error.status} {error.message}", server.url)))
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        why = explain(f"IO error: {in_words(error)}", server.url)
        return Finding("livekit", "bad", str(why), "start the server, or unset LIVEKIT_URL")
    return Finding("livekit", "ok", f"{server.url} takes our key, {len(rooms)} rooms now")
