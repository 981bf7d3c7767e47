"""What `antiphon doctor` says about this machine: its disk, the models' files, the gateway's door."""

import socket
from pathlib import Path

from ops.commands.doctor.findings import Finding
from ops.stack.disk import LITTLE, free, trouble
from ops.stack.doors import look_at_clients
from schemas.config.settings import Settings
from schemas.errors import Permanent, ProviderError, SettingsError


def disk(folder: Path) -> Finding:
    """Where `antiphon up` keeps its log, or will."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if why := trouble(there):
        return Finding("disk", "bad", why, "until then `antiphon up` can't keep a log")
    left = f"{free(there) / 2**30:.1f} GiB free for {folder}"
    if free(there) < LITTLE:
        return Finding(
            "disk", "warn", left, "free some space, or set ANTIPHON_DATA to another disk: a full one ends the log"
        )
    return Finding("disk", "ok", left)


def models(settings: Settings) -> list[Finding]:
    """Find the models' files, without loading them."""
    from workers.registry import locate_models

    findings = []
    for check, setting, locate in locate_models(settings):
        try:
            findings.append(Finding(check, "ok", f"{setting}: {locate()}"))
        except ProviderError as error:
            findings.append(Finding(check, "bad", str(error), f"correct {setting}"))
    return findings


def completeness(settings: Settings) -> list[Finding]:
    """Find the model that says whether words are complete, too, where STT workers would load it."""
    from workers.registry import own_name, provider_class
    from workers.stt.completeness import locate

    try:
        if not getattr(provider_class("stt", own_name("stt", settings)), "read_again", False):
            return []
        if not settings.stt_complete:
            return [
                Finding("words", "ok", "STT_COMPLETE=false: nobody asks whether they are complete; turns end by melody")
            ]
        return [Finding("words", "ok", f"STT_COMPLETE: {locate()}")]
    except Permanent as error:
        advice = "until then turns end by their melody, a little later; STT_COMPLETE=false: that is how it is meant"
        return [Finding("words", "warn", str(error), advice)]


def access(settings: Settings) -> Finding:
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


def port(settings: Settings, ours: bool) -> Finding:
    """Whether the gateway's port can be had; `ours`: the stack that runs here may hold it."""
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
