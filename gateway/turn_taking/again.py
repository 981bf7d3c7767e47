"""A recorded decision, taken again: from its own `inputs` alone, and the state that goes on as the log has it.

Whoever has all that was fed (`record.py`) runs the machine itself; this is for logs from before it was kept, and for what comes
after a decision that is taken otherwise now.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gateway.turn_taking import callee, commit, facts
from gateway.turn_taking.barge_in import verdict
from gateway.turn_taking.interface import Input, LogEvent
from gateway.turn_taking.state import Bundle, PlaybackState, Sent, State
from schemas.clock import Now
from schemas.config.agent import AgentSpec
from schemas.events import (
    CalleeDetected,
    Event,
    PlaybackFinished,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    SessionEnded,
    TurnCommitted,
    TurnEnded,
)

_REASONS = {"barge_in": "interrupts", "stt": "failed", "noise": "empty"}
"""Of a turn's end, where it is not the verdict's own name."""


def by_inputs(event: Event, agent: AgentSpec) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """What a decision recorded of itself, and the same as its `inputs` decide it now; None: they don't tell. KeyError, TypeError:
    they are not those of such a decision."""
    match event:
        case TurnCommitted(why=why, inputs={"text": text, "end_of_turn": probability, "pauses": pauses, "wait": wait}):
            evidence = event.inputs or {}
            now = commit.decide(
                probability, text, pauses, agent.turn_taking,
                complete=evidence.get("complete"), expects=evidence.get("expects", "free"),
            )  # fmt: skip
            return {"why": why, "wait": wait}, {"why": now.why, "wait": round(now.wait, 4)}
        case CalleeDetected(inputs={"tone": _, "text": _, "spoke": _, "after": _}):
            found, by = callee.judged(event.inputs or {})
            return {"callee": event.callee, "why": event.why}, {"callee": found, "why": by}
        case TurnEnded(reason=reason, inputs={"text": _, "said": _}):
            inputs = event.inputs or {}
            return {"verdict": _REASONS.get(reason, reason)}, {"verdict": verdict(inputs, agent)}
        case _:
            return None


def followed(before: State, after: State, item: Input, events: Sequence[Event], now: Now) -> State:
    """`before`, had the machine decided these `events` by `item`; `after`: what it came to instead, whose voices, buttons and
    clocks stand all the same."""
    state = before.fork()
    if isinstance(item, LogEvent):
        facts.apply(state, item.event, now)
    for event in events:
        facts.apply(state, event, now)
    for name, person in state.people.items():
        if (heard := after.people.get(name)) is not None:
            state.people[name] = replace(person, voice=heard.voice, pressed=heard.pressed, head=heard.head)
            state.people[name] = replace(state.people[name], head_at=heard.head_at, captured_to=heard.captured_to)
    state.away_since, state.held, state.stood = after.away_since, after.held, after.stood
    state.met, state.active, state.load, state.saw = after.met, after.active, after.load, after.saw
    state.tone = after.tone
    state.next_turn = max(state.next_turn, after.next_turn)
    state.next_utterance = max(state.next_utterance, after.next_utterance)
    state.playback = _playback(_going_on(before, after), events)
    state.operation = before.operation + 1
    state.flight = Sent(state.operation, _bundle(events, now))
    state.outbox = ()
    state.closed = any(isinstance(event, SessionEnded) for event in events)
    state.wake_at = after.wake_at
    return state


def _bundle(events: Sequence[Event], now: Now) -> Bundle:
    starts = any(isinstance(event, PlaybackStarted) for event in events)
    closes = next((event.reason for event in events if isinstance(event, SessionEnded)), None)
    raises = max((event.raises for event in events if event.raises is not None), default=None)
    return Bundle(now, tuple(events), raises=raises, starts=starts, closes=closes)


def _going_on(before: State, after: State) -> PlaybackState | None:
    """What sounded before, as it is now where it still does."""
    was, now = before.playback, after.playback
    same = was is not None and now is not None and (was.turn, was.index) == (now.turn, now.index)
    return now if same else was


def _playback(playback: PlaybackState | None, events: Sequence[Event]) -> PlaybackState | None:
    for event in events:
        match event:
            case PlaybackStarted(turn=int(turn), generation=int(generation), index=index):
                playback = PlaybackState(turn, generation, index)
            case PlaybackPaused(position=position) if playback is not None:
                playback = replace(playback, mode="held", position=position)
            case PlaybackResumed() if playback is not None:
                playback = replace(playback, mode="sounding", begun=True)
            case PlaybackFinished():
                playback = None
            case TurnEnded(turn=ended) if playback is not None and playback.turn == ended:
                playback = None
            case _:
                pass
    return playback
