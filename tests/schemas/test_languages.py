"""An agent in a language that its models don't speak is told of in a sentence; what isn't known is not complained of."""

import pytest

from schemas.config.agent import AgentSpec, ProviderSpec, SttSpec, TurnTaking
from schemas.config.conversation import Expects, VoiceSpec
from schemas.languages import Announced, unread, unspoken

EARS = Announced("stt", ["en"], "STT_MODEL=tiny.en", "faster-whisper")
VOICE = Announced("tts", ["en"], "TTS_VOICE=en_US-joe-medium", "piper")
MANY = Announced("stt", ["en", "de", "fr", "pt", "es", "it"], "STT_MODEL=small", "faster-whisper")


@pytest.mark.parametrize("language", ["de", "de-AT", "de_DE", "DE"])
def test_each_model_that_does_not_fit_is_named(language: str) -> None:
    """One sentence for the ears and one for the voice: the agent, its language, what the model speaks, what to change."""
    found = unspoken(AgentSpec(name="desk", language=language), [EARS, EARS, VOICE])
    heard, spoken = [one.sentence for one in found]
    assert [one.told for one in found] == [
        "the agent is meant to speak de, but en only is understood here",
        "the agent is meant to speak de, but en only is spoken here",
    ]
    assert heard.startswith(
        'agent "desk" is to speak de (`language`), but STT_MODEL=tiny.en understands en only: set STT_MODEL'
    )
    assert spoken.startswith(
        'agent "desk" is to speak de (`language`), but TTS_VOICE=en_US-joe-medium speaks en only: set TTS_'
    )


@pytest.mark.parametrize(
    "agent",
    [
        AgentSpec(language="en"),
        AgentSpec(language="en-GB"),
        AgentSpec(language=""),
        AgentSpec(language="de", stt=SttSpec(provider="openai"), tts=ProviderSpec(provider="openai")),
        AgentSpec(
            language="de", stt=SttSpec(provider="openai"), voice=VoiceSpec(name="/voices/de_DE-thorsten-medium.onnx")
        ),
    ],
)
def test_what_fits_or_is_not_known_is_no_matter(agent: AgentSpec) -> None:
    """The models' own language, one to be detected, another provider, another voice: nothing is said."""
    assert unspoken(agent, [EARS, VOICE]) == []


def test_nobody_has_told() -> None:
    """Without announcements, and of providers that don't tell their languages, nothing is said."""
    assert unspoken(AgentSpec(language="de"), []) == []
    assert unspoken(AgentSpec(language="de"), [Announced("stt", [], "STT_MODEL=whisper-1", "openai")]) == []
    assert unspoken(AgentSpec(language="pt-BR"), [MANY]) == []


def test_of_many_languages_some_are_named() -> None:
    """A multilingual model's languages don't fill the screen."""
    (found,) = unspoken(AgentSpec(language="xx"), [MANY])
    assert "understands en, de, fr, pt, es, … only" in found.sentence


@pytest.mark.parametrize("language", ["", "en", "en-GB", "EN"])
def test_of_an_agent_that_speaks_english_all_is_read(language: str) -> None:
    """Nor is anything said of one whose language is not known yet."""
    asked = TurnTaking(expects="yes_no")
    assert unread(AgentSpec(language=language, turn_taking=asked, stt=SttSpec(complete=True))) == {}


@pytest.mark.parametrize(
    ("expects", "says"),
    [
        ("yes_no", "in de it changes nothing"), ("amount", "in de it goes by digits"),
        ("number", "in de it goes by digits and single letters"), ("spelling", "in de it goes by digits and single letters"),
    ],
)  # fmt: skip
def test_what_a_file_expects_in_a_language_nobody_reads_is_told(expects: Expects, says: str) -> None:
    """What of it holds in any language, too."""
    found = unread(AgentSpec(language="de-AT", turn_taking=TurnTaking(expects=expects)))
    assert [*found] == [("turn_taking", "expects")]
    assert found["turn_taking", "expects"].endswith(says)


def test_completeness_is_told_of_where_a_file_asks_for_it() -> None:
    """It is on by itself, of which nobody is to be warned."""
    assert unread(AgentSpec(language="de")) == {}
    assert unread(AgentSpec(language="de", stt=SttSpec(complete=False))) == {}
    assert unread(AgentSpec(language="de", stt=SttSpec(complete=True))) == {
        ("stt", "complete"): "complete = true can be told of English only; in de turns end by their melody"
    }
