"""What comes in by one room: sound goes into the rings, nobody says more than their share, the rest goes to turn-taking."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gateway.inputs import Heard, Joined, Left, PushToTalk
from gateway.metrics import GatewayMetrics
from gateway.room import Room
from gateway.sessions.fairness import Fairness
from gateway.sessions.outbox import Cut
from gateway.sound.ring import Stream
from gateway.sound.sample_rate import SampleRate
from gateway.sound.tones import Tones
from gateway.sound.vad import VoiceActivity
from gateway.turn_taking import Capture, Input
from schemas.client import ErrorMessage
from schemas.clock import Now
from schemas.config.agent import AgentSpec

_RING_BEYOND = 6.0  # seconds of sound kept beyond the longest utterance


class Listening:
    """`streams`: of everybody who is heard."""

    def __init__(self, room: Room, agent: AgentSpec, vad: VoiceActivity, metrics: GatewayMetrics):
        self.streams: dict[str, Stream] = {}
        self._room, self._rules, self._vad, self._metrics = room, agent.turn_taking, vad, metrics
        self._tones = agent.phone.machine != "off"
        self._fairness = Fairness()
        self._sample_rate = SampleRate()

    def inputs(self, now: Now) -> Iterator[Input]:
        """What came in, but for the sound; where none came, silence takes its place."""
        for item in self._room.drain():
            if isinstance(item, Heard):
                self._stream(item.participant, now).append(item.pcm, now)
                continue
            if not self._fairness.may(item, now):
                self._metrics.unheeded.inc()
                continue
            if isinstance(item, Joined):
                stream = self._stream(item.participant, now)
                if self._tones and item.kind == "sip" and stream.tones is None:
                    stream.tones = Tones(item.participant)
            if isinstance(item, PushToTalk) and (pressing := self.streams.get(item.participant)) is not None:
                pressing.fill(now)
                item = replace(item, head=pressing.head)
            yield item
            if isinstance(item, Left) and item.participant in self.streams:
                self._vad.give_slot(self.streams.pop(item.participant).slot)
        yield from self._fairness.due(now)
        for stream in self.streams.values():
            stream.fill(now)

    def complaint(self) -> ErrorMessage | None:
        """What is wrong with the client's sound, if it is to be told now."""
        return self._sample_rate.complaint(self._room.seems, self.streams.values())

    def cut(self, captures: Sequence[Capture]) -> list[Cut]:
        """The sound of what was captured."""
        return [
            (capture, self.streams[capture.participant].cut(capture.start, capture.end))
            for capture in captures
            if capture.participant in self.streams
        ]

    def close(self) -> None:
        for stream in self.streams.values():
            self._vad.give_slot(stream.slot)
        self.streams.clear()

    def _stream(self, participant: str, now: Now) -> Stream:
        stream = self.streams.get(participant)
        if stream is None:
            keep = self._rules.max_utterance + _RING_BEYOND
            stream = Stream(participant, self._vad.take_slot(), self._rules.start_speech, keep, now)
            self.streams[participant] = stream
        return stream
