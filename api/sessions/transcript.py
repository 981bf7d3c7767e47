"""Who said what, in the order of speech: as values, as text, as captions."""

import asyncio
from typing import Literal

from pydantic import BaseModel

from api.sessions.shapes import TurnView
from api.sessions.story import Story
from schemas.text.clean import one_line

AGENT = "Agent"
_LONGEST_NAME = 80
_LONGEST_TEXT = 20_000
_AT_ONCE = 50
"""Turns that are looked at before anybody else has a turn."""
_SHORTEST = 0.5
"""Seconds a caption stands at least."""


class SaidView(BaseModel):
    """`who`: a name for a person; `identity`: "" for the agent; `kind`: spoken, typed, or the agent's; `cut`: it was broken off:
    `text` is what was heard of it."""

    turn: int
    who: str
    identity: str
    kind: Literal["user", "typed", "agent"]
    start_s: float
    end_s: float
    text: str
    cut: bool


class Transcript(BaseModel):
    """In the order in which it was begun."""

    session: str
    said: list[SaidView]


async def transcript_of(story: Story) -> Transcript:
    """Of a turn that was taken back all that was said stands in the one that went on, and its reply counts as never said."""
    told = story.telling.summary()
    said: list[SaidView] = []
    for number, turn in enumerate(story.turns()):
        if turn.reason != "taken_back":
            said += _said_in(turn, told.duration)
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return Transcript(session=told.session, said=sorted(said, key=lambda one: (one.start_s, one.turn)))


def _said_in(turn: TurnView, now: float) -> list[SaidView]:
    said = [
        SaidView(
            turn=turn.turn, who=one.name, identity=one.participant, kind="user", start_s=one.start_s, end_s=one.end_s,
            text=one.text, cut=False,
        )
        for one in turn.utterances
        if one.text
    ]  # fmt: skip
    said += [
        SaidView(
            turn=turn.turn, who=one.name, identity=one.participant, kind="typed", start_s=one.at_s, end_s=one.at_s,
            text=one.text, cut=False,
        )
        for one in turn.letters
        if not one.note
    ]  # fmt: skip
    for sentence in turn.sentences:
        if sentence.start_s is None:
            continue
        text = sentence.heard if sentence.cut else sentence.text
        if text:
            end = sentence.end_s if sentence.end_s is not None else max(now, sentence.start_s)
            said.append(
                SaidView(
                    turn=turn.turn, who=AGENT, identity="", kind="agent", start_s=sentence.start_s, end_s=end, text=text,
                    cut=sentence.cut,
                )
            )  # fmt: skip
    return said


def as_text(transcript: Transcript) -> str:
    """A line each: when, who, what. No line of a stranger's can pose as another's."""
    return "".join(f"[{_clock(one.start_s)}] {_who(one)}: {_words(one)}\n" for one in transcript.said)


def as_vtt(transcript: Transcript) -> str:
    """WebVTT: a cue each, its speaker as its voice."""
    cues = [_cue(one) for one in transcript.said]
    return "\n".join(["WEBVTT\n", *cues])


def _cue(said: SaidView) -> str:
    end = max(said.end_s, said.start_s + _SHORTEST)
    return f"{_clock(said.start_s)} --> {_clock(end)}\n<v {_escaped(_who(said))}>{_escaped(_words(said))}\n"


def _words(said: SaidView) -> str:
    return one_line(said.text, _LONGEST_TEXT) + (" —" if said.cut else "")


def _who(said: SaidView) -> str:
    return one_line(said.who, _LONGEST_NAME).replace(":", "") or "Somebody"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float) -> str:
    """HH:MM:SS.mmm"""
    left = max(0, round(seconds * 1000))
    left, milliseconds = divmod(left, 1000)
    left, secs = divmod(left, 60)
    hours, minutes = divmod(left, 60)
    return f"{hours:02}:{minutes:02}:{secs:02}.{milliseconds:03}"
