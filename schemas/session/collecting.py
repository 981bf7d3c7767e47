"""Fields: what the agent is to ask for, what it is told of that, and what becomes of what was said (docs/collecting.md). Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from schemas.clock import Micros
from schemas.config.collecting import FieldSpec
from schemas.config.conversation import Expects
from schemas.session.state import SessionState
from schemas.text.clean import one_line
from schemas.text.dictated import Unfit, Value, aloud, fit

__all__ = ["Asked", "Noted", "asked", "expects", "missing", "note", "told", "unknown_field"]

NOTE_FIELD = "note_field"
"""The tool by which the LLM notes them."""
_LONGEST = 200
"""Characters of a value that the LLM is told."""
_EXPECTS: Mapping[str, Expects] = {
    "digits": "number", "email": "spelling", "name": "spelling", "number": "amount", "yes_no": "yes_no",
}  # fmt: skip
"""What callers are then expected to say. A date and a choice are said like anything else."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The field that comes next. `as_`: it is asked for, or was said and is read back."""

    spec: FieldSpec
    as_: Literal["wanted", "read_back"]


@dataclass(frozen=True, slots=True)
class Noted:
    """`answer`: what the LLM is told; `value`: None where nothing is noted."""

    answer: str
    value: Value | None = None
    confirmed: bool = False


def asked(fields: Sequence[FieldSpec], collected: Mapping[str, bool]) -> Asked | None:
    """What comes next; `collected`: by name whether it is confirmed. None: all is there."""
    for spec in fields:
        if collected.get(spec.name) is False:
            return Asked(spec, "read_back")
    wanted = next((spec for spec in fields if spec.required and spec.name not in collected), None)
    return Asked(wanted, "wanted") if wanted is not None else None


def expects(fields: Sequence[FieldSpec], collected: Mapping[str, bool]) -> Expects:
    """What the caller is expected to say, by the field that is being asked for."""
    now = asked(fields, collected) if fields else None
    if now is None:
        return "free"
    return "yes_no" if now.as_ == "read_back" else _EXPECTS.get(now.spec.type, "free")


def missing(state: SessionState) -> list[FieldSpec]:
    """Required fields that are not there, or not confirmed."""
    return [
        spec
        for spec in state.agent.fields
        if (spec.required and spec.name not in state.fields)
        or (spec.name in state.fields and not state.fields[spec.name].confirmed)
    ]


def told(state: SessionState) -> str:
    """What the LLM is told of the agent's fields; "" where it has none."""
    fields = state.agent.fields
    if not fields:
        return ""
    lines = ["You collect these from the caller, one at a time, in this order:"]
    lines += [f"- {spec.name} ({_kind(spec)}){_how(spec)}{_status(state, spec)}" for spec in fields]
    lines.append(
        f"When the caller has said one, call {NOTE_FIELD} with its name and what they said, word for word, and do as it answers. "
        "Never make a value up."
    )
    now = asked(fields, {name: one.confirmed for name, one in state.fields.items()})
    lines.append(_next(state, now))
    return "\n".join(lines)


def _kind(spec: FieldSpec) -> str:
    kind = {"email": "e-mail", "yes_no": "yes or no", "name": "a person's name"}.get(spec.type, spec.type)
    kind = f"one of: {', '.join(spec.choices)}" if spec.choices else kind
    return f"{kind}{'' if spec.required else '; only if they say it'}"


def _how(spec: FieldSpec) -> str:
    return f": ask {one_line(spec.ask, 300)!r}" if spec.ask else ""


def _status(state: SessionState, spec: FieldSpec) -> str:
    one = state.fields.get(spec.name)
    if one is None:
        return ""
    return f" = {one_line(str(one.value), _LONGEST)}{'' if one.confirmed else ' (not confirmed yet)'}"


def _next(state: SessionState, now: Asked | None) -> str:
    if now is None:
        return "All of them are there: don't ask for them again."
    if now.as_ == "wanted":
        return f"Ask now for {now.spec.name}."
    value = one_line(aloud(now.spec.type, state.fields[now.spec.name].value), _LONGEST)
    return (
        f"Now {now.spec.name}: read back {value!r} and ask whether it is right. If the caller says yes, call {NOTE_FIELD} with "
        f"confirmed = true; if not, ask for it again."
    )


def unknown_field(state: SessionState, name: str) -> str:
    names = ", ".join(spec.name for spec in state.agent.fields) or "none"
    return f"there is no field {one_line(name, 60)!r}; there is {names}"


def note(state: SessionState, turn: int, name: str, said: object, confirmed: bool, today: date | None = None) -> Noted:
    """What becomes of what the caller said in `turn` for a field. A field that is to be confirmed is so only once the very value
    was noted in an earlier turn, and so read back. `today`: None: the day of the session's last event, UTC."""
    spec = next((one for one in state.agent.fields if one.name == name), None)
    if spec is None:
        return Noted(unknown_field(state, name))
    before = state.fields.get(name)
    if confirmed and before is not None and said in ("", None, before.value, before.said):
        value: Value = before.value
    else:
        try:
            value = fit(
                spec.type,
                said,
                today=today or _day(state.at),
                pattern=spec.pattern,
                length=spec.length,
                choices=spec.choices,
            )
        except Unfit as error:
            return Noted(f"not noted: {error}")
    read_back = before is not None and before.value == value and (before.turn < turn or before.confirmed)
    sure = not spec.confirm or (confirmed and read_back)
    shown = one_line(str(value), _LONGEST)
    if not sure:
        spoken = one_line(aloud(spec.type, value), _LONGEST)
        return Noted(f"noted {name} = {shown}. Read it back: {spoken!r}, and ask whether it is right.", value)
    known = {other: one.confirmed for other, one in state.fields.items()} | {name: True}
    then = asked(state.agent.fields, known)
    following = f"Ask now for {then.spec.name}.{_how(then.spec)}" if then is not None else "All fields are there."
    return Noted(f"{name} = {shown} is {'confirmed' if spec.confirm else 'noted'}. {following}", value, confirmed=True)


def _day(at: Micros) -> date:
    return datetime.fromtimestamp(at / 1e6, UTC).date()
