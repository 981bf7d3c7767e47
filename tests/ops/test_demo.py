"""How the demo ends. That it converses is shown in tests/e2e/test_command_line.py."""

from types import SimpleNamespace
from typing import cast

import pytest

from ops.demo import conversation
from ops.stack.stack import Stack
from schemas.config.settings import Settings


async def test_its_last_line_is_which_model_answered(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it is a stand-in and how to use one's own, or which endpoint it was (without its password)."""
    monkeypatch.delenv("LLM_FILE", raising=False)
    settings = Settings(_env_file=None, llm_model="gpt-4o", llm_base_url="http://user:hunter2@host/v1")  # type: ignore[call-arg]
    lasts = [
        conversation._answered_by(cast("Stack", SimpleNamespace(embeds_llm=own)), settings) for own in (True, False)
    ]
    for last, says in zip(
        lasts,
        (
            "smollm2-135m-instruct, a stand-in that fits on this machine. Your own: LLM_BASE_URL=…",
            "gpt-4o at http://user:…@host/v1",
        ),
        strict=True,
    ):
        await conversation._show_page("ws-1", last=last)
        page, line = capsys.readouterr().out.splitlines()
        assert page.startswith("See it       ")
        assert line.startswith(f"Answered by  {says}")
