"""Tools of other servers, by the Model Context Protocol: a program started here, or an address.

Each server has one task that opens the connection, keeps it, and closes it: the protocol's own scopes must be left by whoever
entered them. Calls of all sessions share the connection. A server that dies is left out until it is back; no call waits for it.
"""

import asyncio
import contextlib
import json
import logging
import os
import re
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from schemas.config.agent import McpSpec
from schemas.process.tasks import Tasks
from workers.agents import Context, Tool, ToolError
from workers.tools._secrets import hidden

__all__ = ["McpServers"]

log = logging.getLogger("antiphon.tools.mcp")

_CONNECTING = 10.0
"""Seconds that a server has to answer."""
_FIRST = 3.0
"""Seconds that a reply waits for a server that is asked for the first time."""
_AGAIN = 5.0
"""Seconds after which one that failed is tried again, when somebody wants it."""
_MOST = 64
"""Tools of one server."""
_LONGEST = 4_000
_SCHEMA = 20_000
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_KEPT = 64
"""Servers that are kept connected: drafts of agents come and go."""


class McpServers:
    """`commands`: programs that agents may have started, comma-separated (MCP_COMMANDS)."""

    def __init__(self, commands: str = ""):
        self._commands = {name.strip() for name in commands.split(",") if name.strip()}
        self._servers: OrderedDict[str, _Server] = OrderedDict()
        self._tasks = Tasks()

    async def add(self, specs: Sequence[McpSpec], tools: dict[str, Tool], problems: list[str]) -> None:
        """The tools of these servers, those that are there; who is not adds to `problems`."""
        for spec in specs:
            problem = self._refused(spec)
            if problem:
                problems.append(problem)
                continue
            server = self._server(spec)
            await server.wanted()
            for tool in server.tools:
                name = tool.name if tool.name not in tools else f"{spec.name}_{tool.name}"[:64]
                tools.setdefault(name, replace(tool, name=name))
            if server.problem:
                problems.append(server.problem)

    def _server(self, spec: McpSpec) -> "_Server":
        key = spec.model_dump_json()
        if (server := self._servers.get(key)) is None:
            server = self._servers[key] = _Server(spec)
            if len(self._servers) > _KEPT:
                _, unused = self._servers.popitem(last=False)
                self._tasks.spawn(unused.aclose(), "mcp closes")
        self._servers.move_to_end(key)
        return server

    def _refused(self, spec: McpSpec) -> str:
        if spec.command and spec.command not in self._commands:
            allowed = ", ".join(sorted(self._commands)) or "none"
            return f'tools.mcp {spec.name}: command = "{spec.command}"; MCP_COMMANDS of this worker allows {allowed}'
        missing = [name for name in (*spec.env.values(), *spec.headers.values()) if not os.environ.get(name)]
        return (
            f"tools.mcp {spec.name}: the environment variable {missing[0]} is not set for this worker"
            if missing
            else ""
        )

    async def aclose(self) -> None:
        for server in self._servers.values():
            await server.aclose()
        await self._tasks.aclose()


class _Server:
    def __init__(self, spec: McpSpec):
        self.tools: list[Tool] = []
        self.problem = ""
        self._spec = spec
        self._tasks = Tasks()
        self._client: Any = None
        self._broken = asyncio.Event()
        self._settled = asyncio.Event()
        self._running = False
        self._failed = 0.0
        self._owning: asyncio.Task[None] | None = None
        self._scope: Any = None

    async def wanted(self) -> None:
        """Have it connected; the first time that is waited for, a moment."""
        if self._running or (self._failed and time.monotonic() - self._failed < _AGAIN):
            if not self._settled.is_set():
                await self._wait()
            return
        self._running = True
        self._settled.clear()
        self._scope = None
        self._owning = self._tasks.spawn(self._own(), f"mcp {self._spec.name}")
        await self._wait()

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST):
                await self._settled.wait()

    async def _own(self) -> None:
        """The connection, from its beginning to its end, in one task."""
        import anyio

        self._broken.clear()
        try:
            with anyio.CancelScope() as self._scope:
                async with self._connected() as client:
                    self._client, self._failed = client, 0.0
                    self.tools, self.problem = await self._listed(client), ""
                    self._settled.set()
                    log.info("%s offers %d tools", self._spec.name, len(self.tools))
                    await self._broken.wait()
                    self._say("its connection broke")
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling() and not self._broken.is_set():
                raise
            self._say("its connection broke")
        except BaseException as error:  # groups among them
            self._say(_first(error))
        finally:
            self._client, self.tools = None, []
            self._running, self._failed = False, time.monotonic()
            self._settled.set()

    def _say(self, why: str) -> None:
        self.problem = f"tools.mcp {self._spec.name}: {hidden(why)}; its tools are left out until it is back"
        log.error("%s", self.problem)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        from mcp import Client  # a tenth of a second, for agents that have such

        async with contextlib.AsyncExitStack() as stack:
            server: Any = self._spec.url
            if self._spec.command:
                from mcp.client.stdio import StdioServerParameters, stdio_client

                env = {name: os.environ[variable] for name, variable in self._spec.env.items()}
                server = stdio_client(StdioServerParameters(command=self._spec.command, args=self._spec.args, env=env))
            elif self._spec.headers:
                import httpx2
                from mcp.client.streamable_http import streamable_http_client

                headers = {name: os.environ[variable] for name, variable in self._spec.headers.items()}
                http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=30.0))
                server = streamable_http_client(self._spec.url, http_client=http)
            client: Any = Client(server, read_timeout_seconds=_CONNECTING)
            yield await stack.enter_async_context(client)

    async def _listed(self, client: Any) -> list[Tool]:
        found = (await client.list_tools()).tools
        allow, every = self._spec.allow, self._spec.allow == ["*"]
        absent = [] if every else sorted(set(allow) - {one.name for one in found})
        if absent:
            there = ", ".join(one.name for one in found[:20])
            log.error('tools.mcp %s: allow = "%s"; it offers %s', self._spec.name, absent[0], there)
        return [self._tool(one) for one in found if (every or one.name in allow) and self._fits(one)][:_MOST]

    def _fits(self, one: Any) -> bool:
        """Whether endpoints would take it: one that they refuse would cost each reply, not only this tool."""
        size = len(json.dumps(one.input_schema or {}, default=str))
        why = f"a schema of {size:,} characters; at most {_SCHEMA:,} are told to a model" if size > _SCHEMA else ""
        why = why or (
            "" if _NAME.fullmatch(one.name) else "a name that endpoints refuse (letters, digits, _ and -, at most 64)"
        )
        if why:
            log.error("tools.mcp %s: its tool %.80r has %s; it is left out", self._spec.name, one.name, why)
        return not why

    def _tool(self, one: Any) -> Tool:
        name: str = one.name
        schema = dict(one.input_schema or {"type": "object", "properties": {}})

        async def run(context: Context, arguments: dict[str, Any]) -> Any:
            return await self._call(name, arguments, context.idempotency_key)

        def fit(given: Mapping[str, Any]) -> dict[str, Any]:
            return dict(given)

        told = (one.description or name)[:_LONGEST]
        return Tool(name, told, schema, fit, run, repeat=name in self._spec.repeat)

    async def _call(self, name: str, arguments: dict[str, Any], key: str) -> Any:
        """In a task of its own: a connection that breaks cancels whoever waits on it."""
        client = self._client
        if client is None:
            raise ToolError(f"{self._spec.name} can't be reached now")

        calling = asyncio.ensure_future(
            client.call_tool(name, arguments, read_timeout_seconds=600.0, meta={"antiphon/idempotency_key": key})
        )
        broken = asyncio.ensure_future(self._broken.wait())
        try:
            await asyncio.wait({calling, broken}, return_when=asyncio.FIRST_COMPLETED)
            if not calling.done():
                raise ToolError(f"{self._spec.name} broke off; it is unknown whether it was done")
            return _told(calling.result())
        except ToolError:
            raise
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self._broken.set()
            raise ToolError(f"{self._spec.name} broke off; it is unknown whether it was done") from None
        except Exception as error:
            said = _first(error)
            if "closed" in said.lower() or isinstance(error, BaseExceptionGroup | OSError):
                self._broken.set()
            raise ToolError(f"{self._spec.name}: {said}") from None
        finally:
            for one in (calling, broken):
                one.cancel()
            await asyncio.gather(calling, broken, return_exceptions=True)

    async def aclose(self) -> None:
        """By the protocol's own scope: whoever cancels its task while it ends a program leaves that program unreaped."""
        if self._owning is not None and self._scope is not None:
            self._scope.cancel()
            await asyncio.wait({self._owning}, timeout=_CONNECTING)
        await self._tasks.aclose()


def _told(result: Any) -> Any:
    """Its texts; what is no text is named."""
    parts = []
    for part in result.content or []:
        text = getattr(part, "text", None)
        parts.append(
            text if isinstance(text, str) else f"({getattr(part, 'type', 'something')} that can't be read aloud)"
        )
    text = "\n".join(parts)
    if result.is_error:
        raise ToolError(text or "it failed, and does not say why")
    return text or result.structured_content or None


def _first(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    said = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}{f': {said}' if said else ''}"
