"""What a builder writes in `agent.py`, beside the agent's file: tools (docs/tools.md) and hooks (docs/hooks.md).

    from workers.agents import Context, tool

    @tool(timeout=5)
    async def book_table(context: Context, guests: int, at: str) -> str:
        '''Book a table.

        guests: how many people
        at: the time, such as "19:30"
        '''

For the stages: `load` reads such a file, `Codes` keeps what was read, by what it says.
"""

from workers.agents._context import Actions, Caller, Context, Recorded
from workers.agents._loading import NO_CODE, AgentCode, Codes, load
from workers.agents._schema import ArgumentsError, WrongFunction
from workers.agents._tool import Tool, ToolError, tool
from workers.agents.hooks import (
    AgentTurn,
    Answer,
    Change,
    Ending,
    Enter,
    Hook,
    Silence,
    ToolCall,
    UserTurn,
    Veto,
    hook,
)

__all__ = [
    "NO_CODE",
    "Actions",
    "AgentCode",
    "AgentTurn",
    "Answer",
    "ArgumentsError",
    "Caller",
    "Change",
    "Codes",
    "Context",
    "Ending",
    "Enter",
    "Hook",
    "Recorded",
    "Silence",
    "Tool",
    "ToolCall",
    "ToolError",
    "UserTurn",
    "Veto",
    "WrongFunction",
    "hook",
    "load",
    "tool",
]
