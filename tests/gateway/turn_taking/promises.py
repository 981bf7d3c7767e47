"""What must hold of any log of a session, whatever happened in it."""

from collections.abc import Sequence

from schemas.events import (
    Event,
    PlaybackFinished,
    PlaybackStarted,
    SessionEnded,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)


def broken(log: Sequence[Event]) -> list[str]:
    """Promises that this log breaks, in words; empty if none."""
    found: list[str] = []
    generation = 0
    begun: set[int] = set()
    ended: set[int] = set()
    committed: set[int] = set()
    started: list[tuple[int, int]] = []
    finished: set[tuple[int, int]] = set()
    captured: list[str] = []
    for place, event in enumerate(log):
        if event.turn is not None:
            if event.turn in ended and not event.type.startswith(("transcript", "stage", "clip", "reply")):
                found.append(f"{place}: {event.type} after the end of turn {event.turn}")
            begun.add(event.turn)
        if event.raises is not None:
            if event.raises <= generation:
                found.append(f"{place}: the generation went from {generation} to {event.raises}")
            generation = event.raises
        match event:
            case UtteranceCaptured():
                committed.discard(event.turn or 0)
                if event.replaces and event.replaces not in captured:
                    found.append(f"{place}: {event.utterance} replaces {event.replaces}, which was never captured")
                captured.append(event.utterance)
                if any(turn == event.turn for turn, _ in started):
                    found.append(f"{place}: turn {event.turn} was reopened after its first playback.started")
            case TurnCommitted():
                committed.add(event.turn)
            case PlaybackStarted():
                if event.generation != generation:
                    found.append(f"{place}: playback of generation {event.generation} in {generation}")
                if event.turn not in committed:
                    found.append(f"{place}: playback of turn {event.turn}, which is not committed")
                if (event.turn, event.index) in started:
                    found.append(f"{place}: sentence {event.turn}.{event.index} started twice")
                if started and started[-1] not in finished and started[-1][0] not in ended:
                    found.append(f"{place}: {event.turn}.{event.index} started before {started[-1]} ended")
                started.append((event.turn or 0, event.index))
            case PlaybackFinished():
                finished.add((event.turn or 0, event.index))
            case TurnEnded():
                if event.turn in ended:
                    found.append(f"{place}: turn {event.turn} ended twice")
                ended.add(event.turn)
            case SessionEnded():
                if place != len(log) - 1:
                    found.append(f"{place}: session.ended is not the last event")
                found += [f"turn {turn} never ended" for turn in begun - ended]
    if len(set(captured)) != len(captured):
        found.append("an utterance was captured twice")
    return found
