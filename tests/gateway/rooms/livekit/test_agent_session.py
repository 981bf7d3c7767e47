"""`lk.agent.session`: events for the playground, requests answered, rubbish refused in a sentence."""

from datetime import UTC, datetime

from livekit.protocol.agent_pb import agent_session as pb

from gateway.room import Typed
from gateway.rooms.livekit.conventions import Scene, SendBytes
from gateway.rooms.livekit.conventions.agent_session import AgentSession
from gateway.rooms.livekit.facts import ReplyEnded, StateChanged, UserSpeech

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SCENE = Scene("agent")


def asked(session: AgentSession, **request: object) -> pb.SessionResponse:
    message = pb.AgentSessionMessage(request=pb.SessionRequest(request_id="7", **request))  # type: ignore[arg-type]
    answer = session.hear(message.SerializeToString(), "ann")
    assert isinstance(answer.sends[0], SendBytes)
    assert answer.sends[0].to == ("ann",)
    response = pb.AgentSessionMessage.FromString(answer.sends[0].data).response
    assert response.request_id == "7"
    return response


def test_the_state_is_told_and_can_be_asked_for() -> None:
    """Changes are events; who comes later asks. Two people who speak are one user who does."""
    session = AgentSession("desk")
    session.tell(StateChanged("speaking"), SCENE)
    assert len(session.tell(UserSpeech("ann", True), SCENE)) == 1
    assert session.tell(UserSpeech("bob", True), SCENE) == []
    assert session.tell(UserSpeech("ann", False), SCENE) == []
    state = asked(session, get_session_state=pb.SessionRequest.GetSessionState()).get_session_state
    assert (state.agent_state, state.user_state, state.agent_id) == (pb.AS_SPEAKING, pb.US_SPEAKING, "desk")


def test_history_says_what_was_cut() -> None:
    """The conversation as it was heard, an interrupted reply marked; the instructions stay private."""
    session = AgentSession("desk")
    session.tell(ReplyEnded("s1", "One two", True, NOON), SCENE)
    info = asked(session, get_agent_info=pb.SessionRequest.GetAgentInfo()).get_agent_info
    assert [(item.message.content[0].text, item.message.interrupted) for item in info.chat_ctx] == [("One two", True)]
    assert info.instructions == ""


def test_input_is_typed_and_what_cannot_be_done_is_said() -> None:
    """A typed input reaches the session; other requests are answered with an error."""
    session = AgentSession("desk")
    request = pb.SessionRequest(request_id="1", run_input=pb.SessionRequest.RunInput(text=" hello "))
    answer = session.hear(pb.AgentSessionMessage(request=request).SerializeToString(), "ann")
    assert answer.inputs == [Typed("ann", "hello")]
    assert "can't be done" in asked(session, get_rtc_stats=pb.SessionRequest.GetRTCStats()).error
    assert "can't be done" in asked(session, run_input=pb.SessionRequest.RunInput(text="x" * 5000)).error
    assert "can't be done" in asked(session).error


def test_rubbish_costs_a_sentence() -> None:
    """No protobuf: one complaint. Another agent's event: nothing."""
    session = AgentSession("desk")
    assert "AgentSessionMessage" in session.hear(b"\xff\xff\xff", "eve").complaint
    event = pb.AgentSessionMessage(event=pb.AgentSessionEvent())
    answer = session.hear(event.SerializeToString(), "eve")
    assert (answer.inputs, answer.sends, answer.complaint) == ([], [], "")
