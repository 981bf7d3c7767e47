"""Barge-in: speech over the agent pauses it at once; whether it interrupts is decided here and nowhere else.

The first frame that may be speech hushes it already: two frames earlier, and if it was nothing, all that is lost is their time.
Words that are no backchannel, or a second of unbroken speech, interrupt; in the first moments of a reply they take the turn back,
if it is the same caller who goes on (`regret.py`). A backchannel, or nothing, lets the agent go on; "yes" over its question
answers it (`answers.py`). Waiting is inaudible, since playback is paused.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

from gateway.turn_taking import answers, regret, waking
from gateway.turn_taking.commit import is_piece
from gateway.turn_taking.draft import Draft
from gateway.turn_taking.interface import Pause
from gateway.turn_taking.moments import NEVER
from gateway.turn_taking.people import Speaking
from gateway.turn_taking.state import State, Turn, addressed
from schemas.clock import TurnTime
from schemas.config.agent import AgentSpec
from schemas.events import PlaybackPaused

LATE = 0.5
"""Seconds of the reply still to come, below which "yes" is an answer rather than a backchannel."""


def hush(draft: Draft) -> None:
    """Somebody may be about to speak: silence within this frame, until that is known."""
    playback = draft.state.playback
    if playback is not None and playback.mode == "sounding" and draft.state.may_interrupt:
        draft.state.playback = replace(playback, mode="hushed")
        draft.decisions.append(Pause(playback.turn, playback.index))


def pause(draft: Draft) -> None:
    """Somebody speaks, or nobody hears: silence within this frame."""
    playback = draft.state.playback
    if playback is None or playback.mode not in ("sounding", "hushed"):
        return
    if draft.state.away_since is None and not draft.state.may_interrupt:
        return
    draft.state.playback = replace(playback, mode="held")
    if playback.mode == "sounding":
        draft.decisions.append(Pause(playback.turn, playback.index))
    draft.fact(
        PlaybackPaused,
        turn=playback.turn,
        generation=playback.generation,
        index=playback.index,
        position=round(playback.position, 3),
        inputs=why_silent(draft.state),
    )


def why_silent(state: State) -> dict[str, Any]:
    """For the log: nobody hears, or who speaks."""
    if state.away_since is not None:
        return {"away": True}
    speaking = [person.name for person in state.people.values() if person.pressed or person.speech is not None]
    return {"speaking": speaking}


def all_but_finished(state: State) -> bool:
    """The agent has less than half a second left to say."""
    playback = state.playback
    turn = state.playing
    if playback is None or turn is None or turn.reply is None or not turn.reply.complete:
        return False
    sentence = turn.reply.sentences[playback.index]
    is_last = playback.index == len(turn.reply.sentences) - 1
    return is_last and sentence.settled and sentence.duration - playback.position <= LATE


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


_HUM = re.compile(r"[mhn]{2,}")
"""What a small Whisper writes for a hum: "MMMM.", "M-H-N", "Hmm"."""


def is_backchannel(text: str, backchannels: Iterable[str]) -> bool:
    """Whether the whole of `text` is made of backchannels ("Mm-hmm. Yeah, okay."), however written."""
    spoken = _pieces(text)
    if spoken and _HUM.fullmatch("".join(spoken)):
        return True
    known = _known(tuple(backchannels))
    longest = max((len(pieces) for pieces in known), default=0)
    at = 0
    while at < len(spoken):
        size = next((n for n in range(longest, 0, -1) if tuple(spoken[at : at + n]) in known), 0)
        if not size:
            return False
        at += size
    return bool(spoken)


def _pieces(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold().replace("'", "").replace("’", ""))


@lru_cache(maxsize=256)
def _known(backchannels: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    pieces = [_pieces(entry) for entry in backchannels]
    return frozenset(tuple(entry) for entry in pieces) | frozenset(("".join(entry),) for entry in pieces if entry)


Verdict = Literal[
    "interrupts", "taken_back", "waits", "failed", "empty", "unaddressed", "asleep", "backchannel", "answered"
]


def verdict(inputs: Mapping[str, Any], agent: AgentSpec) -> Verdict:
    """What becomes of what was said: a function of nothing but these `inputs`, which the log keeps with the decision.

    `over`: it was said over the agent; `text`: the words looked at; `said`: all words of its turn; `speakers`: whose; `humans`,
    `linked`: who is there; `late`: it began when the agent had all but finished; `unbroken`: seconds of speech without a pause;
    `final`: all is transcribed, but for what `failed`; `answers`: the words answer the question they were said over, or may yet;
    `begun`: how much was heard of the reply they were said over, where those who speak may take it back; `dictates`: what that
    answers had ended in the midst of a number, or of a word spelled: "oh" is a piece of it, then, and "M, N" is no hum; `awake`:
    where the agent wants to be woken, whether it was by one of those who speak.
    """
    rules, over, text = agent.turn_taking, inputs["over"], inputs["text"]
    goes_on = bool(over) and regret.early(inputs.get("begun"), rules)
    if over and inputs["unbroken"] + 1e-6 >= rules.interrupt_after:
        return "taken_back" if goes_on else "interrupts"
    spoken = bool(_pieces(text) if over else text)
    # who goes on means whom they meant before
    named = addressed(agent, inputs["said"], inputs["speakers"], inputs["humans"], inputs["linked"])
    awake = inputs.get("awake", True) or bool(waking.found(rules.wake, f"{inputs['said']} {text}"))
    meant = goes_on or (named and awake)
    if over and spoken and meant:
        piece = goes_on and inputs.get("dictates") and is_piece(text)
        if piece or not is_backchannel(text, rules.backchannels):
            return "taken_back" if goes_on else "interrupts"
        if inputs["late"]:
            return "interrupts"
    if not inputs["final"]:
        return "waits"
    if inputs["failed"] and (over or not (spoken and meant)):  # what was transcribed is answered
        return "failed"
    if not spoken:
        return "empty"
    if not meant:
        return "asleep" if named and not rules.wake_context else "unaddressed"
    if over:
        return "waits" if inputs["answers"] else "backchannel"
    return "answered"


def looked_at(state: State, turn: Turn, text: str, *, unbroken: float = 0.0, final: bool = False) -> dict[str, Any]:
    """The inputs of a verdict."""
    inputs = {
        "over": turn.undecided,
        "text": text,
        "said": turn.text,
        "speakers": list(turn.speakers),
        "humans": state.humans,
        "linked": state.linked,
        "late": turn.late,
        "unbroken": round(unbroken, 6),
        "final": final,
        "failed": turn.failed,
        "answers": final and turn.undecided and answers.may_answer(state, turn),
    }
    if state.agent.turn_taking.wake:
        inputs["awake"] = state.listens_to(turn)
    begun = regret.begun(state, turn) if turn.undecided else None
    if begun is not None:
        inputs["begun"] = begun
        if state.playing is not None and is_piece(state.playing.text):
            inputs["dictates"] = True
    return inputs


def words(draft: Draft, turn: Turn, text: str) -> bool:
    """Words spoken over the agent (a transcript, or a partial): True if they take the floor."""
    return bool(text) and _takes_the_floor(draft, turn, looked_at(draft.state, turn, text))


def _takes_the_floor(draft: Draft, turn: Turn, inputs: Mapping[str, Any]) -> bool:
    match verdict(inputs, draft.state.agent):
        case "taken_back":
            regret.take_back(draft, turn, **inputs)
        case "interrupts":
            interrupt(draft, turn, **inputs)
        case _:
            return False
    return True


def pressed(draft: Draft, turn: Turn) -> None:
    """`turn` was said with a button held, which is no backchannel: it takes the floor."""
    begun = regret.begun(draft.state, turn)
    if regret.early(begun, draft.state.agent.turn_taking):
        regret.take_back(draft, turn, pressed=True, begun=begun)
    else:
        interrupt(draft, turn, pressed=True)


def interrupt(draft: Draft, turn: Turn, **inputs: Any) -> None:
    """`turn`, spoken over the agent, takes the floor; where nobody may interrupt it has to wait until the agent is done."""
    playing = draft.state.playing
    if playing is not None and draft.state.may_interrupt:
        draft.end_turn(playing, "interrupted", "barge_in", by=turn.id, **inputs)
    draft.put_turn(replace(draft.state.turns[turn.id], decided=True, touched=draft.time))


# ── what time and transcripts bring ──────────────────────────────────────────────────────────────────────────────────


def _unbroken(state: State, turn: Turn) -> Iterator[TurnTime]:
    """Since when somebody speaks in this turn whose unbroken speech, once long enough, interrupts whatever its words."""
    settings = state.agent.turn_taking
    for person in state.people.values():
        if not isinstance(person.voice, Speaking) or person.voice.speech.turn != turn.id or not state.may_interrupt:
            continue
        if settings.wake and not person.awake:
            continue
        meant = settings.answer == "anyone" or (settings.answer == "linked" and person.name == state.linked)
        if state.humans <= 1 or meant:
            yield person.voice.speech.began


def _holds_until(state: State, turn: Turn) -> TurnTime:
    """While hearing works, a transcript on its way comes, or is given up for lost: to speak on meanwhile would only be cut short.
    Once one was lost, and none came since, the agent waits for a moment."""
    return turn.spoken + state.agent.turn_taking.resume_after if state.deaf else NEVER


def _awaited(draft: Draft, turn: Turn) -> bool:
    """Its transcript is, and what was said in it may take the floor."""
    return turn.undecided and turn.waiting and not draft.due(_holds_until(draft.state, turn))


def holds(draft: Draft) -> bool:
    """Playback waits for the transcript of what was said over it."""
    return any(_awaited(draft, turn) for turn in draft.state.turns.values())


def may_be_taken_back(draft: Draft, playing: Turn) -> bool:
    """Words are on their way that may do so: till then it is not over, though no more of its reply may come."""
    state = draft.state
    if state.playing is None or state.playing.id != playing.id:
        return False
    over = [
        turn for turn in state.turns.values() if turn.undecided and (_awaited(draft, turn) or state.speaks_in(turn))
    ]
    return any(regret.early(regret.begun(state, turn), state.agent.turn_taking) for turn in over)


def timers(state: State) -> Iterator[TurnTime]:
    for turn in state.turns.values():
        if turn.undecided:
            yield from (began + state.agent.turn_taking.interrupt_after for began in _unbroken(state, turn))
            if turn.waiting and not state.somebody_speaks and (_held(state) or _sounded(state)):
                yield _holds_until(state, turn)


def _held(state: State) -> bool:
    return state.playback is not None and state.playback.mode in ("hushed", "held")


def _sounded(state: State) -> bool:
    """All of the reply has, so that its turn only waits for what was said over it."""
    reply = None if state.playing is None or state.playback is not None else state.playing.reply
    return reply is not None and reply.complete and reply.next_index() >= len(reply.sentences)


def settle(draft: Draft) -> bool:
    over = tuple(turn for turn in draft.state.turns.values() if turn.undecided)
    return any(_interrupts(draft, turn) or _lets_go(draft, turn) for turn in over)


def _interrupts(draft: Draft, turn: Turn) -> bool:
    state = draft.state
    for began in _unbroken(state, turn):
        if draft.due(began + state.agent.turn_taking.interrupt_after):
            unbroken = max(draft.time - began, state.agent.turn_taking.interrupt_after)
            return _takes_the_floor(draft, turn, looked_at(state, turn, turn.text, unbroken=unbroken))
    return words(draft, turn, turn.text)


def _lets_go(draft: Draft, turn: Turn) -> bool:
    """All was heard, and none of it was meant for the agent."""
    state = draft.state
    if turn.waiting or not turn.utterances or state.speaks_in(turn):
        return False
    inputs = looked_at(state, turn, turn.text, final=True)
    found = verdict(inputs, state.agent)
    if found != "waits":
        end_unanswered(draft, turn, found, inputs)
        return True
    if turn.asked:  # the agent is done: here is the answer to its question
        draft.put_turn(replace(turn, decided=True, touched=draft.time))
    return bool(turn.asked)


def end_unanswered(draft: Draft, turn: Turn, found: Verdict, inputs: Mapping[str, Any]) -> None:
    """There is nothing to answer."""
    if found == "failed":
        draft.end_turn(turn, turn.failed or "failed", "stt", **inputs)
    else:
        draft.end_turn(turn, "dropped", found if turn.utterances else "noise", **inputs)
