"""What is said in a stage's place: which part of a recorded reply a job gets, and the sound of a text nobody spoke. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from ops.replay._calls import call_of, returns
from ops.replay._recorded import Answer
from schemas.audio import HEARING_RATE, AudioRef
from schemas.events import Cause, ClipReady, Event, ReplyFinished, ReplySentence, ToolCalled, Word
from schemas.jobs import Job

__all__ = ["BY", "UNKNOWN", "GivenAgain", "bare", "cause_of", "clip_of", "given_again"]

BY = "replay"
"""Who writes such a session, in its log."""
UNKNOWN = "(not known)"
"""What the agent says where no reply of the session can stand for it."""


def cause_of(job: Job) -> Cause:
    return Cause(job=job.id, attempt=1)


def bare(text: str) -> str:
    """Its letters: how a transcript writes them is no other question."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


@dataclass(frozen=True, slots=True)
class GivenAgain:
    """A recorded reply as it is given again. `rounds`: what its job says, then what each continuation after tools does."""

    answer: Answer
    rounds: Sequence[Sequence[tuple[float, Event]]]

    def part(self, resume: int) -> Sequence[tuple[float, Event]]:
        """What continuation `resume` says; 0: the job itself."""
        mine = self.rounds[resume] if resume < len(self.rounds) else []
        if mine and (self.answer.whole or _stops(mine[-1][1])):
            return mine
        said = sum(isinstance(event, ReplySentence) for _, event in self.answer.parts)
        return [*mine, (mine[-1][0] + 0.05 if mine else 0.05, ReplyFinished(sentences=said))]


def given_again(answer: Answer, filler: str, *, committed: bool) -> GivenAgain:
    """One that is not committed yet stops at a tool, and its continuation goes on there; one whose tools the pool runs stops in
    any case: what these answer is none of its parts, and the `filler` is said again by who said it."""
    rounds: list[list[tuple[float, Event]]] = [[]]
    began, working = 0.0, set[str]()
    pool = {event.call for _, event in answer.parts if isinstance(event, ToolCalled) and event.pool}
    for delay, event in answer.parts:
        call = event.call if isinstance(event, ToolCalled) else call_of(event)
        if call in pool and not isinstance(event, ToolCalled):
            if returns(event):
                working.discard(call)
                began = delay if not rounds[-1] else began
            continue
        if pool and isinstance(event, ReplySentence) and event.cause is None and event.text == filler:
            continue
        working |= {call} & pool
        if _stops(event) and committed and not working:
            continue  # nothing holds it up
        rounds[-1].append((max(0.001, delay - began), event))
        if _stops(event):
            began = delay
            rounds.append([])
    if not rounds[-1] and len(rounds) > 1:
        rounds.pop()
    return GivenAgain(answer, rounds)


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
