"""A proxy before the server that can lose an answer: the request arrives, the reply does not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from schemas.process.tasks import Tasks


class Proxy:
    """`lose_answers`: how many requests from now on are let through, and their connection cut before the answer."""

    def __init__(self, port: int) -> None:
        self.lose_answers = 0
        self.port = 0
        self.serving = Tasks()
        self._to = port

    def come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.spawn(self._serve(reader, writer), "a proxied connection")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.ExitStack() as ends:
            ends.callback(writer.close)
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._to)
            ends.callback(up_writer.close)
            answers = self.serving.spawn(self._pipe(up_reader, writer), "its answers")
            with contextlib.suppress(OSError):
                while data := await reader.read(1 << 20):
                    lose = self.lose_answers > 0
                    if lose:
                        self.lose_answers -= 1
                        answers.cancel()
                        await asyncio.gather(answers, return_exceptions=True)
                    up_writer.write(data)
                    if lose:
                        await up_reader.read(1)  # done there, and never heard here
                        break
            answers.cancel()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 20):
                writer.write(data)
            writer.close()


@contextlib.asynccontextmanager
async def proxied(port: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.come, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.serving.aclose()
