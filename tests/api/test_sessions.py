"""One session: its turns, its state, its events, its words."""

import json

import httpx2
import pytest

from api.house import House
from schemas.codec import event_from_json
from schemas.events import (
    Event,
    KnowledgeFound,
    MessageReceived,
    ParticipantJoined,
    StageExpired,
    TranscriptFinal,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)
from schemas.log import MemoryBus
from tests.api.sessions import XSS, golden, keep, open_session


async def test_a_session_is_told_whole(client: httpx2.AsyncClient, house: House) -> None:
    """Every turn has its waterfall, and its words the moments at which they sounded."""
    await keep(house, "s1", golden("barge_in"))
    told = (await client.get("/v1/sessions/s1")).json()
    first, second = told["turns"]
    assert (told["row"]["state"], told["row"]["turns"], told["row"]["interrupted"]) == ("closed", 2, 1)
    assert (first["how"], first["heard"], first["total_ms"]) == ("interrupted", "Once upon a time", 605.0)
    assert sum(bar["ms"] for bar in first["bars"]) == first["total_ms"]
    story = first["sentences"][0]
    assert story["cut"]
    assert story["heard"] == "Once upon a time"
    heard = [word for word in story["words"] if word["heard"]]
    assert (heard[0]["start_s"], heard[-1]["end_s"]) == (2.605, 3.805)
    assert [note["kind"] for note in first["notes"]] == ["interruption"]
    assert second["how"] == "played"


async def test_words_were_heard_as_the_turn_says(client: httpx2.AsyncClient, house: House) -> None:
    """Where a turn ended, what its gateway knew to be heard stands, not what the clock alone would allow."""
    events = golden("barge_in")
    place = next(place for place, event in enumerate(events) if isinstance(event, TurnEnded))
    events[place] = events[place].model_copy(update={"heard": "Once upon"})
    await keep(house, "s1", events)
    story, *others = (await client.get("/v1/sessions/s1")).json()["turns"][0]["sentences"]
    assert story["heard"] == "Once upon"
    assert [word["word"] for word in story["words"] if word["heard"]] == ["Once", "upon"]
    assert [one["heard"] for one in others] == [""] * len(others)


async def test_words_that_were_found_outlive_a_transcript_that_is_lost(
    client: httpx2.AsyncClient, house: House
) -> None:
    """Who spoke on and was not transcribed again has said what was found before, as the LLM was told."""
    events = golden("reopened")
    again = next(place for place, event in enumerate(events) if isinstance(event, UtteranceCaptured) and event.replaces)
    place = next(place for place in range(again, len(events)) if isinstance(events[place], TranscriptFinal))
    before = next(event for event in events if isinstance(event, TranscriptFinal))
    after = events[place]
    assert isinstance(after, TranscriptFinal)
    events[place] = StageExpired(seq=after.seq, at=after.at, turn=after.turn, stage="stt", utterance=after.utterance)
    await keep(house, "s1", events[: place + 1])
    (turn,) = (await client.get("/v1/sessions/s1")).json()["turns"]
    (utterance,) = turn["utterances"]
    assert (utterance["text"], utterance["lost"]) == (before.text, "expired")
    assert turn["text"] == before.text
    said = (await client.get("/v1/sessions/s1/transcript.txt")).text
    assert before.text in said


async def test_what_waits_is_shown(client: httpx2.AsyncClient, house: House) -> None:
    """An open turn says what it waits for, and since when."""
    events = [event for event in golden("plain") if event.type not in ("turn.ended", "session.ended")]
    until = next(place for place, event in enumerate(events) if event.type == "clip.ready")
    await keep(house, "s1", events[:until])
    (turn,) = (await client.get("/v1/sessions/s1")).json()["turns"]
    assert (turn["how"], turn["total_ms"]) == ("thinking", None)
    assert [(one["part"], one["what"]) for one in turn["pending"]] == [
        ("tts", "the sound of sentence 1"),
        ("tts", "the sound of sentence 2"),
    ]


async def test_a_session_grows_while_it_is_looked_at(client: httpx2.AsyncClient, house: House) -> None:
    """What was told before is not read again, and what came since is there."""
    session = await open_session(house, "s1")
    assert (await client.get("/v1/sessions/s1")).json()["turns"] == []
    await session.publish(TurnCommitted(turn=1, why="greeting"))
    assert [turn["why"] for turn in (await client.get("/v1/sessions/s1")).json()["turns"]] == ["greeting"]


async def test_a_log_that_lost_its_tail_is_told_anew(client: httpx2.AsyncClient, house: House) -> None:
    """After a failover nothing is told that the log no longer has."""
    assert isinstance(house.bus, MemoryBus)
    session = await open_session(house, "s1")
    saved = house.bus.save()
    await session.publish(ParticipantJoined(participant="ann"))
    assert (await client.get("/v1/sessions/s1")).json()["row"]["participants"][0]["identity"] == "ann"
    house.bus.restore(saved)
    await session.publish(ParticipantJoined(participant="bob"))
    people = (await client.get("/v1/sessions/s1")).json()["row"]["participants"]
    assert [one["identity"] for one in people] == ["bob"]


async def test_the_state_at_any_event(client: httpx2.AsyncClient, house: House) -> None:
    """The state after event N is that of a log that ends there."""
    await keep(house, "s1", golden("plain"))
    early = (await client.get("/v1/sessions/s1/state?at=3")).json()
    last = (await client.get("/v1/sessions/s1/state")).json()
    assert (early["seq"], early["ended"]) == (3, None)
    assert (last["ended"], last["messages"][-1]["content"]) == ("hang_up", "I'm Ada. And you?")
    beyond = await client.get("/v1/sessions/s1/state?at=9999")
    assert (beyond.status_code, f"s1 has events 1 to {last['seq']}" in beyond.json()["detail"]) == (404, True)


async def test_the_state_in_the_middle_of_a_long_session(client: httpx2.AsyncClient, house: House) -> None:
    """A long log is folded from a state that was kept, to the same."""
    session = await open_session(house, "s1")
    for number in range(5):
        await session.publish(*(MessageReceived(participant=f"p{number}", text=f"{n}") for n in range(100)))
    told = (await client.get("/v1/sessions/s1/state?at=411")).json()
    assert (told["seq"], len(told["letters"]), told["letters"][-1]["participant"]) == (411, 410, "p4")


async def test_events_in_pages(client: httpx2.AsyncClient, house: House) -> None:
    """Pages follow each other without a gap, each event in words, until there is no next."""
    await keep(house, "s1", golden("plain"))
    seen, after = [], 0
    while after is not None:
        page = (await client.get(f"/v1/sessions/s1/events?after={after}&limit=7")).json()
        seen += page["events"]
        after = page["next"]
    assert [event["seq"] for event in seen] == list(range(1, 20))
    assert seen[1]["line"] == {"who": "Caller", "text": "joins", "detail": "", "style": "user"}
    assert seen[-1]["at_s"] == 6.0


async def test_events_of_some_types(client: httpx2.AsyncClient, house: House) -> None:
    """A type, or the beginning of several, is all that is answered."""
    await keep(house, "s1", golden("plain"))
    page = (await client.get("/v1/sessions/s1/events?type=turn.&type=clip.ready")).json()
    assert [event["type"] for event in page["events"]] == ["turn.committed", "clip.ready", "clip.ready", "turn.ended"]
    assert page["next"] is None


async def test_after_the_last_event(client: httpx2.AsyncClient, house: House) -> None:
    """Beyond the log there is an empty page, not an error."""
    await keep(house, "s1", golden("plain"))
    assert (await client.get("/v1/sessions/s1/events?after=900000")).json() == {"events": [], "next": None}


@pytest.mark.parametrize(
    "path",
    [
        "nobody",
        "..%2F..%2Fetc%2Fpasswd",
        "%2e%2e",
        "a%00b",
        "%0d%0aSet-Cookie:%20a=b",
        "{p00}:s:s1",
        "x" * 10_000,
        "%ff%fe",
    ],
)
async def test_a_name_that_is_no_session(client: httpx2.AsyncClient, house: House, path: str) -> None:
    """Whatever stands in the place of an id finds no session, and nothing else."""
    await keep(house, "s1", golden("plain"))
    for tail in ("", "/events", "/state", "/transcript.txt"):
        answer = await client.get(f"/v1/sessions/{path}{tail}")
        assert answer.status_code in (404, 422), path
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(answer.content) < 2_000


@pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=0", "limit=100000", "after=99999999999999999999"])
async def test_odd_pages(client: httpx2.AsyncClient, house: House, query: str) -> None:
    """A page that can't be is refused with the parameter's name."""
    await keep(house, "s1", golden("plain"))
    answer = await client.get(f"/v1/sessions/s1/events?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, f"query.{query.partition('=')[0]}")


async def test_the_transcript_in_the_order_of_speech(client: httpx2.AsyncClient, house: House) -> None:
    """What was cut stands as it was heard."""
    await keep(house, "s1", golden("barge_in"))
    said = (await client.get("/v1/sessions/s1/transcript.json")).json()["said"]
    assert [(one["who"], one["text"], one["cut"]) for one in said] == [
        ("Caller", "Tell me a story.", False),
        ("Agent", "Once upon a time", True),
        ("Caller", "No, wait, a true one.", False),
        ("Agent", "All right.", False),
    ]
    text = (await client.get("/v1/sessions/s1/transcript.txt")).text.splitlines()
    assert text[1] == "[00:00:02.605] Agent: Once upon a time —"
    vtt = await client.get("/v1/sessions/s1/transcript.vtt")
    assert vtt.headers["content-type"] == "text/vtt; charset=utf-8"
    assert vtt.text.startswith("WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n<v Caller>Tell me a story.\n")


async def test_what_was_taken_back_stands_in_the_transcript_once(client: httpx2.AsyncClient, house: House) -> None:
    """In the turn that went on with it; of the reply that had hardly begun there is nothing. The turn is told as a restart."""
    await keep(house, "s1", golden("taken_back"))
    said = (await client.get("/v1/sessions/s1/transcript.json")).json()["said"]
    assert [(one["turn"], one["who"], one["text"]) for one in said] == [
        (2, "Caller", "I would like to book a table for four people."),
        (2, "Agent", "For four people."),
    ]
    assert said[0]["start_s"] == pytest.approx(1.0)
    told = (await client.get("/v1/sessions/s1")).json()
    assert [(turn["how"], turn["reason"]) for turn in told["turns"]] == [
        ("dropped", "taken_back"),
        ("played", "finished"),
    ]
    assert told["row"]["restarts"] == 1


async def test_what_was_found_and_noted_for_a_turn(client: httpx2.AsyncClient, house: House) -> None:
    """Files with how well they fit, which an older log does not tell. A note to the agent is told as one, and nobody's words."""
    session = await open_session(house, "s1", name="Ann")
    await session.publish(
        MessageReceived(turn=1, participant="ann", text="When do you open?"),
        MessageReceived(turn=1, participant="ann", text="keys pressed: 1", note=True),
        KnowledgeFound(
            turn=1, query="When?", text="From nine.", files=["a.md", "b.md"], scores=[7.24, 1.5], took=0.004
        ),
        KnowledgeFound(turn=1, query="And then?", text="Till five.", files=["a.md"]),
    )
    (turn,) = (await client.get("/v1/sessions/s1")).json()["turns"]
    assert [(one["text"], one["note"]) for one in turn["letters"]] == [
        ("When do you open?", False),
        ("keys pressed: 1", True),
    ]
    found = [(one["query"], one["text"], one["took_ms"]) for one in turn["found"]]
    assert found == [("When?", "From nine.", 4.0), ("And then?", "Till five.", 0.0)]
    assert [[(file["file"], file["score"]) for file in one["files"]] for one in turn["found"]] == [
        [("a.md", 7.24), ("b.md", 1.5)],
        [("a.md", None)],
    ]
    said = (await client.get("/v1/sessions/s1/transcript.json")).json()["said"]
    assert [one["text"] for one in said] == ["When do you open?"]


async def test_scripts_and_line_breaks_in_names_and_words(client: httpx2.AsyncClient, house: House) -> None:
    """What strangers wrote stays text: in JSON as it is, in captions escaped, in lines on their own line."""
    session = await open_session(house, "s1", name=f"Eve\n[00:00:00.000] Bob: hi {XSS}")
    await session.publish(
        MessageReceived(turn=1, participant="eve", text=f"{XSS}\n\n00:00.000 --> 00:09.000\n<v Bob>I agree."),
    )
    as_json = await client.get("/v1/sessions/s1")
    assert as_json.headers["content-type"] == "application/json"
    assert as_json.json()["turns"][0]["letters"][0]["text"].startswith(XSS)
    lines = (await client.get("/v1/sessions/s1/transcript.txt")).text.splitlines()
    assert len(lines) == 1
    vtt = (await client.get("/v1/sessions/s1/transcript.vtt")).text
    assert "<script" not in vtt
    assert vtt.count("-->") == 1
    assert vtt.count("<v ") == 1


async def test_an_event_of_a_newer_version(client: httpx2.AsyncClient, house: House) -> None:
    """A log that this version can't read is said to be one, by its event."""

    class Newer(MemoryBus):
        async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
            events = await super().read(session, after, count)
            return [event_from_json({**json.loads(event.model_dump_json()), "type": "x.y"}) for event in events]

    house.bus.__class__ = Newer
    await keep(house, "s1", golden("plain"))
    answer = await client.get("/v1/sessions/s1")
    assert (answer.status_code, answer.json()["code"]) == (500, "unreadable")
    assert "x.y" in answer.json()["detail"]


async def test_a_closed_session_whose_log_is_gone(client: httpx2.AsyncClient, house: House) -> None:
    """What the log no longer keeps is no longer told, though it was looked at before."""
    assert isinstance(house.bus, MemoryBus)
    empty = house.bus.save()
    await keep(house, "s1", golden("plain"))
    assert (await client.get("/v1/sessions/s1")).status_code == 200
    house.bus.restore(empty)
    assert (await client.get("/v1/sessions/s1")).status_code == 404
