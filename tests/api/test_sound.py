"""A session's sound, and the waveform of it."""

import asyncio
import io
import wave

import httpx2
import numpy as np
import pytest

from api.house import House
from api.sessions.ranges import Span, Unsatisfiable, span_of
from api.sessions.wav import Wav
from schemas.audio import AudioRef
from schemas.errors import BusUnavailable
from schemas.events import ClipReady, Event, SessionEnded, UtteranceCaptured
from schemas.log import MemoryBus
from schemas.session.sound import Score
from tests.api.listening import listening
from tests.api.sessions import golden, keep, open_session

AUDIO = "/v1/sessions/s1/audio.wav"


async def _sounding(house: House, name: str = "barge_in") -> None:
    """A golden session with sound: utterances at 1,000, clips at 2,000."""
    await keep(house, "s1", golden(name))
    assert isinstance(house.bus, MemoryBus)
    for event in golden(name):
        for ref, level in _sounds(event):
            house.bus.blobs[ref.key] = np.full(ref.samples, level, "<i2").tobytes()


def _sounds(event: Event) -> list[tuple[AudioRef, int]]:
    if isinstance(event, UtteranceCaptured):
        return [(ref, 1_000) for ref in event.audio]
    return [(event.audio, 2_000)] if isinstance(event, ClipReady) else []


def _stereo(body: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    with wave.open(io.BytesIO(body)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 16_000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)


async def test_the_whole_call(client: httpx2.AsyncClient, house: House) -> None:
    """Left is who called, right what was heard of the agent: what was cut is cut, on the clock of the transcript."""
    await _sounding(house)
    answer = await client.get(AUDIO)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
    assert answer.headers["accept-ranges"] == "bytes"
    sound = _stereo(answer.content)
    assert len(sound) == 8 * 16_000
    caller, agent = sound[:, 0], sound[:, 1]
    assert [caller[int(at * 16_000)] for at in (0.9, 1.1, 1.9, 2.1)] == [0, 1_000, 1_000, 0]
    assert abs(int(agent[int(3.0 * 16_000)]) - 2_000) < 20
    assert [int(agent[int(at * 16_000)]) for at in (2.5, 3.9)] == [0, 0]


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=0-0",
        "bytes=0-43",
        "bytes=10-100",
        "bytes=44-",
        "bytes=45-46",
        "bytes=70001-170002",
        "bytes=-7",
        "bytes=0-",
    ],
)
async def test_any_range_is_those_bytes(client: httpx2.AsyncClient, house: House, asked: str) -> None:
    """A part is, to the byte, what lies there in the whole."""
    await _sounding(house)
    whole = (await client.get(AUDIO)).content
    part = await client.get(AUDIO, headers={"Range": asked})
    assert part.status_code == 206
    first, _, rest = part.headers["content-range"].removeprefix("bytes ").partition("-")
    last, _, size = rest.partition("/")
    assert int(size) == len(whole)
    assert part.content == whole[int(first) : int(last) + 1]
    assert int(part.headers["content-length"]) == len(part.content)


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=512044-512050", "bytes=-0", f"bytes={'9' * 1_000}-"])
async def test_ranges_beyond_the_file(client: httpx2.AsyncClient, house: House, asked: str) -> None:
    """Nothing of it lies there: 416, with the size."""
    await _sounding(house)
    answer = await client.get(AUDIO, headers={"Range": asked})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */512044")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "asked", ["bytes=5-1", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,5-9", "bytes", "bytes=²-"]
)
async def test_what_is_no_range(client: httpx2.AsyncClient, house: House, asked: str) -> None:
    """The whole is sent, as RFC 9110 wants it."""
    await _sounding(house)
    answer = await client.get(AUDIO, headers={"Range": asked.encode("latin-1")})
    assert (answer.status_code, len(answer.content)) == (200, 512_044)


def test_ranges_by_the_book() -> None:
    """The last byte is the file's at most; a suffix longer than the file is the file."""
    assert span_of("bytes=2-99", 10) == Span(2, 9)
    assert span_of("bytes=-99", 10) == Span(0, 9)
    assert span_of("Bytes=2-3", 10) is None
    with pytest.raises(Unsatisfiable):
        span_of("bytes=10-", 10)


async def test_who_asks_for_the_head(client: httpx2.AsyncClient, house: House) -> None:
    """HEAD says how long it is and which, without a body."""
    await _sounding(house)
    whole, head = await client.get(AUDIO), await client.head(AUDIO)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "etag", "accept-ranges", "content-type"):
        assert head.headers[name] == whole.headers[name]


async def test_a_call_that_goes_on(client: httpx2.AsyncClient, house: House) -> None:
    """What was begun of a shorter file is not gone on with: If-Range sends the whole, If-None-Match what is new."""
    session = await open_session(house, "s1")
    key = await house.bus.put_blob("s1", "u1", np.full(16_000, 500, "<i2").tobytes())
    heard = UtteranceCaptured(
        turn=1, utterance="u1", participant="ann", audio=[AudioRef(key=key, rate=16_000, samples=16_000)], duration=1.0
    )
    await session.publish(heard)
    before = await client.get(AUDIO)
    tag = before.headers["etag"]
    assert (await client.get(AUDIO, headers={"If-None-Match": tag})).status_code == 304
    assert (await client.get(AUDIO, headers={"If-Range": tag, "Range": "bytes=44-99"})).status_code == 206
    await session.close()
    after = await client.get(AUDIO, headers={"If-Range": tag, "Range": "bytes=44-99"})
    assert (after.status_code, after.headers["etag"] == tag) == (200, False)
    assert (await client.get(AUDIO, headers={"If-None-Match": tag})).status_code == 200


async def test_sound_that_is_gone_is_silence(client: httpx2.AsyncClient, house: House) -> None:
    """Without its blobs a session still has its length, and its waveform says what is missing."""
    await keep(house, "s1", golden("plain"))
    assert not _stereo((await client.get(AUDIO)).content).any()
    peaks = (await client.get("/v1/sessions/s1/peaks?points=10")).json()
    assert (peaks["missing"], max(peaks["caller"] + peaks["agent"])) == (3, 0)


async def test_a_waveform(client: httpx2.AsyncClient, house: House) -> None:
    """Each point is the loudest of its share of the time, on either side."""
    await _sounding(house)
    peaks = (await client.get("/v1/sessions/s1/peaks?points=16")).json()  # half a second each
    assert (peaks["duration_s"], peaks["points"], peaks["missing"]) == (8.0, 16, 0)
    assert peaks["caller"][:6] == [0, 0, 0.031, 0.031, 0, 0]
    assert peaks["agent"][5:8] == [0.061, 0.061, 0.061]
    assert (peaks["agent"][4], peaks["agent"][8]) == (0, 0)


async def test_a_waveform_grows(client: httpx2.AsyncClient, house: House) -> None:
    """Of a call that goes on, only the sound that came since is looked at."""
    session = await open_session(house, "s1")
    assert (await client.get("/v1/sessions/s1/peaks?points=3")).json()["caller"] == [0, 0, 0]
    assert isinstance(house.bus, MemoryBus)
    for number in range(2):
        key = await house.bus.put_blob("s1", f"u{number}", np.full(16_000, 3_277, "<i2").tobytes())
        ref = AudioRef(key=key, rate=16_000, samples=16_000)
        await session.publish(
            UtteranceCaptured(turn=1, utterance=f"u{number}", participant="ann", audio=[ref], duration=1.0)
        )
        assert 0.1 in (await client.get("/v1/sessions/s1/peaks?points=3")).json()["caller"]
        house.bus.blobs.clear()
    assert (await client.get("/v1/sessions/s1/peaks")).json()["missing"] == 0


@pytest.mark.parametrize("points", ["0", "-1", "4001", "1e9", "x"])
async def test_odd_waveforms(client: httpx2.AsyncClient, house: House, points: str) -> None:
    """As many points as nobody can see are refused."""
    await keep(house, "s1", golden("plain"))
    assert (await client.get(f"/v1/sessions/s1/peaks?points={points}")).status_code == 422


async def test_a_long_call_is_never_whole_in_memory() -> None:
    """Hours of silence are made as they are sent, a second at a time; the end of them at once."""
    score = Score()
    score.length = 36_000.0
    wav = Wav(MemoryBus(), score)
    sizes = [len(part) async for part in wav.read(Span(wav.size - 200_000, wav.size - 1))]
    assert (sum(sizes), max(sizes) <= 64_000) == (200_000, True)


async def test_a_phrase_is_the_phrase_that_was_said(client: httpx2.AsyncClient, house: House) -> None:
    """Of several fixed phrases the one that a turn was committed for is heard."""
    await _sounding(house, "fallback")
    fallback = next(e for e in golden("fallback") if isinstance(e, ClipReady) and e.phrase == "fallback")
    assert isinstance(house.bus, MemoryBus)
    house.bus.blobs[fallback.audio.key] = np.full(fallback.audio.samples, 4_000, "<i2").tobytes()
    agent = _stereo((await client.get(AUDIO)).content)[:, 1]
    assert abs(int(np.median(agent[agent != 0])) - 4_000) < 20


async def test_the_log_goes_away_within_it(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Sound that breaks off is left unfinished, as its length says, and is a line in the process' log, no traceback."""
    await _sounding(house)
    fetched, fetch = 0, house.bus.get_blob

    async def away(key: str) -> object:
        nonlocal fetched
        fetched += 1
        if fetched > 1:
            raise BusUnavailable("the log stalls")
        return await fetch(key)

    monkeypatch.setattr(house.bus, "get_blob", away)
    async with listening(house, AUDIO) as reader:
        async with asyncio.timeout(5):
            while "the log stalls" not in caplog.text:
                await asyncio.sleep(0.01)
        assert reader.status == 200
        assert not reader.ended
        assert len(reader.body) < int(reader.headers["content-length"])
    assert "Traceback" not in caplog.text


async def test_who_hears_a_call_that_goes_on_is_recorded(client: httpx2.AsyncClient, house: House) -> None:
    """Once, in however many pieces a player asks for it; not who hears one that is over."""
    begun = [event for event in golden("barge_in") if not isinstance(event, SessionEnded)]
    await keep(house, "s1", begun)
    for _ in range(3):
        assert (await client.get(AUDIO, headers={"range": "bytes=0-99"})).status_code == 206
    (deed,) = await house.bus.deeds(10, "")
    assert (deed.action, deed.session, deed.status) == ("GET /v1/sessions/{session}/audio.wav", "s1", 206)
    await keep(house, "s2", golden("barge_in"))
    assert (await client.get("/v1/sessions/s2/audio.wav")).status_code == 200
    assert len(await house.bus.deeds(10, "")) == 1
