"""RTVI 2.x (Pipecat's client protocol): JSON `{id, label, type, data}` in data packets without a topic, both ways.

`asked`: only once a client has said `client-ready`; `always`: to everybody from the beginning, and the agent waits with its
first word for a client that is ready. Word timings of clips go out as
`server-message` with `{type: "bot-tts-timing", …}`, or bare, at the top level, for clients that look for them there.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.room import Digits, HungUp, RoomInput, Typed
from gateway.rooms.livekit.conventions._sending import ENOUGH, Scene, Send, SendData
from gateway.rooms.livekit.facts import (
    ClipWords,
    Fact,
    Figures,
    Over,
    ReplyBegan,
    ReplyEnded,
    SentenceBegan,
    SentenceEnded,
    StateChanged,
    Trouble,
    UserSpeech,
    UserText,
    WordsSounded,
)

VERSION = "2.1.0"
LABEL = "rtvi-ai"
LARGEST = 32 * 1024
"""Bytes of a packet that is looked into."""
_KEYS = frozenset("0123456789*#ABCD")
_LONGEST_TEXT = 4000


@dataclass(slots=True)
class Answer:
    """To a client's packet: what the session is told, what is sent back, and what was wrong with it, in a sentence."""

    inputs: list[RoomInput] = field(default_factory=list)
    sends: list[Send] = field(default_factory=list)
    complaint: str = ""


class Rtvi:
    """`mode`: see above; `timing`: how word timings go out; `version`: of this software."""

    def __init__(
        self,
        mode: Literal["off", "asked", "always"] = "asked",
        timing: Literal["off", "server_message", "bare"] = "server_message",
        version: str = "",
    ):
        self._mode = mode
        self._timing = timing
        self._about = {"library": "antiphon"} | ({"library_version": version} if version else {})
        self._awake = mode == "always"
        self._speaking = False
        self._count = 0
        self.expects_client = mode == "always"
        """No client has said yet that it is ready, and the agent is to wait for one."""

    # ── to the clients ───────────────────────────────────────────────────────────────────────────────────────────────

    def tell(self, fact: Fact, scene: Scene) -> Sequence[Send]:
        if isinstance(fact, ClipWords) and self._timing == "bare":
            return [_packet(_timings(fact))]
        if not self._awake:
            if isinstance(fact, StateChanged):
                self._speaking = fact.state == "speaking"
            return []
        return [self._message(kind, data) for kind, data in self._messages(fact)]

    def _messages(self, fact: Fact) -> list[tuple[str, Any]]:
        match fact:
            case StateChanged():
                return self._speaks(fact.state == "speaking")
            case UserSpeech():
                return [("user-started-speaking" if fact.speaking else "user-stopped-speaking", None)]
            case UserText():
                said = {"text": fact.text[:ENOUGH], "final": fact.final, "user_id": fact.participant}
                said["timestamp"] = fact.at.isoformat(timespec="milliseconds")
                heard: list[tuple[str, Any]] = [("user-transcription", said)] if fact.text else []
                return [*heard, ("user-llm-text", {"text": fact.text[:ENOUGH]})] if fact.final and fact.text else heard
            case ReplyBegan():
                return [("bot-llm-started", None), ("bot-tts-started", None)]
            case SentenceBegan():
                return [("bot-llm-text", {"text": f"{fact.text} "}), ("bot-output", _output(fact, "new"))]
            case WordsSounded():
                return [("bot-tts-text", {"text": fact.delta.strip()})]
            case SentenceEnded():
                return [("bot-output", _output(fact, "completed")), ("bot-transcription", {"text": fact.text})]
            case ReplyEnded():
                return [("bot-llm-stopped", None), ("bot-tts-stopped", None)]
            case ClipWords() if self._timing == "server_message":
                return [("server-message", _timings(fact))]
            case Figures():
                return [("metrics", _metrics(fact.seconds))]
            case Trouble():
                return [("error", {"error": fact.message, "message": fact.message, "fatal": fact.fatal})]
            case Over() if self._speaking:
                return self._speaks(False)
            case _:
                return []

    def _speaks(self, speaking: bool) -> list[tuple[str, Any]]:
        if speaking == self._speaking:
            return []
        self._speaking = speaking
        return [("bot-started-speaking" if speaking else "bot-stopped-speaking", None)]

    def _message(self, kind: str, data: Any, *, id: str = "", to: tuple[str, ...] = ()) -> Send:
        self._count += 1
        message = {"id": id or f"antiphon-{self._count}", "label": LABEL, "type": kind}
        return _packet(message | ({"data": data} if data is not None else {}), to)

    # ── from a client ────────────────────────────────────────────────────────────────────────────────────────────────

    def hear(self, payload: bytes, sender: str) -> Answer | None:
        """A data packet without a topic; None: it is not RTVI (somebody else's, and none of our business)."""
        if self._mode == "off" or LABEL.encode() not in payload[:LARGEST]:
            return None
        if len(payload) > LARGEST:
            return self._refuse(sender, "", f"an RTVI message of {len(payload)} bytes; {LARGEST} are read at most")
        try:
            message = json.loads(payload)
        except (ValueError, RecursionError):
            return self._refuse(sender, "", "a packet that says it is RTVI but is no JSON")
        if not isinstance(message, dict) or message.get("label") != LABEL:
            return None
        kind, data = message.get("type"), message.get("data")
        id = message["id"] if isinstance(message.get("id"), str) else ""
        if not isinstance(kind, str):
            return self._refuse(sender, id, "an RTVI message without a `type`")
        return self._obey(kind, data if isinstance(data, dict) else {}, id, sender)

    def _obey(self, kind: str, data: dict[str, Any], id: str, sender: str) -> Answer:
        match kind:
            case "client-ready":
                self._awake, self.expects_client = True, False
                ready = self._message("bot-ready", {"version": VERSION, "about": self._about}, id=id, to=_to(sender))
                return Answer(sends=[ready])
            case "disconnect-bot":
                return Answer([HungUp("hang_up")])
            case "send-text":
                text = data.get("content")
                if not isinstance(text, str) or not 0 < len(text.strip()) <= _LONGEST_TEXT:
                    problem = f"`send-text` needs `content`: 1 to {_LONGEST_TEXT} characters"
                    return self._refuse(sender, id, problem)
                return Answer([Typed(sender, text.strip())])
            case "dtmf":
                keys = data.get("buttons") or [data.get("button")]
                if not isinstance(keys, list) or not 0 < len(keys) <= 64 or not all(str(key) in _KEYS for key in keys):
                    return self._refuse(sender, id, "`dtmf` needs `buttons`: 1 to 64 of 0-9*#")
                return Answer([Digits(sender, "".join(str(key) for key in keys))])
            case "client-message":
                what = str(data.get("t", ""))[:40]
                return self._refuse(sender, id, f"there is no client-message {what!r} here")
            case _:
                return Answer(complaint=f"an RTVI message of type {kind[:40]!r}, which means nothing here")

    def _refuse(self, sender: str, id: str, problem: str) -> Answer:
        said = {"error": problem, "message": problem, "fatal": False}
        send = self._message("error-response" if id else "error", said, id=id, to=_to(sender))
        return Answer(sends=[send], complaint=problem)


def _to(sender: str) -> tuple[str, ...]:
    return (sender,) if sender else ()


def _packet(message: dict[str, Any], to: tuple[str, ...] = ()) -> Send:
    return SendData(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode(), to=to)


def _output(fact: SentenceBegan | SentenceEnded, status: str) -> dict[str, Any]:
    return {
        "text": fact.text,
        "aggregated_by": "sentence",
        "segment_id": fact.number,
        "spoken": fact.spoken,
        "will_be_spoken": fact.spoken,
        "spoken_status": status,
    }


def _timings(fact: ClipWords) -> dict[str, Any]:
    """Times are seconds from the clip's first sample."""
    return {
        "type": "bot-tts-timing",
        "sequence_id": fact.sequence,
        "words": [text for text, _, _ in fact.words],
        "word_times": [start for _, start, _ in fact.words],
        "word_durations": [round(end - start, 3) for _, start, end in fact.words],
        "text": fact.text,
    }


def _metrics(seconds: dict[str, float]) -> dict[str, Any]:
    ttfb = [{"processor": name, "value": value} for name, value in seconds.items() if name in ("stt", "llm", "tts")]
    rest = [{"processor": name, "value": value} for name, value in seconds.items() if name not in ("stt", "llm", "tts")]
    return {"ttfb": ttfb} | ({"processing": rest} if rest else {})
