"""The data topic `antiphon.words`: when each word of a clip sounds, sent before the clip's first sample leaves; how it ended
where not all did; and trouble.

    {"type": "words", "clip": 3, "segment_id": "…", "text": "Good day.", "ahead": 0.12, "words": [["Good", 0.03, 0.29], …]}

`ahead`: seconds from now to the clip's first sample (negative: it goes on after a pause); words are [text, start, end] in
seconds from that sample; `visemes`, where the TTS tells them, are [shape of the mouth, end], one after the other without a gap
from that sample on. `{"type": "hush", "segment_id": "…"}`: the agent fell silent just now, perhaps to go on: what has not
sounded will not, or is told again. `{"type": "cut", "segment_id": "…", "how": "failed"}`: the reply ended before its end, `how`
as in `turn` of docs/websocket.md; forget what has not sounded. `{"type": "turn", "segment_id": "…", "how": "expired"}`: a turn
ended that got no reply, or whose reply had to end before.

    {"type": "error", "code": "llm_timeout", "message": "The answer could not be found.", "fatal": false}

Trouble, as in `error` of docs/websocket.md.

    {"type": "figures", "segment_id": "…", "end_of_turn": 0.41, "stt": 0.09, "llm": 0.2, "tts": 0.06, "first_sound": 0.52}

How long the answer took, seconds as in `metrics` of docs/websocket.md, each where it is known; before the answer's end.
"""

import json
from collections.abc import Sequence
from typing import Any

from gateway.rooms.livekit.conventions._sending import Scene, Send, SendData
from gateway.rooms.livekit.facts import ClipWords, Fact, Figures, Hushed, ReplyEnded, Trouble, TurnOver

TOPIC = "antiphon.words"
_LONGEST_CODE = 80
_LONGEST_TROUBLE = 1000
"""Characters of what is told of trouble."""


class WordTimings:
    def tell(self, fact: Fact, scene: Scene) -> Sequence[Send]:
        match fact:
            case ClipWords():
                return [
                    _message(
                        type="words",
                        clip=fact.sequence,
                        segment_id=fact.segment,
                        text=fact.text,
                        ahead=fact.ahead,
                        words=fact.words,
                        **({"visemes": fact.visemes} if fact.visemes else {}),
                    )
                ]
            case Hushed():
                return [_message(type="hush", segment_id=fact.segment)]
            case Figures():
                return [_message(type="figures", segment_id=fact.segment, **fact.seconds)]
            case ReplyEnded() if fact.how != "played":
                return [_message(type="cut", segment_id=fact.segment, how=fact.how)]
            case TurnOver():
                return [_message(type="turn", segment_id=fact.segment, how=fact.how)]
            case Trouble():
                code, message = fact.code[:_LONGEST_CODE], fact.message[:_LONGEST_TROUBLE]
                return [_message(type="error", code=code, message=message, fatal=fact.fatal)]
            case _:
                return []


def _message(**fields: Any) -> Send:
    return SendData(json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode(), TOPIC)
