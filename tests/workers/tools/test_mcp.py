"""Tools of MCP servers: a real one, by stdio and by streamable HTTP."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.config.agent import McpSpec
from workers.agents import Context, Tool, ToolError
from workers.tools._mcp import McpServers

SERVER = str(Path(__file__).with_name("mcp_server.py"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def started(port: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, SERVER, str(port)], stderr=subprocess.DEVNULL)


@pytest.fixture(params=["stdio", "http"])
async def spec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[McpSpec]:
    monkeypatch.setenv("TOOL_KITCHEN", "the corner")
    if request.param == "stdio":
        yield McpSpec(
            name="kitchen", command=sys.executable, args=[SERVER], env={"KITCHEN": "TOOL_KITCHEN"}, allow=["*"]
        )
        return
    port = free_port()
    process = started(port)
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        await asyncio.sleep(0.1)
    yield McpSpec(name="kitchen", url=f"http://127.0.0.1:{port}/mcp", headers={"X-Key": "TOOL_KITCHEN"}, allow=["*"])
    process.kill()
    process.wait()


async def there(servers: McpServers, spec: McpSpec) -> dict[str, Tool]:
    for _ in range(60):
        tools: dict[str, Tool] = {}
        problems: list[str] = []
        await servers.add([spec], tools, problems)
        if tools:
            return tools
        await asyncio.sleep(0.5)
    raise AssertionError(problems)


async def test_its_tools_are_called(spec: McpSpec) -> None:
    """With its own schemas; several at once over one connection; what fails is told."""
    servers = McpServers(sys.executable)
    try:
        tools = await there(servers, spec)
        assert set(tools) == {"menu", "wait", "fail", "die"}
        assert tools["menu"].parameters["properties"]["course"]["type"] == "string"
        said = await tools["menu"].run(Context(), {"course": "lunch"})
        assert said.startswith("pizza for lunch at ")
        if spec.command:
            assert said.endswith("the corner")
        both = [tools["wait"].run(Context(), {"seconds": 0.3}) for _ in range(4)]
        assert len(await asyncio.gather(*both)) == 4
        with pytest.raises(ToolError, match="Error executing tool fail"):
            await tools["fail"].run(Context(), {})
    finally:
        await servers.aclose()


async def test_a_server_that_dies_takes_only_its_tools(spec: McpSpec) -> None:
    """Whoever waits for it is told in a sentence; then it is left out, and the reason is one sentence."""
    servers = McpServers(sys.executable)
    try:
        tools = await there(servers, spec)
        with pytest.raises(ToolError):
            async with asyncio.timeout(30):
                await tools["die"].run(Context(), {})
        for _ in range(100):
            found: dict[str, Tool] = {}
            problems: list[str] = []
            await servers.add([spec], found, problems)
            if problems or spec.command:
                break
            with pytest.raises(ToolError):
                await tools["menu"].run(Context(), {"course": "x"})
        if spec.url:
            assert "its tools are left out until it is back" in problems[0]
            assert "\n" not in problems[0]
    finally:
        await servers.aclose()


async def test_a_name_that_is_taken_gets_the_servers_before_it(spec: McpSpec) -> None:
    """The model is told of it by that name, too; and of none that endpoints would refuse."""
    servers = McpServers(sys.executable)
    try:
        own = (await there(servers, spec))["menu"]
        tools: dict[str, Tool] = {"menu": replace(own, description="ours")}
        await servers.add([spec], tools, [])
        assert set(tools) == {"menu", "kitchen_menu", "wait", "fail", "die"}
        assert tools["menu"].description == "ours"
        assert tools["kitchen_menu"].definition()["function"]["name"] == "kitchen_menu"
        assert (await tools["kitchen_menu"].run(Context(), {"course": "lunch"})).startswith("pizza for lunch")
    finally:
        await servers.aclose()


async def test_only_what_is_allowed(spec: McpSpec) -> None:
    """The model is told of the tools that the agent names, and of no others."""
    servers = McpServers(sys.executable)
    try:
        assert set(await there(servers, spec.model_copy(update={"allow": ["menu"]}))) == {"menu"}
    finally:
        await servers.aclose()


async def test_programs_are_the_operators_to_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent starts nothing that MCP_COMMANDS does not name; a secret that isn't there is named."""
    monkeypatch.delenv("TOOL_MISSING", raising=False)
    tools: dict[str, Tool] = {}
    problems: list[str] = []
    servers = McpServers("npx")
    command = McpSpec(name="shell", command="/bin/sh", allow=["*"])
    secret = McpSpec(name="crm", url="http://127.0.0.1:9/mcp", headers={"X-Key": "TOOL_MISSING"}, allow=["*"])
    await servers.add([command, secret], tools, problems)
    assert problems == [
        'tools.mcp shell: command = "/bin/sh"; MCP_COMMANDS of this worker allows npx',
        "tools.mcp crm: the environment variable TOOL_MISSING is not set for this worker",
    ]
    assert not tools


async def test_what_is_not_used_any_more_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One is kept here; another one's program ends, and is started again when it is wanted."""
    monkeypatch.setattr("workers.tools._mcp._KEPT", 1)
    one, other = (McpSpec(name=name, command=sys.executable, args=[SERVER], allow=["menu"]) for name in ("a", "b"))
    servers = McpServers(sys.executable)
    try:
        first = await there(servers, one)
        await there(servers, other)
        for _ in range(100):
            try:
                await first["menu"].run(Context(), {"course": "lunch"})
            except ToolError:
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError("it goes on")
        assert set(await there(servers, one)) == {"menu"}
    finally:
        await servers.aclose()
