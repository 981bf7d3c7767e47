"""A real S3 server for tests: the versitygw that ops/bucket/build.sh builds, over a folder. TEST_S3_SERVER: another."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.stack.system import free_port
from tests.servers import unable

_ROOT = Path(__file__).parents[1]
_MODULE = _ROOT / "ops" / "bucket"
ACCESS, SECRET = "antiphon", "s3-secret-of-the-tests"
STRANGER = ("stranger", "s3-secret-of-a-stranger")
"""Somebody whom the server knows, and no bucket lets in."""


def binary() -> str:
    """The server to run the tests on; without one they are skipped with the reason, or fail where CI is set."""
    if given := os.environ.get("TEST_S3_SERVER"):
        return given
    found = re.search(r"versity/versitygw v([\d.]+)", (_MODULE / "go.mod").read_text())
    assert found, "ops/bucket/go.mod names no versitygw"
    for folder in (Path(os.environ.get("ANTIPHON_DATA") or ".antiphon"), _ROOT / ".antiphon"):
        if os.access(built := folder / "bin" / f"versitygw-{found[1]}", os.X_OK):
            return str(built.absolute())
    if (on_path := shutil.which("versitygw")) is None:
        unable(
            "there is no S3 server here: run ops/bucket/build.sh (needs Go 1.26 or newer), or put a versitygw on PATH"
        )
    return on_path


class Buckets:
    """One server in a folder of its own. It keeps port and data over `kill` and `start`."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="antiphon-s3-"))
        for name in ("data", "meta", "users"):
            (self.folder / name).mkdir()
        self.port = free_port("127.0.0.1")
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._binary = binary()
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0

    def start(self) -> None:
        with (self.folder / "log").open("ab") as said:
            self._process = subprocess.Popen(
                [
                    self._binary, "--quiet", "--port", f"127.0.0.1:{self.port}", "--iam-dir", str(self.folder / "users"),
                    "posix", "--sidecar", str(self.folder / "meta"), str(self.folder / "data"),
                ],
                stdout=said, stderr=said, env=self._environment(), process_group=0,
            )  # fmt: skip
        end = time.monotonic() + 30
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.02)

    def add_stranger(self) -> None:
        access, secret = STRANGER
        command = [
            self._binary, "admin", "--access", ACCESS, "--secret", SECRET, "--endpoint-url", self.endpoint, "create-user",
            "--access", access, "--secret", secret, "--role", "user",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "ROOT_ACCESS_KEY": ACCESS, "ROOT_SECRET_KEY": SECRET}

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(self.endpoint, timeout=5).close()
        except urllib.error.HTTPError as refused:
            refused.close()
        except OSError:
            return False
        return True

    def bucket(self) -> str:
        """An empty one."""
        self._made += 1
        name = f"calls-{self._made}"
        (self.folder / "data" / name).mkdir()
        return name

    def files(self, bucket: str) -> list[Path]:
        """What lies in it, as the server keeps it."""
        found = (self.folder / "data" / bucket).rglob("*")
        return sorted(path for path in found if path.is_file() and ".sgwtmp" not in path.parts)

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_buckets() -> Iterator[Buckets]:
    """For all tests that don't kill it."""
    server = Buckets()
    try:
        server.start()
        server.add_stranger()
        yield server
    finally:
        server.close()


@pytest.fixture
def buckets(shared_buckets: Buckets, monkeypatch: pytest.MonkeyPatch) -> Buckets:
    """The same, named by AWS' own variables."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in (
        ("AWS_ENDPOINT_URL", shared_buckets.endpoint), ("AWS_ACCESS_KEY_ID", ACCESS), ("AWS_SECRET_ACCESS_KEY", SECRET),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    return shared_buckets


async def altering(server: Buckets, wrong: bytes) -> asyncio.Server:
    """What listens before the server and changes the last byte of whatever is sent with `wrong` in its first line."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, change: bool) -> None:
        left = 0
        armed = False
        while data := await reader.read(65536):
            if change and not left and wrong in data.partition(b"\r\n")[0]:
                head, _, body = data.partition(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head.lower())
                left, armed = (int(length[1]) if length else 0) - len(body), True
            elif left:
                left -= len(data)
            if armed and left <= 0:
                data, armed, left = data[:-1] + bytes([data[-1] ^ 1]), False, 0
            writer.write(data)
            await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            await asyncio.gather(carry(reader, back, True), carry(there, writer, False))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            back.close()
            writer.close()

    return await asyncio.start_server(connected, "127.0.0.1", 0)
