"""`antiphon bench phrases`: what is counted."""

from pathlib import Path

import numpy as np
import soundfile

from ops.bench import phrases
from ops.bench.phrases import Clip
from schemas.clock import Now
from schemas.config.agent import AgentSpec
from schemas.events import AgentWoke, CalleeDetected, Event, PlaybackStarted, SessionStarted, TranscriptFinal

_SILENCE = np.zeros(0, np.int16)


class _Clock:
    time = 0.0

    def now(self) -> Now:
        return Now(self.time)


def test_what_is_counted() -> None:
    """Each clip by what became of it; those that were taken for something else with what was understood; the message by its
    distance from the tone."""
    began = SessionStarted(room="", transport="file", agent=AgentSpec(), gateway="", clock=10.0)
    heard = TranscriptFinal(utterance="u", participant="caller", text="Hey, Pizza.")
    machine = CalleeDetected(participant="caller", callee="machine", why="tone")
    said = PlaybackStarted(index=0, position=0.0, clock=14.5)
    logs: list[tuple[Clip, list[Event]]] = [
        (Clip("call", "hey pizza", "fast", _SILENCE), [began, heard, AgentWoke(participant="caller")]),
        (Clip("other", "hey peter", "fast", _SILENCE), [began, heard]),
        (Clip("machine", "leave a message", "fast", _SILENCE, tone=4.0), [began, machine, said]),
        (Clip("person", "hello?", "fast", _SILENCE), [began, heard, machine]),
    ]
    figures = phrases._figures(list(logs))
    assert (figures["phrases_heard"], figures["woken_by_others"]) == ("1 of 1", "0 of 1")
    assert (figures["machines_found"], figures["people_taken_for_machines"]) == ("1 of 1", "1 of 1")
    assert (figures["message_before_the_tone_ended"], figures["message_after_tone_s"]) == ("0 of 1", 0.5)
    assert figures["wrong"] == [{"said": "hello?", "voice": "fast", "taken_for": "machine", "heard": "Hey, Pizza."}]
    assert figures["of_each"] == {"hey pizza": "1 of 1", "okay robot": "0 of 0", "hello antiphon": "0 of 0"}
    assert phrases.table(figures).row_count == 12


def test_a_stage_that_does_not_answer_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    """The recording stands still for a minute, and goes on without."""
    source = tmp_path / "said.wav"
    soundfile.write(source, np.zeros(16_000, np.int16), 16_000, "PCM_16")
    clock = _Clock()
    room = phrases._Called(source, clock, patience=1.0)
    room.waits = lambda: True
    assert not room.drain()
    clock.time += 59.0
    assert not room.drain()
    assert not room.gave_up
    clock.time += 2.0
    assert not room.drain()
    assert room.gave_up
    assert [type(item).__name__ for item in room.drain()] == ["Joined", "Attached", "Heard"]
