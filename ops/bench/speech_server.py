"""Our own hearing and speaking behind the OpenAI protocol, for whoever is compared with us on the same models.

`python -m ops.bench.speech_server PORT`: `POST /v1/audio/transcriptions` (a file, any of libsndfile's formats) and `POST
/v1/audio/speech` (`response_format` pcm: int16 mono at 24 kHz, as it is made), each by the provider that a worker would load.
`/health` answers once both models are there.
"""

import asyncio
import contextlib
import io
import sys
from collections.abc import AsyncGenerator

import numpy as np
import soundfile
import soxr
from aiohttp import web

from schemas.audio import HEARING_RATE, Pcm
from schemas.config.settings import load
from workers.providers import Hearing, Speaking, Stt, Tts
from workers.stt.whisper import WhisperStt
from workers.tts.piper import PiperTts

_SPEAKING_RATE = 24_000
_LARGEST = 16 << 20  # bytes of a recording


def app(stt: Stt, tts: Tts, language: str = "en") -> web.Application:
    """The server over these two, which are warm."""

    async def hear(request: web.Request) -> web.Response:
        fields = await request.post()
        file = fields.get("file")
        if not isinstance(file, web.FileField):
            raise web.HTTPBadRequest(text="expected a form with a file")
        pcm = await asyncio.to_thread(_read, file.file.read())
        (heard,) = await stt.transcribe([Hearing(pcm, language, end_of_turn=False)])
        if fields.get("response_format") == "text":
            return web.Response(text=heard.text)
        return web.json_response({"text": heard.text, "language": language, "duration": len(pcm) / HEARING_RATE})

    async def speak(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        response = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
        await response.prepare(request)
        async with contextlib.aclosing(spoken(tts, str(asked["input"]))) as parts:
            async for part in parts:
                await response.write(part.astype("<i2").tobytes())
        await response.write_eof()
        return response

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    server = web.Application(client_max_size=_LARGEST)
    server.add_routes([
        web.post("/v1/audio/transcriptions", hear), web.post("/v1/audio/speech", speak), web.get("/health", health),
    ])  # fmt: skip
    return server


async def spoken(tts: Tts, text: str) -> AsyncGenerator[Pcm, None]:
    """The sound of `text`, int16 mono at 24 kHz, part by part."""
    resampler: soxr.ResampleStream | None = None
    async with contextlib.aclosing(tts.synthesize(Speaking(text))) as parts:
        async for part in parts:
            resampler = resampler or soxr.ResampleStream(part.rate, _SPEAKING_RATE, 1, dtype="int16")
            made = resampler.resample_chunk(part.pcm, last=part.last)
            if len(made):
                yield made


def _read(data: bytes) -> Pcm:
    """Mono at 16 kHz."""
    sound, rate = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
    mono = sound.mean(axis=1).astype(np.int16)
    resampled: Pcm = soxr.resample(mono, rate, HEARING_RATE)
    return resampled


async def main(port: int) -> None:
    settings = load()
    stt, tts = WhisperStt(settings), PiperTts(settings)
    await asyncio.gather(stt.warm_up(), tts.warm_up())
    runner = web.AppRunner(app(stt, tts, settings.stt_language or "en"))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
