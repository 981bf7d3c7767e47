"""What is said in a stage's place: which part of a recorded reply a job gets, and the sound of a text nobody spoke. Pure."""

from collections.abc import Sequence

from ops.replay._recorded import Answer
from schemas.audio import HEARING_RATE, AudioRef
from schemas.events import Cause, ClipReady, Event, ReplyFinished, ReplySentence, Word
from schemas.jobs import Job, LlmJob

__all__ = ["BY", "UNKNOWN", "bare", "cause_of", "clip_of", "from_tool"]

BY = "replay"
"""Who writes such a session, in its log."""
UNKNOWN = "(not known)"
"""What the agent says where no reply of the session can stand for it."""


def cause_of(job: Job) -> Cause:
    return Cause(job=job.id, attempt=1)


def bare(text: str) -> str:
    """Its letters: how a transcript writes them is no other question."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def from_tool(answer: Answer, job: LlmJob) -> Sequence[tuple[float, Event]]:
    """What this job says of a reply: one that is not committed yet stops at a tool, and its continuation goes on there."""
    rounds: list[list[tuple[float, Event]]] = [[]]
    began = 0.0
    for delay, event in answer.parts:
        rounds[-1].append((max(0.001, delay - began), event))
        if _stops(event):
            began = delay
            rounds.append([])
    if not rounds[-1] and len(rounds) > 1:
        rounds.pop()
    mine = rounds[job.resume] if job.resume < len(rounds) else []
    if job.committed and not job.resume:  # nothing holds it up
        mine = [part for part in answer.parts if not _stops(part[1])]
    if mine and (answer.whole or _stops(mine[-1][1])):
        return mine
    said = sum(isinstance(event, ReplySentence) for _, event in answer.parts)
    return [*mine, (mine[-1][0] + 0.05 if mine else 0.05, ReplyFinished(sentences=said))]


def _stops(event: Event) -> bool:
    """For a tool."""
    return isinstance(event, ReplyFinished) and event.reason == "tool"


def clip_of(text: str, each: float) -> ClipReady:
    """A clip of which only the length is thought up."""
    pieces = text.split() or [text]
    ends = [sum(len(piece) + 1 for piece in pieces[: n + 1]) * each for n in range(len(pieces))]
    words = [
        Word(text=piece, start=round(end - (len(piece) + 1) * each, 3), end=round(end, 3))
        for piece, end in zip(pieces, ends, strict=True)
    ]
    sound = AudioRef(key=UNKNOWN, rate=HEARING_RATE, samples=round(ends[-1] * HEARING_RATE))
    return ClipReady(index=0, audio=sound, duration=round(ends[-1], 3), text=text, words=words, by=BY)
