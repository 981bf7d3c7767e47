"""Byte streams `lk.agent.session` of protobuf messages, as LiveKit's playground reads them for its timeline.

Events to everybody; requests (ping, chat history, state, agent, framework, a typed input) answered to who asks. The agent's
instructions are nobody's business in the room: they are not told.
"""

from collections import deque
from collections.abc import Sequence
from datetime import datetime

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from livekit.protocol.agent_pb import agent_session as pb

from gateway.room import Typed
from gateway.rooms.livekit.conventions._sending import ENOUGH, Scene, Send, SendBytes
from gateway.rooms.livekit.conventions.rtvi import Answer
from gateway.rooms.livekit.facts import Fact, ReplyEnded, StateChanged, Trouble, UserSpeech, UserText

TOPIC = "lk.agent.session"
_STATES = {
    "initializing": pb.AS_INITIALIZING,
    "idle": pb.AS_IDLE,
    "listening": pb.AS_LISTENING,
    "thinking": pb.AS_THINKING,
    "speaking": pb.AS_SPEAKING,
}
_KEPT = 200  # lines of the conversation a client may ask for
_LONGEST_INPUT = 4000


class AgentSession:
    """`agent`: its name."""

    def __init__(self, agent: str):
        self._agent = agent
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
                return [self._added(pb.ASSISTANT, fact.segment, fact.text, fact.at, interrupted=fact.cut)]
            case Trouble():
                return [_event(error=pb.AgentSessionEvent.Error(message=fact.message))]
            case _:
                return []

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
        response = pb.SessionResponse(request_id=request.request_id)
        match request.WhichOneof("request"):
            case "ping":
                response.pong.SetInParent()
            case "get_chat_history":
                response.get_chat_history.items.extend(self._items)
            case "get_agent_info":
                response.get_agent_info.id = self._agent
                response.get_agent_info.chat_ctx.extend(self._items)
            case "get_session_state":
                response.get_session_state.agent_state = self._state
                response.get_session_state.user_state = self._user
                response.get_session_state.agent_id = self._agent
            case "get_framework_info":
                response.get_framework_info.sdk = "antiphon"
            case "run_input" if 0 < len(request.run_input.text.strip()) <= _LONGEST_INPUT:
                answer.inputs.append(Typed(sender, request.run_input.text.strip()))
                response.run_input.SetInParent()
            case other:
                response.error = f"{other or 'an unknown request'} can't be done here"
        reply = pb.AgentSessionMessage(response=response)
        answer.sends.append(SendBytes(TOPIC, reply.SerializeToString(), {}, (sender,) if sender else ()))
        return answer


def _event(**fields: object) -> Send:
    event = pb.AgentSessionEvent(**fields)  # type: ignore[arg-type]  # one of its kinds
    event.created_at.GetCurrentTime()
    return SendBytes(TOPIC, pb.AgentSessionMessage(event=event).SerializeToString(), {})
