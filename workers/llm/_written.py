"""Calls that a model writes into what it says: `Sure! {"name": "book", …}`, bare or in a fence. Pure: text in, text out.

What begins like JSON is held until it is whole, so that no piece of a call is ever spoken; what turns out to be none is said. All
that follows a call is hidden with it: further calls, or a result that the model thinks up.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from workers.llm._calls import KEYS, plain, written
from workers.providers import CalledTool

__all__ = ["Written"]

_MOST = 64_000
"""Characters that are held, or kept of calls."""
_RETRIES = 8
"""Brackets in what is held that are looked at anew, once it turns out to be no JSON."""
_FENCE = r"(?:`{1,3}[a-z_]{0,12}\s{0,8})?"
_BEGINS = re.compile(_FENCE + r'(?P<value>(?:\[\s{0,8})?\{[\s{]{0,16}"[^"\\\n]{0,64}"\s{0,8}:)', re.IGNORECASE)
_SO_FAR = re.compile(
    _FENCE + r'(?:\[\s{0,8})?(?:\{[\s{]{0,16}(?:"(?P<key>[^"\\\n]{0,64})(?:"\s{0,8})?)?)?\Z', re.IGNORECASE
)
_MAY_BEGIN = re.compile(r"[`\[{]")
_EDGE = re.compile(r'["\\\[\]{}]')
_BARE = re.compile(rf'(?:\[\s*)?[\s{{]*"(?:{"|".join(sorted(KEYS))})"\s*:')
_NAMED = re.compile(r'"(?:name|function|tool|tool_name|function_name)"\s*:\s*"(?P<name>[^"\\]{1,64})"')
_ARGUMENTS = re.compile(r'"(?:parameters|arguments|args|input|tool_input|function_args|function|tool_calls)"\s*:')
_NO_LETTERS = re.compile(r"[\W_]+")
_SHORTEST = 8
"""Letters of what can be recognised as said before."""


class Written:
    """`feed` what is shown of a reply, say what it gives back, `flush` at the end. `called`: there was a call.

    `tools`: as the model is told of them; `messages`: the chat. What a user or a tool has said there is no call when the model
    says it once more: nobody can dictate one. `looks`: else all is said.
    """

    def __init__(
        self, tools: Iterable[Mapping[str, Any]] = (), messages: Sequence[Mapping[str, Any]] = (), *, looks: bool = True
    ) -> None:
        told = [one.get("function") or {} for one in tools]
        self._takes = {plain(str(one.get("name"))): frozenset(_parameters(one)) for one in told}
        self._messages, self._looks = messages, looks
        self._heard: str | None = None
        self.forget()

    def forget(self) -> None:
        """What came so far is none of the reply."""
        self.called = False
        self._buffer = self._text = ""
        self._value = _Value()

    def feed(self, text: str) -> str:
        self._buffer += text
        return self._shown(final=False)

    def flush(self) -> str:
        return self._shown(final=True)

    def calls(self, beside: str = "") -> tuple[CalledTool, ...]:
        """Each once, and none that somebody else wrote; () where none can be made out. `beside`: what stood between marks."""
        found = written(f"{self._text}\n{beside}", self._takes, self._is_echo)
        once: list[CalledTool] = []
        for one in [one for one in found if plain(one.name) in self._takes] or found:  # the rest is thought up
            if one not in once:
                once.append(one)
        return tuple(once)

    def _shown(self, final: bool) -> str:
        place = retries = 0
        while self._looks and not self.called and (found := _MAY_BEGIN.search(self._buffer, place)) is not None:
            at = found.start()
            begins = _BEGINS.match(self._buffer, at)
            if begins is None:
                so_far = _SO_FAR.match(self._buffer, at)
                if so_far is not None and not final:
                    return self._cut(at)
                key = so_far["key"] if so_far is not None else None
                if key is not None and any(one.startswith(key) for one in KEYS):
                    return self._hide(at, at)
                place = at + 1
                continue
            start = begins.start("value")
            end = self._value.end(self._buffer, start)
            if end is None and not final and len(self._buffer) - start < _MOST:
                return self._cut(at)
            self._value = _Value()
            if self._is_call(self._buffer[start:end], whole=end is not None):
                return self._hide(at, start)
            retries += end is None
            place = end if end is not None else start + 1 if retries < _RETRIES else len(self._buffer)
        if self.called:
            return self._hide(0, 0)
        return self._cut(len(self._buffer))

    def _cut(self, at: int) -> str:
        """What is said: that before `at`. What follows may be a call."""
        out, self._buffer = self._buffer[:at], self._buffer[at:]
        return out

    def _hide(self, at: int, start: int) -> str:
        """The same, and what begins at `start` is one."""
        out, self._text = self._buffer[:at], (self._text + self._buffer[start:])[:_MOST]
        self._buffer, self.called = "", True
        return out

    def _is_call(self, value: str, *, whole: bool) -> bool:
        """Or was to be one: it is cut, or no JSON, or its arguments aren't the tool's."""
        if self._echoes(value):
            return False
        named = [plain(one["name"]) in self._takes for one in _NAMED.finditer(value)]
        if _BARE.match(value) and (_ARGUMENTS.search(value) or any(named[:1]) or not (named or whole)):
            return True
        return any(plain(one.name) in self._takes for one in written(value, self._takes))

    def _is_echo(self, value: Any) -> bool:
        return self._echoes(json.dumps(value, ensure_ascii=False))

    def _echoes(self, text: str) -> bool:
        letters = _letters(text)
        if len(letters) < _SHORTEST:
            return False
        if self._heard is None:
            said = (str(one.get("content") or "") for one in self._messages if one.get("role") in ("user", "tool"))
            self._heard = "\n".join(map(_letters, said))
        return letters in self._heard


class _Value:
    """Where a JSON value ends that comes in pieces: at the bracket that closes the first one."""

    def __init__(self) -> None:
        self._done = self._depth = 0
        self._text = False

    def end(self, text: str, start: int) -> int | None:
        """Behind its end; None: it isn't there yet. What was read of it is not read again."""
        place = start + self._done
        while (found := _EDGE.search(text, place)) is not None:
            edge, place = found.group(), found.end()
            if edge == "\\":
                if place == len(text):
                    self._done = found.start() - start
                    return None
                place += self._text
            elif edge == '"':
                self._text = not self._text
            elif not self._text:
                self._depth += 1 if edge in "[{" else -1
                if not self._depth:
                    return place
        self._done = len(text) - start
        return None


def _parameters(function: Mapping[str, Any]) -> Iterable[str]:
    schema = function.get("parameters")
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    return properties if isinstance(properties, Mapping) else ()


def _letters(text: str) -> str:
    return _NO_LETTERS.sub("", text).casefold()
