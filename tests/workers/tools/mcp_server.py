"""A real MCP server: `python mcp_server.py` speaks over its own input and output, `python mcp_server.py PORT` over HTTP."""

import asyncio
import os
import sys
import time

from mcp.server.mcpserver import MCPServer

server = MCPServer("kitchen")


@server.tool()
def menu(course: str) -> str:
    """What there is to eat."""
    return f"pizza for {course} at {os.environ.get('KITCHEN', 'home')}"


@server.tool()
async def wait(seconds: float) -> str:
    """Take a while."""
    await asyncio.sleep(seconds)
    return str(time.time())


@server.tool()
def fail() -> str:
    """Go wrong."""
    raise ValueError("no dough")


@server.tool()
def die() -> str:
    """End the process."""
    os._exit(1)


@server.tool(name="a name that no endpoint takes")
def odd() -> str:
    """Has an odd name."""
    return "odd"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run("stdio")
