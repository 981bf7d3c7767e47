"""What a list says of a session that is over, as bytes: kept beside its log (`schemas.bus.RowKeeping`), so that nobody has to
fold that again to tell it in a line."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import msgpack

from schemas.bus import SessionInfo
from schemas.clock import Micros
from schemas.session.row import FOLD_VERSION, PARTS, Answer, Participant, Summary

__all__ = ["RULES", "dump", "load"]

RULES = 1
"""Of how a state is told in a line; raise it whenever that changes. Rows by other rules, or of another fold, are not read: the
log is folded anew."""
_LARGEST = 64 * 1024
"""Bytes of a row that is kept."""
_LISTS = ("people", "topics", "brings")
_PLAIN = tuple(one.name for one in fields(Summary) if one.name not in _LISTS)
_VERSIONS = [FOLD_VERSION, RULES, list(PARTS), list(_PLAIN)]


def dump(told: Summary, answers: Sequence[Answer]) -> bytes | None:
    """None: it can't be kept, or is too large for that."""
    people = [
        (one.identity, one.kind, one.name, dict(one.attributes), one.present, one.speaking) for one in told.people
    ]
    rows = [(one.turn, one.kind, one.at, one.total, one.parts, one.how) for one in answers]
    plain = [getattr(told, name) for name in _PLAIN]
    try:
        packed: bytes = msgpack.packb((_VERSIONS, plain, people, told.topics, told.brings, rows))
    except (TypeError, ValueError, OverflowError):
        return None
    return packed if len(packed) <= _LARGEST else None


def load(packed: bytes, info: SessionInfo) -> tuple[Summary, tuple[Answer, ...]] | None:
    """None: it was made by other rules, or is not of the session as it is by now."""
    try:
        versions, plain, people, topics, brings, rows = msgpack.unpackb(packed)
        if versions != _VERSIONS:
            return None
        named: dict[str, Any] = dict(zip(_PLAIN, plain, strict=True))
        lists: dict[str, Any] = {"people": tuple(Participant(*one) for one in people), "topics": tuple(topics)}
        told = Summary(**named, **lists, brings=tuple(brings))
        answers = tuple(
            Answer(turn, kind, Micros(at), total, tuple(parts), how) for turn, kind, at, total, parts, how in rows
        )
    except (ValueError, TypeError):
        return None
    return (
        (told, answers) if (told.session, told.seq, told.at) == (info.session, info.seq, info.last_activity) else None
    )
