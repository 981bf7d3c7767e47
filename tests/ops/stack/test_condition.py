"""What a process is said to be at by who asks its health page."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ops.commands.status import looked_at
from ops.stack import condition


@contextmanager
def answering(answer: bytes | None) -> Iterator[str]:
    """The address of something that takes one connection and answers `answer`; None: nothing, and it holds the line."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            line, _ = door.accept()
            with line:
                line.recv(1000)
                if answer is not None:
                    line.sendall(answer)
                else:
                    line.recv(1)  # until who asked has gone

        serving = threading.Thread(target=serve)
        serving.start()
        yield f"http://127.0.0.1:{door.getsockname()[1]}/readyz"
        serving.join()


def test_why_nobody_answers_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that hangs, hangs up, speaks no HTTP or is not there is told in words, never by the name of an error's class."""
    monkeypatch.setattr(condition, "_WITHIN", 0.2)
    said = {}
    for name, answer in {"hangs": None, "hangs up": b"", "no http": b"-ERR unknown command\r\n"}.items():
        with answering(answer) as url:
            said[name] = condition.ask(url)
    with socket.create_server(("127.0.0.1", 0)) as door:
        place = door.getsockname()[1]
    said["nobody"] = condition.ask(f"http://127.0.0.1:{place}/readyz")
    assert said["hangs"].because == "it gave no answer within 0.2 s: it hangs, or gets no processor"
    assert [name for name, seen in said.items() if not seen.starting] == ["hangs"]
    assert said["nobody"].because == "it doesn't answer (Connection refused)"
    assert said["hangs up"].because.startswith("it doesn't answer (Remote end closed")
    for seen in said.values():
        assert not seen.answered
        assert seen.because.startswith("it ")
        assert "Error" not in seen.because
        assert "Status" not in seen.because


def test_who_hangs_is_not_taken_for_one_that_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was started a moment ago and refuses the connection is loading; one that takes it and is silent is told."""
    monkeypatch.setattr(condition, "_WITHIN", 0.2)
    row = {"name": "stt-1", "state": "running", "pid": 1, "began": time.time(), "exit": None}
    with answering(None) as url:
        hangs = looked_at(row | {"health": url})
    with socket.create_server(("127.0.0.1", 0)) as door:
        place = door.getsockname()[1]
    loads = looked_at(row | {"health": f"http://127.0.0.1:{place}/readyz"})
    assert (hangs["state"], "hangs" in hangs["because"]) == ("not ready", True)
    assert (loads["state"], loads["because"]) == ("starting", "")
