"""Whatever people, clients, stages and the log do, in whatever order, the promises hold."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.inputs import HungUp
from schemas.config.agent import AgentSpec, Idle, Phone, TurnTaking
from schemas.session.promises import violations
from tests.gateway.turn_taking.anything import SHORT, TEXTS, WHO, play
from tests.gateway.turn_taking.call import Call, Stages

delay = st.sampled_from((0.0, 0.02, 0.1, 0.5, 1.5, 4.0))
moment = st.integers(20, 2500).map(lambda n: n / 100)
happening = st.one_of(
    st.tuples(
        st.just("speech"),
        moment,
        st.sampled_from((0.1, 0.2, 0.6, 1.4, 3.0)),
        st.sampled_from(TEXTS),
        st.sampled_from(WHO),
    ),
    st.tuples(st.just("noise"), moment, st.sampled_from(WHO)),
    st.tuples(st.just("typed"), moment),
    st.tuples(st.just("posted"), moment),
    st.tuples(st.just("say"), moment, st.booleans(), st.booleans()),
    st.tuples(st.just("button"), moment, st.sampled_from((0.1, 1.0, 2.0)), st.booleans()),
    st.tuples(st.just("tone"), moment),
    st.tuples(st.just("away"), moment, st.sampled_from((0.05, 1.0, 5.0))),
    st.tuples(st.just("left"), moment, st.sampled_from((0.5, 3.0))),
    st.tuples(st.just("digits"), moment),
    st.tuples(st.just("load"), moment, st.sampled_from((0, 3, 50))),
    st.tuples(st.just("end"), moment),
    st.tuples(st.just("full"), moment),
    st.tuples(st.just("takeover"), moment),
    st.tuples(st.just("rewind"), moment, st.integers(1, 8)),
)
stages = st.builds(
    Stages,
    stt=delay,
    llm=delay,
    tts=delay,
    replies=st.lists(
        st.sampled_from(
            (["Yes."], ["One two three.", "Four five six seven."], ["Four five six.", "Is it one, two or three?"], [])
        ),
        min_size=1,
        max_size=3,
    ),
    stt_fails=st.sampled_from((False, False, False, True)),
    llm_fails=st.sampled_from((False, False, False, True)),
    tts_fails=st.sampled_from((lambda i: False, lambda i: False, lambda i: i == 0, lambda i: True)),
    phrases_fail=st.booleans(),
    dead=st.sampled_from((set(), set(), set(), {"stt"}, {"llm"}, {"tts"})),
    tool=st.booleans(),
    parts=st.sampled_from((1, 1, 2, 3)),
    part=delay,
    tts_breaks=st.sampled_from((False, False, True)),
)
agents = st.builds(
    AgentSpec,
    greeting=st.sampled_from(("", "Hello, how can I help?")),
    greeting_interruptible=st.booleans(),
    idle=st.sampled_from((Idle(), Idle(), Idle(after=1.5, times=1), Idle(after=0.5, times=3))),
    phone=st.sampled_from(
        (
            Phone(),
            Phone(),
            Phone(),
            Phone(machine="hang_up"),
            Phone(machine="message", machine_message="Ring me, please."),
        )
    ),
    limits=st.just(SHORT),
    patience=st.sampled_from((0.0, 0.3, 1.0)),
    turn_taking=st.builds(
        TurnTaking,
        barge_in=st.sampled_from((True, True, False)),
        answer=st.sampled_from(("anyone", "linked", "addressed")),
        regret=st.sampled_from((0.6, 0.6, 2.0, 0.0)),
        expects=st.sampled_from(("free", "free", "number")),
        mode=st.sampled_from(("voice", "voice", "push_to_talk")),
        wake=st.sampled_from(([], [], ["hey pizza"])),
        wake_for=st.sampled_from((2.0, 20.0)),
        wake_context=st.booleans(),
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
@given(
    agent=agents,
    stages=stages,
    people=st.integers(1, 2),
    happenings=st.lists(happening, max_size=14),
    slow=st.sampled_from((0.001, 0.001, 0.4)),
)
def test_no_order_of_events_breaks_a_promise(
    agent: AgentSpec, stages: Stages, people: int, happenings: list, slow: float
) -> None:  # type: ignore[type-arg]
    """Every turn ends exactly once, generations only rise, nothing void or uncommitted is played, nothing is played twice."""
    call = Call(agent, stages, people=WHO[:people])
    call.bus_delay = slow
    play(call, happenings, people)
    call.run(26.0)
    if not call.state.closed:
        stuck = [turn for turn in call.state.turns.values() if call.state.turn_time(call.now) - turn.touched > 30]
        assert not stuck
        call.gives(26.0, HungUp())
    call.run(30.0)
    assert call.log[-1].type == "session.ended", call.show()
    wrong = violations(call.log)
    assert not wrong, "\n".join((*wrong, call.show()))
