"""`lk.transcription`: text streams with everybody's words.

People: each interim is a stream of its own with the whole text, under the same segment id, sent in the speaker's name; the final
one is marked. The agent: one stream per reply, whose chunks are the words as they sound; cut speech closes it where it was cut.
"""

from collections.abc import Sequence

from gateway.rooms.livekit.conventions._sending import CloseText, OpenText, Scene, Send, SendText, WriteText
from gateway.rooms.livekit.facts import Fact, ReplyEnded, UserText, WordsSounded

TOPIC = "lk.transcription"
SEGMENT = "lk.segment_id"
TRACK = "lk.transcribed_track_id"
FINAL = "lk.transcription_final"


class Transcription:
    def __init__(self) -> None:
        self._open = ""  # segment of the stream that is open

    def tell(self, fact: Fact, scene: Scene) -> Sequence[Send]:
        match fact:
            case UserText():
                attributes = _header(fact.segment, scene.tracks.get(fact.participant, ""), fact.final)
                return [SendText(TOPIC, fact.text, attributes, fact.participant)]
            case WordsSounded() if (
                fact.segment != self._open
            ):  # with its first word: a reply nobody heard shows nothing
                self._open = fact.segment
                begin = OpenText(fact.segment, TOPIC, _header(fact.segment, scene.track, False))
                return [begin, WriteText(fact.segment, fact.said)]
            case WordsSounded():
                return [WriteText(fact.segment, fact.delta)]
            case ReplyEnded() if fact.segment == self._open:
                self._open = ""
                return [CloseText(fact.segment, {FINAL: "true"})]
            case _:
                return []


def _header(segment: str, track: str, final: bool) -> dict[str, str]:
    header = {SEGMENT: segment, FINAL: "true" if final else "false"}
    return header | {TRACK: track} if track else header
