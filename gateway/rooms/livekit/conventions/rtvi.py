"""RTVI 2.x (Pipecat's client protocol): JSON `{id, label, type, data}` in data packets without a topic, both ways.

`asked`: only once a client has said `client-ready`; `always`: to everybody from the beginning, and the agent waits with its
first word for a client that is ready. Word timings go out as `server-message` with
`{type: "bot-tts-timing", …}`, one for each clip; or bare, at the top level, for clients that look for them there: such play one
after the other, so these are told once for each sentence, when it begins.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.inputs import Digits, HungUp, RoomInput, Typed
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
    SentenceWords,
    StateChanged,
    ToolBegan,
    ToolEnded,
    Trouble,
    UserSpeech,
    UserText,
    WordsSounded,
)
from schemas.client import KEYS, LONGEST_MESSAGE
from schemas.events import STAGES
from schemas.text.clean import one_line, well_formed

VERSION = "2.1.0"
LABEL = "rtvi-ai"
LARGEST = 32 * 1024
"""Bytes of a packet that is looked into."""
_BUTTONS = frozenset(KEYS)
_LONGEST_ID = 128
_UNANSWERED = frozenset({
    "ui-event", "ui-snapshot", "ui-cancel-job-group", "llm-function-call-result", "raw-audio", "raw-audio-batch",
})  # fmt: skip
"""What clients tell of themselves, for agents that want to know; nobody waits for an answer."""


@dataclass(slots=True)
class Answer:
    """To a client's packet: what the session is told, what is sent back, and what was wrong with it, in a sentence."""

    inputs: list[RoomInput] = field(default_factory=list)
    sends: list[Send] = field(default_factory=list)
    complaint: str = ""


class Rtvi:
    """`mode`: see above; `timing`: how word timings go out; `version`: of this software; `disconnect`: whether who is in the room
    may end the session."""

    def __init__(
        self,
        mode: Literal["off", "asked", "always"] = "asked",
        timing: Literal["off", "server_message", "bare"] = "server_message",
        version: str = "",
        *,
        disconnect: bool = False,
    ):
        self._mode = mode
        self._disconnect = disconnect
        self._timing = timing
        self._about = {"library": "antiphon"} | ({"library_version": version} if version else {})
        self._awake = mode == "always"
        self._speaking = False
        self._count = 0
        self.expects_client = mode == "always"
        """No client has said yet that it is ready, and the agent is to wait for one."""

    # ── to the clients ───────────────────────────────────────────────────────────────────────────────────────────────

    def tell(self, fact: Fact, scene: Scene) -> Sequence[Send]:
        if isinstance(fact, SentenceWords) and self._timing == "bare":
            return [_packet(_timings(fact.number, fact))]
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
                return [("server-message", _timings(fact.sequence, fact))]
            case Figures():
                return [("metrics", _metrics(fact.seconds))]
            case ToolBegan():
                named = {"function_name": fact.name} if fact.name is not None else {}
                call = {"tool_call_id": fact.call} | named
                given = {"arguments": fact.arguments} if fact.arguments is not None else {}
                return [("llm-function-call-started", named), ("llm-function-call-in-progress", call | given)]
            case ToolEnded():
                stopped: dict[str, Any] = {"tool_call_id": fact.call, "cancelled": False}
                stopped |= {"function_name": fact.name} if fact.name is not None else {}
                return [
                    ("llm-function-call-stopped", stopped | ({"result": fact.result[:ENOUGH]} if fact.result else {}))
                ]
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
        id = one_line(message["id"], _LONGEST_ID) if isinstance(message.get("id"), str) else ""
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
                if not self._disconnect:
                    return self._refuse(
                        sender,
                        id,
                        "`disconnect-bot` is switched off (the agent file's livekit.disconnect_bot); leave the room",
                    )
                return Answer([HungUp("hang_up")])
            case "send-text":
                return self._typed(kind, data.get("content"), id, sender)
            case "append-to-context" if data.get("role") == "user":
                return self._typed(kind, data.get("content"), id, sender)
            case "dtmf":
                keys = data.get("buttons") or [data.get("button")]
                if (
                    not isinstance(keys, list)
                    or not 0 < len(keys) <= 64
                    or not all(str(key) in _BUTTONS for key in keys)
                ):
                    return self._refuse(sender, id, "`dtmf` needs `buttons`: 1 to 64 of 0-9*#A-D")
                return Answer([Digits(sender, "".join(str(key) for key in keys))])
            case "client-message":
                return self._acknowledge(data, id, sender)
            case kind if kind in _UNANSWERED:
                return Answer()
            case _:
                return self._refuse(
                    sender, id, f"an RTVI message of type {one_line(kind, 40)!r}, which means nothing here"
                )

    def _typed(self, kind: str, text: object, id: str, sender: str) -> Answer:
        said = well_formed(text).strip() if isinstance(text, str) else ""
        if not 0 < len(said) <= LONGEST_MESSAGE:
            return self._refuse(sender, id, f"`{kind}` needs `content`: 1 to {LONGEST_MESSAGE} characters")
        return Answer([Typed(sender, said)])

    def _acknowledge(self, data: dict[str, Any], id: str, sender: str) -> Answer:
        """Nobody here knows an app's own messages. A client that only tells (`sendClientMessage`) and one that waits for an
        answer (`sendClientRequest`) send the same: a response without data ends the wait of one and is no error to the other."""
        if not id:
            return Answer()
        what = one_line(data["t"], 80) if isinstance(data.get("t"), str) else ""
        return Answer(sends=[self._message("server-response", {"t": what, "d": None}, id=id, to=_to(sender))])

    def _refuse(self, sender: str, id: str, problem: str) -> Answer:
        said = {"error": problem, "message": problem, "fatal": False}
        send = self._message("error-response" if id else "error", said, id=id, to=_to(sender))
        return Answer(sends=[send], complaint=problem)


def _to(sender: str) -> tuple[str, ...]:
    return (sender,) if sender else ()


def _packet(message: dict[str, Any], to: tuple[str, ...] = ()) -> Send:
    return SendData(well_formed(json.dumps(message, ensure_ascii=False, separators=(",", ":"))).encode(), to=to)


def _output(fact: SentenceBegan | SentenceEnded, status: str) -> dict[str, Any]:
    return {
        "text": fact.text,
        "aggregated_by": "sentence",
        "segment_id": fact.number,
        "spoken": fact.spoken,
        "will_be_spoken": fact.spoken,
        "spoken_status": status,
    }


def _timings(sequence: int, fact: ClipWords | SentenceWords) -> dict[str, Any]:
    """Times are seconds from the first sample of the clip, or of the sentence."""
    return {
        "type": "bot-tts-timing",
        "sequence_id": sequence,
        "words": [text for text, _, _ in fact.words],
        "word_times": [start for _, start, _ in fact.words],
        "word_durations": [round(end - start, 3) for _, start, end in fact.words],
        "text": fact.text,
    }


def _metrics(seconds: dict[str, float]) -> dict[str, Any]:
    ttfb = [{"processor": name, "value": value} for name, value in seconds.items() if name in STAGES]
    rest = [{"processor": name, "value": value} for name, value in seconds.items() if name not in STAGES]
    return {"ttfb": ttfb} | ({"processing": rest} if rest else {})
