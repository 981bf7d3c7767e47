"""The data topic `transcripts`, for front ends that append line by line: one message per finished utterance, no interims."""

import json
from collections.abc import Sequence
from datetime import datetime

from gateway.rooms.livekit.conventions._sending import ENOUGH, Scene, Send, SendData
from gateway.rooms.livekit.facts import Fact, ReplyEnded, UserText

TOPIC = "transcripts"


class Transcripts:
    def tell(self, fact: Fact, scene: Scene) -> Sequence[Send]:
        match fact:
            case UserText(final=True) if fact.text:
                return [_line("user", fact.text, fact.at, fact.participant, fact.segment)]
            case ReplyEnded() if fact.text:
                return [_line("agent", fact.text, fact.at, scene.identity, fact.segment)]
            case _:
                return []


def _line(speaker: str, text: str, at: datetime, participant: str, segment: str) -> Send:
    line = {
        "type": "transcript",
        "speaker": speaker,
        "text": text[:ENOUGH],
        "timestamp": at.isoformat(timespec="milliseconds"),
        "participant": participant,
        "segment_id": segment,
    }
    return SendData(json.dumps(line, ensure_ascii=False).encode(), TOPIC)
