"""How the demo tells what answered. That it converses is shown in tests/e2e/test_command_line.py."""

from types import SimpleNamespace
from typing import cast

import pytest

from ops.demo import conversation
from ops.stack.stack import Stack
from schemas.config.settings import Settings


@pytest.mark.parametrize(
    ("embedded", "says"),
    [
        (True, "smollm2-135m-instruct, a stand-in that fits on this machine. Your own: LLM_BASE_URL="),
        (False, "gpt-4o at http://user:…@host/v1"),
    ],
)  # fmt: skip
def test_which_model_answered(embedded: bool, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that runs here, whatever LLM_MODEL says, that it is a stand-in, and how to use another; else model and endpoint."""
    monkeypatch.delenv("LLM_FILE", raising=False)
    settings = Settings(_env_file=None, llm_model="gpt-4o", llm_base_url="http://user:hunter2@host/v1")  # type: ignore[call-arg]
    told = conversation._answered_by(cast("Stack", SimpleNamespace(embeds_llm=embedded)), settings)
    assert told.startswith(says)
