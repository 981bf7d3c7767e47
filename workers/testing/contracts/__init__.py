"""What every provider promises, as tests to inherit. Needs pytest and pytest-asyncio.

class TestMyStt(SttContract):
    @pytest.fixture
    def provider(self) -> MyStt:
        return MyStt(load())
"""

import pytest

from schemas.events import STAGES

pytest.register_assert_rewrite(*(f"workers.testing.contracts.{stage}" for stage in STAGES))

from workers.testing.contracts.llm import LlmContract  # noqa: E402
from workers.testing.contracts.stt import SttContract  # noqa: E402
from workers.testing.contracts.tts import TtsContract  # noqa: E402

__all__ = ["LlmContract", "SttContract", "TtsContract"]
