"""Real speech heard again by a real model, and spoken by a real voice."""

from pathlib import Path

import pytest

import ops.demo
from gateway.sound.audio_file import read_speech
from ops.replay.scripted import Says
from ops.replay.stages import replay_stages
from schemas.bus import Bus
from schemas.config.settings import Settings
from schemas.events import ClipReady, TranscriptFinal
from schemas.session.promises import violations
from tests.ops.replay.piped import AGENT, QUICK, recorded_call, serving
from workers.providers import Stt
from workers.stt import SttStage
from workers.tts import TtsStage
from workers.tts.piper import PiperTts

pytestmark = pytest.mark.models
CALL = (Says(1.0, "Hello what is the capital of Fritz", ("Paris.",)),)
"""Recorded with a word that was heard wrongly."""


async def test_what_was_heard_wrongly_is_heard_again(bus: Bus, whisper: Stt) -> None:
    """By Whisper; the reply to its words is spoken by Piper."""
    settings = Settings(_env_file=None, model_threads=2)
    agent = AGENT.model_copy(update={"fallback": "", "repeat": ""})  # nothing else is to be spoken
    speech = read_speech(Path(ops.demo.__file__).with_name("capital.flac"))
    events = await recorded_call(bus, "call", CALL, until=8.0, speech=speech)
    stt, tts = SttStage(whisper, settings), TtsStage(PiperTts(settings), settings)
    async with serving(bus, simulation=QUICK.model_copy(update={"llm_sentences": 1}), stt=stt, tts=tts):
        forked = await replay_stages(bus, "call", events, bus, stage="all", agent=agent)
    heard = [event.text for event in forked.events if isinstance(event, TranscriptFinal)]
    assert "capital of France" in heard[-1]
    clips = [event for event in forked.events if isinstance(event, ClipReady) and event.phrase is None]
    assert clips[0].audio.rate == 22_050
    assert await bus.get_blob(clips[0].audio.key)
    assert violations(forked.events) == []
