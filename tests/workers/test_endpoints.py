"""The endpoints of hearing and speaking, as people really have them: one sentence with the setting, and no noise."""

import asyncio
import io
import wave
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from schemas.config.settings import Settings
from schemas.errors import Permanent, ProviderError, Transient
from tests.quirks import QUIRKS, Answer, Quirk, fixed, json_body, page, refused
from tests.servers import Misbehaving, misbehaving
from workers._refusals import retry_after
from workers.providers import Hearing, Sound, Speaking
from workers.stt.openai import OpenAiStt
from workers.tts.openai_speech import OpenAiTts

__all__ = ["misbehaving"]

HUM = (np.sin(np.arange(16_000) / 20.0) * 3000).astype(np.int16)
PCM = (np.sin(np.arange(24_000) / 9.0) * 9000).astype("<i2").tobytes()


@pytest.fixture
def answering(misbehaving: Misbehaving, monkeypatch: pytest.MonkeyPatch) -> Callable[[Quirk | str], Misbehaving]:
    """The endpoint, with this answer."""

    def with_(quirk: Quirk | str) -> Misbehaving:
        monkeypatch.setitem(QUIRKS, "this", QUIRKS[quirk] if isinstance(quirk, str) else quirk)
        misbehaving.fault = "this"
        return misbehaving

    return with_


def settings(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


async def hears(endpoint: Misbehaving, within: float = 10.0) -> str:
    provider = OpenAiStt(settings(stt_base_url=endpoint.url, stt_timeout=within))
    try:
        return await provider._text(Hearing(HUM))
    finally:
        await provider.aclose()


async def speaks(endpoint: Misbehaving, within: float = 10.0, text: str = "Hello there.") -> list[Sound]:
    provider = OpenAiTts(settings(tts_base_url=endpoint.url, tts_timeout=within))
    try:
        return [sound async for sound in provider.synthesize(Speaking(text))]
    finally:
        await provider.aclose()


QUOTA = refused(429, "You exceeded your current quota", "insufficient_quota")
BUSY = refused(429, "slow down", retry_after="7")
ODD: dict[str, tuple[Quirk | str, type[ProviderError], str]] = {
    "a page": (fixed(page()), Permanent, ""),
    "a page of another type": (
        fixed(Answer([b"<!DOCTYPE html><html>"], kind="application/octet-stream")),
        Permanent,
        "",
    ),
    "nothing": (fixed(Answer([], kind="application/json")), Transient, "empty"),
    "hangs": ("hang", Transient, "timeout"),
    "hangs in mid-answer": (fixed(Answer([b"\x01\x02\x03", "hang"], kind="audio/pcm")), Transient, "timeout"),
    "breaks off": (fixed(Answer([b"\x01\x02\x03", "break"], kind="audio/pcm")), Transient, "broken_stream"),
    "error in 200": (json_body({"error": {"message": "no such voice or model"}}), Transient, "bad_status"),
    "quota": (fixed(QUOTA), Permanent, "quota"),
    "payment": ("payment", Permanent, "quota"),
    "busy": (fixed(BUSY), Transient, "bad_status"),
    "moved": ("moved", Permanent, "moved"),
    "no http": ("no http", Permanent, "not_http"),
    "other json": (json_body({"hello": "world"}), Permanent, ""),
    "bad gzip": ("bad gzip", Permanent, "bad_answer"),
}


@pytest.mark.parametrize("ask", [hears, speaks])
@pytest.mark.parametrize("odd", ODD)
async def test_one_sentence(answering: Callable[[Quirk | str], Misbehaving], odd: str, ask: Any) -> None:
    """Whatever such an endpoint does instead is one line with the setting, and says whether it may pass."""
    quirk, kind, code = ODD[odd]
    endpoint = answering(quirk)
    with pytest.raises(ProviderError) as raised:
        await ask(endpoint, within=0.5 if odd.startswith("hangs") else 10.0)
    stage = "STT" if ask is hears else "TTS"
    wrong = "bad_answer" if ask is hears else "not_audio"
    if odd == "nothing" and ask is speaks:
        kind, code = Permanent, wrong  # by its type it was to be JSON
    assert (type(raised.value), raised.value.code) == (kind, code or wrong), raised.value
    assert str(raised.value).startswith(f"{stage}_BASE_URL={endpoint.url}")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 500
    if odd == "busy":
        assert isinstance(raised.value, Transient)
        assert raised.value.retry_after == 7.0


@pytest.mark.parametrize(
    ("value", "text"),
    [({"text": " hello\n"}, "hello"), ("hello", "hello"), ({"text": None}, ""), ({"text": "a\ud83d b"}, "a\ufffd b")],
)
async def test_transcripts_of_any_shape(answering: Callable[[Quirk | str], Misbehaving], value: Any, text: str) -> None:
    """A text is taken from JSON of either shape, and is one that can be kept."""
    assert await hears(answering(json_body(value))) == text


def riff(rate: int, channels: int = 1, width: int = 2) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(width)
        out.setframerate(rate)
        out.writeframes(PCM)
    return file.getvalue()


@pytest.mark.parametrize("size", [1, 37, 100_000])
@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100])
async def test_a_wav_is_taken_for_what_it_is(
    answering: Callable[[Quirk | str], Misbehaving], size: int, rate: int
) -> None:
    """An endpoint that sends a WAV where samples were asked for is heard as it is, at its own rate, without a click."""
    sent = riff(rate)
    pieces = [sent[at : at + size] for at in range(0, min(len(sent), 200), size)]
    rest = sent[size * len(pieces) :]
    sounds = await speaks(answering(fixed(Answer([*pieces, rest], kind="audio/wav"))))
    heard = np.concatenate([sound.pcm for sound in sounds])
    assert {sound.rate for sound in sounds} == {rate}
    assert np.array_equal(heard, np.frombuffer(PCM, "<i2")[len(PCM) // 2 - len(heard) :])
    assert len(heard) > 23_000


OTHERS = {
    "stereo": (riff(24_000, channels=2), "audio/wav"),
    "8 bits": (riff(24_000, width=1), "audio/wav"),
    "no wav": (b"RIFF\x00\x00\x00\x00WAVEjunk" + bytes(9000), "audio/wav"),
    "mp3": (b"ID3\x04" + bytes(900), "audio/pcm"),
    "bare mp3": (b"\xff\xfb\x90\x00" * 99, "audio/mpeg"),
    "ogg": (b"OggS" + bytes(99), "audio/pcm"),
    "flac": (b"fLaC" * 9, "application/octet-stream"),
}


@pytest.mark.parametrize("name", OTHERS)
async def test_other_sound_is_no_noise(answering: Callable[[Quirk | str], Misbehaving], name: str) -> None:
    """What is no 16-bit mono PCM is refused with its name, and never played as noise."""
    body, kind = OTHERS[name]
    with pytest.raises(Permanent, match=r"TTS_BASE_URL=.* where 16-bit mono PCM was asked for") as raised:
        await speaks(answering(fixed(Answer([body], kind=kind))))
    assert raised.value.code == "not_audio"


async def test_samples_that_look_like_mp3(answering: Callable[[Quirk | str], Misbehaving]) -> None:
    """Samples that are called samples are heard, whatever bytes they begin with."""
    sounds = await speaks(answering(fixed(Answer([b"\xff\xfb\x90\x10" * 3000], kind="audio/pcm"))))
    assert sum(len(sound.pcm) for sound in sounds) == 6000


async def test_sound_without_end_is_cut(answering: Callable[[Quirk | str], Misbehaving]) -> None:
    """An endpoint that never stops speaking is cut at far more than the text can take."""
    endless = fixed(Answer([PCM] * 4000, kind="audio/pcm"))
    async with asyncio.timeout(20):
        sounds = await speaks(answering(endless), text="Hi.")
    assert sounds[-1].last
    assert 20 < sum(len(sound.pcm) for sound in sounds) / 24_000 < 60


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after": "-4"}, 0.0),
        ({"retry-after": "1e99"}, 3600.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:09 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 9.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 99 Oct 2015 07:28:00 GMT"}, None),
    ],
)
def test_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    """Retry-After is understood in milliseconds, seconds and as a date, and never longer than an hour."""
    assert retry_after(headers) == seconds
