"""Which conventions an agent keeps in its rooms."""

from gateway.rooms.livekit.conventions import Convention
from gateway.rooms.livekit.conventions.agent_session import AgentSession
from gateway.rooms.livekit.conventions.agent_state import AgentState
from gateway.rooms.livekit.conventions.old_transcription import OldTranscription
from gateway.rooms.livekit.conventions.rtvi import Rtvi
from gateway.rooms.livekit.conventions.transcription import Transcription
from gateway.rooms.livekit.conventions.transcripts import Transcripts
from gateway.rooms.livekit.conventions.word_timings import WordTimings
from schemas.config.agent import AgentSpec


def conventions_of(agent: AgentSpec, rtvi: Rtvi) -> list[Convention]:
    """Word timings first: they are never later than their sound."""
    settings = agent.livekit
    by_button = agent.turn_taking.mode == "push_to_talk"
    every: list[tuple[bool, Convention]] = [
        (settings.words, WordTimings()),
        (settings.rtvi != "off" or settings.tts_timing == "bare", rtvi),
        (settings.state or by_button, AgentState(state=settings.state, by_button=by_button)),
        (settings.transcription, Transcription()),
        (settings.old_transcription, OldTranscription()),
        (settings.transcripts, Transcripts()),
        (settings.session_events, AgentSession(agent.name, run_input=settings.run_input)),
    ]
    return [convention for wanted, convention in every if wanted]
