"""The body of a chat request, and what an endpoint turned out not to take in it. Pure."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from schemas.text.clean import well_formed
from workers.providers import ChatRequest

__all__ = ["Habits", "body_of", "headers_of"]

_DISPENSABLE = ("stream_options", "seed", "temperature", "max_tokens", "user")
"""What can be left out, or called otherwise, for an endpoint that refuses it."""
_PARAMETER = r"(?:parameter|field|argument|property|extra|unexpected)"
_USER = re.compile(
    rf"""["'`]user["'`]|{_PARAMETER}s?\W+(?:\w+\W+){{0,3}}?user\b|\buser\W+(?:\w+\W+){{0,3}}?{_PARAMETER}""",
    re.IGNORECASE,
)
_LOCATED_USER = re.compile(r"\bloc\b[^\])]*\buser\b")
_OF_ROLES = re.compile(r"\broles?\b", re.IGNORECASE)
_SYSTEM = "system"
_NO_SYSTEM = re.compile(
    r"system role|developer instruction|roles are supported|system messages? (?:is|are) not", re.IGNORECASE
)
_LEAST = 16
"""Tokens of a reply: a bound below is no bound, but some other number."""
_CONTINUING = ("continue_final_message", "add_generation_prompt")
"""Options that belong to a prefilled request only."""


@dataclass(slots=True)
class Habits:
    """What a model of an endpoint was seen to do. `unopened`: it ends a reasoning that it never begins; `refused`: names it
    doesn't take; `continuing`: what it wants beside a prefill; `most`: tokens of a reply it allows, None: not known."""

    unopened: bool = False
    refused: set[str] = field(default_factory=set)
    continuing: dict[str, Any] = field(default_factory=dict)
    most: int | None = None

    def learn(self, body: dict[str, Any], said: str) -> bool:
        """Whether a complaint names something that can be left out, or made smaller: then it is, from now on."""
        if self._learns_most(body, said):
            return True
        if _SYSTEM not in self.refused and _NO_SYSTEM.search(said) and body["messages"][0].get("role") == _SYSTEM:
            self.refused.add(_SYSTEM)
            return True
        for name in _DISPENSABLE:
            if name in body and name not in self.refused and _names(said, name):
                self.refused.add(name)
                return True
        return False

    def _learns_most(self, body: dict[str, Any], said: str) -> bool:
        asked = body.get("max_tokens", body.get("max_completion_tokens"))
        if asked is None or not re.search(r"\bmax_(?:completion_)?tokens\b", said):
            return False
        allowed = [int(number) for number in re.findall(r"(?<![-\d.])\d{2,9}(?![\d.]\d)", said)]
        less = [number for number in allowed if _LEAST <= number < asked]
        self.most = max(less, default=self.most)
        return bool(less)


def _names(said: str, name: str) -> bool:
    """Whether a complaint names a parameter. `user` is a word of many others: of a chat's roles, of who asks."""
    if name != "user":
        return re.search(rf"\b{name}\b", said) is not None
    return bool(_LOCATED_USER.search(said) or (_USER.search(said) and not _OF_ROLES.search(said)))


def body_of(request: ChatRequest, model: str, habits: Habits) -> dict[str, Any]:
    messages = [_well_formed(message) for message in request.messages]
    if _SYSTEM in habits.refused:
        messages = _without_system(messages)
    if request.prefill:
        # llama.cpp goes on by itself; vLLM wants continue_final_message = true, add_generation_prompt = false
        messages.append({"role": "assistant", "content": well_formed(request.prefill.rstrip())})
    body: dict[str, Any] = {
        "model": request.model or model,
        "messages": messages,
        "temperature": request.temperature,
        "max_tokens": min(request.max_tokens, habits.most or request.max_tokens),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.seed is not None:
        body["seed"] = request.seed
    if request.session:
        body["user"] = request.session
    if request.tools:
        body["tools"] = request.tools
    for name in habits.refused:
        left_out = body.pop(name, None)
        if name == "max_tokens" and left_out is not None:
            body["max_completion_tokens"] = left_out
    options = {**habits.continuing, **request.options}
    return body | {name: value for name, value in options.items() if request.prefill or name not in _CONTINUING}


def headers_of(request: ChatRequest) -> dict[str, str]:
    return {"X-Session-ID": quote(request.session)} if request.session else {}


def _without_system(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The instructions at the head of the first thing a user said: some models' templates know no other place."""
    told = [message["content"] for message in messages if message.get("role") == _SYSTEM]
    rest = [message for message in messages if message.get("role") != _SYSTEM]
    if rest and rest[0].get("role") == "user":
        told.append(rest.pop(0)["content"])
    return [{"role": "user", "content": "\n\n".join(told)}, *rest]


def _well_formed(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    return message | {"content": well_formed(content)} if isinstance(content, str) else message
