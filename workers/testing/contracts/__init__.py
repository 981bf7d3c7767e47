"""What every provider promises, as tests to inherit. Needs pytest and pytest-asyncio.

class TestMyStt(SttContract):
    @pytest.fixture
    def provider(self) -> MyStt:
        return MyStt(load())
"""

import pytest

pytest.register_assert_rewrite(f"{__name__}.llm", f"{__name__}.stt", f"{__name__}.tts")

from workers.testing.contracts.llm import LlmContract  # noqa: E402
from workers.testing.contracts.stt import SttContract  # noqa: E402
from workers.testing.contracts.tts import TtsContract  # noqa: E402

__all__ = ["LlmContract", "SttContract", "TtsContract"]
