"""Byte streams `lk.agent.session` of protobuf messages, as LiveKit's playground reads them for its timeline.

Events to everybody; requests (ping, chat history, state, agent, framework, statistics of the connection, a typed input where the
agent allows it) answered to who asks, all others refused: none is left waiting. The agent's instructions and the addresses of its
machine are nobody's business in the room: they are not told.
"""

import json
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from livekit.protocol.agent_pb import agent_session as pb

from gateway.inputs import Typed
from gateway.rooms.livekit.conventions._sending import ENOUGH, Scene, Send, SendBytes
from gateway.rooms.livekit.conventions.rtvi import Answer
from gateway.rooms.livekit.facts import (
    Fact,
    ReplyEnded,
    StateChanged,
    ToolBegan,
    ToolEnded,
    Trouble,
    UserSpeech,
    UserText,
)
from schemas.client import LONGEST_MESSAGE
from schemas.text.clean import well_formed

TOPIC = "lk.agent.session"
_STATES = {
    "initializing": pb.AS_INITIALIZING,
    "idle": pb.AS_IDLE,
    "listening": pb.AS_LISTENING,
    "thinking": pb.AS_THINKING,
    "speaking": pb.AS_SPEAKING,
}
_KEPT = 200  # lines of the conversation a client may ask for
_TOLD = 100_000
"""Bytes of them that one answer holds, the newest."""
_LONGEST_ID = 128
_Execution = pb.AgentSessionEvent.ToolExecutionUpdated
_STATISTICS = (
    "inbound_rtp",
    "outbound_rtp",
    "remote_inbound_rtp",
    "remote_outbound_rtp",
    "candidate_pair",
    "media_source",
)
"""Kinds of them that are told: those without addresses."""
_MOST_STATISTICS = 100


class AgentSession:
    """`agent`: its name; `run_input`: whether who is in the room may type by a request, too."""

    def __init__(self, agent: str, *, run_input: bool = False):
        self._agent = agent
        self._run_input = run_input
        self._state = pb.AS_INITIALIZING
        self._speaking: set[str] = set()
        self._items: deque[pb.ChatContext.ChatItem] = deque(maxlen=_KEPT)
        self._began: datetime | None = None

    @property
    def _user(self) -> pb.UserState:
        return pb.US_SPEAKING if self._speaking else pb.US_LISTENING

    # ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def tell(self, fact: Fact, scene: Scene) -> Sequence[Send]:
        match fact:
            case StateChanged():
                old, self._state = self._state, _STATES.get(fact.state, pb.AS_IDLE)
                changed = pb.AgentSessionEvent.AgentStateChanged(old_state=old, new_state=self._state)
                return [_event(agent_state_changed=changed)]
            case UserSpeech():
                before = self._user
                (self._speaking.add if fact.speaking else self._speaking.discard)(fact.participant)
                if self._user == before:
                    return []
                state = pb.AgentSessionEvent.UserStateChanged(old_state=before, new_state=self._user)
                return [_event(user_state_changed=state)]
            case UserText() if fact.text:
                words = pb.AgentSessionEvent.UserInputTranscribed(transcript=fact.text[:ENOUGH], is_final=fact.final)
                heard = _event(user_input_transcribed=words)
                return [heard, self._added(pb.USER, fact.segment, fact.text, fact.at)] if fact.final else [heard]
            case ReplyEnded() if fact.text:
                interrupted = fact.how == "interrupted"
                return [self._added(pb.ASSISTANT, fact.segment, fact.text, fact.at, interrupted=interrupted)]
            case ToolBegan():
                begun = _Execution.Started(function_call=_call(fact))
                return [_event(tool_execution_updated=_Execution(started=begun))]
            case ToolEnded():
                return self._called(fact)
            case Trouble():
                return [_event(error=pb.AgentSessionEvent.Error(message=fact.message))]
            case _:
                return []

    def _called(self, fact: ToolEnded) -> Sequence[Send]:
        """The call with what came of it, also in the history of the conversation."""
        call, now = _call(fact), Timestamp()
        now.GetCurrentTime()
        said = (fact.result or "")[:ENOUGH]
        output = pb.FunctionCallOutput(
            id=f"{call.id}-output", name=call.name, call_id=fact.call, output=said, is_error=fact.failed, created_at=now
        )
        self._items.append(pb.ChatContext.ChatItem(function_call=call))
        self._items.append(pb.ChatContext.ChatItem(function_call_output=output))
        status = pb.TC_ERROR if fact.failed else pb.TC_DONE
        ended = _Execution.Ended(id=call.id, call_id=fact.call, message=said, status=status)
        executed = pb.AgentSessionEvent.FunctionToolsExecuted(function_calls=[call], function_call_outputs=[output])
        return [_event(tool_execution_updated=_Execution(ended=ended)), _event(function_tools_executed=executed)]

    def _added(self, role: pb.ChatRole, id: str, text: str, at: datetime, *, interrupted: bool = False) -> Send:
        created = Timestamp()
        created.FromDatetime(at)
        message = pb.ChatMessage(
            id=id,
            role=role,
            content=[pb.ChatMessage.ChatContent(text=text[:ENOUGH])],
            interrupted=interrupted,
            created_at=created,
        )
        item = pb.ChatContext.ChatItem(message=message)
        self._items.append(item)
        return _event(conversation_item_added=pb.AgentSessionEvent.ConversationItemAdded(item=item))

    # ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def hear(self, data: bytes, sender: str) -> Answer:
        """A byte stream of a participant."""
        try:
            message = pb.AgentSessionMessage.FromString(data)
        except DecodeError:
            return Answer(complaint=f"a message on {TOPIC} that is no AgentSessionMessage")
        if not message.HasField("request"):
            return Answer()  # an echo of somebody's events
        request = message.request
        answer = Answer()
        response = _response(request.request_id)
        match request.WhichOneof("request"):
            case "ping":
                response.pong.SetInParent()
            case "get_chat_history":
                response.get_chat_history.items.extend(self._newest())
            case "get_agent_info":
                response.get_agent_info.id = self._agent
                response.get_agent_info.chat_ctx.extend(self._newest())
            case "get_session_state":
                response.get_session_state.agent_state = self._state
                response.get_session_state.user_state = self._user
                response.get_session_state.agent_id = self._agent
            case "get_framework_info":
                response.get_framework_info.sdk = "antiphon"
            case "run_input" if not self._run_input:
                response.error = "run_input is switched off (the agent file's livekit.run_input); write to lk.chat"
            case "run_input" if 0 < len(said := well_formed(request.run_input.text).strip()) <= LONGEST_MESSAGE:
                answer.inputs.append(Typed(sender, said))
                response.run_input.SetInParent()
            case other:
                response.error = f"{other or 'an unknown request'} can't be done here"
        answer.sends.append(_sent(response, sender))
        return answer

    def _newest(self) -> list[pb.ChatContext.ChatItem]:
        newest: list[pb.ChatContext.ChatItem] = []
        left = _TOLD
        for item in reversed(self._items):
            left -= item.ByteSize()
            if left < 0:
                break
            newest.append(item)
        return newest[::-1]

    def tell_rtc_stats(
        self, request_id: str, publisher: Iterable[Any], subscriber: Iterable[Any], sender: str
    ) -> Answer:
        """The answer to `get_rtc_stats`; of each side the SDK's protobuf statistics."""
        response = _response(request_id)
        response.get_rtc_stats.publisher_stats.extend(_statistics(publisher))
        response.get_rtc_stats.subscriber_stats.extend(_statistics(subscriber))
        return Answer(sends=[_sent(response, sender)])

    def refuse(self, request_id: str, problem: str, sender: str) -> Answer:
        response = _response(request_id)
        response.error = problem
        return Answer(sends=[_sent(response, sender)])


def wants_rtc_stats(data: bytes) -> str | None:
    """The id of a request for statistics, which have to be fetched first; None: it is something else."""
    try:
        request = pb.AgentSessionMessage.FromString(data).request
    except DecodeError:
        return None
    return request.request_id if request.WhichOneof("request") == "get_rtc_stats" else None


def _statistics(found: Iterable[Any]) -> list[Struct]:
    told: list[Struct] = []
    for one in found:
        if one.WhichOneof("stats") in _STATISTICS and len(told) < _MOST_STATISTICS:
            struct = Struct()
            struct.update(MessageToDict(one))
            told.append(struct)
    return told


def _call(fact: ToolBegan | ToolEnded) -> pb.FunctionCall:
    """What the agent keeps back is empty."""
    given = json.dumps(fact.arguments, ensure_ascii=False)[:ENOUGH] if fact.arguments is not None else ""
    return pb.FunctionCall(id=fact.call, call_id=fact.call, name=fact.name or "", arguments=well_formed(given))


def _response(request_id: str) -> pb.SessionResponse:
    return pb.SessionResponse(request_id=request_id[:_LONGEST_ID])


def _sent(response: pb.SessionResponse, sender: str) -> Send:
    reply = pb.AgentSessionMessage(response=response)
    return SendBytes(TOPIC, reply.SerializeToString(), {}, (sender,) if sender else ())


def _event(**fields: object) -> Send:
    event = pb.AgentSessionEvent(**fields)  # type: ignore[arg-type]  # one of its kinds
    event.created_at.GetCurrentTime()
    return SendBytes(TOPIC, pb.AgentSessionMessage(event=event).SerializeToString(), {})
