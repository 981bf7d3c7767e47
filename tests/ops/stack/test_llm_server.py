"""What the embedded LLM server says when it cannot serve. That it serves is shown in tests/workers/llm/test_providers.py."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest


def llm_server(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ops.cli", "llm-server", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=40, check=False)


@pytest.mark.parametrize(("content", "says"), [(None, "no such file"), (b"not a model", "cannot start")])
def test_a_model_that_is_none(tmp_path: Path, content: bytes | None, says: str) -> None:
    """A model that isn't there, or isn't one, is one sentence that names it, and exit code 2."""
    model = tmp_path / "mine.gguf"
    if content is not None:
        model.write_bytes(content)
    done = llm_server("--port", "0", "--model", str(model))
    assert done.returncode == 2
    assert says in done.stderr
    assert "mine.gguf" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.models
def test_a_port_that_is_taken() -> None:
    """A port somebody else has is one sentence that names it, and exit code 2."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = llm_server("--port", str(port))
    assert done.returncode == 2
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr
