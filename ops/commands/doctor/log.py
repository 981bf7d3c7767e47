"""What `antiphon doctor` says about the log: its server, what it keeps on disk, its memory and its clock."""

import time
from collections.abc import AsyncIterator
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from ops.commands.doctor.findings import Finding
from schemas.config.settings import Settings, without_password
from schemas.errors import in_words
from schemas.log.keys import PARTITIONS
from schemas.process.log_clock import FAR, apart_in_words


async def examine(settings: Settings, embedded: str | None) -> AsyncIterator[Finding]:
    """`embedded`: URL of the log of the stack that runs here, None when none does."""
    url = settings.redis_url if "redis_url" in settings.model_fields_set else embedded
    if url is None:
        from ops.stack.embedded.valkey import version as bundled

        yield Finding("log", "ok", f"no REDIS_URL: `antiphon up` starts its own ({await bundled()})")
        return
    client = Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2)
    try:
        info = await client.info()
        seconds, micros = await client.time()
        ahead = time.time() - (seconds + micros / 1e6)
        config = await client.config_get("append*")
        stored = None if settings.redis_cluster else await client.get(PARTITIONS)
    except (RedisError, OSError) as error:
        yield Finding("log", "bad", f"REDIS_URL={without_password(url)}: {in_words(error)}", _advice(error))
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
    yield _clock(ahead)


def _clock(ahead: float) -> Finding:
    """`ahead`: seconds that this machine's is."""
    if abs(ahead) >= FAR:
        advice = "run NTP on both: sessions go by the log's clock; `--since`, LiveKit's tokens and webhooks by this one"
        return Finding("clock", "bad", f"{apart_in_words(ahead)} of the log's", advice)
    if abs(ahead) > 0.5:
        return Finding(
            "clock", "warn", f"{abs(ahead):.1f} s apart from the log's", "run NTP; `ago` hides it, people's eyes don't"
        )
    return Finding("clock", "ok", f"{abs(ahead) * 1e3:.0f} ms apart from the log's")


def _advice(error: Exception) -> str:
    """A server that is there and refuses us needs no other server."""
    if isinstance(error, AuthenticationError):
        return "correct the password in REDIS_URL (redis://:PASSWORD@HOST:6379/0, or redis://USER:PASSWORD@HOST:6379/0)"
    if isinstance(error, NoPermissionError):
        return "let the user of REDIS_URL do what the log needs (ACL SETUSER), or name another in REDIS_URL"
    return "start Redis ≥ 7.0 or Valkey ≥ 8 there, or unset REDIS_URL"


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
