"""Who is in the room, as the session sees them: humans only, and of what they set only what may be known."""

from collections.abc import Mapping, Sequence
from typing import Literal

from livekit import rtc

from gateway.inputs import Joined

_NOT_HUMAN = (
    rtc.ParticipantKind.PARTICIPANT_KIND_AGENT,
    rtc.ParticipantKind.PARTICIPANT_KIND_EGRESS,
)
_OF_CALLS = "sip."
"""Attributes LiveKit's SIP bridge sets: caller, number called, trunk, call id. They belong in the log."""
OUTBOUND = "antiphon.direction"
"""Ours, of a phone that we called: `outbound` (api/livekit/telephony.py)."""
_NOBODY_THERE = ("dialing", "ringing", "automation", "hangup")
"""What `sip.callStatus` is before somebody has answered and the bridge has keyed its digits, and after they hung up."""
_LONGEST = 1000
METADATA = "metadata"


def is_human(participant: rtc.Participant) -> bool:
    """Whether somebody may speak through it: people, phones, streams; not agents and recorders."""
    return participant.kind not in _NOT_HUMAN


def is_phone(participant: rtc.Participant) -> bool:
    return participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP


def is_idle_phone(participant: rtc.Participant) -> bool:
    """A phone that is in the room, with nobody at it who hears: it rings, or has just been hung up."""
    return is_phone(participant) and participant.attributes.get("sip.callStatus") in _NOBODY_THERE


def joined(participant: rtc.Participant, allowed: Sequence[str]) -> Joined:
    """`allowed`: names of attributes that may be known (`metadata`: the participant's metadata)."""
    kind: Literal["sip", "standard"] = "sip" if is_phone(participant) else "standard"
    known = of_interest(participant.attributes, participant.metadata, allowed, phone=kind == "sip")
    return Joined(participant.identity, kind, participant.name, known)


def of_interest(attributes: Mapping[str, str], metadata: str, allowed: Sequence[str], *, phone: bool) -> dict[str, str]:
    """What of a participant's attributes is kept: those allowed, and of a phone those of the call."""
    everything = dict(attributes) | ({METADATA: metadata} if metadata else {})
    return {
        name: value[:_LONGEST]
        for name, value in everything.items()
        if name in allowed or (phone and (name.startswith(_OF_CALLS) or name == OUTBOUND))
    }
