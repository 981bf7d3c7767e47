"""Server-sent events, as endpoints really send them. Pure: bytes in, the data of whole events out.

Comments, pings and events without data are nothing; `data:` may lack its blank; lines end in LF, CRLF or CR; a BOM is
skipped; bytes that are no UTF-8 become U+FFFD; a missing empty line between two events of JSON is put there. A body of bare
JSON, one value a line or one in all, is read as well.
"""

import codecs
import json
import re

from workers._answers import json_value

__all__ = ["EventStream", "NotAStream"]

_LINE = re.compile(r"\r\n|\n|\r(?!\Z)")
_FIELDS = frozenset({"", "data", "event", "id", "retry"})
_ENDS_LINE = re.compile(r"[\r\n]")
_LONGEST = 2 << 20
"""Characters of one event, beyond which nobody means well."""
_SHOWN = 60


class NotAStream(Exception):
    """What comes is no events: `str(error)` says how it begins."""


class EventStream:
    """`feed` what comes, `end` when it has ended: each answers the data of the events that are whole. NotAStream."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending: list[str] = []
        self._data: list[str] = []
        self._held = 0
        self._kind = ""  # "", then events or json
        self._name = ""

    def feed(self, chunk: bytes) -> list[str]:
        return self._take(self._decoder.decode(chunk))

    def end(self) -> list[str]:
        events = self._take(self._decoder.decode(b"", final=True) + "\n")
        if self._kind == "json" and self._data:
            text = "\n".join(self._data)
            if json_value(text) is None:
                raise NotAStream(_beginning(text))
            events.append(text)
        elif event := self._event():
            events.append(event)
        self._data = []
        return events

    def _take(self, text: str) -> list[str]:
        self._pending.append(text)
        self._held += len(text)
        if self._held > _LONGEST:
            raise NotAStream(f"one event of more than {_LONGEST} characters")
        if self._kind and not _ENDS_LINE.search(text):
            return []
        rest = "".join(self._pending)
        if not self._kind:
            rest = self._recognize(rest)
        *lines, rest = _LINE.split(rest)
        self._pending = [rest]
        return [event for line in lines if (event := self._line(line)) is not None]

    def _recognize(self, text: str) -> str:
        """By its first character that shows, and where that says nothing, its first line."""
        text = text.lstrip("\ufeff\n\r\t ")
        if not text:
            return ""
        if text[0] in "{[":
            self._kind = "json"
        elif text[0] == "<":
            raise NotAStream(_beginning(text))
        elif _LINE.search(text) or len(text) > 200:
            if _LINE.split(text, 1)[0].partition(":")[0] not in _FIELDS:
                raise NotAStream(_beginning(text))
            self._kind = "events"
        return text

    def _line(self, line: str) -> str | None:
        if self._kind == "json":
            return self._json_line(line)
        if not line:
            return self._event() or None
        name, _, value = line.partition(":")
        if name == "event":
            self._name = value.strip()
        if name != "data":
            return None
        value = value.removeprefix(" ").removeprefix("data: ")  # some proxies put it there twice
        # no empty line between two events: what is whole already is one
        before = (
            self._event()
            if self._data and value[:1] in "{[" and json_value("\n".join(self._data)) is not None
            else None
        )
        self._data.append(value)
        return before

    def _event(self) -> str:
        """The data of the event that is over; an error told in plain words as the JSON it should have been."""
        data, self._data, self._held = "\n".join(self._data), [], 0
        name, self._name = self._name, ""
        if name == "error" and data and not isinstance(json_value(data), dict):
            return json.dumps({"error": data})
        return data

    def _json_line(self, line: str) -> str | None:
        if not self._data and (not line.strip() or json_value(line) is not None):
            self._held = 0
            return line.strip() or None
        self._data.append(line)
        return None


def _beginning(text: str) -> str:
    shown = " ".join(text[: 4 * _SHOWN].split())[:_SHOWN]
    return "".join(character if character.isprintable() else "\ufffd" for character in shown)
