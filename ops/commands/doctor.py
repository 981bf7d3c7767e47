"""`antiphon doctor`: is everything here that a conversation needs? One line each, and what to do about it."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import aiohttp
from redis.asyncio import Redis
from redis.exceptions import RedisError
from rich.text import Text

from ops import console
from ops.commands import languages, phones
from ops.commands.findings import Finding
from ops.stack import disk
from ops.stack.doors import look_at_clients
from ops.stack.stack import data_folder, running
from schemas.config.settings import Settings, load, without_password
from schemas.errors import AntiphonError, ProviderError, SettingsError, in_words
from schemas.log.keys import PARTITIONS
from workers.llm.models import listed

_SIGNS = {"ok": ("ok  ", "green"), "warn": ("look", "yellow"), "bad": ("bad ", "red")}

_ANSWERS_WITHIN = 5.0  # seconds
_LISTED = 4 * 2**20
"""Bytes of a list of models that are read."""


async def doctor(as_json: bool) -> bool:
    """Print every finding; True when nothing is bad."""
    findings = []
    async for finding in _examine():
        findings.append(finding)
        if not as_json:
            sign = Text(*_SIGNS[finding.result])
            console.out.print(sign.append(f"  {finding.check:<12} {finding.found}", "default"), soft_wrap=True)
            if finding.advice:
                console.out.print(f"      {'':<12} → {finding.advice}", style="yellow", soft_wrap=True)
    healthy = all(finding.result != "bad" for finding in findings)
    if as_json:
        console.emit({"healthy": healthy, "findings": [asdict(finding) for finding in findings]})
    return healthy


async def _examine() -> AsyncIterator[Finding]:
    try:
        settings = load()
    except AntiphonError as error:
        yield Finding("settings", "bad", str(error), "correct it in the environment or in .env")
        return
    yield Finding("settings", "ok", "every variable is understood")
    stack = running()
    if stack:
        yield Finding("stack", "ok", f"antiphon up runs here (pid {stack['pid']})")
    yield await asyncio.to_thread(_disk, data_folder())
    async for finding in _log(settings, stack["redis_url"] if stack else None):
        yield finding
    yield await _llm(settings, stack["llm_base_url"] if stack else None)
    for finding in await asyncio.to_thread(_models, settings):
        yield finding
    yield await asyncio.to_thread(languages.examine, settings)
    yield _access(settings)
    yield await _livekit(settings, stack)
    for finding in phones.examine(settings, stack.get("sip", "") if stack else ""):
        yield finding
    yield _port(settings, bool(stack))


async def _log(settings: Settings, embedded: str | None) -> AsyncIterator[Finding]:
    url = settings.redis_url if "redis_url" in settings.model_fields_set else embedded
    if url is None:
        from ops.stack.embedded.valkey import version as bundled

        yield Finding("log", "ok", f"no REDIS_URL: `antiphon up` starts its own ({await bundled()})")
        return
    client = Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2)
    try:
        info = await client.info()
        seconds, micros = await client.time()
        offset = abs(time.time() - (seconds + micros / 1e6))
        config = await client.config_get("append*")
        stored = None if settings.redis_cluster else await client.get(PARTITIONS)
    except (RedisError, OSError) as error:
        yield Finding(
            "log",
            "bad",
            f"REDIS_URL={without_password(url)}: {in_words(error)}",
            "start Redis ≥ 7.0 or Valkey ≥ 8 there, or unset REDIS_URL",
        )
        return
    finally:
        await client.aclose()
    version = str(info.get("valkey_version") or info["redis_version"])
    name = "Valkey" if "valkey_version" in info else "Redis"
    if int(version.split(".")[0]) < 7:
        yield Finding("log", "bad", f"{name} {version}", "functions need Redis ≥ 7.0 or Valkey ≥ 8: update the server")
    elif info.get("role") != "master":
        yield Finding(
            "log", "bad", f"{name} {version}, a replica", "it takes no writes: REDIS_URL must name the primary"
        )
    else:
        yield Finding("log", "ok", f"{name} {version}")
    if settings.partitions is not None and stored is not None and settings.partitions != int(stored):
        advice = f"leave PARTITIONS unset or set it to {int(stored)}: it is fixed at a deployment's first start"
        yield Finding("partitions", "bad", f"PARTITIONS={settings.partitions}, the log has {int(stored)}", advice)
    yield _persistence(config, info)
    yield _memory(info)
    if offset > 0.5:
        yield Finding(
            "clock", "warn", f"{offset:.1f} s apart from the log's", "run NTP; `ago` hides it, people's eyes don't"
        )
    else:
        yield Finding("clock", "ok", f"{offset * 1e3:.0f} ms apart from the log's")


def _memory(info: dict[str, Any]) -> Finding:
    used, limit = int(info["used_memory"]), int(info.get("maxmemory", 0))
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if limit and policy != "noeviction":
        advice = "CONFIG SET maxmemory-policy noeviction: a log must not be evicted"
        return Finding("memory", "bad", f"maxmemory-policy {policy}", advice)
    found = f"{used / 2**20:.0f} MiB used" + (f" of {limit / 2**20:.0f}" if limit else ", no limit")
    if limit and used > 0.9 * limit:
        full = used >= limit
        advice = "raise maxmemory: a full log takes no new session" + ("" if full else ", and this one soon will be")
        return Finding("memory", "bad" if full else "warn", found, advice)
    return Finding("memory", "ok", found)


def _disk(folder: Path) -> Finding:
    """Where `antiphon up` keeps its log, or will."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if trouble := disk.trouble(there):
        return Finding("disk", "bad", trouble, "until then `antiphon up` can't keep a log")
    left = f"{disk.free(there) / 2**30:.1f} GiB free for {folder}"
    if disk.free(there) < disk.LITTLE:
        return Finding(
            "disk", "warn", left, "free some space, or set ANTIPHON_DATA to another disk: a full one ends the log"
        )
    return Finding("disk", "ok", left)


def _persistence(config: dict[str, str], info: dict[str, Any]) -> Finding:
    if info.get("aof_last_write_status", "ok") != "ok":
        return Finding(
            "persistence", "bad", "the log can't write to its disk", "free some space there, or mend the disk"
        )
    if config.get("appendonly") != "yes":
        return Finding(
            "persistence", "bad", "appendonly no", "CONFIG SET appendonly yes: a restart would lose every session"
        )
    if config.get("appendfsync") != "always":
        return Finding(
            "persistence",
            "warn",
            f"appendfsync {config.get('appendfsync')}",
            "CONFIG SET appendfsync always: with everysec a crash may lose the last second",
        )
    return Finding("persistence", "ok", "append-only file, fsync always")


async def _llm(settings: Settings, embedded: str | None) -> Finding:
    url = settings.llm_base_url if "llm_base_url" in settings.model_fields_set else embedded
    if url is None:
        return Finding("llm", "ok", "no LLM_BASE_URL: `antiphon up` starts its own (SmolLM2 135M)")
    shown = without_password(url)
    headers = {"Authorization": f"Bearer {settings.llm_api_key.get_secret_value()}"} if settings.llm_api_key else {}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWERS_WITHIN), headers=headers) as http,
            http.get(url.rstrip("/") + "/models") as answer,
        ):
            if answer.status in (404, 405, 501):
                return Finding(
                    "llm", "warn", f"{shown} has no list of models", "`antiphon worker llm` says if it answers"
                )
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
    if settings.llm_model in known.names or embedded == url:
        return Finding("llm", "ok", f"{shown} has {known.shown()}")
    return Finding(
        "llm",
        "warn",
        f"{shown} lists {known.shown() or 'no models'}",
        f"LLM_MODEL={settings.llm_model} is not among them",
    )


def _access(settings: Settings) -> Finding:
    """Who gets in by WebSocket."""
    try:
        look_at_clients(settings)
    except SettingsError as error:
        return Finding("access", "bad", str(error), "until then no gateway starts")
    if "*" in {origin.strip() for origin in settings.gateway_allowed_origins.split(",")}:
        return Finding(
            "access", "warn", "GATEWAY_ALLOWED_ORIGINS=*: every page in the world may connect", "name those of yours"
        )
    if settings.gateway_token_secret:
        return Finding("access", "ok", "everybody needs a token")
    return Finding("access", "ok", "no GATEWAY_TOKEN_SECRET: clients on this machine only, without a token")


async def _livekit(settings: Settings, stack: dict[str, Any] | None) -> Finding:
    if not settings.livekit_url and "livekit_url" not in (stack or {}):
        from ops.stack.embedded.livekit import LiveKitError, find_binary

        try:
            return Finding("livekit", "ok", f"no LIVEKIT_URL: `antiphon up --livekit` starts its own ({find_binary()})")
        except LiveKitError:
            return Finding(
                "livekit", "ok", "no LIVEKIT_URL and no server here (`make livekit` builds one): no LiveKit rooms"
            )
    from livekit import api

    from ops.stack.stack import livekit_access
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


def _models(settings: Settings) -> list[Finding]:
    """Find the models' files, without loading them."""
    from workers.registry import locate_models

    findings = []
    for check, setting, locate in locate_models(settings):
        try:
            findings.append(Finding(check, "ok", f"{setting}: {locate()}"))
        except ProviderError as error:
            findings.append(Finding(check, "bad", str(error), f"correct {setting}"))
    return findings


def _port(settings: Settings, ours: bool) -> Finding:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.gateway_host, settings.gateway_port))
        except OSError as error:
            if ours:
                return Finding("port", "ok", f"{settings.gateway_port}: held by the running stack")
            return Finding(
                "port", "warn", f"{settings.gateway_port}: {error.strerror}", "set GATEWAY_PORT to another one"
            )
    return Finding("port", "ok", f"{settings.gateway_port} is free")
