"""Sockets that accept and then do what no server should: whatever a setting may name by mistake."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PAGE = b"<html><head><title>Welcome to nginx!</title></head><body>It works.</body></html>"
ODDITIES = ("silent", "page", "not found", "endless", "noise", "closing")


@asynccontextmanager
async def odd_server(how: str) -> AsyncIterator[str]:
    """host:port of a server that is `how`, one of ODDITIES."""
    talking: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talking.add(task)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await _misbehave(how, reader, writer)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in talking:
            task.cancel()


async def _misbehave(how: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if how == "closing":
        return
    await reader.read(1000)
    match how:
        case "silent":
            await asyncio.sleep(3600)
        case "page":
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(PAGE)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + PAGE)
        case "not found":
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        case "endless":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n\r\n")
            while True:
                writer.write(b"\1\2" * 600)
                await writer.drain()
                await asyncio.sleep(0.02)
        case "noise":
            writer.write(b"\0\1\2\3 what is this \xff\xfe\r\n\r\n")
    await writer.drain()
