"""The fold of the log and the gateway's own state are one truth."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.turn_taking.state import State, UsersFloor
from schemas.config.agent import AgentSpec
from schemas.session.fold import SessionState, fold
from schemas.session.waterfall import waterfall
from tests.gateway.turn_taking.call import Call, Stages
from tests.gateway.turn_taking.test_anything import WHO, agents, happening, play, stages


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
@given(
    agent=agents,
    stages=stages,
    people=st.integers(1, 2),
    happenings=st.lists(happening.filter(lambda item: item[0] != "rewind"), max_size=14),
)
def test_the_fold_of_the_log_is_what_the_gateway_knows(
    agent: AgentSpec, stages: Stages, people: int, happenings: list
) -> None:  # type: ignore[type-arg]
    """Whenever nothing is on its way to the log, both know the same turns, words, sentences, floor and generation. (But for
    a lost tail, of which the gateway learns with its next publication.)"""
    call = Call(agent, stages, people=WHO[:people])
    play(call, happenings, people)
    state, folded = SessionState(), 0
    for until in range(1, 66):
        call.run(until * 0.4)
        for event in call.log[folded:]:
            state, folded = fold(state, event), folded + 1
        if call.state.flight is None and not call.state.outbox and not call.state.closed:
            assert known(state) == known_to(call.state), call.show()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
@given(agent=agents, stages=stages, people=st.integers(1, 2), happenings=st.lists(happening, max_size=14))
def test_every_answered_turn_has_a_waterfall_that_sums(
    agent: AgentSpec, stages: Stages, people: int, happenings: list
) -> None:  # type: ignore[type-arg]
    """Of whatever conversation: a turn that sounded can be explained, one that didn't has nothing to explain."""
    call = Call(agent, stages, people=WHO[:people])
    play(call, happenings, people)
    call.run(26.0)
    state = SessionState()
    for event in call.log:
        state = fold(state, event)
        turn = state.turns.get(event.turn or 0)
        if event.type != "turn.ended" or turn is None:
            continue
        shape = waterfall(state, turn.id)
        assert (shape is not None) == (turn.started_at is not None)
        if shape is not None:
            assert sum(shape.parts.values()) == pytest.approx(shape.total, abs=1e-9)
            assert min(shape.parts.values()) >= 0


def known(state: SessionState) -> dict[str, object]:
    """What the log says."""
    return {
        "generation": state.generation,
        "turns": {
            turn.id: (
                turn.commit is not None,
                [(utterance.id, utterance.text) for utterance in turn.utterances],
                [sentence.text for _, sentence in sorted(turn.reply.sentences.items())] if turn.reply else [],
            )
            for turn in state.turns.values()
            if turn.end is None
        },
    }


def known_to(state: State) -> dict[str, object]:
    """What the gateway knows."""
    return {
        "generation": state.generation,
        "turns": {
            turn.id: (
                not isinstance(turn.phase, UsersFloor),
                [(utterance.id, utterance.text) for utterance in turn.utterances],
                [sentence.text for sentence in turn.reply.sentences] if turn.reply else [],
            )
            for turn in state.turns.values()
        },
    }
