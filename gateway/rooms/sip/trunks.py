"""The trunk file: who may call this gateway, which agent answers which number, and where it registers or dials out.

Nobody is accepted until a trunk says so. Secrets are named here and stand in the environment.
"""

import difflib
import os
import re
from collections.abc import Collection, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from schemas.config.explain import read_text, read_toml, shown
from schemas.errors import SettingsError
from schemas.process.hosts import Network

CodecName = Literal["opus", "g722", "pcma", "pcmu"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class User(_Section):
    """Who may call with a password. `secret`: the NAME of the environment variable that holds it."""

    name: str = Field(min_length=1, max_length=120)
    secret: str = Field(min_length=1)


class Provider(_Section):
    """Where a trunk registers or dials out. `server`: host or host:port; `secret`: the NAME of an environment variable;
    `caller`: the SIP address that is shown to whom we call ("" makes one of user and server)."""

    server: str = Field(min_length=1)
    user: str = ""
    secret: str = ""
    transport: Literal["udp", "tcp"] = "udp"
    expires: int = Field(300, ge=30, le=86_400)
    """Seconds a registration is asked for."""
    caller: str = ""


class Trunk(_Section):
    """One PBX, provider or group of phones."""

    name: str = Field(min_length=1, max_length=60)
    addresses: list[Network] = []
    """Where calls may come from: addresses or networks (192.0.2.0/24). None by default."""
    media: list[Network] = []
    """Further networks its sound comes from, where that isn't the address of the signalling."""
    users: list[User] = []
    """Where there are any, a caller must answer for one of them."""
    algorithm: Literal["MD5", "SHA-256"] = "MD5"
    """Of the digest; every phone knows MD5."""
    numbers: dict[str, str] = {}
    """Called number → agent; "*" is any other."""
    codecs: list[CodecName] = ["opus", "g722", "pcma", "pcmu"]
    """Those that may be spoken."""
    calls: int = Field(30, ge=1)
    """At once."""
    calls_per_second: float = Field(5.0, gt=0)
    """New ones, from one address."""
    rtp_timeout: float = Field(30.0, ge=1)
    """Seconds without any sound after which a call is over."""
    session_expires: int = Field(1800, ge=90)
    """Seconds after which a call that nobody refreshes is over (RFC 4028)."""
    registration: Provider | None = None
    """Register there, to be called by its numbers."""
    outbound: Provider | None = None
    """Dial numbers through it."""

    @field_validator("addresses", "media", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        if not isinstance(value, list):
            return value
        return [ip_network(item, strict=False) if isinstance(item, str) else item for item in value]

    def agent_for(self, *numbers: str) -> str | None:
        """The agent that answers the first of `numbers` the trunk knows; None: nobody does."""
        for number in numbers:
            if number and number in self.numbers:
                return self.numbers[number]
        return self.numbers.get("*")

    def secrets(self) -> Iterator[tuple[str, str]]:
        """(where, name of the environment variable) of all secrets it names."""
        for user in self.users:
            yield f"user {user.name}", user.secret
        for where, provider in (("registration", self.registration), ("outbound", self.outbound)):
            if provider is not None and provider.secret:
                yield where, provider.secret


class Trunks(_Section):
    trunk: list[Trunk] = []

    def unanswered(self, agents: Collection[str]) -> Iterator[str]:
        """What nobody would answer, in a sentence each. `agents`: the names of those there are."""
        for trunk in self.trunk:
            for number, agent in trunk.numbers.items():
                if agent not in agents:
                    there = ", ".join(sorted(agents))
                    yield f'trunk "{trunk.name}": no agent "{agent}" for number {number}; there is {there} (AGENTS)'
            called = trunk.addresses or trunk.registration is not None
            if called and not trunk.numbers:
                yield f'trunk "{trunk.name}": its numbers name no agent; numbers = {{ "*" = "default" }} answers any'


def load_trunks(path: Path) -> Trunks:
    """Read a trunk file. SettingsError names the file, the line, what was found and what is expected."""
    return parse_trunks(read_text(path, SettingsError, "a trunk file", "SIP_TRUNKS"), str(path))


def parse_trunks(text: str, name: str = "trunks.toml") -> Trunks:
    """Trunks from TOML text; `name`: what errors call it."""
    trunks = read_toml(Trunks, text, name, SettingsError, sentence=_explain)
    problems = list(_problems(trunks, name))
    if problems:
        raise SettingsError("\n".join(problems))
    return trunks


def secret(variable: str) -> str:
    """A secret by the name of its environment variable; "" when it isn't set."""
    return os.environ.get(variable, "")


def _problems(trunks: Trunks, name: str) -> Iterator[str]:
    seen: set[str] = set()
    for trunk in trunks.trunk:
        where = f'{name}: trunk "{trunk.name}"'
        if trunk.name in seen:
            yield f"{where}: there are two of that name; give each its own"
        seen.add(trunk.name)
        for network in trunk.addresses:
            if network.prefixlen == 0 and not trunk.users:
                yield f"{where}: addresses = [{str(network)!r}] lets everybody call; name users too, or fewer addresses"
        for what, variable in trunk.secrets():
            if not secret(variable):
                yield f"{where}: the secret of {what} is to stand in the environment variable {variable}, which is not set"


def _explain(_: type[BaseModel], name: str, text: str, item: dict[str, object]) -> str:
    path: tuple[object, ...] = item["loc"]  # type: ignore[assignment]
    keys = [part for part in path if isinstance(part, str)]
    number = next((part for part in path if isinstance(part, int)), 0)
    line = _line_of(text, number, keys[-1]) if keys else None
    where = f"{name}, line {line}: " if line else f"{name}: "
    message = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        sections: dict[int, type[BaseModel]] = {1: Trunks, 2: Trunk}
        section = sections.get(len(keys), User if "users" in keys else Provider)
        near = difflib.get_close_matches(keys[-1] if keys else "", list(section.model_fields), n=1)
        hint = f'did you mean "{near[0]}"? ' if near else ""
        message = f"unknown key; {hint}allowed: {', '.join(section.model_fields)}"
    return f"{where}{'.'.join(keys) or 'it'} = {shown(item.get('input'))}: {message}"


def _line_of(text: str, number: int, key: str) -> int | None:
    """The line, from 1, on which `key` is set in the `number`th [[trunk]]."""
    tables = -1
    for at, line in enumerate(text.splitlines(), 1):
        tables += line.strip().startswith("[[trunk]]")
        if tables == number and re.search(rf"\b{re.escape(key)}\b", line):
            return at
    return None
