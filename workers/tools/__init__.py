"""What an agent can do: the functions of its agent.py, what every agent can have, and what other servers offer; how one is
called."""

from workers.tools._builtin import notes_fields
from workers.tools._running import Call, Doing, Returned, call, context_of, posted
from workers.tools._toolbox import NO_TOOLS, Toolbox, Toolboxes
from workers.tools.stage import ToolStage

__all__ = [
    "NO_TOOLS",
    "Call",
    "Doing",
    "Returned",
    "ToolStage",
    "Toolbox",
    "Toolboxes",
    "call",
    "context_of",
    "notes_fields",
    "posted",
]
