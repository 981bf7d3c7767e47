"""`antiphon bench stages` measures what the stages' own workers report."""

from ops.bench.stages import bench
from schemas.config.settings import Settings
from schemas.events import STAGES


async def test_figures_are_the_stages_own() -> None:
    """With models of fixed cost, every figure is that cost and little more, in milliseconds."""
    simulated = {f"{stage}_provider": "simulated" for stage in STAGES}

    figures = await bench(Settings(_env_file=None, **simulated), jobs=3)  # type: ignore[arg-type]

    for key, cost in (("stt_10s_ms", 100), ("llm_first_token_ms", 30), ("tts_sentence_ms", 30)):
        assert cost <= figures[key] < cost + 5_000, key
    assert list(figures)[:3] == ["stt_10s_ms", "llm_first_token_ms", "tts_sentence_ms"]
    assert figures["tts_sentence_first_sound_ms"] <= figures["tts_sentence_ms"]
    assert figures["cores"] >= 1
