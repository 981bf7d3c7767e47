"""Values in an agent's instructions and greeting: `{{caller.number}}`, `{{now}}`, `{{metadata.order | none}}`. Pure: text and
what the log knows in, text out.

What strangers set gets in by name only: attributes of participants that `prompt_attributes` allows, metadata of the call that
`prompt_metadata` allows. It comes as one line, bounded, and is never read for values itself.
"""

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from schemas.text.clean import one_line

UNKNOWN = "unknown"
"""What stands for a value that there is not."""
LONGEST = 300
"""Characters of a value."""
NAMES = {
    "caller.number": "the phone number of who calls",
    "caller.name": "what who calls is called",
    "caller.channel": "`phone` for who is on a telephone line, else `app`",
    "participant.name": "the same: of whom the session is for",
    "participant.attributes.X": "an attribute of theirs, allowed by prompt_attributes",
    "now": "date and time at which the session began, in the agent's timezone",
    "now.fresh": "date and time of the turn that is answered; the prompt is another one each turn, and none is kept warm",
    "session.id": "the session",
    "metadata.X": "metadata of the call, allowed by prompt_metadata",
    "values.X": "what a hook of agent.py gave by this name",
}
"""Names of values, and what each is."""
_VALUE = re.compile(r"\{\{[ \t]*([A-Za-z_][\w.:-]{0,199})[ \t]*(?:\|([^{}\n]{0,300}))?\}\}")
_ATTRIBUTE, _METADATA, _GIVEN = "participant.attributes.", "metadata.", "values."
_NUMBER = "sip.phoneNumber"


@dataclass(frozen=True, slots=True)
class Known:
    """What values are made of. `began`, `at`: µs since 1970, of the session and of the turn that is answered; `timezone`: IANA;
    `name`, `kind`, `attributes`: of whom the session is for; `attributes_allowed`, `metadata_allowed`: names that may be told;
    `given`: by hooks."""

    session: str = ""
    began: int = 0
    at: int = 0
    timezone: str = "UTC"
    name: str = ""
    kind: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    attributes_allowed: tuple[str, ...] = ()
    metadata_allowed: tuple[str, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)


def filled(text: str, known: Known) -> str:
    """`text`, each value in its place; for one that there is not, what stands behind its `|`, else UNKNOWN."""
    if "{{" not in text:
        return text
    return _VALUE.sub(lambda found: _value(found[1], known) or (found[2] or "").strip() or UNKNOWN, text)


def missing(text: str, known: Known) -> list[str]:
    """Names in `text` of values that there are not, and for which nothing stands behind a `|`."""
    if "{{" not in text:
        return []
    return sorted({found[1] for found in _VALUE.finditer(text) if not (_value(found[1], known) or found[2])})


def _value(name: str, known: Known) -> str:
    """ "" where there is none."""
    match name:
        case "caller.number":
            found = known.attributes.get(_NUMBER, "")
        case "caller.name" | "participant.name":
            found = known.name
        case "caller.channel":
            found = "phone" if known.kind == "sip" else "app" if known.kind else ""
        case "now":
            found = _moment(known.began, known.timezone)
        case "now.fresh":
            found = _moment(known.at or known.began, known.timezone)
        case "session.id":
            found = known.session
        case _ if (key := name.removeprefix(_ATTRIBUTE)) != name:
            found = known.attributes.get(key, "") if key in known.attributes_allowed else ""
        case _ if (key := name.removeprefix(_METADATA)) != name:
            found = _shown(known.metadata.get(key)) if key in known.metadata_allowed else ""
        case _:
            found = known.given.get(name.removeprefix(_GIVEN), "") if name.startswith(_GIVEN) else ""
    return one_line(found, LONGEST)


def _shown(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return json.dumps(value, ensure_ascii=False)


def _moment(micros: int, timezone: str) -> str:
    """As `Saturday, 28 November 2026, 17:05 (Europe/Berlin)`; in the words of English, whatever the machine's are."""
    if micros <= 0:
        return ""
    zone = zone_of(timezone)
    when = datetime.fromtimestamp(micros / 1e6, zone or UTC)
    day, month = _DAYS[when.weekday()], _MONTHS[when.month - 1]
    return f"{day}, {when.day} {month} {when.year}, {when:%H:%M} ({timezone if zone else 'UTC'})"


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def zone_of(name: str) -> tzinfo | None:
    """None: this machine knows no such time zone."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        return None


@dataclass(frozen=True, slots=True)
class Mistake:
    """A value that can't be. `offset`: where in the text it stands."""

    offset: int
    name: str
    message: str


def mistakes(
    text: str, attributes: Sequence[str], metadata: Sequence[str], *, spoken: bool = False
) -> Iterator[Mistake]:
    """What in `text` names a value that no session can have, by what the agent allows of `attributes` and `metadata`. `spoken`:
    it is said as it stands."""
    for found in _VALUE.finditer(text):
        name = found[1]
        why = _mistake(name, attributes, metadata)
        if spoken and name == "session.id":
            why = "a session's id is not said; it may stand in the instructions"
        if why is not None:
            yield Mistake(found.start(), name, f"{{{{{name}}}}}: {why}")


def _mistake(name: str, attributes: Sequence[str], metadata: Sequence[str]) -> str | None:
    for prefix, allowed, setting in (
        (_ATTRIBUTE, attributes, "prompt_attributes"), (_METADATA, metadata, "prompt_metadata"),
    ):  # fmt: skip
        key = name.removeprefix(prefix)
        if key == name:
            continue
        there = ", ".join(allowed) or "none"
        return None if key in allowed else f"{setting} does not allow {key!r} (there: {there}); add it there"
    if name in NAMES or (name.removeprefix(_GIVEN).isidentifier() and name.startswith(_GIVEN)):
        return None
    near = difflib.get_close_matches(name, NAMES, n=1)
    meant = f"; did you mean {{{{{near[0]}}}}}?" if near else "."
    return f"there is no such value{meant} There are {', '.join(NAMES)}"
