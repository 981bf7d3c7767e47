"""`lk.agent.session`: events for the playground, requests answered, rubbish refused in a sentence."""

from datetime import UTC, datetime

from livekit.protocol.agent_pb import agent_session as pb
from livekit.rtc._proto.stats_pb2 import RtcStats

from gateway.inputs import Typed
from gateway.rooms.livekit.conventions import Scene, SendBytes
from gateway.rooms.livekit.conventions.agent_session import AgentSession, wants_rtc_stats
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
    """The conversation as it was heard, an interrupted reply marked, a failed one not; the instructions stay private."""
    session = AgentSession("desk")
    session.tell(ReplyEnded("s1", "One two", "interrupted", NOON), SCENE)
    session.tell(ReplyEnded("s2", "Three", "failed", NOON), SCENE)
    info = asked(session, get_agent_info=pb.SessionRequest.GetAgentInfo()).get_agent_info
    assert [(item.message.content[0].text, item.message.interrupted) for item in info.chat_ctx] == [
        ("One two", True),
        ("Three", False),
    ]
    assert info.instructions == ""


def test_input_is_typed_where_the_agent_allows_it() -> None:
    """A typed input reaches the session of an agent that takes it; others say which setting it is."""
    request = pb.SessionRequest(request_id="1", run_input=pb.SessionRequest.RunInput(text=" hello "))
    message = pb.AgentSessionMessage(request=request).SerializeToString()
    session = AgentSession("desk", run_input=True)
    assert session.hear(message, "ann").inputs == [Typed("ann", "hello")]
    assert "can't be done" in asked(session, run_input=pb.SessionRequest.RunInput(text="x" * 5000)).error
    assert AgentSession("desk").hear(message, "ann").inputs == []
    assert "livekit.run_input" in asked(AgentSession("desk"), run_input=request.run_input).error


def test_no_request_is_left_waiting() -> None:
    """Whatever kind of request there is, it gets an answer of its kind, or an error."""
    kinds = pb.SessionRequest.DESCRIPTOR.oneofs_by_name["request"].fields
    refused = set()
    for kind in kinds:
        answer = asked(AgentSession("desk"), **{kind.name: getattr(pb.SessionRequest(), kind.name)})
        assert answer.error or answer.WhichOneof("response")
        refused |= {kind.name} if answer.error else set()
    assert {"ping", "get_chat_history", "get_agent_info", "get_session_state", "get_framework_info"}.isdisjoint(refused)
    assert "can't be done" in asked(AgentSession("desk")).error


def test_statistics_are_told_without_addresses() -> None:
    """What the playground draws latency from is told as the SDK has it; where the agent's machine is, is not."""
    pair = RtcStats(candidate_pair=RtcStats.CandidatePair())
    pair.candidate_pair.candidate_pair.current_round_trip_time = 0.25
    address = RtcStats(local_candidate=RtcStats.LocalCandidate())
    address.local_candidate.candidate.address = "10.1.2.3"
    request = pb.SessionRequest(request_id="7", get_rtc_stats=pb.SessionRequest.GetRTCStats())
    data = pb.AgentSessionMessage(request=request).SerializeToString()
    assert wants_rtc_stats(data) == "7"
    answer = AgentSession("desk").tell_rtc_stats("7", [pair, address], [address], "ann")
    assert isinstance(answer.sends[0], SendBytes)
    told = pb.AgentSessionMessage.FromString(answer.sends[0].data).response.get_rtc_stats
    assert [dict(one)["candidatePair"]["candidatePair"]["currentRoundTripTime"] for one in told.publisher_stats] == [
        0.25
    ]
    assert not told.subscriber_stats


def test_a_long_history_is_told_in_part() -> None:
    """One answer stays of a size that can be sent, the newest lines in it."""
    session = AgentSession("desk")
    for number in range(200):
        session.tell(ReplyEnded(f"s{number}", f"{number} " + "x" * 11_000, "played", NOON), SCENE)
    items = asked(session, get_chat_history=pb.SessionRequest.GetChatHistory()).get_chat_history.items
    assert 1 < len(items) < 20
    assert items[-1].message.content[0].text.startswith("199 ")


def test_rubbish_costs_a_sentence() -> None:
    """No protobuf: one complaint. Another agent's event: nothing."""
    session = AgentSession("desk")
    assert "AgentSessionMessage" in session.hear(b"\xff\xff\xff", "eve").complaint
    event = pb.AgentSessionMessage(event=pb.AgentSessionEvent())
    answer = session.hear(event.SerializeToString(), "eve")
    assert (answer.inputs, answer.sends, answer.complaint) == ([], [], "")
