"""What clients of LiveKit and Pipecat expect in a room, shown with LiveKit's own client library."""

import asyncio
from datetime import datetime
from typing import Any

import pytest
from livekit import rtc
from livekit.protocol.agent_pb import agent_session as pb

from gateway.rooms.livekit.room import LiveKitRoom
from schemas.bus import Delivery
from schemas.config.agent import AgentSpec, LiveKit
from schemas.events import Cause, Event, ReplyFinished, ReplySentence, ToolCalled, ToolReturned, TurnEnded
from schemas.jobs import Job, LlmJob, TtsJob
from tests.gateway.rooms.livekit.site.rooms.house import Rooms, SpeakingPools

QUESTION, ANSWER = "hello there.", ["I hear you.", "Very well indeed."]


def _spec(**livekit: Any) -> AgentSpec:
    return AgentSpec(livekit=LiveKit(**livekit))


async def test_one_turn_in_every_convention(rooms: Rooms) -> None:
    """A turn is told by state, text streams, old packets, transcript lines, word timings and RTVI, in order and in time."""
    async with SpeakingPools(rooms.bus, hears=[QUESTION], says=ANSWER, seconds=0.8):
        session, room = await rooms.agent()
        ann = await rooms.human("ann")
        await ann.send({"label": "rtvi-ai", "type": "client-ready", "id": "r1", "data": {"version": "2.1.0"}})
        ready = await ann.until(lambda: ann.told("", "bot-ready"), "bot-ready")
        assert ready[0]["id"] == "r1"
        assert ready[0]["data"]["version"].startswith("2.")
        await ann.speak(1.0)
        await rooms.event(session, TurnEnded)
        await ann.until(lambda: len(ann.told("transcripts")) == 2, "two lines")
        await ann.until(lambda: ann.spoken_by("antiphon") and ann.spoken_by("antiphon")[0].done, "the agent's stream")
        await ann.until(lambda: ann.told("", "bot-stopped-speaking"), "the end of speech")
        # attributes go another way than packets, and come in their own time
        await ann.until(lambda: "speaking" in ann.states and ann.states[-1] == "listening", "its states")

        _states(ann.states)
        _streams(ann, room)
        _lines(ann.told("transcripts"))
        _words(ann)
        _rtvi(ann.told(""))
        assert [(s.text, s.final) for who, s in ann.old if who == "ann"][-1] == (QUESTION, True)
        assert [(s.text, s.final) for who, s in ann.old if who == "antiphon"][-1] == (" ".join(ANSWER), True)


async def test_an_answer_of_livekits_that_is_lost_holds_up_no_state(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK may miss that its attributes were taken, and waits for it: the states that come next are shown all the same."""
    send = rtc.LocalParticipant.set_attributes

    async def deaf(participant: rtc.LocalParticipant, attributes: dict[str, str]) -> None:
        await send(participant, attributes)
        await asyncio.Event().wait()

    monkeypatch.setattr(rtc.LocalParticipant, "set_attributes", deaf)
    async with SpeakingPools(rooms.bus, hears=[QUESTION], says=ANSWER, seconds=0.8):
        session, _ = await rooms.agent()
        ann = await rooms.human("ann")
        await ann.speak(1.0)
        await rooms.event(session, TurnEnded)
        await ann.until(lambda: "speaking" in ann.states and ann.states[-1] == "listening", "its states")
        _states(ann.states)


def _states(states: list[str]) -> None:
    expected = iter(states)
    assert all(state in expected for state in ("thinking", "speaking", "listening")), states


def _streams(ann: Any, room: LiveKitRoom) -> None:
    """The user's in her own name, interims first; the agent's word by word, after hers."""
    hers, agents = ann.spoken_by("ann"), ann.spoken_by("antiphon")
    assert len({text.segment for text in hers}) == 1
    assert [text.final for text in hers] == [False] * (len(hers) - 1) + [True]
    assert hers[-1].text == QUESTION
    assert hers[-1].attributes["lk.transcribed_track_id"] in ann.room.local_participant.track_publications
    assert len(agents) == 1
    assert (agents[0].text, agents[0].final) == (" ".join(ANSWER), True)
    assert len(agents[0].chunks) >= 4  # as they sounded
    assert agents[0].chunks[-1][0] - agents[0].chunks[0][0] > 0.5
    assert ann.texts.index(hers[-1]) < ann.texts.index(agents[0])
    assert agents[0].attributes["lk.transcribed_track_id"] == ann.agents_tracks[0].sid
    assert room.identity == "antiphon"


def _lines(lines: list[dict[str, Any]]) -> None:
    assert [(line["speaker"], line["text"], line["participant"]) for line in lines] == [
        ("user", QUESTION, "ann"),
        ("agent", " ".join(ANSWER), "antiphon"),
    ]
    for line in lines:
        assert set(line) == {"type", "speaker", "text", "timestamp", "participant", "segment_id"}
        assert datetime.fromisoformat(line["timestamp"]).tzinfo is not None


def _words(ann: Any) -> None:
    """Each clip's timings are told before its first word has sounded: as RTVI tells that, by the same way."""
    told = [message for _, topic, message in ann.packets if topic == "antiphon.words"]
    clips = [message for message in told if message["type"] == "words"]
    assert {message["type"] for message in told} <= {"words", "figures"}  # nothing is hushed
    assert [clip["text"] for clip in clips] == ANSWER
    assert [word for word, _, _ in clips[0]["words"]] == ANSWER[0].split()
    order = [
        message for message in (m for _, _, m in ann.packets) if message in clips or message["type"] == "bot-tts-text"
    ]
    assert [message in clips for message in order] == [
        is_clip for text in ANSWER for is_clip in (True, *[False] * len(text.split()))
    ]


def _rtvi(messages: list[dict[str, Any]]) -> None:
    assert all(message["label"] == "rtvi-ai" and message["id"] for message in messages)
    kinds = [message["type"] for message in messages]
    order = iter(kinds)
    wanted = (
        "bot-ready", "user-started-speaking", "user-stopped-speaking", "user-transcription", "bot-llm-started",
        "bot-tts-started", "bot-llm-text", "bot-output", "bot-started-speaking", "bot-tts-text", "bot-output", "metrics",
        "bot-llm-stopped", "bot-tts-stopped",
    )  # fmt: skip
    assert all(kind in order for kind in wanted), kinds
    assert kinds.count("bot-started-speaking") == kinds.count("bot-stopped-speaking") == 1
    final = [m["data"] for m in messages if m["type"] == "user-transcription" and m["data"]["final"]]
    assert [(one["text"], one["user_id"]) for one in final] == [(QUESTION, "ann")]
    outputs = [(m["data"]["text"], m["data"]["spoken_status"]) for m in messages if m["type"] == "bot-output"]
    assert outputs == [(text, status) for text in ANSWER for status in ("new", "completed")]
    timing = [m["data"] for m in messages if m["type"] == "server-message"]
    assert [one["type"] for one in timing] == ["bot-tts-timing"] * 2
    assert set(timing[0]) == {"type", "sequence_id", "words", "word_times", "word_durations", "text"}
    assert len(timing[0]["words"]) == len(timing[0]["word_times"]) == len(timing[0]["word_durations"])
    assert {one["processor"] for one in next(m["data"]["ttfb"] for m in messages if m["type"] == "metrics")} >= {
        "stt",
        "tts",
    }


async def test_speech_that_is_cut(rooms: Rooms) -> None:
    """A barge-in silences the track, and every convention's text ends with the word that was heard last."""
    async with SpeakingPools(
        rooms.bus, hears=["tell me a story.", "no stop that."], says=["one two three four five six seven eight."], seconds=6.0
    ):  # fmt: skip
        session, _ = await rooms.agent()
        ann = await rooms.human("ann")
        await ann.speak(0.8)
        await ann.until(ann.sounding, "sound")
        await asyncio.sleep(1.5)
        await ann.speak(0.8)
        cut = await rooms.event(session, TurnEnded)
        assert (cut.how, cut.reason) == ("interrupted", "barge_in")
        assert "one" in cut.heard
        assert "eight" not in cut.heard
        lines = await ann.until(
            lambda: [m["text"] for m in ann.told("transcripts") if m["speaker"] == "agent"], "the agent's line"
        )
        assert lines == [cut.heard]
        told = await ann.until(lambda: [t for t in ann.spoken_by("antiphon") if t.final], "the closed stream")
        assert told[0].text == cut.heard
        assert ann.told("antiphon.words", "cut")


async def test_chat_interrupts_and_is_answered(rooms: Rooms) -> None:
    """What is typed into `lk.chat`, or sent by RTVI, silences the agent and is answered."""
    async with SpeakingPools(rooms.bus, hears=["tell me."], says=["one two three four five six."], seconds=4.0):
        session, _ = await rooms.agent()
        ann = await rooms.human("ann")
        await ann.write("hello?")
        await ann.until(ann.sounding, "sound")
        await ann.write("something else, please")
        first = await rooms.event(session, TurnEnded)
        assert (first.how, first.reason) == ("interrupted", "barge_in")
        await ann.send({"label": "rtvi-ai", "type": "send-text", "id": "1", "data": {"content": "and now this"}})
        await rooms.event(session, TurnEnded, lambda event: event.turn == 2)
        received = [event.text for event in await rooms.log(session) if event.type == "message.received"]  # type: ignore[union-attr]
        assert received == ["hello?", "something else, please", "and now this"]


async def test_conventions_can_be_switched_off(rooms: Rooms) -> None:
    """An agent spec without a convention says nothing in it; bare word timings come without anybody asking."""
    spec = _spec(
        state=False, transcription=False, old_transcription=False, transcripts=False, words=False, rtvi="off",
        tts_timing="bare", session_events=False, chat=False,
    )  # fmt: skip
    async with SpeakingPools(rooms.bus, hears=[QUESTION], says=["I hear you."], seconds=0.6):
        session, room = await rooms.agent(spec)
        ann = await rooms.human("ann")
        await ann.send({"label": "rtvi-ai", "type": "client-ready", "id": "r1"})
        await ann.write("not listened to")
        await ann.speak(0.8)
        await rooms.event(session, TurnEnded)
        assert room._connection is not None
        await room._connection.room.local_participant.publish_data(b'{"type": "that was all"}')
        await ann.until(lambda: ann.told("", "that was all"), "what was sent last, behind all else")
        assert (ann.states, ann.texts, ann.old) == ([], [], [])
        assert [message["type"] for message in ann.told("")] == ["bot-tts-timing", "that was all"]
        assert len(ann.packets) == 2
        assert "message.received" not in [event.type for event in await rooms.log(session)]


async def test_bare_timings_are_one_a_sentence(rooms: Rooms) -> None:
    """A page that plays timings as they come gets one message for each sentence, however many parts it is in, as it begins."""
    says = ["One two three four.", "Five six."]
    async with SpeakingPools(rooms.bus, hears=[QUESTION], says=says, seconds=1.2, parts=4):
        session, _ = await rooms.agent(_spec(tts_timing="bare", words=False))
        ann = await rooms.human("ann")
        await ann.speak(0.8)
        await rooms.event(session, TurnEnded)
        timings = [(when, message) for when, _, message in ann.packets if message.get("type") == "bot-tts-timing"]
        assert [message["text"] for _, message in timings] == says
        assert [message["words"] for _, message in timings] == [text.split() for text in says]
        assert timings[0][1]["word_times"] == [0.0, 0.3, 0.6, 0.9]
        assert [message["sequence_id"] for _, message in timings] == [1, 2]
        sounding = ann.sounding()
        assert timings[0][0] < sounding[0] + 0.05
        assert timings[1][0] < sounding[0] + 1.25


async def test_the_playground_sees_the_session(rooms: Rooms) -> None:
    """Events of the session come as `lk.agent.session` messages, and a request is answered to who asked."""
    async with SpeakingPools(rooms.bus, hears=[QUESTION], says=["I hear you."], seconds=0.5):
        session, _ = await rooms.agent()
        ann = await rooms.human("ann")
        await ann.speak(0.6)
        await rooms.event(session, TurnEnded)
        request = pb.SessionRequest(request_id="q1", get_chat_history=pb.SessionRequest.GetChatHistory())
        await ann.ask_session(pb.AgentSessionMessage(request=request))
        answers = await ann.until(lambda: [m for m in ann.session if m.HasField("response")], "the history")
        items = [item.message for item in answers[0].response.get_chat_history.items]
        assert [(item.role, item.content[0].text) for item in items] == [
            (pb.USER, QUESTION),
            (pb.ASSISTANT, "I hear you."),
        ]
        statistics = pb.SessionRequest(request_id="q2", get_rtc_stats=pb.SessionRequest.GetRTCStats())
        await ann.ask_session(pb.AgentSessionMessage(request=statistics))
        await ann.until(lambda: [m for m in ann.session if m.response.request_id == "q2"], "the statistics")
        told = next(m.response for m in ann.session if m.response.request_id == "q2").get_rtc_stats
        assert [one for one in told.subscriber_stats if "inboundRtp" in dict(one)]
        assert "candidatePair" in str(told)
        assert "127.0.0.1" not in str(told)
        kinds = [m.event.WhichOneof("event") for m in ann.session if m.HasField("event")]
        wanted = {"agent_state_changed", "user_state_changed", "user_input_transcribed", "conversation_item_added"}
        assert wanted <= set(kinds)


async def test_the_greeting_waits_for_a_client_that_is_ready(rooms: Rooms) -> None:
    """Where RTVI clients are expected, nothing is said before `client-ready`, and all of the greeting is told."""
    spec = AgentSpec(greeting="Good day.", livekit=LiveKit(rtvi="always"))
    async with SpeakingPools(rooms.bus, seconds=0.4):
        session, _ = await rooms.agent(spec)
        ann = await rooms.human("ann")
        await ann.until(lambda: ann.agents_tracks, "the agent's track")
        assert not [event for event in await rooms.log(session) if event.type == "turn.committed"]
        await ann.send({"label": "rtvi-ai", "type": "client-ready", "id": "r1"})
        await rooms.event(session, TurnEnded)
        await ann.until(lambda: ann.told("", "bot-output"), "the greeting")
        kinds = [message["type"] for message in ann.told("")]
        assert kinds.index("bot-ready") < kinds.index("bot-output")


async def test_without_timings_text_comes_all_the_same(rooms: Rooms) -> None:
    """A voice that tells no timings is captioned at an even pace, and whole at the end."""
    pools = SpeakingPools(rooms.bus, hears=[QUESTION], says=["I hear you very well."], seconds=1.0)
    pools.timings = False
    async with pools:
        await rooms.agent()
        ann = await rooms.human("ann")
        await ann.speak(0.8)
        told = await ann.until(lambda: [t for t in ann.spoken_by("antiphon") if t.final], "the closed stream")
        assert told[0].text == "I hear you very well."


class CallingPools(SpeakingPools):
    """Says its first sentence, calls a tool that takes a second, says the rest."""

    async def _answer(self, delivery: Delivery) -> tuple[list[Event], list[Job]]:
        job = delivery.job
        if not isinstance(job, LlmJob):
            return await super()._answer(delivery)
        assert job.turn is not None
        assert job.generation is not None
        told = {"turn": job.turn, "generation": job.generation, "cause": Cause(job=job.id, attempt=delivery.attempt)}
        first, rest = self.says
        for step, (index, text) in enumerate(((0, first), (1, rest))):
            speak = TtsJob.sentence(AgentSpec(), job.session, job.turn, job.generation, index, text)
            events: list[Event] = [ReplySentence(**told, index=index, text=text)]  # type: ignore[arg-type]
            call = {"call": "c1", "name": "book"}
            if step == 0:
                events.append(ToolCalled(**told, **call, arguments={"guests": 4}, timeout=5.0))  # type: ignore[arg-type]
                await self.bus.commit("llm", "pool-llm", delivery, step, "step", events, [speak])
                await asyncio.sleep(2.0)
            else:
                events.insert(0, ToolReturned(**told, **call, result="table 7", took=2.0))  # type: ignore[arg-type]
                events.append(ReplyFinished(**told, sentences=2))  # type: ignore[arg-type]
                await self.bus.commit("llm", "pool-llm", delivery, step, "final", events, [speak])
        return [], []


async def test_a_tool_works(rooms: Rooms) -> None:
    """While it does, the agent is thinking, not speaking; RTVI and the playground are told of the call, as much as the agent
    says."""
    async with CallingPools(rooms.bus, hears=[QUESTION], says=ANSWER, seconds=0.5):
        session, _ = await rooms.agent(_spec(tool_calls="arguments", rtvi="always"))
        ann = await rooms.human("ann")
        await ann.send({"label": "rtvi-ai", "type": "client-ready", "id": "r1", "data": {"version": "2.1.0"}})
        await ann.until(lambda: ann.told("", "bot-ready"), "bot-ready")
        await ann.speak(1.0)
        await rooms.event(session, TurnEnded)
        await ann.until(lambda: ann.told("", "llm-function-call-stopped"), "the end of the call")
        await ann.until(lambda: ann.states.count("speaking") == 2 and ann.states[-1] == "listening", "its states")
        expected = iter(ann.states)
        wanted = ("thinking", "speaking", "thinking", "speaking", "listening")
        assert all(state in expected for state in wanted), ann.states
        started = ann.told("", "llm-function-call-in-progress")[0]["data"]
        assert started["arguments"] == {"guests": 4}
        assert "result" not in ann.told("", "llm-function-call-stopped")[0]["data"]
        executed = await ann.until(
            lambda: [
                one.event.function_tools_executed
                for one in ann.session
                if one.event.HasField("function_tools_executed")
            ],
            "the playground's event",
        )
        assert executed[0].function_calls[0].name == "book"
        assert executed[0].function_calls[0].arguments == '{"guests": 4}'
        assert executed[0].function_call_outputs[0].output == ""
        updates = [
            one.event.tool_execution_updated for one in ann.session if one.event.HasField("tool_execution_updated")
        ]
        assert [one.WhichOneof("update") for one in updates] == ["started", "ended"]
        assert updates[1].ended.status == pb.TC_DONE
        request = pb.SessionRequest(request_id="7", get_chat_history=pb.SessionRequest.GetChatHistory())
        await ann.ask_session(pb.AgentSessionMessage(request=request))
        history = await ann.until(
            lambda: [one.response.get_chat_history for one in ann.session if one.HasField("response")], "the history"
        )
        kinds = [item.WhichOneof("item") for item in history[0].items]
        assert kinds[:1] + kinds[-1:] == ["message", "message"]
        assert "function_call" in kinds
        assert "function_call_output" in kinds
