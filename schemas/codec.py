"""Events and jobs as bytes: msgpack of what differs from the defaults.

An event lies in the log as its type beside its body; `seq` and `at` are the log's own and come back with it.
A body leaves out what equals a default, so a changed default of an event is a new version of it
(`schemas/upcast.py`). The agent spec alone is written whole: its defaults are tuned between releases, and a
session is what it was.

Text that UTF-8 can't hold, from wherever it comes, is mended on its way in: a fact is worth more than half a character.
"""

from typing import Any, get_args

import msgpack
from pydantic import ValidationError

from schemas.clock import Micros
from schemas.errors import EventError, FutureEvent
from schemas.events import AgentChanged, Event, SessionStarted
from schemas.jobs import HookJob, Job, LlmJob, SttJob, ToolJob, TtsJob
from schemas.text.clean import mended
from schemas.upcast import UPCASTERS, Registry, upcast

EVENT_TYPES: dict[str, type[Event]] = {cls.model_fields["type"].default: cls for cls in get_args(get_args(Event)[0])}
"""Type as it stands in the log → its class."""

_VERSIONS = {kind: int(cls.model_fields["v"].default) for kind, cls in EVENT_TYPES.items()}
_JOBS: dict[str, type[Job]] = {"stt": SttJob, "llm": LlmJob, "tts": TtsJob, "tools": ToolJob}
_NOT_IN_BODY = {"seq", "at", "type"}


def prepare() -> None:
    """Make the validators of all events and jobs now, for who must answer in time; else each is made with the first of its kind,
    for who only looks."""
    for cls in (*EVENT_TYPES.values(), *_JOBS.values(), HookJob):
        cls.model_rebuild()


def encode_event(event: Event) -> bytes:
    """The body of `event`: msgpack, without `seq`, `at` and `type`. EventError if a value can't be stored."""
    body = event.model_dump(exclude=_NOT_IN_BODY, exclude_defaults=True)
    if event.v != 1:
        body["v"] = event.v
    if isinstance(event, SessionStarted | AgentChanged):
        body["agent"] = event.agent.model_dump()
    return _pack(body, f"event {event.type}")


def decode_event(kind: str, body: bytes, seq: int, at: Micros, registry: Registry = UPCASTERS) -> Event:
    """The event of type `kind` in place `seq`, appended at `at` µs.

    FutureEvent: a newer program wrote it; EventError: it is broken.
    """
    known = _unpack(body, kind, seq) if kind in EVENT_TYPES else {}
    return _event(kind, known, seq, at, registry)


def _event(kind: str, fields: dict[str, Any], seq: int, at: int, registry: Registry) -> Event:
    cls = EVENT_TYPES.get(kind)
    if cls is None:
        raise FutureEvent(f"event {seq}: no type {kind!r} is known here; a newer program wrote it, update this program")
    current = _VERSIONS[kind]
    if fields.get("v", 1) != current:
        fields = upcast(kind, fields, current, registry)
    fields["seq"] = seq
    fields["at"] = at
    try:
        return cls.model_validate(fields)
    except ValidationError as error:
        raise EventError(f"event {seq} ({kind}) can't be read: {_first(error)}") from None


def event_to_json(event: Event) -> dict[str, Any]:
    """`event` as JSON values, for files: `seq`, `at`, `type`, then what differs from the defaults."""
    body = event.model_dump(mode="json", exclude=_NOT_IN_BODY, exclude_defaults=True)
    if event.v != 1:
        body["v"] = event.v
    if isinstance(event, SessionStarted | AgentChanged):
        body["agent"] = event.agent.model_dump(mode="json")
    return {"seq": event.seq, "at": event.at, "type": event.type, **body}


def event_from_json(fields: dict[str, Any]) -> Event:
    """The event `event_to_json` wrote, also by an older version. Errors as `decode_event`."""
    seq, at = fields.get("seq"), fields.get("at")
    if not isinstance(seq, int) or not isinstance(at, int):
        raise EventError(f"an event has whole numbers seq and at; found seq {seq!r}, at {at!r}")
    body = {name: value for name, value in fields.items() if name not in _NOT_IN_BODY}
    return _event(str(fields.get("type")), body, seq, at, UPCASTERS)


def encode_job(job: Job) -> bytes:
    """`job` as msgpack, all of it (`answers` too, when it has one)."""
    body = job.model_dump(exclude_defaults=True)
    body["stage"] = job.stage
    return _pack(body, f"job {job.id}")


def decode_job(body: bytes, answers: int | None = None) -> Job:
    """The job in `body`; `answers`: the seq it answers, where the log kept it apart. EventError: broken."""
    fields = _unpack(body, "job")
    cls = HookJob if "hook" in fields else _JOBS.get(fields.get("stage", ""))
    if cls is None:
        stage, name = fields.get("stage"), fields.get("id", "?")
        raise EventError(f"job {name}: its stage is {stage!r}; stt, llm, tts or tools was expected")
    if answers is not None:
        fields["answers"] = answers
    try:
        return cls.model_validate(fields)
    except ValidationError as error:
        raise EventError(f"job {fields.get('id', '?')} can't be read: {_first(error)}") from None


def _pack(body: dict[str, Any], what: str) -> bytes:
    try:
        packed: bytes = msgpack.packb(body)
    except (UnicodeEncodeError, OverflowError):
        return _pack_mended(body, what)
    except (TypeError, ValueError) as error:
        raise EventError(f"{what} can't be written ({error}); the log takes numbers, text, lists, dicts") from None
    return packed


def _pack_mended(body: dict[str, Any], what: str) -> bytes:
    try:
        packed: bytes = msgpack.packb(mended(body))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise EventError(f"{what} can't be written ({error}); the log takes numbers, text, lists, dicts") from None
    return packed


def _unpack(body: bytes, what: str, seq: int | None = None) -> dict[str, Any]:
    """`what`: a job, or the type of the event in place `seq`."""
    try:
        fields = msgpack.unpackb(body)
    except Exception as error:  # msgpack raises half a dozen kinds, some of them bare ValueErrors
        found = f"its {len(body)} bytes are no msgpack of ours ({error})"
        raise _unreadable(what, seq, found) from None
    if not isinstance(fields, dict):
        raise _unreadable(what, seq, f"a msgpack map was expected, found {type(fields).__name__}")
    for key in fields:
        if type(key) is not str:
            raise _unreadable(what, seq, f"a msgpack map was expected, of names; found one of {type(key).__name__}")
    return fields


def _unreadable(what: str, seq: int | None, why: str) -> EventError:
    name = what if seq is None else f"event {seq} ({what})"
    return EventError(f"{name} can't be read: {why}")


def _first(error: ValidationError) -> str:
    item = error.errors()[0]
    return f"{'.'.join(map(str, item['loc']))}: {item['msg']}, found {item['input']!r}"[:300]
